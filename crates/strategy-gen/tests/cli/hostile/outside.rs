//! What an attack finds around it, and what of it has changed afterwards.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::net::{TcpListener, UdpSocket};
use std::os::linux::net::SocketAddrExt as _;
use std::os::unix::fs::{MetadataExt as _, PermissionsExt as _, chown};
use std::os::unix::net::{SocketAddr, UnixListener};
use std::path::{Path, PathBuf};

use tempfile::TempDir;

use super::Attack;
use super::user::User;
use crate::rig::CANARY;

/// A home with a secret, and somebody who listens on every kind of socket.
pub(super) struct Outside {
    home: TempDir,
    temporary: TempDir,
    mark: String,
    tcp: TcpListener,
    udp: UdpSocket,
    unix: [UnixListener; 2],
}

impl Outside {
    pub(super) fn new(attack: &Attack, user: &User) -> Self {
        let home = tempfile::tempdir().expect("a folder");
        let temporary = tempfile::tempdir().expect("a folder");
        let mark = format!("keyrot-hostile-{}-{:016x}", attack.name, fastrand::u64(..));
        let tcp = TcpListener::bind("127.0.0.1:0").expect("a port");
        let udp = UdpSocket::bind("127.0.0.1:0").expect("a port");
        let name = SocketAddr::from_abstract_name(&mark).expect("a name");
        let unix = [
            UnixListener::bind(home.path().join("socket")).expect("a socket"),
            UnixListener::bind_addr(&name).expect("a socket"),
        ];
        tcp.set_nonblocking(true).expect("set");
        udp.set_nonblocking(true).expect("set");
        unix.iter().for_each(|listener| listener.set_nonblocking(true).expect("set"));
        let prelude = include_str!("../../hostile/_prelude.py");
        let port = |address: std::net::SocketAddr| address.port().to_string();
        let text = format!("{prelude}\n\n{}", attack.text)
            .replace("@OUTSIDE@", &home.path().display().to_string())
            .replace("@MARK@", &mark)
            .replace("@TCP@", &port(tcp.local_addr().expect("bound")))
            .replace("@UDP@", &port(udp.local_addr().expect("bound")));
        let file = |name: &str, text: &str| fs::write(home.path().join(name), text).expect("written");
        file("strategy.py", &text);
        file("victim.txt", &format!("a secret: {CANARY}\n"));
        file(".bashrc", "# nothing here\n");
        file("planted.py", "PLANTED = True\n");
        // Theirs, so that no permission stops them: only the sandbox may.
        for folder in [home.path(), temporary.path()] {
            let entries = fs::read_dir(folder).expect("read").map(|entry| entry.expect("read").path());
            for path in entries.chain([folder.to_owned()]) {
                chown(path, Some(user.uid()), Some(user.gid())).expect("ours to give");
            }
        }
        Self { home, temporary, mark, tcp, udp, unix }
    }

    pub(super) fn folder(&self) -> &Path {
        self.home.path()
    }

    /// Where the program keeps what it needs for a moment.
    pub(super) fn temporary(&self) -> &Path {
        self.temporary.path()
    }

    /// Everything there is about every file.
    pub(super) fn snapshot(&self) -> BTreeMap<PathBuf, String> {
        let entries = fs::read_dir(self.folder()).expect("read").map(|entry| entry.expect("read").path());
        let describe = |path: &Path| {
            let about = fs::symlink_metadata(path).expect("there");
            let text = if about.is_file() { fs::read(path).unwrap_or_default() } else { Vec::new() };
            format!(
                "mode {:o}, owner {}:{}, links {}, changed {}.{}, text {:?}",
                about.permissions().mode(),
                about.uid(),
                about.gid(),
                about.nlink(),
                about.ctime(),
                about.ctime_nsec(),
                String::from_utf8_lossy(&text)
            )
        };
        entries.chain([self.folder().to_owned()]).map(|path| (path.clone(), describe(&path))).collect()
    }

    /// Every trace of the attack.
    pub(super) fn seen_from_outside(&self, before: &BTreeMap<PathBuf, String>) -> Vec<String> {
        let mut found = Vec::new();
        let after = self.snapshot();
        for path in before.keys().chain(after.keys().filter(|path| !before.contains_key(*path))) {
            if before.get(path) != after.get(path) {
                found.push(format!(
                    "`{}` was {:?} and is {:?}",
                    path.display(),
                    before.get(path),
                    after.get(path)
                ));
            }
        }
        for folder in ["/tmp", "/dev/shm"] {
            let path = Path::new(folder).join(&self.mark);
            if path.exists() {
                fs::remove_file(&path).expect("removed");
                found.push(format!("`{}` was written", path.display()));
            }
        }
        let mut calm = |what: &str, error: Option<ErrorKind>| {
            if error != Some(ErrorKind::WouldBlock) {
                found.push(format!("the {what} listener heard something"));
            }
        };
        calm("TCP", self.tcp.accept().err().map(|error| error.kind()));
        calm("UDP", self.udp.recv(&mut [0; 8]).err().map(|error| error.kind()));
        calm("unix", self.unix[0].accept().err().map(|error| error.kind()));
        calm("abstract", self.unix[1].accept().err().map(|error| error.kind()));
        found.extend(self.running());
        let left = fs::read_dir(self.temporary()).expect("read").count();
        if left > 0 {
            found.push(format!("{left} temporary folders are left"));
        }
        found
    }

    /// Processes that name this run's folders on their command line, as a copy of the harness does.
    fn running(&self) -> Vec<String> {
        let processes = fs::read_dir("/proc").expect("read").flatten();
        let lines = processes.filter_map(|process| {
            let line = fs::read(process.path().join("cmdline")).ok()?;
            let line = String::from_utf8_lossy(&line).replace('\0', " ");
            line.contains(&self.temporary().display().to_string()).then(|| format!("still running: {line}"))
        });
        lines.collect()
    }
}

impl Drop for Outside {
    /// Where there was no sandbox, the attack has left something.
    fn drop(&mut self) {
        for folder in ["/tmp", "/dev/shm"] {
            let _ = fs::remove_file(Path::new(folder).join(&self.mark));
        }
    }
}
