//! What one call of a plugin may use: what its manifest asks for in `limits`, and what it gets without asking. How much it
//! may ask for depends on how far its publisher is trusted ([`super::package::Trust`]). Pure.

use std::time::Duration;

use super::reading::Part;
use super::usage::CallKind;

/// Times of one kind of call, in milliseconds.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Times {
    /// In the guest.
    pub cpu_ms: u32,
    /// Altogether.
    pub wall_ms: u32,
}

/// What one call may use, in the units of manifests.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub struct Limits {
    /// Of a hook.
    pub hook: Times,
    /// Of an action.
    pub action: Times,
    /// Of a report.
    pub report: Times,
    /// Memory of the guest.
    pub memory_mib: u32,
    /// Calls of the host.
    pub host_calls: u32,
    /// Rows of one SQL result.
    pub rows: u32,
    /// Size of one SQL result.
    pub result_kib: u32,
    /// Size of everything that it logs.
    pub log_kib: u32,
}

impl Limits {
    /// What a call gets when its manifest says nothing.
    pub const USUAL: Self = Self {
        hook: Times { cpu_ms: 50, wall_ms: 2_000 },
        action: Times { cpu_ms: 200, wall_ms: 10_000 },
        report: Times { cpu_ms: 200, wall_ms: 10_000 },
        memory_mib: 64,
        host_calls: 10_000,
        rows: 10_000,
        result_kib: 4_096,
        log_kib: 256,
    };

    /// What the member `limits` of a manifest says, with the usual for what it does not say.
    pub(super) fn read(root: &Part<'_>) -> Self {
        let usual = Self::USUAL;
        let known: Vec<&str> = usual.named().iter().filter_map(|(name, _)| name.split('/').next()).collect();
        let Some(part) = root.part("limits", &known) else { return usual };
        let number = |part: &Part<'_>, member: &str, usual: u32| {
            let Some(count) = part.count(member) else { return usual };
            match u32::try_from(count) {
                Ok(count @ 1..) => count,
                _ => {
                    part.fault(member, "must be a whole number of at least 1; leave it out for the usual");
                    usual
                }
            }
        };
        let times = |member: &str, usual: Times| {
            part.part(member, &["cpu_ms", "wall_ms"]).map_or(usual, |times| Times {
                cpu_ms: number(&times, "cpu_ms", usual.cpu_ms),
                wall_ms: number(&times, "wall_ms", usual.wall_ms),
            })
        };
        Self {
            hook: times("hook", usual.hook),
            action: times("action", usual.action),
            report: times("report", usual.report),
            memory_mib: number(&part, "memory_mib", usual.memory_mib),
            host_calls: number(&part, "host_calls", usual.host_calls),
            rows: number(&part, "rows", usual.rows),
            result_kib: number(&part, "result_kib", usual.result_kib),
            log_kib: number(&part, "log_kib", usual.log_kib),
        }
    }

    /// Each with its place below `limits`.
    const fn named(&self) -> [(&'static str, u32); 11] {
        [
            ("hook/cpu_ms", self.hook.cpu_ms),
            ("hook/wall_ms", self.hook.wall_ms),
            ("action/cpu_ms", self.action.cpu_ms),
            ("action/wall_ms", self.action.wall_ms),
            ("report/cpu_ms", self.report.cpu_ms),
            ("report/wall_ms", self.report.wall_ms),
            ("memory_mib", self.memory_mib),
            ("host_calls", self.host_calls),
            ("rows", self.rows),
            ("result_kib", self.result_kib),
            ("log_kib", self.log_kib),
        ]
    }

    /// Those that are higher here than there: the place, how high, and how high it is there.
    pub(super) fn above(&self, other: &Self) -> impl Iterator<Item = (&'static str, u32, u32)> + use<> {
        let pairs = self.named().into_iter().zip(other.named());
        pairs.filter_map(|((name, here), (_, there))| (here > there).then_some((name, here, there)))
    }

    const fn times(&self, kind: CallKind) -> Times {
        match kind {
            CallKind::Hook => self.hook,
            CallKind::Action => self.action,
            CallKind::Report => self.report,
        }
    }

    /// Time in the guest.
    pub(crate) fn cpu(&self, kind: CallKind) -> Duration {
        Duration::from_millis(self.times(kind).cpu_ms.into())
    }

    /// Time altogether.
    pub(crate) fn wall(&self, kind: CallKind) -> Duration {
        Duration::from_millis(self.times(kind).wall_ms.into())
    }

    /// Bytes of memory.
    pub(crate) const fn memory(&self) -> usize {
        (self.memory_mib as usize) << 20
    }

    /// Bytes of one SQL result.
    pub(super) const fn result(&self) -> usize {
        (self.result_kib as usize) << 10
    }

    /// Bytes of log lines.
    pub(super) const fn log(&self) -> usize {
        (self.log_kib as usize) << 10
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value as Json, json};

    use super::*;
    use crate::plugins::{Manifest, Trust, capabilities};

    fn manifest(limits: &Json) -> Result<Manifest, Vec<String>> {
        let json = json!({ "v": 1, "id": "tiny", "name": "Tiny", "version": "1.0.0", "contract": "1.0", "limits": limits });
        let parsed = Manifest::parse(json.to_string().as_bytes());
        parsed.map_err(|faults| faults.into_iter().map(|fault| fault.pointer).collect())
    }

    #[test]
    fn what_a_manifest_does_not_say_is_the_usual() {
        assert_eq!(manifest(&json!(null)).unwrap().limits, Limits::USUAL);
        assert_eq!(manifest(&json!({})).unwrap().limits, Limits::USUAL);
        let said = manifest(&json!({ "memory_mib": 128, "hook": { "cpu_ms": 20 } })).unwrap().limits;
        assert_eq!((said.memory(), said.cpu(CallKind::Hook)), (128 << 20, Duration::from_millis(20)));
        assert_eq!((said.hook.wall_ms, said.action), (2_000, Limits::USUAL.action));
    }

    #[test]
    fn a_limit_that_is_none_is_a_fault_in_its_place() {
        for (limits, pointer) in [
            (json!(7), "/limits"),
            (json!({ "fuel": 1 }), "/limits/fuel"),
            (json!({ "rows": 0 }), "/limits/rows"),
            (json!({ "rows": -1 }), "/limits/rows"),
            (json!({ "rows": "many" }), "/limits/rows"),
            (json!({ "log_kib": 5_000_000_000_u64 }), "/limits/log_kib"),
            (json!({ "hook": 50 }), "/limits/hook"),
            (json!({ "hook": { "memory_mib": 1 } }), "/limits/hook/memory_mib"),
            (json!({ "report": { "wall_ms": 0.5 } }), "/limits/report/wall_ms"),
        ] {
            assert_eq!(manifest(&limits).map(|_| ()), Err(vec![pointer.to_owned()]), "{limits}");
        }
    }

    #[test]
    fn no_level_may_have_less_than_the_usual_and_more_trust_is_never_less() {
        for level in Trust::ALL {
            assert_eq!(Limits::USUAL.above(&level.limits()).next(), None, "{}", level.as_str());
        }
        for pair in Trust::ALL.windows(2) {
            assert_eq!(pair[1].limits().above(&pair[0].limits()).next(), None, "{}", pair[1].as_str());
        }
    }

    #[test]
    fn what_is_raised_is_agreed_to_and_what_is_lowered_is_not_asked() {
        let words = |limits: Json| capabilities::of(&manifest(&limits).unwrap());
        assert!(words(json!({ "memory_mib": 32, "action": { "cpu_ms": 200 } })).is_empty());
        let raised = words(json!({ "memory_mib": 128, "action": { "cpu_ms": 500 } }));
        assert_eq!(
            raised.into_iter().collect::<Vec<_>>(),
            ["limit:action/cpu_ms:500", "limit:memory_mib:128"]
        );
    }
}
