//! What a plugin is able to do in an organization, as words that an administrator agrees to when it is installed, and what
//! a version can do that another could not. Pure.

use std::collections::{BTreeSet, HashSet};

use super::{Limits, Manifest};
use crate::records::schema::Reading;

/// Words such as `permission:records.as-plugin`, `requires:crm`, `reads:crm.accounts:industry`, `grant:member:notes.note:read:own` and
/// `limit:memory_mib:128`, a limit of calls above the usual.
pub type Capabilities = BTreeSet<String>;

/// Everything that this manifest asks for.
#[must_use]
pub fn of(manifest: &Manifest) -> Capabilities {
    let mut all = Capabilities::new();
    if manifest.records.may_act_as_plugin {
        all.insert("permission:records.as-plugin".to_owned());
    }
    all.extend(manifest.requires.iter().map(|plugin| format!("requires:{plugin}")));
    let raised = manifest.limits.above(&Limits::USUAL);
    all.extend(raised.map(|(name, wanted, _)| format!("limit:{name}:{wanted}")));
    for reading in manifest.reads() {
        let view = reading.key();
        all.extend(reading.columns.iter().map(|column| format!("reads:{view}:{column}")));
    }
    for grant in &manifest.grants {
        let (role, object, scope) = (&grant.role, &grant.object, grant.scope.as_str());
        all.extend(grant.actions.iter().map(|action| format!("grant:{role}:{object}:{action}:{scope}")));
    }
    all
}

/// The readings, as `crm.accounts`, of which every column was agreed to.
pub(super) fn readings(manifest: &Manifest, agreed: &Capabilities) -> HashSet<String> {
    let all = manifest.reads().iter().filter(|reading| {
        let view = reading.key();
        reading.columns.iter().all(|column| agreed.contains(&format!("reads:{view}:{column}")))
    });
    all.map(Reading::key).collect()
}

/// Whether a word is a limit of which more was agreed to.
fn is_lowered(word: &str, agreed: &Capabilities) -> bool {
    let limit = |word: &str| {
        let (name, figure) = word.strip_prefix("limit:")?.rsplit_once(':')?;
        Some((name.to_owned(), figure.parse::<u32>().ok()?))
    };
    let more = |(name, figure): (String, u32)| {
        agreed.iter().filter_map(|other| limit(other)).any(|(of, most)| of == name && most >= figure)
    };
    limit(word).is_some_and(more)
}

/// What changes for whoever agreed to `agreed` before.
#[derive(Clone, Debug, Default, Eq, PartialEq)]
pub struct Difference {
    /// What was not agreed to yet.
    pub added: Capabilities,
    /// What is not asked for any more.
    pub removed: Capabilities,
}

impl Difference {
    /// From what was agreed to, to what is wanted.
    #[must_use]
    pub fn between(agreed: &Capabilities, wanted: &Capabilities) -> Self {
        Self {
            added: wanted.difference(agreed).filter(|word| !is_lowered(word, agreed)).cloned().collect(),
            removed: agreed.difference(wanted).cloned().collect(),
        }
    }

    /// Whether this consent covers it.
    #[must_use]
    pub fn is_covered_by(&self, consent: &Capabilities) -> bool {
        self.added.is_subset(consent)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::{Capabilities, Difference};

    fn words() -> impl Strategy<Value = Capabilities> {
        proptest::collection::btree_set("[a-e]", 0..5)
    }

    #[test]
    fn a_limit_that_is_lowered_again_is_agreed_to_already() {
        let all = |words: &[&str]| words.iter().map(|word| (*word).to_owned()).collect::<Capabilities>();
        let agreed = all(&["limit:memory_mib:128", "limit:hook/cpu_ms:100"]);
        let added = |wanted: &[&str]| Difference::between(&agreed, &all(wanted)).added;
        assert!(added(&["limit:memory_mib:96", "limit:hook/cpu_ms:100"]).is_empty());
        assert_eq!(added(&["limit:memory_mib:129"]), all(&["limit:memory_mib:129"]));
        assert_eq!(added(&["limit:rows:1", "limit:cpu_ms:1"]).len(), 2, "other limits");
    }

    proptest! {
        #[test]
        fn consent_to_what_is_added_is_enough_and_needed(agreed in words(), wanted in words()) {
            let difference = Difference::between(&agreed, &wanted);
            prop_assert!(difference.is_covered_by(&difference.added));
            prop_assert!(difference.is_covered_by(&wanted));
            prop_assert_eq!(difference.is_covered_by(&Capabilities::new()), wanted.is_subset(&agreed));
            let mut now = agreed.clone();
            now.extend(difference.added.iter().cloned());
            now.retain(|word| !difference.removed.contains(word));
            prop_assert_eq!(now, wanted);
        }
    }
}
