//! Whether the code computes what the description names.

use super::syntax::Facts;

/// A word of descriptions and parts of names in code, of which one must occur.
const INDICATORS: [(&str, &[&str]); 13] = [
    ("rsi", &["rsi"]),
    ("sma", &["sma", "mean", "average"]),
    ("ema", &["ema", "ewm", "exponential"]),
    ("wma", &["wma", "weight"]),
    ("macd", &["macd"]),
    ("bollinger", &["bollinger", "std", "bb", "band"]),
    ("atr", &["atr", "true_range"]),
    ("stochastic", &["stoch", "k"]),
    ("adx", &["adx"]),
    ("cci", &["cci"]),
    ("roc", &["roc", "pct_change", "rate"]),
    ("vwap", &["vwap"]),
    ("volume", &["volume", "vwap"]),
];

/// The indicators named by whole words of the description and found nowhere among the names of the code.
pub(super) fn lost(description: &str, facts: &Facts) -> Vec<&'static str> {
    let description = description.to_lowercase();
    let words: Vec<&str> = description.split(|c: char| !c.is_alphabetic()).collect();
    let imported = facts.imports.iter().filter_map(|import| import.name.as_deref());
    let functions = facts.functions.iter().map(|(name, _)| name.as_str());
    let used = facts.names.iter().chain(&facts.attributes).map(|(name, _)| name.as_str());
    let names: Vec<String> = imported.chain(functions).chain(used).map(str::to_lowercase).collect();
    INDICATORS
        .iter()
        .filter(|(word, _)| words.contains(word))
        .filter(|(_, parts)| !names.iter().any(|name| parts.iter().any(|part| name.contains(part))))
        .map(|(word, _)| *word)
        .collect()
}
