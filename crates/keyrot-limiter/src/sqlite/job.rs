//! What callers want of the thread that owns the file, and how its answers reach them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use keyrot_core::{
    Ask, Caller, Candidate, Cost, Domain, Ended, Fingerprint, KeyId, LimitError, Limits, MAX_CANDIDATES,
    Method, Permit, PermitId, Reply,
};
use parking_lot::Mutex;
use tokio::sync::{mpsc, oneshot};

use super::failure::Done;
use super::sheet::Sheet;
use crate::suspended::Suspended;

/// One thing to do in a transaction. It may be done several times before it is done for good.
pub(super) trait Job: Send {
    /// Whether anybody still wants it.
    fn wanted(&self) -> bool;
    /// Whether it surely writes; what only may write begins by reading.
    fn writes(&self) -> bool;
    /// Does it and keeps the answer.
    fn run(&mut self, sheet: &mut Sheet<'_>) -> Done;
    /// Answers: what was done is in the file.
    fn answer(self: Box<Self>);
    /// Answers that it cannot be done.
    fn refuse(self: Box<Self>, why: &str);
}

pub(super) fn unavailable(why: &str) -> LimitError {
    LimitError::Unavailable { store: "sqlite", why: why.to_owned() }
}

/// What handles and the thread have in common.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) suspended: Mutex<Option<Suspended>>,
    /// Permits granted to callers who had gone: given back before anything else is done.
    pub(super) unclaimed: Mutex<Vec<Unclaimed>>,
    /// What was accepted and is not done.
    pending: Arc<AtomicUsize>,
    /// The thread's queue, as long as there are handles.
    queue: mpsc::WeakSender<Box<dyn Job>>,
}

/// What was accepted counts as pending until its ticket is gone. Nothing overtakes it meanwhile.
#[derive(Debug)]
pub(super) struct Ticket(Arc<AtomicUsize>);

impl Drop for Ticket {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::AcqRel);
    }
}

/// A permit to be given back.
#[derive(Debug)]
pub(super) struct Unclaimed {
    permit: Permit,
    _ticket: Ticket,
}

impl Shared {
    pub(super) fn new(queue: &mpsc::Sender<Box<dyn Job>>) -> Self {
        let queue = queue.downgrade();
        Self { suspended: Mutex::default(), unclaimed: Mutex::default(), pending: Arc::default(), queue }
    }

    /// To be taken before what it is for is handed over.
    pub(super) fn ticket(&self) -> Ticket {
        self.pending.fetch_add(1, Ordering::AcqRel);
        Ticket(Arc::clone(&self.pending))
    }

    /// Whether all that was accepted is done.
    pub(super) fn is_idle(&self) -> bool {
        self.pending.load(Ordering::Acquire) == 0
    }

    /// Has `permit` given back.
    fn give_back(&self, permit: Permit) {
        self.unclaimed.lock().push(Unclaimed { permit, _ticket: self.ticket() });
        // Wakes the thread if it has nothing to do; if the queue is full, it has.
        if let Some(queue) = self.queue.upgrade() {
            let wake = |_: &mut Sheet<'_>| Ok(());
            let _full = queue.try_send(Box::new(Told { ticket: self.ticket(), what: wake }));
        }
    }
}

/// A question whose answer somebody awaits.
pub(super) struct Asked<A, F> {
    pub(super) ticket: Ticket,
    pub(super) to: oneshot::Sender<Result<A, LimitError>>,
    pub(super) writes: bool,
    pub(super) decide: F,
    pub(super) answer: Option<A>,
}

impl<A: Send, F: FnMut(&mut Sheet<'_>) -> Done<A> + Send> Job for Asked<A, F> {
    fn wanted(&self) -> bool {
        !self.to.is_closed()
    }

    fn writes(&self) -> bool {
        self.writes
    }

    fn run(&mut self, sheet: &mut Sheet<'_>) -> Done {
        self.answer = Some((self.decide)(sheet)?);
        Ok(())
    }

    fn answer(self: Box<Self>) {
        if let Some(answer) = self.answer {
            // Whoever has the answer finds it done.
            drop(self.ticket);
            // Who has gone needs no answer.
            let _gone = self.to.send(Ok(answer));
        }
    }

    fn refuse(self: Box<Self>, why: &str) {
        let _gone = self.to.send(Err(unavailable(why)));
    }
}

/// Something to be done whose end nobody awaits.
pub(super) struct Told<F> {
    pub(super) ticket: Ticket,
    pub(super) what: F,
}

impl<F: FnMut(&mut Sheet<'_>) -> Done + Send> Job for Told<F> {
    fn wanted(&self) -> bool {
        true
    }

    fn writes(&self) -> bool {
        true
    }

    fn run(&mut self, sheet: &mut Sheet<'_>) -> Done {
        (self.what)(sheet)
    }

    fn answer(self: Box<Self>) {
        drop(self.ticket);
    }

    fn refuse(self: Box<Self>, _: &str) {
        drop(self.ticket);
    }
}

/// A question for a permit.
pub(super) struct Reserve {
    question: Question,
    reply: Option<Reply>,
    shared: Arc<Shared>,
    to: oneshot::Sender<Result<Parcel, LimitError>>,
    /// Held until after the answer: what nobody takes is pending again before this is gone.
    _ticket: Ticket,
}

impl Reserve {
    pub(super) fn new(
        ask: &Ask<'_>,
        shared: Arc<Shared>,
        to: oneshot::Sender<Result<Parcel, LimitError>>,
    ) -> Self {
        let ticket = shared.ticket();
        Self { question: Question::of(ask), reply: None, shared, to, _ticket: ticket }
    }
}

impl Job for Reserve {
    fn wanted(&self) -> bool {
        !self.to.is_closed()
    }

    /// A refusal writes nothing, and keeps nobody from writing.
    fn writes(&self) -> bool {
        false
    }

    fn run(&mut self, sheet: &mut Sheet<'_>) -> Done {
        self.reply = Some(self.question.ask(sheet)?);
        Ok(())
    }

    fn answer(self: Box<Self>) {
        if let Some(reply) = self.reply {
            // An undelivered parcel gives back what is in it.
            let _gone = self.to.send(Ok(Parcel { reply: Some(reply), shared: self.shared }));
        }
    }

    fn refuse(self: Box<Self>, why: &str) {
        let _gone = self.to.send(Err(unavailable(why)));
    }
}

/// An answer on its way. If nobody opens it, what was granted is given back.
#[derive(Debug)]
pub(super) struct Parcel {
    reply: Option<Reply>,
    shared: Arc<Shared>,
}

impl Parcel {
    pub(super) fn open(mut self) -> Option<Reply> {
        self.reply.take()
    }
}

impl Drop for Parcel {
    fn drop(&mut self) {
        if let Some(grant) = self.reply.take().and_then(|reply| reply.grant) {
            self.shared.give_back(grant.permit);
        }
    }
}

/// An [`Ask`] that owns what it names.
struct Question {
    permit: PermitId,
    candidates: Vec<Way>,
    method: Method,
    cost: Cost,
    lease: Duration,
    class: u32,
    caller: Option<(Domain, Limits)>,
}

/// A [`Candidate`] that owns what it names.
pub(super) struct Way {
    key: KeyId,
    fingerprint: Fingerprint,
    domain: Domain,
    limits: Limits,
    concurrency: Option<u32>,
}

impl Question {
    fn of(ask: &Ask<'_>) -> Self {
        let Ask { permit, candidates, method, cost, lease, class, caller } = *ask;
        let candidates = candidates.iter().take(MAX_CANDIDATES).map(Way::of).collect();
        let caller = caller.map(|caller| (caller.ledger.clone(), caller.limits));
        Self { permit, candidates, method, cost, lease, class, caller }
    }

    fn ask(&self, sheet: &mut Sheet<'_>) -> Done<Reply> {
        let Self { permit, candidates, method, cost, lease, class, caller } = self;
        let candidates: arrayvec::ArrayVec<_, MAX_CANDIDATES> = candidates.iter().map(Way::as_is).collect();
        let (permit, method, cost, lease, class) = (*permit, *method, *cost, *lease, *class);
        let caller = caller.as_ref().map(|(ledger, limits)| Caller { ledger, limits: *limits });
        sheet.reserve(&Ask { permit, candidates: &candidates, method, cost, lease, class, caller })
    }
}

impl Way {
    pub(super) fn of(candidate: &Candidate<'_>) -> Self {
        let Candidate { key, fingerprint, domain, limits, concurrency } = *candidate;
        Self { key: key.clone(), fingerprint, domain: domain.clone(), limits, concurrency }
    }

    pub(super) fn as_is(&self) -> Candidate<'_> {
        let Self { key, fingerprint, domain, limits, concurrency } = self;
        Candidate { key, fingerprint: *fingerprint, domain, limits: *limits, concurrency: *concurrency }
    }
}

/// Ends permits that nobody claimed.
pub(super) fn give_back(permits: &[Unclaimed], sheet: &mut Sheet<'_>) -> Done {
    permits.iter().try_for_each(|unclaimed| sheet.release(&unclaimed.permit, Ended::NeverSent))
}
