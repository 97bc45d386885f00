//! Where results go: files that may or may not be written, stdout that may or may not be read.

use std::fs;
use std::os::unix::fs::{PermissionsExt as _, symlink};

use crate::gemini::{Gemini, STRATEGY};
use crate::rig::{Ended, Place, RSI};

#[test]
fn a_place_that_cannot_be_written_is_refused_before_any_call() {
    let place = Place::new();
    let gemini = Gemini::good();
    fs::create_dir(place.path().join("folder")).expect("made");
    for (path, told) in [
        ("nowhere/a.py", "the directory `nowhere` does not exist"),
        ("folder", "`folder` is a directory"),
        ("new/", "`new/` is a directory"),
        ("/dev/null", "`/dev/null`"),
    ] {
        for force in [None, Some("--force")] {
            let ended = gemini.program(&place, [RSI, "-o", path].into_iter().chain(force)).run();
            ended.fails(2, &[told]);
        }
    }
    gemini.program(&place, [RSI, "-o", ""]).run().code(2).says(&["error: ", "--output"]);
    assert_eq!(gemini.requests(), 0);
    assert_eq!(place.names(), ["folder"]);
}

/// A superuser may write anywhere, so the permission is taken where even root has none: in /proc.
#[test]
#[cfg(target_os = "linux")]
fn a_directory_without_permission_is_refused_before_any_call() {
    let place = Place::new();
    let gemini = Gemini::good();
    let ended = gemini.program(&place, [RSI, "-o", "/proc/a.py"]).run();
    ended.fails(2, &["`/proc/a.py`", "hint: "]);
    assert_eq!(gemini.requests(), 0);
}

#[test]
fn an_existing_file_is_refused_before_any_call_and_replaced_when_told() {
    let place = Place::new();
    let gemini = Gemini::good();
    let path = place.file("a.py", "precious");
    let ended = gemini.program(&place, [RSI, "-o", "a.py"]).run();
    ended.fails(2, &["`a.py` exists", "hint: ", "`--force`"]);
    assert_eq!((gemini.requests(), place.read("a.py").as_str()), (0, "precious"));

    fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).expect("set");
    let before = fs::File::open(&path).expect("open");
    gemini.program(&place, [RSI, "-o", "a.py", "--force"]).run().code(0);
    assert!(place.read("a.py").ends_with(STRATEGY));
    assert_eq!(fs::metadata(&path).expect("meta").permissions().mode() & 0o777, 0o640);
    // Who had the old file open still reads all of it: it was replaced, not written over.
    assert_eq!(std::io::read_to_string(before).expect("read"), "precious");
    assert_eq!(place.names(), ["a.py", "a.strategy.json"]);
}

#[test]
fn a_write_protected_file_is_not_replaced() {
    let place = Place::new();
    let gemini = Gemini::good();
    let path = place.file("a.py", "precious");
    fs::set_permissions(&path, fs::Permissions::from_mode(0o444)).expect("set");
    let ended = gemini.program(&place, [RSI, "-o", "a.py", "--force"]).run();
    ended.fails(2, &["no permission", "`a.py`", "hint: "]);
    assert_eq!((gemini.requests(), place.read("a.py").as_str()), (0, "precious"));
}

#[test]
fn links_are_followed_and_a_link_to_nothing_is_in_the_way() {
    let place = Place::new();
    let gemini = Gemini::good();
    place.file("real.py", "precious");
    symlink("real.py", place.path().join("link.py")).expect("linked");
    symlink("gone.py", place.path().join("dangling.py")).expect("linked");
    gemini.program(&place, [RSI, "-o", "link.py"]).run().fails(2, &["`link.py` exists"]);
    gemini.program(&place, [RSI, "-o", "dangling.py"]).run().fails(2, &["`dangling.py` exists"]);
    assert_eq!(gemini.requests(), 0);
    gemini.program(&place, [RSI, "-o", "link.py", "--force"]).run().code(0);
    assert!(place.read("real.py").ends_with(STRATEGY));
    assert_eq!(place.names(), ["dangling.py", "link.py", "link.strategy.json", "real.py"]);
}

#[test]
fn without_a_name_the_first_free_one_is_taken() {
    let place = Place::new();
    let gemini = Gemini::good();
    place.file("bounce_strategy.py", "precious");
    let second = gemini.program(&place, [RSI]).run();
    second.code(0).says(&["`bounce_strategy.py` exists", "`bounce_strategy_2.py`"]);
    assert_eq!(second.stdout, "bounce_strategy_2.py\n");
    assert_eq!(gemini.program(&place, [RSI]).run().code(0).stdout, "bounce_strategy_3.py\n");
    assert_eq!(place.read("bounce_strategy.py"), "precious");
    assert_eq!(gemini.program(&place, [RSI, "--force"]).run().code(0).stdout, "bounce_strategy.py\n");
    assert!(place.read("bounce_strategy.py").ends_with(STRATEGY));
}

#[test]
fn a_dash_prints_the_code_and_nothing_else() {
    let place = Place::new();
    let gemini = Gemini::good();
    let model = gemini.program(&place, [RSI, "-o", "-"]).run();
    assert!(model.code(0).stdout.starts_with("# ") && model.stdout.ends_with(STRATEGY), "{model}");
    for flag in ["--offline", "--demo"] {
        let ended = place.run([RSI, flag, "-o", "-"]);
        assert!(ended.code(0).stdout.starts_with("# Strategy for backtesting.py"), "{ended}");
        place.file("printed.py", &ended.stdout);
        place.run(["check", "printed.py"]).code(0);
    }
    assert_eq!(place.names(), ["printed.py"]);
}

#[test]
fn a_reader_that_left_is_no_failure() {
    let place = Place::new();
    for args in [
        &[RSI, "--offline", "-o", "-"][..],
        &[RSI, "--demo"],
        &["--help"],
        &["doctor"],
        &["check", "none.py"],
    ] {
        let mut child = place.program(args.iter().copied()).env("GEMINI_API_KEY", "AIzaCANARY").start();
        drop(child.stdout.take());
        let ended = Ended::of(child);
        assert!(matches!(ended.status.code(), Some(0 | 2)), "{ended}");
    }
    // A stderr that nobody reads, with much to say.
    let gemini = Gemini::good();
    let mut child = gemini.program(&place, [RSI, "--force"]).env("KEYROT_LOG", "trace").start();
    drop(child.stderr.take());
    Ended::of(child).code(0);
}

#[test]
#[cfg(target_os = "linux")]
fn a_full_disk_behind_stdout_is_a_failure() {
    let place = Place::new();
    let full = || fs::OpenOptions::new().write(true).open("/dev/full").expect("open");
    for args in [&[RSI, "--offline", "-o", "-"][..], &["--help"], &["--version"]] {
        let mut command = place.program(args.iter().copied()).command();
        let ended = Ended::of(command.stdout(full()).spawn().expect("started"));
        ended.code(2);
    }
}
