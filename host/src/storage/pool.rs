//! Threads for writing. A commit waits for the disk, so it must not happen on a thread that serves requests.
//!
//! Threads come with the demand and go when there is none. Files with waiting writes stand in one queue; a file is in
//! the hands of one thread at a time and goes back to the end of the queue after each group, so none starves another.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use super::file::Inner;
use super::merge::Owing;

/// Flushes of different files overlap on the disk, so more threads than processors are of use.
const MOST: usize = 64;
const IDLE: Duration = Duration::from_secs(10);

/// The threads of all files.
pub(super) struct Pool {
    /// Requests per COMMIT, at most.
    group: usize,
    /// Files whose indexes are merged when they are quiet.
    pub(super) owing: Owing,
    state: Mutex<State>,
    wake: Condvar,
}

#[derive(Default)]
struct State {
    due: VecDeque<Arc<Inner>>,
    waiting: usize,
    threads: usize,
}

impl Pool {
    pub(super) fn new(group: usize) -> Self {
        Self { group: group.max(1), owing: Owing::default(), state: Mutex::default(), wake: Condvar::new() }
    }

    /// Has the file's writes done.
    pub(super) fn submit(self: &Arc<Self>, file: Arc<Inner>) {
        let mut state = self.lock();
        state.due.push_back(file);
        if state.waiting >= state.due.len() || state.threads >= MOST {
            self.wake.notify_one();
            return;
        }
        state.threads += 1;
        drop(state);
        let pool = Arc::clone(self);
        let spawned = std::thread::Builder::new().name("stoa-writer".into()).spawn(move || pool.work());
        if let Err(error) = spawned {
            tracing::warn!(%error, "no thread for writing; the caller's is used");
            self.work_now();
        }
    }

    fn work(self: &Arc<Self>) {
        while let Some(file) = self.next() {
            self.drain(file);
        }
    }

    /// What is due, on this thread, and the thread is then no longer counted.
    fn work_now(self: &Arc<Self>) {
        loop {
            let mut state = self.lock();
            let Some(file) = state.due.pop_front() else {
                state.threads -= 1;
                return;
            };
            drop(state);
            self.drain(file);
        }
    }

    fn drain(self: &Arc<Self>, file: Arc<Inner>) {
        while file.write_group(self.group) {
            let mut state = self.lock();
            if !state.due.is_empty() {
                state.due.push_back(file);
                return;
            }
        }
        if file.begins_to_owe() {
            self.owing.remember(&file, self);
        }
    }

    fn next(&self) -> Option<Arc<Inner>> {
        let mut state = self.lock();
        loop {
            if let Some(file) = state.due.pop_front() {
                return Some(file);
            }
            state.waiting += 1;
            let (after, timeout) =
                self.wake.wait_timeout(state, IDLE).unwrap_or_else(PoisonError::into_inner);
            state = after;
            state.waiting -= 1;
            if timeout.timed_out() && state.due.is_empty() {
                state.threads -= 1;
                return None;
            }
        }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
