//! A process of its own that takes permits: what other tests start, and kill.

use std::io::{BufRead, BufReader, Write};
use std::path::Path;
use std::process::{Child, ChildStdin, ChildStdout, Command, Stdio};
use std::thread;

use keyrot_core::Limits;
use keyrot_testkit::limiter::{FREE, Way, rpm};

use super::rig::{go, open};

/// Where a child finds what it is to do.
pub(super) const WHAT: &str = "KEYROT_LIMITER_TEST_CHILD";

/// Starts this program again, to do nothing but `what`.
pub(super) fn start(what: &str) -> Child {
    let mut command = command();
    command.env(WHAT, what).stdin(Stdio::piped()).stdout(Stdio::piped());
    command.spawn().expect("a child")
}

pub(super) fn command() -> Command {
    let mut command = Command::new(std::env::current_exe().expect("this binary"));
    command.args(["--exact", "sqlite::child::does_what_it_is_told", "--nocapture", "--quiet"]);
    command
}

/// What a child says that takes permits from the file, line by line, once it is told to begin.
pub(super) fn lines(child: &mut Child) -> impl Iterator<Item = String> + use<> {
    said(child).0
}

/// The same, and what it listens to.
pub(super) fn said(child: &mut Child) -> (impl Iterator<Item = String> + use<>, ChildStdin) {
    let mut listens = child.stdin.take().expect("piped");
    listens.write_all(b"go\n").expect("a child that listens");
    let said: BufReader<ChildStdout> = BufReader::new(child.stdout.take().expect("piped"));
    (said.lines().map_while(Result::ok), listens)
}

/// Nothing by itself: `take PATH FROM EACH RPM` takes EACH permits on two threads, named from FROM on,
/// and tells each one it has got; `hold PATH LIMIT` takes one of LIMIT places in flight and keeps it until it is
/// told to end; `open PATH` opens a file and tells what came of it; `damage PATH`
/// overwrites all of it but the list of its tables; `fill FOLDER` lives through a full disk.
#[test]
fn does_what_it_is_told() {
    #[expect(clippy::disallowed_methods, reason = "how the parent test tells this process what to do")]
    let Ok(what) = std::env::var(WHAT) else { return };
    let words: Vec<&str> = what.split(' ').collect();
    match words[..] {
        ["take", path, from, each, limit] => {
            let number = |text: &str| text.parse::<u64>().expect("a number");
            take(Path::new(path), number(from), number(each), rpm(number(limit)));
        }
        ["open", path] => match keyrot_limiter::SqliteStore::open(Path::new(path)) {
            Ok(_) => println!("\nopened"),
            Err(error) => println!("\n{error:?}"),
        },
        ["hold", path, limit] => hold(Path::new(path), limit.parse().expect("a number")),
        ["damage", path] => damage(Path::new(path)),
        #[cfg(target_os = "linux")]
        ["fill", folder] => super::full::live_through_it(Path::new(folder)),
        _ => panic!("{what}"),
    }
}

fn take(path: &Path, from: u64, each: u64, limits: Limits) {
    let store = open(path);
    std::io::stdin().read_line(&mut String::new()).expect("told to begin");
    thread::scope(|scope| {
        for half in 0..2 {
            let store = &store;
            scope.spawn(move || {
                let way = Way::sole(limits).at_once(u32::MAX);
                for i in 0..each {
                    let id = from + half * each + i;
                    if go(store, &way, id.into()).is_ok() {
                        writeln!(std::io::stdout(), "got {id}").expect("somebody listens");
                    }
                }
            });
        }
    });
}

fn hold(path: &Path, limit: u32) {
    let mut line = String::new();
    std::io::stdin().read_line(&mut line).expect("told to begin");
    let way = Way::sole(FREE).at_once(limit);
    go(&open(path), &way, std::process::id().into()).expect("there is a place");
    writeln!(std::io::stdout(), "held").expect("somebody listens");
    std::io::stdin().read_line(&mut line).expect("told to end");
}

fn damage(path: &Path) {
    let mut bytes = std::fs::read(path).expect("a file");
    bytes[4_096..].fill(0xa5);
    // In its place: it stays the same file.
    std::fs::write(path, bytes).expect("room");
}
