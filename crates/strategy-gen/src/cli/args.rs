//! The arguments.

use std::path::PathBuf;

use clap::{Parser, Subcommand};
use clap_complete::Shell;
use keyrot::Setting;
use strategy_gen::MAX_REPAIRS;

use super::command::typed;
use super::conditions::{Conditions, Tried};

/// Turns a plain sentence into a checked backtesting.py strategy, over a pool of Gemini API keys.
#[derive(Debug, Parser)]
#[command(version, args_conflicts_with_subcommands = true, subcommand_negates_reqs = true)]
#[command(after_help = "Results go to stdout, everything else to stderr.\n\
    Exit codes: 0 ok, 1 findings, 2 usage or configuration, 3 no usable key, 4 quota exhausted,\n\
    5 something missing here, 6 provider or network error, 7 stopped at a limit, 130 interrupted.")]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
    #[command(flatten)]
    pub(crate) new: New,
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
        /// Exit with 1 for warnings as well.
        #[arg(long)]
        strict: bool,
    },
    /// Run a strategy file on prices, in a sandbox.
    Run(Run),
    /// Mend a strategy file until check and run find nothing; shows the change and asks.
    Fix(Fix),
    /// Change a strategy file as you say, such as "add a 2% stop"; shows the change and asks.
    Improve(Improve),
    /// Make a strategy of every line of a file, over the same pool, and rank them. Goes on where it was stopped.
    Batch(Batch),
    /// Show what was made and run, the newest first.
    History(Past),
    /// Show the strategies in a folder, and whether each is still as it was saved.
    List {
        /// The folder.
        #[arg(default_value = ".")]
        folder: PathBuf,
        /// Print them as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Show everything known of a strategy.
    Show {
        /// Its file, its name, or its number in the history, such as `#12`.
        what: String,
        /// Print it as JSON.
        #[arg(long)]
        json: bool,
    },
    /// Print a script that completes commands and options in a shell.
    Completions {
        /// The shell.
        shell: Shell,
    },
    /// Print exactly what would be sent to a model for a description. Sends nothing.
    Prompt {
        /// The strategy in plain words; `-` reads stdin.
        description: String,
    },
    /// Show keys, projects, limits, whether each secret resolves, and what is missing.
    Doctor {
        /// First make a Python environment with backtesting.py, in the cache folder.
        #[arg(long)]
        install: bool,
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
    #[command(flatten)]
    pub(crate) made: Made,
    /// Replace an existing file.
    #[arg(long)]
    pub(crate) force: bool,
    #[command(flatten)]
    pub(crate) tried: Tried,
    #[command(flatten)]
    pub(crate) pages: PageArgs,
    /// Exit with 1 for warnings as well.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the result as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    /// Show the rotation at work on a simulated Gemini: no key, no network, no cost.
    #[arg(long, conflicts_with_all = ["single_key", "multi_key", "offline", "model", "max_wait", "base_url"])]
    pub(crate) demo: bool,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

impl New {
    /// Whether a run is more than welcome.
    pub(crate) fn insists(&self) -> bool {
        self.tried.on.insists() || self.pages.any()
    }

    /// The command that makes it again; it may have come from stdin.
    pub(crate) fn command(&self, description: &str) -> String {
        typed((self.description.as_deref() == Some("-")).then_some(description))
    }
}

/// Who makes strategies, and in what form.
#[derive(Debug, clap::Args)]
pub(crate) struct Made {
    #[command(flatten)]
    pub(crate) asked: Asked,
    /// Use the rules engine instead of a model: no key, no network.
    #[arg(long, conflicts_with_all = ["single_key", "multi_key", "model", "base_url"])]
    pub(crate) offline: bool,
    /// Write the indicator functions into the file instead of importing them.
    #[arg(long)]
    pub(crate) standalone: bool,
}

/// Who is asked, and how often.
#[derive(Debug, clap::Args)]
pub(crate) struct Asked {
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
    /// How often what is wrong goes back to the model.
    #[arg(long, value_name = "N", default_value_t = MAX_REPAIRS)]
    pub(crate) max_repairs: u32,
}

/// What is kept of what is done.
#[derive(Debug, Clone, clap::Args)]
pub(crate) struct Keep {
    /// Leave no line in the history.
    #[arg(long)]
    pub(crate) no_history: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Past {
    /// Only what has these words, or words that begin like them.
    #[arg(long, value_name = "TEXT")]
    pub(crate) search: Option<String>,
    /// How many at most.
    #[arg(long, value_name = "N", default_value_t = 20, value_parser = clap::value_parser!(u32).range(1..))]
    pub(crate) limit: u32,
    /// Forget everything.
    #[arg(long, conflicts_with_all = ["search", "json"])]
    pub(crate) clear: bool,
    /// Do not ask.
    #[arg(long, requires = "clear")]
    pub(crate) yes: bool,
    /// Print it as JSON.
    #[arg(long)]
    pub(crate) json: bool,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Batch {
    /// The file with one description a line; `-` reads stdin. Blank lines and those that begin with `#` are skipped; a
    /// line may be JSON: {"name": …, "description": …}.
    pub(crate) ideas: PathBuf,
    /// The folder for strategies, pages and the log.
    #[arg(short = 'd', long, value_name = "DIR", default_value = "strategies")]
    pub(crate) out_dir: PathBuf,
    /// How many are worked on at a time.
    #[arg(short, long, value_name = "N", default_value_t = 8, value_parser = clap::value_parser!(u16).range(1..=256))]
    pub(crate) jobs: u16,
    #[command(flatten)]
    pub(crate) made: Made,
    #[command(flatten)]
    pub(crate) tried: Tried,
    /// Print the ranking as JSON.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) keep: Keep,
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
            Some(Command::Run(run)) => run.json,
            Some(Command::Fix(Fix { amend, .. }) | Command::Improve(Improve { amend, .. })) => amend.json,
            Some(Command::Check { json, format, .. }) => *json || *format != Format::Text,
            Some(Command::Doctor { json, .. } | Command::List { json, .. } | Command::Show { json, .. }) => {
                *json
            }
            Some(Command::Batch(batch)) => batch.json,
            Some(Command::History(past)) => past.json,
            Some(Command::Prompt { .. } | Command::Completions { .. }) => false,
            None => self.new.json,
        }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct Run {
    /// The strategy's file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) on: Conditions,
    /// Override a parameter of the strategy. May be given repeatedly.
    #[arg(long = "set", value_name = "NAME=VALUE", value_parser = name_and_value)]
    pub(crate) set: Vec<(String, String)>,
    /// Run the file as it is, whatever `check` says of it.
    #[arg(long)]
    pub(crate) no_check: bool,
    #[command(flatten)]
    pub(crate) pages: PageArgs,
    /// Exit with 1 for warnings as well.
    #[arg(long)]
    pub(crate) strict: bool,
    /// Print the result as JSON, with every trade and the equity of every bar.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

/// What a run leaves for a browser.
#[derive(Debug, Clone, Default, clap::Args)]
pub(crate) struct PageArgs {
    /// Write a page about the result: equity, trades, returns by month, what was checked. It holds all it needs.
    #[arg(long, value_name = "FILE")]
    pub(crate) report: Option<PathBuf>,
    /// Write backtesting.py's own interactive chart, made to need no network. Default: the strategy's name with
    /// `.plot.html`; with several sets of prices, their names are added.
    #[arg(long, value_name = "FILE", num_args = 0..=1, require_equals = true)]
    pub(crate) plot: Option<Option<PathBuf>>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Fix {
    /// The strategy's file.
    pub(crate) file: PathBuf,
    #[command(flatten)]
    pub(crate) amend: Amend,
}

#[derive(Debug, clap::Args)]
pub(crate) struct Improve {
    /// The strategy's file.
    pub(crate) file: PathBuf,
    /// The change in plain words, such as "add a 2% stop"; `-` reads stdin.
    pub(crate) request: String,
    #[command(flatten)]
    pub(crate) amend: Amend,
}

/// What `fix` and `improve` have in common.
#[derive(Debug, clap::Args)]
pub(crate) struct Amend {
    /// What the file should do, in plain words. Default: the description in the file's header.
    #[arg(long, value_name = "TEXT")]
    pub(crate) description: Option<String>,
    /// Write the change without a question.
    #[arg(short, long)]
    pub(crate) yes: bool,
    #[command(flatten)]
    pub(crate) asked: Asked,
    #[command(flatten)]
    pub(crate) tried: Tried,
    /// Print the result as JSON, the change as a diff in it.
    #[arg(long)]
    pub(crate) json: bool,
    #[command(flatten)]
    pub(crate) keep: Keep,
}

fn name_and_value(text: &str) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((name, value)) if !name.is_empty() && !value.is_empty() => {
            Ok((name.to_owned(), value.to_owned()))
        }
        _ => Err("write it like `rsi_period=10`".to_owned()),
    }
}
