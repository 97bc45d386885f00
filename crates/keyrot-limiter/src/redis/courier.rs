//! One call to the server for whatever gathered while the one before was under way, each question
//! answered by itself.

use std::collections::VecDeque;
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::task::{Context, Poll, Waker};
use std::time::Duration;

use keyrot_core::{Ask, LimitError, Timestamp};
use parking_lot::Mutex;
use redis::Value;
use tokio::runtime::Handle;
use tokio::sync::{Notify, oneshot};

use super::batch::{Batch, Waiting};
use super::client::Client;
use super::link::{Again, Link, Live, STORE, senseless};
use super::script::SCRIPTS;

/// How long to wait before each further attempt to deliver what nobody waits for: together as long as
/// a charge is in the window.
const PAUSES_MS: [u64; 9] = [20, 100, 500, 1_000, 3_000, 8_000, 12_000, 16_000, 20_000];
/// The most that may be under way without anybody waiting: what is beyond it is lost, safely, for an
/// estimate that is not settled stays charged and a lease passes by itself.
const MOST_IN_BACKGROUND: usize = 16_384;
/// Batches under way, if those that wait are full: a full batch gains nothing by waiting.
const MOST_FLIGHTS: usize = 4;
/// Questions that are enough for a second batch beside one that is under way: the server decides the one
/// while this process reads the answers to the other.
const ENOUGH: usize = 32;

/// A question's answer.
pub(super) type Answered = Result<Answer, LimitError>;

/// An answer among those of its batch.
#[derive(Debug)]
pub(super) struct Answer {
    batch: Arc<Vec<u8>>,
    from: usize,
    to: usize,
    /// The name of the server's run.
    pub(super) run: Arc<str>,
}

impl Answer {
    pub(super) fn bytes(&self) -> &[u8] {
        &self.batch[self.from..self.to]
    }
}

/// Flights, one after the other.
type Flights = Pin<Box<dyn Future<Output = ()> + Send>>;

/// A question that was handed over.
pub(super) struct Handed {
    batch: u64,
    at: usize,
    answer: oneshot::Receiver<Answered>,
    /// The question may go at once: its asker sends it.
    flights: Option<Flights>,
}

#[derive(Default)]
struct Queue {
    waiting: VecDeque<Batch>,
    /// Batches that have arrived, to be used again.
    spare: Vec<Batch>,
    /// Batches so far.
    batches: u64,
    /// A batch under way that only one question travels in: its asker carries it, until anybody else
    /// hands something over. A task of its own would have to be woken first.
    alone: Option<(u64, Flights)>,
    /// Whether a task is about to look for ends that may go.
    called: bool,
    /// Batches under way, and those among them that ask anything.
    flights: usize,
    asking: usize,
}

impl Queue {
    /// The batch that may go now. Ends go alone only if nothing is under way; a question does not wait
    /// for ends.
    fn may_go(&self) -> bool {
        let Some(next) = self.waiting.front() else { return false };
        let full = self.waiting.len() > 1 || next.is_full(1);
        match (full, next.asks.is_empty()) {
            (true, _) => self.flights < MOST_FLIGHTS,
            (false, true) => self.flights == 0,
            (false, false) => self.asking == 0 || self.asking == 1 && next.asks.len() >= ENOUGH,
        }
    }
}

/// Gathers questions and ends, and carries them to the server.
pub(super) struct Courier {
    link: Arc<Link>,
    client: Arc<Client>,
    queue: Mutex<Queue>,
    /// Held while a batch is taken and sent, so that batches leave in their order.
    departures: Mutex<()>,
    /// How much is on its way without anybody waiting.
    background: AtomicUsize,
    quiet: Notify,
}

impl Courier {
    pub(super) fn new(link: Arc<Link>, client: Arc<Client>) -> Self {
        let (queue, departures) = (Mutex::default(), Mutex::default());
        Self { link, client, queue, departures, background: AtomicUsize::new(0), quiet: Notify::new() }
    }

    /// Puts a question. `asking` tells it from any other of the same permit.
    pub(super) fn ask(self: &Arc<Self>, ask: &Ask<'_>, asking: f64, now: Option<Timestamp>) -> Handed {
        let (to, answer) = oneshot::channel();
        let (batch, at, go) = self.gather(now, ask.candidates.len(), |batch| batch.ask(ask, asking, to));
        let flights = go.then(|| -> Flights { Box::pin(Self::fly(Arc::clone(self), false)) });
        Handed { batch, at, answer, flights }
    }

    /// Waits for the answer to a question.
    pub(super) async fn answer(self: &Arc<Self>, handed: &mut Handed) -> Answered {
        let answered = poll_fn(|cx| {
            if let Poll::Ready(answer) = Pin::new(&mut handed.answer).poll(cx) {
                return Poll::Ready(answer);
            }
            if let Some(mut flights) = handed.flights.take().or_else(|| self.alone(handed.batch)) {
                if poll_fully(&mut flights, cx).is_pending() {
                    self.carry_on(handed.batch, flights);
                }
                return Pin::new(&mut handed.answer).poll(cx);
            }
            Poll::Pending
        })
        .await;
        if let Some(flights) = self.alone(handed.batch) {
            spawn(flights);
        }
        answered.unwrap_or_else(|_| Err(unanswered()))
    }

    /// The flight of a batch, if its asker carries it.
    fn alone(&self, batch: u64) -> Option<Flights> {
        let mut queue = self.queue.lock();
        queue.alone.take_if(|(number, _)| *number == batch).map(|(_, flights)| flights)
    }

    /// Leaves a flight to the asker of `batch`, or to a task if anybody else waits for it.
    fn carry_on(&self, batch: u64, flights: Flights) {
        let mut queue = self.queue.lock();
        if queue.alone.is_none() && queue.waiting.is_empty() {
            queue.alone = Some((batch, flights));
        } else {
            drop(queue);
            spawn(flights);
        }
    }

    /// Has something done without anybody waiting, before whatever is asked afterwards.
    pub(super) fn tell(
        self: &Arc<Self>,
        now: Option<Timestamp>,
        candidates: usize,
        add: impl FnOnce(&mut Batch),
    ) {
        if Handle::try_current().is_err() {
            return;
        }
        if self.background.fetch_add(1, Ordering::AcqRel) >= MOST_IN_BACKGROUND {
            return self.done(1);
        }
        let (.., go) = self.gather(now, candidates, add);
        if go && !std::mem::replace(&mut self.queue.lock().called, true) {
            // Not at once: what ends one request mostly is told together.
            let called = Called(Arc::clone(self));
            tokio::spawn(async move {
                let courier = Arc::clone(&called.0);
                drop(called);
                courier.fly(false).await;
            });
        }
    }

    /// Takes a question back that nobody waits for any more: what was or will be granted is given back.
    pub(super) fn give_up(
        self: &Arc<Self>,
        handed: &Handed,
        ask: &Ask<'_>,
        asking: f64,
        now: Option<Timestamp>,
    ) {
        {
            let mut queue = self.queue.lock();
            if let Some(batch) = queue.waiting.iter_mut().find(|batch| batch.number == handed.batch) {
                return batch.give_up(handed.at);
            }
        }
        self.tell(now, ask.candidates.len(), |batch| batch.give_back(ask, asking));
    }

    /// Sends whatever has gathered: what is asked by another way comes after it.
    pub(super) fn hurry(self: &Arc<Self>) {
        while !self.queue.lock().waiting.is_empty() && self.depart() {}
    }

    /// Waits until nothing is under way that nobody waits for.
    pub(super) async fn quiet(&self) {
        loop {
            let mut quiet = pin!(self.quiet.notified());
            quiet.as_mut().enable();
            if self.background.load(Ordering::Acquire) == 0 {
                return;
            }
            quiet.await;
        }
    }

    /// Adds to the batch that leaves next. Returns its number, what was added, and whether it may go.
    fn gather<T>(
        &self,
        now: Option<Timestamp>,
        candidates: usize,
        add: impl FnOnce(&mut Batch) -> T,
    ) -> (u64, T, bool) {
        let mut queue = self.queue.lock();
        let room = |batch: &mut Batch| !batch.is_full(candidates) && batch.now == now;
        let mut batch = match queue.waiting.pop_back_if(room) {
            Some(batch) => batch,
            None => {
                queue.batches += 1;
                let (number, deadline) = (queue.batches, self.link.deadline());
                match queue.spare.pop() {
                    Some(mut batch) => {
                        batch.reuse(number, deadline, now);
                        batch
                    }
                    None => Batch::new(number, deadline, now),
                }
            }
        };
        let added = add(&mut batch);
        let number = batch.number;
        queue.waiting.push_back(batch);
        let (alone, go) = (queue.alone.take(), queue.may_go());
        drop(queue);
        if let Some((_, flights)) = alone {
            spawn(flights);
        }
        (number, added, go)
    }

    /// Sends whatever waits. Returns whether there is a runtime to do it.
    fn depart(self: &Arc<Self>) -> bool {
        if Handle::try_current().is_err() {
            return false;
        }
        let mut flights: Flights = Box::pin(Self::fly(Arc::clone(self), true));
        // Polled once, the first is on its way before this task sends anything else.
        if poll_fully(&mut flights, &mut Context::from_waker(Waker::noop())).is_pending() {
            spawn(flights);
        }
        true
    }

    /// Carries batch after batch, as long as there is one that may go.
    async fn fly(self: Arc<Self>, mut must: bool) {
        loop {
            let mut flight: Option<(Flight, Flights)> = None;
            let flown = poll_fn(|cx| {
                if let Some((_, carry)) = &mut flight {
                    return carry.as_mut().poll(cx).map(|()| true);
                }
                let _in_order = self.departures.lock();
                let Some((under_way, batch)) = self.next(must) else { return Poll::Ready(false) };
                let mut carry = Box::pin(Arc::clone(&self).carry(batch));
                let done = carry.as_mut().poll(cx).map(|()| true);
                flight = Some((under_way, carry));
                done
            });
            if !flown.await {
                return;
            }
            if let Some((under_way, _)) = flight {
                if under_way.asks > 1 {
                    // Whoever was answered asks next: all of them before the next batch leaves.
                    tokio::task::yield_now().await;
                }
                under_way.land();
            }
            must = false;
        }
    }

    fn next(self: &Arc<Self>, must: bool) -> Option<(Flight, Batch)> {
        let mut queue = self.queue.lock();
        if !must && !queue.may_go() {
            return None;
        }
        let batch = queue.waiting.pop_front()?;
        let asks = batch.asks.len();
        queue.flights += 1;
        queue.asking += usize::from(asks > 0);
        Some((Flight { courier: Arc::clone(self), asks, landed: false }, batch))
    }

    async fn carry(self: Arc<Self>, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let common = self.client.common(batch.now);
        let args = batch.args(&common);
        match self.link.call(&SCRIPTS.batch, &args, Again::Yes, batch.deadline).await {
            Ok((answers, live)) => {
                let answers = self.client.lifts.hear(answers);
                self.done(batch.tells);
                deliver(batch.asks.drain(..), answers, &live);
                let spare = &mut self.queue.lock().spare;
                if spare.len() < MOST_FLIGHTS {
                    spare.push(batch);
                }
            }
            Err(error) => {
                for ask in batch.give_up_all() {
                    let _gone = ask.to.send(Err(error.clone()));
                }
                if batch.tells > 0 {
                    tokio::spawn(self.persist(batch));
                }
            }
        }
    }

    /// Goes on trying to deliver what nobody waits for.
    async fn persist(self: Arc<Self>, batch: Batch) {
        for pause in PAUSES_MS {
            tokio::time::sleep(Duration::from_millis(pause)).await;
            let common = self.client.common(batch.now);
            let args = batch.args(&common);
            let told = self.link.call(&SCRIPTS.batch, &args, Again::Yes, self.link.deadline()).await;
            if let Ok((answers, _)) = told {
                self.client.lifts.hear(answers);
                break;
            }
        }
        self.done(batch.tells);
    }

    fn done(&self, tells: usize) {
        if tells > 0 && self.background.fetch_sub(tells, Ordering::AcqRel) == tells {
            self.quiet.notify_waiters();
        }
    }
}

/// A batch is under way, or has just been answered.
struct Flight {
    courier: Arc<Courier>,
    asks: usize,
    landed: bool,
}

impl Flight {
    fn land(mut self) {
        self.landed = true;
    }
}

impl Drop for Flight {
    fn drop(&mut self) {
        let mut queue = self.courier.queue.lock();
        queue.flights -= 1;
        queue.asking -= usize::from(self.asks > 0);
        if !self.landed {
            // Its runtime has ended, and nobody else is there to carry what waits.
            let lost = std::mem::take(&mut queue.waiting);
            drop(queue);
            self.courier.done(lost.iter().map(|batch| batch.tells).sum());
        }
    }
}

/// A task was called that has not begun.
struct Called(Arc<Courier>);

impl Drop for Called {
    fn drop(&mut self) {
        self.0.queue.lock().called = false;
    }
}

/// Polls flights however often this task was polled already: a batch that was taken must also be sent.
fn poll_fully(flights: &mut Flights, cx: &mut Context<'_>) -> Poll<()> {
    pin!(tokio::task::unconstrained(poll_fn(|cx| flights.as_mut().poll(cx)))).poll(cx)
}

/// Leaves flights to a task. Without a runtime there is nothing that they could wait for.
fn spawn(flights: Flights) {
    if let Ok(runtime) = Handle::try_current() {
        runtime.spawn(flights);
    }
}

/// Hands each question its part of the answers.
fn deliver(asks: impl Iterator<Item = Waiting>, answers: Value, live: &Live) {
    let Value::BulkString(answers) = answers else {
        return asks.for_each(|ask| drop(ask.to.send(Err(senseless()))));
    };
    let batch = Arc::new(answers);
    let mut at = 0;
    for ask in asks {
        let length = batch.get(at..).and_then(|rest| rest.first_chunk::<4>());
        let from = at + 4;
        let to = length.map(|length| from.saturating_add(u32::from_le_bytes(*length) as usize));
        let answer = match to.filter(|to| *to <= batch.len()) {
            Some(to) => {
                at = to;
                Ok(Answer { batch: Arc::clone(&batch), from, to, run: Arc::clone(&live.run) })
            }
            None => Err(senseless()),
        };
        // Who has gone needs no answer.
        let _gone = ask.to.send(answer);
    }
}

fn unanswered() -> LimitError {
    LimitError::Unavailable { store: STORE, why: "the call was cut short".to_owned() }
}
