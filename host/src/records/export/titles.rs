//! The titles of referred records: what names them to people, if the caller may read them.

use std::collections::HashMap;

use crate::ids::{PrincipalId, RecordId, TeamId};
use crate::records::error::RecordError;
use crate::records::schema::Target;
use crate::records::{Records, Scope, write};

/// Most titles that are kept.
const KEPT: usize = 50_000;

/// Titles that were asked for.
pub(super) struct Titles<'a> {
    engine: &'a Records,
    scope: &'a Scope,
    known: HashMap<(usize, [u8; 16]), String>,
}

impl<'a> Titles<'a> {
    pub(super) fn new(engine: &'a Records, scope: &'a Scope) -> Self {
        Self { engine, scope, known: HashMap::new() }
    }

    /// Appends the title of the record; nothing when there is none that the caller may read.
    pub(super) fn write(
        &mut self,
        of: usize,
        target: &Target,
        id: &[u8],
        text: &mut String,
    ) -> Result<(), RecordError> {
        let Ok(bytes) = <[u8; 16]>::try_from(id) else {
            return Ok(());
        };
        if let Some(title) = self.known.get(&(of, bytes)) {
            text.push_str(title);
            return Ok(());
        }
        let title = self.title(target, bytes)?.unwrap_or_default();
        text.push_str(&title);
        if self.known.len() >= KEPT {
            self.known.clear();
        }
        self.known.insert((of, bytes), title);
        Ok(())
    }

    fn title(&self, target: &Target, id: [u8; 16]) -> Result<Option<String>, RecordError> {
        let organization = self.scope.organization.id;
        if &*target.plugin == "host" {
            let name = match &*target.entity {
                "team" => self.engine.people.team_name(organization, TeamId::from_bytes(id))?,
                _ => self.engine.people.principal_name(organization, PrincipalId::from_bytes(id))?,
            };
            return Ok(name.map(|name| name.to_string()));
        }
        let found = self.scope.module(&target.plugin);
        let Some((module, entity)) = found.and_then(|module| Some((module, module.entity(&target.entity)?)))
        else {
            return Ok(None);
        };
        let Some(field) = entity.title.as_ref().and_then(|title| self.scope.shown_field(&entity, title))
        else {
            return Ok(None);
        };
        let values = self.engine.read(self.scope, module, |conn| {
            write::readable(conn, self.scope, &entity, RecordId::from_bytes(id))
        })?;
        let title = values.as_ref().and_then(|values| values.get(field.column)?.text().map(str::to_owned));
        Ok(title)
    }
}
