//! The rows of the table.

use std::time::Duration;

use gemini_sim::Window;

use crate::bench::scenario::{Arrivals, Scenario, Skew, Trouble};

/// The demands of a row: clients who wait for their answers know no other than their own.
pub(crate) const fn demands(row: &Scenario) -> &'static [u64] {
    match row.arrivals {
        Arrivals::Even | Arrivals::Poisson => &[50, 100, 300],
        Arrivals::Clients(_) => &[100],
    }
}

/// All rows, in the order of the table.
pub(crate) fn all() -> Vec<Scenario> {
    let mut rows = vec![
        Scenario::new("plain, even arrivals"),
        Scenario { arrivals: Arrivals::Poisson, ..Scenario::new("plain, Poisson arrivals") },
        Scenario { trouble: Trouble::KeyRevoked, ..Scenario::new("a key revoked") },
        Scenario { trouble: Trouble::DayUsedUp, ..Scenario::new("a project out of its day") },
    ];
    for share in [0.002, 0.01, 0.02, 0.05] {
        for seconds in [1, 4, 30] {
            let name = format!("{} % 503s, calls of {seconds} s", share * 100.0);
            let call = Duration::from_secs(seconds);
            rows.push(Scenario { trouble: Trouble::Overloaded(share), call, ..Scenario::new(name) });
        }
    }
    for share in [0.0, 0.002, 0.01, 0.02, 0.05] {
        for seconds in [1, 4, 30] {
            let name = format!("no limits, 100 clients, {} % 503s, calls of {seconds} s", share * 100.0);
            let arrivals = Arrivals::Clients(100);
            let trouble = Trouble::Overloaded(share);
            rows.push(Scenario { arrivals, trouble, rpm: 60_000, ..large(name, seconds) });
        }
    }
    rows.extend([
        Scenario { declared: 6, ..Scenario::new("limits six times too high") },
        Scenario { window: Window::FixedMinute, ..Scenario::new("a server of fixed minutes") },
        Scenario { skew: Skew::Constant(2_000), ..Scenario::new("server clock 2 s ahead") },
        Scenario { skew: Skew::Constant(-2_000), ..Scenario::new("server clock 2 s behind") },
        Scenario { skew: Skew::SetBack(2_000), ..Scenario::new("server clock set back by 2 s") },
        Scenario { processes: 4, ..Scenario::new("four processes on one store") },
        Scenario {
            processes: 4,
            trouble: Trouble::StoreAway,
            ..Scenario::new("four processes, the store away for 20 s")
        },
        Scenario {
            trouble: Trouble::Poisoned(20),
            projects: 5,
            ..Scenario::new("one prompt in 20 poisoned")
        },
        Scenario { trouble: Trouble::BrokenKey, projects: 4, ..Scenario::new("one key of four always 500") },
    ]);
    for share in [0.8, 1.0] {
        for seconds in [1, 30] {
            let name = format!("a minute of {} % 503s, calls of {seconds} s", share * 100.0);
            rows.push(Scenario { trouble: Trouble::Outage(share), ..large(name, seconds) });
        }
    }
    rows
}

/// Twenty projects of 120 requests per minute: 40 a second, so that a small share of them is a number of calls.
fn large(name: String, seconds: u64) -> Scenario {
    Scenario { projects: 20, rpm: 120, call: Duration::from_secs(seconds), ..Scenario::new(name) }
}
