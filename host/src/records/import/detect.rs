//! What a file is and how its columns may become fields: asked before an import.

use std::path::Path;

use serde_json::{Map, Value as Json};

use super::file::{Cells, Line, Lines};
use super::source::{Source, prepare};
use super::spec::Spec;
use super::submit::Placed;
use super::suggest::Suggestion;
use super::{ImportError, Imports};
use crate::ids::RequestId;
use crate::records::Scope;
use crate::records::error::RecordError;

/// Rows that are shown.
const SHOWN: usize = 5;
/// Rows that a suggestion is made from.
const LOOKED_AT: usize = 50;

/// What was found out about a file.
#[derive(Debug)]
pub struct Detected {
    /// Format, encoding, delimiter, sheets, columns, rows.
    pub source: Source,
    /// The first rows as objects by column.
    pub rows: Vec<Json>,
    /// How its columns may become fields of the entity that was asked for.
    pub suggestion: Option<Suggestion>,
}

impl Imports {
    /// Finds out what a file is. `options` is a specification of which no member is needed: those about the file are
    /// obeyed, and for an `entity` a mapping is suggested.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] when it is no file that can be imported, [`RecordError::Forbidden`], or the file fails.
    pub async fn detect(
        &self,
        scope: &Scope,
        options: Option<&str>,
        upload: &Path,
    ) -> Result<Detected, ImportError> {
        let (imports, scope, upload) = (self.clone(), scope.clone(), upload.to_owned());
        let options = options.unwrap_or("{}").to_owned();
        let look = tokio::task::spawn_blocking(move || imports.look(&scope, &options, &upload));
        look.await.map_err(std::io::Error::other)?
    }

    fn look(&self, scope: &Scope, options: &str, upload: &Path) -> Result<Detected, ImportError> {
        let mut members: Map<String, Json> = super::mappings::object(options)?;
        members.entry("entity").or_insert_with(|| Json::String(String::new()));
        let spec = Spec::from_members(members)?;
        let working = Placed(self.folder(scope.organization.id)?.join(format!("{}.look", RequestId::new())));
        let source = prepare(upload, &spec.wishes(), &working.0)?;
        let mut lines = Lines::open(&working.0, &source)?;
        let mut first: Vec<Line> = Vec::with_capacity(LOOKED_AT);
        while first.len() < LOOKED_AT
            && let Some(line) = lines.next()?
        {
            first.push(line);
        }
        let shown = first.iter().take(SHOWN).map(|line| shown(&source, line)).collect();
        let suggestion = match spec.entity.as_str() {
            "" => None,
            _ => Some(self.suggest(scope, &spec, &source, &first)?),
        };
        Ok(Detected { source, rows: shown, suggestion })
    }

    fn suggest(
        &self,
        scope: &Scope,
        spec: &Spec,
        source: &Source,
        lines: &[Line],
    ) -> Result<Suggestion, RecordError> {
        let entity = self.entity(scope, spec)?;
        let saved = self.mappings_of(scope, &spec.entity)?;
        let cells: Vec<&Cells> = lines.iter().filter_map(|line| line.cells.as_ref().ok()).collect();
        Ok(Suggestion::of(scope, (&spec.entity, entity.as_deref()), source, &cells, saved))
    }
}

/// A row as an object; of a faulty one, what is wrong with it.
fn shown(source: &Source, line: &Line) -> Json {
    match &line.cells {
        Err(fault) => {
            serde_json::json!({ "line": line.number, "error": { "code": fault.code, "detail": fault.detail } })
        }
        Ok(Cells::Members(members)) => serde_json::json!({ "line": line.number, "cells": members }),
        Ok(Cells::Texts(texts)) => {
            let cells =
                source.columns.iter().cloned().zip(texts.iter().map(|text| Json::String(text.to_owned())));
            serde_json::json!({ "line": line.number, "cells": cells.collect::<Map<_, _>>() })
        }
    }
}
