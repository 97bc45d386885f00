//! Who may use a server: users, their rights and passwords.

use keyrot_core::LimitError;
use keyrot_limiter::RedisStore;
use keyrot_testkit::limiter::{FREE, Way};
use keyrot_testkit::server::{Kind, Server};

use crate::people::{ask, everything};
use crate::servers::{KINDS, config};

const PASSWORD: &str = "c4n4ry-pa55word";
const CHECK: &str = "hint: check the user and the password in `REDIS_URL`";
const GRANT: &str = "hint: give the user the rights the README lists under `ACL SETUSER`";
/// What the README tells an operator to allow.
fn rights() -> Vec<&'static str> {
    let manual = include_str!("../../../../README.md");
    let line =
        manual.split("ACL SETUSER keyrot on >PASSWORD").nth(1).and_then(|rest| rest.split("```").next());
    line.expect("the README's example").split_whitespace().collect()
}

fn server_with_user(kind: Kind, rights: &[&str]) -> Server {
    let server = Server::start(kind, &[]);
    let user = ["ACL", "SETUSER", "app", "reset", "on", &format!(">{PASSWORD}")];
    let answer = server.command(&[&user[..], rights].concat());
    assert!(answer.starts_with("+OK"), "{answer}");
    server
}

fn connect(server: &Server, user: &str, password: &str) -> RedisStore {
    let url = format!("redis://{user}:{password}@127.0.0.1:{}", server.port());
    RedisStore::connect(&config(&url, "pool")).expect("a legal URL")
}

async fn why(store: &RedisStore) -> String {
    match ask(store, &Way::sole(FREE)).await {
        Err(error @ LimitError::Unavailable { .. }) => error.to_string(),
        other => panic!("{other:?}"),
    }
}

#[tokio::test]
async fn a_user_with_the_least_rights_can_do_everything() {
    for kind in KINDS {
        let server = server_with_user(kind, &rights());
        let store = connect(&server, "app", PASSWORD);
        everything(&store).await.expect("it may");
        store.flush().await;
    }
}

#[tokio::test]
async fn a_wrong_password_and_a_missing_right_are_told_without_the_password() {
    for kind in KINDS {
        let server = server_with_user(kind, &rights());
        let wrong = why(&connect(&server, "app", "wr0ng-pa55word")).await;
        assert!(wrong.ends_with(CHECK), "{wrong}");
        assert!(!wrong.contains("wr0ng"), "{wrong}");
        let server = server_with_user(kind, &["~other*", "+@all"]);
        let missing = why(&connect(&server, "app", PASSWORD)).await;
        assert!(missing.ends_with(GRANT), "{missing}");
        assert!(!missing.contains(PASSWORD), "{missing}");
    }
}

#[tokio::test]
async fn a_server_that_asks_for_a_password_gets_it() {
    for kind in KINDS {
        let server = Server::start(kind, &["--requirepass", PASSWORD]);
        everything(&connect(&server, "", PASSWORD)).await.expect("the server is there");
        let missing = RedisStore::connect(&config(&server.url(), "pool")).expect("a legal URL");
        let text = why(&missing).await;
        assert!(text.ends_with(CHECK), "{text}");
    }
}
