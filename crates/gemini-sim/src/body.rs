//! A response body that is written in steps: bytes, pauses, silence, or a reset of the connection.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll, ready};
use std::time::Duration;

use bytes::Bytes;
use hyper::body::{Body, Frame};
use tokio::time::Sleep;

use crate::fault::Spoil;
use crate::json;
use crate::status::Status;

/// How the server paces its answers, in real time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Pace {
    /// Wait before the headers of an answer the model gives.
    pub time_to_first_byte: Duration,
    /// Wait between two chunks of a stream.
    pub between_chunks: Duration,
    /// Characters of text per chunk.
    pub text_chunk_chars: usize,
    /// Writes bodies in pieces of this many bytes, one HTTP chunk and one write each, wherever that cuts.
    pub tcp_split: Option<usize>,
}

impl Default for Pace {
    /// No waiting, 20 characters a chunk, no splitting.
    fn default() -> Self {
        Self {
            time_to_first_byte: Duration::ZERO,
            between_chunks: Duration::ZERO,
            text_chunk_chars: 20,
            tcp_split: None,
        }
    }
}

/// The connection is to be reset. Surfaces as a hyper error; the connection's task then resets the socket.
#[derive(Debug, Clone, Copy, thiserror::Error)]
#[error("the connection is reset on purpose")]
pub(crate) struct Reset;

#[derive(Debug, Clone, PartialEq, Eq)]
enum Step {
    Bytes(Bytes),
    Wait(Duration),
    /// Lets the connection write out what it holds.
    Flush,
    Stall,
    Reset,
}

/// The steps of one body.
#[derive(Debug, Default)]
pub(crate) struct Script {
    steps: VecDeque<Step>,
    pausing: Option<Pin<Box<Sleep>>>,
}

impl Script {
    /// A body that is known whole.
    pub(crate) fn whole(text: String, pace: &Pace) -> Self {
        let mut script = Self::default();
        script.bytes(text, pace);
        script
    }

    /// A stream of chunks, as SSE frames or as one JSON array, spoiled after some of them if asked.
    pub(crate) fn stream(
        chunks: &[serde_json::Value],
        in_array: bool,
        spoil: Option<(usize, Spoil)>,
        pace: &Pace,
    ) -> Self {
        let mut script = Self::default();
        // The last chunk says that the answer is complete, so a spoiled stream never gets that far.
        let sent = spoil.map_or(chunks.len(), |(after, _)| after.min(chunks.len().saturating_sub(1)));
        let mut first = true;
        let mut element = |value: &serde_json::Value| {
            let open = if std::mem::take(&mut first) { "[" } else { ",\n" };
            format!("{open}{}", json::pretty(value))
        };
        for (index, chunk) in chunks.iter().take(sent).enumerate() {
            if index > 0 {
                script.pause(pace.between_chunks);
            }
            let text =
                if in_array { element(chunk) } else { format!("data: {}\r\n\r\n", json::spaced(chunk)) };
            script.bytes(text, pace);
        }
        match spoil {
            Some((_, Spoil::Stall)) => script.steps.push_back(Step::Stall),
            Some((_, Spoil::Reset)) => script.steps.extend([Step::Flush, Step::Reset]),
            Some((_, Spoil::RawJson(code) | Spoil::SseError(code))) if in_array => {
                let error = element(Status::canonical(code).value());
                script.bytes(error, pace);
            }
            Some((_, Spoil::RawJson(code))) => script.bytes(Status::canonical(code).body(false), pace),
            Some((_, Spoil::SseError(code))) => {
                let error = json::spaced(Status::canonical(code).value());
                script.bytes(format!("data: {error}\r\n\r\n"), pace);
            }
            Some((_, Spoil::Truncate)) | None => {}
        }
        if in_array && !matches!(spoil, Some((_, Spoil::Stall | Spoil::Reset))) {
            let close = if script.steps.is_empty() { "[]\n" } else { "]\n" };
            script.bytes(close.to_owned(), pace);
        }
        script
    }

    /// The bytes that would be sent, without the pauses: up to the silence or the reset, if there is one.
    pub(crate) fn into_bytes(self) -> Vec<u8> {
        let mut sent = Vec::new();
        for step in self.steps {
            match step {
                Step::Bytes(bytes) => sent.extend_from_slice(&bytes),
                Step::Wait(_) | Step::Flush => {}
                Step::Stall | Step::Reset => break,
            }
        }
        sent
    }

    fn bytes(&mut self, text: String, pace: &Pace) {
        let bytes = Bytes::from(text);
        let size = pace.tcp_split.unwrap_or(usize::MAX).max(1);
        let mut at = 0;
        while at < bytes.len() {
            let end = at.saturating_add(size).min(bytes.len());
            self.steps.extend([Step::Bytes(bytes.slice(at..end)), Step::Flush]);
            at = end;
        }
    }

    fn pause(&mut self, time: Duration) {
        if !time.is_zero() {
            self.steps.push_back(Step::Wait(time));
        }
    }
}

impl Body for Script {
    type Data = Bytes;
    type Error = Reset;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Reset>>> {
        loop {
            if let Some(sleep) = &mut self.pausing {
                ready!(sleep.as_mut().poll(cx));
                self.pausing = None;
            }
            match self.steps.pop_front() {
                None => return Poll::Ready(None),
                Some(Step::Bytes(bytes)) => return Poll::Ready(Some(Ok(Frame::data(bytes)))),
                Some(Step::Reset) => return Poll::Ready(Some(Err(Reset))),
                Some(Step::Wait(time)) => self.pausing = Some(Box::pin(tokio::time::sleep(time))),
                Some(Step::Flush) => {
                    cx.waker().wake_by_ref();
                    return Poll::Pending;
                }
                Some(Step::Stall) => {
                    self.steps.push_front(Step::Stall);
                    return Poll::Pending;
                }
            }
        }
    }
}
