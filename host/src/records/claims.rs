//! Claims: how a reference across two files holds although no transaction spans them.
//!
//! A record that is being pointed at from another file is claimed until that write is committed, and so is one that is
//! being deleted. The two claims exclude each other: whoever comes second is refused at once, nobody waits.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use super::schema::Entity;
use crate::ids::{OrganizationId, RecordId};

type Key = (OrganizationId, Arc<str>, RecordId);

/// Who holds a record.
enum Holder {
    /// So many writes of other files that point at it.
    Pointing(u32),
    /// The write that deletes it.
    Deleting,
}

/// The claims of all organizations. Cheap to clone.
#[derive(Clone, Default)]
pub struct Claims(Arc<Mutex<HashMap<Key, Holder>>>);

/// A held record, released when this is dropped: after the commit, or when nothing came of it.
pub struct Claim {
    claims: Claims,
    key: Key,
}

impl Claims {
    fn lock(&self) -> MutexGuard<'_, HashMap<Key, Holder>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Claims a record that a write of another file points at; `None` while it is being deleted.
    #[must_use]
    pub fn point(&self, organization: OrganizationId, entity: &Entity, id: RecordId) -> Option<Claim> {
        let key = (organization, Arc::clone(&entity.object), id);
        match self.lock().entry(key.clone()).or_insert(Holder::Pointing(0)) {
            Holder::Pointing(count) => *count += 1,
            Holder::Deleting => return None,
        }
        Some(Claim { claims: self.clone(), key })
    }

    /// Claims a record that is to be deleted; `None` while anybody else holds it.
    #[must_use]
    pub fn delete(&self, organization: OrganizationId, entity: &Entity, id: RecordId) -> Option<Claim> {
        let key = (organization, Arc::clone(&entity.object), id);
        let mut held = self.lock();
        if held.contains_key(&key) {
            return None;
        }
        held.insert(key.clone(), Holder::Deleting);
        drop(held);
        Some(Claim { claims: self.clone(), key })
    }
}

impl Drop for Claim {
    fn drop(&mut self) {
        let mut held = self.claims.lock();
        match held.get_mut(&self.key) {
            Some(Holder::Pointing(count)) if *count > 1 => *count -= 1,
            _ => {
                held.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::collections::HashSet;

    use super::*;
    use crate::records::schema::{Operations, Parts};

    #[test]
    fn pointing_and_deleting_exclude_each_other_until_released() {
        let parts = Parts {
            key: "account".into(),
            plural: "accounts".into(),
            label: String::new(),
            title: None,
            fields: Vec::new(),
            hooks: HashSet::new(),
            operations: Operations::default(),
            duplicates: Vec::new(),
        };
        let (entity, organization, id) = (Entity::new("crm", parts), OrganizationId::new(), RecordId::new());
        let claims = Claims::default();
        let (first, second) =
            (claims.point(organization, &entity, id), claims.point(organization, &entity, id));
        assert!(first.is_some() && second.is_some());
        assert!(claims.delete(organization, &entity, id).is_none());
        drop(first);
        assert!(claims.delete(organization, &entity, id).is_none());
        drop(second);
        let leaving = claims.delete(organization, &entity, id);
        assert!(leaving.is_some());
        assert!(claims.point(organization, &entity, id).is_none());
        assert!(claims.delete(organization, &entity, id).is_none());
        assert!(claims.point(OrganizationId::new(), &entity, id).is_some());
        drop(leaving);
        assert!(claims.lock().is_empty());
    }
}
