//! `strategy-gen history`: what was made and run.

use std::io::IsTerminal as _;

use serde_json::json;
use strategy_gen::history::{Entries, Entry, History, HistoryError, place};

use super::args::Past;
use super::conditions::answered_yes;
use super::{Failure, env, print, print_json, say, table};

impl From<HistoryError> for Failure {
    fn from(error: HistoryError) -> Self {
        Self { exit_code: 5, message: error.to_string() }
    }
}

/// Shows the newest entries, or forgets all.
pub(crate) fn run(args: &Past) -> Result<u8, Failure> {
    let history = open()?;
    if args.clear {
        return clear(history.as_ref(), args);
    }
    let search = args.search.as_deref();
    let found = history.map(|history| history.entries(search, args.limit)).transpose()?.unwrap_or_default();
    let entries = readable(found);
    if args.json {
        let place = place(env()).map(|place| place.display().to_string());
        print_json(json!({ "schema": 1, "status": "ok", "file": place, "entries": entries }))?;
    } else if entries.is_empty() {
        say(&nothing());
    } else {
        print(&table::entries(&entries))?;
    }
    Ok(0)
}

/// Those that can be read, with a warning of those that cannot.
pub(crate) fn readable(Entries { read, odd }: Entries) -> Vec<Entry> {
    if odd > 0 {
        let entries = if odd == 1 { "entry" } else { "entries" };
        say(&format!(
            "warning: {odd} {entries} of the history cannot be read: damaged, or written by a newer release"
        ));
    }
    read
}

/// The history of this user, where there is one. It is not begun merely to be looked at.
pub(crate) fn open() -> Result<Option<History>, Failure> {
    let place = place(env()).filter(|place| place.exists());
    Ok(place.map(|place| History::open(&place)).transpose()?)
}

fn nothing() -> String {
    match place(env()) {
        Some(place) => format!("nothing is found in the history `{}`", keyrot::untrusted::path(&place)),
        None => {
            "no history is kept here: `STRATEGY_GEN_HISTORY` or `KEYROT_STATE` says so, or there is no home"
                .to_owned()
        }
    }
}

fn clear(history: Option<&History>, args: &Past) -> Result<u8, Failure> {
    let Some(history) = history else {
        say(&nothing());
        return Ok(0);
    };
    if !args.yes {
        if !std::io::stdin().is_terminal() {
            return Err(Failure::usage("there is no terminal to ask at\nhint: say `--yes`"));
        }
        say("forget all that was made and run? The strategies' files stay. [y/N]");
        if !answered_yes() {
            say("nothing was forgotten");
            return Ok(0);
        }
    }
    let gone = history.clear()?;
    say(&format!("forgotten: {gone} entries"));
    Ok(0)
}

/// The entry with the number in `#12`.
pub(crate) fn numbered(text: &str) -> Result<Option<Entry>, Failure> {
    let Some(Ok(id)) = text.strip_prefix('#').map(str::parse::<i64>) else { return Ok(None) };
    let found = open()?.map(|history| history.entry(id)).transpose()?.flatten();
    found.map(Some).ok_or_else(|| {
        Failure::usage(format!(
            "the history has no entry `#{id}`\nhint: `strategy-gen history` lists what it has"
        ))
    })
}
