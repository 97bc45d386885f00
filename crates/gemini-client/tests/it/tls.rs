//! TLS against a real server with a certificate authority of its own, and the proxy variables.

use std::convert::Infallible;
use std::sync::Arc;

use bytes::Bytes;
use http::{Request, Response};
use http_body_util::{BodyExt, StreamBody, combinators::BoxBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo};
use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, IsCa, KeyPair};
use rustls::pki_types::PrivateKeyDer;
use tokio::net::TcpListener;
use tokio::task::JoinHandle;
use tokio_rustls::TlsAcceptor;

use crate::child;
use crate::server::Server;

struct TlsServer {
    url: String,
    /// The authority's certificate, as a file for `SSL_CERT_FILE`.
    authority: tempfile::NamedTempFile,
    task: JoinHandle<()>,
}

impl Drop for TlsServer {
    fn drop(&mut self) {
        self.task.abort();
    }
}

impl TlsServer {
    /// A server that offers these protocols and says in its answer which one was spoken.
    async fn start(protocols: &[&[u8]]) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        let issuer = CertifiedIssuer::self_signed(params, KeyPair::generate().unwrap()).unwrap();
        let authority = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(authority.path(), issuer.pem()).unwrap();

        let own = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        let certificate = params.signed_by(&own, &issuer).unwrap();
        let mut config =
            rustls::ServerConfig::builder_with_provider(rustls::crypto::ring::default_provider().into())
                .with_safe_default_protocol_versions()
                .unwrap()
                .with_no_client_auth()
                .with_single_cert(
                    vec![certificate.der().clone()],
                    PrivateKeyDer::Pkcs8(own.serialize_der().into()),
                )
                .unwrap();
        config.alpn_protocols = protocols.iter().map(|p| p.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));

        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("https://localhost:{}", listener.local_addr().unwrap().port());
        let task = tokio::spawn(async move {
            let mut connections = tokio::task::JoinSet::new();
            while let Ok((stream, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                connections.spawn(async move {
                    let Ok(stream) = acceptor.accept(stream).await else { return };
                    let h2 = stream.get_ref().1.alpn_protocol() == Some(b"h2");
                    let io = TokioIo::new(stream);
                    // A client that breaks off is no failure of the server.
                    if h2 {
                        let builder = hyper::server::conn::http2::Builder::new(TokioExecutor::new());
                        let _ = builder.serve_connection(io, service_fn(serve)).await;
                    } else {
                        let builder = hyper::server::conn::http1::Builder::new();
                        let _ = builder.serve_connection(io, service_fn(serve)).await;
                    }
                });
            }
        });
        Self { url, authority, task }
    }

    fn trusted(&self) -> [(&'static str, &str); 1] {
        [("SSL_CERT_FILE", self.authority.path().to_str().expect("a plain path"))]
    }
}

type Pieces = BoxBody<Bytes, std::io::Error>;

/// Beneath `/break` the body breaks off, elsewhere it is whole.
async fn serve(request: Request<Incoming>) -> Result<Response<Pieces>, Infallible> {
    let version = request.version();
    let mut pieces: Vec<std::io::Result<Frame<Bytes>>> = vec![Ok(Frame::data(
        format!("{{\"candidates\":[{{\"content\":{{\"parts\":[{{\"text\":\"{version:?}\"").into(),
    ))];
    if request.uri().path().starts_with("/break/") {
        pieces.push(Err(std::io::Error::other("the server's own fault")));
    } else {
        pieces.push(Ok(Frame::data("}]},\"finishReason\":\"STOP\"}]}".into())));
    }
    Ok(Response::new(BodyExt::boxed(StreamBody::new(futures_util::stream::iter(pieces)))))
}

#[tokio::test]
async fn ssl_cert_file_is_honoured_and_http2_is_spoken_where_offered() {
    for (protocols, version) in [
        (&[b"h2".as_slice(), b"http/1.1"][..], "HTTP/2.0"),
        (&[b"http/1.1".as_slice()], "HTTP/1.1"),
        (&[], "HTTP/1.1"),
    ] {
        let server = TlsServer::start(protocols).await;
        let said = child::call(&server.url, &server.trusted()).await;
        assert!(said.contains(&format!("TEXT={version}")), "{said}");
    }
}

#[tokio::test]
async fn a_stranger_is_not_trusted() {
    let server = TlsServer::start(&[b"h2"]).await;
    let other = TlsServer::start(&[b"h2"]).await;
    let said = child::call(&server.url, &other.trusted()).await;
    assert!(said.contains("KIND=Connect"), "{said}");
    assert!(said.contains("UnknownIssuer") || said.contains("certificate"), "{said}");
}

#[tokio::test]
async fn the_name_in_the_certificate_counts() {
    let server = TlsServer::start(&[b"h2"]).await;
    let said = child::call(&server.url.replace("localhost", "127.0.0.1"), &server.trusted()).await;
    assert!(said.contains("KIND=Connect"), "{said}");
}

#[tokio::test]
async fn a_stream_reset_by_http2_is_a_broken_connection() {
    let server = TlsServer::start(&[b"h2"]).await;
    let said = child::call(&format!("{}/break", server.url), &server.trusted()).await;
    assert!(said.contains("KIND=Broken"), "{said}");
}

#[tokio::test]
async fn the_system_proxy_is_used_except_for_this_machine() {
    let body = r#"{"candidates":[{"content":{"parts":[{"text":"by proxy"}]},"finishReason":"STOP"}]}"#;
    let mut proxy = Server::answer("200 OK", "application/json", body).await;
    let said = child::call("http://gemini.invalid", &[("HTTP_PROXY", &proxy.url)]).await;
    assert!(said.contains("TEXT=by proxy"), "{said}");
    assert!(proxy.only_request().line.starts_with("POST http://gemini.invalid/"));

    let server = Server::answer("200 OK", "application/json", &body.replace("by proxy", "direct")).await;
    let said = child::call(&server.url, &[("HTTP_PROXY", &proxy.url)]).await;
    assert!(said.contains("TEXT=direct"), "{said}");
}
