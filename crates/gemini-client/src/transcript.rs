//! A stream's bytes to its chunks, and whether it was whole: [`Transcript`]. Pure.

use std::collections::{BTreeSet, VecDeque};
use std::time::Duration;

use http::HeaderMap;
use keyrot_core::{NetworkFault, Outcome, Usage};
use serde_json::Value;

use crate::classify::{Envelope, Head};
use crate::error::Error;
use crate::sse::{Decoder, Event};
use crate::wire::GenerateResponse;

/// One event of a stream: a piece of the answer, with a running total of usage.
pub type Chunk = GenerateResponse;

/// Reads a stream of `streamGenerateContent?alt=sse`.
///
/// The answer is whole when every candidate seen has a `finishReason`, or the prompt was blocked;
/// a stream that ends before that was truncated, however well-formed its last event was. An error
/// in the stream, framed or bare, ends it.
///
/// ```
/// use gemini_client::Transcript;
/// use keyrot_core::Outcome;
/// let mut transcript = Transcript::new(1024);
/// transcript.push(b"data: {\"candidates\":[{\"content\":{\"parts\":[{\"text\":\"Hi\"}]}}]}\r\n\r\n");
/// assert_eq!(transcript.next().unwrap().unwrap().text(), "Hi");
/// transcript.end();
/// let error = transcript.next().unwrap().unwrap_err();
/// assert_eq!(error.outcome(), transcript.outcome());
/// ```
#[derive(Debug)]
pub struct Transcript {
    /// `None` once the stream has ended.
    decoder: Option<Decoder>,
    ready: VecDeque<Result<Chunk, Error>>,
    seen: BTreeSet<u32>,
    finished: BTreeSet<u32>,
    blocked: bool,
    /// Some candidate had something to say, or ended for another reason than a refusal.
    answered: bool,
    usage: Usage,
    failure: Option<Outcome>,
    server_timeout: Option<Duration>,
}

impl Transcript {
    /// A transcript whose events hold at most `limit` bytes. Its errors hold no secret that this process
    /// [remembers](keyrot_core::untrusted::remember), as a [`Client`](crate::Client) does with every key it sends.
    #[must_use]
    pub fn new(limit: usize) -> Self {
        Self {
            decoder: Some(Decoder::new(limit)),
            ready: VecDeque::new(),
            seen: BTreeSet::new(),
            finished: BTreeSet::new(),
            blocked: false,
            answered: false,
            usage: Usage::default(),
            failure: None,
            server_timeout: None,
        }
    }

    /// Sets the deadline that the request carried in `X-Server-Timeout`: it may end the stream.
    #[must_use]
    pub const fn server_timeout(mut self, timeout: Option<Duration>) -> Self {
        self.server_timeout = timeout;
        self
    }

    /// Takes the next bytes of the stream. What follows an error is ignored.
    pub fn push(&mut self, bytes: &[u8]) {
        let Some(mut decoder) = self.decoder.take() else { return };
        let pushed = decoder.push(bytes);
        while let Some(event) = decoder.next() {
            if !self.read(&event, false) {
                return;
            }
        }
        match pushed {
            Ok(()) => self.decoder = Some(decoder),
            Err(too_large) => self.fail(Error::too_large(too_large.limit)),
        }
    }

    /// The stream has ended in good order. Adds an error if the answer is not whole.
    pub fn end(&mut self) {
        let Some(decoder) = self.decoder.take() else { return };
        let rest = decoder.finish();
        if rest.is_none_or(|event| self.read(&event, true)) && !self.is_complete() {
            self.fail(Error::truncated("no `finishReason` came"));
        }
    }

    /// The stream broke. Adds the error, unless the answer was whole before.
    pub fn broke(&mut self, error: Error) {
        if self.decoder.take().is_some() && !self.is_complete() {
            self.fail(error);
        }
    }

    /// The next chunk, or the error that ended the stream.
    #[expect(clippy::should_implement_trait, reason = "`None` means more bytes are wanted, not the end")]
    pub fn next(&mut self) -> Option<Result<Chunk, Error>> {
        self.ready.pop_front()
    }

    /// Whether the answer is whole.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.failure.is_none()
            && (self.blocked || (!self.finished.is_empty() && self.seen.is_subset(&self.finished)))
    }

    /// Whether nothing more can come of it.
    pub(crate) fn has_ended(&self) -> bool {
        self.decoder.is_none()
    }

    /// The tokens used so far.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.usage
    }

    /// What the stream came to, as far as it was read.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        match &self.failure {
            Some(failure) => failure.clone(),
            None if !self.is_complete() => Outcome::Network(NetworkFault::Truncated),
            None if self.blocked || !self.answered => Outcome::Blocked,
            None => Outcome::Success { usage: self.usage },
        }
    }

    fn fail(&mut self, error: Error) {
        self.decoder = None;
        self.failure = Some(error.outcome());
        self.ready.push_back(Err(error));
    }

    /// Reads one event; whether the stream goes on. `at_end`: what the stream left unfinished.
    fn read(&mut self, event: &Event, at_end: bool) -> bool {
        let (Event::Data(text) | Event::Bare(text)) = event;
        let chunk = match serde_json::from_slice::<Value>(text) {
            Ok(value) if Envelope::find(&value).is_some() => {
                let headers = HeaderMap::new();
                Err(Error::refused(&Head::new(200, &headers).server_timeout(self.server_timeout), text))
            }
            Ok(value) => serde_json::from_value::<Chunk>(value).map_err(|why| Error::undecodable(200, &why)),
            Err(_) if at_end => Err(Error::truncated("the last event is cut off")),
            Err(why) => Err(Error::undecodable(200, &why)),
        };
        match chunk {
            Ok(chunk) => {
                self.note(&chunk);
                self.ready.push_back(Ok(chunk));
                true
            }
            Err(error) => {
                self.fail(error);
                false
            }
        }
    }

    fn note(&mut self, chunk: &Chunk) {
        for candidate in &chunk.candidates {
            let index = candidate.index.unwrap_or(0);
            self.seen.insert(index);
            if candidate.finish_reason.is_some() {
                self.finished.insert(index);
            }
            self.answered |= candidate.answers();
        }
        self.blocked |= chunk.block_reason().is_some();
        if chunk.usage_metadata.is_some() {
            self.usage = chunk.usage();
        }
    }
}

#[cfg(test)]
mod tests;
