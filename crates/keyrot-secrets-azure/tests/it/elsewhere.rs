//! In a process of its own: what the process's environment decides, and all that is said at TRACE.
//!
//! A proxy leads every host to the vault of the test, which has certificates for Azure's own names: so the addresses,
//! the trust and the check of the challenge are those of real life.

use std::process::Command;

use keyrot_core::{EnvMap, SecretStore as _};
use keyrot_secrets_azure::AzureStore;
use keyrot_testkit::canary::{AUTH, Grep, STANDARD};
use keyrot_testkit::live::azure::{Azure, CLIENT, CLIENT_SECRET, FEDERATED, Mood, TENANT, TOKEN};
use tokio::io::{AsyncBufReadExt as _, AsyncWriteExt as _, BufReader, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};

const ASKED: &str = "KEYROT_TEST_AZURE_CHILD";

/// Leads every CONNECT to the loopback port `to`; gives its own.
async fn proxy(to: u16) -> u16 {
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("it is bound").port();
    tokio::spawn(async move {
        while let Ok((client, _)) = listener.accept().await {
            tokio::spawn(async move {
                let mut client = BufReader::new(client);
                let mut line = String::new();
                while line != "\r\n" {
                    line.clear();
                    if client.read_line(&mut line).await.unwrap_or(0) == 0 {
                        return;
                    }
                }
                let Ok(mut server) = TcpStream::connect(("127.0.0.1", to)).await else { return };
                if client.write_all(b"HTTP/1.1 200 Connection established\r\n\r\n").await.is_ok() {
                    // Who breaks off has his reasons.
                    drop(copy_bidirectional(&mut client, &mut server).await);
                }
            });
        }
    });
    port
}

/// What a process with these variables says of reading and writing `flash-01`.
async fn child(variables: &[(&str, String)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "elsewhere::reads_and_writes", "--nocapture"]);
    let others = ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"];
    for name in others {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env(ASKED, "1").envs(variables.iter().cloned());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("a child");
    let said = String::from_utf8_lossy(&[output.stdout, output.stderr].concat()).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// Nothing by itself: what [`child`] runs.
#[tokio::test]
async fn reads_and_writes() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test tells this process what to do")]
    let env: EnvMap = std::env::vars().collect();
    if env.get(ASKED).is_none() {
        return;
    }
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).init();
    let store = AzureStore::new(&env).expect("settings that make sense");
    match store.fetch("flash-01").await {
        Ok(secret) => println!("READ {secret:?} {store:?}"),
        Err(error) => println!("FAILED {error} {error:?} {store:?}"),
    }
    match store.put("flash-01", &AUTH.into()).await {
        Ok(version) => println!("WRITTEN {version:?}"),
        Err(error) => println!("UNWRITTEN {error} {error:?}"),
    }
}

/// As on a machine where nothing is different from the usual.
async fn usual(azure: &Azure) -> Vec<(&'static str, String)> {
    let file = azure.authority().file().to_str().expect("a plain path").to_owned();
    vec![
        ("AZURE_VAULT_URL", "https://keys.vault.azure.net".to_owned()),
        ("HTTPS_PROXY", format!("http://127.0.0.1:{}", proxy(azure.port()).await)),
        ("SSL_CERT_FILE", file),
        ("AZURE_TENANT_ID", TENANT.to_owned()),
        ("AZURE_CLIENT_ID", CLIENT.to_owned()),
        ("AZURE_CLIENT_SECRET", CLIENT_SECRET.to_owned()),
    ]
}

fn quiet(said: &str) {
    let canaries = [STANDARD, AUTH, CLIENT_SECRET, FEDERATED, TOKEN];
    assert_eq!(Grep::of(&canaries).find(said), None);
    for speaker in ["typespec_client_core", "rustls", "hyper_util", "reqwest"] {
        assert!(said.contains(speaker), "`{speaker}` was not heard");
    }
}

#[tokio::test]
async fn with_the_usual_addresses_all_goes_well_and_nothing_is_given_away() {
    let azure = Azure::new();
    azure.set("flash-01", STANDARD);
    let said = child(&usual(&azure).await).await;
    assert!(said.contains("READ ") && said.contains("WRITTEN "), "{said}");
    assert_eq!(azure.newest("flash-01").expect("it is there").value, AUTH);
    quiet(&said);
}

#[tokio::test]
async fn a_workload_gives_nothing_away() {
    let azure = Azure::new();
    azure.set("flash-01", STANDARD);
    let token = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(token.path(), FEDERATED).expect("room");
    let mut variables = usual(&azure).await;
    variables.pop();
    variables.push(("AZURE_FEDERATED_TOKEN_FILE", token.path().to_str().expect("plain").to_owned()));
    let said = child(&variables).await;
    assert!(said.contains("READ "), "{said}");
    quiet(&said);
}

#[tokio::test]
async fn an_app_service_gives_its_identity_and_nothing_away() {
    let azure = Azure::new();
    azure.set("flash-01", STANDARD);
    azure.machine_is(Mood::Well);
    let mut variables = usual(&azure).await;
    variables.truncate(3);
    variables.push(("IDENTITY_ENDPOINT", format!("{}/msi/token", azure.machine())));
    variables.push(("IDENTITY_HEADER", CLIENT_SECRET.to_owned()));
    let said = child(&variables).await;
    assert!(said.contains("READ "), "{said}");
    assert_eq!((azure.counts().probes, azure.counts().logins), (1, 0));
    quiet(&said);
}

#[tokio::test]
async fn failures_give_nothing_away() {
    let azure = Azure::new();
    azure.set("flash-01", STANDARD);
    let variables = usual(&azure).await;
    azure.login_is(Mood::Refusing);
    quiet(&child(&variables).await);
    azure.login_is(Mood::Well);
    for mood in [Mood::Forbidding, Mood::Foreign, Mood::Throttling(1), Mood::Babbling] {
        azure.vault_is(mood);
        let said = child(&variables).await;
        assert!(said.contains("FAILED "), "{said}");
        quiet(&said);
    }
}

#[tokio::test]
async fn a_vault_that_asks_for_a_login_to_somebody_else_gets_none() {
    let azure = Azure::new();
    azure.set("flash-01", STANDARD);
    azure.challenges_for("https://vault.example.com");
    let said = child(&usual(&azure).await).await;
    assert!(said.contains("FAILED ") && said.contains("no vault to be trusted with a login"), "{said}");
    assert_eq!(azure.counts().logins, 0);
}

#[tokio::test]
async fn without_the_authority_nobody_is_trusted() {
    let azure = Azure::new();
    let mut variables = usual(&azure).await;
    variables.remove(2);
    let said = child(&variables).await;
    assert!(said.contains("FAILED ") && said.contains("is not trusted"), "{said}");
}
