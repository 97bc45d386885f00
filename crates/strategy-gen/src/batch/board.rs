//! The ranking of a batch.

use super::outcome::Item;
use crate::report::{Entry, Figure, Run, Unit, board};
use crate::shelf::Headline;

/// The name of its page.
pub(super) const BOARD: &str = "index.html";

/// Points of an equity curve that are kept for the drawing.
const POINTS: usize = 240;

/// The items, the best return of the first set of prices first, and what has none last.
#[must_use]
pub fn ranked(items: &[Item]) -> Vec<&Item> {
    let mut ranked: Vec<&Item> = items.iter().collect();
    ranked.sort_by(|a, b| match (a.return_pct(), b.return_pct()) {
        (Some(a), Some(b)) => b.total_cmp(&a),
        (a, b) => b.is_some().cmp(&a.is_some()),
    });
    ranked
}

/// The page about `items`.
pub(super) fn page(items: &[Item]) -> String {
    let entries: Vec<Entry> = ranked(items).into_iter().map(Item::entry).collect();
    let ideas = if items.len() == 1 { "1 idea".to_owned() } else { format!("{} ideas", items.len()) };
    board(&ideas, &entries)
}

/// As much of a curve as is drawn, its ends kept.
pub(super) fn thinned(curve: &[f64]) -> Vec<f64> {
    if curve.len() <= POINTS {
        return curve.to_vec();
    }
    (0..POINTS).filter_map(|point| curve.get(point * (curve.len() - 1) / (POINTS - 1)).copied()).collect()
}

/// As much of a backtest as a ranking shows.
fn shown(headline: &Headline, curve: &[f64]) -> Run {
    let figure = |name, value, unit| Figure { name, value, unit, verified: headline.verified };
    let trades = headline.trades.and_then(|trades| u32::try_from(trades).ok());
    Run {
        data: headline.dataset.to_string(),
        equity: curve.to_vec(),
        figures: vec![
            figure("return", headline.return_pct, Unit::Percent),
            figure("buy and hold", headline.benchmark_pct, Unit::Percent),
            figure("max drawdown", headline.max_drawdown_pct, Unit::Percent),
            figure("trades", trades.map(f64::from), Unit::Count),
            figure("win rate", headline.win_rate_pct, Unit::Percent),
        ],
        ..Run::default()
    }
}

impl Item {
    /// The gain on the first set of prices, in percent.
    #[must_use]
    pub fn return_pct(&self) -> Option<f64> {
        self.run.as_ref()?.results.first()?.return_pct
    }

    fn entry(&self) -> Entry {
        let first_line = |text: &str| text.lines().next().unwrap_or_default().to_owned();
        let headline = self.run.as_ref().and_then(|run| run.results.first());
        let run = match (headline.filter(|headline| headline.return_pct.is_some()), &self.error) {
            (Some(headline), _) => Ok(shown(headline, &self.curve)),
            (None, Some(error)) => Err(first_line(error)),
            (None, None) => Err("not run".to_owned()),
        };
        Entry {
            name: self.name.clone().unwrap_or_else(|| format!("line {}", self.line)),
            description: self.description.clone(),
            link: self.page.clone().or_else(|| self.file.clone()),
            run,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_thinned_curve_keeps_its_ends() {
        let curve: Vec<f64> = (0..2_148).map(f64::from).collect();
        let thin = thinned(&curve);
        assert_eq!((thin.len(), thin[0], thin[POINTS - 1]), (POINTS, 0.0, 2_147.0));
        assert_eq!(thinned(&curve[..3]), [0.0, 1.0, 2.0]);
    }
}
