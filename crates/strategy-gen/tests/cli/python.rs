//! What is written runs: the demo's file under the real backtesting.py, on its own prices.

use std::path::{Path, PathBuf};
use std::process::Command;

use crate::rig::{Place, RSI};

/// `tests/python/run_strategy.py`, with the interpreter that `cargo xtask test` prepares.
#[expect(clippy::disallowed_methods, reason = "an option of the test, not of the program")]
fn backtest(file: &Path) -> serde_json::Value {
    let Some(python) = std::env::var_os("KEYROT_TEST_PYTHON") else {
        panic!(
            "`KEYROT_TEST_PYTHON` names no Python with backtesting.py: run the tests with `cargo xtask test`"
        )
    };
    let root = PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("../../tests/python/run_strategy.py");
    let output = Command::new(python).args(["-I", "-B"]).arg(root).arg(file).output().expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn demo_file_runs_under_backtesting() {
    let place = Place::new();
    place.run([RSI, "--demo"]).code(0);
    let result = backtest(&place.path().join("rsi_strategy.py"));
    println!("{result:#}");
    assert_eq!(result["class"], "RsiStrategy");
    // RSI(14) by Wilder on GOOG's 2148 days, cash 100,000, commission 0.2 %.
    assert_eq!(result["trades"], 9);
    assert_eq!(result["short_trades"], 0);
}
