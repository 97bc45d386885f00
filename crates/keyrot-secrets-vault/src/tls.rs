//! TLS: rustls with the ring provider, given to the HTTP client ready-made.

use std::sync::Arc;

use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

/// Whom to trust.
pub(crate) enum Trust {
    /// Those of `VAULT_CACERT` alone, as other clients of Vault do.
    These(RootCertStore),
    /// Whom the system trusts; on Linux `SSL_CERT_FILE` and `SSL_CERT_DIR`, where they are set.
    System,
    /// Nobody: nothing is encrypted.
    Nobody,
}

impl Trust {
    /// The authorities of a PEM text.
    ///
    /// # Errors
    /// What is wrong with it.
    pub(crate) fn these(pem: &[u8]) -> Result<Self, String> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_slice_iter(pem) {
            let certificate = certificate.map_err(|_| "it is no PEM".to_owned())?;
            roots.add(certificate).map_err(|error| error.to_string())?;
        }
        if roots.is_empty() { Err("it holds no certificate".to_owned()) } else { Ok(Self::These(roots)) }
    }

    /// The configuration. HTTP/1.1 alone: nothing of a header is kept for later requests.
    pub(crate) fn config(self) -> Result<ClientConfig, rustls::Error> {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()?;
        let mut config = match self {
            Self::These(roots) => builder.with_root_certificates(roots).with_no_client_auth(),
            Self::System => builder
                .dangerous()
                .with_custom_certificate_verifier(Arc::new(Verifier::new(provider)?))
                .with_no_client_auth(),
            Self::Nobody => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
        };
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        Ok(config)
    }
}
