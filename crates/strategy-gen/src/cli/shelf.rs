//! `strategy-gen list` and `strategy-gen show`: strategies, and what is known of each.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};

use keyrot::UntrustedText;
use serde_json::json;
use strategy_gen::history::Entry;
use strategy_gen::shelf::{Book, books};

use super::keep::{in_full, record_key};
use super::{Failure, history, print, print_json, say, table};

/// Entries about one strategy that are shown.
const SHOWN: u32 = 20;

/// The strategies of a folder.
pub(crate) fn list(folder: &Path, json: bool) -> Result<u8, Failure> {
    let books = read(folder)?;
    let odd = books.iter().filter(|book| book.problem.is_some()).count();
    if odd > 0 {
        let records =
            if odd == 1 { "the record of 1 strategy" } else { &format!("the records of {odd} strategies") };
        say(&format!("warning: {records} cannot be read\nhint: `strategy-gen show FILE` says why"));
    }
    if json {
        print_json(json!({ "schema": 1, "status": "ok", "strategies": books }))?;
    } else if books.is_empty() {
        say(&format!("there are no strategies of this program in `{}`", keyrot::untrusted::path(&folder)));
    } else {
        print(&table::books(&books))?;
    }
    Ok(0)
}

fn read(folder: &Path) -> Result<Vec<Book>, Failure> {
    books(folder, record_key().as_ref()).map_err(|error| {
        Failure::usage(format!(
            "cannot read `{}`: {error}\nhint: name a folder",
            keyrot::untrusted::path(&folder)
        ))
    })
}

/// Everything known of one strategy: of a file, a name, or a number of the history.
pub(crate) fn show(what: &str, json: bool) -> Result<u8, Failure> {
    let entry = history::numbered(what)?;
    let book = match &entry {
        Some(entry) => {
            entry.path.as_ref().and_then(|path| Book::open(Path::new(path), record_key().as_ref()).ok())
        }
        None => Some(found(what)?),
    };
    let path = book.as_ref().map(|book| in_full(&book.path));
    let mut entries: Vec<Entry> = entry.into_iter().collect();
    if let (true, Some(path)) = (entries.is_empty(), &path) {
        entries = known_of(path);
    }
    if json {
        let shown =
            json!({ "schema": 1, "status": "ok", "path": path, "strategy": book, "history": entries });
        print_json(shown)?;
    } else {
        print(&table::strategy(book.as_ref(), &entries))?;
    }
    Ok(0)
}

/// What the history says of a file or a class. It is more than what was asked for: without it, the file still says a
/// lot.
fn known_of(what: &str) -> Vec<Entry> {
    let known = history::open().and_then(|history| match history {
        Some(history) => Ok(history::readable(history.about(what, SHOWN)?)),
        None => Ok(Vec::new()),
    });
    known.unwrap_or_else(|failure| {
        say(&format!("warning: {}", failure.message));
        Vec::new()
    })
}

/// The one strategy that `what` means: a file, else a name among those of this folder and of the history.
fn found(what: &str) -> Result<Book, Failure> {
    let path = Path::new(what);
    let shown = UntrustedText::from(what);
    if path.is_file() {
        return Book::open(path, record_key().as_ref()).map_err(|error| {
            Failure::usage(format!(
                "cannot read `{shown}`: {error}\nhint: name the Python file of a strategy"
            ))
        });
    }
    let here: BTreeSet<PathBuf> = read(Path::new("."))?
        .into_iter()
        .filter(|book| book.is_called(what))
        .map(|book| PathBuf::from(in_full(&book.path)))
        .collect();
    let mut candidates = here;
    let known = known_of(what).into_iter().filter_map(|entry| entry.path);
    candidates.extend(known.map(PathBuf::from).filter(|path| path.is_file()));
    let mut candidates: Vec<PathBuf> = candidates.into_iter().collect();
    match (candidates.pop(), candidates.is_empty()) {
        (Some(path), true) => Book::open(&path, record_key().as_ref()).map_err(|error| {
            Failure::usage(format!("cannot read `{}`: {error}", keyrot::untrusted::path(&path)))
        }),
        (Some(last), false) => {
            candidates.push(last);
            let lines: Vec<String> =
                candidates.iter().map(|path| format!("\n  {}", keyrot::untrusted::path(&path))).collect();
            Err(Failure::usage(format!(
                "`{shown}` may be any of these:{}\nhint: name the file",
                lines.concat()
            )))
        }
        (None, _) => Err(Failure::usage(format!(
            "no strategy called `{shown}` is known\nhint: `strategy-gen list` shows those of a folder, \
             `strategy-gen history` those that were made"
        ))),
    }
}
