//! Tests of the history.

use std::fs;
use std::thread;

use keyrot::Timestamp;
use rusqlite::Connection;
use tempfile::TempDir;

use super::*;

fn entry(description: &str) -> Entry {
    Entry {
        description: description.to_owned(),
        ..Entry::new(Kind::New, Timestamp::from_millis(1_769_860_800_000), 0)
    }
}

fn folder() -> (TempDir, PathBuf) {
    let folder = tempfile::tempdir().expect("a folder");
    let path = folder.path().join("deep/history.db");
    (folder, path)
}

fn descriptions(history: &History, words: &str) -> Vec<String> {
    history.entries(Some(words), 10).expect("read").read.into_iter().map(|entry| entry.description).collect()
}

#[test]
fn what_is_kept_is_found_the_newest_first() {
    let (_folder, path) = folder();
    let history = History::open(&path).expect("open");
    let full = Entry {
        name: Some("Bounce".to_owned()),
        path: Some("/a/bounce.py".to_owned()),
        rounds: 2,
        prompt_tokens: Some(10),
        error: Some("no".to_owned()),
        ..entry("Buy when RSI(14) < 30, sell when RSI > 70")
    };
    let id = history.keep(&full).expect("kept");
    history.keep(&entry("the 50 day average crosses")).expect("kept");
    drop(history);
    let history = History::open(&path).expect("open again");
    assert_eq!(history.entry(id).expect("read"), Some(Entry { id, ..full }));
    assert_eq!(history.entries(None, 1).expect("read").read[0].description, "the 50 day average crosses");
    for words in ["rsi", "RSI buy", "bounce", "RSI(14)", "sel", "/a/bounce.py", "<"] {
        assert_eq!(descriptions(&history, words).len(), 1, "{words}");
    }
    for words in ["macd", "rsi OR average", "\"", "rsi*macd", "description:rsi", "%"] {
        assert_eq!(descriptions(&history, words).len(), 0, "{words}");
    }
    assert_eq!(history.about("BOUNCE", 9).expect("read").read.len(), 1);
    assert_eq!(history.about("/a/bounce.py", 9).expect("read").read.len(), 1);
    assert_eq!(history.clear().expect("cleared"), 2);
    assert_eq!(history.entries(Some("rsi"), 10).expect("read"), Entries::default());
    drop(history);
    assert!(!String::from_utf8_lossy(&fs::read(&path).expect("read")).contains("average"));
}

#[test]
fn many_begin_it_at_once_and_none_is_lost() {
    let (_folder, path) = folder();
    thread::scope(|scope| {
        for _ in 0..8 {
            scope.spawn(|| {
                let history = History::open(&path).expect("open");
                for _ in 0..10 {
                    history.keep(&entry("at once")).expect("kept");
                }
            });
        }
    });
    assert_eq!(History::open(&path).expect("open").entries(Some("once"), 100).expect("read").read.len(), 80);
}

#[test]
fn what_is_not_ours_is_left_as_it_is() {
    let (folder, _) = folder();
    let at = |name: &str| folder.path().join(name);
    fs::write(at("text"), "no database, and long enough to be looked at as one: ".repeat(20)).expect("text");
    Connection::open(at("theirs")).expect("open").execute_batch("CREATE TABLE t (a)").expect("a table");
    Connection::open(at("marked")).expect("open").execute_batch("PRAGMA application_id = 7").expect("marked");
    History::open(&at("newer")).expect("ours");
    Connection::open(at("newer")).expect("open").execute_batch("PRAGMA user_version = 99").expect("newer");
    for (name, told) in
        [("text", "no history"), ("theirs", "no history"), ("marked", "no history"), ("newer", "version 99")]
    {
        let before = fs::read(at(name)).expect("read");
        let error = History::open(&at(name)).expect_err(name).to_string();
        assert!(error.contains(told) && error.contains("\nhint: "), "{error}");
        assert_eq!(fs::read(at(name)).expect("read"), before, "{name}");
    }
}

#[test]
fn a_damaged_file_is_told_as_that() {
    let (_folder, path) = folder();
    History::open(&path).expect("ours").keep(&entry("one")).expect("kept");
    let mut bytes = fs::read(&path).expect("read");
    bytes[100..].fill(0x55);
    fs::write(&path, bytes).expect("written");
    let told = History::open(&path).and_then(|history| history.entries(None, 1)).expect_err("damaged");
    assert!(matches!(told, HistoryError::Damaged { .. }), "{told}");
}

#[test]
fn it_can_be_turned_off() {
    let env = |pairs: &[(&str, &str)]| place(&EnvMap::from_iter(pairs.iter().copied()));
    assert!(env(&[("KEYROT_STATE", "/s/a.db"), ("STRATEGY_GEN_HISTORY", "on")]).is_some());
    for pairs in [
        &[("KEYROT_STATE", "/s/a.db"), ("STRATEGY_GEN_HISTORY", "OFF")][..],
        &[("KEYROT_STATE", ":memory:")],
        &[],
    ] {
        assert_eq!(env(pairs), None);
    }
}
