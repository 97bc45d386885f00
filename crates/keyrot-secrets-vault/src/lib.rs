//! Keys from HashiCorp Vault or OpenBao: the store behind `SECRET_STORE_TYPE=vault`.

mod connection;
mod failure;
mod mount;
mod reading;
mod session;
mod settings;
mod store;

pub use store::VaultStore;
