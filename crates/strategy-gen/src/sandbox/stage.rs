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
    let mut channel = std::fs::File::from(channel);
    let message = match plan.as_deref().map(serde_json::from_str::<Plan>) {
        Some(Ok(plan)) => become_python(&plan, &mut channel, number),
        Some(Err(_)) | None => "the plan of the sandbox cannot be read".to_owned(),
    };
    let told = serde_json::json!({ "environment": { "message": message } });
    // Nobody is left to be told otherwise.
    let _ = writeln!(channel, "{told}");
    Some(ExitCode::from(FAILED))
}

/// Comes back only to say what went wrong.
fn become_python(plan: &Plan, channel: &mut impl std::io::Write, number: i32) -> String {
    if let Err(error) = restrict(plan, channel) {
        return format!("cannot set up the sandbox: {error}");
    }
    let mut command = match plan.layers.sandbox_exec {
        true => {
            let mut command = Command::new("/usr/bin/sandbox-exec");
            command.arg("-p").arg(profile(&plan.paths)).arg(&plan.program);
            command
        }
        false => Command::new(&plan.program),
    };
    let error = command.args(&plan.args).arg(number.to_string()).exec();
    format!("cannot start `{}`: {error}", plan.program.display())
}

fn restrict(plan: &Plan, channel: &mut impl std::io::Write) -> Result<(), String> {
    let nothing = std::fs::File::open("/dev/null").map_err(|error| format!("`/dev/null`: {error}"))?;
    rustix::stdio::dup2_stdin(&nothing).map_err(|error| format!("standard input: {error}"))?;
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
    let own_disk = plan.layers.own_disk && super::confine::private_disk(&plan.paths.scratch).is_ok();
    #[cfg(target_os = "linux")]
    rustix::process::set_parent_process_death_signal(Some(rustix::process::Signal::KILL))
        .map_err(|error| format!("end with the parent: {error}"))?;
    // It may have ended before that was heard.
    if getppid().map(|parent| parent.as_raw_nonzero().get().unsigned_abs()) != Some(plan.parent) {
        return Err("the program that asked for it is gone".to_owned());
    }
    #[cfg(target_os = "linux")]
    {
        let entered = serde_json::json!({ "entered": { "own_disk": own_disk } });
        writeln!(channel, "{entered}").map_err(|error| format!("the channel: {error}"))?;
        if plan.layers.seccomp {
            super::confine::no_privileges()?;
        }
        if let Some(version) = plan.layers.landlock {
            landlock(&plan.paths, version)?;
        }
        if plan.layers.seccomp {
            super::syscalls::restrict(own_disk)?;
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = channel;
    Ok(())
}

/// Files by their place: what is not named cannot be opened, whoever owns it. By the rules of exactly this version, so
/// that what an older kernel lacks can be seen on a newer one.
#[cfg(target_os = "linux")]
fn landlock(paths: &super::plan::Paths, version: u8) -> Result<(), String> {
    use landlock::{
        Access, AccessFs, AccessNet, CompatLevel, Compatible, Ruleset, RulesetAttr, RulesetCreatedAttr,
        RulesetStatus, Scope, path_beneath_rules,
    };

    let abi =
        super::layers::abi(version).ok_or_else(|| format!("Landlock: version {version} is not known"))?;
    let known = AccessFs::from_all(abi);
    let read = AccessFs::ReadFile | AccessFs::ReadDir;
    let scratch = read
        | AccessFs::WriteFile
        | AccessFs::Truncate
        | AccessFs::MakeReg
        | AccessFs::MakeDir
        | AccessFs::RemoveFile
        | AccessFs::RemoveDir;
    let apply = || {
        let mut rules =
            Ruleset::default().set_compatibility(CompatLevel::HardRequirement).handle_access(known)?;
        if !AccessNet::from_all(abi).is_empty() {
            rules = rules.handle_access(AccessNet::from_all(abi))?;
        }
        if !Scope::from_all(abi).is_empty() {
            rules = rules.scope(Scope::from_all(abi))?;
        }
        rules
            .create()?
            // From here on a file may be given what makes sense for files alone.
            .set_compatibility(CompatLevel::BestEffort)
            .add_rules(path_beneath_rules(&paths.read, read))?
            .add_rules(path_beneath_rules(&paths.execute, AccessFs::Execute | AccessFs::ReadFile))?
            .add_rules(path_beneath_rules([&paths.scratch], scratch & known))?
            .add_rules(path_beneath_rules(["/dev/null"], AccessFs::ReadFile | AccessFs::WriteFile))?
            .restrict_self()
    };
    let status = apply().map_err(|error: landlock::RulesetError| format!("Landlock: {error}"))?;
    match status.ruleset {
        RulesetStatus::FullyEnforced => Ok(()),
        RulesetStatus::PartiallyEnforced | RulesetStatus::NotEnforced => {
            Err("Landlock does not take effect".to_owned())
        }
    }
}
