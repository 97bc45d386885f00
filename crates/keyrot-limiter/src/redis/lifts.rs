//! What the server told of lifts, beside its answers.

use keyrot_core::{Lifted, Scope};
use parking_lot::Mutex;
use redis::Value;

use super::coding::scope_of;
use crate::lifts::Heard;

/// The newest lift that this handle has heard of, and those that it has yet to be asked for.
#[derive(Debug)]
pub(super) struct Lifts {
    /// The server's number for it.
    newest: Mutex<f64>,
    heard: Heard,
}

impl Default for Lifts {
    fn default() -> Self {
        // As whoever has not asked yet.
        Self { newest: Mutex::new(-1.0), heard: Heard::default() }
    }
}

impl Lifts {
    /// What every question says has been heard.
    pub(super) fn newest(&self) -> [u8; 8] {
        self.newest.lock().to_le_bytes()
    }

    /// Takes from an answer what comes with it: the newest number, and each scope behind its own; an empty
    /// text for all. Of two answers that were under way together, both tell what was new to both questions:
    /// it is heard once.
    pub(super) fn hear(&self, value: Value) -> Value {
        let Value::Array(parts) = value else { return value };
        let mut parts = parts.into_iter();
        let answer = parts.next().unwrap_or(Value::Nil);
        let Some((newest, _)) = parts.next().as_ref().and_then(numbered) else { return answer };
        let scopes = parts.map(|part| one(&part)).collect::<Option<Vec<_>>>();
        let mut known = self.newest.lock();
        match scopes {
            Some(scopes) => {
                let is_news = |(number, _): &(f64, Scope)| number > &*known;
                let news = scopes.into_iter().filter(is_news).map(|(_, scope)| scope).collect();
                self.heard.hear(Lifted::Scopes(news));
                *known = known.max(newest);
            }
            // What the server has lost begins anew, with whatever number.
            None => {
                self.heard.hear(Lifted::All);
                *known = newest;
            }
        }
        answer
    }

    pub(super) fn take(&self) -> Lifted {
        self.heard.take()
    }
}

/// A number, and what stands behind it.
fn numbered(part: &Value) -> Option<(f64, &[u8])> {
    let Value::BulkString(bytes) = part else { return None };
    let (number, rest) = bytes.split_first_chunk()?;
    Some((f64::from_le_bytes(*number), rest))
}

fn one(part: &Value) -> Option<(f64, Scope)> {
    let (number, name) = numbered(part)?;
    Some((number, scope_of(std::str::from_utf8(name).ok()?)?))
}
