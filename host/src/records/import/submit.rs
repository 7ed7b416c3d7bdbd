//! Accepting an import: everything that can be said of it before it begins is said here.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::source::prepare;
use super::spec::{Mode, Spec, USERS};
use super::{ImportError, Imports, KIND, Order};
use crate::ids::RequestId;
use crate::jobs::{Job, NewJob};
use crate::records::Scope;
use crate::records::error::{Fault, RecordError};
use crate::records::schema::Entity;

impl Imports {
    /// Accepts an import: finds out what the file is, checks the specification against its columns and the entity, puts
    /// the file into its place and queues the job.
    ///
    /// # Errors
    /// [`RecordError::Invalid`] with every fault of the specification, [`RecordError::Forbidden`], or the file fails.
    pub async fn submit(&self, scope: &Scope, spec_json: &str, upload: &Path) -> Result<Job, ImportError> {
        let (imports, scope, upload) = (self.clone(), scope.clone(), upload.to_owned());
        let json = spec_json.to_owned();
        // A task of its own, so that a caller who goes away cannot leave a file without a job, or a job without its file.
        let queued = tokio::spawn(async move {
            let (jobs, organization) = (imports.jobs.clone(), scope.organization.id);
            let created_by = scope.caller.principal.id;
            let placed = tokio::task::spawn_blocking(move || {
                let spec = imports.resolve(&scope, &json)?;
                imports.place(&scope, spec, &upload)
            });
            let (spec, placed) = placed.await.map_err(std::io::Error::other)??;
            let job = jobs.create(NewJob { organization, kind: KIND.to_owned(), spec, created_by }).await?;
            placed.keep();
            Ok(job)
        });
        queued.await.map_err(std::io::Error::other)?
    }

    /// Checks and moves the file; the job's spec, and the file in its place. Not for an async worker.
    fn place(&self, scope: &Scope, spec: Spec, upload: &Path) -> Result<(String, Placed), ImportError> {
        let entity = self.entity(scope, &spec)?;
        // The file is in place, under a name of its own, before the job can start.
        let file = RequestId::new();
        let placed = Placed(self.folder(scope.organization.id)?.join(format!("{file}.rows")));
        let source = prepare(upload, &spec.wishes(), &placed.0)?;
        spec.check(scope, entity.as_deref(), Some(&source))?;
        let order = Order { file, request: RequestId::new(), import: spec, source };
        let order = serde_json::to_string(&order).map_err(std::io::Error::other)?;
        Ok((order, placed))
    }

    /// The entity that the specification names, if the caller may import into it; `None` for people.
    pub(super) fn entity(&self, scope: &Scope, spec: &Spec) -> Result<Option<Arc<Entity>>, RecordError> {
        let principal = &scope.caller.principal;
        let forbidden =
            |object: &str| RecordError::Forbidden { object: object.to_owned(), action: "import".to_owned() };
        let actions: &[&str] = match spec.mode {
            Mode::Create => &["create"],
            Mode::Update => &["update"],
            Mode::Upsert => &["create", "update"],
        };
        let may = |object: &str, action: &str| !scope.policy.decide(principal, object, action).never();
        if spec.entity == USERS {
            let allowed = actions.iter().all(|action| may("host.user", action));
            return if allowed { Ok(None) } else { Err(forbidden("host.user")) };
        }
        let named = spec.entity.split_once('.').and_then(|(plugin, key)| scope.entity(plugin, key));
        let offers = |entity: &Arc<Entity>| match spec.mode {
            Mode::Update => entity.operations.update,
            Mode::Create | Mode::Upsert => entity.operations.create,
        };
        let entity = named.filter(offers).ok_or_else(|| unknown_entity(&spec.entity))?;
        if !actions.iter().all(|action| may(&entity.object, action)) || !may(&entity.object, "import") {
            return Err(forbidden(&entity.object));
        }
        Ok(Some(entity))
    }
}

pub(super) fn unknown_entity(named: &str) -> RecordError {
    let entity: String = named.chars().take(64).collect();
    RecordError::Invalid(vec![Fault {
        pointer: "/spec/entity".into(),
        code: "unknown_entity".into(),
        detail: format!("`{entity}` is not an entity that can be imported; write `plugin.entity` or `users`"),
    }])
}

/// A file in its place, deleted with this unless a job has it.
pub(super) struct Placed(pub(super) PathBuf);

impl Placed {
    fn keep(mut self) {
        self.0 = PathBuf::new();
    }
}

impl Drop for Placed {
    fn drop(&mut self) {
        if !self.0.as_os_str().is_empty() {
            let _ = std::fs::remove_file(&self.0); // it may not have come there
        }
    }
}
