//! Keys from HashiCorp Vault or OpenBao: KV secrets of both versions, by token, AppRole or Kubernetes.

mod desk;
mod fault;
mod login;
mod mount;
mod name;
mod request;
mod settings;
mod store;
mod text;
mod tls;
mod wire;

pub use store::VaultStore;
