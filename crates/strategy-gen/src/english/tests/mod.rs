//! The offline engine against a table of descriptions.

pub(crate) mod accepted;
mod composed;
mod hostile;
mod refused;

use super::translate;

#[test]
fn reads_the_descriptions_of_the_table() {
    for (description, rules) in accepted::ACCEPTED {
        let spec = translate(description).unwrap_or_else(|refusal| panic!("{description}: {refusal}"));
        assert_eq!(spec.rules().join("; "), *rules, "{description}");
    }
}

#[test]
fn refuses_the_descriptions_of_the_table() {
    let mut wrong = Vec::new();
    for (description, unplaced, reason) in refused::REFUSED {
        match translate(description) {
            Ok(spec) => wrong.push(format!("{description}: accepted as {}", spec.rules().join("; "))),
            Err(refusal) => {
                if refusal.unplaced != *unplaced
                    || !refusal.message.contains(reason)
                    || refusal.hint.is_empty()
                {
                    wrong.push(format!("{description}: {:?} {}", refusal.unplaced, refusal.message));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

#[test]
fn states_what_the_text_leaves_open() {
    let spec =
        translate("Buy when RSI is oversold, sell when the MACD crosses below its signal line").unwrap();
    for assumption in [
        "RSI without a period is RSI(14)",
        "oversold means an RSI below 30",
        "MACD without periods is MACD(12,26,9)",
    ] {
        assert!(spec.assumptions.iter().any(|a| a == assumption), "{assumption}: {:?}", spec.assumptions);
    }
    let spec = translate("Buy when RSI(14) < 30, sell when RSI(14) > 70").unwrap();
    assert!(!spec.assumptions.iter().any(|a| a.contains("without")), "{:?}", spec.assumptions);
}

#[test]
fn an_exit_that_is_not_said_is_stated() {
    let spec = translate("Buy when 10 SMA crosses above 30 SMA").unwrap();
    assert_eq!(spec.rules()[1], "sell when SMA(10) crosses below SMA(30)");
    assert!(spec.assumptions.iter().any(|a| a.contains("no exit is said")), "{:?}", spec.assumptions);
}

#[test]
fn a_refusal_serializes_for_machines() {
    let refusal = translate("Buy when the VIX spikes").unwrap_err();
    let json = serde_json::to_value(&refusal).unwrap();
    assert_eq!(json["unplaced"][0], "VIX spikes");
    assert_eq!(refusal.to_string(), format!("{}; hint: {}", refusal.message, refusal.hint));
}

#[test]
fn a_spec_serializes_with_whole_numbers() {
    let spec = translate("Buy when RSI < 30, sell when RSI > 70.5").unwrap();
    let json = serde_json::to_value(&spec).unwrap();
    assert_eq!(json["long"]["entry"]["signal"]["right"]["level"], 30);
    assert_eq!(json["long"]["exit"]["signal"]["right"]["level"], 70.5);
    assert_eq!(json["long"]["entry"]["signal"]["left"]["line"], "rsi");
}

#[test]
fn no_phrase_has_two_meanings() {
    let mut seen = std::collections::HashSet::new();
    for (forms, _) in super::vocabulary::PHRASES {
        for form in forms.split(", ") {
            assert!(seen.insert(form), "`{form}` stands twice");
        }
    }
}
