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
use super::coding;
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

/// A question that was handed over.
#[derive(Debug)]
pub(super) struct Handed {
    batch: u64,
    at: usize,
    pub(super) answer: oneshot::Receiver<Answered>,
}

#[derive(Debug, Default)]
struct Queue {
    waiting: VecDeque<Batch>,
    /// Batches so far.
    batches: u64,
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
            (false, false) => self.asking == 0,
        }
    }
}

/// Gathers questions and ends, and carries them to the server.
pub(super) struct Courier {
    link: Arc<Link>,
    queue: Mutex<Queue>,
    /// Held while a batch is taken and sent, so that batches leave in their order.
    departures: Mutex<()>,
    /// How much is on its way without anybody waiting.
    background: AtomicUsize,
    quiet: Notify,
}

impl Courier {
    pub(super) fn new(link: Arc<Link>) -> Self {
        let (queue, departures) = (Mutex::default(), Mutex::default());
        Self { link, queue, departures, background: AtomicUsize::new(0), quiet: Notify::new() }
    }

    /// Puts a question. `asking` tells it from any other of the same permit.
    pub(super) fn ask(self: &Arc<Self>, ask: &Ask<'_>, asking: f64, now: Option<Timestamp>) -> Handed {
        let (to, answer) = oneshot::channel();
        let (batch, at) = self.gather(now, ask.candidates.len(), |batch| batch.ask(ask, asking, to));
        Handed { batch, at, answer }
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
        self.gather(now, candidates, add);
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
        while !self.queue.lock().waiting.is_empty() && self.depart(true) {}
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

    fn gather<T>(
        self: &Arc<Self>,
        now: Option<Timestamp>,
        candidates: usize,
        add: impl FnOnce(&mut Batch) -> T,
    ) -> (u64, T) {
        let mut queue = self.queue.lock();
        let room = |batch: &mut Batch| !batch.is_full(candidates) && batch.now == now;
        let mut batch = match queue.waiting.pop_back_if(room) {
            Some(batch) => batch,
            None => {
                queue.batches += 1;
                Batch::new(queue.batches, self.link.deadline(), now)
            }
        };
        let added = add(&mut batch);
        let number = batch.number;
        queue.waiting.push_back(batch);
        let go = queue.may_go();
        drop(queue);
        if go {
            self.depart(false);
        }
        (number, added)
    }

    /// Sends what may go, or whatever waits if it must. Returns whether there is a runtime to do it.
    fn depart(self: &Arc<Self>, must: bool) -> bool {
        let Ok(runtime) = Handle::try_current() else { return false };
        let mut flights = Box::pin(Self::fly(Arc::clone(self), must));
        // Polled once, the first is on its way before this task sends anything else.
        let mut context = Context::from_waker(Waker::noop());
        let first = tokio::task::unconstrained(poll_fn(|cx| flights.as_mut().poll(cx)));
        if pin!(first).poll(&mut context).is_pending() {
            runtime.spawn(flights);
        }
        true
    }

    /// Carries batch after batch, as long as there is one that may go.
    async fn fly(self: Arc<Self>, mut must: bool) {
        loop {
            let mut flight: Option<(Flight, Pin<Box<dyn Future<Output = ()> + Send>>)> = None;
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
            // Whoever was answered asks next: all of them before the next batch leaves.
            tokio::task::yield_now().await;
            if let Some((under_way, _)) = flight {
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
        let asks = !batch.asks.is_empty();
        queue.flights += 1;
        queue.asking += usize::from(asks);
        Some((Flight { courier: Arc::clone(self), asks, landed: false }, batch))
    }

    async fn carry(self: Arc<Self>, mut batch: Batch) {
        if batch.is_empty() {
            return;
        }
        let common = coding::common(batch.now, fastrand::u64(..1 << 53) as f64);
        let args = batch.args(&common);
        match self.link.call(&SCRIPTS.batch, &args, Again::Yes, batch.deadline).await {
            Ok((answers, live)) => {
                self.done(batch.tells);
                deliver(std::mem::take(&mut batch.asks), answers, &live);
            }
            Err(error) => {
                for ask in batch.give_up_all() {
                    let _gone = ask.to.send(Err(same(&error)));
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
            let common = coding::common(batch.now, fastrand::u64(..1 << 53) as f64);
            let args = batch.args(&common);
            if self.link.call(&SCRIPTS.batch, &args, Again::Yes, self.link.deadline()).await.is_ok() {
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
    asks: bool,
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
        queue.asking -= usize::from(self.asks);
        if !self.landed {
            // Its runtime has ended, and nobody else is there to carry what waits.
            let lost = std::mem::take(&mut queue.waiting);
            drop(queue);
            self.courier.done(lost.iter().map(|batch| batch.tells).sum());
        }
    }
}

/// Hands each question its part of the answers.
fn deliver(asks: Vec<Waiting>, answers: Value, live: &Live) {
    let Value::BulkString(answers) = answers else {
        return asks.into_iter().for_each(|ask| drop(ask.to.send(Err(senseless()))));
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

/// One failure for each of those it concerns.
fn same(error: &LimitError) -> LimitError {
    match error {
        LimitError::Unavailable { store, why } => LimitError::Unavailable { store, why: why.clone() },
        other => LimitError::Unavailable { store: STORE, why: other.to_string() },
    }
}
