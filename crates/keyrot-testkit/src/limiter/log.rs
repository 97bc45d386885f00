//! A log of admissions by many processes, and what it says of the promise.

use std::collections::VecDeque;
use std::time::Duration;

/// One admission. Instants are microseconds of one clock, whichever.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Admission {
    /// When.
    pub at: u64,
    /// Input tokens charged.
    pub tokens: u64,
}

/// The most requests and the most tokens in any window of `length`, wherever it starts. An admission
/// that lies `length` before another is outside of its window. `admissions` are in order of time.
#[must_use]
pub fn busiest(admissions: &[Admission], length: Duration) -> (u64, u64) {
    let length = u64::try_from(length.as_micros()).unwrap_or(u64::MAX);
    let mut inside: VecDeque<&Admission> = VecDeque::new();
    let (mut tokens, mut worst) = (0, (0, 0));
    for admission in admissions {
        inside.push_back(admission);
        tokens += admission.tokens;
        while let Some(oldest) = inside.pop_front_if(|oldest| admission.at - oldest.at >= length) {
            tokens -= oldest.tokens;
        }
        worst = (worst.0.max(inside.len() as u64), worst.1.max(tokens));
    }
    worst
}

/// How much of a limit of `fill` admissions a minute was used, as a share of 1: (k − 1) · 60 s ÷ (the
/// first admission of the k-th fill − the very first). `None` before the second fill.
#[must_use]
pub fn used(admissions: &[Admission], fill: usize) -> Option<f64> {
    let fills = admissions.len().saturating_sub(1) / fill;
    let (first, last) = (admissions.first()?, admissions.get(fills * fill).filter(|_| fills > 0)?);
    Some(fills as f64 * 60e6 / (last.at - first.at) as f64)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log(seconds: &[f64]) -> Vec<Admission> {
        seconds.iter().map(|s| Admission { at: (s * 1e6) as u64, tokens: 10 }).collect()
    }

    #[test]
    fn the_busiest_window_starts_anywhere_and_leaves_out_its_start() {
        let minute = Duration::from_secs(60);
        assert_eq!(busiest(&[], minute), (0, 0));
        assert_eq!(busiest(&log(&[0.0, 59.0, 60.0, 61.0]), minute), (3, 30));
        assert_eq!(busiest(&log(&[0.0, 0.0, 60.0, 60.0]), minute), (2, 20));
        assert_eq!(busiest(&log(&[0.0, 0.0, 59.999_999]), minute), (3, 30));
    }

    #[test]
    fn use_counts_whole_fills_by_their_first_admissions() {
        assert_eq!(used(&log(&[0.0, 1.0]), 2), None);
        assert_eq!(used(&log(&[0.0, 30.0, 60.0]), 2), Some(1.0));
        assert_eq!(used(&log(&[0.0, 0.0, 75.0, 75.0, 120.0]), 2), Some(1.0));
        assert_eq!(used(&log(&[0.0, 0.0, 75.0, 80.0]), 2), Some(0.8));
    }
}
