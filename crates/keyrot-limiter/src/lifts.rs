//! What was lifted, on its way to the handles that have yet to be told.

use std::mem;
use std::sync::atomic::{AtomicBool, Ordering};

use keyrot_core::{Lifted, Scope};
use parking_lot::Mutex;

/// How many lifts are remembered one by one; a handle that is further behind is told [`Lifted::All`].
pub(crate) const REMEMBERED: usize = 64;

/// Lifts that somebody has yet to be told.
#[derive(Debug, Default)]
pub(crate) struct Untold(Lifted);

impl Untold {
    pub(crate) fn add(&mut self, scope: Scope) {
        if let Lifted::Scopes(scopes) = &mut self.0 {
            if scopes.len() == REMEMBERED {
                self.0 = Lifted::All;
            } else {
                scopes.push(scope);
            }
        }
    }

    pub(crate) fn add_all(&mut self, lifted: Lifted) {
        match lifted {
            Lifted::Scopes(scopes) => scopes.into_iter().for_each(|scope| self.add(scope)),
            Lifted::All => self.0 = Lifted::All,
        }
    }

    pub(crate) fn take(&mut self) -> Lifted {
        mem::take(&mut self.0)
    }

    pub(crate) fn is_empty(&self) -> bool {
        matches!(&self.0, Lifted::Scopes(scopes) if scopes.is_empty())
    }
}

/// What one handle has heard of lifts and has yet to be asked for.
#[derive(Debug, Default)]
pub(crate) struct Heard {
    /// Whether there is anything: so that being asked, which happens for every request, costs no lock.
    any: AtomicBool,
    untold: Mutex<Untold>,
}

impl Heard {
    pub(crate) fn hear(&self, lifted: Lifted) {
        let mut untold = self.untold.lock();
        untold.add_all(lifted);
        self.any.store(!untold.is_empty(), Ordering::Release);
    }

    pub(crate) fn take(&self) -> Lifted {
        if !self.any.load(Ordering::Acquire) {
            return Lifted::default();
        }
        let mut untold = self.untold.lock();
        self.any.store(false, Ordering::Release);
        untold.take()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_heard_is_told_once_and_what_is_too_much_is_all() {
        let heard = Heard::default();
        let lift = |n: usize| Lifted::Scopes((0..n).map(|i| Scope::Model(i.to_string().into())).collect());
        assert_eq!(heard.take(), lift(0));
        heard.hear(lift(2));
        heard.hear(lift(0));
        assert_eq!((heard.take(), heard.take()), (lift(2), lift(0)));
        heard.hear(lift(REMEMBERED));
        assert_eq!(heard.take(), lift(REMEMBERED));
        heard.hear(lift(REMEMBERED + 1));
        heard.hear(lift(1));
        assert_eq!((heard.take(), heard.take()), (Lifted::All, lift(0)));
    }
}
