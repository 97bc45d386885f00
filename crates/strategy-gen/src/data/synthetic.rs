//! Made-up prices: seeded, the same on every platform, with enough going on for strategies to trade.
//!
//! Stretches of rise, fall and back-and-forth, calm and wild, follow each other, so that trends, reversals and
//! breakouts all occur. Only additions, multiplications, divisions and roundings are used, which IEEE 754 defines to
//! the last bit; no function of a platform's mathematical library is.

use super::{Bar, DAY, Prices};

/// The seed where none is named.
pub const SEED: u64 = 1;
/// The number of bars where none is named: eight years of weekdays.
pub const BARS: usize = 2_000;

/// 2015-01-01, a Thursday.
const FIRST_DAY: i64 = 16_436;
/// No price falls below it.
const LOWEST: f64 = 2.0;

/// Daily bars on weekdays from 2015-01-01 on.
pub fn daily(seed: u64, bars: usize) -> Prices {
    let mut dice = Dice(seed);
    let mut regime = Regime::new(&mut dice, 100.0);
    let mut last = 100.0;
    let mut day = FIRST_DAY;
    let mut made = Vec::with_capacity(bars);
    while made.len() < bars {
        // 1970-01-01 was a Thursday: days 2 and 3 of each week are its Saturday and Sunday.
        if !matches!(day.rem_euclid(7), 2 | 3) {
            if regime.left == 0 {
                regime = Regime::new(&mut dice, last);
            }
            regime.left -= 1;
            let bar = regime.bar(&mut dice, last, day * DAY);
            last = bar.close;
            made.push(bar);
        }
        day += 1;
    }
    Prices { name: format!("synthetic:{seed}"), bars: made, notes: Vec::new() }
}

/// A stretch of one character.
struct Regime {
    left: u32,
    /// Mean change per bar.
    drift: f64,
    /// Deviation of the change per bar.
    swing: f64,
    /// Where a range leans back to, and how hard.
    centre: f64,
    pull: f64,
}

impl Regime {
    fn new(dice: &mut Dice, price: f64) -> Self {
        let left = 40 + dice.below(100);
        let swing = [0.007, 0.011, 0.018, 0.028][dice.below(4) as usize];
        let (drift, pull) = match dice.below(10) {
            0..4 => (0.10 * swing + 0.0006, 0.0),
            4..7 => (-0.10 * swing - 0.0004, 0.0),
            _ => (0.0, 0.06),
        };
        // Prices that have gone far are called back, so that no seed ends at nothing or at the moon.
        let drift = if price < 20.0 {
            0.002
        } else if price > 900.0 {
            -0.002
        } else {
            drift
        };
        Self { left, drift, swing, centre: price, pull }
    }

    fn bar(&self, dice: &mut Dice, last: f64, time: i64) -> Bar {
        let open = cents((last * (1.0 + 0.25 * self.swing * dice.normal())).max(LOWEST));
        let lean = self.pull * (self.centre / last - 1.0);
        let change = (self.drift + lean + self.swing * dice.normal()).clamp(-0.2, 0.2);
        let close = cents((last * (1.0 + change)).max(LOWEST));
        let wick = |dice: &mut Dice| 1.0 + 0.6 * self.swing * dice.fraction();
        let high = cents(open.max(close) * wick(dice)).max(open).max(close);
        let low = cents(open.min(close) / wick(dice)).min(open).min(close);
        let moved = if change < 0.0 { -change } else { change };
        let volume = (1_000_000.0 * (0.5 + dice.fraction() + 20.0 * moved)).round();
        Bar { time, open, high, low, close, volume }
    }
}

fn cents(price: f64) -> f64 {
    (price * 100.0).round() / 100.0
}

/// SplitMix64, which any seed suits.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut mixed = self.0;
        mixed = (mixed ^ (mixed >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to below `end`, which is small: the bias of the remainder does not show.
    fn below(&mut self, end: u32) -> u32 {
        u32::try_from(self.next() % u64::from(end.max(1))).unwrap_or_default()
    }

    /// From 0 to below 1; 32 bits, which any `f64` holds exactly.
    fn fraction(&mut self) -> f64 {
        let bits = u32::try_from(self.next() >> 32).unwrap_or_default();
        f64::from(bits) / 4_294_967_296.0
    }

    /// Mean 0, deviation 1, near enough to normal: the sum of twelve even draws.
    fn normal(&mut self) -> f64 {
        (0..12).map(|_| self.fraction()).fold(-6.0, |sum, draw| sum + draw)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn fingerprint(prices: &Prices) -> u64 {
        // FNV-1a over the text, so that a change of a single digit shows.
        prices.csv().bytes().fold(0xcbf2_9ce4_8422_2325, |hash, byte| {
            (hash ^ u64::from(byte)).wrapping_mul(0x0000_0100_0000_01b3)
        })
    }

    #[test]
    fn the_same_seed_gives_the_same_bytes_for_ever() {
        assert_eq!(daily(7, 1_500), daily(7, 1_500));
        assert_ne!(daily(7, 100).bars, daily(8, 100).bars);
        assert_eq!(fingerprint(&daily(SEED, BARS)), 8_945_149_831_149_949_948);
        // A shorter set is the beginning of a longer one.
        assert_eq!(daily(3, 100).bars, daily(3, 200).bars[..100]);
    }

    #[test]
    fn every_bar_of_every_seed_is_a_bar() {
        for seed in 0..200 {
            let prices = daily(seed, 1_500);
            for bar in &prices.bars {
                let Bar { open, high, low, close, volume, .. } = *bar;
                assert!(low <= open && low <= close && open <= high && close <= high, "{seed}: {bar:?}");
                assert!(low > 0.0 && high < 100_000.0 && volume > 0.0, "{seed}: {bar:?}");
            }
            assert!(prices.bars.windows(2).all(|pair| pair[0].time < pair[1].time));
        }
    }

    #[test]
    fn weekdays_alone() {
        let text = daily(SEED, 4).csv();
        let dates: Vec<_> = text.lines().skip(1).filter_map(|line| line.split(',').next()).collect();
        assert_eq!(dates, ["2015-01-01", "2015-01-02", "2015-01-05", "2015-01-06"]);
    }

    /// Plain Wilder, to count how often the usual thresholds are crossed.
    fn rsi(closes: &[f64]) -> Vec<f64> {
        let change: Vec<f64> = closes.windows(2).map(|pair| pair[1] - pair[0]).collect();
        let mean = |side: f64| change[..14].iter().map(|c| (c * side).max(0.0)).sum::<f64>() / 14.0;
        let (mut gain, mut loss) = (mean(1.0), mean(-1.0));
        let mut line = Vec::new();
        for step in &change[14..] {
            line.push(100.0 * gain / (gain + loss));
            gain = (gain * 13.0 + step.max(0.0)) / 14.0;
            loss = (loss * 13.0 + (-step).max(0.0)) / 14.0;
        }
        line
    }

    #[test]
    fn there_is_something_to_trade() {
        for seed in 0..20 {
            let prices = daily(seed, BARS);
            let closes: Vec<f64> = prices.bars.iter().map(|bar| bar.close).collect();
            let line = rsi(&closes);
            let below = line.windows(2).filter(|pair| pair[0] >= 30.0 && pair[1] < 30.0).count();
            let above = line.windows(2).filter(|pair| pair[0] <= 70.0 && pair[1] > 70.0).count();
            assert!(below >= 5 && above >= 5, "seed {seed}: RSI crosses 30 {below} times, 70 {above} times");
            let average = |n: usize, at: usize| closes[at + 1 - n..=at].iter().sum::<f64>() / n as f64;
            let side: Vec<bool> = (49..closes.len()).map(|at| average(20, at) > average(50, at)).collect();
            let crosses = side.windows(2).filter(|pair| pair[0] != pair[1]).count();
            assert!(crosses >= 10, "seed {seed}: averages cross {crosses} times");
            let highest = |at: usize| closes[at - 20..at].iter().copied().fold(0.0, f64::max);
            let breakouts = (20..closes.len()).filter(|at| closes[*at] > highest(*at)).count();
            assert!(breakouts >= 50, "seed {seed}: {breakouts} breakouts");
        }
    }
}
