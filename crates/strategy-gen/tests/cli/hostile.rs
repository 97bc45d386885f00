//! Strategies that mean harm, each run by the real program with nothing but the sandbox between it and the machine.
//!
//! They are the files in `tests/hostile`. Each tries what its name says and prints `BREACH` where it succeeds; the
//! test also looks from outside: at files, listeners and processes. `# expect:` names the exit codes, 0 where nothing
//! else is said; `# only:` a processor; `# control: breach` that the attack works where there is no sandbox, which a
//! test of its own proves, so that none is harmless by a slip of the pen.

mod files;
mod installed;
mod memory;
mod old_kernel;
mod outside;
mod user;

use std::fs;
use std::path::PathBuf;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};

use outside::Outside;
use user::User;

use crate::rig::{CANARY, Ended};

/// Bytes: the report of an honest strategy on the same prices has a tenth of it.
const LARGEST_REPORT: usize = 1 << 20;

/// One file of `tests/hostile`.
struct Attack {
    name: String,
    text: String,
}

impl Attack {
    fn all() -> Vec<Self> {
        let folder = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("tests/hostile");
        let entries = fs::read_dir(folder).expect("the attacks").map(|entry| entry.expect("read").path());
        let mut paths: Vec<PathBuf> =
            entries.filter(|path| path.extension().is_some_and(|e| e == "py")).collect();
        paths.sort();
        let attack = |path: &PathBuf| Self {
            name: path.file_stem().expect("a name").to_string_lossy().into_owned(),
            text: fs::read_to_string(path).expect("read"),
        };
        paths.iter().map(attack).filter(|a| !a.name.starts_with('_') && a.is_for_this_processor()).collect()
    }

    fn note(&self, name: &str) -> Option<&str> {
        let start = format!("# {name}: ");
        self.text.lines().find_map(|line| line.strip_prefix(start.as_str()))
    }

    fn is_for_this_processor(&self) -> bool {
        self.note("only").is_none_or(|only| only == std::env::consts::ARCH)
    }

    fn expected(&self) -> Vec<i32> {
        let codes = self.note("expect").unwrap_or("0").split(' ');
        codes.map(|code| code.parse().expect("a number")).collect()
    }

    fn works_without_a_sandbox(&self) -> bool {
        self.note("control") == Some("breach")
    }
}

/// The program about to be started on the attack, as that user.
fn program(user: &User, outside: &Outside, sandbox: &str, timeout: &str) -> Command {
    let mut command = Command::new("sh");
    // A descriptor that is left open to whoever is started.
    command.args(["-c", "exec 9<victim.txt; exec \"$0\" \"$@\""]).arg(user.program());
    command.args(["run", "strategy.py", "--data", "synthetic", "--no-check", "--json", "--python"]);
    command.arg(user.python()).args(["--timeout", timeout, "--sandbox", sandbox]);
    command.env_clear().env("PATH", "/usr/bin:/bin").env("TMPDIR", outside.temporary());
    command.env("GEMINI_API_KEY", format!("AIza{CANARY}")).env("HOME", outside.folder());
    // The program's own file there is no breach.
    command.env("STRATEGY_GEN_HISTORY", "off");
    command.current_dir(outside.folder()).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    user.become_by(&mut command);
    command
}

/// What of the output speaks of a success.
fn claims(text: &str) -> impl Iterator<Item = String> {
    text.lines().filter(|line| line.contains("BREACH")).map(|line| {
        line.replace("\\n", "\n").lines().filter(|l| l.contains("BREACH")).collect::<Vec<_>>().join("; ")
    })
}

/// What went wrong with the attack, that is: right.
fn breaches(user: &User, attack: &Attack) -> Vec<String> {
    let outside = Outside::new(attack, user);
    let before = outside.snapshot();
    let expected = attack.expected();
    // Whoever is to be stopped at the deadline need not wait long for it.
    let timeout = if expected.contains(&7) { "5" } else { "60" };
    let ended = Ended::of(program(user, &outside, "strict", timeout).spawn().expect("started"));
    let mut found = outside.seen_from_outside(&before);
    found.extend(claims(&ended.stdout).chain(claims(&ended.stderr)));
    if ended.stdout.len() > LARGEST_REPORT {
        found.push(format!("its report has {} bytes", ended.stdout.len()));
    }
    match ended.status.code() {
        Some(code) if expected.contains(&code) => {}
        _ => found.push(format!("{} instead of {expected:?}\n{ended}", ended.status)),
    }
    // What was forged is nowhere told as a result that holds.
    let told: Result<serde_json::Value, _> = serde_json::from_str(&ended.stdout);
    match told {
        Err(error) => found.push(format!("stdout is no JSON document: {error}\n{ended}")),
        Ok(told) => {
            let metrics = &told["results"][0]["metrics"];
            let gain = metrics["return_pct"].as_f64().unwrap_or(0.0);
            if gain != 0.0 && metrics["verified"] == true {
                found.push(format!("a gain of {gain} % is told as confirmed\n{ended}"));
            }
            let output = told["output"].as_str().unwrap_or_default();
            found.extend(output.lines().filter(|line| is_a_slip(line)).map(|line| format!("a slip: {line}")));
            if attack.text.contains("\nattempt(") && expected == [0] && !output.contains("stopped ") {
                found.push(format!("it was not tried\n{ended}"));
            }
            if told["status"] == "ok" && !expected.contains(&0) {
                found.push("it is told to be fine".to_owned());
            }
        }
    }
    found.iter().map(|what| format!("{}: {what}", attack.name)).collect()
}

/// An attack that stumbles over its own feet proves nothing.
fn is_a_slip(line: &str) -> bool {
    let mut words = line.split_whitespace().skip_while(|word| !word.ends_with("Error"));
    let error = words.next().unwrap_or_default();
    let slips =
        ["NameError", "TypeError", "AttributeError", "SyntaxError", "ArgumentError", "UnboundLocalError"];
    line.starts_with("stopped ") && slips.contains(&error)
}

/// Runs all attacks, two at a time.
fn matrix(breaches: impl Fn(&Attack) -> Vec<String> + Sync) {
    let attacks = Attack::all();
    let next = AtomicUsize::new(0);
    let worker = || {
        let mut found = Vec::new();
        while let Some(attack) = attacks.get(next.fetch_add(1, Ordering::Relaxed)) {
            found.extend(breaches(attack));
        }
        found
    };
    let found: Vec<String> = std::thread::scope(|scope| {
        let workers = [scope.spawn(worker), scope.spawn(worker)];
        workers.into_iter().flat_map(|worker| worker.join().expect("no panic")).collect()
    });
    assert!(attacks.len() >= 50, "{} attacks", attacks.len());
    assert!(found.is_empty(), "{} breaches:\n{}", found.len(), found.join("\n"));
}

#[test]
fn no_attack_gets_anywhere() {
    let user = User::this();
    matrix(|attack| breaches(&user, attack));
}

#[test]
fn no_attack_gets_anywhere_as_an_ordinary_user() {
    // Who is none is already one.
    if rustix::process::geteuid().is_root() {
        let user = User::nobody();
        matrix(|attack| breaches(&user, attack));
    }
}

#[test]
fn the_attacks_work_where_there_is_no_sandbox() {
    let user = User::this();
    let mut controls = 0;
    for attack in Attack::all().iter().filter(|attack| attack.works_without_a_sandbox()) {
        controls += 1;
        let outside = Outside::new(attack, &user);
        let output = program(&user, &outside, "none", "60").output().expect("started");
        let told = String::from_utf8_lossy(&output.stdout);
        assert!(told.contains("BREACH"), "{} is harmless by itself:\n{told}", attack.name);
    }
    assert!(controls >= 15, "{controls} controls");
}

/// What leaves its group and its session is found again, with no sandbox at all.
#[test]
fn a_daemon_does_not_outlive_its_run() {
    let user = User::this();
    let attack = Attack::all().into_iter().find(|attack| attack.name == "daemon").expect("a daemon");
    let outside = Outside::new(&attack, &user);
    let before = outside.snapshot();
    let output = program(&user, &outside, "none", "60").output().expect("started");
    let told = String::from_utf8_lossy(&output.stdout);
    assert!(told.contains("BREACH daemon"), "{told}");
    assert_eq!(outside.seen_from_outside(&before), [""; 0]);
}
