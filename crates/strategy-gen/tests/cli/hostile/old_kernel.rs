//! The same attacks with no more than an old kernel has: Landlock's first version, and no namespaces for users, so that
//! files lie in an ordinary folder and are counted from outside.

use std::path::PathBuf;
use std::time::Duration;

use strategy_gen::backtest::{Request, Runner, Status};
use strategy_gen::data::{Costs, Dataset, Period, Source};
use strategy_gen::interpreter::Python;
use strategy_gen::sandbox::{Cancel, Layers, Level, Limits};

use super::outside::Outside;
use super::user::User;
use super::{Attack, claims, matrix};
use crate::rig::test_python;

fn breaches(layers: &Layers, python: &Python, data: &[Dataset], attack: &Attack) -> Vec<String> {
    let outside = Outside::new(attack, &User::this());
    let before = outside.snapshot();
    let expected = attack.expected();
    let wall = Duration::from_secs(if expected.contains(&7) { 5 } else { 60 });
    let runner = Runner::new(python.clone(), PathBuf::from(env!("CARGO_BIN_EXE_strategy-gen")), Level::Auto);
    let runner = runner.expect("a sandbox").layers(layers.clone()).temporary(outside.temporary().to_owned());
    let runner = runner.limits(Limits { wall, ..Limits::default() });
    let source = std::fs::read_to_string(outside.folder().join("strategy.py")).expect("written");
    let request = Request::new(source, "strategy.py", data.to_vec());
    let mut found = Vec::new();
    match runner.run(&request, &Cancel::new()) {
        Err(error) => found.push(error.to_string()),
        Ok(report) => {
            found.extend(claims(report.output.as_str()));
            found.extend(claims(&serde_json::to_string(&report).expect("written")));
            if !expected.contains(&i32::from(report.exit_code())) {
                found.push(format!("{:?} instead of {expected:?}: {report:?}", report.status));
            }
            if report.status == Status::Ok && !expected.contains(&0) {
                found.push("it is reported to be fine".to_owned());
            }
            assert!(!report.sandbox.iter().any(|layer| layer == "own disk"), "{:?}", report.sandbox);
        }
    }
    found.extend(outside.seen_from_outside(&before));
    found.iter().map(|what| format!("{}: {what}", attack.name)).collect()
}

#[test]
fn no_attack_gets_anywhere_with_the_rights_of_an_old_kernel() {
    let python = Python::find(Some(&test_python()), &keyrot::EnvMap::default()).expect("a Python");
    let source: Source = "synthetic".parse().expect("prices");
    let costs = Costs::usual(&source);
    let prices = source.load(python.library_folder(), Period::default()).expect("loaded");
    let data = [Dataset { prices, costs }];
    let mut old = Layers::here().no_newer_than(1);
    old.own_disk = false;
    matrix(|attack| breaches(&old, &python, &data, attack));
}
