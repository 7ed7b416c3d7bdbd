//! The organization's own file: what it arranges itself rather than what it stores, such as its schema, saved views and
//! import mappings.

use std::rc::Rc;
use std::sync::Arc;

use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};

use super::error::RecordError;
use super::idempotency::idempotent;
use super::mutation::{Manner, Reply};
use super::{Records, Scope};
use crate::ids::OrganizationId;
use crate::storage::{
    ChangeOrigin, Connection, FileKind, FileProfile, Migration, StorageError, TenantFile, Verdict,
};

/// The file's name, and what every such file has.
const NAME: &str = "configuration";

static PROFILE: FileProfile = FileProfile {
    kind: FileKind::Host,
    migrations: &[
        Migration {
            name: "configuration/0001_configuration",
            sql: include_str!("../../../migrations/configuration/0001_configuration.sql"),
        },
        Migration {
            name: "configuration/0002_views",
            sql: include_str!("../../../migrations/configuration/0002_views.sql"),
        },
        Migration {
            name: "configuration/0003_mappings",
            sql: include_str!("../../../migrations/configuration/0003_mappings.sql"),
        },
        Migration {
            name: "configuration/0004_idempotency",
            sql: include_str!("../../../migrations/configuration/0004_idempotency.sql"),
        },
    ],
    redacted: &["draft.document"],
};

/// How one thing of the file was before a mutation and is after it; `None`: not there.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct Came<T> {
    /// Before.
    pub before: Option<T>,
    /// After.
    pub after: Option<T>,
    /// Whether it was only tried.
    #[serde(skip)]
    pub dry_run: bool,
    /// Whether it was done under the same key before.
    #[serde(skip)]
    pub replayed: bool,
}

impl<T> Came<T> {
    /// From one state to the other.
    pub(super) const fn from(before: Option<T>, after: Option<T>) -> Self {
        Self { before, after, dry_run: false, replayed: false }
    }
}

impl Records {
    /// Does `f` in a write transaction of the organization's own file, in this manner.
    ///
    /// # Errors
    /// Those of `f`; [`RecordError::KeyReused`]; the file fails.
    pub(super) async fn write_own<T: DeserializeOwned + Serialize>(
        &self,
        scope: &Scope,
        manner: Manner,
        f: impl FnOnce(&Rc<Connection>) -> Result<Came<T>, RecordError> + Send + 'static,
    ) -> Result<Came<T>, RecordError> {
        let file = self.own_file(scope.organization.id)?;
        let (by, dry_run) = ((scope.caller.principal.id, self.now()), manner.dry_run);
        let work = move |conn: &Rc<Connection>| {
            let asked = manner.asked.as_ref().filter(|_| !dry_run);
            let reply = idempotent(conn, by, asked, || {
                let came = serde_json::to_vec(&f(conn)?);
                came.map(Reply::ok).map_err(|error| unreadable(&error))
            })?;
            Ok(if dry_run { Verdict::Undo(reply) } else { Verdict::Keep(reply) })
        };
        let written: Result<Reply, RecordError> = file.write(ChangeOrigin::from(&scope.caller), work).await;
        let reply = written?;
        let came: Came<T> = serde_json::from_slice(&reply.body).map_err(|error| unreadable(&error))?;
        Ok(Came { dry_run, replayed: reply.replayed, ..came })
    }

    /// The organization's own file.
    ///
    /// # Errors
    /// The file cannot be opened.
    pub(crate) fn own_file(&self, organization: OrganizationId) -> Result<Arc<TenantFile>, RecordError> {
        Ok(self.files.open(organization, NAME, &PROFILE)?)
    }
}

fn unreadable(error: &serde_json::Error) -> RecordError {
    RecordError::Storage(StorageError::ChangeLog(format!("a kept answer cannot be read: {error}")))
}
