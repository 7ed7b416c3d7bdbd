//! How much memory SQLite may have: the last belt of the process.
//!
//! A statement that is compiled asks nobody, so neither the authorizer nor the progress handler can bound what it takes.
//! Texts of plugins are compiled in a limited child before they are let in; should one get by all the same, SQLite answers
//! "out of memory" at this limit, and the process lives on.
#![expect(
    unsafe_code,
    reason = "three functions of SQLite's that rusqlite does not offer; each takes and gives a number"
)]

use rusqlite::ffi;

/// The least that is left to SQLite however small the machine is.
const LEAST: u64 = 512 << 20;

/// Limits the memory of all connections of this process together, for good: a lower limit stays.
pub fn limit(bytes: u64) {
    let bytes = i64::try_from(bytes).unwrap_or(i64::MAX);
    // SAFETY: it takes a number, may be called at any time, and a limit can only be lowered by it or stay.
    unsafe {
        let now = ffi::sqlite3_hard_heap_limit64(-1);
        if now == 0 || bytes < now {
            ffi::sqlite3_hard_heap_limit64(bytes);
        }
    }
}

/// The limit in force; `None`: there is none.
#[must_use]
pub fn limited() -> Option<u64> {
    // SAFETY: a negative number only asks.
    let now = unsafe { ffi::sqlite3_hard_heap_limit64(-1) };
    u64::try_from(now).ok().filter(|limit| *limit > 0)
}

/// Forgets the most that was held.
pub fn forget_peak() {
    // SAFETY: it takes and gives a number.
    unsafe { ffi::sqlite3_memory_highwater(1) };
}

/// The most memory that SQLite held since it was forgotten.
#[must_use]
pub fn peak() -> u64 {
    // SAFETY: it takes and gives a number.
    u64::try_from(unsafe { ffi::sqlite3_memory_highwater(0) }).unwrap_or_default()
}

/// Limits SQLite to three quarters of the memory that this machine, or the container that it is, offers. Called once, at
/// the start of a host; far above what files and statements take, so nobody meets it who does not look for it.
pub fn limit_to_machine() {
    let read = |path: &str| std::fs::read_to_string(path).ok();
    let total = read("/proc/meminfo").and_then(|text| memory_of(&text));
    let container = read("/sys/fs/cgroup/memory.max").and_then(|text| text.trim().parse().ok());
    let Some(memory) = total.into_iter().chain(container).min() else {
        tracing::warn!("the machine's memory is not told: SQLite is not limited");
        return;
    };
    let bytes = (memory / 4 * 3).max(LEAST);
    limit(bytes);
    tracing::debug!(bytes, "most memory of SQLite");
}

fn memory_of(meminfo: &str) -> Option<u64> {
    let line = meminfo.lines().find_map(|line| line.strip_prefix("MemTotal:"))?;
    let kibibytes: u64 = line.trim().strip_suffix("kB")?.trim().parse().ok()?;
    Some(kibibytes * 1024)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_machine_s_memory_is_read() {
        assert_eq!(memory_of("MemTotal:       16384 kB\nMemFree: 1 kB\n"), Some(16 << 20));
        assert_eq!(memory_of("MemFree: 1 kB\n"), None);
    }

    #[test]
    fn the_hard_heap_limit_is_set_and_never_raised() {
        // Other tests share this process, so the limits here are far above what they take.
        limit(1 << 45);
        limit(1 << 50);
        assert!(limited().is_some_and(|limit| limit <= 1 << 45));
        assert!(peak() > 0 || limited().is_some());
    }
}
