//! What other programs of the same user can see of a program that holds keys, and how much a strategy can make it hold.

use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::process::{Command, Stdio};

use super::files::Running;
use super::outside::Outside;
use super::user::User;
use super::{Attack, program};

/// A process whose memory is closed belongs to root, as far as `/proc` is concerned.
#[test]
fn no_dump_and_no_other_program_shows_the_memory_of_the_program() {
    if !rustix::process::geteuid().is_root() {
        // Whose it is can only be seen by a user who is not the one that looks.
        return;
    }
    let user = User::nobody();
    let running = Running::start(&user, "022");
    running.folder();
    let process = format!("/proc/{}", running.id());
    assert_eq!(fs::metadata(format!("{process}/environ")).expect("it runs").uid(), 0);
    let limits = fs::read_to_string(format!("{process}/limits")).expect("read");
    let core = limits.lines().find(|line| line.starts_with("Max core file size")).expect("told");
    assert_eq!(core.split_whitespace().collect::<Vec<_>>()[4..6], ["0", "0"], "{core}");
    let mut other = Command::new("cat");
    other.arg(format!("{process}/environ")).stdout(Stdio::null()).stderr(Stdio::null());
    user.become_by(&mut other);
    assert!(!other.status().expect("started").success(), "another program of the user reads its environment");
}

/// The largest of all processes of a run, the program and Python, in KiB.
fn most_memory(attack: &str) -> u64 {
    let user = User::this();
    let attack = Attack::all().into_iter().find(|one| one.name == attack).expect("an attack");
    let outside = Outside::new(&attack, &user);
    let run = program(&user, &outside, "auto", "60");
    let measure = "import resource, subprocess, sys\n\
        subprocess.run(sys.argv[1:], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)\n\
        print(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss)";
    let mut command = Command::new(user.python());
    command.args(["-c", measure]).arg(run.get_program()).args(run.get_args()).env_clear();
    command.envs(run.get_envs().filter_map(|(name, value)| Some((name, value?))));
    let output = command.current_dir(outside.folder()).output().expect("started");
    String::from_utf8_lossy(&output.stdout).trim().parse().expect("a number")
}

/// A line of 62 MiB that is no message took 4.6 GB to be understood.
#[test]
fn no_message_takes_much_memory() {
    let (honest, hostile) = (most_memory("exits"), most_memory("long_line"));
    assert!(hostile < 2 * honest, "{hostile} KiB, and {honest} KiB for a strategy that says nothing");
}
