//! Moving the write-ahead log into its file, beside the writer: a commit waits for its own flush and for nothing else.
//!
//! SQLite would do it within a commit as soon as the log has a thousand pages, and whoever wrote last would wait for a
//! thousand writes all over the file. Here another thread does it while the writer goes on. A log that is written to
//! without a pause is never moved whole that way and would grow for ever: from [`MOST`] pages on, the writer waits.

use std::cell::Cell;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

/// New pages after which the log is moved.
const DUE: i32 = 1_000;
/// Pages with which the writer moves it: 64 MiB.
const MOST: i32 = 16_000;

thread_local! {
    /// Pages of the log after the last commit on this thread.
    static PAGES: Cell<i32> = const { Cell::new(0) };
}

/// From now on the log of this writer is moved by the rules above.
pub(super) fn watch(raw: &rusqlite::Connection) {
    raw.wal_hook(Some(|log, pages| {
        PAGES.set(pages);
        if pages >= MOST {
            // Another one may be at it; the next commit tries again. What is committed is so in any case.
            let _ = log.checkpoint();
        }
        Ok(())
    }));
}

/// How far the log of one file is moved.
#[derive(Default)]
pub(super) struct Progress {
    /// Pages that the log had when it was moved last.
    moved: AtomicI32,
    running: AtomicBool,
}

impl Progress {
    /// After a group of writes on this thread: whether somebody should move the log, who then calls
    /// [`Progress::ended`].
    pub(super) fn due(&self) -> bool {
        let pages = PAGES.take();
        if pages == 0 {
            return false; // nothing was committed
        }
        if pages < self.moved.load(Ordering::Relaxed) {
            self.moved.store(0, Ordering::Relaxed); // it began anew
        }
        let due = (DUE..MOST).contains(&pages) && pages - self.moved.load(Ordering::Relaxed) >= DUE;
        if !due || self.running.swap(true, Ordering::Acquire) {
            return false;
        }
        self.moved.store(pages, Ordering::Relaxed);
        true
    }

    pub(super) fn ended(&self) {
        self.running.store(false, Ordering::Release);
    }
}

#[cfg(test)]
mod tests {
    use super::{DUE, MOST, PAGES, Progress};

    fn after(progress: &Progress, pages: i32) -> bool {
        PAGES.set(pages);
        progress.due()
    }

    #[test]
    fn a_log_is_moved_after_so_many_new_pages_and_by_one_at_a_time() {
        let progress = Progress::default();
        assert!(!after(&progress, DUE - 1));
        assert!(after(&progress, DUE));
        assert!(!after(&progress, 3 * DUE), "one is at it");
        progress.ended();
        assert!(!progress.due(), "a group that committed nothing");
        assert!(!after(&progress, 2 * DUE - 1) && after(&progress, 2 * DUE));
        progress.ended();
        assert!(!after(&progress, 10), "the log began anew");
        assert!(after(&progress, DUE));
        progress.ended();
        assert!(!after(&progress, MOST), "the writer does it");
    }
}
