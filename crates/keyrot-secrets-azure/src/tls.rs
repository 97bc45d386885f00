//! TLS: rustls with the ring provider and the system's certificates, given to the HTTP client ready-made.

use std::sync::Arc;

use keyrot_core::SecretError;
use rustls::ClientConfig;
use rustls::pki_types::CertificateDer;
use rustls::pki_types::pem::PemObject;
use rustls_platform_verifier::Verifier;

use crate::name::STORE;

/// The configuration: whom the system trusts (on Linux `SSL_CERT_FILE` and `SSL_CERT_DIR`, where they are set), and
/// `more`.
pub(crate) fn config(more: &[CertificateDer<'static>]) -> Result<ClientConfig, SecretError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let broken = |error: rustls::Error| SecretError::Misconfigured {
        store: STORE,
        why: format!("TLS cannot be set up: {error}"),
        hint: "install the system's CA certificates, or point `SSL_CERT_FILE` at a file of them".to_owned(),
    };
    let verifier =
        Verifier::new_with_extra_roots(more.iter().cloned(), Arc::clone(&provider)).map_err(broken)?;
    let mut config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .map_err(broken)?
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(verifier))
        .with_no_client_auth();
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}

/// The certificates of a PEM text.
pub(crate) fn certificates(pem: &[u8]) -> Result<Vec<CertificateDer<'static>>, SecretError> {
    let found: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(pem).collect();
    found.ok().filter(|found| !found.is_empty()).ok_or_else(|| SecretError::Misconfigured {
        store: STORE,
        why: "the authority to trust is no certificate in PEM".to_owned(),
        hint: "give a file that has `-----BEGIN CERTIFICATE-----` in it".to_owned(),
    })
}
