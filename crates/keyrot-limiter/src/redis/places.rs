//! The places in flight that this handle has taken, kept for it while it lives: the server gives a place
//! away again 30 seconds after it last heard of it, whatever its lease, for its owner may have been killed.

use std::collections::HashMap;
use std::sync::{Arc, Weak};
use std::time::Duration;

use keyrot_core::{KeyId, Permit, PermitId};
use parking_lot::Mutex;
use tokio::time::Instant;

use super::client::Client;
use super::coding::{self, Blob, millis};
use super::link::{Again, Link, after};
use super::script::SCRIPTS;

/// How often the server hears of them: what is missed twice is not lost yet.
const EVERY: Duration = Duration::from_secs(9);
/// The longest lease that is kept.
const LONGEST: Duration = Duration::from_secs(30 * 86_400);
/// How many it hears of in one call.
const AT_ONCE: usize = 256;

/// See the module's docs.
#[derive(Debug, Default)]
pub(super) struct Places(Mutex<Held>);

#[derive(Debug, Default)]
struct Held {
    /// Whose place it is, and when its lease ends.
    places: HashMap<PermitId, (KeyId, Instant)>,
    /// Whether there is a task that tells of them.
    told: bool,
}

impl Places {
    /// `permit` has a place until its end, or for as long as `lease`.
    pub(super) fn enter(
        self: &Arc<Self>,
        permit: &Permit,
        lease: Duration,
        link: &Arc<Link>,
        client: &Arc<Client>,
    ) {
        let mut held = self.0.lock();
        let ends = after(lease.min(LONGEST));
        held.places.insert(permit.id, (permit.key.clone(), ends));
        if !std::mem::replace(&mut held.told, true) {
            let task = Telling(Arc::downgrade(self));
            let (link, client) = (Arc::downgrade(link), Arc::clone(client));
            tokio::spawn(task.tell(link, client));
        }
    }

    pub(super) fn leave(&self, permit: PermitId) {
        self.0.lock().places.remove(&permit);
    }

    /// What the server is to hear: each place's permit, what is left of its lease, and its key. `None` when no
    /// place is left.
    fn news(&self) -> Option<Vec<Vec<u8>>> {
        let mut held = self.0.lock();
        let now = after(Duration::ZERO);
        held.places.retain(|_, (_, ends)| *ends > now);
        if held.places.is_empty() {
            held.told = false;
            return None;
        }
        let place = |(id, (key, ends)): (&PermitId, &(KeyId, Instant))| {
            let mut place = coding::permit(*id).to_vec();
            place.extend(Blob::new().number(millis(*ends - now)).done());
            place.extend_from_slice(key.as_str().as_bytes());
            place
        };
        Some(held.places.iter().map(place).collect())
    }
}

/// A task that tells of places, as long as there are any.
struct Telling(Weak<Places>);

impl Telling {
    async fn tell(mut self, link: Weak<Link>, client: Arc<Client>) {
        loop {
            tokio::time::sleep(EVERY).await;
            let (Some(places), Some(link)) = (self.0.upgrade(), link.upgrade()) else { return };
            let Some(news) = places.news() else {
                // Somebody else may tell of the next by now.
                self.0 = Weak::new();
                return;
            };
            for some in news.chunks(AT_ONCE) {
                let mut args = vec![client.common(None)];
                args.extend_from_slice(some);
                // What is not heard is told again in a few seconds.
                let _ = link.call(&SCRIPTS.stay, &args, Again::Yes, link.deadline()).await;
            }
        }
    }
}

impl Drop for Telling {
    fn drop(&mut self) {
        // Its runtime may have ended before the places did.
        if let Some(places) = self.0.upgrade() {
            places.0.lock().told = false;
        }
    }
}
