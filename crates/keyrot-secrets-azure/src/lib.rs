//! Keys from Azure Key Vault.
//!
//! [`AzureStore`] reads and writes the secrets of one vault. Where the vault is and how to log in comes from the
//! `EnvMap` handed in:
//!
//! | variable | meaning |
//! |---|---|
//! | `AZURE_VAULT_URL` | the vault's address, `https` only |
//! | `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_CLIENT_SECRET` | log in as an application with a client secret |
//! | `AZURE_TENANT_ID`, `AZURE_CLIENT_ID`, `AZURE_FEDERATED_TOKEN_FILE` | log in as a workload, in Kubernetes |
//! | `AZURE_CLIENT_ID` | alone: which managed identity |
//! | `AZURE_AUTHORITY_HOST` | where logins happen, if not in Azure's public cloud |
//! | `AZURE_POD_IDENTITY_AUTHORITY_HOST` | where managed identities are, if not at `169.254.169.254` |
//!
//! What `azure_identity` reads in the process's own environment instead: `IDENTITY_ENDPOINT` and `IDENTITY_HEADER`
//! (with `IMDS_ENDPOINT`, `MSI_ENDPOINT`, `MSI_SECRET` and `IDENTITY_SERVER_THUMBPRINT`), by which App Service and
//! its like tell where their managed identities are. The command line tools `az` and `azd` read what they like.

mod answer;
mod login;
mod name;
mod refusal;
mod settings;
mod store;
mod text;
mod tls;
mod wire;

pub use name::{Collision, collisions};
pub use store::AzureStore;
