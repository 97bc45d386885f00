//! What the server told of lifts, beside its answers.

use std::sync::atomic::{AtomicU64, Ordering};

use keyrot_core::Lifted;
use redis::Value;

use super::coding::scope_of;
use crate::lifts::Heard;

/// The newest lift that this handle has heard of, and those that it has yet to be asked for.
#[derive(Debug)]
pub(super) struct Lifts {
    /// The server's number for it, as its bits: it is only ever sent back.
    newest: AtomicU64,
    heard: Heard,
}

impl Default for Lifts {
    fn default() -> Self {
        // As whoever has not asked yet.
        Self { newest: AtomicU64::new((-1.0_f64).to_bits()), heard: Heard::default() }
    }
}

impl Lifts {
    /// What every question says has been heard.
    pub(super) fn newest(&self) -> [u8; 8] {
        self.newest.load(Ordering::Relaxed).to_le_bytes()
    }

    /// Takes from an answer what comes with it: the newest number and each scope, an empty one for all.
    pub(super) fn hear(&self, value: Value) -> Value {
        let Value::Array(parts) = value else { return value };
        let mut parts = parts.into_iter();
        let answer = parts.next().unwrap_or(Value::Nil);
        if let Some(Value::BulkString(newest)) = parts.next()
            && let Ok(newest) = newest.try_into()
        {
            self.newest.store(u64::from_le_bytes(newest), Ordering::Relaxed);
        }
        let scope = |part| match part {
            Value::BulkString(name) => scope_of(std::str::from_utf8(&name).ok()?),
            _ => None,
        };
        let scopes = parts.map(scope).collect::<Option<Vec<_>>>();
        self.heard.hear(scopes.map_or(Lifted::All, Lifted::Scopes));
        answer
    }

    pub(super) fn take(&self) -> Lifted {
        self.heard.take()
    }
}
