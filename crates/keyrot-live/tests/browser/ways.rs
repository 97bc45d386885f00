//! Ways out of a page that end on this machine: a page takes them all, and the other ends listen.
//!
//! The page in question and an ordinary one are open at once in the same browser. The ordinary page begins when the
//! other has loaded, so that what is silent when the ordinary page has been heard stays silent.

use std::collections::BTreeSet;
use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{Ipv4Addr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::process::CommandExt as _;
use std::process::{Child, Command, Stdio};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use tempfile::TempDir;

use super::Browser;

/// Longer than a browser takes for all of it.
const TIMEOUT: Duration = Duration::from_secs(60);
const TICK: Duration = Duration::from_millis(20);

/// What every way needs.
const TOOLS: &str = "const add = (kind, what) => { const node = Object.assign(document.createElement(kind), what); \
     document.body.append(node); return node }; const blob = text => URL.createObjectURL(new Blob([text])); \
     const rtc = server => { const pc = new RTCPeerConnection({iceServers: [server]}); pc.createDataChannel('x'); \
     pc.createOffer().then(offer => pc.setLocalDescription(offer)); (window.kept ??= []).push(pc) };";

/// Each with the name under which its other end hears of it. `HTTP`, `IDLE`, `STUN` and `TURN` are ports.
const WAYS: [(&str, &str); 15] = [
    ("dns", "add('link', {rel: 'dns-prefetch', href: '//dns-WHO.example/'})"),
    ("preconnect", "add('link', {rel: 'preconnect', href: 'http://127.0.0.1:IDLE/'})"),
    ("stun", "rtc({urls: 'stun:127.0.0.1:STUN'})"),
    ("turn-udp", "rtc({urls: 'turn:127.0.0.1:TURN?transport=udp', username: 'data', credential: 'x'})"),
    ("turn-tcp", "rtc({urls: 'turn:127.0.0.1:HTTP?transport=tcp', username: 'data', credential: 'x'})"),
    ("websocket", "new WebSocket('ws://127.0.0.1:HTTP/websocket')"),
    ("beacon", "navigator.sendBeacon('http://127.0.0.1:HTTP/beacon', 'x')"),
    ("fetch", "fetch('http://127.0.0.1:HTTP/fetch', {mode: 'no-cors'})"),
    ("events", "new EventSource('http://127.0.0.1:HTTP/events')"),
    ("image", "new Image().src = 'http://127.0.0.1:HTTP/image'"),
    ("frame", "add('iframe', {src: 'http://127.0.0.1:HTTP/frame'})"),
    ("navigation", "add('iframe', {}).contentWindow.location.href = 'http://127.0.0.1:HTTP/navigation'"),
    ("worker", "new Worker(blob(\"fetch('http://127.0.0.1:HTTP/worker', {mode: 'no-cors'})\"))"),
    ("shared", "new SharedWorker(blob(\"fetch('http://127.0.0.1:HTTP/shared', {mode: 'no-cors'})\"))"),
    ("service", "navigator.serviceWorker.register('/service-HTTP.js')"),
];

/// Every way.
pub(crate) fn all() -> BTreeSet<&'static str> {
    WAYS.iter().map(|(name, _)| *name).collect()
}

/// The other ends of all ways.
pub(crate) struct Ears {
    who: &'static str,
    /// HTTP, idle TCP, STUN, TURN.
    ports: [u16; 4],
    heard: Arc<Mutex<BTreeSet<&'static str>>>,
}

impl Ears {
    pub(crate) fn open(who: &'static str) -> Self {
        let heard = Arc::new(Mutex::new(BTreeSet::new()));
        let http = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let idle = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
        let udp = [(); 2].map(|()| UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port"));
        let tcp_ports = [&http, &idle].map(|socket| socket.local_addr().expect("bound").port());
        let udp_ports = [&udp[0], &udp[1]].map(|socket| socket.local_addr().expect("bound").port());
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for stream in http.incoming().flatten() {
                let noted = Arc::clone(&noted);
                thread::spawn(move || note(&noted, way(stream)));
            }
        });
        let noted = Arc::clone(&heard);
        thread::spawn(move || {
            for _ in idle.incoming().flatten() {
                note(&noted, Some("preconnect"));
            }
        });
        for (socket, name) in udp.into_iter().zip(["stun", "turn-udp"]) {
            let noted = Arc::clone(&heard);
            thread::spawn(move || {
                while socket.recv(&mut [0; 2_048]).is_ok() {
                    note(&noted, Some(name));
                }
            });
        }
        Self { who, ports: [tcp_ports[0], tcp_ports[1], udp_ports[0], udp_ports[1]], heard }
    }

    /// A script for each way, which ends here.
    pub(crate) fn scripts(&self) -> Vec<String> {
        let named = ["HTTP", "IDLE", "STUN", "TURN"];
        let script = |(_, text): &(&str, &str)| {
            let text = text.replace("WHO", self.who);
            named
                .iter()
                .zip(self.ports)
                .fold(text, |text, (name, port)| text.replace(name, &port.to_string()))
        };
        std::iter::once(TOOLS.to_owned()).chain(WAYS.iter().map(script)).collect()
    }

    fn heard(&self) -> BTreeSet<&'static str> {
        self.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

fn note(heard: &Mutex<BTreeSet<&'static str>>, way: Option<&'static str>) {
    heard.lock().unwrap_or_else(PoisonError::into_inner).extend(way);
}

/// Which way a connection came, by its first bytes.
fn way(mut stream: TcpStream) -> Option<&'static str> {
    let mut bytes = [0; 2_048];
    let read = stream.read(&mut bytes).ok()?;
    if bytes[0] == 0 && read > 0 {
        return Some("turn-tcp");
    }
    let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
    let _ = stream.write_all(b"HTTP/1.1 204 No Content\r\nContent-Length: 0\r\nConnection: close\r\n\r\n");
    let path = request.split([' ', '?']).nth(1)?.trim_start_matches('/').to_owned();
    WAYS.iter().map(|(name, _)| *name).find(|name| *name == path)
}

/// Serves pages, and the scripts of service workers.
fn serve(pages: [(&'static str, String); 2]) -> u16 {
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).expect("a port");
    let port = listener.local_addr().expect("bound").port();
    let pages = Arc::new(pages);
    thread::spawn(move || {
        for mut stream in listener.incoming().flatten() {
            let pages = Arc::clone(&pages);
            thread::spawn(move || {
                let mut bytes = [0; 4_096];
                let read = stream.read(&mut bytes).unwrap_or_default();
                let request = String::from_utf8_lossy(&bytes[..read]).into_owned();
                let path = request.split(' ').nth(1).unwrap_or_default();
                let ear = path.strip_prefix("/service-").and_then(|rest| rest.strip_suffix(".js"));
                let (kind, body) = match ear {
                    Some(port) => {
                        let fetched = format!("http://127.0.0.1:{port}/service");
                        (
                            "text/javascript",
                            format!("oninstall = () => fetch('{fetched}', {{mode: 'no-cors'}})"),
                        )
                    }
                    None => {
                        let page = pages.iter().find(|(name, _)| *name == path);
                        ("text/html", page.map_or_else(String::new, |(_, html)| html.clone()))
                    }
                };
                let head =
                    format!("HTTP/1.1 200 OK\r\nContent-Type: {kind}\r\nContent-Length: {}\r\n", body.len());
                let _ = stream.write_all(format!("{head}Connection: close\r\n\r\n{body}").as_bytes());
            });
        }
    });
    port
}

/// Opens `page` beside an ordinary page; what was heard of each, by `inside` and by the ears of the ordinary page.
pub(crate) fn reached(page: &str, inside: &Ears) -> (BTreeSet<&'static str>, BTreeSet<&'static str>) {
    let outside = Ears::open("outside");
    let frame = "<iframe src=\"/page\" width=\"800\" height=\"800\" onload=\"begin()\"></iframe>";
    let ordinary = format!(
        "<!doctype html><html><head></head><body><script>const begin = () => {{ {} }}</script>{frame}</body></html>",
        outside.scripts().join(";\n"),
    );
    let port = serve([("/", ordinary), ("/page", page.to_owned())]);
    let folder = TempDir::new().expect("a folder");
    let log = folder.path().join("net.json");
    let mut browser = open(folder.path(), &log, port);
    // What a name is asked for is in the log alone, which is whole when the browser has ended.
    let expected = all().len() - 1;
    let ticks = TIMEOUT.as_millis() / TICK.as_millis();
    for _ in 0..ticks {
        if outside.heard().len() >= expected {
            break;
        }
        thread::sleep(TICK);
    }
    end(&mut browser);
    let log = fs::read_to_string(log).expect("a log");
    let heard = |ears: &Ears| {
        let mut heard = ears.heard();
        heard.extend(log.contains(&format!("//dns-{}.localhost", ears.who)).then_some("dns"));
        heard
    };
    (heard(inside), heard(&outside))
}

fn open(folder: &std::path::Path, log: &std::path::Path, port: u16) -> Child {
    let mut command = Command::new(&Browser::here().0);
    // Names are looked up on this machine: these two in the browser itself, all others nowhere.
    let names = "--host-resolver-rules=MAP dns-inside.example dns-inside.localhost, \
                 MAP dns-outside.example dns-outside.localhost, MAP * ~NOTFOUND, EXCLUDE 127.0.0.1, EXCLUDE *.localhost";
    let quiet = super::QUIET.iter().filter(|flag| {
        !["--virtual-time-budget", "--host-resolver-rules"].iter().any(|other| flag.starts_with(other))
    });
    command.args(quiet).arg(names).arg("--remote-debugging-port=0");
    command.arg(format!("--user-data-dir={}", folder.join("profile").display()));
    command.arg(format!("--log-net-log={}", log.display())).arg(format!("http://127.0.0.1:{port}/"));
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null()).process_group(0);
    command.spawn().expect("the browser runs")
}

/// Ends the browser so that it writes the rest of its log.
fn end(browser: &mut Child) {
    let group = format!("-{}", browser.id());
    let signal = |name: &str| {
        let _ = Command::new("kill").args([name, "--", &group]).status();
    };
    signal("-TERM");
    for _ in 0..500 {
        if browser.try_wait().expect("a child").is_some() {
            break;
        }
        thread::sleep(TICK);
    }
    signal("-KILL");
    let _ = browser.wait();
}
