//! Streams: nothing is handed out until the first real part, and nothing is replayed after it.

use std::collections::VecDeque;
use std::future::Future;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use futures_core::Stream;
use futures_util::StreamExt;
use keyrot_core::call::{Judged, StreamPart};
use keyrot_core::{NetworkFault, Outcome, Usage};

use crate::lease::Lease;
use crate::profile::Profile;
use crate::rotator::{Rotator, RunError};

/// Parts held back at most while none has content.
const HELD_PARTS: usize = 64;
/// Time held back at most while no part has content.
const HELD_TIME: Duration = Duration::from_secs(60);

/// A streamed answer and the lease that pays for it. Dropping it before its end is a cancellation.
#[derive(Debug)]
pub struct LeasedStream<S, P> {
    lease: Lease,
    held: VecDeque<P>,
    rest: S,
    usage: Usage,
    finished: bool,
}

impl Rotator {
    /// Opens a stream with the right key. Until the first part with content, failures move on to
    /// another key and the caller sees nothing of it; after that they surface in the stream.
    ///
    /// # Errors
    /// As [`run`](Self::run).
    pub async fn stream<S, P, E, F, Fut>(
        &self,
        profile: &Profile,
        mut open: F,
    ) -> Result<LeasedStream<S, P>, RunError<E>>
    where
        E: Judged,
        P: StreamPart,
        S: Stream<Item = Result<P, E>> + Unpin,
        F: FnMut(&Lease) -> Fut,
        Fut: Future<Output = Result<S, E>>,
    {
        let clock = &self.pool.clock;
        let opened = self.drive(profile, |lease| {
            let open = open(lease);
            async move {
                let mut rest = open.await?;
                let mut held = VecDeque::new();
                let patience = clock.sleep_until(clock.now() + HELD_TIME);
                tokio::pin!(patience);
                while held.len() < HELD_PARTS {
                    let part = tokio::select! {
                        biased;
                        part = rest.next() => part,
                        () = &mut patience => break,
                    };
                    let Some(part) = part.transpose()? else { break };
                    let commit = part.has_content() || part.finishes();
                    held.push_back(part);
                    if commit {
                        break;
                    }
                }
                Ok(((held, rest), Outcome::Success { usage: Usage::default() }))
            }
        });
        let ((held, rest), _, mut lease) = opened.await?;
        if held.iter().any(StreamPart::has_content) {
            lease.answered();
        }
        Ok(LeasedStream { lease, held, rest, usage: Usage::default(), finished: false })
    }
}

impl<S, P: StreamPart> LeasedStream<S, P> {
    /// The lease: which key serves, which model.
    #[must_use]
    pub fn lease(&self) -> &Lease {
        &self.lease
    }

    fn saw(&mut self, part: &P) {
        let usage = part.usage();
        if part.has_content() && !self.lease.attempt.answered {
            self.lease.answered();
        }
        // Settled at the first count, so that a long answer does not settle late.
        if let (None, Some(tokens)) = (self.usage.prompt_tokens, usage.prompt_tokens) {
            self.lease.settle_later(tokens);
        }
        self.usage.prompt_tokens = usage.prompt_tokens.or(self.usage.prompt_tokens);
        self.usage.output_tokens = usage.output_tokens.or(self.usage.output_tokens);
        self.finished |= part.finishes();
    }

    fn end(&mut self) {
        let outcome = if self.finished {
            Outcome::Success { usage: self.usage }
        } else {
            Outcome::Network(NetworkFault::Truncated)
        };
        self.lease.end_later(outcome);
    }
}

impl<S, P, E> Stream for LeasedStream<S, P>
where
    E: Judged,
    P: StreamPart + Unpin,
    S: Stream<Item = Result<P, E>> + Unpin,
{
    type Item = Result<P, E>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let next = match this.held.pop_front() {
            Some(part) => Poll::Ready(Some(Ok(part))),
            None => Pin::new(&mut this.rest).poll_next(cx),
        };
        match &next {
            Poll::Ready(Some(Ok(part))) => this.saw(part),
            Poll::Ready(Some(Err(error))) => this.lease.end_later(error.outcome()),
            Poll::Ready(None) => this.end(),
            Poll::Pending => {}
        }
        next
    }
}

impl<S, P> Drop for LeasedStream<S, P> {
    fn drop(&mut self) {
        // A caller that has seen the last part and does not poll for the end has its answer.
        if self.finished {
            self.lease.end_later(Outcome::Success { usage: self.usage });
        }
    }
}
