//! No connection: names that do not resolve, refused ports, proxies with a password, URLs with a key.

use std::time::Duration;

use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config};
use keyrot_testkit::canary::{self, ALL, PLAIN, STANDARD, TELLTALE};
use secrecy::SecretString;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpListener;

use crate::ear;

const MODEL: &str = "gemini-2.5-flash";

/// Says all there is to say of a client like this, and of a call of it.
async fn call(key: &str, config: &Config) {
    let mut config = config.clone();
    config.timeouts.connect = Some(Duration::from_millis(100));
    config.timeouts.first_byte = Some(Duration::from_millis(100));
    let config = &config;
    ear::debug("config", config);
    match Client::new(config) {
        Ok(client) => {
            ear::debug("client", &client);
            ear::debug("warnings", client.warnings());
            match client.generate(&SecretString::from(key), MODEL, &GenerateRequest::text("hi")).await {
                Ok(answer) => ear::debug("answer", &answer),
                Err(error) => ear::error("generate", &error),
            }
        }
        Err(error) => ear::error("client", &error),
    }
}

/// A server that answers once with what `reply` makes of the request, and its address.
async fn answering(reply: impl Fn(&str) -> String + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let address = listener.local_addr().expect("an address").to_string();
    tokio::spawn(async move {
        let (mut stream, _) = listener.accept().await.expect("a connection");
        let (mut request, mut piece) = (Vec::new(), [0; 4096]);
        while !request.windows(4).any(|end| end == b"\r\n\r\n") {
            match stream.read(&mut piece).await {
                Ok(n) if n > 0 => request.extend_from_slice(&piece[..n]),
                _ => break,
            }
        }
        // Whoever asked may be gone.
        let _ = stream.write_all(reply(&String::from_utf8_lossy(&request)).as_bytes()).await;
    });
    address
}

/// The request as it came, in an error page; without the proxy's own credentials, which no page
/// repeats.
fn mirror(request: &str) -> String {
    let lines = request.lines().filter(|line| !line.to_ascii_lowercase().starts_with("proxy-authorization"));
    let page: String = lines.flat_map(|line| [line, "<br>"]).collect();
    format!("HTTP/1.1 502 Bad Gateway\r\ncontent-length: {}\r\nconnection: close\r\n\r\n{page}", page.len())
}

#[tokio::test]
async fn no_failure_to_connect_gives_a_key_away() {
    let heard = ear::listen();
    for key in ALL {
        for base in [
            "http://127.0.0.1:1",
            "https://127.0.0.1:1",
            "http://no-such-host.invalid",
            "https://no-such-host.invalid",
        ] {
            call(key, &Config::at(base)).await;
        }
        let mirror = answering(mirror).await;
        call(key, &Config::at(format!("http://{mirror}"))).await;
        for answer in [
            "HTTP/1.1 200 @\r\n",
            "@\r\n\r\n",
            "HTTP/1.1 302 Found\r\nlocation: http://127.0.0.1:1/?key=@\r\n\r\n",
            "@",
        ] {
            let answer = answer.replace('@', key);
            let odd = answering(move |_| answer.clone()).await;
            call(key, &Config::at(format!("http://{odd}"))).await;
            let tls = answering(|request| request.to_owned()).await;
            call(key, &Config::at(format!("https://{tls}"))).await;
        }
    }
    heard.assert_clean();
    ear::assert_heard(&["gemini_client", "hyper_util", "reqwest", "rustls"]);
}

#[tokio::test]
async fn no_base_url_gives_away_a_key_that_stands_in_it() {
    let heard = ear::listen();
    let bases = [
        "http://~@127.0.0.1:1",
        "http://u:~@127.0.0.1:1",
        "http://127.0.0.1:1?key=~",
        "http://127.0.0.1:1/#~",
        "~",
        "~://x",
    ];
    let shown = [
        "http://127.0.0.1:1/~",
        "http://127.0.0.1:1/x/~/y",
        "http://~.invalid",
        "http://no-such-host.invalid/~",
    ];
    for key in ALL {
        // In the URL it may stand encoded as well.
        for form in [key.to_owned(), canary::forms(key)[1].1.clone()] {
            for base in bases {
                call(key, &Config::at(base.replace('~', &form))).await;
            }
        }
    }
    for key in TELLTALE {
        for base in shown {
            call(key, &Config::at(base.replace('~', key))).await;
        }
    }
    heard.assert_clean();
}

#[tokio::test]
async fn no_proxy_gives_its_password_or_the_key_away() {
    let heard = ear::listen();
    for base in ["http://no-such-host.invalid", "https://no-such-host.invalid", "http://127.0.0.1:1"] {
        let refusing = "127.0.0.1:1".to_owned();
        let mirror = answering(mirror).await;
        let closing = answering(|_| String::new()).await;
        let challenging = answering(|_| {
            "HTTP/1.1 407 Proxy Authentication Required\r\nproxy-authenticate: Basic realm=\"x\"\r\ncontent-length: 0\r\n\r\n".to_owned()
        })
        .await;
        for proxy in [refusing, mirror, closing, challenging, "no-such-proxy.invalid:3128".to_owned()] {
            let mut config = Config::at(base);
            config.proxy = Some(format!("http://user:{PLAIN}@{proxy}"));
            call(STANDARD, &config).await;
        }
        for broken in ["http://user:~@", "user:~@host", "://~", "socks9://u:~@h", "http://u:~@h:port"] {
            let mut config = Config::at(base);
            config.proxy = Some(broken.replace('~', PLAIN));
            call(STANDARD, &config).await;
        }
    }
    heard.assert_clean();
}
