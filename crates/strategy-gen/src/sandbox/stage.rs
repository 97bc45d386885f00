//! The hidden stage: a process of one thread that takes its own rights away and becomes Python.

use std::io::Write as _;
use std::os::fd::AsRawFd as _;
use std::os::unix::process::CommandExt as _;
use std::process::{Command, ExitCode};

use rustix::process::{Resource, Rlimit, getppid, setrlimit};

use super::plan::{FILE_BYTES, OPEN_FILES, Plan, STAGE, profile};

/// What the stage ends with when it could not become Python.
const FAILED: u8 = 70;

/// Becomes the sandbox where the command line says so; a program that runs strategies calls this on the first line of
/// its `main`, before it starts a thread.
///
/// `None`: this is an ordinary start. Otherwise the stage has failed, and the program ends with this code.
#[must_use]
pub fn enter_if_asked() -> Option<ExitCode> {
    let mut args = std::env::args_os().skip(1);
    if args.next()? != STAGE {
        return None;
    }
    let plan = args.next().and_then(|plan| plan.into_string().ok());
    // Standard input is the channel; Python gets an empty one instead.
    let channel = rustix::io::dup(rustix::stdio::stdin());
    let Ok(channel) = channel else { return Some(ExitCode::from(FAILED)) };
    let number = channel.as_raw_fd();
    let message = match plan.as_deref().map(serde_json::from_str::<Plan>) {
        Some(Ok(plan)) => become_python(&plan, number),
        Some(Err(_)) | None => "the plan of the sandbox cannot be read".to_owned(),
    };
    let told = serde_json::json!({ "kind": "environment", "message": message });
    // Nobody is left to be told otherwise.
    let _ = writeln!(std::fs::File::from(channel), "{told}");
    Some(ExitCode::from(FAILED))
}

/// Comes back only to say what went wrong.
fn become_python(plan: &Plan, channel: i32) -> String {
    match restrict(plan) {
        Ok(()) => {}
        Err(error) => return format!("cannot set up the sandbox: {error}"),
    }
    let mut command = match plan.layers.sandbox_exec {
        true => {
            let mut command = Command::new("/usr/bin/sandbox-exec");
            command.arg("-p").arg(profile(&plan.paths)).arg(&plan.program);
            command
        }
        false => Command::new(&plan.program),
    };
    let error = command.args(&plan.args).arg(channel.to_string()).exec();
    format!("cannot start `{}`: {error}", plan.program.display())
}

fn restrict(plan: &Plan) -> Result<(), String> {
    let nothing = std::fs::File::open("/dev/null").map_err(|error| format!("`/dev/null`: {error}"))?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| format!("standard input: {error}"))?;
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| format!("end with the parent: {error}"))?;
    // It may have ended before that was heard.
    if getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs()) != Some(plan.parent) {
        return Err("the program that asked for it is gone".to_owned());
    }
    let limits = [
        (Resource::Core, 0, 0),
        // The first ends in a signal of its own, by which it is told from other ends.
        (Resource::Cpu, plan.cpu, plan.cpu.saturating_add(2)),
        (Resource::As, plan.memory, plan.memory),
        (Resource::Fsize, FILE_BYTES, FILE_BYTES),
        (Resource::Nofile, OPEN_FILES, OPEN_FILES),
    ];
    for (resource, soft, hard) in limits {
        let limit = Rlimit { current: Some(soft), maximum: Some(hard) };
        setrlimit(resource, limit).map_err(|error| format!("limit {resource:?}: {error}"))?;
    }
    #[cfg(target_os = "linux")]
    {
        if plan.layers.landlock.is_some() {
            landlock(&plan.paths)?;
        }
        if plan.layers.seccomp {
            super::syscalls::restrict()?;
        }
    }
    Ok(())
}

/// Files by their place: what is not named cannot be opened, whoever owns it.
#[cfg(target_os = "linux")]
fn landlock(paths: &super::plan::Paths) -> Result<(), String> {
    use landlock::{
        ABI, Access, AccessFs, AccessNet, Ruleset, RulesetAttr, RulesetCreatedAttr, RulesetStatus, Scope,
        path_beneath_rules,
    };

    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let scratch = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let apply = || {
        Ruleset::default()
            .handle_access(AccessFs::from_all(ABI::V6))?
            .handle_access(AccessNet::from_all(ABI::V6))?
            .scope(Scope::from_all(ABI::V6))?
            .create()?
            .add_rules(path_beneath_rules(&paths.read, read))?
            .add_rules(path_beneath_rules(&paths.execute, AccessFs::Execute | AccessFs::ReadFile))?
            .add_rules(path_beneath_rules([&paths.scratch], scratch))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
            .restrict_self()
    };
    let status = apply().map_err(|error: landlock::RulesetError| format!("Landlock: {error}"))?;
    match status.ruleset {
        RulesetStatus::NotEnforced => Err("Landlock does not take effect".to_owned()),
        RulesetStatus::FullyEnforced | RulesetStatus::PartiallyEnforced => Ok(()),
    }
}
