//! Texts nobody meant as a strategy.

use proptest::prelude::*;

use super::super::translate;
use super::accepted::ACCEPTED;

/// Words that make no sense in a rule, wherever they stand.
const MEANINGLESS: [&str; 14] = [
    "VIX",
    "Monday",
    "7777",
    "AAPL",
    "never",
    "$",
    "leverage",
    "Ichimoku",
    "pyramid",
    "sentiment",
    "half",
    "hourly",
    "tomorrow",
    "no",
];

#[test]
fn an_inserted_word_is_never_swallowed() {
    let mut tried = 0;
    for (description, _) in ACCEPTED {
        let words: Vec<&str> = description.split(' ').collect();
        for place in 0..=words.len() {
            for word in MEANINGLESS {
                let mut changed = words.clone();
                changed.insert(place, word);
                let changed = changed.join(" ");
                assert!(translate(&changed).is_err(), "accepted: {changed}");
                tried += 1;
            }
        }
    }
    assert!(tried > 10_000, "{tried}");
}

#[test]
fn a_changed_number_changes_the_rules_or_is_refused() {
    for (description, rules) in ACCEPTED {
        for (at, _) in description.match_indices(|c: char| c.is_ascii_digit()) {
            let mut changed = (*description).to_owned();
            let digit = if &changed[at..=at] == "7" { "6" } else { "7" };
            changed.replace_range(at..=at, digit);
            if let Ok(spec) = translate(&changed) {
                assert_ne!(spec.rules().join("; "), *rules, "same rules for: {changed}");
            }
        }
    }
}

#[test]
fn deep_nesting_and_long_texts_are_refused() {
    assert!(translate(&"(".repeat(1500)).is_err());
    assert!(translate(&format!("buy when {}RSI < 30{}", "(".repeat(600), ")".repeat(600))).is_err());
    assert!(translate(&"buy when RSI < 30 and ".repeat(200)).is_err());
    assert!(translate("").is_err());
    assert!(translate(" \n\t ").is_err());
    assert!(translate("the strategy should be").is_err());
}

fn vocabulary() -> impl Strategy<Value = String> {
    let words: Vec<&'static str> =
        ACCEPTED.iter().flat_map(|(description, _)| description.split(' ')).collect();
    proptest::collection::vec(proptest::sample::select(words), 1..24).prop_map(|words| words.join(" "))
}

proptest! {
    #[test]
    fn any_text_is_answered(text in "\\PC{0,200}") {
        let _ = translate(&text);
    }

    #[test]
    fn shuffled_vocabulary_keeps_every_number(text in vocabulary()) {
        if let Ok(spec) = translate(&text) {
            let kept = spec.numbers();
            for word in text.split(|c: char| !(c.is_ascii_digit() || c == '.')) {
                if let Ok(number) = word.trim_matches('.').parse::<f64>() {
                    prop_assert!(number == 0.0 || kept.iter().any(|n| n.get() == number), "{number} lost in: {text}");
                }
            }
        }
    }
}
