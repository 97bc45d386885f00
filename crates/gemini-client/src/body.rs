//! The body of an answer as it comes in, under the idle and total timeouts: [`Body`].

use std::fmt;
use std::future::Future as _;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::{Bytes, BytesMut};
use futures_core::Stream;
use futures_util::StreamExt as _;
use tokio::time::Sleep;

use crate::error::{Error, Wait};

/// How long servers and proxies commonly wait for a reader before they cut a connection off.
const WRITE_TIMEOUT: Duration = Duration::from_secs(60);

/// The bytes of an answer, as a stream. It ends after its first error. Dropping it gives the
/// connection up.
pub struct Body {
    /// `None` once it has ended.
    bytes: Option<Bytewise>,
    idle: Option<Duration>,
    /// Runs only while a piece is waited for: a slow reader is not the server's fault.
    waiting: Option<Pin<Box<Sleep>>>,
    /// Runs while a piece is out and the next is not asked for.
    unread: Option<Pin<Box<Sleep>>>,
    /// The reader once paused for so long that a server may have given up writing.
    neglected: bool,
    total: Option<Pin<Box<Sleep>>>,
    received: u64,
}

type Bytewise = Pin<Box<dyn Stream<Item = reqwest::Result<Bytes>> + Send>>;

impl Body {
    pub(crate) fn new(
        answer: reqwest::Response,
        idle: Option<Duration>,
        total: Option<Pin<Box<Sleep>>>,
    ) -> Self {
        let bytes: Bytewise = Box::pin(answer.bytes_stream());
        Self { bytes: Some(bytes), idle, waiting: None, unread: None, neglected: false, total, received: 0 }
    }

    /// The whole body.
    ///
    /// # Errors
    /// What broke it, or [`ErrorKind::TooLarge`](crate::ErrorKind::TooLarge) past `limit` bytes.
    pub async fn collect(mut self, limit: usize) -> Result<Bytes, Error> {
        let mut whole = BytesMut::new();
        while let Some(piece) = self.next().await {
            let piece = piece?;
            if whole.len() + piece.len() > limit {
                return Err(Error::too_large(limit));
            }
            whole.extend_from_slice(&piece);
        }
        Ok(whole.freeze())
    }

    /// What can be had of the body, up to `limit` bytes: an error's status says enough when its
    /// body breaks off.
    pub(crate) async fn collect_some(mut self, limit: usize) -> Bytes {
        let mut some = BytesMut::new();
        while let Some(Ok(piece)) = self.next().await {
            let room = limit - some.len();
            some.extend_from_slice(piece.get(..room).unwrap_or(&piece));
            if some.len() >= limit {
                break;
            }
        }
        some.freeze()
    }

    fn end(&mut self, error: Option<Error>) -> Poll<Option<Result<Bytes, Error>>> {
        self.bytes = None;
        self.waiting = None;
        self.unread = None;
        self.total = None;
        tracing::debug!(received = self.received, kind = ?error.as_ref().map(Error::kind), "answer ends");
        Poll::Ready(error.map(Err))
    }
}

impl Stream for Body {
    type Item = Result<Bytes, Error>;

    fn poll_next(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<Option<Self::Item>> {
        let this = self.get_mut();
        let Some(bytes) = &mut this.bytes else { return Poll::Ready(None) };
        if this.total.as_mut().is_some_and(|total| total.as_mut().poll(cx).is_ready()) {
            return this.end(Some(Error::timeout(Wait::Total, None)));
        }
        if let Some(mut unread) = this.unread.take() {
            this.neglected |= unread.as_mut().poll(cx).is_ready();
        }
        match bytes.as_mut().poll_next(cx) {
            Poll::Ready(Some(Ok(piece))) => {
                this.waiting = None;
                this.unread = Some(Box::pin(tokio::time::sleep(WRITE_TIMEOUT)));
                this.received += piece.len() as u64;
                Poll::Ready(Some(Ok(piece)))
            }
            Poll::Ready(Some(Err(error))) => {
                let error = match this.neglected {
                    true => Error::timeout(Wait::Reader, None),
                    false => Error::receiving(error),
                };
                this.end(Some(error))
            }
            Poll::Ready(None) => this.end(None),
            Poll::Pending => {
                let Some(idle) = this.idle else { return Poll::Pending };
                let waiting = this.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(idle)));
                match waiting.as_mut().poll(cx) {
                    Poll::Ready(()) => this.end(Some(Error::timeout(Wait::Idle, Some(idle)))),
                    Poll::Pending => Poll::Pending,
                }
            }
        }
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { bytes, idle, waiting: _, unread: _, neglected: _, total: _, received } = self;
        f.debug_struct("Body")
            .field("ended", &bytes.is_none())
            .field("idle", idle)
            .field("received", received)
            .finish_non_exhaustive()
    }
}
