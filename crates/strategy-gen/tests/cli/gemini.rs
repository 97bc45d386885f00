//! The simulated Gemini at the program's other end.

use std::sync::{Arc, Mutex};

use gemini_sim::{Answer, Asked, KeySpec, ProjectSpec, Sim, SimBuilder, SimServer};
use tokio::runtime::Runtime;

use crate::rig::{Place, Program};

/// The secret of the key that is registered at every [`Gemini::answering`].
pub(crate) const SECRET: &str = "AIzaCANARY-1";

/// A running simulator and what it was asked.
pub(crate) struct Gemini {
    // Before the runtime it lives in.
    pub(crate) server: SimServer,
    asked: Arc<Mutex<Vec<Asked>>>,
    _runtime: Runtime,
}

impl Gemini {
    /// With these projects and keys, answering in this order; the last answer again and again.
    pub(crate) fn start(answers: Vec<Answer>, world: impl FnOnce(SimBuilder) -> SimBuilder) -> Self {
        Self::by(move |n| answers.get(n).or(answers.last()).cloned().unwrap_or_default(), world)
    }

    /// With answers by their number, from 0.
    pub(crate) fn by(
        answers: impl Fn(usize) -> Answer + Send + Sync + 'static,
        world: impl FnOnce(SimBuilder) -> SimBuilder,
    ) -> Self {
        let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build();
        let runtime = runtime.expect("a runtime");
        let asked: Arc<Mutex<Vec<Asked>>> = Arc::default();
        let notes = Arc::clone(&asked);
        let answer = move |asked: &Asked| {
            let mut notes = notes.lock().expect("unpoisoned");
            notes.push(asked.clone());
            answers(notes.len() - 1)
        };
        let builder = world(Sim::builder().answer(Arc::new(answer)));
        let server = runtime.block_on(builder.start()).expect("started");
        Self { server, asked, _runtime: runtime }
    }

    /// With one project and the key [`SECRET`].
    pub(crate) fn answering(answers: Vec<Answer>) -> Self {
        Self::start(answers, one_key)
    }

    /// With one key, always answering with a good strategy.
    pub(crate) fn good() -> Self {
        Self::answering(vec![Answer::text(block(STRATEGY))])
    }

    /// Every request so far, whatever came of it.
    pub(crate) fn requests(&self) -> usize {
        self.server.log().len()
    }

    /// What the model was asked so far.
    pub(crate) fn asked(&self) -> Vec<Asked> {
        self.asked.lock().expect("unpoisoned").clone()
    }

    /// The program with the single key, talking to this server.
    pub(crate) fn program<'a>(&self, place: &Place, args: impl IntoIterator<Item = &'a str>) -> Program {
        self.reached_by(place.program(args)).env("GEMINI_API_KEY", SECRET)
    }

    /// Any program, talking to this server.
    pub(crate) fn reached_by(&self, program: Program) -> Program {
        program.env("GEMINI_BASE_URL", &self.server.base_url())
    }
}

pub(crate) fn one_key(builder: SimBuilder) -> SimBuilder {
    builder.project(ProjectSpec::new("p1")).key(KeySpec::new(SECRET, "p1"))
}

/// A reply with this code in a fenced block.
pub(crate) fn block(code: &str) -> String {
    format!("Here is the strategy.\n\n```python\n{code}```\n")
}

/// A whole strategy that passes the check.
pub(crate) const STRATEGY: &str = "\
import numpy as np
from backtesting import Strategy


def rsi(values, period):
    return np.asarray(values, dtype=float) * 0 + period


class Bounce(Strategy):
    period = 14
    low = 30
    high = 70

    def init(self):
        self.rsi = self.I(rsi, self.data.Close, self.period)

    def next(self):
        if self.rsi[-1] < self.low:
            self.buy()
        elif self.rsi[-1] > self.high:
            self.position.close()
";
