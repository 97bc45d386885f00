//! The headline figures once more, from the trades and the prices that were handed out.
//!
//! The harness shares its interpreter with the strategy, so that what it tells may be a forgery. Here its trades are
//! held against the prices, and the account is kept again.

use serde_json::{Map, Value};

use super::ratios;
use super::report::{Metrics, OpenTrade, Trade};
use crate::data::{Bar, Costs, Dataset};

/// Two sums of the same thousands of numbers differ by less.
const CLOSE: f64 = 1e-6;
/// How much more than is there may be spent: commissions and roundings, and never a broker's loan.
const SLACK: f64 = 1.05;
/// More than these change nothing.
const MOST_DOUBTS: usize = 100;

/// What is computed here.
#[derive(Debug)]
pub(super) struct Computed {
    pub(super) metrics: Metrics,
    /// Money at the end of each bar.
    pub(super) equity: Vec<f64>,
    /// What does not fit.
    pub(super) doubts: Vec<String>,
}

/// The headline and the account, and what of the rest does not fit.
pub(super) fn headline(
    data: &Dataset,
    trades: &[Trade],
    open: &[OpenTrade],
    stats: &Map<String, Value>,
    reported: &[Option<f64>],
) -> Computed {
    let bars = &data.prices.bars;
    let mut doubts = Vec::new();
    let impossible = |(i, trade): (usize, &Trade)| {
        let why = possible(trade, bars, &data.costs).err()?;
        Some(format!("trade {}: {why}", i + 1))
    };
    doubts.extend(trades.iter().enumerate().filter_map(impossible).take(MOST_DOUBTS));
    if open.iter().any(|trade| !could_be_open(trade, bars, &data.costs)) {
        doubts.push("a trade is reported to be open that cannot be".to_owned());
    }
    let (usable, open): (&[Trade], &[OpenTrade]) =
        if doubts.is_empty() { (trades, open) } else { (&[], &[]) };
    let mut equity = account(bars, &data.costs, usable, &mut doubts);
    if let (Some(last), Some(bar)) = (equity.last_mut().filter(|last| **last > 0.0), bars.last()) {
        let bought: f64 = open.iter().map(|trade| trade.size.abs() * trade.entry_price).sum();
        if bought > SLACK * *last {
            doubts.push("more is reported to be open than could be paid".to_owned());
        }
        for trade in open {
            *last += trade.size * (bar.close - trade.entry_price);
            *last -= trade.size.abs() * trade.entry_price * data.costs.commission;
        }
    }
    if doubts.is_empty() {
        doubts.extend(differs(reported, &equity));
    }
    let won = usable.iter().filter(|trade| gain(trade, &data.costs) > 0.0).count();
    let told = |name: &str| stats.get(name).and_then(Value::as_f64);
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 trades")]
    let share = |part: usize, whole: usize| (whole > 0).then(|| 100.0 * part as f64 / whole as f64);
    let mut metrics = Metrics {
        return_pct: 100.0 * (last(&equity) / data.costs.cash - 1.0),
        benchmark_pct: match (bars.first(), bars.last()) {
            (Some(first), Some(last)) => 100.0 * (last.close / first.close - 1.0),
            _ => 0.0,
        },
        trades: usable.len(),
        win_rate_pct: share(won, usable.len()),
        max_drawdown_pct: drawdown(&equity),
        verified: false,
        sharpe: ratios::sharpe(bars, &equity),
        exposure_pct: ratios::exposure(bars, usable),
        // The sum of nothing would be negative zero.
        commission: 0.0 + usable.iter().map(|trade| commission(trade, &data.costs)).sum::<f64>(),
    };
    #[expect(clippy::cast_precision_loss, reason = "there are far fewer than 2^53 trades")]
    let trades = metrics.trades as f64;
    for (name, ours) in [
        ("Return [%]", Some(metrics.return_pct)),
        ("# Trades", Some(trades)),
        ("Win Rate [%]", metrics.win_rate_pct),
        ("Max. Drawdown [%]", Some(metrics.max_drawdown_pct)),
    ] {
        match (told(name), ours) {
            (None, None) => {}
            (Some(theirs), Some(ours)) if close(theirs, ours) => {}
            (theirs, ours) => doubts.push(format!(
                "{name} is reported as {} and computed as {}",
                shown(theirs),
                shown(ours)
            )),
        }
    }
    metrics.verified = doubts.is_empty();
    Computed { metrics, equity, doubts }
}

/// Where the account that was reported is not the one that was computed.
fn differs(reported: &[Option<f64>], computed: &[f64]) -> Option<String> {
    if reported.len() != computed.len() {
        return Some(format!(
            "the account has {} bars and the prices have {}",
            reported.len(),
            computed.len()
        ));
    }
    let mut pairs = reported.iter().zip(computed).enumerate();
    let (bar, (theirs, ours)) =
        pairs.find(|(_, (theirs, ours))| theirs.is_none_or(|theirs| !close(theirs, **ours)))?;
    Some(format!("the account on bar {bar} is reported as {} and computed as {ours:.6}", shown(*theirs)))
}

fn shown(value: Option<f64>) -> String {
    value.map_or_else(|| "nothing".to_owned(), |value| format!("{value:.6}"))
}

fn close(one: f64, other: f64) -> bool {
    (one - other).abs() <= CLOSE * one.abs().max(other.abs()).max(1.0)
}

/// Whether a trade could have happened at these prices.
fn possible(trade: &Trade, bars: &[Bar], costs: &Costs) -> Result<(), String> {
    let (Some(entry), Some(exit)) = (bars.get(trade.entry_bar), bars.get(trade.exit_bar)) else {
        return Err("it has a bar that does not exist".to_owned());
    };
    if trade.entry_bar > trade.exit_bar {
        return Err("it ends before it begins".to_owned());
    }
    if !trade.size.is_finite() || trade.size == 0.0 {
        return Err(format!("its size is {}", trade.size));
    }
    let before_spread = trade.entry_price / (1.0 + costs.spread.copysign(trade.size));
    if !within(before_spread, entry) {
        return Err(format!("there was no price of {} on its first bar", trade.entry_price));
    }
    if !within(trade.exit_price, exit) {
        return Err(format!("there was no price of {} on its last bar", trade.exit_price));
    }
    if !close(trade.pnl, gain(trade, costs)) {
        return Err(format!("its gain is reported as {} and is {}", trade.pnl, gain(trade, costs)));
    }
    Ok(())
}

/// Only an order of the last bar is left open.
fn could_be_open(trade: &OpenTrade, bars: &[Bar], costs: &Costs) -> bool {
    let Some(bar) = bars.last() else { return false };
    let price = trade.entry_price / (1.0 + costs.spread.copysign(trade.size));
    trade.entry_bar + 1 == bars.len() && trade.size.is_finite() && within(price, bar)
}

fn within(price: f64, bar: &Bar) -> bool {
    price >= bar.low * (1.0 - 1e-9) && price <= bar.high * (1.0 + 1e-9)
}

fn commission(trade: &Trade, costs: &Costs) -> f64 {
    trade.size.abs() * (trade.entry_price + trade.exit_price) * costs.commission
}

fn gain(trade: &Trade, costs: &Costs) -> f64 {
    trade.size * (trade.exit_price - trade.entry_price) - commission(trade, costs)
}

/// Money at the end of each bar. A broker does not lend: what is bought was there to be paid, beside all that was
/// held already. One pass over bars and trades, for nobody bounds how many of both there are.
fn account(bars: &[Bar], costs: &Costs, trades: &[Trade], doubts: &mut Vec<String>) -> Vec<f64> {
    let mut entries: Vec<&Trade> = trades.iter().collect();
    entries.sort_by_key(|trade| trade.entry_bar);
    let mut exits: Vec<&Trade> = trades.iter().collect();
    exits.sort_by_key(|trade| trade.exit_bar);
    let (mut entries, mut exits) = (entries.into_iter().peekable(), exits.into_iter().peekable());
    // Of all that is open: units, with and without their sign, and what they were bought for.
    let (mut net, mut gross, mut basis) = (0.0, 0.0, 0.0);
    let mut cash = costs.cash;
    let mut equity = Vec::with_capacity(bars.len());
    for (i, bar) in bars.iter().enumerate() {
        let (mut bought, mut gained, mut ended) = (0.0, 0.0, 0.0);
        while let Some(trade) = entries.next_if(|trade| trade.entry_bar == i) {
            cash -= trade.size.abs() * trade.entry_price * costs.commission;
            net += trade.size;
            gross += trade.size.abs();
            basis += trade.size * trade.entry_price;
            // What is bought and sold on one bar may have been paid with what another such trade gave back.
            if trade.exit_bar > i {
                // Of several short sales each one's gain up to the close may pay for the next.
                bought += trade.size.abs() * trade.entry_price.min(bar.close);
                gained += trade.size * (bar.close - trade.entry_price);
                ended += trade.size.abs();
            } else if trade.size.abs() * trade.entry_price
                > SLACK * equity.last().copied().unwrap_or(cash).max(cash)
            {
                doubts.push(format!("on bar {i} more was bought than could be paid"));
            }
        }
        while let Some(trade) = exits.next_if(|trade| trade.exit_bar == i) {
            cash += trade.size * (trade.exit_price - trade.entry_price);
            cash -= trade.size.abs() * trade.exit_price * costs.commission;
            net -= trade.size;
            gross -= trade.size.abs();
            basis -= trade.size * trade.entry_price;
        }
        let now: f64 = cash + net * bar.close - basis;
        let before = equity.last().copied().unwrap_or(costs.cash);
        // Sizes are settled at the bar's close, which may be far from its open.
        let held = (gross - ended) * bar.close;
        if bought > 0.0 && bought + held > SLACK * now.max(before).max(now - gained) {
            doubts.push(format!("on bar {i} more was bought than could be paid"));
        }
        if doubts.len() > MOST_DOUBTS || now <= 0.0 {
            // Ruined: the backtest ends, and nothing is left.
            equity.resize(bars.len(), 0.0);
            break;
        }
        equity.push(now);
    }
    equity
}

fn last(equity: &[f64]) -> f64 {
    equity.last().copied().unwrap_or_default()
}

fn drawdown(equity: &[f64]) -> f64 {
    let mut peak = f64::MIN_POSITIVE;
    let deepest = equity.iter().fold(0.0_f64, |deepest, now| {
        peak = peak.max(*now);
        deepest.max(1.0 - now / peak)
    });
    // Not the negative zero of those who never fall.
    0.0 - 100.0 * deepest
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::data::Prices;

    fn dataset(commission: f64) -> Dataset {
        let bar = |i: usize, price: f64| Bar {
            time: i64::try_from(i).expect("small") * 86_400,
            open: price,
            high: price + 1.0,
            low: price - 1.0,
            close: price,
            volume: 1.0,
        };
        let bars = [100.0, 110.0, 90.0, 120.0].iter().enumerate().map(|(i, price)| bar(i, *price)).collect();
        let prices = Prices { name: "x".into(), bars, notes: vec![] };
        Dataset { prices, costs: Costs { cash: 1_000.0, commission, spread: 0.0 } }
    }

    /// With the account that these trades come to.
    fn judged(commission: f64, trades: &[Trade], open: &[OpenTrade], stats: &Map<String, Value>) -> Computed {
        let data = dataset(commission);
        let account = headline(&data, trades, open, stats, &[]).equity;
        headline(&data, trades, open, stats, &account.into_iter().map(Some).collect::<Vec<_>>())
    }

    #[test]
    fn another_account_than_the_trades_come_to_is_not_confirmed() {
        let trades = [trade(5.0, (0, 100.0), (3, 120.0), 100.0)];
        let told = stats(10.0, 1, Some(100.0), -100.0 / 10.5);
        for account in [vec![], vec![Some(1_000.0); 4], vec![None; 4], vec![Some(1_000.0); 12]] {
            let computed = headline(&dataset(0.0), &trades, &[], &told, &account);
            assert!(!computed.metrics.verified, "{account:?}");
            assert!(computed.doubts[0].contains("the account"), "{:?}", computed.doubts);
        }
    }

    #[test]
    fn what_is_held_already_is_not_spent_again() {
        // Each alone could be paid, on a bar of its own.
        let trades: Vec<_> = [(0, 100.0), (1, 110.0), (2, 90.0)]
            .into_iter()
            .map(|(bar, price)| trade(9.0, (bar, price), (3, 120.0), 9.0 * (120.0 - price)))
            .collect();
        let doubts = judged(0.0, &trades, &[], &Map::new()).doubts;
        assert!(doubts.iter().any(|doubt| doubt.contains("on bar 1 more was bought")), "{doubts:?}");
    }

    fn trade(size: f64, entry: (usize, f64), exit: (usize, f64), pnl: f64) -> Trade {
        serde_json::from_value(json!({
            "size": size, "entry_bar": entry.0, "exit_bar": exit.0, "entry_price": entry.1, "exit_price": exit.1,
            "sl": null, "tp": null, "pnl": pnl, "commission": 0, "return_pct": null, "tag": null,
        }))
        .expect("a trade")
    }

    fn stats(gain: f64, trades: u32, won: Option<f64>, fall: f64) -> Map<String, Value> {
        let stats =
            json!({ "Return [%]": gain, "# Trades": trades, "Win Rate [%]": won, "Max. Drawdown [%]": fall });
        stats.as_object().expect("an object").clone()
    }

    #[test]
    fn an_honest_result_is_confirmed() {
        let trades = [trade(5.0, (0, 100.0), (3, 120.0), 100.0)];
        let Computed { metrics, doubts, .. } =
            judged(0.0, &trades, &[], &stats(10.0, 1, Some(100.0), -100.0 / 10.5));
        assert_eq!(doubts, [""; 0]);
        assert!(metrics.verified && close(metrics.return_pct, 10.0) && close(metrics.benchmark_pct, 20.0));
        let trades = [trade(-5.0, (0, 100.0), (2, 90.0), 40.5)];
        let Computed { metrics, doubts, .. } =
            judged(0.01, &trades, &[], &stats(4.05, 1, Some(100.0), -5.5 / 0.995));
        assert!(close(metrics.commission, 9.5), "{metrics:?}");
        assert!(doubts.iter().all(|doubt| doubt.starts_with("Max.")), "{doubts:?}");
        let Computed { metrics, doubts, .. } = judged(0.01, &[], &[], &stats(0.0, 0, None, 0.0));
        assert!(metrics.verified && metrics.win_rate_pct.is_none(), "{doubts:?}");
    }

    #[test]
    fn a_forged_result_is_not() {
        let honest = trade(5.0, (0, 100.0), (3, 120.0), 100.0);
        let told = stats(10.0, 1, Some(100.0), -100.0 / 10.5);
        for (forged, told, why) in [
            (honest.clone(), stats(900.0, 1, Some(100.0), -100.0 / 10.5), "Return [%]"),
            (honest.clone(), stats(10.0, 1, Some(100.0), -1.0), "Max. Drawdown [%]"),
            (trade(5.0, (0, 50.0), (3, 120.0), 350.0), told.clone(), "no price of 50"),
            (trade(5.0, (0, 100.0), (3, 200.0), 500.0), told.clone(), "no price of 200"),
            (trade(5.0, (0, 100.0), (3, 120.0), 900.0), told.clone(), "gain is reported as 900"),
            (trade(5.0, (3, 120.0), (0, 100.0), -100.0), told.clone(), "ends before it begins"),
            (trade(5.0, (0, 100.0), (9, 120.0), 100.0), told.clone(), "does not exist"),
            (Trade { size: f64::INFINITY, ..honest.clone() }, told.clone(), "its size"),
            (trade(500.0, (0, 100.0), (3, 120.0), 10_000.0), told, "more was bought"),
        ] {
            let Computed { metrics, doubts, .. } = judged(0.0, &[forged], &[], &told);
            assert!(!metrics.verified && doubts.iter().any(|doubt| doubt.contains(why)), "{why}: {doubts:?}");
        }
    }

    #[test]
    fn what_the_last_bar_opened_counts() {
        let open = |size: f64, entry_bar, entry_price| OpenTrade { size, entry_bar, entry_price };
        let told = stats(0.5, 0, None, 0.0);
        let Computed { metrics, doubts, .. } = judged(0.0, &[], &[open(5.0, 3, 119.0)], &told);
        assert!(metrics.verified, "{doubts:?}");
        for (forged, why) in [
            (open(5.0, 2, 90.0), "cannot be"),
            (open(5.0, 3, 50.0), "cannot be"),
            (open(5_000.0, 3, 119.0), "could be paid"),
        ] {
            let Computed { metrics, doubts, .. } = judged(0.0, &[], &[forged], &told);
            assert!(!metrics.verified && doubts.iter().any(|doubt| doubt.contains(why)), "{why}: {doubts:?}");
        }
    }

    #[test]
    fn who_is_ruined_has_nothing() {
        // Short at 90, and the price goes to 120.
        let trades = [trade(-40.0, (2, 90.0), (3, 120.0), -1_200.0)];
        let metrics = judged(0.0, &trades, &[], &Map::new()).metrics;
        assert!(close(metrics.return_pct, -100.0) && close(metrics.max_drawdown_pct, -100.0), "{metrics:?}");
    }
}
