//! Random compositions of the grammar: many phrasings of one meaning give one spec, and a strange word is named.

use proptest::prelude::*;

use super::super::{MAX_DESCRIPTION, translate};

/// A meaning and the ways to say it. `{p}`, `{q}` are periods, `{l}` a level.
const MEANINGS: [(&str, &[&str]); 15] = [
    (
        "RSI({p}) < {l}",
        &["RSI({p}) < {l}", "the {p}-day RSI is below {l}", "{p} period rsi is less than {l}"],
    ),
    ("RSI({p}) >= {l}", &["RSI({p}) >= {l}", "the {p}-day RSI is at least {l}", "RSI({p}) is not below {l}"]),
    (
        "close > SMA({q})",
        &[
            "price is above the {q}-day SMA",
            "the close > SMA({q})",
            "price exceeds the {q} day moving average",
        ],
    ),
    (
        "close < EMA({q})",
        &[
            "price is below the {q}-day EMA",
            "close < EMA({q})",
            "price is under the {q} period exponential moving average",
        ],
    ),
    ("WMA({p}) > WMA({q})", &["WMA({p}) > WMA({q})", "the {p}-day WMA is above the {q}-day WMA"]),
    ("ADX({p}) > {l}", &["ADX({p}) > {l}", "the {p}-day ADX is over {l}"]),
    ("CCI({p}) < -{l}", &["CCI({p}) < -{l}", "the {p}-day CCI is below -{l}"]),
    ("ROC({p}) > {l}", &["ROC({p}) > {l}", "the {p}-day rate of change is above {l}%"]),
    (
        "close > high of the previous {q} bars",
        &["price makes a new {q}-day high", "the close is above the {q}-day high"],
    ),
    (
        "volume > {p} x SMA({q}) of volume",
        &["volume is above {p} times its {q}-day average", "volume > {p}x the {q}-day average volume"],
    ),
    (
        "(RSI({p}) < {l}) for 4 bars",
        &[
            "RSI({p}) < {l} for 4 days",
            "RSI({p}) is below {l} 4 days in a row",
            "RSI({p}) < {l} for 4 consecutive bars",
        ],
    ),
    (
        "(close > open) for {p} bars",
        &[
            "{p} green candles in a row",
            "{p} consecutive bullish bars",
            "the close is above the open for {p} bars",
        ],
    ),
    (
        "close > high of the bar before",
        &[
            "price is above yesterday's high",
            "the close > the high of the previous day",
            "close is above the prior bar's high",
        ],
    ),
    ("Stochastic({p},3,3) %K < {l}", &["stochastic({p},3,3) < {l}", "stochastic({p},3,3) %K is below {l}"]),
    ("SMA({q}) > SMA({q}) of the bar before", &["the {q}-day SMA is rising", "SMA({q}) is sloping up"]),
];

const RISKS: [(&str, &[&str]); 7] = [
    ("", &[""]),
    ("; stop loss 5 %", &[", 5% stop loss", ", with a stop loss of 5 percent", ". Stop: 5%"]),
    ("; trailing stop 2.5 x ATR(14)", &[", trailing stop of 2.5 ATR", ", with a 2.5x ATR trailing stop"]),
    ("; take profit 12 %", &[", take profit at 12%", ", 12 per cent profit target"]),
    (
        "; stop loss 5 %; take profit 3 x the stop's distance",
        &[", 5% stop loss, risk reward 1:3", ", stop loss 5%, target at 3R"],
    ),
    ("; exit after 9 bars", &[", hold for 9 days", ". Maximum holding period of 9 bars"]),
    ("; size 20 % of equity", &[", using 20% of equity", ", position size 20%"]),
];

const STRANGE: [&str; 12] = [
    "Ichimoku",
    "VIX",
    "Monday",
    "leverage",
    "sentiment",
    "earnings",
    "pyramid",
    "fibonacci",
    "AAPL",
    "tomorrow",
    "~",
    "roughly",
];

#[derive(Debug, Clone)]
struct Composed {
    text: String,
    rules: String,
}

fn composed() -> impl Strategy<Value = Composed> {
    let part = || (0..MEANINGS.len(), 0..3_usize);
    (
        (part(), proptest::option::of((any::<bool>(), part()))),
        (0..RISKS.len(), 0..3_usize),
        (2..40_u32, 41..250_u32, 1..99_u32),
        0..3_usize,
    )
        .prop_map(|((first, second), (risk, saying), numbers, frame)| {
            let filled = |text: &str| {
                let (p, q, l) = numbers;
                text.replace("{p}", &p.to_string())
                    .replace("{q}", &q.to_string())
                    .replace("{l}", &l.to_string())
            };
            let one = |(meaning, way): (usize, usize)| {
                let (rule, ways) = MEANINGS[meaning];
                (filled(rule), filled(ways[way % ways.len()]))
            };
            let (mut rule, mut said) = one(first);
            if let Some((and, (meaning, way))) = second.filter(|(_, (meaning, _))| *meaning != first.0) {
                let (other, other_said) = one((meaning, way));
                let joint = if and { "and" } else { "or" };
                rule = format!("{rule} {joint} {other}");
                said = format!("{said} {joint} {other_said}");
            }
            let (risk_rule, sayings) = RISKS[risk];
            let risk_said = sayings[saying % sayings.len()];
            let exit = "MACD crosses below its signal line";
            let text = match frame {
                0 => format!("Buy when {said}, sell when {exit}{risk_said}"),
                1 => format!("When {said}, buy. Sell if {exit}{risk_said}"),
                _ => format!("Go long if {said}; exit when {exit}{risk_said}"),
            };
            let exit = "sell when MACD(12,26,9) crosses below MACD(12,26,9) signal line";
            Composed { text, rules: format!("buy when {rule}; {exit}{risk_rule}") }
        })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]

    #[test]
    fn every_phrasing_gives_the_same_rules(composed in composed()) {
        match translate(&composed.text) {
            Ok(spec) => prop_assert_eq!(spec.rules().join("; "), composed.rules, "{}", composed.text),
            // Two conditions that exclude each other are refused, and rightly so.
            Err(refusal) => prop_assert!(
                refusal.message.contains("can never be true") || refusal.message.contains("at the same time"),
                "{}: {}", composed.text, refusal
            ),
        }
    }

    #[test]
    fn a_strange_word_is_named(composed in composed(), at in 0..40_usize, word in proptest::sample::select(STRANGE.to_vec())) {
        let mut words: Vec<&str> = composed.text.split(' ').collect();
        words.insert(at % (words.len() + 1), word);
        let refusal = translate(&words.join(" ")).unwrap_err();
        prop_assert!(refusal.unplaced.iter().any(|named| named.contains(word)), "{}: {refusal}", words.join(" "));
    }

    #[test]
    fn noise_of_any_size_is_answered(text in "(buy|sell|rsi|[0-9]{1,3}|\\(|\\)|%|not |and |or |for |, |\\PC| ){0,300}") {
        let _ = translate(&text);
    }
}

#[test]
fn a_text_of_any_length_takes_time_in_proportion() {
    let unit = "buy when RSI < 30 and not (price above 200 SMA or ADX > 25) for 3 days, ";
    let long = unit.repeat(100_000 / unit.len());
    assert!(translate(&long).is_err());
    // The longest that is read at all.
    for unit in [unit, "((((((((", "not not not ", "20 ", "RSI ", "a of ", "1.5x "] {
        let _ = translate(&unit.repeat(MAX_DESCRIPTION / unit.len()));
    }
}
