//! What the harness told, judged: nothing of it is taken on trust.

use keyrot::UntrustedText;
use serde_json::Value;

use super::report::{DatasetReport, ErrorInChain, Failure, LookAhead, Report, Status, StrategyInfo, Warning};
use super::runner::Request;
use super::verify::Computed;
use super::{draw, explain, verify};
use crate::data::{Dataset, written};
use crate::environment::EnvironmentFault;
use crate::harness::{Bounds, Message, Told};
use crate::sandbox::{Ended, Layers, Limit, Limits, Output};

/// The most lines that are kept: each indicator of a chart has one.
const MOST_LINES: usize = 20_000;
/// More trades than this for each bar are not those of a backtest.
const TRADES_OF_A_BAR: usize = 8;
/// Bytes kept of what the strategy printed.
const PRINTED: usize = 4 * 1024;
/// `EFBIG`: the file is larger than may be written.
const FILE_TOO_LARGE: i32 = 27;
/// `ENOSPC`: the disk that the run may fill is full.
const DISK_FULL: i32 = 28;

/// A report, made as the harness speaks.
pub(super) struct Judge<'a> {
    request: &'a Request,
    limits: Limits,
    layers: Layers,
    bounds: Bounds,
    /// What was said, until the process has ended: judging it takes time in which nothing is watched.
    lines: Vec<Vec<u8>>,
    report: Report,
    /// Something else than the harness wrote on the channel, or the harness what it never would.
    intruder: bool,
    started: bool,
    done: bool,
    /// Why the strategy was not even loaded, for reasons that are not its own.
    fault: Option<EnvironmentFault>,
}

impl<'a> Judge<'a> {
    pub(super) fn new(request: &'a Request, limits: Limits, layers: Layers) -> Self {
        let report = Report {
            schema: 1,
            status: Status::Ok,
            strategy: StrategyInfo { path: request.path.clone(), ..StrategyInfo::default() },
            sandbox: Vec::new(),
            took_ms: 0,
            results: request.data.iter().map(empty).collect(),
            failure: None,
            output: UntrustedText::default(),
        };
        let bounds = Bounds::new(request.data.iter().map(|data| data.prices.bars.len()), request.plot);
        let (intruder, started, done) = (false, false, false);
        Self {
            request,
            limits,
            layers,
            bounds,
            lines: Vec::new(),
            report,
            intruder,
            started,
            done,
            fault: None,
        }
    }

    pub(super) fn bounds(&self) -> Bounds {
        self.bounds
    }

    /// Keeps the next line of the channel, up to the bounds of all.
    pub(super) fn keep(&mut self, line: &[u8]) {
        if self.lines.len() < MOST_LINES {
            self.lines.push(line.to_owned());
        } else {
            self.intruder = true;
        }
    }

    fn line(&mut self, line: &[u8]) {
        self.intruder |= self.done;
        match Message::read(line, self.bounds) {
            Some(Message::Entered { own_disk }) if !self.started => self.layers.own_disk = own_disk,
            Some(Message::Environment { message }) if !self.started => {
                self.fault.get_or_insert(EnvironmentFault::Start { why: message.to_string() });
            }
            Some(Message::Started {}) if !self.started => self.started = true,
            Some(Message::Done {}) => self.done = true,
            Some(message) => self.intruder |= self.take(message).is_none(),
            None => self.intruder = true,
        }
    }

    /// # Errors
    /// Where the strategy was not even loaded, for reasons that are not its own.
    pub(super) fn finish(mut self, output: &Output) -> Result<Report, EnvironmentFault> {
        for line in std::mem::take(&mut self.lines) {
            self.line(&line);
        }
        if let Some(fault) = self.fault {
            return Err(fault);
        }
        self.report.sandbox = self.layers.names();
        self.report.took_ms = u64::try_from(output.took.as_millis()).unwrap_or(u64::MAX);
        self.report.output = printed(output);
        self.end(output);
        self.conclude();
        Ok(self.report)
    }

    /// Puts a message in its place; `None` where it has none, or the place is taken.
    fn take(&mut self, message: Message) -> Option<()> {
        let report = &mut self.report;
        match message {
            Message::Loaded { name, parameters, unknown } if report.strategy.name.is_none() => {
                report.strategy.name = Some(name);
                if !unknown.is_empty() {
                    report.failure = Some(unknown_parameters(&unknown, parameters.keys()));
                }
                report.strategy.params = parameters;
            }
            Message::Failed { stage, dataset: None, errors } if report.failure.is_none() => {
                report.failure = Some(failure(self.limits, stage, errors));
            }
            Message::Failed { stage, dataset: Some(i), errors } => {
                let result = report.results.get_mut(i).filter(|result| result.failure.is_none())?;
                result.failure = Some(failure(self.limits, stage, errors));
            }
            Message::Result(told) => {
                let i = told.dataset;
                let bars = self.request.data.get(i)?.prices.bars.len();
                if told.trades.len() > TRADES_OF_A_BAR.saturating_mul(bars) {
                    return None;
                }
                let result =
                    report.results.get_mut(i).filter(|r| r.metrics.is_none() && r.failure.is_none())?;
                fill(result, self.request.data.get(i)?, *told);
            }
            Message::LookAhead { dataset, cuts, differences } => {
                let result = report.results.get_mut(dataset).filter(|result| result.look_ahead.is_none())?;
                result.look_ahead = Some(LookAhead { cuts, differences });
            }
            Message::Line(line) if self.request.plot => draw::keep(report, *line)?,
            Message::Loaded { .. }
            | Message::Failed { .. }
            | Message::Entered { .. }
            | Message::Environment { .. }
            | Message::Line(_)
            | Message::Started {}
            | Message::Done {} => return None,
        }
        Some(())
    }

    /// How the process ended, where that says more than its messages.
    fn end(&mut self, output: &Output) {
        let failure = match output.ended {
            Ended::Limit(reached) => limit(self.limits, reached),
            Ended::Cancelled => return,
            Ended::Itself { .. } if self.report.failure.is_some() => return,
            Ended::Itself { code, signal } if !self.done => match signal {
                // The kernel's last resort.
                Some(9) => limit(self.limits, Limit::Memory),
                _ => ended_itself(code, signal),
            },
            Ended::Itself { .. } if !self.started || self.report.strategy.name.is_none() => {
                ended_itself(Some(0), None)
            }
            Ended::Itself { .. } => {
                // A backtest that nothing is known of did not happen.
                for result in &mut self.report.results {
                    if result.metrics.is_none() && result.failure.is_none() {
                        result.failure = Some(ended_itself(Some(0), None));
                    }
                }
                return;
            }
        };
        self.report.failure = Some(failure);
    }

    fn conclude(&mut self) {
        let Self { report, intruder, .. } = self;
        let params = report.strategy.params.clone();
        for result in &mut report.results {
            if result.metrics.is_some() {
                let mut found = explain::warnings(result, &params);
                result.warnings.append(&mut found);
            }
            let unlooked = self.request.look_ahead && result.look_ahead.is_none() && result.failure.is_none();
            let doubt = match () {
                () if *intruder => Some("something else than the harness wrote on its channel"),
                () if unlooked => Some("whether its decisions depend on the future was not reported"),
                () => None,
            };
            if let (Some(metrics), Some(doubt)) = (&mut result.metrics, doubt) {
                metrics.verified = false;
                result.warnings.push(unverified(doubt));
            }
        }
        let failures = || {
            report.failure.iter().chain(report.results.iter().filter_map(|result| result.failure.as_ref()))
        };
        let unverified =
            *intruder || report.results.iter().any(|r| r.metrics.as_ref().is_some_and(|m| !m.verified));
        report.status = if failures().any(|failure| matches!(failure, Failure::Limit { .. })) {
            Status::Limit
        } else if failures().next().is_some() {
            Status::Failed
        } else if unverified {
            Status::Unverified
        } else {
            Status::Ok
        };
    }
}

/// A failure by its errors: some are limits.
fn failure(limits: Limits, stage: UntrustedText, errors: Vec<ErrorInChain>) -> Failure {
    let numbers = || errors.iter().filter_map(|error| error.errno);
    if errors.iter().any(|error| error.class.as_str().ends_with("MemoryError")) {
        return limit(limits, Limit::Memory);
    }
    if numbers().any(|number| number == FILE_TOO_LARGE) {
        return limit(limits, Limit::FileSize);
    }
    if numbers().any(|number| number == DISK_FULL) {
        return limit(limits, Limit::Files);
    }
    let hint = explain::remedy(&errors);
    Failure::Strategy { stage, errors, hint }
}

fn limit(limits: Limits, reached: Limit) -> Failure {
    let message = match reached {
        Limit::Time => {
            format!("stopped after {} s; hint: allow more with `--timeout`", limits.wall.as_secs_f64())
        }
        Limit::Memory => format!(
            "it needs more than {} MiB of memory; hint: allow more with `--memory`",
            limits.memory >> 20
        ),
        Limit::Output => {
            "stopped: it printed more than 1 MiB, or reported more than a backtest can; hint: a strategy prints \
             nothing"
                .to_owned()
        }
        Limit::FileSize => {
            "stopped: it wrote a file of more than 16 MiB; hint: a strategy writes nothing".to_owned()
        }
        Limit::Files => {
            "stopped: it wrote too many or too large files; hint: a strategy writes nothing".to_owned()
        }
        Limit::Threads => {
            "stopped: it started too many threads; hint: a strategy needs none".to_owned()
        }
    };
    Failure::Limit { limit: reached, message }
}

fn unverified(why: &str) -> Warning {
    Warning {
        code: "unverified",
        message: format!("the result is not confirmed: {why}").into(),
        hint: Some("do not trust it".to_owned()),
    }
}

fn empty(data: &Dataset) -> DatasetReport {
    let bars = &data.prices.bars;
    let daily = bars.iter().all(|bar| bar.time.rem_euclid(86_400) == 0);
    let day = |bar: Option<&crate::data::Bar>| bar.map_or_else(String::new, |bar| written(bar.time, daily));
    let notes = data.prices.notes.iter();
    DatasetReport {
        dataset: data.prices.name.clone(),
        bars: bars.len(),
        from: day(bars.first()),
        to: day(bars.last()),
        costs: data.costs,
        metrics: None,
        stats: serde_json::Map::new(),
        trades: Vec::new(),
        open: Vec::new(),
        equity: Vec::new(),
        indicators: Vec::new(),
        orders: 0,
        rejected_orders: 0,
        look_ahead: None,
        lines: Vec::new(),
        plot: None,
        warnings: notes
            .map(|note| Warning { code: "data", message: note.as_str().into(), hint: None })
            .collect(),
        failure: None,
    }
}

fn fill(result: &mut DatasetReport, data: &Dataset, told: Told) {
    let Told { dataset: _, stats, mut trades, open, equity, indicators, orders, rejected_orders, warnings } =
        told;
    let Computed { metrics, equity, doubts } = verify::headline(data, &trades, &open, &stats, &equity);
    let bars = &data.prices.bars;
    let daily = bars.iter().all(|bar| bar.time.rem_euclid(86_400) == 0);
    for trade in &mut trades {
        let time = |bar: usize| bars.get(bar).map_or_else(String::new, |bar| written(bar.time, daily));
        trade.entry_time = time(trade.entry_bar);
        trade.exit_time = time(trade.exit_bar);
    }
    result.warnings.extend(warnings.into_iter().map(|message| Warning {
        code: "library",
        message,
        hint: None,
    }));
    if let Some((first, others)) = doubts.split_first() {
        let more = if others.is_empty() { String::new() } else { format!(" (and {} more)", others.len()) };
        result.warnings.push(unverified(&format!("{first}{more}")));
    }
    result.metrics = Some(metrics);
    result.stats = stats;
    result.trades = trades;
    result.open = open;
    result.equity = equity.into_iter().map(Some).collect();
    result.indicators = indicators;
    result.orders = orders;
    result.rejected_orders = rejected_orders;
}

fn unknown_parameters<'a>(unknown: &[UntrustedText], known: impl Iterator<Item = &'a String>) -> Failure {
    let known: Vec<_> = known.map(|name| UntrustedText::from(name.as_str()).to_string()).collect();
    let unknown: Vec<_> = unknown.iter().map(ToString::to_string).collect();
    let message = format!("the strategy has no parameter `{}`", unknown.join("`, `"));
    let error = ErrorInChain {
        class: "AttributeError".into(),
        message: message.into(),
        frames: Vec::new(),
        errno: None,
    };
    let hint = if known.is_empty() {
        "it has none at all".to_owned()
    } else {
        format!("it has `{}`", known.join("`, `"))
    };
    Failure::Strategy { stage: "params".into(), errors: vec![error], hint: Some(hint) }
}

fn ended_itself(code: Option<i32>, signal: Option<i32>) -> Failure {
    let how = match (code, signal) {
        (_, Some(signal)) => format!("signal {signal}"),
        (Some(code), None) => format!("code {code}"),
        (None, None) => "no code".to_owned(),
    };
    let message = format!("the process ended with {how} before the backtest did");
    let error =
        ErrorInChain { class: "SystemExit".into(), message: message.into(), frames: Vec::new(), errno: None };
    let hint = Some("a strategy never ends the program".to_owned());
    Failure::Strategy { stage: "run".into(), errors: vec![error], hint }
}

/// What was printed, as far as it is kept; bytes that are no text are replaced.
fn printed(output: &Output) -> UntrustedText {
    let both = [output.stdout.as_slice(), output.stderr.as_slice()].concat();
    UntrustedText::bounded(&String::from_utf8_lossy(&both), PRINTED)
}

/// A value of `--set`: a number, a truth, or else a word.
pub(super) fn value(text: &str) -> Value {
    match text {
        "true" | "True" => Value::Bool(true),
        "false" | "False" => Value::Bool(false),
        text => serde_json::from_str(text)
            .ok()
            .filter(Value::is_number)
            .unwrap_or_else(|| Value::String(text.to_owned())),
    }
}
