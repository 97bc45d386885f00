//! Keys from AWS Secrets Manager, by Amazon's own SDK.

mod batch;
mod connection;
mod failure;
mod found;
mod name;
mod quiet;
mod settings;
mod store;

pub use store::AwsStore;
