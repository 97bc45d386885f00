//! Where region and credentials come from, and what is said when they come from nowhere.

use std::path::Path;
use std::time::Duration;

use keyrot_core::{EnvMap, SecretStore};
use keyrot_secrets_aws::AwsStore;
use keyrot_testkit::canary::{AUTH, OTHER, PLAIN, STANDARD};
use keyrot_testkit::tls::{Authority, Front};
use serde_json::json;
use tempfile::TempDir;
use tokio::runtime::Builder;

use crate::child::read;
use crate::server::{Reply, Server, entry};

/// Tells the SDK to log what it holds for secret, too.
const LOG_ALL: (&str, &str) = ("LOG_SENSITIVE_BODIES", "true");

/// A home with these files below `.aws`.
fn home(files: &[(&str, &str)]) -> TempDir {
    let home = TempDir::new().expect("a folder");
    for (name, text) in files {
        let path = home.path().join(".aws").join(name);
        std::fs::create_dir_all(path.parent().unwrap_or(Path::new("/"))).expect("room for a folder");
        std::fs::write(path, text).expect("room for a file");
    }
    home
}

/// A metadata service that takes every request and answers none.
async fn silence() -> Server {
    Server::start(|_| Reply::Silence).await
}

async fn secrets() -> Server {
    Server::start(|_| Reply::Json(200, entry("keyrot/a", STANDARD, &["AWSCURRENT"]))).await
}

#[tokio::test]
async fn without_a_region_the_variable_is_named_and_a_silent_machine_is_not_waited_for() {
    let (metadata, home) = (silence().await, home(&[]));
    let url = metadata.url();
    let (said, took) = read(home.path(), &[("AWS_EC2_METADATA_SERVICE_ENDPOINT", &url)]).await;
    assert!(said.contains("Misconfigured") && said.contains("set `AWS_REGION`"), "{said}");
    assert!(took < Duration::from_secs(8), "{took:?}");
    assert!(!metadata.asked().is_empty(), "the machine was asked");
}

#[tokio::test]
async fn an_empty_region_is_none() {
    let home = home(&[]);
    let variables = [("AWS_REGION", ""), ("AWS_EC2_METADATA_DISABLED", "true")];
    let (said, _) = read(home.path(), &variables).await;
    assert!(said.contains("Misconfigured") && said.contains("set `AWS_REGION`"), "{said}");
}

#[tokio::test]
async fn without_credentials_a_silent_machine_is_not_waited_for() {
    let (metadata, home) = (silence().await, home(&[]));
    let url = metadata.url();
    let variables = [("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_SERVICE_ENDPOINT", url.as_str())];
    let (said, took) = read(home.path(), &variables).await;
    assert!(said.contains("credentials") && said.contains("`AWS_ACCESS_KEY_ID`"), "{said}");
    assert!(took < Duration::from_secs(13), "{took:?}");
    assert!(!metadata.asked().is_empty(), "the machine was asked");
}

#[tokio::test]
async fn without_credentials_anywhere_it_says_so() {
    let home = home(&[]);
    let variables = [("AWS_REGION", "eu-central-1"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let (said, took) = read(home.path(), &variables).await;
    assert!(said.contains("Misconfigured") && said.contains("there are no AWS credentials"), "{said}");
    assert!(took < Duration::from_secs(8), "{took:?}");
}

/// The SDK would log whole answers at TRACE, as this variable tells it to.
#[tokio::test]
async fn region_and_credentials_come_from_the_profile() {
    let server = secrets().await;
    let keys = format!(
        "aws_access_key_id = AKIATEST\naws_secret_access_key = {PLAIN}\naws_session_token = {AUTH}\n"
    );
    let home = home(&[
        ("config", &format!("[profile work]\nregion = eu-west-3\n{keys}")),
        ("credentials", &format!("[work]\n{keys}{keys}")),
    ]);
    let url = server.url();
    let (said, _) = read(home.path(), &[("AWS_PROFILE", "work"), ("AWS_ENDPOINT_URL", &url), LOG_ALL]).await;
    assert!(said.contains("version version-of-"), "{said}");
    assert_eq!(server.actions(), ["GetSecretValue"]);
}

#[tokio::test]
async fn credentials_come_from_the_container() {
    let server = Server::start(|request| {
        if request.action == "GetSecretValue" {
            return Reply::Json(200, entry("keyrot/a", STANDARD, &["AWSCURRENT"]));
        }
        Reply::Json(
            200,
            json!({
                "AccessKeyId": "AKIATEST", "SecretAccessKey": OTHER, "Token": AUTH,
                "Expiration": "2100-01-01T00:00:00Z",
            }),
        )
    })
    .await;
    let (url, home) = (server.url(), home(&[]));
    let credentials = format!("{url}/role");
    let variables = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", &url),
        ("AWS_CONTAINER_CREDENTIALS_FULL_URI", &credentials),
        // For plain HTTP in general, and not for what lies on this machine's own link.
        ("HTTP_PROXY", "http://127.0.0.1:9"),
        LOG_ALL,
    ];
    let (said, _) = read(home.path(), &variables).await;
    assert!(said.contains("version version-of-"), "{said}");
}

#[tokio::test]
async fn a_login_that_has_run_out_says_how_to_log_in() {
    let home = home(&[(
        "config",
        "[profile sso]\nregion = eu-west-3\nsso_session = us\nsso_account_id = 123456789012\nsso_role_name = r\n\
         [sso-session us]\nsso_region = eu-west-3\nsso_start_url = https://example.invalid/start\n",
    )]);
    let variables = [("AWS_PROFILE", "sso"), ("AWS_EC2_METADATA_DISABLED", "true")];
    let (said, _) = read(home.path(), &variables).await;
    assert!(said.contains("`aws sso login`"), "{said}");
}

/// The front has a runtime of its own, and is made and dropped outside of this one.
#[test]
fn a_certificate_is_trusted_if_the_system_or_ssl_cert_file_says_so() {
    let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
    let server = runtime.block_on(secrets());
    let port = server.url().rsplit(':').next().and_then(|port| port.parse().ok()).expect("a port");
    let (authority, home) = (Authority::new(), home(&[]));
    let front = Front::before(port, &authority);
    let url = format!("https://localhost:{}", front.port());
    let mut variables = vec![
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ENDPOINT_URL", url.as_str()),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", PLAIN),
    ];
    let (said, _) = runtime.block_on(read(home.path(), &variables));
    assert!(said.contains("cannot be reached") && said.contains("certificate"), "{said}");
    assert!(server.asked().is_empty());
    let file = authority.file().to_string_lossy().into_owned();
    variables.push(("SSL_CERT_FILE", &file));
    let (said, _) = runtime.block_on(read(home.path(), &variables));
    assert!(said.contains("version version-of-"), "{said}");
}

#[tokio::test]
async fn https_goes_through_the_proxy() {
    let proxy = Server::start(|_| Reply::Text(403, "")).await;
    let address = proxy.url().replace("http://", "http://user:CANARY@");
    let env = [
        ("AWS_REGION", "eu-central-1"),
        ("AWS_ACCESS_KEY_ID", "AKIATEST"),
        ("AWS_SECRET_ACCESS_KEY", "CANARY"),
        ("HTTPS_PROXY", address.as_str()),
    ];
    let store = AwsStore::new(&EnvMap::from_iter(env)).expect("legal");
    let error = store.fetch("keyrot/a").await.expect_err("the proxy refuses");
    let line = proxy.asked().first().map(|request| request.line.clone()).unwrap_or_default();
    assert!(line.starts_with("CONNECT secretsmanager.eu-central-1.amazonaws.com:443 "), "{line}: {error}");
    let said = format!("{error} {error:?} {store:?}");
    assert!(said.contains("HTTPS_PROXY") && !said.contains("CANARY"), "{said}");
}
