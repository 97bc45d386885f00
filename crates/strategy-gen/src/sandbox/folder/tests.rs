//! Folders that were made to be hard to count and to remove.

use super::*;

fn nested(folder: &OwnedFd, levels: u32) {
    let mut inner = folder.try_clone().unwrap();
    for _ in 0..levels {
        rustix::fs::mkdirat(&inner, "d", Mode::RWXU).unwrap();
        inner = open(&inner, "d").unwrap();
    }
}

#[test]
fn only_its_owner_enters_it() {
    let folder = RunFolder::create(&std::env::temp_dir()).unwrap();
    let inner = folder.subfolder("inner").unwrap();
    for path in [folder.path(), &inner] {
        assert_eq!(fs::metadata(path).unwrap().permissions().mode() & 0o7777, 0o700);
    }
    let path = folder.path().to_owned();
    folder.close().unwrap();
    assert!(!path.exists());
}

/// Deeper than a path can name, and than a recursion could follow. In memory where there is such a disk: others take
/// milliseconds for each folder.
#[test]
fn folders_are_removed_however_deep_they_are_nested() {
    let memory = Path::new("/dev/shm");
    let temporary = if memory.is_dir() { memory.to_owned() } else { std::env::temp_dir() };
    let folder = RunFolder::create(&temporary).unwrap();
    nested(folder.folder.as_ref().unwrap(), 50_000);
    let path = folder.path().to_owned();
    folder.close().unwrap();
    assert!(!path.exists());
}

#[test]
fn folders_are_removed_whatever_their_permissions_and_names() {
    let folder = RunFolder::create(&std::env::temp_dir()).unwrap();
    for mode in [0o000, 0o300, 0o500, 0o200] {
        let inner = folder.subfolder(&format!("{mode:o}")).unwrap();
        let deeper = inner.join("deeper");
        fs::create_dir(&deeper).unwrap();
        fs::write(deeper.join("file"), "x").unwrap();
        for closed in [&deeper, &inner] {
            fs::set_permissions(closed, fs::Permissions::from_mode(mode)).unwrap();
        }
    }
    // Names that removing would give itself.
    fs::write(folder.path().join(".removed-1"), "in the way").unwrap();
    let inner = folder.subfolder(".removed-2").unwrap();
    fs::create_dir(inner.join(".removed-3")).unwrap();
    let outside = tempfile::tempdir().unwrap();
    fs::write(outside.path().join("kept"), "x").unwrap();
    std::os::unix::fs::symlink(outside.path(), folder.path().join("link")).unwrap();
    let path = folder.path().to_owned();
    folder.close().unwrap();
    assert!(!path.exists());
    assert!(outside.path().join("kept").exists(), "links are not followed");
}

#[test]
fn leftovers_are_swept_and_what_is_in_use_is_not() {
    let temporary = tempfile::tempdir().unwrap();
    let make = |name: &str| {
        let path = temporary.path().join(name);
        fs::create_dir_all(path.join("scratch")).unwrap();
        path
    };
    let [left, used, other] = ["keyrot-run-left", "keyrot-run-used", "another"].map(make);
    let lock = open(rustix::fs::CWD, used.as_os_str()).unwrap();
    rustix::fs::flock(&lock, FlockOperation::NonBlockingLockExclusive).unwrap();
    let link = temporary.path().join("keyrot-run-link");
    std::os::unix::fs::symlink(&other, &link).unwrap();
    assert_eq!(sweep(temporary.path()), [""; 0]);
    assert!(!left.exists() && used.exists() && other.exists());
    assert!(link.is_symlink());
}

#[test]
fn counting_ends_at_each_limit() {
    let count = |fill: &dyn Fn(&Path)| {
        let folder = RunFolder::create(&std::env::temp_dir()).unwrap();
        let mut room = Room::of(folder.path()).unwrap();
        assert!(!room.is_exceeded());
        fill(folder.path());
        room.is_exceeded()
    };
    let files =
        |n: u64| move |folder: &Path| (0..n).for_each(|i| fs::write(folder.join(i.to_string()), "").unwrap());
    assert!(!count(&files(FILES)));
    assert!(count(&files(FILES + 1)));
    let sparse =
        |bytes: u64| move |folder: &Path| fs::File::create(folder.join("f")).unwrap().set_len(bytes).unwrap();
    assert!(!count(&sparse(BYTES)));
    assert!(count(&sparse(BYTES + 1)));
    let deep = |levels: u32| {
        move |folder: &Path| nested(&open(rustix::fs::CWD, folder.as_os_str()).unwrap(), levels)
    };
    assert!(!count(&deep(DEEPEST)));
    assert!(count(&deep(DEEPEST + 1)));
}
