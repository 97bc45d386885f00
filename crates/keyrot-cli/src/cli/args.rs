//! The arguments.

use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use keyrot::Setting;
use keyrot_core::{KeyId, SecretRef, StoreKind};

/// Shows and steers a pool of Gemini API keys.
#[derive(Debug, Parser)]
#[command(name = "keyrot", version)]
#[command(after_help = "SCOPE is a key's id, `project:NAME`, `model:NAME`, or `PROJECT/MODEL`.\n\
    Results go to stdout, everything else to stderr.\n\
    Exit codes: 0 ok, 1 findings, 2 usage or configuration, 3 no usable key, 5 something missing here,\n\
    6 provider or network error, 130 interrupted.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Command,
    /// Print the result as JSON.
    #[arg(long, global = true)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) env: EnvArgs,
}

/// Where settings come from besides the environment.
#[derive(Debug, clap::Args)]
pub(crate) struct EnvArgs {
    /// Read settings from this file instead of `.env` of the current folder, whoever it belongs to.
    #[arg(long, global = true, value_name = "FILE")]
    pub(crate) env_file: Option<PathBuf>,
    /// Let servers that `.env` names have credentials from elsewhere, and keys.json name any secret.
    #[arg(long, global = true)]
    pub(crate) trust_env: bool,
}

impl EnvArgs {
    /// What to show of it: trust is a setting by itself.
    pub(crate) fn flags(&self) -> Vec<Setting> {
        let file = self.env_file.as_ref().map(|file| file.display().to_string());
        file.map(|file| Setting::by_flag("--env-file", &file)).into_iter().collect()
    }
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Show every key: how it stands, until when, what it has used.
    Status {
        /// The model. Default: GEMINI_MODEL, else gemini-2.5-flash.
        #[arg(long)]
        model: Option<String>,
        /// Show it again and again, every so many seconds.
        #[arg(long, value_name = "SECONDS", num_args = 0..=1, require_equals = true, default_missing_value = "2",
              value_parser = clap::value_parser!(u64).range(1..=86_400))]
        watch: Option<u64>,
    },
    /// Say whether a key may go now; if not, why, until when, and what would change it.
    Explain {
        /// A key's id, or a model.
        #[arg(value_name = "KEY|MODEL")]
        subject: String,
        /// The model to explain a key for. Default: GEMINI_MODEL where the key serves it, else its first.
        #[arg(long)]
        model: Option<String>,
    },
    /// Validate keys.json and look up every secret; nothing is called without --probe.
    Check {
        /// Ask Google about each key once (models.get). No quota is used.
        #[arg(long)]
        probe: bool,
    },
    /// Let something rest.
    #[command(group = clap::ArgGroup::new("how_long").required(true))]
    Cool {
        /// A key's id, `project:NAME`, `model:NAME`, or `PROJECT/MODEL`.
        scope: String,
        /// How long, such as 90s, 10m, 2h or 1d.
        #[arg(long = "for", value_name = "TIME", group = "how_long", value_parser = time)]
        time: Option<Duration>,
        /// Until `keyrot uncool`.
        #[arg(long, group = "how_long")]
        until_lifted: bool,
    },
    /// End a cooldown, whoever began it.
    Uncool {
        /// A key's id, `project:NAME`, `model:NAME`, or `PROJECT/MODEL`.
        scope: String,
    },
    /// Take a key out until `keyrot enable`. keys.json stays as it is.
    Disable {
        /// The key's id.
        key: String,
    },
    /// Bring a disabled key back.
    Enable {
        /// The key's id.
        key: String,
    },
    /// Lift every cooldown of a key and forget the limits learned of its project.
    #[command(group = clap::ArgGroup::new("what").required(true))]
    Reset {
        /// The key's id.
        #[arg(group = "what")]
        key: Option<String>,
        /// Every key, every model, the whole pool.
        #[arg(long, group = "what")]
        all: bool,
    },
    /// Replace the secret of a key in its store by a new one, read from stdin or asked for; never an argument.
    Rotate {
        /// The key's id.
        key: String,
        /// Do not ask Google about the new key before it is stored.
        #[arg(long)]
        no_probe: bool,
    },
    /// Add a key to keys.json. The secret itself is never an argument.
    Add(Add),
}

#[derive(Debug, clap::Args)]
pub(crate) struct Add {
    /// A label of your own: letters, digits, `_` and `-`.
    #[arg(value_name = "KEY_ID")]
    pub(crate) key: String,
    /// A model it may serve; may be given several times. Default: all.
    #[arg(long, value_name = "MODEL")]
    pub(crate) model: Vec<String>,
    /// The Google Cloud project that owns its quota.
    #[arg(long)]
    pub(crate) project: Option<String>,
    /// Requests per minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rpm: Option<u64>,
    /// Input tokens per minute.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) tpm: Option<u64>,
    /// Requests per day.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u64).range(1..))]
    pub(crate) rpd: Option<u64>,
    /// The tier, lower first.
    #[arg(long, value_name = "N")]
    pub(crate) priority: Option<u32>,
    /// The share inside the tier.
    #[arg(long, value_name = "W", value_parser = weight)]
    pub(crate) weight: Option<f64>,
    /// A label; may be given several times.
    #[arg(long, value_name = "NAME=VALUE", value_parser = tag)]
    pub(crate) tag: Vec<(String, String)>,
    /// Where the secret is: `store:name` with store env, vault, aws or azure.
    #[arg(long, value_name = "STORE:NAME")]
    pub(crate) secret: Option<String>,
}

/// Seconds, or a number with s, m, h or d.
fn time(text: &str) -> Result<Duration, String> {
    let digits = text.trim_end_matches(|c: char| c.is_ascii_alphabetic());
    let unit = match &text[digits.len()..] {
        "" | "s" => 1,
        "m" | "min" => 60,
        "h" => 3600,
        "d" => 24 * 3600,
        _ => return Err("write a time such as 90s, 10m, 2h or 1d".to_owned()),
    };
    let n: u64 = digits.parse().map_err(|_| "write a time such as 90s, 10m, 2h or 1d".to_owned())?;
    let seconds = n.checked_mul(unit).filter(|s| (1..=366 * 24 * 3600).contains(s));
    seconds.map(Duration::from_secs).ok_or_else(|| "write a time from 1s to 366d".to_owned())
}

fn weight(text: &str) -> Result<f64, String> {
    let weight = text.parse().ok().filter(|w: &f64| w.is_finite() && *w > 0.0);
    weight.ok_or_else(|| "write a number above 0".to_owned())
}

fn tag(text: &str) -> Result<(String, String), String> {
    let parts = text.split_once('=').filter(|(name, _)| !name.is_empty());
    parts
        .map(|(name, value)| (name.to_owned(), value.to_owned()))
        .ok_or_else(|| "write NAME=VALUE".to_owned())
}

/// What never repeats the text: somebody may have given the secret itself.
pub(crate) fn secret(text: &str) -> Option<SecretRef> {
    let (store, name) = text.split_once(':')?;
    let store = store.parse::<StoreKind>().ok()?;
    Some(SecretRef { store, name: name.trim().to_owned() }).filter(|place| !place.name.is_empty())
}

/// A key's id, if it can be one.
pub(crate) fn key_id(text: &str) -> Result<KeyId, super::Failure> {
    KeyId::new(text).map_err(|error| super::Failure::usage(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_are_read_as_people_write_them() {
        for (text, seconds) in [("90", 90), ("90s", 90), ("10m", 600), ("2h", 7200), ("1d", 86_400)] {
            assert_eq!(time(text), Ok(Duration::from_secs(seconds)), "{text}");
        }
        for text in ["", "m", "0s", "-1s", "1.5h", "1w", "99999999999999999999d", "367d", "10ä"] {
            assert!(time(text).is_err(), "{text}");
        }
    }

    #[test]
    fn the_arguments_are_consistent() {
        use clap::CommandFactory as _;
        Args::command().debug_assert();
    }
}
