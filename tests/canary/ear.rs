//! Hears everything: events and spans of every crate at TRACE, what `log` carries, panics, and what
//! the tests hand in.

use std::collections::BTreeSet;
use std::fmt::{Debug, Display, Write as _};
use std::panic::PanicHookInfo;
use std::sync::{LazyLock, Mutex, MutexGuard, Once, PoisonError};

use keyrot_testkit::canary::Grep;
use tracing::field::{Field, Visit};
use tracing::span::{Attributes, Id, Record};
use tracing::{Event, Subscriber};
use tracing_subscriber::layer::{Context, Layer, SubscriberExt as _};
use tracing_subscriber::util::SubscriberInitExt as _;

/// What was said and not searched yet.
static SAID: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// Who spoke, by target.
static HEARD: Mutex<BTreeSet<String>> = Mutex::new(BTreeSet::new());
/// How the failure of a search begins: it repeats what it found, which is no leak of the next test's.
const FOUND: &str = "leaks were found";

/// One test's time to speak and listen: another one's leak must not be taken for its own.
pub(crate) struct Turn(MutexGuard<'static, Grep>);

/// Hears from now on.
pub(crate) fn listen() -> Turn {
    static TURN: LazyLock<Mutex<Grep>> = LazyLock::new(Mutex::default);
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        tracing_subscriber::registry().with(Ear).try_init().expect("nobody else sets a subscriber");
        let usual = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic: &PanicHookInfo<'_>| {
            let text = format!("panic: {panic}");
            if !text.contains(FOUND) {
                say(&text);
            }
            usual(panic);
        }));
    });
    Turn(TURN.lock().unwrap_or_else(PoisonError::into_inner))
}

/// Something was said.
pub(crate) fn say(text: &str) {
    SAID.lock().unwrap_or_else(PoisonError::into_inner).insert(text.to_owned());
}

/// Something can be said in a debug text.
pub(crate) fn debug(what: &str, it: &(impl Debug + ?Sized)) {
    say(&format!("{what}: {it:?}"));
}

/// Something can be said in both ways.
pub(crate) fn both(what: &str, it: &(impl Debug + Display)) {
    debug(what, it);
    say(&format!("{what}: {it}"));
}

/// An error can be said, with all that is beneath it.
pub(crate) fn error(what: &str, it: &(impl std::error::Error + ?Sized)) {
    let mut next: Option<&dyn std::error::Error> = it.source();
    say(&format!("{what}: {it} {it:?}"));
    while let Some(source) = next {
        say(&format!("{what}, beneath: {source} {source:?}"));
        next = source.source();
    }
}

impl Turn {
    /// Nothing of what was said since the last search holds a canary.
    pub(crate) fn assert_clean(&self) {
        let said = std::mem::take(&mut *SAID.lock().unwrap_or_else(PoisonError::into_inner));
        assert!(!said.is_empty(), "nobody said anything");
        let found: Vec<String> = said.iter().filter_map(|text| self.0.find(text)).collect();
        let some: Vec<&str> = found.iter().take(12).map(String::as_str).collect();
        assert!(found.is_empty(), "{} {FOUND}, among them:\n{}", found.len(), some.join("\n\n"));
    }
}

/// Everybody who must have been heard was: silence proves nothing.
pub(crate) fn assert_heard(targets: &[&str]) {
    let heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
    for target in targets {
        assert!(heard.iter().any(|it| it.starts_with(target)), "`{target}` was not heard: {heard:?}");
    }
}

struct Ear;

struct Words(String);

impl Visit for Words {
    fn record_str(&mut self, field: &Field, value: &str) {
        // Writing to a text does not fail.
        let _ = write!(self.0, " {field}={value}");
    }

    fn record_error(&mut self, field: &Field, value: &(dyn std::error::Error + 'static)) {
        let _ = write!(self.0, " {field}={value} {value:?}");
    }

    fn record_debug(&mut self, field: &Field, value: &dyn Debug) {
        let _ = write!(self.0, " {field}={value:?}");
    }
}

impl<S: Subscriber> Layer<S> for Ear {
    fn on_new_span(&self, span: &Attributes<'_>, _: &Id, _: Context<'_, S>) {
        let mut words = Words(format!("span {} {}", span.metadata().target(), span.metadata().name()));
        span.record(&mut words);
        say(&words.0);
    }

    fn on_record(&self, _: &Id, values: &Record<'_>, _: Context<'_, S>) {
        let mut words = Words("span records".to_owned());
        values.record(&mut words);
        say(&words.0);
    }

    fn on_event(&self, event: &Event<'_>, _: Context<'_, S>) {
        let mut words = Words(format!("event {}", event.metadata().target()));
        event.record(&mut words);
        let mut heard = HEARD.lock().unwrap_or_else(PoisonError::into_inner);
        match event.metadata().target() {
            // A record of the `log` crate: the bridge puts its target into a field.
            "log" => {
                let target = words.0.split_once("log.target=").map_or("", |(_, rest)| rest);
                heard.insert(target.split(' ').next().unwrap_or_default().to_owned());
            }
            target => {
                heard.insert(target.to_owned());
            }
        }
        drop(heard);
        say(&words.0);
    }
}

#[test]
fn what_is_said_anywhere_is_heard() {
    let heard = listen();
    tracing::trace!(target: "canary_proof", field = "an event is heard", "an event");
    let span = tracing::trace_span!("proof", field = "a span is heard", later = tracing::field::Empty);
    span.record("later", "a late field is heard");
    let panicked = std::panic::catch_unwind(|| panic!("a panic is heard"));
    assert!(panicked.is_err());
    for speaker in ["an event", "a span", "a late field", "a panic"] {
        let said = SAID.lock().unwrap_or_else(PoisonError::into_inner);
        let proof = format!("{speaker} is heard");
        assert!(said.iter().any(|text| text.contains(&proof)), "{speaker} was not heard");
    }
    assert_heard(&["canary_proof"]);
    heard.assert_clean();
}

#[test]
fn a_canary_that_is_said_is_found() {
    let heard = listen();
    tracing::trace!(key = keyrot_testkit::canary::PLAIN, "an event with a key in it");
    let search = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| heard.assert_clean()));
    assert!(search.is_err(), "a canary in an event was overheard");
}
