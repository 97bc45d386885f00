//! Wakes the one who tends the store.

use std::sync::atomic::{AtomicBool, Ordering};
use std::task::Poll;

use futures_util::task::AtomicWaker;

/// One waits, any number wake; a wake that finds nobody waiting is not lost.
#[derive(Debug, Default)]
pub(super) struct Wake {
    woken: AtomicBool,
    waker: AtomicWaker,
}

impl Wake {
    pub(super) fn wake(&self) {
        self.woken.store(true, Ordering::Release);
        self.waker.wake();
    }

    pub(super) async fn woken(&self) {
        std::future::poll_fn(|cx| {
            self.waker.register(cx.waker());
            if self.woken.swap(false, Ordering::AcqRel) { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }
}
