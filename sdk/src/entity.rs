//! What `#[entity]` makes of a struct, and a record of it: stored, or on its way to the file.

use std::ops::{Deref, DerefMut};

use serde_json::{Map, Value};

use crate::cells::{Cells, Malformed, Reader};
use crate::context::Context;
use crate::date::DateTime;
use crate::error::{Failure, Refusal, Result};
use crate::field::Stored;
use crate::id::{RecordId, Reference, UserId};
use crate::manifest;

/// A declared kind of record. Implemented by `#[entity(key = "...", ...)]`.
pub trait Entity: Sized {
    /// `opportunity`
    const KEY: &'static str;

    /// Keys of the fields in manifest order, with the number of cells that each takes.
    const FIELDS: &'static [(&'static str, usize)];

    /// The declaration.
    fn declare() -> manifest::Entity;

    /// Reads the declared fields.
    ///
    /// # Errors
    /// The cells are of other types.
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed>;

    /// Appends the declared fields' cells.
    fn write(&self, out: &mut Cells);

    /// The declared fields as JSON.
    fn to_json(&self) -> Map<String, Value>;

    /// Runs the function that the declaration names for this hook.
    ///
    /// # Errors
    /// What the function answers, or that there is none.
    fn hook(ctx: &Context<'_>, hook: &str, drafts: &mut [Draft<Self>]) -> Result<()>;
}

/// The fields that the host keeps for every record.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub struct System {
    /// When it was made.
    pub created_at: Option<DateTime>,
    /// Who made it.
    pub created_by: Option<UserId>,
    /// When it was last changed.
    pub updated_at: Option<DateTime>,
    /// Who last changed it.
    pub updated_by: Option<UserId>,
    /// Whose it is.
    pub owner: Option<UserId>,
    /// The team whose it is.
    pub team: Option<RecordId>,
}

impl System {
    fn read(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        Ok(Self {
            created_at: Stored::read(reader)?,
            created_by: Stored::read(reader)?,
            updated_at: Stored::read(reader)?,
            updated_by: Stored::read(reader)?,
            owner: Stored::read(reader)?,
            team: Stored::read(reader)?,
        })
    }

    /// Only a host packs system fields, and only the one in memory is built here.
    #[cfg(not(target_family = "wasm"))]
    pub(crate) fn write(&self, out: &mut Cells) {
        self.created_at.write(out);
        self.created_by.write(out);
        self.updated_at.write(out);
        self.updated_by.write(out);
        self.owner.write(out);
        self.team.write(out);
    }
}

/// System fields, declared fields, and the declared fields as they were packed.
fn read_row<T: Entity>(cells: &[u8]) -> Result<(System, T, Vec<u8>), Malformed> {
    let mut reader = Reader::new(cells);
    let system = System::read(&mut reader)?;
    let stored = reader.rest().to_vec();
    let fields = T::read(&mut reader)?;
    if reader.at_end() { Ok((system, fields, stored)) } else { Err(Malformed) }
}

fn packed<T: Entity>(fields: &T) -> Vec<u8> {
    let mut cells = Cells::new();
    fields.write(&mut cells);
    cells.into_bytes()
}

/// A record as it stands in the file. Change its fields, or its owner in `system`, then
/// [`save`](crate::Records::save) it.
#[derive(Clone, Debug)]
pub struct Record<T> {
    /// Its id.
    pub id: Reference<T>,
    /// Grows by one with every change.
    pub version: u64,
    /// Who made and owns it, and when. Of these only the owner can be changed; the team follows the owner.
    pub system: System,
    /// The declared fields.
    pub fields: T,
    stored: Vec<u8>,
    stored_owner: Option<UserId>,
}

impl<T: Entity> Record<T> {
    /// Unpacks a row of the contract.
    ///
    /// # Errors
    /// The row is not one of this entity.
    pub fn from_row(id: RecordId, version: u64, cells: &[u8]) -> Result<Self, Malformed> {
        let (system, fields, stored) = read_row(cells)?;
        Ok(Self { id: id.into(), version, stored_owner: system.owner, system, fields, stored })
    }

    /// Whether the owner differs from the one in the file.
    pub(crate) fn changed_owner(&self) -> bool {
        self.system.owner != self.stored_owner
    }

    /// Positions of the declared fields that differ from what the file holds.
    pub(crate) fn changed(&self) -> Result<Vec<usize>, Malformed> {
        let now = packed(&self.fields);
        let (mut old, mut new) = (Reader::new(&self.stored), Reader::new(&now));
        let mut changed = Vec::new();
        for (at, (_, width)) in T::FIELDS.iter().enumerate() {
            if old.packed(*width)? != new.packed(*width)? {
                changed.push(at);
            }
        }
        Ok(changed)
    }

    /// The owner's cell if it is asked for, then those of the fields at these positions.
    pub(crate) fn cells_of(&self, owner: bool, positions: &[usize]) -> Result<Vec<u8>, Malformed> {
        let now = packed(&self.fields);
        let mut reader = Reader::new(&now);
        let mut cells = Cells::new();
        if owner {
            self.system.owner.write(&mut cells);
        }
        for (at, (_, width)) in T::FIELDS.iter().enumerate() {
            let field = reader.packed(*width)?;
            if positions.contains(&at) {
                cells.extend(field);
            }
        }
        Ok(cells.into_bytes())
    }

    pub(crate) fn saved(&mut self, version: u64) {
        self.version = version;
        self.stored = packed(&self.fields);
        self.stored_owner = self.system.owner;
    }

    /// The record as REST shows it: id, version, declared fields.
    #[must_use]
    pub fn to_json(&self) -> Map<String, Value> {
        let mut members = Map::new();
        members.insert("id".into(), self.id.to_string().into());
        members.insert("version".into(), self.version.into());
        members.insert(
            "owner_id".into(),
            self.system.owner.map_or(Value::Null, |owner| owner.to_string().into()),
        );
        members.extend(self.fields.to_json());
        members
    }
}

impl<T> Deref for Record<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.fields
    }
}

impl<T> DerefMut for Record<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.fields
    }
}

/// A record on its way to the file: what hooks see. It reads and writes like the entity itself; `before_create` and
/// `before_update` may change it.
#[derive(Clone, Debug)]
pub struct Draft<T> {
    /// The record's id, which it has before it is in the file.
    pub id: Reference<T>,
    /// Who made and owns it, and when.
    pub system: System,
    before: Option<T>,
    owner_before: Option<UserId>,
    after: T,
    given: Vec<u8>,
    failures: Vec<Failure>,
}

impl<T: Entity> Draft<T> {
    /// Unpacks a draft of the contract.
    ///
    /// # Errors
    /// The rows are not of this entity.
    pub fn from_rows(id: RecordId, before: Option<&[u8]>, after: &[u8]) -> Result<Self, Malformed> {
        let (system, fields, given) = read_row(after)?;
        let (owner_before, before) = match before.map(read_row::<T>).transpose()? {
            Some((system, before, _)) => (system.owner, Some(before)),
            None => (None, None),
        };
        Ok(Self { id: id.into(), system, before, owner_before, after: fields, given, failures: Vec::new() })
    }

    /// The record as it stands in the file; `None` when it is being created.
    pub const fn before(&self) -> Option<&T> {
        self.before.as_ref()
    }

    /// Both forms at once: what stands in the file, and what will.
    pub const fn parts(&mut self) -> (Option<&T>, &mut T) {
        (self.before.as_ref(), &mut self.after)
    }

    /// Whether the write changes what `field` picks; true for a new record.
    pub fn changes<V: PartialEq>(&self, field: impl Fn(&T) -> V) -> bool {
        self.before.as_ref().is_none_or(|before| field(before) != field(&self.after))
    }

    /// Whether the write gives the record to another owner; true for a new record.
    pub fn changes_owner(&self) -> bool {
        self.before.is_none() || self.owner_before != self.system.owner
    }

    /// Refuses this record: `pointer` says where (`/amount`), `code` is stable, `detail` tells people what to do. Can
    /// be said several times; the caller sees every failure.
    pub fn refuse(&mut self, pointer: impl Into<String>, code: impl Into<String>, detail: impl Into<String>) {
        self.failures.push(Failure::new(pointer, code, detail));
    }

    /// Refuses this record for all these reasons; none let it pass.
    pub fn refuse_all(&mut self, failures: impl IntoIterator<Item = Failure>) {
        self.failures.extend(failures);
    }

    /// Why this record is refused so far.
    #[must_use]
    pub fn failures(&self) -> &[Failure] {
        &self.failures
    }

    /// The declared fields' cells if the hook changed them, and the failures.
    #[must_use]
    pub fn into_verdict(self) -> (Option<Vec<u8>>, Vec<Failure>) {
        let after = packed(&self.after);
        ((after != self.given).then_some(after), self.failures)
    }
}

impl<T> Deref for Draft<T> {
    type Target = T;

    fn deref(&self) -> &T {
        &self.after
    }
}

impl<T> DerefMut for Draft<T> {
    fn deref_mut(&mut self) -> &mut T {
        &mut self.after
    }
}

/// The refusal of a hook that the entity does not declare.
#[must_use]
pub fn unknown_hook(entity: &str, hook: &str) -> Refusal {
    Refusal::failed("unknown_hook", format!("{entity} has no hook {hook}"))
}
