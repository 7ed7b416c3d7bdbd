//! All files of all organizations. The only code that builds their paths.
//!
//! Open files are kept, the least recently used are closed first, and never one that is in use. An open file costs
//! about 150 KiB and three file descriptors, opening one about a third of a millisecond.

use std::collections::HashMap;
use std::fs::DirBuilder;
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::FileProfile;
use super::error::StorageError;
use super::file::TenantFile;
use super::migrate::{Migration, Plan};
use super::pool::Pool;
use super::watchdog::{Alarms, Watchdog};
use crate::clock::Clock;
use crate::ids::OrganizationId;

/// Every organization's files. Cheap to clone.
#[derive(Clone)]
pub struct TenantFiles(Arc<State>);

struct State {
    root: PathBuf,
    clock: Clock,
    pool: Arc<Pool>,
    capacity: usize,
    /// See [`super::Connection::visible`].
    seal: Arc<str>,
    watchdog: Arc<Watchdog>,
    open: Mutex<Open>,
    /// Two threads must not open one file at once, and different files should not wait for each other.
    opening: [Mutex<()>; 64],
    plans: Mutex<HashMap<usize, Arc<Plan>>>,
}

#[derive(Default)]
struct Open {
    files: HashMap<OrganizationId, Vec<Entry>>,
    count: usize,
    /// Counts uses, as a clock for the least recent one.
    uses: u64,
}

struct Entry {
    name: Box<str>,
    file: Arc<TenantFile>,
    used: u64,
}

impl TenantFiles {
    /// Files below `root/organizations`. Raises the process's limit of open files as far as it may, and keeps a fourth
    /// of that many files open.
    #[must_use]
    pub fn new(root: PathBuf, clock: Clock, group_commit: usize) -> Self {
        let limit = rlimit::increase_nofile_limit(u64::MAX).unwrap_or_else(|error| {
            tracing::warn!(%error, "the limit of open files could not be raised");
            1024
        });
        let capacity = usize::try_from(limit / 4).unwrap_or(usize::MAX).clamp(16, 50_000);
        tracing::debug!(limit, capacity, "open files");
        Self::with_capacity(root, clock, group_commit, capacity)
    }

    /// The same with a number of files to keep open.
    #[must_use]
    pub fn with_capacity(root: PathBuf, clock: Clock, group_commit: usize, capacity: usize) -> Self {
        Self(Arc::new(State {
            root,
            clock,
            pool: Arc::new(Pool::new(group_commit)),
            capacity,
            seal: seal(),
            watchdog: Watchdog::start(),
            open: Mutex::default(),
            opening: std::array::from_fn(|_| Mutex::default()),
            plans: Mutex::default(),
        }))
    }

    /// The organization's file of this name, made and migrated if need be.
    ///
    /// # Errors
    /// A bad name, a file that cannot be opened, or a migration that was edited, is unknown, or fails.
    pub fn open(
        &self,
        organization: OrganizationId,
        name: &str,
        profile: &FileProfile,
    ) -> Result<Arc<TenantFile>, StorageError> {
        if let Some(file) = self.lock().touch(organization, name) {
            return Ok(file);
        }
        let _opening = self.opening(organization, name).lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(file) = self.lock().touch(organization, name) {
            return Ok(file);
        }
        let path = self.path(organization, name)?;
        let plan = self.plan(profile.migrations);
        let State { seal, watchdog, clock, pool, capacity, .. } = &*self.0;
        let file = Arc::new(TenantFile::open(path, profile, &plan, (seal, watchdog), clock, pool)?);
        let closed = self.lock().insert(organization, name, &file, *capacity);
        // Closing takes time, so it happens without the lock.
        drop(closed);
        Ok(file)
    }

    /// A folder of the organization for files that are no databases (uploads). `name` as for files; not made here.
    ///
    /// # Errors
    /// A bad name.
    pub fn folder(&self, organization: OrganizationId, name: &str) -> Result<PathBuf, StorageError> {
        Ok(self.path(organization, name)?.with_extension(""))
    }

    /// Closes every file that is not in use, after its last write and with its write-ahead log merged. For the end of
    /// the process.
    pub fn close_all(&self) {
        let open: Vec<_> =
            self.lock().files.values().flatten().map(|entry| Arc::clone(&entry.file)).collect();
        open.into_iter().for_each(|file| file.rest());
        let closed = self.lock().take_idle(usize::MAX);
        for file in closed {
            if let Err(error) = file.checkpoint() {
                tracing::warn!(%error, "a write-ahead log was left for the next start");
            }
        }
    }

    /// How many statements of plugins were found, since the start, that ran many times longer than they may.
    #[must_use]
    pub fn overdue_statements(&self) -> u64 {
        self.0.watchdog.overdue()
    }

    /// Tells of such statements, from now on, while they still run.
    #[must_use]
    pub fn alarms(&self) -> Alarms {
        self.0.watchdog.alarms()
    }

    /// Held by whoever opens this file, or takes care that nobody does.
    pub(super) fn opening(&self, organization: OrganizationId, name: &str) -> &Mutex<()> {
        let [first, rest @ ..] = &self.0.opening;
        let bytes = organization.as_bytes().iter().chain(name.as_bytes());
        let sum = bytes.fold(0_usize, |sum, byte| sum.wrapping_mul(31).wrapping_add(usize::from(*byte)));
        rest.get(sum % self.0.opening.len()).unwrap_or(first)
    }

    /// Closes the file, its write-ahead log merged; `false` when somebody uses it.
    pub(super) fn close(&self, organization: OrganizationId, name: &str) -> Result<bool, StorageError> {
        match self.lock().take(organization, name) {
            Some(Ok(file)) => file.checkpoint().map(|()| true),
            Some(Err(())) => Ok(false),
            None => Ok(true),
        }
    }

    pub(super) fn path(&self, organization: OrganizationId, name: &str) -> Result<PathBuf, StorageError> {
        let mut letters = name.bytes();
        let good = name.len() <= 64
            && letters.next().is_some_and(|first| first.is_ascii_lowercase())
            && letters.all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == b'_' || c == b'-');
        if !good {
            return Err(StorageError::Name(name.chars().take(64).collect()));
        }
        let folder = self.0.root.join("organizations").join(organization.to_string());
        make_private(&folder)?;
        Ok(folder.join(format!("{name}.sqlite")))
    }

    /// Digests are computed once per set of migrations. Sets are constants of the program, so their address names them.
    fn plan(&self, migrations: &'static [Migration]) -> Arc<Plan> {
        let mut plans = self.0.plans.lock().unwrap_or_else(PoisonError::into_inner);
        let plan = plans
            .entry(migrations.as_ptr().addr() ^ migrations.len().rotate_left(48))
            .or_insert_with(|| Arc::new(Plan::of_file(migrations)));
        Arc::clone(plan)
    }

    fn lock(&self) -> MutexGuard<'_, Open> {
        self.0.open.lock().unwrap_or_else(PoisonError::into_inner)
    }

    #[cfg(test)]
    pub(super) fn open_count(&self) -> usize {
        self.lock().count
    }
}

/// Makes a folder that only this user can enter.
pub(super) fn make_private(folder: &Path) -> Result<(), StorageError> {
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(folder)
        .map_err(|source| StorageError::File { path: folder.into(), source })
}

impl Open {
    fn touch(&mut self, organization: OrganizationId, name: &str) -> Option<Arc<TenantFile>> {
        self.uses += 1;
        let uses = self.uses;
        let entry = self.files.get_mut(&organization)?.iter_mut().find(|entry| &*entry.name == name)?;
        entry.used = uses;
        Some(Arc::clone(&entry.file))
    }

    /// Answers the files that had to make room; the caller drops them.
    fn insert(
        &mut self,
        organization: OrganizationId,
        name: &str,
        file: &Arc<TenantFile>,
        capacity: usize,
    ) -> Vec<Arc<TenantFile>> {
        self.uses += 1;
        // Some at once, because finding the oldest means looking at all.
        let closed = if self.count >= capacity { self.take_idle((capacity / 16).max(1)) } else { Vec::new() };
        let entry = Entry { name: name.into(), file: Arc::clone(file), used: self.uses };
        self.files.entry(organization).or_default().push(entry);
        self.count += 1;
        closed
    }

    /// Takes this file out, unless somebody uses it; `None` when it is not open.
    fn take(&mut self, organization: OrganizationId, name: &str) -> Option<Result<Arc<TenantFile>, ()>> {
        let entries = self.files.get_mut(&organization)?;
        let at = entries.iter().position(|entry| &*entry.name == name)?;
        if !entries.get(at)?.file.is_idle() {
            return Some(Err(()));
        }
        self.count -= 1;
        Some(Ok(entries.swap_remove(at).file))
    }

    /// Takes out the `most` least recently used files that nobody uses.
    fn take_idle(&mut self, most: usize) -> Vec<Arc<TenantFile>> {
        let idle = |entry: &&Entry| entry.file.is_idle();
        let mut ages: Vec<u64> = self.files.values().flatten().filter(idle).map(|entry| entry.used).collect();
        let last = most.min(ages.len());
        if last == 0 {
            return Vec::new();
        }
        let (_, oldest, _) = ages.select_nth_unstable(last - 1);
        let oldest = *oldest;
        let mut taken = Vec::with_capacity(last);
        self.files.retain(|_, entries| {
            let out = entries.extract_if(.., |entry| entry.used <= oldest && entry.file.is_idle());
            taken.extend(out.map(|entry| entry.file));
            !entries.is_empty()
        });
        self.count -= taken.len();
        taken
    }
}

/// A suffix for the names of host-made views that nobody can guess.
fn seal() -> Arc<str> {
    let mut random = [0; 16];
    // Without randomness there is no seal to be trusted, nor keys, nor tokens: then nothing must run.
    #[expect(
        clippy::expect_used,
        reason = "the system's random source does not fail on Linux once it has started"
    )]
    getrandom::fill(&mut random).expect("the system's random source");
    Arc::from(format!(":{:032x}", u128::from_le_bytes(random)))
}
