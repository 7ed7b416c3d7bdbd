//! Argon2id on blocking threads. At most one hash per core runs at a time and few more wait, so a flood of logins costs
//! neither memory nor the threads that serve other requests; whoever does not fit is told to come back.

use std::num::NonZero;
use std::sync::Arc;

use argon2::password_hash::{PasswordHasher, PasswordVerifier};
use argon2::{Algorithm, Argon2, Params, PasswordHash, Version};
use tokio::sync::Semaphore;
use zeroize::Zeroizing;

use crate::identity::IdentityError;

use super::breached::Breached;
use super::password;

/// How many logins may wait for each one that is being hashed.
const WAITING_PER_CORE: usize = 4;

/// What a stored hash may cost at most, so that a tampered file cannot occupy the machine.
const CEILING: Cost = Cost { memory_kib: 262_144, passes: 10, lanes: 8 };

/// What one hash costs.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Cost {
    /// Memory, in KiB.
    pub memory_kib: u32,
    /// Passes over it.
    pub passes: u32,
    /// Lanes.
    pub lanes: u32,
}

impl Cost {
    /// What the host uses.
    pub const SHIPPED: Self = Self { memory_kib: 65_536, passes: 2, lanes: 1 };
    /// The least that is sound; what tests use.
    pub const FLOOR: Self = Self { memory_kib: 19_456, passes: 2, lanes: 1 };

    fn of(params: &Params) -> Self {
        Self { memory_kib: params.m_cost(), passes: params.t_cost(), lanes: params.p_cost() }
    }
}

/// What became of checking a password.
pub(crate) struct Verdict {
    /// It is the one.
    pub(crate) correct: bool,
    /// It is, and its hash has another cost than today's.
    pub(crate) outdated: bool,
}

/// Hashes passwords and checks them. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Hasher {
    cost: Cost,
    pepper: Arc<Zeroizing<[u8; 32]>>,
    admitted: Arc<Semaphore>,
    running: Arc<Semaphore>,
    breached: Option<Arc<Breached>>,
    /// Hashes computed so far, for tests: the same work for everybody is what hides who is there.
    #[cfg(test)]
    pub(in crate::identity) spent: Arc<std::sync::atomic::AtomicU64>,
    /// Hashes that are computed now, for tests: what bounds the memory is how many there ever were at once.
    #[cfg(test)]
    pub(in crate::identity) gauge: Arc<Gauge>,
}

/// How many there are of something, and how many there ever were at once.
#[cfg(test)]
#[derive(Default)]
pub(in crate::identity) struct Gauge {
    present: std::sync::atomic::AtomicUsize,
    peak: std::sync::atomic::AtomicUsize,
}

#[cfg(test)]
impl Gauge {
    /// The most there ever were.
    pub(in crate::identity) fn peak(&self) -> usize {
        self.peak.load(std::sync::atomic::Ordering::Acquire)
    }

    /// One more, until what this answers is dropped.
    fn enter(self: &Arc<Self>) -> Inside {
        let present = self.present.fetch_add(1, std::sync::atomic::Ordering::AcqRel) + 1;
        self.peak.fetch_max(present, std::sync::atomic::Ordering::AcqRel);
        Inside(Arc::clone(self))
    }
}

/// One of them.
#[cfg(test)]
struct Inside(Arc<Gauge>);

#[cfg(test)]
impl Drop for Inside {
    fn drop(&mut self) {
        self.0.present.fetch_sub(1, std::sync::atomic::Ordering::AcqRel);
    }
}

impl Hasher {
    /// A hasher of this cost, keyed with `pepper`.
    pub(crate) fn new(cost: Cost, pepper: [u8; 32]) -> Self {
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        Self {
            cost,
            pepper: Arc::new(Zeroizing::new(pepper)),
            admitted: Arc::new(Semaphore::new(cores * (1 + WAITING_PER_CORE))),
            running: Arc::new(Semaphore::new(cores)),
            breached: None,
            #[cfg(test)]
            spent: Arc::default(),
            #[cfg(test)]
            gauge: Arc::default(),
        }
    }

    /// The same, refusing what is in this list when a password is chosen.
    pub(in crate::identity) fn refusing(self, breached: Arc<Breached>) -> Self {
        Self { breached: Some(breached), ..self }
    }

    /// The PHC string of a password that somebody chooses.
    ///
    /// # Errors
    /// [`IdentityError::WeakPassword`] when it is in the operator's list; as [`Hasher::hash`].
    pub(crate) async fn choose(&self, password: &str) -> Result<String, IdentityError> {
        if let Some(breached) = self.breached.clone() {
            let password = Zeroizing::new(password.to_owned());
            let found = tokio::task::spawn_blocking(move || breached.has(&password)).await;
            let unread = |()| IdentityError::Cryptography("reading the list of leaked passwords");
            if found.map_err(|_| unread(()))?.map_err(|_| unread(()))? {
                let reason = "this password has leaked elsewhere; choose another one";
                return Err(IdentityError::WeakPassword(reason));
            }
        }
        self.hash(password).await
    }

    /// The PHC string of a password.
    pub(crate) async fn hash(&self, password: &str) -> Result<String, IdentityError> {
        let password = Zeroizing::new(password.to_owned());
        self.run(move |argon2| {
            let hash: PasswordHash = argon2
                .hash_password(password.as_bytes())
                .map_err(|_| IdentityError::Cryptography("hashing a password"))?;
            Ok(hash.to_string())
        })
        .await
    }

    /// Whether the password is the one with this hash. Without a hash it is not, at the same cost; a password longer
    /// than any that could have been chosen is not, for free.
    pub(crate) async fn verify(
        &self,
        password: &str,
        hash: Option<String>,
    ) -> Result<Verdict, IdentityError> {
        if password.chars().nth(password::MAX).is_some() {
            return Ok(Verdict { correct: false, outdated: false });
        }
        let (password, cost) = (Zeroizing::new(password.to_owned()), self.cost);
        self.run(move |argon2| {
            let stored = hash.as_deref().and_then(|hash| PasswordHash::new(hash).ok());
            let stored =
                stored.and_then(|hash| Params::try_from(&hash).ok().map(|params| (hash, Cost::of(&params))));
            match stored {
                Some((hash, stored)) if affordable(stored) => {
                    let correct = argon2.verify_password(password.as_bytes(), &hash).is_ok();
                    Ok(Verdict { correct, outdated: correct && stored != cost })
                }
                _ => {
                    let spent: Result<PasswordHash, _> = argon2.hash_password(password.as_bytes());
                    spent.map_err(|_| IdentityError::Cryptography("hashing a password"))?;
                    Ok(Verdict { correct: false, outdated: false })
                }
            }
        })
        .await
    }

    async fn run<T: Send + 'static>(
        &self,
        work: impl FnOnce(Argon2<'_>) -> Result<T, IdentityError> + Send + 'static,
    ) -> Result<T, IdentityError> {
        let busy = IdentityError::Busy { retry_after: 1 };
        let admitted = self.admitted.clone().try_acquire_owned().map_err(|_| busy)?;
        let failed = |_| IdentityError::Cryptography("hashing a password");
        let running = self.running.clone().acquire_owned().await.map_err(|_| failed(()))?;
        let (cost, pepper) = (self.cost, self.pepper.clone());
        #[cfg(test)]
        self.spent.fetch_add(1, std::sync::atomic::Ordering::AcqRel);
        #[cfg(test)]
        let inside = self.gauge.enter();
        let hashing = tokio::task::spawn_blocking(move || {
            // The permits end with the work, not with the request: a client that goes away frees nothing early.
            let _permits = (admitted, running);
            #[cfg(test)]
            let _inside = inside; // counted out before the permits are free
            let params =
                Params::new(cost.memory_kib, cost.passes, cost.lanes, None).map_err(|_| failed(()))?;
            let argon2 =
                Argon2::new_with_secret(pepper.as_slice(), Algorithm::Argon2id, Version::V0x13, params)
                    .map_err(|_| failed(()))?;
            work(argon2)
        });
        hashing.await.map_err(|_| failed(()))?
    }
}

fn affordable(cost: Cost) -> bool {
    cost.memory_kib <= CEILING.memory_kib && cost.passes <= CEILING.passes && cost.lanes <= CEILING.lanes
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Far below what is sound: these tests are about the rules around the hash.
    const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

    #[tokio::test]
    async fn a_password_is_known_again_only_under_the_same_pepper() {
        let hasher = Hasher::new(CHEAP, [1; 32]);
        let hash = hasher.hash("violet tram 9").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=64,t=1,p=1$"), "{hash}");
        assert!(hasher.verify("violet tram 9", Some(hash.clone())).await.unwrap().correct);
        assert!(!hasher.verify("violet tram 9 ", Some(hash.clone())).await.unwrap().correct);
        assert!(!Hasher::new(CHEAP, [2; 32]).verify("violet tram 9", Some(hash)).await.unwrap().correct);
    }

    #[tokio::test]
    async fn the_shipped_cost_is_above_what_is_recommended() {
        let (memory, passes) = (Cost::SHIPPED.memory_kib, Cost::SHIPPED.passes);
        assert!(
            memory >= 47_104 && passes >= 1 && memory >= 2 * Cost::FLOOR.memory_kib,
            "46 MiB in one pass"
        );
        const { assert!(Cost::FLOOR.memory_kib >= 19_456 && Cost::FLOOR.passes >= 2, "19 MiB in two") };
        let hash = Hasher::new(Cost::SHIPPED, [1; 32]).hash("violet tram 9").await.unwrap();
        assert!(hash.starts_with("$argon2id$v=19$m=65536,t=2,p=1$"), "{hash}");
        let salt = hash.split('$').nth(4).unwrap();
        assert!(salt.len() >= 22, "16 random bytes: {salt}");
        assert_ne!(Hasher::new(Cost::SHIPPED, [1; 32]).hash("violet tram 9").await.unwrap(), hash);
    }

    #[tokio::test]
    async fn a_hash_of_another_cost_is_good_and_outdated() {
        let hash = Hasher::new(CHEAP, [1; 32]).hash("violet tram 9").await.unwrap();
        let dearer = Hasher::new(Cost { passes: 2, ..CHEAP }, [1; 32]);
        let verdict = dearer.verify("violet tram 9", Some(hash)).await.unwrap();
        assert!(verdict.correct && verdict.outdated);
    }

    #[tokio::test]
    async fn no_hash_a_broken_one_and_one_that_costs_too_much_are_wrong() {
        let hasher = Hasher::new(CHEAP, [1; 32]);
        let dear = "$argon2id$v=19$m=4194304,t=2,p=1$c29tZXNhbHRzb21lc2FsdA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";
        for hash in [None, Some(""), Some("violet tram 9"), Some(dear)] {
            let verdict = hasher.verify("violet tram 9", hash.map(str::to_owned)).await.unwrap();
            assert!(!verdict.correct && !verdict.outdated, "{hash:?}");
        }
    }

    #[tokio::test]
    async fn what_has_leaked_is_not_chosen_and_still_verifies() {
        let file = tempfile::NamedTempFile::new().unwrap();
        // SHA-1 of `violet tram 9`.
        let hash = aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA1_FOR_LEGACY_USE_ONLY, b"violet tram 9");
        let line: String = hash.as_ref().iter().map(|byte| format!("{byte:02X}")).collect();
        std::fs::write(file.path(), format!("{line}:3\r\n")).unwrap();
        let list = Arc::new(Breached::open(file.path()).unwrap());
        let hasher = Hasher::new(CHEAP, [1; 32]).refusing(list);
        assert!(matches!(hasher.choose("violet tram 9").await, Err(IdentityError::WeakPassword(_))));
        assert!(hasher.choose("violet tram 8").await.is_ok());
        let before = hasher.hash("violet tram 9").await.unwrap();
        assert!(
            hasher.verify("violet tram 9", Some(before)).await.unwrap().correct,
            "chosen before it leaked"
        );
    }

    #[tokio::test]
    async fn c5_as_many_hashes_at_once_as_there_are_cores_and_no_more() {
        let hasher = Hasher::new(CHEAP, [1; 32]);
        let cores = std::thread::available_parallelism().map_or(1, NonZero::get);
        let (open, closed) = std::sync::mpsc::channel::<()>();
        let closed = Arc::new(std::sync::Mutex::new(closed));
        // As long as this waits, so does every hash that is being computed, and the others wait for those.
        let room = hasher.admitted.available_permits();
        let hashes: Vec<_> = (0..4 * room)
            .map(|_| {
                let (hasher, closed) = (hasher.clone(), Arc::clone(&closed));
                tokio::spawn(async move {
                    let wait = move |_: Argon2<'_>| {
                        let _opened = closed.lock().map(|closed| closed.recv());
                        Ok(())
                    };
                    hasher.run(wait).await.is_ok()
                })
            })
            .collect();
        while hasher.admitted.available_permits() > 0 {
            tokio::task::yield_now().await;
        }
        assert_eq!(hasher.gauge.peak(), cores, "the others wait for them");
        drop(open);
        let mut computed = 0;
        for hash in hashes {
            computed += usize::from(hash.await.unwrap());
        }
        assert_eq!(hasher.gauge.peak(), cores);
        assert_eq!(computed, room, "the others were told to come back");
        assert_eq!(hasher.gauge.present.load(std::sync::atomic::Ordering::Acquire), 0);
    }

    #[tokio::test]
    async fn whoever_does_not_fit_is_told_to_come_back() {
        let hasher = Hasher::new(CHEAP, [1; 32]);
        let all = u32::try_from(hasher.admitted.available_permits()).unwrap();
        let held = hasher.admitted.clone().acquire_many_owned(all).await.unwrap();
        assert!(matches!(hasher.hash("violet tram 9").await, Err(IdentityError::Busy { .. })));
        drop(held);
        assert!(hasher.hash("violet tram 9").await.is_ok());
    }
}
