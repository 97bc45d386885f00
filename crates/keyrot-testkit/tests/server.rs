//! The servers other tests rely on: they come, freeze, go and come back.

use std::net::TcpStream;

use keyrot_testkit::server::{Kind, Server};

const KINDS: [Kind; 2] = [Kind::Redis, Kind::Valkey];

#[test]
fn a_server_starts_empty_and_ends_with_its_handle() {
    for kind in KINDS {
        let (one, two) = (Server::start(kind, &[]), Server::start(kind, &["--requirepass", "x"]));
        assert_ne!(one.port(), two.port());
        assert_eq!(one.command(&["DBSIZE"]), ":0\r\n");
        assert!(two.command(&["DBSIZE"]).starts_with("-NOAUTH"));
        let port = one.port();
        drop(one);
        assert!(TcpStream::connect(("127.0.0.1", port)).is_err());
    }
}

#[test]
fn what_is_persisted_survives_a_kill_and_nothing_else_does() {
    for (persistent, left) in [("yes", "$1\r\n2\r\n"), ("no", "$-1\r\n")] {
        let mut server = Server::start(Kind::Redis, &["--appendonly", persistent, "--appendfsync", "always"]);
        assert_eq!(server.command(&["SET", "a", "2"]), "+OK\r\n");
        let port = server.port();
        server.restart();
        assert_eq!((server.port(), server.command(&["GET", "a"]).as_str()), (port, left));
    }
}

#[test]
fn a_frozen_server_answers_when_it_thaws() {
    for kind in KINDS {
        let server = Server::start(kind, &[]);
        server.freeze();
        let answer = std::thread::scope(|scope| {
            let asking = scope.spawn(|| server.command(&["PING"]));
            std::thread::sleep(std::time::Duration::from_millis(50));
            assert!(!asking.is_finished());
            server.thaw();
            asking.join().expect("it answers")
        });
        assert_eq!(answer, "+PONG\r\n");
        server.freeze();
        // Dropped while frozen: ended all the same.
    }
}
