//! `keyrot rotate` as far as the environment's keys go, which nobody can write to.

use std::io::Write as _;
use std::process::Stdio;

use crate::check::{google, with_secrets};
use crate::rig::{Ended, Place, Program};

const NEW: &str = "AIzaCANARY-new";

/// The program, with `given` on its stdin.
pub(crate) fn give(program: &Program, given: &str) -> Ended {
    let mut child = program.command().stdin(Stdio::piped()).spawn().expect("started");
    // A program that has seen enough reads no further.
    let _ = child.stdin.take().expect("piped").write_all(given.as_bytes());
    Ended::of(child)
}

fn place() -> Place {
    let place = Place::new();
    place.file("keys.json", r#"[{"key_id": "good", "project": "p"}]"#);
    place
}

fn rotate(place: &Place, url: &str, more: &[&'static str], given: &str) -> Ended {
    let args = ["rotate", "good"].iter().chain(more).copied();
    give(&with_secrets(place.program(args), &["good"]).env("GEMINI_BASE_URL", url), given)
}

#[test]
fn what_google_refuses_is_not_stored() {
    let (_runtime, server) = google();
    let ended = rotate(&place(), &server.base_url(), &[], NEW);
    ended.fails(1, &["the new key is not accepted (rejected)", "hint: nothing was changed"]);
    assert_eq!(server.log().len(), 1, "it was asked once");
}

#[test]
fn without_an_answer_nothing_is_stored() {
    let closed = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    rotate(&place(), &format!("http://{closed}"), &[], NEW)
        .fails(6, &["nobody could be asked about the new key"]);
}

#[test]
fn a_store_that_is_not_written_says_what_to_do_instead() {
    let (_runtime, server) = google();
    let ended = rotate(&place(), &server.base_url(), &["--no-probe"], &format!(" {NEW}\n"));
    ended.fails(2, &["white space around it was removed", "does not write", "set `GEMINI_KEY_good`"]);
    assert!(server.log().is_empty(), "nobody was asked");
}

#[test]
fn what_can_be_no_new_key_is_refused_before_anybody_is_asked() {
    let (_runtime, server) = google();
    let place = place();
    let long = "AIzaCANARY".repeat(1_000);
    for (given, why) in [
        ("AIzaCANARY-doog\n", "has already"),
        ("", "it is empty"),
        ("AIzaCANARY AIzaCANARY", "white space"),
        (&long, "too long"),
    ] {
        rotate(&place, &server.base_url(), &[], given).fails(2, &[why]);
    }
    let unknown = with_secrets(place.program(["rotate", "goood"]), &["good"]);
    give(&unknown, NEW).fails(2, &["goood"]);
    assert!(server.log().is_empty());
}
