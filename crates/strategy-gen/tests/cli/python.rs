//! What is written runs: the demo's file under the real backtesting.py, on its own prices.

use std::ffi::OsString;
use std::path::Path;
use std::process::Command;

use strategy_gen::data::synthetic;
use tempfile::NamedTempFile;

use crate::rig::{Place, RSI};

/// The interpreter that `cargo xtask test` prepares.
#[expect(clippy::disallowed_methods, reason = "an option of the test, not of the program")]
pub(crate) fn interpreter() -> OsString {
    let Some(python) = std::env::var_os("KEYROT_TEST_PYTHON") else {
        panic!(
            "`KEYROT_TEST_PYTHON` names no Python with backtesting.py: run the tests with `cargo xtask test`"
        )
    };
    python
}

/// The shipped synthetic prices as a CSV file.
pub(crate) fn made_up_prices() -> NamedTempFile {
    let prices = synthetic::daily(synthetic::SEED, synthetic::BARS);
    let file = NamedTempFile::new().expect("a file");
    std::fs::write(file.path(), prices.csv()).expect("written");
    file
}

/// `tests/python/run_strategy.py` on a file, with the shipped indicators beside it or without.
fn backtest(file: &Path, with_indicators: bool) -> serde_json::Value {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(interpreter());
    command.args(["-I", "-B"]).arg(root.join("../../tests/python/run_strategy.py")).arg(file);
    if with_indicators {
        command.arg(root.join("src/python"));
    }
    let output = command.output().expect("python starts");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{}\n{said}", output.status);
    serde_json::from_slice(&output.stdout).expect("one JSON document")
}

#[test]
fn demo_file_runs_under_backtesting() {
    let place = Place::new();
    place.run([RSI, "--demo"]).code(0);
    let result = backtest(&place.path().join("rsi_strategy.py"), true);
    println!("{result:#}");
    assert_eq!(result["class"], "RsiStrategy");
    // RSI(14) by Wilder on GOOG's 2148 days, cash 100,000, commission 0.2 %.
    assert_eq!(result["trades"], 9);
    assert_eq!(result["short_trades"], 0);
    assert_eq!(format!("{:.3}", result["return_pct"].as_f64().expect("a number")), "52.472");
}

#[test]
fn a_standalone_file_runs_alone_and_the_same() {
    let place = Place::new();
    let text = "Buy when MACD crosses above its signal line and ADX > 20, sell when %K crosses below %D, 2 ATR trailing stop";
    place.run(["--offline", text, "-o", "imported.py"]).code(0);
    place.run(["--offline", text, "--standalone", "-o", "alone.py"]).code(0);
    assert!(!place.read("alone.py").contains("indicators import"));
    place.run(["check", "alone.py"]).code(0);
    let imported = backtest(&place.path().join("imported.py"), true);
    assert_eq!(backtest(&place.path().join("alone.py"), false), imported);
    assert_ne!(imported["trades"], 0);
    let rsi = place.run(["--offline", RSI, "--standalone", "-o", "rsi.py"]);
    rsi.code(0);
    assert_eq!(backtest(&place.path().join("rsi.py"), false)["trades"], 9);
}

#[test]
fn the_shipped_indicators_agree_with_talib() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let mut command = Command::new(interpreter());
    command.args(["-I", "-B"]).arg(root.join("tests/python/indicators_against_talib.py"));
    let prices = made_up_prices();
    let output = command.arg(root.join("src/python")).arg(prices.path()).output().expect("python starts");
    println!("{}", String::from_utf8_lossy(&output.stdout));
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
}
