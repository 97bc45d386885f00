//! What the harness says, as the strategy may have forged it: nothing in it is to be trusted, and nothing of it takes more
//! memory than it is given.
//!
//! A message is one line with one name, `{"result": {...}}`. The name comes first, so that the size of a line is judged
//! before it is read, and every part is read into its own type, which knows how many there may be.

use std::fmt;
use std::marker::PhantomData;

use keyrot::UntrustedText;
use serde::Deserialize;
use serde::de::{self, DeserializeSeed, Deserializer, MapAccess, SeqAccess, Visitor};
use serde_json::{Map, Value};

use crate::backtest::{Difference, ErrorInChain, IndicatorRange, OpenTrade, Trade};

/// The most bytes of a message without results.
const SHORT: usize = 512 << 10;
/// The most bytes of a result, besides those of its bars.
const RESULT: usize = 2 << 20;
/// The most bytes of a result for each bar: one figure of the account, and the trades that begin on it.
const BAR: usize = 1 << 10;
/// The most bytes of a result, whatever the bars.
const LONGEST_RESULT: usize = 64 << 20;
/// The most bytes of all lines.
const ALL: usize = 256 << 20;
/// The most bytes of what is drawn, for all data sets together: a million values.
const DRAWN: usize = 32 << 20;

/// The most parameters of a strategy.
const PARAMETERS: usize = 200;
/// The most figures of backtesting.py; version 0.6.6 has 30.
const STATS: usize = 100;
/// The most lines that indicators draw.
const INDICATORS: usize = 500;
/// The most warnings of a backtest.
const WARNINGS: usize = 20;
/// The most errors in a chain of causes.
const ERRORS: usize = 8;
/// The most lines of the strategy that one error passed.
pub(crate) const FRAMES: usize = 20;
/// The most differences that a look for look-ahead tells.
const DIFFERENCES: usize = 500;
/// The most trades that a backtest leaves open.
const OPEN: usize = 1_000;
/// The most bytes of the name or the text of a plain value.
const TEXT: usize = 2_000;

/// One line of the channel.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "snake_case", deny_unknown_fields)]
pub(crate) enum Message {
    /// The stage took its rights away and is about to become Python.
    Entered {
        own_disk: bool,
    },
    Environment {
        message: UntrustedText,
    },
    /// From here on the strategy may have its hand in what is reported.
    Started {},
    Loaded {
        name: UntrustedText,
        #[serde(deserialize_with = "scalars::<PARAMETERS, _>")]
        parameters: Map<String, Value>,
        #[serde(deserialize_with = "at_most::<PARAMETERS, _, _>")]
        unknown: Vec<UntrustedText>,
    },
    Failed {
        stage: UntrustedText,
        dataset: Option<usize>,
        #[serde(deserialize_with = "at_most::<ERRORS, _, _>")]
        errors: Vec<ErrorInChain>,
    },
    Result(Box<Told>),
    LookAhead {
        dataset: usize,
        cuts: usize,
        #[serde(deserialize_with = "at_most::<DIFFERENCES, _, _>")]
        differences: Vec<Difference>,
    },
    Line(Box<ToldLine>),
    Done {},
}

/// One line of an indicator, for the chart.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ToldLine {
    pub(crate) dataset: usize,
    pub(crate) indicator: usize,
    pub(crate) label: UntrustedText,
    pub(crate) color: Option<UntrustedText>,
    pub(crate) overlay: bool,
    pub(crate) plot: bool,
    pub(crate) scatter: bool,
    /// A line of this length holds no more than there is room for.
    pub(crate) values: Option<Vec<Option<f64>>>,
}

/// What is reported of one backtest.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Told {
    pub(crate) dataset: usize,
    #[serde(deserialize_with = "scalars::<STATS, _>")]
    pub(crate) stats: Map<String, Value>,
    /// A line of this length holds no more than there is room for.
    pub(crate) trades: Vec<Trade>,
    #[serde(deserialize_with = "at_most::<OPEN, _, _>")]
    pub(crate) open: Vec<OpenTrade>,
    pub(crate) equity: Vec<Option<f64>>,
    #[serde(deserialize_with = "at_most::<INDICATORS, _, _>")]
    pub(crate) indicators: Vec<IndicatorRange>,
    pub(crate) orders: usize,
    pub(crate) rejected_orders: usize,
    #[serde(deserialize_with = "at_most::<WARNINGS, _, _>")]
    pub(crate) warnings: Vec<UntrustedText>,
}

/// How long the lines of a run may be.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Bounds {
    result: usize,
    datasets: usize,
    drawn: usize,
}

impl Bounds {
    /// For data sets of so many bars, with or without charts.
    pub(crate) fn new(bars: impl IntoIterator<Item = usize>, drawn: bool) -> Self {
        let (longest, datasets) = bars.into_iter().fold((0, 0), |(most, n), bars| (bars.max(most), n + 1));
        let result = RESULT.saturating_add(BAR.saturating_mul(longest));
        Self { result: result.min(LONGEST_RESULT), datasets, drawn: if drawn { DRAWN } else { 0 } }
    }

    /// Bytes of the longest line.
    pub(crate) fn line(self) -> usize {
        self.result
    }

    /// Bytes of all lines: for each data set a result and two short messages, and three for the run.
    pub(crate) fn total(self) -> usize {
        let each = self.result.saturating_add(2 * SHORT);
        each.saturating_mul(self.datasets).saturating_add(4 * SHORT + self.drawn).min(ALL)
    }

    fn of(self, line: &[u8]) -> usize {
        let long = line.starts_with(br#"{"result":"#) || line.starts_with(br#"{"line":"#);
        if long { self.result } else { SHORT }
    }
}

impl Message {
    /// `None` for a line that the harness does not write.
    pub(crate) fn read(line: &[u8], bounds: Bounds) -> Option<Self> {
        if line.len() > bounds.of(line) {
            return None;
        }
        serde_json::from_slice(line).ok()
    }
}

/// No more than `N`; one more makes the message invalid.
pub(crate) fn at_most<'de, const N: usize, T: Deserialize<'de>, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Vec<T>, D::Error> {
    struct Items<const N: usize, T>(PhantomData<T>);
    impl<'de, const N: usize, T: Deserialize<'de>> Visitor<'de> for Items<N, T> {
        type Value = Vec<T>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {N} items")
        }

        fn visit_seq<A: SeqAccess<'de>>(self, mut seq: A) -> Result<Vec<T>, A::Error> {
            let mut items = Vec::new();
            while let Some(item) = seq.next_element()? {
                if items.len() == N {
                    return Err(de::Error::invalid_length(N + 1, &self));
                }
                items.push(item);
            }
            Ok(items)
        }
    }
    deserializer.deserialize_seq(Items::<N, T>(PhantomData))
}

/// Without secrets, and not longer than a name or a plain value is.
fn clean(text: &str) -> String {
    UntrustedText::bounded(text, TEXT).as_str().to_owned()
}

/// Names with numbers, words and truths; a list or a table among them makes the message invalid.
fn scalars<'de, const N: usize, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Map<String, Value>, D::Error> {
    struct Entries<const N: usize>;
    impl<'de, const N: usize> Visitor<'de> for Entries<N> {
        type Value = Map<String, Value>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            write!(f, "at most {N} names with plain values")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Map<String, Value>, A::Error> {
            let mut entries = Map::new();
            while let Some(name) = map.next_key::<String>()? {
                if entries.len() == N {
                    return Err(de::Error::invalid_length(N + 1, &self));
                }
                entries.insert(clean(&name), map.next_value_seed(Scalar)?);
            }
            Ok(entries)
        }
    }
    deserializer.deserialize_map(Entries::<N>)
}

struct Scalar;

impl<'de> DeserializeSeed<'de> for Scalar {
    type Value = Value;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Value, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Scalar {
    type Value = Value;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a number, a text, a truth or nothing")
    }

    fn visit_bool<E>(self, value: bool) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_i64<E>(self, value: i64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_u64<E>(self, value: u64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_f64<E>(self, value: f64) -> Result<Value, E> {
        Ok(value.into())
    }

    fn visit_str<E>(self, value: &str) -> Result<Value, E> {
        Ok(clean(value).into())
    }

    fn visit_unit<E>(self) -> Result<Value, E> {
        Ok(Value::Null)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Option<Message> {
        Message::read(line.as_bytes(), Bounds::new([10], true))
    }

    #[test]
    fn each_kind_is_read() {
        for line in [
            r#"{"entered":{"own_disk":true}}"#,
            r#"{"environment":{"message":"no"}}"#,
            r#"{"started":{}}"#,
            r#"{"loaded":{"name":"A","parameters":{"n":14,"f":0.5,"b":true,"s":"x","z":null},"unknown":[]}}"#,
            r#"{"failed":{"stage":"run","dataset":0,"errors":[{"type":"E","message":"m","frames":[]}]}}"#,
            r#"{"look_ahead":{"dataset":0,"cuts":12,"differences":[]}}"#,
            r##"{"line":{"dataset":0,"indicator":0,"label":"SMA","color":"#0f0","overlay":true,"plot":true,"scatter":false,"values":[null,1]}}"##,
            r#"{"done":{}}"#,
        ] {
            assert!(read(line).is_some(), "{line}");
        }
    }

    #[test]
    fn what_the_harness_never_writes_is_no_message() {
        let many = |n: usize, item: &str| vec![item; n].join(",");
        let result = |field: &str, value: &str| {
            let mut fields = vec![
                ("dataset", "0"),
                ("stats", "{}"),
                ("trades", "[]"),
                ("open", "[]"),
                ("equity", "[]"),
                ("indicators", "[]"),
                ("orders", "0"),
                ("rejected_orders", "0"),
                ("warnings", "[]"),
            ];
            fields.retain(|(name, _)| *name != field);
            fields.push((field, value));
            let fields: Vec<_> = fields.iter().map(|(name, value)| format!("\"{name}\":{value}")).collect();
            format!("{{\"result\":{{{}}}}}", fields.join(","))
        };
        assert!(read(&result("orders", "1")).is_some());
        for line in [
            "nonsense".to_owned(),
            r#"{"kind":"done"}"#.to_owned(),
            r#"{"done":{},"done":{}}"#.to_owned(),
            r#"{"done":{"more":1}}"#.to_owned(),
            r#"{"loaded":{"name":"A","parameters":{"p":[1,1]},"unknown":[]}}"#.to_owned(),
            format!(
                r#"{{"failed":{{"stage":"run","dataset":0,"errors":[{}]}}}}"#,
                many(9, r#"{"type":"E","message":"m","frames":[]}"#)
            ),
            result("warnings", &format!("[{}]", many(WARNINGS + 1, "\"w\""))),
            result("stats", "{\"a\":{\"b\":1}}"),
            result("beside", "1"),
            format!("{{\"environment\":{{\"message\":\"{}\"}}}}", "x".repeat(SHORT)),
        ] {
            assert!(read(&line).is_none(), "{}", &line[..line.len().min(200)]);
        }
    }
}
