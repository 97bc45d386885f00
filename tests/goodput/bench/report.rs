//! The table and the targets, as text for people and for `docs/bench-goodput.md`.

use std::fmt::Write as _;

use crate::bench::figures::Figures;
use crate::bench::options::Options;
use crate::bench::policy::Kind;
use crate::bench::targets::Target;

/// One line of the table: a row at one demand, under every policy that was run.
#[derive(Debug, PartialEq)]
pub(crate) struct Line {
    pub(crate) row: String,
    pub(crate) demand: u64,
    pub(crate) figures: Vec<(Kind, Figures)>,
}

const HEAD: &str = "\
| row | demand | policy | share | 429s | on 503s | failed | p50 | p99 |
|---|---|---|---|---|---|---|---|---|
";

/// The table.
pub(crate) fn table(lines: &[Line]) -> String {
    let mut text = HEAD.to_owned();
    for Line { row, demand, figures } in lines {
        for (kind, figures) in figures {
            let Figures { share, refused, overloaded, failed, wait: (p50, p99), .. } = figures;
            let seconds = |ms: &u64| *ms as f64 / 1_000.0;
            // Writing to a string has no way to fail.
            let _ = writeln!(
                text,
                "| {row} | {demand} % | {} | {:.1} % | {refused} | {overloaded} | {failed} | {:.1} s | {:.1} s |",
                kind.name(),
                share * 100.0,
                seconds(p50),
                seconds(p99)
            );
        }
    }
    text
}

/// The targets, each with its verdict.
pub(crate) fn verdicts(targets: &[Target]) -> String {
    let mut text =
        "| row | figure | worst at a demand of | is | must be | |\n|---|---|---|---|---|---|\n".to_owned();
    for target in targets {
        let _ = writeln!(text, "{target}");
    }
    let missed = targets.iter().filter(|target| !target.is_met()).count();
    let _ = writeln!(text, "\n{missed} of {} targets missed.", targets.len());
    text
}

/// The whole page.
pub(crate) fn page(options: &Options, table: &str, verdicts: &str) -> String {
    format!(
        "\
# Goodput under trouble

Output of `cargo xtask bench goodput`: the real rotator and limiter against the rules of `gemini-sim`, in one process
and in virtual time, so that the figures are the same on every machine. Seed {}, commit {}.

## What it must show

Each figure at the demand where it is worst. *Share of capacity* is the column *share* below. *Capacity after the
outage* compares the answers since its end with those of a pool that works at full capacity from 10 s and a call's
length after it. The server clock that is set back has no target.

{verdicts}
## Every run

- **demand**: arrivals, in per cent of the limits by their numbers.
- **share**: answers in ten minutes, after two to fill the windows, as a share of what was asked for and what the window
  arithmetic allows (60 s of 60.5 s), less what the row's trouble takes away. The server counts 60 s: a policy that
  finds out by 429s gets up to 0.8 % more.
- **429s**, **on 503s**: calls that were answered so. **failed**: requests without an answer, poisoned prompts aside.
- **p50**, **p99**: the wait from a request's arrival to the call that was answered. Nobody waits longer than 120 s.
- The plain policies: *round robin*, the next key on any error, five keys at most; a *random* key, which any error
  puts on a *cooldown* of 60 s; counters per key and *fixed minute* with three retries.

{table}",
        options.seed, options.commit
    )
}
