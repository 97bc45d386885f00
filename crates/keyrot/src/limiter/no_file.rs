//! A build without the feature `sqlite` knows no file.

use super::Time;
use crate::settings::StatePlace;

/// There is none.
#[derive(Debug)]
pub(crate) enum File {}

impl File {
    /// Opens nothing.
    #[expect(clippy::unused_async, reason = "takes the place of one that does")]
    pub(super) async fn open(_: &StatePlace, _: &Time) -> Result<Option<Self>, String> {
        Ok(None)
    }

    /// Knows nobody.
    #[cfg(feature = "redis")]
    #[expect(clippy::unused_async, reason = "takes the place of one that does")]
    pub(super) async fn instances(&self, _: &str) -> Vec<String> {
        match *self {}
    }

    /// Keeps nothing.
    #[cfg(feature = "redis")]
    #[expect(clippy::unused_async, reason = "takes the place of one that does")]
    pub(super) async fn keep_instances(&self, _: &str, _: &[String]) {
        match *self {}
    }
}
