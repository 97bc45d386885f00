//! A client for the Gemini API that knows exactly one key at a time: no retries, no rotation.
//!
//! - [`Client`]: typed calls, each taking the key it goes out with, over a layer of raw bytes
//!   ([`Client::raw`]).
//! - [`classify()`]: what an answer means for the key, its project and its model, as a pure
//!   function.
//! - [`estimate`]: how many input tokens a request will be charged, before it is sent.
//! - [`wire`], [`sse`], [`delay`]: the API's JSON, its streams, its durations, each usable alone.
//!
//! Every key that is sent is [remembered](keyrot_core::untrusted::remember): no error and no field of an answer
//! that is made for people holds it.
//!
//! ```no_run
//! use gemini_client::wire::GenerateRequest;
//! use gemini_client::{Client, Config};
//! use secrecy::SecretString;
//!
//! # async fn run(key: SecretString) -> Result<(), Box<dyn std::error::Error>> {
//! let client = Client::new(&Config::default())?;
//! let request = GenerateRequest::text("What is a moving average?");
//! let answer = client.generate(&key, "gemini-2.5-flash", &request).await?;
//! println!("{}", answer.text());
//! # Ok(())
//! # }
//! ```

pub mod classify;
pub mod delay;
pub mod estimate;
pub mod sse;
pub mod tls;
pub mod wire;

mod allowed;
mod body;
mod call;
mod client;
mod config;
mod error;
mod model;
mod probing;
mod stream;
mod transcript;
mod transport;

pub use body::Body;
pub use classify::{Head, classify};
pub use client::Client;
pub use config::{Config, ConfigError, DEFAULT_BASE_URL, Timeouts};
pub use error::{Error, ErrorKind, Wait};
pub use probing::Probing;
pub use stream::ChunkStream;
pub use transcript::{Chunk, Transcript};
pub use transport::RawResponse;
