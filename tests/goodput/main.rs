//! Goodput: the real rotator and limiter against the simulator's rules, in one process and in virtual time,
//! beside three plain policies under the same load. Run by `cargo xtask bench goodput`.

#![expect(clippy::print_stdout, clippy::print_stderr, reason = "a program for the terminal")]

mod clock;
mod figures;
mod options;
mod policy;
mod report;
mod rows;
mod run;
mod scenario;
mod targets;
mod traffic;
mod world;

use std::process::ExitCode;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use parking_lot::Mutex;

use crate::figures::Figures;
use crate::options::Options;
use crate::policy::Kind;
use crate::report::Line;
use crate::scenario::Case;
use crate::targets::Target;

fn main() -> ExitCode {
    match Options::parse(std::env::args().skip(1)).and_then(|options| print(&options)) {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::from(2)
        }
    }
}

/// Runs the rows asked for and prints what came of them; whether every target is met.
fn print(options: &Options) -> Result<bool> {
    let (lines, targets) = measure(options)?;
    let table = report::table(&lines);
    let verdicts = report::verdicts(&targets);
    println!("{table}\n{verdicts}");
    if let Some(file) = &options.keep {
        std::fs::write(file, report::page(options, &table, &verdicts))?;
    }
    Ok(targets.iter().all(Target::is_met))
}

/// One case under one policy, reduced.
struct Done {
    figures: Figures,
    targets: Vec<Target>,
}

/// The table and the targets, the same however many threads there are.
fn measure(options: &Options) -> Result<(Vec<Line>, Vec<Target>)> {
    let cases = options.cases()?;
    let jobs: Vec<(&Case, Kind)> =
        cases.iter().flat_map(|case| options.policies().iter().map(move |kind| (case, *kind))).collect();
    let next = AtomicUsize::new(0);
    let done: Vec<Mutex<Option<Result<Done>>>> = jobs.iter().map(|_| Mutex::new(None)).collect();
    let threads = std::thread::available_parallelism().map_or(1, usize::from).min(jobs.len());
    std::thread::scope(|scope| {
        for _ in 0..threads {
            scope.spawn(|| {
                loop {
                    let at = next.fetch_add(1, Ordering::Relaxed);
                    let Some((case, kind)) = jobs.get(at) else { break };
                    *done[at].lock() = Some(one(case, *kind));
                }
            });
        }
    });
    let (mut lines, mut targets) = (Vec::<Line>::new(), Vec::new());
    for ((case, kind), done) in jobs.into_iter().zip(done) {
        let Some(done) = done.into_inner() else { continue };
        let Done { figures, targets: more } = done?;
        targets.extend(more);
        let (row, demand) = (case.scenario.name.clone(), case.demand);
        match lines.last_mut().filter(|line| line.row == row && line.demand == demand) {
            Some(line) => line.figures.push((kind, figures)),
            None => lines.push(Line { row, demand, figures: vec![(kind, figures)] }),
        }
    }
    Ok((lines, targets::worst(targets)))
}

fn one(case: &Case, kind: Kind) -> Result<Done> {
    let trace = run::run(case, kind)?;
    let figures = Figures::of(case, &trace);
    let targets = if kind == Kind::Pool { targets::of(case, &trace, &figures) } else { Vec::new() };
    Ok(Done { figures, targets })
}
