//! The class: parameters, indicators, decisions.

use std::fmt::Write as _;

use super::indicators::channel_function;
use super::names::Names;
use crate::spec::{
    Average, Band, Condition, Extreme, Number, Operand, Price, Relation, Series, Side, Signal, StrategySpec,
};

/// Longest line inside a method, without its indent.
const MAX_LINE: usize = 100;

/// The parts of the class.
pub(super) struct Body<'a> {
    spec: &'a StrategySpec,
    names: Names,
    pub(super) parameters: Vec<(String, Number)>,
    pub(super) methods: String,
}

impl<'a> Body<'a> {
    pub(super) fn new(spec: &'a StrategySpec) -> Self {
        let mut body = Self { spec, names: Names::new(spec), parameters: Vec::new(), methods: String::new() };
        body.periods();
        for (side, entry, exit, words) in [
            (&spec.long, "enters_long", "leaves_long", ["buy", "sell"]),
            (&spec.short, "enters_short", "leaves_short", ["short", "cover"]),
        ] {
            let Some(side) = side else { continue };
            body.method(entry, &side.entry, words[0]);
            if let Some(condition) = &side.exit {
                body.method(exit, condition, words[1]);
            }
        }
        body.parameters.extend(spec.stop_loss_pct.map(|pct| ("stop_loss_pct".to_owned(), pct)));
        body.parameters.extend(spec.take_profit_pct.map(|pct| ("take_profit_pct".to_owned(), pct)));
        body
    }

    fn periods(&mut self) {
        for (series, name) in self.names.indicators() {
            let mut add =
                |suffix: &str, value: Number| self.parameters.push((format!("{name}_{suffix}"), value));
            match *series {
                Series::Price { .. } => {}
                Series::Average { period, .. } | Series::Rsi { period } | Series::Channel { period, .. } => {
                    add("period", period.into());
                }
                Series::Macd { periods }
                | Series::MacdSignal { periods }
                | Series::MacdHistogram { periods } => {
                    add("fast_period", periods.fast.into());
                    add("slow_period", periods.slow.into());
                    add("signal_period", periods.signal.into());
                }
                Series::Bollinger { period, deviations, .. } => {
                    add("period", period.into());
                    add("deviations", deviations);
                }
            }
        }
    }

    /// One line per indicator.
    pub(super) fn init(&self) -> Vec<String> {
        let mut lines = Vec::new();
        for series in self.spec.series() {
            let name = self.names.indicator(&series);
            let own = |suffix: &str| format!("self.{name}_{suffix}");
            let call = match series {
                Series::Price { .. } => continue,
                Series::Average { kind: Average::Simple, .. } => {
                    format!("sma, self.data.Close, {}", own("period"))
                }
                Series::Average { kind: Average::Exponential, .. } => {
                    format!("ema, self.data.Close, {}", own("period"))
                }
                Series::Rsi { .. } => format!("rsi, self.data.Close, {}", own("period")),
                Series::Macd { .. } => {
                    format!("macd_line, self.data.Close, {}, {}", own("fast_period"), own("slow_period"))
                }
                Series::MacdSignal { .. } | Series::MacdHistogram { .. } => {
                    let function = if matches!(series, Series::MacdSignal { .. }) {
                        "macd_signal_line"
                    } else {
                        "macd_histogram"
                    };
                    let periods = ["fast_period", "slow_period", "signal_period"].map(own).join(", ");
                    format!("{function}, self.data.Close, {periods}")
                }
                Series::Bollinger { band, .. } => {
                    let width = match band {
                        Band::Upper => own("deviations"),
                        Band::Middle => "0".to_owned(),
                        Band::Lower => format!("-{}", own("deviations")),
                    };
                    format!("bollinger_line, self.data.Close, {}, {width}", own("period"))
                }
                Series::Channel { extreme, .. } => {
                    let column = match extreme {
                        Extreme::High => "High",
                        Extreme::Low => "Low",
                    };
                    format!("{}, self.data.{column}, {}", channel_function(extreme), own("period"))
                }
            };
            let line = self.line(&series);
            let text = format!("{line} = self.I({call})");
            if text.len() <= MAX_LINE {
                lines.push(text);
            } else {
                lines.extend([format!("{line} = self.I("), format!("    {call}"), ")".to_owned()]);
            }
        }
        lines
    }

    /// The expression for a line.
    fn line(&self, series: &Series) -> String {
        let name = self.names.indicator(series);
        match series {
            Series::Price { column } => match column {
                Price::High => "self.data.High".to_owned(),
                Price::Low => "self.data.Low".to_owned(),
                Price::Close => "self.data.Close".to_owned(),
            },
            Series::Average { .. } | Series::Rsi { .. } | Series::Channel { .. } => format!("self.{name}"),
            Series::Macd { .. } => format!("self.{name}_line"),
            Series::MacdSignal { .. } => format!("self.{name}_signal"),
            Series::MacdHistogram { .. } => format!("self.{name}_histogram"),
            Series::Bollinger { band: Band::Upper, .. } => format!("self.{name}_upper"),
            Series::Bollinger { band: Band::Middle, .. } => format!("self.{name}_middle"),
            Series::Bollinger { band: Band::Lower, .. } => format!("self.{name}_lower"),
        }
    }

    fn method(&mut self, name: &str, condition: &Condition, word: &str) {
        let _ = write!(self.methods, "\n    def {name}(self):\n");
        let text = match condition {
            Condition::Signal(signal) => format!("        return {}\n", self.signal(signal, word)),
            Condition::All(parts) | Condition::Any(parts) => {
                let joint = if matches!(condition, Condition::All(_)) { "and" } else { "or" };
                let parts: Vec<String> = parts.iter().map(|part| self.expression(part, word)).collect();
                let parts = parts.join(&format!("\n            {joint} "));
                format!("        return (\n            {parts}\n        )\n")
            }
        };
        self.methods.push_str(&text);
    }

    fn expression(&mut self, condition: &Condition, word: &str) -> String {
        let (parts, joint) = match condition {
            Condition::Signal(signal) => return self.signal(signal, word),
            Condition::All(parts) => (parts, " and "),
            Condition::Any(parts) => (parts, " or "),
        };
        let parts: Vec<String> = parts.iter().map(|part| self.expression(part, word)).collect();
        format!("({})", parts.join(joint))
    }

    fn signal(&mut self, signal: &Signal, word: &str) -> String {
        let left = self.line(&signal.left);
        let (right, now) = match signal.right {
            Operand::Series(series) => (self.line(&series), "[-1]"),
            Operand::Level(level) => (format!("self.{}", self.level(signal, level, word)), ""),
        };
        match signal.relation {
            Relation::CrossesAbove => format!("crosses_above({left}, {right})"),
            Relation::CrossesBelow => format!("crosses_below({left}, {right})"),
            Relation::Above => format!("{left}[-1] > {right}{now}"),
            Relation::AtOrAbove => format!("{left}[-1] >= {right}{now}"),
            Relation::Below => format!("{left}[-1] < {right}{now}"),
            Relation::AtOrBelow => format!("{left}[-1] <= {right}{now}"),
        }
    }

    /// The parameter that holds a level, such as `buy_rsi_below`.
    fn level(&mut self, signal: &Signal, level: Number, word: &str) -> String {
        let line = self.line(&signal.left).replace("self.", "");
        let direction = if signal.relation.is_up() { "above" } else { "below" };
        let name = format!("{word}_{line}_{direction}");
        let mut candidate = name.clone();
        let mut count = 1;
        while let Some((_, taken)) = self.parameters.iter().find(|(other, _)| *other == candidate) {
            if *taken == level {
                return candidate;
            }
            count += 1;
            candidate = format!("{name}_{count}");
        }
        self.parameters.push((candidate.clone(), level));
        candidate
    }

    pub(super) fn next(&self) -> String {
        let price = if self.spec.stop_loss_pct.is_some() || self.spec.take_profit_pct.is_some() {
            "        price = self.data.Close[-1]\n"
        } else {
            ""
        };
        let decision = match (&self.spec.long, &self.spec.short) {
            (Some(long), Some(short)) => {
                // An exit and the other side's entry may come on one bar: turn at once.
                let part = |side: &Side, own: &str, other: &str, order: &str| {
                    let mut text = String::new();
                    if side.exit.is_some() {
                        let _ = write!(
                            text,
                            "            if self.leaves_{own}():\n                self.position.close()\n                \
                             if self.enters_{other}():\n                    {order}\n"
                        );
                    } else {
                        text.push_str("            pass\n");
                    }
                    text
                };
                let (buy, sell) = (self.order(true), self.order(false));
                format!(
                    "        if self.position.is_long:\n{}        elif self.position.is_short:\n{}        \
                     elif self.enters_long():\n            {buy}\n        elif self.enters_short():\n            {sell}\n",
                    part(long, "long", "short", &sell),
                    part(short, "short", "long", &buy),
                )
            }
            (long, short) => {
                let own = if long.is_some() { "long" } else { "short" };
                let order = self.order(long.is_some());
                let exit = long.as_ref().or(short.as_ref()).is_some_and(|side| side.exit.is_some());
                if exit {
                    format!(
                        "        if self.position:\n            if self.leaves_{own}():\n                \
                         self.position.close()\n        elif self.enters_{own}():\n            {order}\n"
                    )
                } else {
                    format!("        if not self.position and self.enters_{own}():\n            {order}\n")
                }
            }
        };
        format!("{price}{decision}")
    }

    fn order(&self, long: bool) -> String {
        let (call, loss, gain) = if long { ("buy", '-', '+') } else { ("sell", '+', '-') };
        let at = |sign: char, parameter: &str| format!("price * (1 {sign} self.{parameter} / 100)");
        let mut arguments = Vec::new();
        if self.spec.stop_loss_pct.is_some() {
            arguments.push(format!("sl={}", at(loss, "stop_loss_pct")));
        }
        if self.spec.take_profit_pct.is_some() {
            arguments.push(format!("tp={}", at(gain, "take_profit_pct")));
        }
        format!("self.{call}({})", arguments.join(", "))
    }
}
