//! The class: parameters, indicators, conditions.

use std::fmt::Write as _;

use super::names::Names;
use crate::spec::{
    Average, Band, Condition, Extreme, Number, Operand, Price, Relation, Series, Signal, StrategySpec,
};

/// Longest line inside a method, without its indent.
const MAX_LINE: usize = 100;

/// The parts of the class.
pub(super) struct Body<'a> {
    pub(super) spec: &'a StrategySpec,
    names: Names,
    pub(super) parameters: Vec<(String, Number)>,
    pub(super) methods: String,
    /// Functions of the indicator module that are called.
    pub(super) functions: Vec<&'static str>,
    /// Bars that must have passed before the conditions can be looked at, as Python expressions.
    history: Vec<String>,
}

/// A bar counted back from the current one.
#[derive(Debug, Clone, Copy)]
enum Bar {
    Current,
    Before,
    /// The variable of a loop, 1 for the current bar.
    Looped,
}

impl Bar {
    /// Index of the bar so many bars before it.
    fn index(self, ago: Option<&str>) -> String {
        match (self, ago) {
            (Self::Current, None) => "[-1]".to_owned(),
            (Self::Before, None) => "[-2]".to_owned(),
            (Self::Looped, None) => "[-i]".to_owned(),
            (Self::Current, Some("1")) => "[-2]".to_owned(),
            (Self::Before, Some("1")) => "[-3]".to_owned(),
            (Self::Current, Some(ago)) => format!("[-1 - {ago}]"),
            (Self::Before, Some(ago)) => format!("[-2 - {ago}]"),
            (Self::Looped, Some(ago)) => format!("[-i - {ago}]"),
        }
    }
}

impl<'a> Body<'a> {
    pub(super) fn new(spec: &'a StrategySpec) -> Self {
        let mut body = Self {
            spec,
            names: Names::new(spec),
            parameters: Vec::new(),
            methods: String::new(),
            functions: Vec::new(),
            history: Vec::new(),
        };
        for (series, name) in body.names.indicators() {
            let own =
                series.parameters().into_iter().map(|(suffix, value)| (format!("{name}_{suffix}"), value));
            body.parameters.extend(own);
        }
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
        body.orders();
        body
    }

    /// One line per indicator.
    pub(super) fn init(&mut self) -> Vec<String> {
        let mut lines = Vec::new();
        for series in self.spec.series() {
            let Some((function, columns, constant)) = computed(&series) else { continue };
            let name = self.names.indicator(&series).to_owned();
            let columns = columns.iter().map(|column| format!("self.data.{}", self::column(*column)));
            let own = |(suffix, _): &(&str, Number)| format!("self.{name}_{suffix}");
            let taken = match series {
                Series::Macd { .. } | Series::StochasticK { .. } => 2,
                Series::Bollinger { .. } => 1,
                _ => usize::MAX,
            };
            let parameters = series.parameters();
            let mut arguments = vec![function.to_owned()];
            arguments.extend(columns);
            arguments.extend(parameters.iter().take(taken).map(own));
            arguments
                .extend(constant.map(|constant| constant.replace("{}", &format!("self.{name}_deviations"))));
            self.uses(function);
            let call = arguments.join(", ");
            let line = self.line(&series);
            let text = format!("{line} = self.I({call})");
            if text.len() <= MAX_LINE {
                lines.push(text);
            } else {
                lines.push(format!("{line} = self.I("));
                if call.len() <= MAX_LINE {
                    lines.push(format!("    {call}"));
                } else {
                    lines.extend(arguments.iter().map(|argument| format!("    {argument},")));
                }
                lines.push(")".to_owned());
            }
        }
        if lines.is_empty() {
            lines.push("pass".to_owned());
        }
        lines
    }

    fn uses(&mut self, function: &'static str) {
        if !self.functions.contains(&function) {
            self.functions.push(function);
        }
    }

    /// The expression for a line.
    pub(super) fn line(&self, series: &Series) -> String {
        let name = self.names.indicator(series);
        match series {
            Series::Price { column, .. } => format!("self.data.{}", self::column(*column)),
            Series::Macd { .. } => format!("self.{name}_line"),
            Series::MacdSignal { .. } => format!("self.{name}_signal"),
            Series::MacdHistogram { .. } => format!("self.{name}_histogram"),
            Series::StochasticK { .. } => format!("self.{name}_k"),
            Series::StochasticD { .. } => format!("self.{name}_d"),
            Series::Bollinger { band: Band::Upper, .. } => format!("self.{name}_upper"),
            Series::Bollinger { band: Band::Middle, .. } => format!("self.{name}_middle"),
            Series::Bollinger { band: Band::Lower, .. } => format!("self.{name}_lower"),
            _ => format!("self.{name}"),
        }
    }

    fn method(&mut self, name: &str, condition: &Condition, word: &str) {
        let text = match condition {
            Condition::All(parts) | Condition::Any(parts) => {
                let joint = if matches!(condition, Condition::All(_)) { "and" } else { "or" };
                let parts: Vec<String> =
                    parts.iter().map(|part| self.expression(part, word, Bar::Current)).collect();
                let parts = parts.join(&format!("\n            {joint} "));
                format!("        return (\n            {parts}\n        )\n")
            }
            one => format!("        return {}\n", self.expression(one, word, Bar::Current)),
        };
        let _ = write!(self.methods, "\n    def {name}(self):\n{text}");
    }

    fn expression(&mut self, condition: &Condition, word: &str, bar: Bar) -> String {
        let (parts, joint) = match condition {
            Condition::Signal(signal) => return self.signal(signal, word, bar),
            Condition::Held { condition, bars } => {
                let bars = self.parameter(&format!("{word}_bars"), (*bars).into());
                let earlier = self.history.len();
                let held = self.expression(condition, word, Bar::Looped);
                for inside in &mut self.history[earlier..] {
                    *inside = format!("{bars} + {inside}");
                }
                self.history.push(bars.clone());
                return format!("all({held} for i in range(1, {bars} + 1))");
            }
            Condition::All(parts) => (parts, " and "),
            Condition::Any(parts) => (parts, " or "),
        };
        let parts: Vec<String> = parts.iter().map(|part| self.expression(part, word, bar)).collect();
        format!("({})", parts.join(joint))
    }

    fn signal(&mut self, signal: &Signal, word: &str, bar: Bar) -> String {
        let sign = match signal.relation {
            Relation::CrossesAbove | Relation::CrossesBelow => return self.crossing(signal, word),
            Relation::Above => ">",
            Relation::AtOrAbove => ">=",
            Relation::Below => "<",
            Relation::AtOrBelow => "<=",
        };
        let left = self.value(&Operand::Series(signal.left), signal, word, bar);
        format!("{left} {sign} {}", self.value(&signal.right, signal, word, bar))
    }

    /// The event, by the function where both are plain, else spelled out.
    fn crossing(&mut self, signal: &Signal, word: &str) -> String {
        let up = signal.relation.is_up();
        let plain = |series: &Series| !matches!(series, Series::Price { ago: 1.., .. });
        let right = match signal.right {
            Operand::Level(level) => Some(self.level(signal, level, word)),
            Operand::Series(series) if plain(&series) => Some(self.line(&series)),
            _ => None,
        };
        if let Some(right) = right.filter(|_| plain(&signal.left)) {
            let function = if up { "crosses_above" } else { "crosses_below" };
            self.uses(function);
            return format!("{function}({}, {right})", self.line(&signal.left));
        }
        let left = Operand::Series(signal.left);
        let (before, now) = if up { ("<=", ">") } else { (">=", "<") };
        format!(
            "({} {before} {} and {} {now} {})",
            self.value(&left, signal, word, Bar::Before),
            self.value(&signal.right, signal, word, Bar::Before),
            self.value(&left, signal, word, Bar::Current),
            self.value(&signal.right, signal, word, Bar::Current),
        )
    }

    /// The value of one side on a bar.
    fn value(&mut self, operand: &Operand, signal: &Signal, word: &str, bar: Bar) -> String {
        let part = |body: &Self, suffix: &str| {
            format!(
                "{word}_{}_{suffix}",
                body.line(&signal.left).replace("self.data.", "").replace("self.", "").to_lowercase()
            )
        };
        match *operand {
            Operand::Level(level) => self.level(signal, level, word),
            Operand::Series(Series::Price { ago, column }) if ago > 0 => {
                let line = self.line(&Series::price(column));
                let ago = self.ago(ago, &format!("{column}_bars_ago"), bar);
                format!("{line}{}", bar.index(Some(&ago)))
            }
            Operand::Series(series) => format!("{}{}", self.line(&series), bar.index(None)),
            Operand::Scaled { series, factor } => {
                let factor = self.parameter(&part(self, "factor"), factor);
                let value = self.value(&Operand::Series(series), signal, word, bar);
                format!("{factor} * {value}")
            }
            Operand::Offset { series, percent } => {
                let sign = if percent.get() < 0.0 { '-' } else { '+' };
                let size = Number::new(percent.get().abs()).unwrap_or(percent);
                let percent = self.parameter(&part(self, "pct"), size);
                let value = self.value(&Operand::Series(series), signal, word, bar);
                format!("{value} * (1 {sign} {percent} / 100)")
            }
            Operand::Earlier { series, bars } => {
                let ago = self.ago(bars, &part(self, "bars_ago"), bar);
                format!("{}{}", self.line(&series), bar.index(Some(&ago)))
            }
        }
    }

    /// The expression for a number of bars to look back, and the history it asks for.
    fn ago(&mut self, ago: u32, name: &str, bar: Bar) -> String {
        let ago = if ago == 1 { "1".to_owned() } else { self.parameter(name, ago.into()) };
        let needed = match (bar, ago.as_str()) {
            (Bar::Current, "1") => "2".to_owned(),
            (Bar::Current, ago) => format!("{ago} + 1"),
            (Bar::Before, "1") => "3".to_owned(),
            (Bar::Before, ago) => format!("{ago} + 2"),
            (Bar::Looped, ago) => ago.to_owned(),
        };
        if needed != "2" && !self.history.contains(&needed) {
            self.history.push(needed);
        }
        ago
    }

    /// The parameter that holds a level, such as `buy_rsi_below`.
    fn level(&mut self, signal: &Signal, level: Number, word: &str) -> String {
        let line = self.line(&signal.left).replace("self.data.", "").replace("self.", "").to_lowercase();
        let direction = if signal.relation.is_up() { "above" } else { "below" };
        self.parameter(&format!("{word}_{line}_{direction}"), level)
    }

    /// The class attribute with a value; a name that holds another value already is counted up.
    pub(super) fn parameter(&mut self, name: &str, value: Number) -> String {
        let mut candidate = name.to_owned();
        let mut count = 1;
        while let Some((_, taken)) = self.parameters.iter().find(|(other, _)| *other == candidate) {
            if *taken == value {
                return format!("self.{candidate}");
            }
            count += 1;
            candidate = format!("{name}_{count}");
        }
        self.parameters.push((candidate.clone(), value));
        format!("self.{candidate}")
    }

    /// The guard against bars without enough before them.
    pub(super) fn guard(&self) -> String {
        let mut needed: Vec<&str> = Vec::new();
        for history in &self.history {
            if !needed.contains(&history.as_str()) {
                needed.push(history);
            }
        }
        let bars = match needed.as_slice() {
            [] => return String::new(),
            [one] => (*one).to_owned(),
            several => format!("max({})", several.join(", ")),
        };
        format!("        if len(self.data) < {bars}:\n            return\n")
    }
}

fn column(price: Price) -> &'static str {
    match price {
        Price::Open => "Open",
        Price::High => "High",
        Price::Low => "Low",
        Price::Close => "Close",
        Price::Volume => "Volume",
    }
}

/// The function of a line, the columns it reads and a last argument that is no period.
fn computed(series: &Series) -> Option<(&'static str, &'static [Price], Option<&'static str>)> {
    const CLOSE: &[Price] = &[Price::Close];
    const BAR: &[Price] = &[Price::High, Price::Low, Price::Close];
    let (function, columns): (_, &'static [Price]) = match series {
        Series::Price { .. } => return None,
        Series::Average { kind, of, .. } => {
            let columns: &'static [Price] = match of {
                Price::Open => &[Price::Open],
                Price::High => &[Price::High],
                Price::Low => &[Price::Low],
                Price::Close => CLOSE,
                Price::Volume => &[Price::Volume],
            };
            let function = match kind {
                Average::Simple => "sma",
                Average::Exponential => "ema",
                Average::Weighted => "wma",
            };
            (function, columns)
        }
        Series::Rsi { .. } => ("rsi", CLOSE),
        Series::Macd { .. } => ("macd_line", CLOSE),
        Series::MacdSignal { .. } => ("macd_signal_line", CLOSE),
        Series::MacdHistogram { .. } => ("macd_histogram", CLOSE),
        Series::Bollinger { band, .. } => {
            let width = match band {
                Band::Upper => "{}",
                Band::Middle => "0",
                Band::Lower => "-{}",
            };
            return Some(("bollinger_line", CLOSE, Some(width)));
        }
        Series::Atr { .. } => ("atr", BAR),
        Series::StochasticK { .. } => ("stochastic_k", BAR),
        Series::StochasticD { .. } => ("stochastic_d", BAR),
        Series::Adx { .. } => ("adx", BAR),
        Series::PlusDi { .. } => ("plus_di", BAR),
        Series::MinusDi { .. } => ("minus_di", BAR),
        Series::Cci { .. } => ("cci", BAR),
        Series::Roc { .. } => ("roc", CLOSE),
        Series::Momentum { .. } => ("momentum", CLOSE),
        Series::Vwap { .. } => ("vwap", &[Price::High, Price::Low, Price::Close, Price::Volume]),
        Series::Channel { extreme: Extreme::High, .. } => ("previous_high", &[Price::High]),
        Series::Channel { extreme: Extreme::Low, .. } => ("previous_low", &[Price::Low]),
    };
    Some((function, columns, None))
}
