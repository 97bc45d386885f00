//! The scripts that decide, put together from their parts, and the calendar they are given.

use std::fmt::Write;
use std::sync::LazyLock;

use keyrot_core::{PacificDay, Timestamp};

use super::coding::{REASONS, millis, reason_no};

const HOUR_MS: u64 = 3_600_000;
const DAY_MS: u64 = 24 * HOUR_MS;
/// The calendar the scripts know: from 2020 to 2079.
const FIRST_MS: u64 = 1_577_865_600_000;
const LAST_MS: u64 = FIRST_MS + 60 * 365 * DAY_MS;

/// One script.
#[derive(Debug)]
pub(super) struct Script {
    pub(super) code: String,
    /// Its SHA-1, by which a server that knows it is asked to run it.
    pub(super) hash: String,
}

impl Script {
    fn new(parts: &[&str]) -> Self {
        let code = parts.concat();
        let hash = redis::Script::new(&code).get_hash().to_owned();
        Self { code, hash }
    }
}

/// All of them.
#[derive(Debug)]
pub(super) struct Scripts {
    pub(super) hello: Script,
    pub(super) batch: Script,
    pub(super) cool: Script,
    pub(super) lift: Script,
    pub(super) listen: Script,
    pub(super) snapshot: Script,
    pub(super) heartbeat: Script,
    pub(super) stay: Script,
    pub(super) absorb: Script,
    pub(super) fact_get: Script,
    pub(super) fact_put: Script,
    pub(super) fact_scan: Script,
    pub(super) fact_add: Script,
}

/// The scripts of this build.
pub(super) static SCRIPTS: LazyLock<Scripts> = LazyLock::new(Scripts::new);

impl Scripts {
    fn new() -> Self {
        let zone = zone();
        let zone = zone.as_str();
        let longest = longest();
        let longest = longest.as_str();
        let (begin, typed, pool) =
            (include_str!("begin.lua"), include_str!("typed.lua"), include_str!("pool.lua"));
        let (text, ledger, day) =
            (include_str!("ledger_text.lua"), include_str!("ledger.lua"), include_str!("day.lua"));
        let (lifts, breaker) = (include_str!("lifts.lua"), include_str!("breaker.lua"));
        let (cooldown, candidate, refusal, permit, facts) = (
            include_str!("cooldown.lua"),
            include_str!("candidate.lua"),
            include_str!("refusal.lua"),
            include_str!("permit.lua"),
            include_str!("facts.lua"),
        );
        let with = |parts: &[&str], last: &str| Script::new(&[parts, &[last]].concat());
        Self {
            hello: with(&[begin], include_str!("hello.lua")),
            batch: batch(
                &[begin, include_str!("lone.lua"), typed, pool, text, include_str!("batch_read.lua")],
                &[
                    zone,
                    include_str!("thorough.lua"),
                    ledger,
                    day,
                    lifts,
                    longest,
                    cooldown,
                    breaker,
                    candidate,
                    refusal,
                    permit,
                    include_str!("recall.lua"),
                    include_str!("closed.lua"),
                    include_str!("settle.lua"),
                    include_str!("release.lua"),
                    include_str!("give_back.lua"),
                    include_str!("reserve.lua"),
                    include_str!("dispatch.lua"),
                ],
                include_str!("batch.lua"),
            ),
            cool: with(
                &[begin, zone, typed, pool, text, ledger, day, lifts, longest, cooldown, breaker],
                include_str!("cool.lua"),
            ),
            lift: with(&[begin, pool, lifts, longest, cooldown, breaker], include_str!("lift.lua")),
            listen: with(&[begin, lifts], include_str!("listen.lua")),
            snapshot: with(
                &[
                    begin, zone, typed, pool, text, ledger, day, lifts, longest, cooldown, breaker,
                    candidate, refusal,
                ],
                include_str!("snapshot.lua"),
            ),
            heartbeat: with(&[begin, typed, pool], include_str!("heartbeat.lua")),
            stay: with(&[begin, typed], include_str!("stay.lua")),
            absorb: with(&[begin, zone, typed, pool, text, ledger, day], include_str!("absorb.lua")),
            fact_get: with(&[begin, typed, facts], include_str!("fact_get.lua")),
            fact_put: with(&[begin, typed, facts], include_str!("fact_put.lua")),
            fact_scan: with(&[begin, typed, facts], include_str!("fact_scan.lua")),
            fact_add: with(&[begin, typed, facts], include_str!("fact_add.lua")),
        }
    }

    /// All of them, to be made known to a server.
    pub(super) fn all(&self) -> [&Script; 13] {
        [
            &self.hello,
            &self.batch,
            &self.cool,
            &self.lift,
            &self.listen,
            &self.snapshot,
            &self.heartbeat,
            &self.stay,
            &self.absorb,
            &self.fact_get,
            &self.fact_put,
            &self.fact_scan,
            &self.fact_add,
        ]
    }
}

/// A script that does itself what is common, and defines `rest` only when it is needed: functions are
/// made anew each time a script is run, and most of a short one's time would go into that.
fn batch(parts: &[&str], rest: &[&str], last: &str) -> Script {
    let open = "local function thoroughly()\n";
    Script::new(&[parts, &[open], rest, &["end\n", last]].concat())
}

/// The calendar as a line of Lua: the first midnight of each stretch of time in which midnights are 24
/// hours apart, 13 digits each.
fn zone() -> String {
    let start = |ms: u64| PacificDay::containing(Timestamp::from_millis(ms)).start.as_millis();
    let offset = |midnight: u64| midnight % DAY_MS;
    let mut line = String::from("local ZONE = '");
    let mut first = start(FIRST_MS);
    // Writing to a string cannot fail.
    let _ = write!(line, "{first:013}");
    while first < LAST_MS {
        // A stretch is longer than three months: within these it is found by halves.
        let (mut same, mut other) = (first, first + 90 * DAY_MS);
        while offset(start(other)) == offset(first) {
            (same, other) = (start(other), other + 30 * DAY_MS);
        }
        other = start(other);
        while other - same > DAY_MS + HOUR_MS {
            // Half a day on: never the same midnight again.
            let middle = start(same + (other - same) / 2 + DAY_MS / 2);
            if offset(middle) == offset(first) {
                same = middle;
            } else {
                other = middle;
            }
        }
        first = other;
        let _ = write!(line, "{first:013}");
    }
    line.push_str("'\n");
    line
}

/// A line of Lua: by the number of each reason, the longest that a cooldown for it is decided to last.
fn longest() -> String {
    let all = REASONS.map(|reason| {
        let longest = millis(reason.longest());
        let longest = if longest.is_finite() { longest.to_string() } else { "NEVER".to_owned() };
        format!("[{}] = {longest}", reason_no(reason))
    });
    format!("local LONGEST_FOR = {{ {} }}\n", all.join(", "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_calendar_holds_every_change_of_the_clocks() {
        let line = zone();
        let digits: Vec<&str> = line.split('\'').collect();
        let stretches: Vec<u64> = digits[1]
            .as_bytes()
            .chunks(13)
            .map(|chunk| std::str::from_utf8(chunk).unwrap().parse().unwrap())
            .collect();
        assert!(stretches.is_sorted());
        // 2026-03-09 and 2026-11-02: the first midnights after the clocks have changed.
        assert!(stretches.contains(&1_773_039_600_000) && stretches.contains(&1_793_606_400_000));
        // Day by day, it is what the calendar says.
        let mut day = PacificDay::containing(Timestamp::from_millis(FIRST_MS));
        let mut at = 0;
        while day.end.as_millis() < LAST_MS {
            if stretches.get(at + 1) == Some(&day.end.as_millis()) {
                at += 1;
            } else {
                assert_eq!((day.end.as_millis() - stretches[at]) % DAY_MS, 0, "{day:?}");
            }
            day = PacificDay::containing(day.end);
        }
    }
}
