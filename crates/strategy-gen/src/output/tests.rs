//! Writing, refusing to write, and what is left behind.

use std::fs;
use std::path::Path;

use super::{Existing, WriteError, draft_name, file_name, is_bare_name, write};
use crate::python::ClassName;

fn names(directory: &Path) -> Vec<String> {
    let mut names: Vec<String> = fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    names
}

#[test]
fn writes_and_leaves_nothing_else() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.py");
    write(&path, "x = 1\n", Existing::Keep).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "x = 1\n");
    assert_eq!(names(directory.path()), ["a.py"]);
}

#[test]
fn an_existing_file_is_kept_unless_asked() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.py");
    write(&path, "old", Existing::Keep).unwrap();
    let error = write(&path, "new", Existing::Keep).unwrap_err();
    assert!(matches!(error, WriteError::Exists { .. }), "{error}");
    assert!(
        error.to_string().contains("a.py` exists; hint: ") && error.to_string().contains("--force"),
        "{error}"
    );
    assert_eq!(fs::read_to_string(&path).unwrap(), "old");
    write(&path, "new", Existing::Replace).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(directory.path()), ["a.py"]);
}

#[test]
fn places_that_are_no_file_are_named() {
    let directory = tempfile::tempdir().unwrap();
    for existing in [Existing::Keep, Existing::Replace] {
        let error = write(directory.path(), "x", existing).unwrap_err();
        assert!(matches!(error, WriteError::IsDirectory { .. }), "{error}");
        let error = write(&directory.path().join("new/"), "x", existing).unwrap_err();
        assert!(matches!(error, WriteError::IsDirectory { .. }), "{error}");
        let error = write(&directory.path().join("missing").join("a.py"), "x", existing).unwrap_err();
        assert!(matches!(error, WriteError::NoDirectory { .. }), "{error}");
        let file = directory.path().join("file");
        fs::write(&file, "").unwrap();
        let error = write(&file.join("a.py"), "x", existing).unwrap_err();
        assert!(matches!(error, WriteError::NoDirectory { .. }), "{error}");
        let error = write(&directory.path().join("n".repeat(400)), "x", existing).unwrap_err();
        assert!(matches!(error, WriteError::Io { .. }), "{error}");
        assert_eq!(names(directory.path()), ["file"]);
    }
}

#[test]
fn only_one_of_many_writers_wins() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.py");
    let written = std::thread::scope(|scope| {
        let writers: Vec<_> = (0..8)
            .map(|writer| {
                let path = &path;
                scope.spawn(move || write(path, &writer.to_string().repeat(10_000), Existing::Keep).is_ok())
            })
            .collect();
        writers.into_iter().map(|writer| writer.join().unwrap()).filter(|won| *won).count()
    });
    assert_eq!(written, 1);
    let text = fs::read_to_string(&path).unwrap();
    assert!(text.len() == 10_000 && text.chars().all(|c| text.starts_with(c)));
    assert_eq!(names(directory.path()), ["a.py"]);
}

#[cfg(unix)]
#[test]
fn permissions_and_links_survive_a_replacement() {
    use std::os::unix::fs::PermissionsExt as _;
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("a.py");
    write(&path, "old", Existing::Keep).unwrap();
    // A new file is an ordinary one, not the private one that temporary files are.
    let plain = directory.path().join("plain");
    fs::write(&plain, "").unwrap();
    let mode = |path: &Path| fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&path), mode(&plain));
    fs::set_permissions(&path, fs::Permissions::from_mode(0o750)).unwrap();
    let link = directory.path().join("link.py");
    std::os::unix::fs::symlink(&path, &link).unwrap();
    assert!(matches!(write(&link, "new", Existing::Keep), Err(WriteError::Exists { .. })));
    write(&link, "new", Existing::Replace).unwrap();
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(mode(&path), 0o750);
    assert!(fs::symlink_metadata(&link).unwrap().is_symlink());
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).unwrap();
    let error = write(&path, "newer", Existing::Replace).unwrap_err();
    assert!(matches!(error, WriteError::Denied { .. }), "{error}");
    assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    assert_eq!(names(directory.path()), ["a.py", "link.py", "plain"]);
}

#[test]
fn the_default_name_comes_from_the_class() {
    let name = |class| file_name(&ClassName::new(class), Path::new("."), None);
    assert_eq!(name("RsiSmaStrategy"), Path::new("rsi_sma_strategy.py"));
    assert_eq!(name("Random"), Path::new("random_strategy.py"));
    assert_eq!(draft_name(Some("Conftest"), ""), Path::new("conftest_strategy.draft.py"));
}

#[test]
fn a_name_in_a_folder_leads_nowhere_else() {
    for name in ["rsi_strategy.py", "a b.html", "\u{416}.py", "..py"] {
        assert!(is_bare_name(name), "{name}");
    }
    for name in [
        "",
        ".",
        "..",
        "/",
        "/a.py",
        "a/b.py",
        "../a.py",
        "./a.py",
        "a/",
        "a\\b.py",
        "C:a.py",
        "javascript:alert(1)",
    ] {
        assert!(!is_bare_name(name), "{name}");
    }
}
