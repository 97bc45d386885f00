//! What goes on in the background: heartbeats, the way back, and telling what is owed.

use std::pin::pin;
use std::sync::{Arc, Weak};
use std::time::Duration;

use futures_util::future::select;
use keyrot_core::{CoolFor, CoolReport, Reason, Scope, Timestamp};

use super::Inner;
use super::late::{End, News, Word};
use super::share::SOON;
use super::shared::Shared;
use super::state::Duty;

/// How often an instance says that it lives.
const BEAT: Duration = Duration::from_secs(3);
/// For how long it is believed: two beats may be lost.
const ALIVE: Duration = Duration::from_secs(10);
/// The pause after the first attempt to reach the store again; it doubles, up to [`SOON`].
const FIRST: Duration = Duration::from_millis(100);

/// Tends until the wrapper is gone.
pub(super) async fn tend<S: Shared>(weak: Weak<Inner<S>>) {
    let mut pause = FIRST;
    loop {
        let Some(inner) = weak.upgrade() else { return };
        let healthy = inner.turn().await;
        let (clock, wake) = (Arc::clone(&inner.clock), Arc::clone(&inner.wake));
        let wait = if healthy { BEAT } else { pause };
        pause = if healthy { FIRST } else { (pause * 2).min(SOON) };
        let next = clock.now() + wait;
        drop(inner);
        if healthy {
            select(clock.sleep_until(next), pin!(wake.woken())).await;
        } else {
            // What woke us meanwhile is the loss we know of.
            clock.sleep_until(next).await;
        }
    }
}

impl<S: Shared> Inner<S> {
    /// One heartbeat, and what the store has to be told if it answers. Whether it did.
    async fn turn(&self) -> bool {
        let (before, returns) = self.before();
        match self.timed(self.store.heartbeat(&self.instance, ALIVE)).await {
            Ok(beat) => {
                let lost = {
                    let mut state = self.state.lock();
                    state.peers = beat.instances;
                    state.hear(&beat.mark, before.as_ref(), self.clock.now())
                };
                self.report_loss(lost);
                self.tell().await
            }
            Err(why) => {
                self.lost_sight(&why, returns);
                false
            }
        }
    }

    /// Tells what is owed. Whether the store heard all of it.
    async fn tell(&self) -> bool {
        let mut round = 0;
        loop {
            let (duty, returns) = {
                let mut state = self.state.lock();
                (state.duty(round, self.clock.now()), state.returns)
            };
            let Some(duty) = duty else { return true };
            if let Err(why) = self.fulfil(&duty).await {
                self.state.lock().undone(duty);
                self.lost_sight(&why, returns);
                return false;
            }
            round += u32::from(matches!(duty, Duty::Absorb(_)));
            self.state.lock().done(&duty, self.clock.now());
        }
    }

    async fn fulfil(&self, duty: &Duty) -> Result<(), String> {
        match duty {
            Duty::Absorb(owed) => self.timed(self.store.absorb(&owed.once, &owed.charges)).await,
            Duty::Word(Word::Lift(scope), _) => {
                let (before, _) = self.before();
                self.timed(self.store.lift(scope)).await?;
                self.state.lock().lifted(before.as_ref());
                Ok(())
            }
            Duty::Word(Word::Cool(report), said) => {
                let Some(report) = belated(report, *said, self.clock.now()) else { return Ok(()) };
                let stamp = report.stamp.map(|stamp| self.state.lock().theirs(stamp));
                self.timed(self.store.cool(&CoolReport { stamp, ..report })).await.map(drop)
            }
            Duty::End(End::Settle(permit, tokens)) => self.timed(self.store.settle(permit, *tokens)).await,
            Duty::End(End::Release(permit, ended)) => self.timed(self.store.release(permit, *ended)).await,
            Duty::Fact(name, News::Add(by)) => self.timed(self.store.increment(name, *by)).await.map(drop),
            Duty::Fact(name, News::Put { value, until }) => {
                let now = self.clock.now();
                match until {
                    Some(until) if *until <= now => Ok(()),
                    Some(until) => self.timed(self.store.put(name, value, Some(until.since(now)))).await,
                    None => self.timed(self.store.put(name, value, None)).await,
                }
            }
            Duty::Return(back) => {
                tracing::info!(
                    store = self.store.name(),
                    away_s = back.away.as_secs_f64(),
                    admitted = back.admitted,
                    "the shared limits are back"
                );
                Ok(())
            }
        }
    }
}

/// A report said a while ago, as it is to be told now; `None` when it has ended.
fn belated(report: &CoolReport, said: Timestamp, now: Timestamp) -> Option<CoolReport> {
    if matches!(report.scope, Scope::Model(_)) && report.reason == Reason::Overloaded {
        // The store judges by the last seconds.
        return None;
    }
    let cool = match report.cool {
        CoolFor::After(wait) => {
            let left = wait.saturating_sub(now.since(said));
            (!left.is_zero()).then_some(CoolFor::After(left))?
        }
        other @ (CoolFor::NextPacificMidnight | CoolFor::UntilLifted | CoolFor::Escalating { .. }) => other,
    };
    Some(CoolReport { cool, ..report.clone() })
}
