//! A search of one entity or of all that the caller may read, each in its file.

use std::sync::Arc;

use super::{Found, Search, search, searchable};
use crate::records::error::RecordError;
use crate::records::schema::Entity;
use crate::records::{Records, Scope};

impl Records {
    /// Searches one entity.
    ///
    /// # Errors
    /// Those of [`search`].
    pub fn search(&self, scope: &Scope, entity: &Entity, wanted: &Search) -> Result<Found, RecordError> {
        let module = scope.module(&entity.plugin).ok_or(RecordError::NotFound)?;
        self.read(scope, module, |conn| search(conn, scope, entity, wanted))
    }

    /// Searches every entity that the caller may read, or those of `objects`, and mixes the hits by their score.
    ///
    /// # Errors
    /// [`RecordError::BadRequest`] for an object that the organization does not have or that cannot be searched,
    /// [`RecordError::Forbidden`] for a named one that the caller may not read, or a file fails.
    pub fn search_all(
        &self,
        scope: &Scope,
        objects: Option<&[&str]>,
        wanted: &Search,
    ) -> Result<Found, RecordError> {
        let mut all = Found { hits: Vec::new(), count: wanted.count.then_some(0), complete: true };
        for entity in self.searched(scope, objects)? {
            let found = match self.search(scope, &entity, wanted) {
                Err(RecordError::Forbidden { .. }) if objects.is_none() => continue,
                other => other?,
            };
            all.hits.extend(found.hits);
            all.count = all.count.zip(found.count).map(|(sum, more)| sum + more);
            all.complete &= found.complete;
        }
        // Newest first among equals: ids are made in the order of time.
        all.hits.sort_by_key(|hit| std::cmp::Reverse((hit.score, *hit.id.as_bytes())));
        all.hits.truncate(wanted.limit);
        Ok(all)
    }

    fn searched(&self, scope: &Scope, objects: Option<&[&str]>) -> Result<Vec<Arc<Entity>>, RecordError> {
        let every = scope.modules.iter().flat_map(|module| &module.entities);
        let Some(objects) = objects else {
            return Ok(every.filter(|entity| searchable(scope, entity).is_ok()).cloned().collect());
        };
        let named = objects.iter().map(|object| {
            let found = object.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key));
            let object: String = object.chars().take(64).collect();
            let found = found.ok_or_else(|| {
                RecordError::bad("unknown_entity", format!("the organization has no entity `{object}`"))
            })?;
            searchable(scope, &found).map(|()| found)
        });
        named.collect()
    }
}
