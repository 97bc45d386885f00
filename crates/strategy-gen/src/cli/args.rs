//! The arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

/// Turns a plain sentence into a checked backtesting.py strategy, over a pool of Gemini API keys.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Results go to stdout, everything else to stderr.\n\
    Exit codes: 0 ok, 1 findings, 2 usage or configuration, 3 no usable key, 4 quota exhausted,\n\
    5 something missing here, 6 provider or network error, 130 interrupted.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) new: New,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Make a strategy: what happens without a command, too.
    New(New),
    /// Check a strategy file: syntax, policy, backtesting.py's own rules. Runs nothing.
    Check {
        /// The file.
        file: PathBuf,
        /// What the file should do, in plain words: its numbers and indicators must be in the file. Default: the
        /// description in the file's header.
        #[arg(long, value_name = "TEXT")]
        description: Option<String>,
        /// How to print the findings.
        #[arg(long, value_enum, default_value_t, conflicts_with = "json")]
        format: Format,
        /// Print the findings as JSON: `--format json`.
        #[arg(long)]
        json: bool,
    },
    /// Print exactly what would be sent to a model for a description. Sends nothing.
    Prompt {
        /// The strategy in plain words; `-` reads stdin.
        description: String,
    },
    /// Show keys, projects, limits, whether each secret resolves, and what is missing.
    Doctor {
        /// Print the findings as JSON.
        #[arg(long)]
        json: bool,
    },
}

/// How findings are printed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, clap::ValueEnum)]
pub(crate) enum Format {
    /// A line for each.
    #[default]
    Text,
    /// One document.
    Json,
    /// A document for each, then one for the file.
    Jsonl,
}

#[derive(Debug, clap::Args)]
pub(crate) struct New {
    /// The strategy in plain words, such as "Buy when RSI < 30, sell when RSI > 70"; `-` reads stdin.
    #[arg(required = true)]
    pub(crate) description: Option<String>,
    /// Where to write the strategy; `-` prints it. Default: a name made from the strategy's, with a number where
    /// that is taken.
    #[arg(short, long, value_name = "FILE")]
    pub(crate) output: Option<PathBuf>,
    /// The name of the strategy's class.
    #[arg(short, long)]
    pub(crate) name: Option<String>,
    /// The model. Default: GEMINI_MODEL, else gemini-2.5-flash.
    #[arg(long)]
    pub(crate) model: Option<String>,
    /// Who answers: Gemini over the pool of keys, or a server that speaks OpenAI's protocol.
    #[arg(long, value_enum, default_value_t = Provider::Gemini)]
    pub(crate) provider: Provider,
    /// The address of the OpenAI-compatible server. Default: OPENAI_BASE_URL, else OpenAI's.
    #[arg(long, value_name = "URL")]
    pub(crate) base_url: Option<String>,
    /// Use GEMINI_API_KEY alone, whatever the settings say.
    #[arg(long, conflicts_with = "multi_key")]
    pub(crate) single_key: bool,
    /// Use the keys of keys.json or GEMINI_API_KEYS, whatever the settings say.
    #[arg(long)]
    pub(crate) multi_key: bool,
    /// The longest a call may wait for quota, in seconds. Default: the pool's max_wait_ms.
    #[arg(long, value_name = "SECONDS")]
    pub(crate) max_wait: Option<u64>,
    /// Use the rules engine instead of a model: no key, no network.
    #[arg(long, conflicts_with_all = ["single_key", "multi_key", "model", "base_url"])]
    pub(crate) offline: bool,
    /// Write the indicator functions into the file instead of importing them.
    #[arg(long)]
    pub(crate) standalone: bool,
    /// Replace an existing file.
    #[arg(long)]
    pub(crate) force: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the rotation at work on a simulated Gemini: no key, no network, no cost.
    #[arg(long, conflicts_with_all = ["single_key", "multi_key", "offline", "model", "max_wait", "base_url"])]
    pub(crate) demo: bool,
}

/// Who answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub(crate) enum Provider {
    /// Gemini, over the pool of keys.
    Gemini,
    /// A server that speaks OpenAI's protocol.
    Openai,
}

impl Args {
    pub(crate) fn json(&self) -> bool {
        match &self.command {
            Some(Command::New(new)) => new.json,
            Some(Command::Check { json, format, .. }) => *json || *format != Format::Text,
            Some(Command::Doctor { json }) => *json,
            Some(Command::Prompt { .. }) => false,
            None => self.new.json,
        }
    }
}
