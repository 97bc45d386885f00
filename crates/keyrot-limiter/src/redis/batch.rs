//! What gathers while the server is asked, written down as the script reads it.

use std::collections::HashMap;

use foldhash::fast::RandomState;
use keyrot_core::{Ask, Domain, Ended, Fingerprint, KeyId, Method, Permit, PermitId, Timestamp};
use tokio::sync::oneshot;
use tokio::time::Instant;

use super::coding::{self, append, count, millis};
use super::courier::Answered;

/// The most questions, candidates, and ends in one batch: what keeps the server for less than a
/// millisecond.
const MOST_ASKS: usize = 64;
const MOST_CANDIDATES: usize = 256;
const MOST_TELLS: usize = 192;

/// What something is, as the script knows it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    GivenUp = 0,
    Ask = 1,
    Settle = 2,
    Release = 3,
    GiveBack = 4,
}

/// Added to what a question is, where a caller is charged as well.
const FOR_CALLER: u8 = 16;

/// Added to the numbers of places that are looked at only if need be.
const LATER: u16 = 32_768;

/// Whoever waits for an answer.
#[derive(Debug)]
pub(super) struct Waiting {
    /// Where in the batch the question begins.
    at: usize,
    pub(super) to: oneshot::Sender<Answered>,
}

/// What travels together.
#[derive(Debug)]
pub(super) struct Batch {
    /// Tells it from other batches of the same courier.
    pub(super) number: u64,
    /// When it must have been answered, by its oldest question.
    pub(super) deadline: Instant,
    /// What time it is, where the server's clock does not count.
    pub(super) now: Option<Timestamp>,
    first: Places,
    later: Places,
    permits: Vec<u8>,
    numbers: HashMap<PermitId, u16, RandomState>,
    contents: Vec<u8>,
    pub(super) asks: Vec<Waiting>,
    candidates: usize,
    /// What nobody waits for.
    pub(super) tells: usize,
}

impl Batch {
    pub(super) fn new(number: u64, deadline: Instant, now: Option<Timestamp>) -> Self {
        Self {
            number,
            deadline,
            now,
            first: Places::default(),
            later: Places::default(),
            permits: Vec::with_capacity(64),
            numbers: HashMap::default(),
            contents: Vec::with_capacity(512),
            asks: Vec::new(),
            candidates: 0,
            tells: 0,
        }
    }

    /// Empties it for what travels next: its memory is of the right size by now.
    pub(super) fn reuse(&mut self, number: u64, deadline: Instant, now: Option<Timestamp>) {
        (self.number, self.deadline, self.now) = (number, deadline, now);
        self.first.clear();
        self.later.clear();
        self.permits.clear();
        self.numbers.clear();
        self.contents.clear();
        self.asks.clear();
        (self.candidates, self.tells) = (0, 0);
    }

    /// Whether there is no room for another question of so many candidates, or another end.
    pub(super) fn is_full(&self, candidates: usize) -> bool {
        self.asks.len() >= MOST_ASKS
            || self.candidates + candidates > MOST_CANDIDATES
            || self.tells >= MOST_TELLS
    }

    pub(super) fn is_empty(&self) -> bool {
        self.asks.is_empty() && self.tells == 0
    }

    /// Adds a question and returns where it stands. `asking` tells it from any other of the same permit.
    pub(super) fn ask(&mut self, ask: &Ask<'_>, asking: f64, to: oneshot::Sender<Answered>) -> usize {
        let at = self.contents.len();
        self.question(Kind::Ask, ask, asking);
        self.asks.push(Waiting { at, to });
        at
    }

    /// Takes back the question that stands at `at`.
    pub(super) fn give_up(&mut self, at: usize) {
        if give_up(&mut self.contents, at) {
            self.asks.retain(|ask| ask.at != at);
        }
    }

    /// Takes back every question, so that only what nobody waits for is left.
    pub(super) fn give_up_all(&mut self) -> Vec<Waiting> {
        for ask in &self.asks {
            give_up(&mut self.contents, ask.at);
        }
        std::mem::take(&mut self.asks)
    }

    /// Adds that whatever was or will be granted to a question is given back.
    pub(super) fn give_back(&mut self, ask: &Ask<'_>, asking: f64) {
        self.question(Kind::GiveBack, ask, asking);
        self.tells += 1;
    }

    pub(super) fn settle(&mut self, permit: &Permit, tokens: u64) {
        for permit in permit.of_caller().iter().chain([permit]) {
            let (number, place) = self.whose(permit);
            self.contents.push(Kind::Settle as u8);
            append(&mut self.contents, [count(tokens)]);
            self.contents.extend_from_slice(&number.to_le_bytes());
            self.contents.extend_from_slice(&place.to_le_bytes());
        }
        self.tells += 1;
    }

    pub(super) fn release(&mut self, permit: &Permit, ended: Ended) {
        if let Some(own) = permit.of_caller() {
            // What it says of key and model is said by the permit itself.
            self.end(&own, if ended == Ended::NeverSent { ended } else { Ended::Failed });
        }
        self.end(permit, ended);
        self.tells += 1;
    }

    fn end(&mut self, permit: &Permit, ended: Ended) {
        let (number, place) = self.whose(permit);
        let ended = match ended {
            Ended::Succeeded => 0,
            Ended::Failed => 1,
            Ended::NeverSent => 2,
        };
        self.contents.extend_from_slice(&[Kind::Release as u8, ended, u8::from(permit.probe)]);
        append(&mut self.contents, [count(permit.stamp.seq)]);
        self.contents.extend_from_slice(&number.to_le_bytes());
        self.contents.extend_from_slice(&place.to_le_bytes());
    }

    fn question(&mut self, kind: Kind, ask: &Ask<'_>, asking: f64) {
        let number = self.permit(ask.permit);
        self.contents.push(kind as u8 + if ask.caller.is_some() { FOR_CALLER } else { 0 });
        let cost = [f64::from(ask.cost.requests), count(ask.cost.tokens)];
        append(&mut self.contents, cost);
        append(&mut self.contents, [millis(ask.lease), asking, f64::from(ask.class)]);
        self.contents.extend_from_slice(&number.to_le_bytes());
        self.contents.push(u8::try_from(ask.candidates.len()).unwrap_or(u8::MAX));
        for (i, candidate) in ask.candidates.iter().enumerate() {
            let place = (candidate.key, candidate.fingerprint, candidate.domain, ask.method);
            let place = if i == 0 { self.first.number(place) } else { self.later.number(place) + LATER };
            self.contents.extend_from_slice(&place.to_le_bytes());
            append(&mut self.contents, coding::limits(&candidate.limits, candidate.concurrency));
        }
        if let (Some(caller), Some(first)) = (&ask.caller, ask.candidates.first()) {
            let number = self.permit(PermitId(!ask.permit.0));
            let place = self.first.number((first.key, first.fingerprint, caller.ledger, ask.method));
            self.contents.extend_from_slice(&number.to_le_bytes());
            self.contents.extend_from_slice(&place.to_le_bytes());
            let [rpm, tpm, rpd, burst, _] = coding::limits(&caller.limits, None);
            append(&mut self.contents, [rpm, tpm, rpd, burst]);
        }
        self.candidates += ask.candidates.len();
    }

    fn whose(&mut self, permit: &Permit) -> (u16, u16) {
        let place = (&permit.key, permit.fingerprint, &permit.domain, permit.method);
        (self.permit(permit.id), self.first.number(place))
    }

    /// The number of a permit's name: each has one.
    fn permit(&mut self, id: PermitId) -> u16 {
        let next = number(self.numbers.len());
        *self.numbers.entry(id).or_insert_with(|| {
            self.permits.extend_from_slice(&coding::permit(id));
            next
        })
    }

    /// The arguments of the script, `common` before them.
    pub(super) fn args<'a>(&'a self, common: &'a [u8]) -> [&'a [u8]; 5] {
        [common, &self.first.bytes, &self.later.bytes, &self.permits, &self.contents]
    }
}

/// Places by number. What several in a batch have in common is sent once.
#[derive(Debug, Default)]
struct Places {
    bytes: Vec<u8>,
    numbers: HashMap<Identity, u16, RandomState>,
    /// Keeps the names alive that the numbers are found by.
    names: Vec<(KeyId, Domain)>,
}

/// Where a place's names are in memory: those of one set of keys are shared, and comparing them would
/// cost more than sending one twice.
type Identity = (usize, Fingerprint, usize, usize, Method);

impl Places {
    fn clear(&mut self) {
        self.bytes.clear();
        self.numbers.clear();
        self.names.clear();
    }

    fn number(&mut self, place: (&KeyId, Fingerprint, &Domain, Method)) -> u16 {
        let (key, fingerprint, domain, method) = place;
        let address = |text: &str| text.as_ptr().addr();
        let identity = (
            address(key.as_str()),
            fingerprint,
            address(domain.project.as_str()),
            address(domain.bucket.as_str()),
            method,
        );
        if let Some(known) = self.numbers.get(&identity) {
            return *known;
        }
        if self.bytes.is_empty() {
            self.bytes.reserve(256);
        }
        let new = number(self.names.len());
        coding::place(&mut self.bytes, place);
        self.names.push((key.clone(), domain.clone()));
        self.numbers.insert(identity, new);
        new
    }
}

/// Takes back the question that stands at `at`, if one does.
fn give_up(contents: &mut [u8], at: usize) -> bool {
    let kind = contents.get_mut(at).filter(|kind| **kind & !FOR_CALLER == Kind::Ask as u8);
    if let Some(kind) = kind {
        *kind = *kind & FOR_CALLER | Kind::GivenUp as u8;
        return true;
    }
    false
}

/// A number in a batch: its limits keep it small.
fn number(n: usize) -> u16 {
    u16::try_from(n).unwrap_or(u16::MAX)
}
