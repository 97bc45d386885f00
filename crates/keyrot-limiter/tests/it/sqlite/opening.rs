//! Opening a file, and every reason not to. What is refused is left as it is.

use std::fs;
use std::path::Path;
use std::thread;

use keyrot_core::FactStore;
use keyrot_limiter::{OpenError, SqliteStore};
use keyrot_testkit::limiter::{Way, rpm};
use pollster::block_on;
use tempfile::tempdir;

use super::rig::{assert_whole, go, open, visit};

/// The refusal, the file being the same afterwards, and its words.
fn refusal(path: &Path) -> (OpenError, String) {
    let before = fs::read(path).expect("a file");
    let error = SqliteStore::open(path).expect_err("not ours to use");
    assert!(fs::read(path).expect("still there") == before, "it was touched");
    let said = error.to_string();
    assert!(said.contains(&path.display().to_string()), "{said}");
    (error, said)
}

#[test]
fn what_is_something_else_is_left_alone() {
    let folder = tempdir().expect("a folder");
    let notes = folder.path().join("notes.txt");
    fs::write(&notes, "no database at all, ".repeat(400)).expect("room");
    let short = folder.path().join("short.txt");
    fs::write(&short, "x").expect("room");
    let theirs = folder.path().join("theirs.db");
    visit(&theirs).execute_batch("CREATE TABLE a (b); INSERT INTO a VALUES (1)").expect("room");
    let logged = folder.path().join("logged.db");
    let sql = "PRAGMA journal_mode = WAL; PRAGMA application_id = 7; CREATE TABLE a (b)";
    visit(&logged).execute_batch(sql).expect("room");
    for path in [notes, short, theirs, logged] {
        let (error, said) = refusal(&path);
        assert!(matches!(error, OpenError::Foreign { .. }), "{error:?}");
        assert!(said.contains("hint: name another file"), "{said}");
    }
}

#[test]
fn a_newer_release_keeps_its_file() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    drop(open(&path));
    visit(&path).execute_batch("PRAGMA user_version = 9; ALTER TABLE fact ADD COLUMN x").expect("room");
    let (error, said) = refusal(&path);
    assert!(matches!(error, OpenError::Newer { found: 9, .. }), "{error:?}");
    assert!(said.contains("version 9") && said.contains("hint: use the newer release"), "{said}");
}

#[test]
fn a_damaged_file_is_left_to_be_looked_at() {
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("state.db");
    go(&open(&path), &Way::sole(rpm(9)), 1).expect("room");
    let whole = fs::read(&path).expect("a file");
    // The list of tables is gone; half of the file is.
    let mut garbled = whole.clone();
    garbled[100..4_096].fill(0xa5);
    for bytes in [&garbled[..], &whole[..whole.len() / 2 + 100]] {
        fs::write(&path, bytes).expect("room");
        let (error, said) = refusal(&path);
        assert!(matches!(error, OpenError::Damaged { .. }), "{error:?}");
        assert!(said.contains("is damaged") && said.contains("hint: move it away"), "{said}");
    }
}

#[test]
fn what_is_no_file_is_refused() {
    let folder = tempdir().expect("a folder");
    let file = folder.path().join("file");
    fs::write(&file, "").expect("room");
    for path in [folder.path().to_owned(), file.join("state.db")] {
        let error = SqliteStore::open(&path).expect_err("no file");
        assert!(matches!(error, OpenError::Unusable { .. }), "{error:?}");
    }
    // An empty file is a new one.
    drop(open(&file));
    assert_whole(&file);
}

#[cfg(unix)]
#[test]
fn what_may_not_be_written_is_refused() {
    use std::os::unix::fs::PermissionsExt;
    use std::os::unix::process::CommandExt;

    use super::child;

    let folder = tempdir().expect("a folder");
    let (read, closed) = (folder.path().join("read"), folder.path().join("closed"));
    let paths =
        [read.join("state.db"), closed.join("state.db"), closed.join("new.db"), closed.join("a/b.db")];
    for path in &paths[..2] {
        drop(open(path));
    }
    let set = |path: &Path, mode| fs::set_permissions(path, fs::Permissions::from_mode(mode)).expect("ours");
    set(folder.path(), 0o755);
    set(&read, 0o777);
    set(&paths[0], 0o444);
    set(&paths[1], 0o666);
    set(&closed, 0o555);
    for path in &paths {
        let before = fs::read(path).ok();
        let mut child = child::command();
        child.env(child::WHAT, format!("open {}", path.display()));
        if rustix::process::geteuid().is_root() {
            // Root may write whatever it likes: as nobody, then.
            child.uid(65_534).gid(65_534);
        }
        let output = child.output().expect("a child");
        let said = String::from_utf8_lossy(&output.stdout);
        assert!(said.contains("ReadOnly {"), "{}: {said}", path.display());
        assert_eq!(fs::read(path).ok(), before);
    }
    set(&closed, 0o755);
}

#[cfg(unix)]
#[test]
fn nobody_else_may_read_what_is_created() {
    use std::os::unix::fs::PermissionsExt;
    let folder = tempdir().expect("a folder");
    let path = folder.path().join("a/b/state.db");
    let store = open(&path);
    block_on(store.put("a", "b", None)).expect("the store is there");
    let mode = |path: &Path| fs::metadata(path).expect("created").permissions().mode() & 0o777;
    assert_eq!(mode(&path), 0o600);
    assert_eq!(mode(&folder.path().join("a/b/state.db-wal")), 0o600);
    assert_eq!((mode(&folder.path().join("a/b")), mode(&folder.path().join("a"))), (0o700, 0o700));
}

#[test]
fn many_may_create_it_at_once() {
    for _ in 0..10 {
        let folder = tempdir().expect("a folder");
        let path = folder.path().join("state.db");
        thread::scope(|scope| {
            let all: Vec<_> = (0..8).map(|_| scope.spawn(|| open(&path))).collect();
            all.into_iter().for_each(|opened| drop(opened.join().expect("a store")));
        });
        assert_whole(&path);
    }
}

/// What one process put there, the next finds.
#[test]
fn a_file_outlives_its_store() {
    let folder = tempdir().expect("a folder");
    let (path, way) = (folder.path().join("state.db"), Way::sole(rpm(3)));
    for id in 1..=3 {
        let store = open(&path);
        assert!(go(&store, &way, id).is_ok());
        block_on(store.increment("key/k/successes", 1)).expect("the store is there");
    }
    let store = open(&path);
    assert!(go(&store, &way, 4).is_err());
    let fact = block_on(store.get("key/k/successes")).expect("the store is there");
    assert_eq!(fact.expect("written").value, "3");
}
