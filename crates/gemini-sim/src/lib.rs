//! A wire-faithful Gemini API on loopback, with quotas and faults.
//!
//! The server counts requests and input tokens per project × base model, as Google does, by an injectable clock;
//! answers in Google's exact shapes (pretty JSON, CRLF-framed SSE, 429s that name what was exceeded and lie about
//! the wait where Google lies); and goes wrong on demand in every way recorded of the real service.
//!
//! ```
//! use std::sync::Arc;
//! use gemini_sim::{Answer, KeySpec, ProjectSpec, Quota, Sim};
//!
//! # tokio::runtime::Builder::new_current_thread().enable_all().build()?.block_on(async {
//! let server = Sim::builder()
//!     .project(ProjectSpec::new("proj-a").quota("gemini-2.5-flash", Quota { rpm: Some(5), ..Quota::UNLIMITED }))
//!     .key(KeySpec::new("AIza-secret-1", "proj-a"))
//!     .answer(Arc::new(|asked| Answer::text(format!("you said {}", asked.prompt_text))))
//!     .start()
//!     .await?;
//! assert!(server.base_url().starts_with("http://127.0.0.1:"));
//! server.shutdown().await;
//! # std::io::Result::Ok(())
//! # })?;
//! # std::io::Result::Ok(())
//! ```
//!
//! Served under `/v1`, `/v1beta` and `/v1alpha` alike: `generateContent`, `streamGenerateContent` (SSE and JSON
//! array), `countTokens`, `models.list`, `models.get`. Not served: embeddings, uploads, files and caches as
//! endpoints (their names can be registered as a project's own), batches, the OpenAI-compatible paths, interactions,
//! WebSockets.
//!
//! A [`Script`] describes the same server in JSON; the program `gemini-sim` runs one.
//!
//! Only HTTP/1.1 is spoken, and only on 127.0.0.1. [`Sim::answer`] gives the same answers without a socket and
//! without pace, for simulations in virtual time.

mod answer;
mod body;
mod catalogue;
mod clock;
mod desk;
mod engine;
mod exhausted;
mod fault;
mod json;
mod judge;
mod local;
mod log;
mod project;
mod quota;
#[cfg(doctest)]
mod readme;
mod refusal;
mod reply;
mod request;
mod route;
mod rule;
mod script;
mod server;
mod sim;
mod status;
mod tokens;

pub use answer::{Answer, AnswerFn, Asked, CountTokensFn};
pub use body::Pace;
pub use catalogue::ModelSpec;
pub use clock::SimClock;
pub use fault::{Fault, OverloadText};
pub use local::{LocalCall, LocalReply, Sim};
pub use log::{LogEntry, OnRequestFn, Verdict};
pub use project::{KeySpec, KeyState, ProjectSpec, ProjectState, Quota, Tier};
pub use quota::Window;
pub use rule::FaultRule;
pub use script::{Script, ScriptError};
pub use server::SimServer;
pub use sim::SimBuilder;
