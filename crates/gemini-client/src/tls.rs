//! TLS: rustls with the ring provider and the system's certificates, given to the HTTP client
//! ready-made, so that no process-wide default is read or set.

use std::sync::Arc;

use rustls::{ClientConfig, RootCertStore};
use rustls_platform_verifier::Verifier;

use crate::config::ConfigError;

/// The configuration. On Linux the roots come from the system's bundle or from `SSL_CERT_FILE` and
/// `SSL_CERT_DIR`; elsewhere the system verifies. Where there are no roots, only a client that has
/// no need of them (`needed` is false) can be had. Other HTTP clients of a program take it too, so that
/// `SSL_CERT_FILE` means the same everywhere.
///
/// # Errors
/// [`ConfigError::Tls`] when the system's certificates cannot be read.
pub fn config(needed: bool) -> Result<ClientConfig, ConfigError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let builder = ClientConfig::builder_with_provider(Arc::clone(&provider))
        .with_safe_default_protocol_versions()
        .map_err(|error| ConfigError::Tls(error.to_string()))?;
    let mut config = match Verifier::new(provider) {
        Ok(verifier) => {
            builder.dangerous().with_custom_certificate_verifier(Arc::new(verifier)).with_no_client_auth()
        }
        Err(error) if needed => return Err(ConfigError::Tls(error.to_string())),
        Err(_) => builder.with_root_certificates(RootCertStore::empty()).with_no_client_auth(),
    };
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Ok(config)
}
