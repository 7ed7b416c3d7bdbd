//! When a plugin that keeps failing is left alone for a while: one breaker for each organization and version, so that a
//! failing organization disturbs nobody else.
//!
//! Closed, it counts the calls of a window; [`FAILURES`] failed ones that are at least half of all open it. Open, it lets
//! nothing through for a pause; then one call is tried, which closes it or opens it for twice as long (Nygard, *Release It!*,
//! "Circuit Breaker"). Only what the host had to end counts as failed: a refusal is an answer.

use crate::clock::UnixMillis;

/// How long calls are counted together.
pub(super) const WINDOW: UnixMillis = 60_000;
/// Failed calls of a window that open the breaker.
const FAILURES: u32 = 5;
/// The first pause.
const FIRST: UnixMillis = 30_000;
/// The longest pause.
const LONGEST: UnixMillis = 600_000;
/// A trial that has not ended by then is taken for lost.
const TRIAL: UnixMillis = 60_000;

/// The state of one plugin version in one organization, or in all ([`super::fleet`]).
#[derive(Debug)]
pub(super) enum Breaker {
    /// Calls are let through, and counted since this instant.
    Closed { since: UnixMillis, calls: u32, failures: u32 },
    /// Nothing is let through before `next`.
    Open { pause: UnixMillis, next: UnixMillis },
    /// One call is tried; it is lost when it has not ended by `until`.
    Trying { pause: UnixMillis, until: UnixMillis },
}

impl Default for Breaker {
    fn default() -> Self {
        Self::Closed { since: 0, calls: 0, failures: 0 }
    }
}

/// As what a call was let through.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Admission {
    /// As one of many.
    Usual,
    /// As the one that decides whether there will be others.
    Trial,
}

/// What a call that ended did to the breaker.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Turn {
    /// It opened, for so long.
    Opened(UnixMillis),
    /// It closed again.
    Closed,
}

impl Breaker {
    /// Whether a call may be made now.
    ///
    /// # Errors
    /// The time until one may be tried.
    pub(super) fn admit(&mut self, now: UnixMillis) -> Result<Admission, UnixMillis> {
        let (pause, next) = match *self {
            Self::Closed { .. } => return Ok(Admission::Usual),
            Self::Open { pause, next } | Self::Trying { pause, until: next } => (pause, next),
        };
        if now < next {
            return Err(next - now);
        }
        *self = Self::Trying { pause, until: now + TRIAL };
        Ok(Admission::Trial)
    }

    /// A call that was let through has ended.
    pub(super) fn ended(&mut self, now: UnixMillis, admitted: Admission, failed: bool) -> Option<Turn> {
        self.judged(now, admitted, failed, |failures| failures >= FAILURES)
    }

    /// The same, with another judgement of how many failed calls of a window are enough when they are half of all.
    pub(super) fn judged(
        &mut self,
        now: UnixMillis,
        admitted: Admission,
        failed: bool,
        enough: impl FnOnce(u32) -> bool,
    ) -> Option<Turn> {
        match (&mut *self, admitted) {
            (Self::Closed { since, calls, failures }, _) => {
                if now - *since >= WINDOW {
                    (*since, *calls, *failures) = (now, 0, 0);
                }
                *calls = calls.saturating_add(1);
                *failures += u32::from(failed);
                let opens = failed && enough(*failures) && failures.saturating_mul(2) >= *calls;
                opens.then(|| self.open(now, FIRST))
            }
            (Self::Trying { pause, .. }, Admission::Trial) if failed => {
                let pause = (*pause * 2).min(LONGEST);
                Some(self.open(now, pause))
            }
            (Self::Trying { .. }, Admission::Trial) => {
                *self = Self::Closed { since: now, calls: 0, failures: 0 };
                Some(Turn::Closed)
            }
            // Let through before it opened: the pause is not shortened by it, nor made longer.
            (Self::Open { .. } | Self::Trying { .. }, _) => None,
        }
    }

    /// Opens it for the longest pause, whatever was counted: something is wrong that no call's end tells.
    pub(super) fn trip(&mut self, now: UnixMillis) {
        self.open(now, LONGEST);
    }

    /// When a call may be made again, if none may be made now.
    pub(super) fn shut_until(&self, now: UnixMillis) -> Option<UnixMillis> {
        match *self {
            Self::Closed { .. } => None,
            Self::Open { next, .. } | Self::Trying { until: next, .. } => (now < next).then_some(next),
        }
    }

    fn open(&mut self, now: UnixMillis, pause: UnixMillis) -> Turn {
        *self = Self::Open { pause, next: now + pause };
        Turn::Opened(pause)
    }
}

#[cfg(test)]
mod tests {
    use super::{Admission, Breaker, FAILURES, FIRST, LONGEST, TRIAL, Turn, WINDOW};

    /// Lets calls through at `now`; each fails or not.
    fn calls(breaker: &mut Breaker, now: i64, failed: &[bool]) -> Option<Turn> {
        failed.iter().fold(None, |_, failed| {
            let admitted = breaker.admit(now).unwrap();
            breaker.ended(now, admitted, *failed)
        })
    }

    #[test]
    fn it_opens_when_enough_calls_and_half_of_them_failed() {
        let mut breaker = Breaker::default();
        assert_eq!(calls(&mut breaker, 0, &[true; FAILURES as usize - 1]), None);
        assert_eq!(calls(&mut breaker, 1, &[true]), Some(Turn::Opened(FIRST)));
        assert_eq!(breaker.admit(FIRST), Err(1));
        assert_eq!(breaker.shut_until(2), Some(1 + FIRST));

        let mut good = Breaker::default();
        assert_eq!(calls(&mut good, 0, &[false; 10]), None);
        assert_eq!(calls(&mut good, 0, &[true; 9]), None, "9 of 19");
        assert_eq!(calls(&mut good, 0, &[true]), Some(Turn::Opened(FIRST)), "10 of 20");
    }

    #[test]
    fn failures_of_another_minute_do_not_count() {
        let mut breaker = Breaker::default();
        for minute in 1..50 {
            assert_eq!(calls(&mut breaker, minute * WINDOW, &[true; FAILURES as usize - 1]), None);
        }
    }

    #[test]
    fn one_call_is_tried_after_the_pause_and_decides() {
        let mut breaker = Breaker::default();
        calls(&mut breaker, 0, &[true; FAILURES as usize]);
        assert_eq!(breaker.admit(FIRST), Ok(Admission::Trial));
        assert_eq!(breaker.admit(FIRST), Err(TRIAL), "the others wait for it");
        assert_eq!(breaker.ended(FIRST, Admission::Usual, false), None, "it was let through before");
        assert_eq!(breaker.ended(FIRST + 5, Admission::Trial, true), Some(Turn::Opened(2 * FIRST)));
        let (mut now, mut pause) = (FIRST + 5, 2 * FIRST);
        for _ in 0..10 {
            now += pause;
            assert_eq!(breaker.admit(now), Ok(Admission::Trial));
            pause = (pause * 2).min(LONGEST);
            assert_eq!(breaker.ended(now, Admission::Trial, true), Some(Turn::Opened(pause)));
        }
        now += LONGEST;
        assert_eq!(breaker.admit(now), Ok(Admission::Trial));
        assert_eq!(breaker.ended(now, Admission::Trial, false), Some(Turn::Closed));
        assert_eq!(breaker.admit(now), Ok(Admission::Usual));
    }

    #[test]
    fn it_is_tripped_for_long_and_tried_again() {
        let mut breaker = Breaker::default();
        breaker.trip(7);
        assert_eq!(breaker.admit(8), Err(LONGEST - 1));
        assert_eq!(breaker.admit(7 + LONGEST), Ok(Admission::Trial));
        breaker.trip(8 + LONGEST);
        assert_eq!(
            breaker.ended(9 + LONGEST, Admission::Trial, false),
            None,
            "what hung has ended, which says nothing"
        );
        assert_eq!(breaker.admit(9 + LONGEST), Err(LONGEST - 1));
    }

    #[test]
    fn a_lost_trial_is_followed_by_another() {
        let mut breaker = Breaker::default();
        calls(&mut breaker, 0, &[true; FAILURES as usize]);
        assert_eq!(breaker.admit(FIRST), Ok(Admission::Trial));
        assert_eq!(breaker.admit(FIRST + TRIAL), Ok(Admission::Trial));
    }
}
