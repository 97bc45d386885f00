//! What happens on the way of a request, for whoever wants to show it.

use std::fmt;
use std::time::Duration;

use keyrot_core::{KeyId, ModelId, Outcome, Project, Timestamp};

use crate::request_id::RequestId;

/// Something that happened to a request.
#[derive(Debug, Clone)]
#[non_exhaustive]
pub enum Event {
    /// No key may go now; the request waits.
    Waiting {
        /// The request.
        request: RequestId,
        /// The model asked for.
        model: ModelId,
        /// When the first key may go, if nothing else happens.
        until: Timestamp,
        /// The same, from now.
        eta: Duration,
        /// Requests of this process ahead of it.
        ahead: usize,
    },
    /// An attempt begins.
    Started {
        /// The request.
        request: RequestId,
        /// The key used.
        key: KeyId,
        /// Its project.
        project: Project,
        /// The model asked for.
        model: ModelId,
        /// Which attempt of the request: 1 is the first.
        attempt: u32,
    },
    /// An attempt is over.
    Ended {
        /// The request.
        request: RequestId,
        /// The key used.
        key: KeyId,
        /// Its project.
        project: Project,
        /// The model asked for.
        model: ModelId,
        /// Which attempt of the request: 1 is the first.
        attempt: u32,
        /// What it came to.
        outcome: Outcome,
        /// How long it took.
        took: Duration,
        /// What was condemned, in words, if anything was.
        condemned: Option<String>,
    },
    /// Every key that was asked gave the same answer, so the request is at fault: what it cost them is taken
    /// back.
    TakenBack {
        /// The request.
        request: RequestId,
        /// The label of the outcome that all of them had.
        answer: &'static str,
    },
    /// The model asked for cannot be had; another one is tried.
    FellBack {
        /// The request.
        request: RequestId,
        /// The model asked for.
        from: ModelId,
        /// The model tried now.
        to: ModelId,
    },
    /// No key of the pool is usable; the single key serves.
    LastResort {
        /// The request.
        request: RequestId,
        /// The single key's label.
        key: KeyId,
    },
}

/// Somebody who watches. Called on the request's own task: be quick.
pub trait Observer: Send + Sync + 'static {
    /// Something happened.
    fn observe(&self, event: &Event);
}

impl<F: Fn(&Event) + Send + Sync + 'static> Observer for F {
    fn observe(&self, event: &Event) {
        self(event);
    }
}

/// Everybody who watches: nobody, or one.
#[derive(Clone, Default)]
pub(crate) struct Watch(pub(crate) Option<std::sync::Arc<dyn Observer>>);

impl Watch {
    /// Builds the event only when somebody looks.
    pub(crate) fn tell(&self, event: impl FnOnce() -> Event) {
        if let Some(observer) = &self.0 {
            observer.observe(&event());
        }
    }
}

impl fmt::Debug for Watch {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(if self.0.is_some() { "Watch(one)" } else { "Watch(nobody)" })
    }
}
