//! Keeps the SDK from saying secrets. At TRACE it logs requests and answers; it leaves the secrets out of them as far
//! as it knows them, and not at all when `LOG_SENSITIVE_BODIES=true` is in the environment. What it says at DEBUG and
//! above is passed on.

use futures_util::future::BoxFuture;
use tracing::instrument::WithSubscriber as _;
use tracing::level_filters::LevelFilter;
use tracing::span::{Attributes, Id, Record};
use tracing::subscriber::Interest;
use tracing::{Dispatch, Event, Level, Metadata, Subscriber, dispatcher};

/// Does `work`, which is the SDK's, without anything said at TRACE meanwhile.
/// In a box, for the SDK's futures are large.
pub(crate) fn quietly<'a, T>(work: impl Future<Output = T> + Send + 'a) -> BoxFuture<'a, T> {
    let listener = dispatcher::get_default(Dispatch::clone);
    Box::pin(work.with_subscriber(Quiet(listener)))
}

/// Passes on all but TRACE.
struct Quiet(Dispatch);

fn is_passed_on(metadata: &Metadata<'_>) -> bool {
    *metadata.level() != Level::TRACE
}

impl Subscriber for Quiet {
    fn register_callsite(&self, metadata: &'static Metadata<'static>) -> Interest {
        if is_passed_on(metadata) { self.0.register_callsite(metadata) } else { Interest::never() }
    }

    fn enabled(&self, metadata: &Metadata<'_>) -> bool {
        is_passed_on(metadata) && self.0.enabled(metadata)
    }

    fn max_level_hint(&self) -> Option<LevelFilter> {
        Some(LevelFilter::DEBUG)
    }

    fn new_span(&self, span: &Attributes<'_>) -> Id {
        self.0.new_span(span)
    }

    fn record(&self, span: &Id, values: &Record<'_>) {
        self.0.record(span, values);
    }

    fn record_follows_from(&self, span: &Id, follows: &Id) {
        self.0.record_follows_from(span, follows);
    }

    fn event(&self, event: &Event<'_>) {
        // Asked again: what is enabled is cached for all listeners of the process together.
        if is_passed_on(event.metadata()) {
            self.0.event(event);
        }
    }

    fn enter(&self, span: &Id) {
        self.0.enter(span);
    }

    fn exit(&self, span: &Id) {
        self.0.exit(span);
    }

    fn clone_span(&self, span: &Id) -> Id {
        self.0.clone_span(span)
    }

    fn try_close(&self, span: Id) -> bool {
        self.0.try_close(span)
    }
}
