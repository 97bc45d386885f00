//! When a map that would only grow is worth sweeping.

/// The smallest size worth a sweep.
const FIRST: usize = 256;

/// Says when to sweep a map: each time it has doubled since the last sweep, so that a sweep costs
/// nothing per insert, spread over the inserts.
#[derive(Debug, Clone)]
pub(crate) struct Sweep(usize);

impl Default for Sweep {
    fn default() -> Self {
        Self(FIRST)
    }
}

impl Sweep {
    /// Whether a map of `len` entries is due.
    pub(crate) fn due(&self, len: usize) -> bool {
        len >= self.0
    }

    /// A sweep left `len` entries.
    pub(crate) fn done(&mut self, len: usize) {
        self.0 = (len * 2).max(FIRST);
    }
}
