//! When a map that would only grow is worth sweeping.

/// The smallest size worth a sweep.
const FIRST: usize = 256;

/// Says when to sweep a map: each time it has doubled since the last sweep, so that a sweep costs
/// nothing per insert, spread over the inserts.
#[derive(Debug, Clone)]
pub(crate) struct Sweep {
    size: usize,
    /// How many more inserts it takes at least until the map has that size.
    inserts: usize,
}

impl Default for Sweep {
    fn default() -> Self {
        Self { size: FIRST, inserts: FIRST }
    }
}

impl Sweep {
    /// Whether a map of `len` entries is due.
    pub(crate) fn due(&self, len: usize) -> bool {
        len >= self.size
    }

    /// The same for a map whose length costs more than its inserts, each of which asks here first: it
    /// is looked at only when it may be due.
    pub(crate) fn due_by_inserts(&mut self, len: impl FnOnce() -> usize) -> bool {
        if self.inserts > 0 {
            self.inserts -= 1;
            return false;
        }
        let len = len();
        self.inserts = self.size.saturating_sub(len);
        self.due(len)
    }

    /// A sweep left `len` entries.
    pub(crate) fn done(&mut self, len: usize) {
        self.size = (len * 2).max(FIRST);
        self.inserts = self.size - len;
    }
}
