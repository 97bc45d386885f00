//! Several Gemini API keys as one dependable resource.
//!
//! [`Assembly`] reads the settings, the keys and their secrets and makes a [`Rotator`]; the rotator
//! runs any call with the right key, never over a limit, and moves on when a key fails. [`Gemini`]
//! is the rotator with the typed calls of `gemini_client`.

mod acquire;
mod assembly;
mod blame;
mod claim;
mod clock;
mod endings;
mod env_file;
mod estimate;
mod event;
mod exhausted;
mod explain;
pub mod file;
mod fresh;
#[cfg(feature = "gemini")]
mod gemini;
mod hints;
mod lane;
mod lanes;
mod learn;
mod lease;
mod limiter;
mod line;
mod names;
mod operate;
mod pool;
mod process;
mod profile;
mod proof;
mod recall;
mod recovery;
mod refusals;
mod reload;
mod request_id;
mod retry;
mod roster;
mod rotator;
mod samples;
pub mod settings;
mod setup;
mod sources;
mod standing;
mod status;
mod stream;
mod trust;
mod upkeep;

pub use assembly::{Assembly, Made, Mode};
pub use clock::SystemClock;
pub use env_file::{ProgramEnv, program_env};
pub use event::{Event, Observer};
pub use exhausted::{Exhausted, KeyRefusal, in_words};
pub use explain::Explanation;
#[cfg(feature = "gemini")]
pub use gemini::Gemini;
pub use lease::{CallVerdict, Lease};
pub use operate::OperateError;
pub use process::keep_memory_private;
pub use profile::Profile;
pub use reload::Reloaded;
pub use request_id::RequestId;
pub use rotator::{Exclusions, LeaseError, Rotator, RunError};
pub use settings::{Setting, Settings, SettingsError, process_env, settings_in_force};
pub use setup::SetupError;
pub use status::{KeyState, KeyStatus, LearnedLimit, SecretStatus, Status, Suspension, Truth};
pub use stream::LeasedStream;
pub use trust::{Trust, chosen_by_file, kept_apart};

// What users of the facade need from the layers beneath.
pub use keyrot_core::bucket::nearest as nearest_model;
pub use keyrot_core::keys::{Key, KeySet, PoolConfig, SecretRef, StoreKind};
pub use keyrot_core::untrusted::{self, UntrustedText};
pub use keyrot_core::{
    Clock, CoolFor, Cooled, EnvMap, FakeClock, KeyId, LimitError, Limits, ModelId, Origin, Outcome, Project,
    Retry, Scope, SecretError, SecretStore, Timestamp, Usage, leak,
};
