//! The benchmark itself: every row at every demand under every policy, on as many threads as there are cores.

mod clock;
mod figures;
mod options;
mod policy;
mod report;
mod rows;
mod run;
mod scenario;
mod store;
mod targets;
mod traffic;
mod world;

use std::io::Write;
use std::sync::atomic::{AtomicUsize, Ordering};

use anyhow::Result;
use parking_lot::Mutex;

use crate::bench::figures::Figures;
use crate::bench::options::Options;
use crate::bench::policy::Kind;
use crate::bench::report::Line;
use crate::bench::scenario::Case;
use crate::bench::targets::Target;

/// Runs the rows that `args` ask for and writes what came of them to `out`; `true` when every target is met.
pub(crate) fn run_with(args: impl IntoIterator<Item = String>, out: &mut impl Write) -> Result<bool> {
    let options = Options::parse(args)?;
    let (lines, targets) = measure(&options)?;
    let table = report::table(&lines);
    let verdicts = report::verdicts(&targets);
    writeln!(out, "{table}\n{verdicts}")?;
    if let Some(file) = &options.keep {
        std::fs::write(file, report::page(&options, &table, &verdicts))?;
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
