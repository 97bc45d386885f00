//! Eight processes on one store for minutes of real time, and what their logs, merged, say of the
//! promise: no window above a limit, and next to nothing of a limit unused.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::Duration;

use anyhow::{Context, Result, bail};
use keyrot_core::{Limits, PacificDay, Timestamp};
use keyrot_testkit::limiter::FREE;
use keyrot_testkit::limiter::log::{Admission, busiest, used};
use keyrot_testkit::server::{Kind, Server};

use crate::pool::COST;
use crate::worker;

pub(crate) const MODEL: &str = "soak";
const PROCESSES: usize = 8;
const MINUTE: Duration = Duration::from_secs(60);
/// What of a limit must be used.
const LEAST: f64 = 0.99;

/// The domains' limits: of requests, of tokens, of both where one of them binds, of a day that is used up in
/// two minutes.
pub(crate) const LIMITS: [Limits; 5] = [
    Limits { rpm: Some(60), ..FREE },
    Limits { rpm: Some(600), ..FREE },
    Limits { tpm: Some(20_000), ..FREE },
    Limits { rpm: Some(1_000), tpm: Some(30_000), ..FREE },
    Limits { rpm: Some(300), rpd: Some(500), ..FREE },
];

/// One domain's admissions, in order, by the store's stamps and by the instants of the grants.
#[derive(Debug, Default)]
struct Log {
    stamped: Vec<Admission>,
    granted: Vec<Admission>,
}

/// What is printed, and kept.
#[derive(Debug, Default)]
struct Report(String);

impl Report {
    fn line(&mut self, line: &str) {
        println!("{line}");
        self.0.push_str(line);
        self.0.push('\n');
    }
}

/// Soaks the stores and prints a report, which also goes to `keep`; whether every promise was kept.
///
/// Every second process runs `beside`, another build's benchmark, if there is one.
pub(crate) fn run(stores: &str, minutes: u64, beside: Option<&Path>, keep: Option<&Path>) -> Result<bool> {
    let stores = match stores {
        "all" => vec!["sqlite", "redis"],
        one => vec![one],
    };
    let mut report = Report::default();
    report.line("# The limiter, soaked\n");
    report.line(
        "The last output of `cargo xtask soak limiter`: each store under processes that ask as fast as they",
    );
    report.line("can and, when refused, sleep as long as they are told to and no longer.\n");
    report.line(&format!("{PROCESSES} processes, {minutes} minutes each store, {} cores.", cores()));
    let mut kept = true;
    for store in stores {
        kept &= soak(store, minutes, beside, &mut report)?;
    }
    report.line(
        "\nThe most in any window of 60 s, wherever it starts: by the store's stamps, and by the instants at",
    );
    report.line("which the processes had their grants. Use is (k − 1) · 60 s ÷ (the first admission of the k-th fill −");
    report.line(&format!("the very first); at least {:.0} % is asked for.", LEAST * 100.0));
    if let Some(path) = keep {
        fs::create_dir_all(path.parent().unwrap_or(path))?;
        fs::write(path, &report.0).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(kept)
}

fn soak(store: &str, minutes: u64, beside: Option<&Path>, report: &mut Report) -> Result<bool> {
    let folder = tempfile::tempdir()?;
    let server = (store == "redis").then(|| Server::start(Kind::Redis, &[]));
    let place = match store {
        "memory" => String::new(),
        "sqlite" => folder.path().join("state.db").to_string_lossy().into_owned(),
        _ => server.as_ref().with_context(|| format!("no store `{store}`"))?.url(),
    };
    let seconds = (minutes * 60).to_string();
    let logs: Vec<PathBuf> = (0..PROCESSES).map(|i| folder.path().join(format!("log-{i}"))).collect();
    let start = |(i, log): (usize, &PathBuf)| -> Result<Child> {
        let mut command = match beside.filter(|_| i % 2 == 1) {
            Some(other) => Command::new(other),
            None => Command::new(std::env::current_exe()?),
        };
        Ok(command.args([worker::COMMAND, store, &place, &seconds]).arg(log).spawn()?)
    };
    let children: Vec<Child> = logs.iter().enumerate().map(start).collect::<Result<_>>()?;
    for mut child in children {
        let status = child.wait()?;
        if !status.success() {
            bail!("a process ended with {status}");
        }
    }
    let (domains, asked, refused) = merge(&logs)?;
    report.line(&format!("\n## {store}: {asked} questions, {refused} refused\n"));
    report.line("| limits a minute | admitted | most, by stamps | most, by grants | use | promise |");
    report.line("|---|---|---|---|---|---|");
    let mut kept = true;
    for (domain, limits) in LIMITS.iter().enumerate() {
        let log = domains.get(&format!("p{domain}")).context("a domain nobody was admitted to")?;
        kept &= judge(limits, log, report);
    }
    Ok(kept)
}

fn judge(limits: &Limits, log: &Log, report: &mut Report) -> bool {
    let by_tokens = limits.tpm.map(|tpm| tpm / COST.tokens);
    let fill = limits.rpm.into_iter().chain(by_tokens).min().unwrap_or(1);
    let share = used(&log.granted, usize::try_from(fill).unwrap_or(usize::MAX)).unwrap_or(0.0);
    let (stamped, granted) = (busiest(&log.stamped, MINUTE), busiest(&log.granted, MINUTE));
    let within = |(requests, tokens): (u64, u64)| {
        limits.rpm.is_none_or(|rpm| requests <= rpm) && limits.tpm.is_none_or(|tpm| tokens <= tpm)
    };
    let admitted = log.granted.len();
    let in_day = limits.rpd.is_none_or(|rpd| most_in_a_day(&log.stamped) <= rpd);
    let kept = within(stamped) && within(granted) && in_day && share >= LEAST;
    let said = |rpm: Option<u64>, tpm: Option<u64>| {
        let number = |n: Option<u64>| n.map_or_else(|| "any".to_owned(), |n| n.to_string());
        format!("{} requests, {} tokens", number(rpm), number(tpm))
    };
    let a_day = limits.rpd.map_or_else(String::new, |rpd| format!(", {rpd} requests a day"));
    report.line(&format!(
        "| {}{a_day} | {admitted} | {} | {} | {:.2} % | {} |",
        said(limits.rpm, limits.tpm),
        said(Some(stamped.0), Some(stamped.1)),
        said(Some(granted.0), Some(granted.1)),
        share * 100.0,
        if kept { "kept" } else { "BROKEN" },
    ));
    kept
}

/// The most requests in a Pacific day, by the store's stamps.
fn most_in_a_day(stamped: &[Admission]) -> u64 {
    let mut days = BTreeMap::new();
    for admission in stamped {
        let day = PacificDay::containing(Timestamp::from_millis(admission.at / 1_000));
        *days.entry(day.start).or_default() += 1;
    }
    days.into_values().max().unwrap_or(0)
}

/// The admissions of all processes by domain, how many questions were asked, and how many refused.
fn merge(logs: &[PathBuf]) -> Result<(BTreeMap<String, Log>, u64, u64)> {
    let (mut domains, mut asked, mut refused) = (BTreeMap::<String, Log>::new(), 0, 0);
    for log in logs {
        let text = fs::read_to_string(log).with_context(|| format!("{}", log.display()))?;
        for line in text.lines() {
            match line.split(' ').collect::<Vec<_>>()[..] {
                ["asked", all, "refused", some] => {
                    asked += all.parse::<u64>()?;
                    refused += some.parse::<u64>()?;
                }
                [domain, stamp, at, tokens] => {
                    let (log, tokens) = (domains.entry(domain.to_owned()).or_default(), tokens.parse()?);
                    log.stamped.push(Admission { at: stamp.parse::<u64>()? * 1_000, tokens });
                    log.granted.push(Admission { at: at.parse()?, tokens });
                }
                _ => bail!("a line of a log: `{line}`"),
            }
        }
    }
    for log in domains.values_mut() {
        log.stamped.sort_unstable_by_key(|admission| admission.at);
        log.granted.sort_unstable_by_key(|admission| admission.at);
    }
    Ok((domains, asked, refused))
}

fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
