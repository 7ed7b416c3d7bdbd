//! A write transaction as the pipeline sees it, and the door to plugin hooks.

use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;

use super::claims::Claim;
use super::error::{Fault, RecordError};
use super::schema::{Entity, Module};
use super::value::Value;
use super::{Records, Scope};
use crate::clock::UnixMillis;
use crate::ids::RecordId;
use crate::storage::Connection;

/// Deepest nesting of plugin calls in one transaction: an action whose update runs hooks that update further records.
pub const MAX_DEPTH: u8 = 4;

/// On whose authority records are touched.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub enum Authority {
    /// The caller's: policy and read-only fields hold.
    Caller,
    /// The plugin's code, for the caller: policy holds, its own read-only fields may be written.
    PluginForCaller,
    /// The plugin's own: policy is not asked; marked in the change log.
    Plugin,
    /// The host's: what a manifest seeds, and what a declared reference demands of records that the caller may not
    /// reach. Policy is not asked; hooks still see the caller and no more than the caller's rights.
    Host,
}

impl Authority {
    /// Whether the policy decides.
    #[must_use]
    pub const fn asks_policy(self) -> bool {
        matches!(self, Self::Caller | Self::PluginForCaller)
    }
}

/// When plugin code runs while a record is written.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub enum Hook {
    /// On create and update; may refuse.
    Validate,
    /// May change fields and refuse.
    BeforeCreate,
    /// May change fields and refuse.
    BeforeUpdate,
    /// May refuse.
    BeforeDelete,
    /// The rows are in the file; may write further records.
    AfterCreate,
    /// The rows are in the file; may write further records.
    AfterUpdate,
    /// The rows are in the recycle bin; may write further records.
    AfterDelete,
}

impl Hook {
    /// All hooks.
    pub const ALL: [Self; 7] = [
        Self::Validate,
        Self::BeforeCreate,
        Self::BeforeUpdate,
        Self::BeforeDelete,
        Self::AfterCreate,
        Self::AfterUpdate,
        Self::AfterDelete,
    ];

    /// The word of the contract.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Validate => "validate",
            Self::BeforeCreate => "before_create",
            Self::BeforeUpdate => "before_update",
            Self::BeforeDelete => "before_delete",
            Self::AfterCreate => "after_create",
            Self::AfterUpdate => "after_update",
            Self::AfterDelete => "after_delete",
        }
    }
}

/// A record on its way to the file.
#[derive(Clone, Debug)]
pub struct Draft {
    /// The record.
    pub id: RecordId,
    /// All columns as they stand in the file; `None` for a new record.
    pub before: Option<Vec<Value>>,
    /// All columns as they will be.
    pub after: Vec<Value>,
    /// What is wrong with it so far.
    pub faults: Vec<Fault>,
}

/// Runs a plugin's hooks. Implemented by `plugins`; the engine knows no more of plugin code than this.
pub trait Hooks {
    /// Runs `hook` on the drafts in one call. May change `after` and add to `faults`.
    ///
    /// # Errors
    /// The plugin refused the whole batch, failed, or was stopped.
    fn run(&self, tx: &Tx, hook: Hook, entity: &Arc<Entity>, drafts: &mut [Draft])
    -> Result<(), RecordError>;
}

/// An open write transaction on one module's file, for one request. Cheap to clone.
#[derive(Clone)]
pub struct Tx {
    /// The engine: other files, people.
    pub engine: Records,
    /// The file's writing connection.
    pub conn: Rc<Connection>,
    /// The caller, the organization, its policy and modules.
    pub scope: Scope,
    /// The module whose file this is.
    pub module: Arc<Module>,
    /// Plugin code.
    pub hooks: Arc<dyn Hooks + Send + Sync>,
    /// On whose authority.
    pub authority: Authority,
    /// The instant of this request: one for all its rows.
    pub now: UnixMillis,
    /// How many plugin calls this one is inside of.
    pub depth: u8,
    /// Records of other files that this write relies on, held until its commit.
    pub claims: Rc<RefCell<Vec<Claim>>>,
}

impl Tx {
    /// The same transaction on another authority.
    #[must_use]
    pub fn on(&self, authority: Authority) -> Self {
        Self { authority, ..self.clone() }
    }

    /// Runs `f` in a savepoint: an error undoes what it wrote and gives back what it claimed.
    ///
    /// # Errors
    /// Those of `f`, and the file fails.
    pub fn savepoint<T>(&self, f: impl FnOnce() -> Result<T, RecordError>) -> Result<T, RecordError> {
        let held = self.claims.borrow().len();
        let outcome = self.conn.savepoint(f);
        if outcome.is_err() {
            self.claims.borrow_mut().truncate(held);
        }
        outcome
    }

    /// The same transaction, one plugin call deeper.
    ///
    /// # Errors
    /// Too deep.
    pub fn deeper(&self) -> Result<Self, RecordError> {
        if self.depth >= MAX_DEPTH {
            return Err(RecordError::Plugin {
                plugin: self.module.plugin.to_string(),
                code: "plugin_depth_limit",
                detail: format!("plugin calls nest more than {MAX_DEPTH} deep"),
            });
        }
        Ok(Self { depth: self.depth + 1, ..self.clone() })
    }
}
