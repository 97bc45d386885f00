//! Nothing here: the tests are in `tests/`, and `cargo xtask test --live` runs them.
