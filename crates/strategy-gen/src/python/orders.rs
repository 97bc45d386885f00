//! What is done on a bar: entries with stops and sizes, exits, trailing.

use std::fmt::Write as _;

use super::class::Body;
use crate::spec::{Distance, Series, Side, Size, Target};

/// A fraction that stands for all cash where a size must be smaller than 1.
const ALL: &str = "0.9999";

impl Body<'_> {
    /// The methods that open positions and move stops, and their parameters.
    pub(super) fn orders(&mut self) {
        let spec = self.spec;
        if spec.trailing_stop.is_some() {
            self.trailing();
        }
        if !self.is_plain() {
            for (side, long) in [(&spec.long, true), (&spec.short, false)] {
                if side.is_some() {
                    self.opening(long);
                }
            }
        }
        if let Some(bars) = spec.max_bars {
            let bars = self.parameter("max_bars", bars.into());
            let _ = write!(
                self.methods,
                "\n    def is_over(self):\n        return len(self.data) - self.trades[-1].entry_bar >= {bars}\n"
            );
        }
    }

    /// Whether an order says all in one call.
    fn is_plain(&self) -> bool {
        let spec = self.spec;
        spec.stop_loss.is_none()
            && spec.trailing_stop.is_none()
            && spec.take_profit.is_none()
            && matches!(spec.size, Size::All)
    }

    /// A price at a distance; `sign` is the side it lies on.
    fn at(&mut self, name: &str, distance: Distance, sign: char) -> String {
        match distance {
            Distance::Percent(percent) => {
                let percent = self.parameter(&format!("{name}_pct"), percent);
                format!("price * (1 {sign} {percent} / 100)")
            }
            Distance::Atr { multiple, period } => {
                let multiple = self.parameter(&format!("{name}_atr"), multiple);
                format!("price {sign} {multiple} * {}[-1]", self.line(&Series::Atr { period }))
            }
        }
    }

    fn trailing(&mut self) {
        let Some(distance) = self.spec.trailing_stop else { return };
        let mut text = String::from(
            "\n    def trail_stops(self):\n        price = self.data.Close[-1]\n        for trade in self.trades:\n",
        );
        let (long, short) = (self.spec.long.is_some(), self.spec.short.is_some());
        let below = self.at("trailing_stop", distance, '-');
        let above = self.at("trailing_stop", distance, '+');
        match (long, short) {
            (true, true) => {
                let _ = write!(
                    text,
                    "            if trade.is_long:\n                trade.sl = max(trade.sl, {below})\n            else:\n                \
                     trade.sl = min(trade.sl, {above})\n"
                );
            }
            (true, false) => {
                let _ = writeln!(text, "            trade.sl = max(trade.sl, {below})");
            }
            _ => {
                let _ = writeln!(text, "            trade.sl = min(trade.sl, {above})");
            }
        }
        self.methods.push_str(&text);
    }

    fn opening(&mut self, long: bool) {
        let spec = self.spec;
        let (name, call, loss, gain) =
            if long { ("open_long", "buy", '-', '+') } else { ("open_short", "sell", '+', '-') };
        let stops: Vec<String> = [("stop_loss", spec.stop_loss), ("trailing_stop", spec.trailing_stop)]
            .into_iter()
            .filter_map(|(name, distance)| distance.map(|distance| self.at(name, distance, loss)))
            .collect();
        let mut lines = Vec::new();
        if !stops.is_empty() || spec.take_profit.is_some() {
            lines.push("price = self.data.Close[-1]".to_owned());
        }
        let mut arguments = Vec::new();
        match spec.size {
            Size::All => {}
            Size::Percent(percent) => {
                arguments.push(format!("size={} / 100", self.parameter("size_pct", percent)));
            }
            Size::Units(units) => {
                arguments.push(format!("size={}", self.parameter("size_units", units.into())));
            }
            Size::Risk(_) => arguments.push("size=size".to_owned()),
        }
        if !stops.is_empty() {
            let nearest = if long { "max" } else { "min" };
            let stop = match stops.as_slice() {
                [one] => one.clone(),
                several => format!("{nearest}({})", several.join(", ")),
            };
            lines.push(format!("stop = {stop}"));
            arguments.push("sl=stop".to_owned());
        }
        // Where nothing moves, an average true range is 0, and a stop at the price itself is refused.
        let by_atr = spec.series().iter().any(|series| matches!(series, Series::Atr { .. }))
            && [spec.stop_loss, spec.trailing_stop].iter().flatten().any(|d| d.series().is_some());
        if by_atr {
            let sign = if long { ">=" } else { "<=" };
            lines.push(format!("if stop {sign} price:"));
            lines.push("    return".to_owned());
        }
        match spec.take_profit {
            None => {}
            Some(Target::Distance(distance)) => {
                let target = self.at("take_profit", distance, gain);
                lines.push(format!("target = {target}"));
            }
            Some(Target::Reward(reward)) => {
                let reward = self.parameter("reward_per_risk", reward);
                lines.push(format!("target = price + {reward} * (price - stop)"));
            }
        }
        if spec.take_profit.is_some() {
            arguments.push("tp=target".to_owned());
            // The same standstill, and a short target that would lie at or below zero.
            let needs_room = matches!(spec.take_profit, Some(Target::Distance(Distance::Atr { .. })));
            if needs_room {
                let sign = if long { "<=" } else { ">=" };
                lines.push(format!("if target {sign} price:"));
                lines.push("    return".to_owned());
            }
        }
        if let Size::Risk(risk) = spec.size {
            let risk = self.parameter("risk_pct", risk);
            lines.push(format!("size = min({risk} / 100 * price / abs(price - stop), {ALL})"));
        }
        lines.push(format!("self.{call}({})", arguments.join(", ")));
        let _ = write!(self.methods, "\n    def {name}(self):\n");
        for line in lines {
            let _ = writeln!(self.methods, "        {line}");
        }
    }

    fn order(&self, long: bool) -> &'static str {
        match (self.is_plain(), long) {
            (true, true) => "self.buy()",
            (true, false) => "self.sell()",
            (false, true) => "self.open_long()",
            (false, false) => "self.open_short()",
        }
    }

    /// When a side is left: by its condition, by time, or by stops alone.
    fn leaves(&self, side: &Side, own: &str) -> Option<String> {
        let condition = side.exit.as_ref().map(|_| format!("self.leaves_{own}()"));
        let time = self.spec.max_bars.map(|_| "self.is_over()".to_owned());
        let ways: Vec<String> = condition.into_iter().chain(time).collect();
        (!ways.is_empty()).then(|| ways.join(" or "))
    }

    pub(super) fn next(&self) -> String {
        let mut text = self.guard();
        if self.spec.trailing_stop.is_some() {
            text.push_str("        self.trail_stops()\n");
        }
        match (&self.spec.long, &self.spec.short) {
            (Some(long), Some(short)) => {
                // An exit and the other side's entry may come on one bar: turn at once.
                let part = |side: &Side, own: &str, other: &str, order: &str| match self.leaves(side, own) {
                    Some(leaves) => format!(
                        "            if {leaves}:\n                self.position.close()\n                \
                         if self.enters_{other}():\n                    {order}\n"
                    ),
                    None => "            pass\n".to_owned(),
                };
                let (buy, sell) = (self.order(true), self.order(false));
                let _ = write!(
                    text,
                    "        if self.position.is_long:\n{}        elif self.position.is_short:\n{}        \
                     elif self.enters_long():\n            {buy}\n        elif self.enters_short():\n            {sell}\n",
                    part(long, "long", "short", sell),
                    part(short, "short", "long", buy),
                );
            }
            (long, short) => {
                let own = if long.is_some() { "long" } else { "short" };
                let order = self.order(long.is_some());
                match long.as_ref().or(short.as_ref()).and_then(|side| self.leaves(side, own)) {
                    Some(leaves) => {
                        let _ = write!(
                            text,
                            "        if self.position:\n            if {leaves}:\n                \
                             self.position.close()\n        elif self.enters_{own}():\n            {order}\n"
                        );
                    }
                    None => {
                        let _ = write!(
                            text,
                            "        if not self.position and self.enters_{own}():\n            {order}\n"
                        );
                    }
                }
            }
        }
        text
    }
}
