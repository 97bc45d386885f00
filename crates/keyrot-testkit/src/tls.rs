//! TLS with an authority of its own, and a front that speaks it for a server which cannot.

use std::net::Ipv4Addr;
use std::path::Path;
use std::sync::Arc;

use rcgen::{BasicConstraints, CertificateParams, CertifiedIssuer, DnType, IsCa, KeyPair};
use rustls::ServerConfig;
use rustls::crypto::ring::default_provider;
use rustls::pki_types::PrivateKeyDer;
use tempfile::NamedTempFile;
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, Runtime};
use tokio_rustls::TlsAcceptor;

/// An authority nobody trusts unless he is told to.
#[derive(Debug)]
pub struct Authority {
    issuer: CertifiedIssuer<'static, KeyPair>,
    file: NamedTempFile,
}

#[expect(clippy::expect_used, reason = "a test that cannot have its certificates fails")]
impl Authority {
    /// A new one.
    #[must_use]
    #[expect(clippy::new_without_default, reason = "each is another one")]
    pub fn new() -> Self {
        let mut params = CertificateParams::new(Vec::new()).expect("no names");
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        // With the name that its servers have, some take their certificates for their own authorities.
        params.distinguished_name.push(DnType::CommonName, "an authority of a test");
        let key = KeyPair::generate().expect("a key");
        let issuer = CertifiedIssuer::self_signed(params, key).expect("a certificate");
        let file = NamedTempFile::new().expect("a file");
        std::fs::write(file.path(), issuer.pem()).expect("room for a file");
        Self { issuer, file }
    }

    /// Its certificate, as a file: for `SSL_CERT_FILE`, say.
    #[must_use]
    pub fn file(&self) -> &Path {
        self.file.path()
    }

    /// A certificate for `localhost` and its key, as PEM, for a server that reads them from files.
    #[must_use]
    pub fn pem(&self) -> (String, String) {
        let own = KeyPair::generate().expect("a key");
        let params = CertificateParams::new(vec!["localhost".to_owned()]).expect("a name");
        let certificate = params.signed_by(&own, &self.issuer).expect("a certificate");
        (certificate.pem(), own.serialize_pem())
    }

    /// What a server called `localhost` presents, offering `protocols` by ALPN.
    #[must_use]
    pub fn server(&self, protocols: &[&[u8]]) -> Arc<ServerConfig> {
        self.server_called(&["localhost"], protocols)
    }

    /// The same for a server with these names.
    #[must_use]
    pub fn server_called(&self, names: &[&str], protocols: &[&[u8]]) -> Arc<ServerConfig> {
        let own = KeyPair::generate().expect("a key");
        let names: Vec<String> = names.iter().map(|&name| name.to_owned()).collect();
        let params = CertificateParams::new(names).expect("names");
        let certificate = params.signed_by(&own, &self.issuer).expect("a certificate");
        let key = PrivateKeyDer::Pkcs8(own.serialize_der().into());
        let mut config = ServerConfig::builder_with_provider(default_provider().into())
            .with_safe_default_protocol_versions()
            .expect("versions ring has")
            .with_no_client_auth()
            .with_single_cert(vec![certificate.der().clone()], key)
            .expect("its own key");
        config.alpn_protocols = protocols.iter().map(|protocol| protocol.to_vec()).collect();
        Arc::new(config)
    }
}

/// Speaks TLS on a port of its own and passes on what it hears, until it is dropped.
#[derive(Debug)]
pub struct Front {
    port: u16,
    _runtime: Runtime,
}

#[expect(clippy::expect_used, reason = "a test that cannot have its servers fails")]
impl Front {
    /// Before the loopback port `behind`.
    #[must_use]
    pub fn before(behind: u16, authority: &Authority) -> Self {
        let runtime = Builder::new_multi_thread().worker_threads(1).enable_io().build().expect("a thread");
        let listener = runtime.block_on(TcpListener::bind((Ipv4Addr::LOCALHOST, 0))).expect("a free port");
        let port = listener.local_addr().expect("it is bound").port();
        let acceptor = TlsAcceptor::from(authority.server(&[]));
        runtime.spawn(async move {
            while let Ok((client, _)) = listener.accept().await {
                let acceptor = acceptor.clone();
                tokio::spawn(async move {
                    // Who does not trust the certificate, or breaks off, has his reasons.
                    let Ok(mut client) = acceptor.accept(client).await else { return };
                    let Ok(mut server) = TcpStream::connect((Ipv4Addr::LOCALHOST, behind)).await else {
                        return;
                    };
                    drop(tokio::io::copy_bidirectional(&mut client, &mut server).await);
                });
            }
        });
        Self { port, _runtime: runtime }
    }

    /// Where it listens.
    #[must_use]
    pub fn port(&self) -> u16 {
        self.port
    }
}
