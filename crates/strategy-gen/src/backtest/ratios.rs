//! Ratios of an account, by the rules of backtesting.py's own statistics, so that both come to the same number.

use jiff::civil::{Date, date};

use super::report::Trade;
use crate::data::Bar;

const DAY: i64 = 86_400;
/// Bars whose distances decide how far bars are apart.
const SAMPLE: usize = 100;

/// How far bars are apart, as far as a year's worth of them depends on it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Period {
    Day,
    Week,
    Month,
    Year,
}

/// The Sharpe ratio, without a risk-free rate; `None` where the account never moves.
pub(super) fn sharpe(bars: &[Bar], equity: &[f64]) -> Option<f64> {
    let period = period(bars);
    let closes = last_of_each(period, bars, equity);
    // Of nothing there is no return.
    let returns = closes.windows(2).map(|pair| pair[1] / pair[0] - 1.0).filter(|gain| !gain.is_nan());
    let returns: Vec<f64> = returns.collect();
    let mean = geometric_mean(&returns)?;
    let years = periods_in_a_year(period, bars);
    let annual = (1.0 + mean).powf(years) - 1.0;
    let spread = (variance(&returns)? + (1.0 + mean).powi(2)).powf(years) - (1.0 + mean).powf(2.0 * years);
    let volatility = spread.sqrt();
    let ratio = annual / volatility;
    (volatility > 0.0 && ratio.is_finite()).then_some(ratio)
}

/// The share of bars with a position, in percent.
pub(super) fn exposure(bars: &[Bar], trades: &[Trade]) -> Option<f64> {
    let mut changes = vec![0_i64; bars.len() + 1];
    for trade in trades {
        *changes.get_mut(trade.entry_bar)? += 1;
        *changes.get_mut(trade.exit_bar + 1)? -= 1;
    }
    let mut open = 0;
    let held = changes[..bars.len()].iter().filter(|change| {
        open += **change;
        open > 0
    });
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 bars")]
    let share = |part: usize| 100.0 * part as f64 / bars.len() as f64;
    (!bars.is_empty()).then(|| share(held.count()))
}

fn period(bars: &[Bar]) -> Period {
    let last = &bars[bars.len().saturating_sub(SAMPLE)..];
    let mut apart: Vec<i64> = last.windows(2).map(|pair| pair[1].time - pair[0].time).collect();
    apart.sort_unstable();
    let middle = apart.len() / 2;
    // The median; of two in the middle their mean.
    let median = match (apart.get(middle), apart.len() % 2) {
        (Some(upper), 0) => (apart[middle - 1] + upper) / 2,
        (Some(middle), _) => *middle,
        (None, _) => DAY,
    };
    match median / DAY {
        7 => Period::Week,
        31 => Period::Month,
        365 => Period::Year,
        _ => Period::Day,
    }
}

fn day_of(bar: &Bar) -> i64 {
    bar.time.div_euclid(DAY)
}

fn calendar(day: i64) -> Date {
    date(1970, 1, 1).saturating_add(jiff::Span::new().days(day.clamp(-700_000, 2_900_000)))
}

/// The account at the end of each day, week (to Sunday), month or year that has a bar.
fn last_of_each(period: Period, bars: &[Bar], equity: &[f64]) -> Vec<f64> {
    let name = |bar: &Bar| {
        let day = day_of(bar);
        match period {
            Period::Day => day,
            // The first of January 1970 was a Thursday.
            Period::Week => (day + 3).div_euclid(7),
            Period::Month => i64::from(calendar(day).year()) * 12 + i64::from(calendar(day).month()),
            Period::Year => i64::from(calendar(day).year()),
        }
    };
    let mut found: Vec<(i64, f64)> = Vec::new();
    for (bar, money) in bars.iter().zip(equity) {
        let name = name(bar);
        match found.last_mut() {
            Some(last) if last.0 == name => last.1 = *money,
            _ => found.push((name, *money)),
        }
    }
    found.into_iter().map(|(_, money)| money).collect()
}

fn periods_in_a_year(period: Period, bars: &[Bar]) -> f64 {
    match period {
        Period::Week => 52.0,
        Period::Month => 12.0,
        Period::Year => 1.0,
        Period::Day => {
            // Saturdays and Sundays.
            let weekends = bars.iter().filter(|bar| (day_of(bar) + 3).rem_euclid(7) >= 5).count();
            #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 bars")]
            let share = weekends as f64 / bars.len().max(1) as f64;
            if share > 2.0 / 7.0 * 0.6 { 365.0 } else { 252.0 }
        }
    }
}

/// 0 where something is lost altogether.
fn geometric_mean(returns: &[f64]) -> Option<f64> {
    if returns.iter().any(|gain| 1.0 + gain <= 0.0) {
        return Some(0.0);
    }
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 returns")]
    let count = returns.len() as f64;
    (count > 0.0).then(|| (returns.iter().map(|gain| gain.ln_1p()).sum::<f64>() / count).exp() - 1.0)
}

/// Of a sample.
fn variance(values: &[f64]) -> Option<f64> {
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 values")]
    let count = values.len() as f64;
    let mean = values.iter().sum::<f64>() / count;
    let squares: f64 = values.iter().map(|value| (value - mean).powi(2)).sum();
    (count > 1.0).then(|| squares / (count - 1.0))
}
