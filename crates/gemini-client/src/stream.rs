//! A streamed answer, chunk by chunk: [`ChunkStream`].

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use futures_core::Stream;
use keyrot_core::{Outcome, Usage};

use crate::body::Body;
use crate::error::Error;
use crate::transcript::{Chunk, Transcript};

/// The chunks of an answer. An error is the last item; the end without one means that the answer is
/// whole.
#[derive(Debug)]
pub struct ChunkStream {
    body: Body,
    transcript: Transcript,
}

impl ChunkStream {
    pub(crate) fn new(body: Body, max_event: usize) -> Self {
        let transcript = Transcript::new(max_event);
        Self { body, transcript }
    }

    /// The tokens used so far: a running total, final at the end.
    #[must_use]
    pub fn usage(&self) -> Usage {
        self.transcript.usage()
    }

    /// What the call came to, once the stream has ended; truncated if it is asked before.
    #[must_use]
    pub fn outcome(&self) -> Outcome {
        self.transcript.outcome()
    }
}

impl Stream for ChunkStream {
    type Item = Result<Chunk, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        loop {
            if let Some(item) = this.transcript.next() {
                return Poll::Ready(Some(item));
            }
            if this.transcript.has_ended() {
                return Poll::Ready(None);
            }
            match ready!(Pin::new(&mut this.body).poll_next(cx)) {
                Some(Ok(bytes)) => this.transcript.push(&bytes),
                Some(Err(error)) => this.transcript.broke(error),
                None => this.transcript.end(),
            }
        }
    }
}
