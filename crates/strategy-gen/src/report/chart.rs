//! Charts as SVG, which need no script and nothing from anywhere.

use std::fmt::Write as _;

use super::calendar::iso;
use super::data::{Run, Trade};
use super::escape::Text;
use super::scale::{Scale, path, range, short};

const WIDTH: f64 = 960.0;
/// Room for the words at the left and at the foot.
const LEFT: f64 = 56.0;
const FOOT: f64 = 22.0;
const TOP: f64 = 10.0;
const RIGHT: f64 = 12.0;
/// Columns with a value of their own.
const COLUMNS: usize = 480;

/// The frame of a chart over time.
struct Frame {
    svg: String,
    x: Scale,
    y: Scale,
    height: f64,
}

impl Frame {
    fn new(label: &str, times: &[i64], (low, high): (f64, f64), height: f64) -> Self {
        let bars = times.len().saturating_sub(1).max(1) as f64;
        let x = Scale::new(0.0, bars, LEFT, WIDTH - RIGHT);
        let y = Scale::new(low, high, height - FOOT, TOP);
        let svg =
            format!("<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"{}\">", Text(label));
        let mut frame = Self { svg, x, y, height };
        frame.grid();
        frame.dates(times);
        frame
    }

    fn grid(&mut self) {
        for value in self.y.ticks(4) {
            let y = self.y.at(value);
            let _ = write!(
                self.svg,
                "<line class=\"grid\" x1=\"{LEFT}\" x2=\"{:.0}\" y1=\"{y:.1}\" y2=\"{y:.1}\"/>\
                 <text x=\"{:.0}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                WIDTH - RIGHT,
                LEFT - 6.0,
                y + 4.0,
                short(value),
            );
        }
    }

    fn dates(&mut self, times: &[i64]) {
        let last = times.len().saturating_sub(1);
        for part in 0..=4 {
            let bar = last * part / 4;
            let Some(ms) = times.get(bar) else { return };
            let anchor = match part {
                0 => "start",
                4 => "end",
                _ => "middle",
            };
            let _ = write!(
                self.svg,
                "<text x=\"{:.0}\" y=\"{:.0}\" text-anchor=\"{anchor}\">{}</text>",
                self.x.at(bar as f64),
                self.height - 6.0,
                iso(*ms),
            );
        }
    }

    fn line(&mut self, class: &str, values: &[f64]) {
        let d = path(values, COLUMNS, self.x, self.y);
        let _ = write!(self.svg, "<path class=\"{class}\" d=\"{d}\"/>");
    }

    fn end(mut self) -> String {
        self.svg.push_str("</svg>");
        self.svg
    }
}

/// What the account was worth, beside being invested all the time.
pub(super) fn equity(run: &Run) -> String {
    let bounds = range(run.equity.iter().chain(&run.benchmark));
    let mut frame = Frame::new("equity and buy-and-hold", &run.times, bounds, 300.0);
    frame.line("two", &run.benchmark);
    frame.line("one", &run.equity);
    frame.end()
}

/// How far below its height the account was, in per cent.
pub(super) fn drawdown(run: &Run) -> String {
    let mut peak = f64::NEG_INFINITY;
    let below = |value: &f64| {
        peak = peak.max(*value);
        if peak > 0.0 { (value / peak - 1.0) * 100.0 } else { 0.0 }
    };
    let values: Vec<f64> = run.equity.iter().map(below).collect();
    let (low, _) = range(&values);
    let mut frame = Frame::new("drawdown in per cent", &run.times, (low.min(-1.0), 0.0), 160.0);
    let line = path(&values, COLUMNS, frame.x, frame.y);
    if !line.is_empty() {
        let last = frame.x.at(values.len().saturating_sub(1) as f64);
        let zero = frame.y.at(0.0);
        let _ = write!(
            frame.svg,
            "<path class=\"down\" d=\"M{LEFT} {zero:.1}L{}L{last:.1} {zero:.1}Z\"/>",
            &line[1..]
        );
    }
    frame.end()
}

/// The price, with a line from each entry to its exit.
pub(super) fn trades(run: &Run) -> String {
    let of_trades = run.trades.iter().flat_map(|trade| [&trade.entry_price, &trade.exit_price]);
    let mut frame =
        Frame::new("price and trades", &run.times, range(run.prices.iter().chain(of_trades)), 300.0);
    frame.line("two", &run.prices);
    for trade in
        run.trades.iter().filter(|trade| trade.entry < run.times.len() && trade.exit < run.times.len())
    {
        let class = if trade.profit >= 0.0 { "win" } else { "loss" };
        let (x1, y1) = (frame.x.at(trade.entry as f64), frame.y.at(trade.entry_price));
        let (x2, y2) = (frame.x.at(trade.exit as f64), frame.y.at(trade.exit_price));
        let _ = write!(
            frame.svg,
            "<path class=\"{class} mark\" d=\"M{x1:.1} {y1:.1}L{x2:.1} {y2:.1}\"><title>{}</title></path>\
             <path class=\"{class} mark\" d=\"{}\"/>",
            Text(&words(trade, &run.times)),
            arrow(x1, y1, trade.size > 0.0),
        );
    }
    frame.end()
}

/// A small arrow at an entry: upwards for a long one.
fn arrow(x: f64, y: f64, is_long: bool) -> String {
    let (tip, foot) = if is_long { (y + 4.0, y + 9.0) } else { (y - 4.0, y - 9.0) };
    format!("M{:.1} {foot:.1}L{x:.1} {tip:.1}L{:.1} {foot:.1}", x - 3.5, x + 3.5)
}

fn words(trade: &Trade, times: &[i64]) -> String {
    let side = if trade.size > 0.0 { "long" } else { "short" };
    format!(
        "{side} {} from {} at {} to {} at {}: {}",
        short(trade.size.abs()),
        times.get(trade.entry).copied().map(iso).unwrap_or_default(),
        short(trade.entry_price),
        times.get(trade.exit).copied().map(iso).unwrap_or_default(),
        short(trade.exit_price),
        short(trade.profit),
    )
}

/// A line without any words, for a cell of a table.
pub(super) fn sparkline(values: &[f64]) -> String {
    let (low, high) = range(values);
    let x = Scale::new(0.0, values.len().saturating_sub(1).max(1) as f64, 1.0, 119.0);
    let d = path(values, 60, x, Scale::new(low, high, 29.0, 1.0));
    format!("<svg viewBox=\"0 0 120 30\" aria-hidden=\"true\"><path class=\"one\" d=\"{d}\"/></svg>")
}

/// Several accounts on one chart, each by how many times its first value it became, over its own bars. `marked`
/// stands out.
pub(super) fn overlay(accounts: &[(&str, &[f64])], marked: usize) -> String {
    let grown: Vec<Vec<f64>> = accounts
        .iter()
        .map(|(_, values)| {
            let first = values.first().copied().filter(|first| *first > 0.0).unwrap_or(1.0);
            values.iter().map(|value| value / first).collect()
        })
        .collect();
    let height = 320.0;
    let y = Scale::new(range(grown.iter().flatten()).0, range(grown.iter().flatten()).1, height - FOOT, TOP);
    let x = Scale::new(0.0, 1.0, LEFT, WIDTH - RIGHT);
    let svg = format!(
        "<svg viewBox=\"0 0 {WIDTH} {height}\" role=\"img\" aria-label=\"growth of every strategy\">"
    );
    let mut frame = Frame { svg, x, y, height };
    frame.grid();
    for (n, ((name, _), values)) in accounts.iter().zip(&grown).enumerate().rev() {
        frame.x = Scale::new(0.0, values.len().saturating_sub(1).max(1) as f64, LEFT, WIDTH - RIGHT);
        let class = if n == marked { "one mark" } else { "two" };
        let d = path(values, COLUMNS, frame.x, frame.y);
        let _ = write!(frame.svg, "<path class=\"{class}\" d=\"{d}\"><title>{}</title></path>", Text(name));
    }
    frame.end()
}
