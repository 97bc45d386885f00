//! The project's own commands, run as `cargo xtask COMMAND`. CONTRIBUTING.md says what each one proves.

mod arrows;
mod bench;
mod ci;
mod command;
mod features;
mod live;
mod manifest;
mod python;
mod schema;
mod servers;
mod soak;
mod tidy;
mod workspace;

use std::process::ExitCode;

use anyhow::{Result, bail};

use crate::command::{Failed, Usage, cargo, run, say};
use crate::workspace::Workspace;

const USAGE: &str = "\
usage: cargo xtask COMMAND

  test [-- ARGS]       prepare the Python and the servers that some tests need, then `cargo test ARGS`
  test --live [-- ARGS]
                       the tests of Vault, AWS and Azure on real servers, which it prepares
  ci                   all of CI, step by step, up to the first failure
  tidy                 rules about files and manifests
  arrows               which crate may depend on which
  features             each crate with no feature and each it asks about; the default build has no cloud SDK
  schema [--check]     write `keys.schema.json` from the types, or compare it with them
  bench core [ARGS]    time selection + reserve + settle, as ratios to a baseline of the same run
  bench limiter [--seconds N] [--store memory|sqlite|redis]
                       time reserve on each store, beside the store's bare round trip
  bench limiter --check [--seconds N]
                       whole requests on Redis beside a script that does nothing; fails if a target is missed
  bench goodput [--only ROW] [--demand N] [--pool] [--seed N] [--quick]
                       the pool under load and trouble in virtual time, beside three plain policies; fails when a
                       target is missed; without arguments kept in docs/bench-goodput.md
  soak limiter [--minutes N] [--store sqlite|redis] [--beside PROGRAM]
                       eight processes on one store: no window above a limit, 99 % of each used; without
                       arguments 6 minutes on each, kept in docs/soak-limiter.md. Every second process runs
                       PROGRAM, the same benchmark of another build, if one is named
  soak batch           a hundred descriptions over six keys, made and run: 95 % of the keys' capacity used, no
                       limit passed; takes four minutes, kept in docs/soak-batch.md
  help                 this text";

fn main() -> ExitCode {
    // `std::env::args` panics on an argument that is not UTF-8.
    let args: Vec<String> =
        std::env::args_os().skip(1).map(|arg| arg.to_string_lossy().into_owned()).collect();
    match dispatch(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            say(&format!("error: {error:#}"));
            if error.is::<Usage>() {
                say(USAGE);
                return ExitCode::from(2);
            }
            ExitCode::from(error.downcast_ref::<Failed>().map_or(1, |failed| failed.code))
        }
    }
}

fn dispatch(args: &[String]) -> Result<()> {
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    match args.as_slice() {
        [] | ["help" | "--help" | "-h"] => {
            say(USAGE);
            Ok(())
        }
        ["test", "--live", "--", rest @ ..] | ["test", "--live", rest @ ..] => live::test(rest),
        ["test", "--", rest @ ..] | ["test", rest @ ..] => test(rest),
        ["ci"] => ci::run(),
        ["tidy"] => tidy::run(),
        ["arrows"] => arrows::run(&Workspace::load()?),
        ["features"] => {
            let workspace = Workspace::load()?;
            features::matrix(&workspace)?;
            features::absence()
        }
        ["schema"] => schema::write(),
        ["schema", "--check"] => schema::check(),
        ["bench", "core", rest @ ..] => bench::core(&Workspace::load()?.target, rest),
        ["bench", "limiter", rest @ ..] => bench::limiter(&Workspace::load()?.target, rest),
        ["bench", "goodput", rest @ ..] => bench::goodput(rest),
        ["soak", "batch"] => soak::batch(&Workspace::load()?.target),
        ["soak", "limiter", rest @ ..] => soak::limiter(&Workspace::load()?.target, rest),
        [command, ..] => bail!(Usage(format!(
            "`{}` is not a command of xtask",
            [&[*command], &args[1..]].concat().join(" ")
        ))),
    }
}

/// `cargo test`, with a Python at hand that can run generated strategies, and the servers of the shared store.
/// Without arguments it covers the default members: the light crates.
fn test(args: &[&str]) -> Result<()> {
    let target = Workspace::load()?.target;
    let python = python::prepare(&target)?;
    let servers = servers::shared(&target)?;
    run(cargo().arg("test").args(args).env(python::VARIABLE, python).envs(servers))
}
