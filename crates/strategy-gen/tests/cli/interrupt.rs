//! Ctrl-C at any moment: exit code 130 at once, nothing written.

use std::process::{Child, Command};

use gemini_sim::{Fault, FaultRule};

use crate::gemini::{Gemini, one_key};
use crate::rig::{Ended, Place, RSI};

/// Waits until `done`, as long as the child runs. It yields in between, and a hanging child is ended by the rig.
fn until(child: &mut Child, done: impl Fn() -> bool) {
    while !done() {
        assert!(child.try_wait().expect("waited").is_none(), "the program ended too early");
        std::thread::yield_now();
    }
}

fn interrupt(child: &Child) {
    let id = child.id().to_string();
    assert!(Command::new("kill").args(["-INT", &id]).status().expect("`kill` runs").success());
}

#[cfg(target_os = "linux")]
/// Whether the process has a handler for SIGINT, by the kernel's own table.
fn listens(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    let caught = status.lines().find_map(|line| line.strip_prefix("SigCgt:")).unwrap_or("0");
    u64::from_str_radix(caught.trim(), 16).is_ok_and(|mask| mask & 0b10 != 0)
}

#[test]
fn in_the_middle_of_a_call() {
    let place = Place::new();
    let gemini = Gemini::start(vec![], |sim| one_key(sim).fault(FaultRule::new(Fault::Stall).always()));
    let mut child = gemini.program(&place, [RSI]).start();
    until(&mut child, || gemini.requests() == 1);
    interrupt(&child);
    let ended = Ended::of(child);
    ended.code(130).says(&["error: interrupted"]);
    assert_eq!((ended.stdout.as_str(), place.names().len()), ("", 0));
}

#[test]
#[cfg(target_os = "linux")]
fn while_stdin_is_awaited() {
    let place = Place::new();
    let mut child = place.program(["-", "--offline"]).start();
    // Held open: the program waits for its end.
    let stdin = child.stdin.take();
    let id = child.id();
    until(&mut child, || listens(id));
    interrupt(&child);
    Ended::of(child).code(130).says(&["error: interrupted"]);
    drop(stdin);
}

#[test]
#[cfg(target_os = "linux")]
fn while_a_pipe_is_checked() {
    let place = Place::new();
    let mut child = place.program(["check", "/dev/stdin"]).start();
    // Held open: the program waits for its end.
    let _stdin = child.stdin.take();
    let id = child.id();
    until(&mut child, || listens(id));
    interrupt(&child);
    Ended::of(child).code(130);
}
