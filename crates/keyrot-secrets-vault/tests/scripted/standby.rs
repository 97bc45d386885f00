//! A standby that names the active server, by a redirect.

use keyrot_core::SecretStore;

use crate::server::{Reply, Server, mount, refusal, secret};
use crate::{NAME, TOKEN, said, store, text};

async fn active() -> Server {
    Server::start(|request| match request.path.as_str() {
        path if path.contains("/mounts/") => mount("2"),
        "/v1/secret/data/keyrot/a" => Reply::Text(200, secret("AIza-a")),
        _ => refusal(403, "permission denied"),
    })
    .await
}

async fn standby(status: u16, to: String) -> Server {
    Server::start(move |request| Reply::Redirect(status, format!("{to}{}", request.path))).await
}

#[tokio::test]
async fn a_standby_is_followed_to_the_active_server() {
    let active = active().await;
    let standby = standby(307, active.url()).await;
    assert_eq!(text(&store(&standby).fetch(NAME).await), "AIza-a");
    assert!(active.asked().iter().all(|request| request.head.contains(TOKEN)));
}

#[tokio::test]
async fn no_further_than_once() {
    let active = active().await;
    let second = standby(307, active.url()).await;
    let first = standby(307, second.url()).await;
    let said = said(&store(&first).fetch(NAME).await);
    assert!(said.contains("elsewhere") && said.contains("VAULT_ADDR"), "{said}");
    assert!(active.asked().is_empty(), "a token went too far");
}

#[tokio::test]
async fn a_token_goes_to_no_other_machine_in_the_clear_and_to_no_other_path() {
    let away = standby(307, "http://vault.example.com".to_owned()).await;
    let answer = store(&away).fetch(NAME).await;
    assert!(said(&answer).contains("elsewhere"), "{answer:?}");
    let active = active().await;
    let login_page = standby(302, active.url()).await;
    assert!(said(&store(&login_page).fetch(NAME).await).contains("elsewhere"));
    let elsewhere = standby(307, format!("{}/elsewhere", active.url())).await;
    assert!(said(&store(&elsewhere).fetch(NAME).await).contains("elsewhere"));
    assert!(active.asked().is_empty());
}
