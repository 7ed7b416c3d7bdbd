//! The doors of the contract on the host in memory: records with hooks, all or nothing.

use super::{Host, Row, filter};
use crate::backend::{Backend, Organization, Principal, RawChange, RawCursor, RawRow, RawRows};
use crate::cells::{Cell, Cells, Reader};
use crate::error::{Refusal, Result};
use crate::field::Stored as _;
use crate::id::{RecordId, UserId};
use crate::manifest;

/// The cells of each declared field.
pub(super) fn split(entity: &manifest::Entity, cells: &[u8]) -> Result<Vec<Vec<u8>>> {
    let mut reader = Reader::new(cells);
    let width = |field: &manifest::Field| if field.kind == "money" { 2 } else { 1 };
    let fields = entity.fields.iter().map(|field| reader.packed(width(field)).map(<[u8]>::to_vec));
    Ok(fields.collect::<Result<_, _>>()?)
}

/// Puts the named cells into a row; `owner_id` may stand among them.
fn fill(entity: &manifest::Entity, row: &mut Row, names: &[String], cells: &[u8]) -> Result<()> {
    let mut reader = Reader::new(cells);
    for name in names {
        if name == "owner_id" {
            row.system.owner = Option::<UserId>::read(&mut reader)?.or(row.system.owner);
            continue;
        }
        let at = entity.fields.iter().position(|field| field.key == *name);
        let at =
            at.ok_or_else(|| Refusal::failed("unknown_field", format!("{} has no {name}", entity.key)))?;
        let width = if entity.fields.get(at).is_some_and(|field| field.kind == "money") { 2 } else { 1 };
        let packed = reader.packed(width)?.to_vec();
        if let Some(field) = row.fields.get_mut(at) {
            *field = packed;
        }
    }
    Ok(())
}

/// Gives new rows their auto-numbers: those of a host that never deleted a record.
fn number(entity: &manifest::Entity, rows: &mut [Row], before: usize, today: &str) {
    let year = today.get(..4).unwrap_or_default();
    let formats =
        entity.fields.iter().enumerate().filter_map(|(at, field)| Some((at, field.format.as_ref()?)));
    for (at, format) in formats {
        for (nth, row) in rows.iter_mut().enumerate() {
            let text = format.replace("{YYYY}", year);
            let Some((head, tail)) = text.split_once("{0") else { continue };
            let (zeros, tail) = tail.split_once('}').unwrap_or_default();
            let number = format!("{head}{:0width$}{tail}", before + nth + 1, width = zeros.len() + 1);
            let mut cells = Cells::new();
            cells.push(Cell::Text(&number));
            if let Some(field) = row.fields.get_mut(at) {
                *field = cells.into_bytes();
            }
        }
    }
}

impl Backend for Host {
    fn organization(&self) -> Organization {
        Organization {
            id: RecordId::from_halves(1, 1),
            slug: "test".into(),
            name: "Test".into(),
            zone: "Europe/Vienna".into(),
            locale: "en".into(),
            currency: "EUR".into(),
        }
    }

    fn principal(&self) -> Principal {
        let id = RecordId::from_halves(2, 2);
        Principal {
            id,
            kind: "user".into(),
            name: "Tester".into(),
            teams: vec![],
            roles: vec!["owner".into()],
        }
    }

    fn request_id(&self) -> String {
        "test".into()
    }

    fn source(&self) -> String {
        self.source.borrow().clone()
    }

    fn remaining_ms(&self) -> u32 {
        2000
    }

    fn allows(&self, object: &str, action: &str) -> bool {
        !self.denied.borrow().contains(&(object.into(), action.into()))
    }

    fn now(&self) -> i64 {
        self.now.get()
    }

    fn today(&self) -> String {
        self.today.borrow().clone()
    }

    fn random_bytes(&self, length: u32) -> Vec<u8> {
        // The same in every run, so that tests can be repeated.
        (0..=u8::MAX).cycle().take(usize::try_from(length).unwrap_or(0)).collect()
    }

    fn random_id(&self) -> RecordId {
        self.ids.set(self.ids.get() + 1);
        RecordId::from_halves(0x018f_0000_0000_7000, 0x8000_0000_0000_0000 + self.ids.get())
    }

    fn log(&self, level: &str, message: &str) {
        self.log.borrow_mut().push((level.into(), message.into()));
    }

    fn setting(&self, key: &str) -> Option<String> {
        self.settings.borrow().get(key).cloned()
    }

    fn get(&self, entity: &str, id: RecordId, _: &str) -> Result<Option<RawRow>> {
        self.count_call();
        self.entity(entity)?;
        Ok(self.tables.borrow().get(entity).into_iter().flatten().find(|row| row.id == id).map(Row::raw))
    }

    fn find(&self, entity: &str, filter: &str, sort: &str, limit: u32, _: &str) -> Result<Vec<RawRow>> {
        self.count_call();
        let declared = self.entity(entity)?;
        let filter = filter::Filter::parse(declared, filter)?;
        let order = filter::Order::parse(declared, sort)?;
        let tables = self.tables.borrow();
        let mut found: Vec<&Row> =
            tables.get(entity).into_iter().flatten().filter(|row| filter.fits(&row.fields)).collect();
        found.sort_by(|a, b| order.compare(&a.fields, &b.fields));
        Ok(found.into_iter().take(usize::try_from(limit).unwrap_or(1000)).map(Row::raw).collect())
    }

    fn create(&self, entity: &str, fields: &[String], rows: Vec<Vec<u8>>, _: &str) -> Result<Vec<RecordId>> {
        self.count_call();
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let mut made = Vec::with_capacity(rows.len());
            for cells in rows {
                let empty = declared
                    .fields
                    .iter()
                    .map(|field| if field.kind == "money" { vec![0, 0] } else { vec![0] });
                let mut row =
                    Row { id: self.random_id(), version: 1, system: self.system(), fields: empty.collect() };
                fill(declared, &mut row, fields, &cells)?;
                made.push(row);
            }
            let nothing: Vec<Option<Row>> = made.iter().map(|_| None).collect();
            self.run_hook("validate", declared, &mut made, &nothing)?;
            self.run_hook("before_create", declared, &mut made, &nothing)?;
            let before = self.tables.borrow().get(entity).map_or(0, Vec::len);
            number(declared, &mut made, before, &self.today.borrow());
            self.tables.borrow_mut().entry(entity.into()).or_default().extend(made.iter().cloned());
            self.run_hook("after_create", declared, &mut made, &nothing)?;
            Ok(made.into_iter().map(|row| row.id).collect())
        })
    }

    fn update(&self, entity: &str, fields: &[String], changes: Vec<RawChange>, _: &str) -> Result<Vec<u64>> {
        self.count_call();
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let (mut after, mut before) = (Vec::new(), Vec::new());
            for change in changes {
                let tables = self.tables.borrow();
                let row = tables.get(entity).into_iter().flatten().find(|row| row.id == change.id);
                let row = row.ok_or_else(|| Refusal::not_found(entity))?;
                if change.version.is_some_and(|version| version != row.version) {
                    return Err(Refusal::conflict("stale", "the record has changed"));
                }
                let mut changed = Row { version: row.version + 1, ..row.clone() };
                fill(declared, &mut changed, fields, &change.cells)?;
                before.push(Some(row.clone()));
                after.push(changed);
            }
            self.run_hook("validate", declared, &mut after, &before)?;
            self.run_hook("before_update", declared, &mut after, &before)?;
            for changed in &after {
                let mut tables = self.tables.borrow_mut();
                let rows = tables.entry(entity.into()).or_default().iter_mut();
                rows.filter(|row| row.id == changed.id).for_each(|row| *row = changed.clone());
            }
            self.run_hook("after_update", declared, &mut after, &before)?;
            Ok(after.into_iter().map(|row| row.version).collect())
        })
    }

    fn delete(&self, entity: &str, ids: &[RecordId], _: &str) -> Result<()> {
        self.count_call();
        let declared = self.entity(entity)?;
        self.atomically(|| {
            let all = self.tables.borrow().get(entity).cloned().unwrap_or_default();
            let (mut gone, kept): (Vec<Row>, Vec<Row>) =
                all.into_iter().partition(|row| ids.contains(&row.id));
            if gone.len() < ids.len() {
                return Err(Refusal::not_found(entity));
            }
            let before: Vec<Option<Row>> = gone.iter().cloned().map(Some).collect();
            self.run_hook("before_delete", declared, &mut gone, &before)?;
            self.tables.borrow_mut().insert(entity.into(), kept);
            self.run_hook("after_delete", declared, &mut gone, &before)
        })
    }

    fn sql_read(&self, text: &str, _: Vec<u8>) -> Result<RawRows> {
        self.count_call();
        let known = self.answers.borrow().get(text).cloned();
        known.ok_or_else(|| Refusal::failed("no_answer", format!("the test gives no answer to: {text}")))
    }

    fn sql_run(&self, text: &str, _: Vec<Vec<u8>>) -> Result<u64> {
        Err(Refusal::failed("no_answer", format!("there is no SQL in memory: {text}")))
    }

    fn sql_open(&self, text: &str, params: Vec<u8>) -> Result<Box<dyn RawCursor>> {
        self.sql_read(text, params).map(|rows| Box::new(Answer(rows)) as Box<dyn RawCursor>)
    }
}

/// A cursor over an answer that the test gives.
struct Answer(RawRows);

impl RawCursor for Answer {
    fn next(&mut self, max: u32) -> Result<RawRows> {
        let all = std::mem::take(&mut self.0);
        let count = all.count.min(max);
        let mut reader = Reader::new(&all.cells);
        let mut cells = Cells::new();
        for _ in 0..count.saturating_mul(all.columns) {
            cells.push(reader.cell()?);
        }
        let mut rest = Cells::new();
        for _ in 0..(all.count - count).saturating_mul(all.columns) {
            rest.push(reader.cell()?);
        }
        let more = count < all.count;
        self.0 = RawRows { count: all.count - count, cells: rest.into_bytes(), ..all };
        Ok(RawRows { columns: self.0.columns, count, cells: cells.into_bytes(), more })
    }
}
