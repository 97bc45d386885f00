//! Many random cases, and the seed of those that failed.

use std::hash::{BuildHasher, RandomState};

use proptest::strategy::Strategy;
use proptest::test_runner::{Config, RngSeed, TestCaseError, TestRunner};

/// Tries `check` on random values: 256 of them, or as many as `PROPTEST_CASES` says. Panics with the
/// smallest value that fails, and with the seed that finds it again as `PROPTEST_RNG_SEED`.
#[expect(clippy::panic, reason = "a suite fails by panicking")]
pub fn explore<S: Strategy>(values: &S, check: impl Fn(&S::Value) -> Result<(), TestCaseError>) {
    if let Err(why) = search(values, check) {
        panic!("{why}");
    }
}

/// How often a failing value may be made smaller: a long list of events takes thousands of steps.
const SHRINKS: u32 = 20_000;

/// The same, for whoever expects a failure.
///
/// # Errors
/// What [`explore`] would say.
pub fn search<S: Strategy>(
    values: &S,
    check: impl Fn(&S::Value) -> Result<(), TestCaseError>,
) -> Result<(), String> {
    let config = Config { failure_persistence: None, max_shrink_iters: SHRINKS, ..Config::default() };
    let seed = match config.rng_seed {
        RngSeed::Fixed(seed) => seed,
        RngSeed::Random => RandomState::new().hash_one("seed"),
    };
    let config = Config { rng_seed: RngSeed::Fixed(seed), ..config };
    let run = TestRunner::new(config).run(values, |value| check(&value));
    run.map_err(|error| format!("{error}\nhint: PROPTEST_RNG_SEED={seed} finds it again"))
}
