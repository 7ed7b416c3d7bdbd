//! Notes about the accounts of the CRM: one entity, one action, one report.

use stoa_sdk::prelude::*;

/// Something worth remembering about an account.
#[entity(key = "note", plural = "notes", title = "text")]
pub struct Note {
    #[field(max = 1_000, searchable = 5)]
    text: String,
    /// The company that it is about.
    #[field(references = "crm.account", on_delete = "detach", inverse = "notes", indexed)]
    account: Option<RecordId>,
    #[field(read_only, default = false)]
    pinned: bool,
}

/// `POST /api/v1/notes/notes/{id}/pin`
fn pin(ctx: &Context, id: Reference<Note>, _: ()) -> Result<()> {
    let mut note = ctx.records::<Note>().get(id)?;
    if note.pinned {
        return Err(Refusal::conflict("already_pinned", "the note is pinned already"));
    }
    note.pinned = true;
    ctx.records().save(&mut note)
}

/// An account and the number of its notes that the caller may read.
#[entity(row)]
pub struct Line {
    #[field(references = "crm.account")]
    account: RecordId,
    notes: i64,
}

/// `GET /api/v1/notes/reports/known`
fn known(ctx: &Context, _: ()) -> Result<Report<Line>> {
    let text = sql!(
        "select account, count(*) from visible_note where account is not null ",
        "group by account order by 2 desc, 1 limit 100"
    );
    ctx.sql().read(text, &[]).map(Report::new)
}

stoa_sdk::plugin! {
    id: "notes",
    name: "Notes",
    module: "notes",
    requires: ["crm"],
    entities: [Note],
    actions: [{ key: "note.pin", run: pin, on: record, mode: write, label: "Pin" }],
    reports: [{ key: "known", run: known, reads: Note, label: "Known", help: "Notes per account." }],
    grants: [
        Grant::new("manager", "team", "notes.note", &["list", "read", "create", "update", "delete", "pin"]),
        Grant::new("rep", "own", "notes.note", &["list", "read", "create", "update", "pin"]),
        Grant::new("readonly", "org", "notes.note", &["list", "read"]),
    ],
}

#[cfg(test)]
mod tests;
