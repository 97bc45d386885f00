//! TLS and HTTP/2, whose crates speak as well, and what the environment of a process decides:
//! a child process makes the calls and hears itself.

use std::convert::Infallible;
use std::process::Command;
use std::sync::Arc;

use gemini_client::wire::GenerateRequest;
use gemini_client::{Client, Config};
use http::{Request, Response};
use http_body_util::Full;
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use keyrot_testkit::canary::{ALL, Grep, PLAIN};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use crate::ear;

const URL: &str = "CANARY_CHILD_URL";
const MODEL: &str = "gemini-2.5-flash";

/// A server that speaks HTTP/2 alone and repeats its caller's headers in an error page; its URL and
/// the certificate to trust.
async fn server() -> (String, tempfile::NamedTempFile) {
    let mut params = CertificateParams::new(Vec::new()).expect("parameters");
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    let issuer =
        CertifiedIssuer::self_signed(params, KeyPair::generate().expect("a key pair")).expect("an issuer");
    let own = KeyPair::generate().expect("a key pair");
    let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("parameters");
    let certificate = params.signed_by(&own, &issuer).expect("a certificate").der().clone();
    let authority = tempfile::NamedTempFile::new().expect("a file");
    std::fs::write(authority.path(), issuer.pem()).expect("written");

    let mut config =
        rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions")
            .with_no_client_auth()
            .with_single_cert(vec![certificate], PrivateKeyDer::Pkcs8(own.serialize_der().into()))
            .expect("a certificate");
    config.alpn_protocols = vec![b"h2".to_vec()];
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind("127.0.0.1:0").await.expect("a port");
    let port = listener.local_addr().expect("an address").port();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                let Ok(stream) = acceptor.accept(stream).await else { return };
                let server = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                // A client that breaks off is no failure of the server.
                let _ = server.serve_connection(TokioIo::new(stream), service_fn(mirror)).await;
            });
        }
    });
    (format!("https://localhost:{port}"), authority)
}

async fn mirror(request: Request<Incoming>) -> Result<Response<Full<Bytes>>, Infallible> {
    let page: String = request
        .headers()
        .iter()
        .map(|(name, value)| format!("{name}: {}<br>", String::from_utf8_lossy(value.as_bytes())))
        .collect();
    let mut answer = Response::new(Full::from(page));
    *answer.status_mut() = http::StatusCode::FORBIDDEN;
    Ok(answer)
}

/// What a process with these variables says of calls to `url`.
async fn child(url: &str, variables: &[(&str, &str)]) -> String {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "tls::makes_calls", "--nocapture"]);
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY", "NO_PROXY", "SSL_CERT_FILE", "SSL_CERT_DIR"] {
        command.env_remove(name).env_remove(name.to_lowercase());
    }
    command.env(URL, url).envs(variables.iter().copied());
    let output =
        tokio::task::spawn_blocking(move || command.output()).await.expect("joined").expect("a child");
    let said = [output.stdout, output.stderr].concat();
    let said = String::from_utf8_lossy(&said).into_owned();
    assert!(output.status.success(), "{said}");
    said
}

/// Nothing by itself: what [`child`] runs.
#[tokio::test]
async fn makes_calls() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test tells this process what to do")]
    let Ok(url) = std::env::var(URL) else { return };
    tracing_subscriber::fmt().with_max_level(tracing::Level::TRACE).with_ansi(false).init();
    let client = Client::new(&Config::at(url)).expect("a client");
    for key in ALL {
        match client.generate(&key.into(), MODEL, &GenerateRequest::text("hi")).await {
            Ok(answer) => println!("ANSWER {answer:?}"),
            Err(error) => println!("KIND={:?} {error} {error:?} {client:?}", error.kind()),
        }
    }
}

#[tokio::test]
async fn http2_and_tls_say_nothing_of_a_key() {
    let heard = ear::listen();
    let (url, authority) = server().await;
    let said = child(&url, &[("SSL_CERT_FILE", authority.path().to_str().expect("a plain path"))]).await;
    for speaker in ["h2::", "rustls::", "hyper_util::", "gemini_client::", "KIND=Refused"] {
        assert!(said.contains(speaker), "`{speaker}` was not heard: {said}");
    }
    assert_eq!(Grep::default().find(&said), None);
    // The same without trust.
    let said = child(&url, &[]).await;
    assert!(said.contains("KIND=Connect"), "{said}");
    assert_eq!(Grep::default().find(&said), None);
    heard.assert_clean();
}

#[tokio::test]
async fn the_proxy_variables_give_no_password_away() {
    let proxy = format!("http://user:{PLAIN}@127.0.0.1:1");
    let variables: Vec<(&str, &str)> =
        ["HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"].map(|name| (name, proxy.as_str())).into();
    for url in ["http://gemini.invalid", "https://gemini.invalid"] {
        let said = child(url, &variables).await;
        assert!(said.contains("KIND=Connect") && said.contains("intercepts"), "{said}");
        assert_eq!(Grep::default().find(&said), None);
    }
}
