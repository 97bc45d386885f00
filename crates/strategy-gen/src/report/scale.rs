//! From values to places on a chart, and to the words at its edges.

use std::fmt::Write as _;

/// A linear way from values to pixels.
#[derive(Debug, Clone, Copy)]
pub(super) struct Scale {
    low: f64,
    high: f64,
    from: f64,
    to: f64,
}

impl Scale {
    /// From `low..high` to `from..to`. A range without extent is widened, so that there is something to show.
    pub(super) fn new(low: f64, high: f64, from: f64, to: f64) -> Self {
        if high > low {
            return Self { low, high, from, to };
        }
        let around = low.abs().max(1.0) * 0.01;
        Self { low: low - around, high: high + around, from, to }
    }

    pub(super) fn at(&self, value: f64) -> f64 {
        self.from + (value - self.low) / (self.high - self.low) * (self.to - self.from)
    }

    /// Round values from edge to edge, about `count` of them.
    pub(super) fn ticks(&self, count: u32) -> Vec<f64> {
        let rough = (self.high - self.low) / f64::from(count.max(1));
        let magnitude = 10_f64.powf(rough.log10().floor());
        let step = [1.0, 2.0, 5.0, 10.0].map(|n| n * magnitude).into_iter().find(|step| *step >= rough);
        let step = step.unwrap_or(rough);
        let first = (self.low / step).ceil();
        let mut ticks = Vec::new();
        for n in 0..100_u32 {
            let value = (first + f64::from(n)) * step;
            if value > self.high || !value.is_finite() {
                break;
            }
            ticks.push(value);
        }
        ticks
    }
}

/// The least and the greatest of finite values; zero twice where there is none.
pub(super) fn range<'a>(values: impl IntoIterator<Item = &'a f64>) -> (f64, f64) {
    let finite = values.into_iter().copied().filter(|value| value.is_finite());
    let (low, high) =
        finite.fold((f64::INFINITY, f64::NEG_INFINITY), |(low, high), v| (low.min(v), high.max(v)));
    if low <= high { (low, high) } else { (0.0, 0.0) }
}

/// The bars worth drawing on `columns` columns: of each column the first, the least, the greatest and the last.
pub(super) fn thinned(values: &[f64], columns: usize) -> Vec<usize> {
    if values.len() <= columns * 4 || columns == 0 {
        return (0..values.len()).collect();
    }
    let mut kept = Vec::with_capacity(columns * 4);
    for column in 0..columns {
        let (from, to) = (column * values.len() / columns, (column + 1) * values.len() / columns);
        let by_value = |a: &usize, b: &usize| values[*a].total_cmp(&values[*b]);
        let mut some =
            [Some(from), (from..to).min_by(by_value), (from..to).max_by(by_value), to.checked_sub(1)];
        some.sort_unstable();
        kept.extend(some.into_iter().flatten());
    }
    kept.dedup();
    kept
}

/// The path of a line through `values`; it breaks off where there is none.
pub(super) fn path(values: &[f64], columns: usize, x: Scale, y: Scale) -> String {
    let (mut path, mut pen) = (String::new(), 'M');
    for bar in thinned(values, columns) {
        if !values[bar].is_finite() {
            pen = 'M';
            continue;
        }
        let _ = write!(path, "{pen}{:.1} {:.1}", x.at(bar as f64), y.at(values[bar]));
        pen = 'L';
    }
    path
}

/// A number in few characters, as in `12.3k`.
pub(super) fn short(value: f64) -> String {
    let (scaled, unit) = match value.abs() {
        v if v >= 1e9 => (value / 1e9, "bn"),
        v if v >= 1e6 => (value / 1e6, "m"),
        v if v >= 1e4 => (value / 1e3, "k"),
        _ => (value, ""),
    };
    let digits = match scaled.abs() {
        v if v >= 100.0 || v == v.trunc() => 0,
        v if v >= 10.0 => 1,
        v if v >= 1.0 => 2,
        _ => 4,
    };
    format!("{scaled:.digits$}{unit}")
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn ticks_are_round_and_inside() {
        assert_eq!(Scale::new(0.0, 10.0, 0.0, 1.0).ticks(5), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(Scale::new(98_000.0, 152_000.0, 0.0, 1.0).ticks(4), [100_000.0, 120_000.0, 140_000.0]);
    }

    #[test]
    fn numbers_are_short() {
        for (value, text) in [
            (0.0, "0"),
            (1.0, "1"),
            (1.25, "1.25"),
            (99.5, "99.5"),
            (15_200.0, "15.2k"),
            (-2e6, "-2m"),
            (0.0123, "0.0123"),
        ] {
            assert_eq!(short(value), text);
        }
    }

    proptest! {
        #[test]
        fn a_scale_of_anything_finite_is_finite(low in -1e12..1e12_f64, extent in 0.0..1e12_f64) {
            let scale = Scale::new(low, low + extent, 10.0, 110.0);
            let ticks = scale.ticks(5);
            prop_assert!(ticks.len() < 20);
            for tick in ticks {
                let at = scale.at(tick);
                prop_assert!((9.9..=110.1).contains(&at), "{at}");
            }
        }

        #[test]
        fn thinning_keeps_the_extremes_and_the_order(values in prop::collection::vec(-1e6..1e6_f64, 0..5_000)) {
            let kept = thinned(&values, 100);
            prop_assert!(kept.windows(2).all(|pair| pair[0] < pair[1]));
            prop_assert!(kept.len() <= 400);
            let seen: Vec<f64> = kept.iter().map(|bar| values[*bar]).collect();
            prop_assert_eq!(range(&seen), range(&values));
        }
    }
}
