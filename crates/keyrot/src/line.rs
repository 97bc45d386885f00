//! The line in front of a bucket: who waits for capacity, in what order, and who may ask the store now.
//!
//! Requests of one class (method, workload, tags, project) are served in the order they came; classes
//! take turns. The order holds per process only. Several who wait may ask at once, so that a line drains
//! at the store's pace and not at one grant per round trip: one at first, one more for each grant, one
//! again after a refusal. A class whose first request was refused sleeps until it is worth asking again:
//! nobody of it asks meanwhile. One that is only too large for now lets smaller ones behind it ask, but not
//! where it waits itself: it is not starved, and they do not stand idle.

use std::collections::VecDeque;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering};

use keyrot_core::{Clock, Timestamp};
use parking_lot::Mutex;
use tokio::sync::Notify;

/// The most that ask at once: no bound for a crowd that nothing limits, and one for what is asked in vain
/// when a limit is met.
const MOST_ASKING: usize = 1_024;

/// See the module's docs.
#[derive(Debug, Default)]
pub(crate) struct Line {
    state: Mutex<State>,
    /// How many wait and do not ask.
    idle: AtomicUsize,
    /// How often something was freed: who was refused before that does not sleep.
    wakes: AtomicU64,
}

#[derive(Debug)]
struct State {
    classes: Vec<Class>,
    next_ticket: u64,
    /// How many have a place.
    standing: usize,
    asking: usize,
    /// How many may ask at once.
    window: usize,
    /// The turns that the class served last has had.
    turns: u64,
    /// What time it was when anybody last looked.
    now: Timestamp,
}

impl Default for State {
    fn default() -> Self {
        Self {
            classes: Vec::new(),
            next_ticket: 0,
            standing: 0,
            asking: 0,
            window: 1,
            turns: 0,
            now: Timestamp::default(),
        }
    }
}

#[derive(Debug)]
struct Class {
    name: u32,
    waiting: VecDeque<Waiter>,
    asleep_until: Timestamp,
    /// The turns it has had: the class with the fewest is next.
    turns: u64,
}

#[derive(Debug)]
struct Waiter {
    ticket: u64,
    /// Input tokens it is charged.
    tokens: u64,
    asking: bool,
    /// Until when what it may not use again keeps it, and nobody else, from asking.
    barred_until: Timestamp,
    woken: Arc<Notify>,
}

/// What somebody who waits has to do next.
enum Next {
    Ask,
    SleepUntil(Timestamp),
    Wait,
}

/// A place in a line; leaving it, by whatever way, frees it.
#[derive(Debug)]
pub(crate) struct Place<'a> {
    line: &'a Line,
    class: u32,
    /// Its number: the lower, the earlier it came.
    pub(crate) ticket: u64,
    woken: Arc<Notify>,
    /// How many of the class were ahead when it joined.
    pub(crate) ahead: usize,
}

/// What keeps a request that was refused.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keeps {
    /// What would keep any other of its class.
    All,
    /// What would not keep a smaller one.
    Size,
    /// Only its own past.
    Own,
}

/// How many behind a large request are looked at for a smaller one.
const FOLLOWERS: usize = 64;

/// The right to ask the store now; it ends with [`Place::refused`] or with the place.
#[derive(Debug)]
pub(crate) struct Turn {
    wakes: u64,
}

impl Line {
    /// How many wait and may not ask yet.
    pub(crate) fn waiting(&self) -> usize {
        self.idle.load(Ordering::Acquire)
    }

    /// Calls `change`, and tells how many wait after it.
    fn change<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        let mut state = self.state.lock();
        let result = change(&mut state);
        self.idle.store(state.standing - state.asking, Ordering::Release);
        result
    }

    /// Takes a place behind everybody of `class`.
    pub(crate) fn join(&self, class: u32, tokens: u64) -> Place<'_> {
        let woken = Arc::new(Notify::new());
        let (ticket, ahead) = self.change(|state| {
            let ticket = state.next_ticket;
            state.next_ticket += 1;
            state.standing += 1;
            let turns = state.turns;
            let of_class = state.class(class, turns);
            let (ahead, woken) = (of_class.waiting.len(), Arc::clone(&woken));
            let barred_until = Timestamp::default();
            of_class.waiting.push_back(Waiter { ticket, tokens, asking: false, barred_until, woken });
            (ticket, ahead)
        });
        Place { line: self, class, ticket, woken, ahead }
    }

    /// Something may go that could not go before: whoever is first asks again.
    pub(crate) fn wake(&self, now: Timestamp) {
        self.wakes.fetch_add(1, Ordering::AcqRel);
        if self.waiting() > 0 {
            self.change(|state| {
                for class in &mut state.classes {
                    class.asleep_until = Timestamp::default();
                    let first = class.waiting.iter_mut().take(FOLLOWERS);
                    first.for_each(|waiter| waiter.barred_until = Timestamp::default());
                }
                state.advance(now);
            });
        }
    }

    /// Has everybody look where he stands: the lanes are made anew.
    pub(crate) fn rouse(&self) {
        let state = self.state.lock();
        let everybody = state.classes.iter().flat_map(|class| &class.waiting);
        everybody.for_each(|waiter| waiter.woken.notify_one());
    }
}

impl State {
    fn class(&mut self, name: u32, turns: u64) -> &mut Class {
        let at = self.classes.iter().position(|class| class.name == name).unwrap_or_else(|| {
            let asleep_until = Timestamp::default();
            self.classes.push(Class { name, waiting: VecDeque::new(), asleep_until, turns });
            self.classes.len() - 1
        });
        &mut self.classes[at]
    }

    /// Gives out turns: to the classes in turn, within each in order.
    fn advance(&mut self, now: Timestamp) {
        self.now = now;
        while self.asking < self.window {
            let awake = self.classes.iter_mut().filter(|class| class.asleep_until <= now);
            let ready = awake.filter_map(|class| {
                let turns = class.turns;
                class.next(now).map(|at| (turns, class, at))
            });
            let Some((_, class, at)) = ready.min_by_key(|(turns, ..)| *turns) else { return };
            class.turns += 1;
            class.waiting[at].asking = true;
            class.waiting[at].woken.notify_one();
            self.turns = class.turns;
            self.asking += 1;
        }
    }

    /// Who left is asking no more.
    fn leave(&mut self, name: u32, ticket: u64) {
        let Some(at) = self.classes.iter().position(|class| class.name == name) else { return };
        let class = &mut self.classes[at];
        if let Some(gone) = class.find(ticket).and_then(|i| class.waiting.remove(i)) {
            self.standing -= 1;
            self.asking -= usize::from(gone.asking);
        }
        if class.waiting.is_empty() {
            self.classes.swap_remove(at);
        } else {
            class.remind(self.now);
        }
        self.advance(self.now);
    }
}

impl Class {
    /// Where somebody stands: tickets only grow along the line.
    fn find(&self, ticket: u64) -> Option<usize> {
        self.waiting.binary_search_by_key(&ticket, |waiter| waiter.ticket).ok()
    }

    /// Who may ask next. Nobody overtakes anybody but those who are asking and those whom only their
    /// own past keeps waiting.
    fn next(&self, now: Timestamp) -> Option<usize> {
        self.waiting.iter().position(|waiter| !waiter.asking && waiter.barred_until <= now)
    }

    /// Has whoever is next mind the time.
    fn remind(&self, now: Timestamp) {
        if let Some(at) = self.next(now) {
            self.waiting[at].woken.notify_one();
        }
    }
}

impl Place<'_> {
    /// Waits until it is this one's turn to ask.
    pub(crate) async fn turn(&self, clock: &dyn Clock) -> Turn {
        loop {
            let now = clock.now();
            match self.look(now) {
                Next::Ask => return Turn { wakes: self.line.wakes.load(Ordering::Acquire) },
                Next::Wait => self.woken.notified().await,
                Next::SleepUntil(at) => tokio::select! {
                    () = self.woken.notified() => {}
                    () = clock.sleep_until(at) => {}
                },
            }
        }
    }

    fn look(&self, now: Timestamp) -> Next {
        self.line.change(|state| {
            state.advance(now);
            let Some(class) = state.classes.iter().find(|class| class.name == self.class) else {
                return Next::Wait;
            };
            let Some(at) = class.find(self.ticket) else { return Next::Wait };
            let this = &class.waiting[at];
            if this.asking {
                Next::Ask
            } else if this.barred_until > now {
                Next::SleepUntil(this.barred_until)
            } else if class.asleep_until > now && class.next(now) == Some(at) {
                Next::SleepUntil(class.asleep_until)
            } else {
                Next::Wait
            }
        })
    }

    /// The store has nothing for it before `at`. The class sleeps until then, unless others of it could
    /// go, or something was freed since it asked. Gives whether smaller ones behind it go on.
    pub(crate) fn refused(&self, turn: &Turn, at: Timestamp, keeps: Keeps, now: Timestamp) -> bool {
        self.line.change(|state| {
            let freed = self.line.wakes.load(Ordering::Acquire) != turn.wakes;
            let turns = state.turns;
            let class = state.class(self.class, turns);
            // A turn that came to nothing is none.
            class.turns = class.turns.saturating_sub(1);
            let (mut alone, mut overtaken) = (keeps == Keeps::Own, false);
            if let Some(i) = class.find(self.ticket) {
                class.waiting[i].asking = false;
                let tokens = class.waiting[i].tokens;
                overtaken = keeps == Keeps::Size
                    && class.waiting.iter().skip(i + 1).take(FOLLOWERS).any(|behind| behind.tokens < tokens);
                alone |= overtaken;
                if alone && !freed {
                    class.waiting[i].barred_until = at;
                }
            }
            if !alone && !freed {
                class.asleep_until = at;
            }
            class.remind(now);
            state.asking -= 1;
            state.window = 1;
            state.advance(now);
            overtaken
        })
    }

    /// It was granted: one more may ask at once.
    pub(crate) fn granted(self) {
        let mut state = self.line.state.lock();
        state.window = (state.window + 1).min(MOST_ASKING);
    }
}

impl Drop for Place<'_> {
    fn drop(&mut self) {
        self.line.change(|state| state.leave(self.class, self.ticket));
    }
}

#[cfg(test)]
mod tests;
