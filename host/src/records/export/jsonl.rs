//! Rows as JSON objects, one on each line, as the API shows records.

use rusqlite::Row;
use rusqlite::types::ValueRef;

use super::plan::Plan;
use super::titles::Titles;
use crate::records::error::RecordError;
use crate::records::json::{Form, write_text, write_value};

/// The line of a row.
pub(super) fn row(
    plan: &Plan,
    row: &Row<'_>,
    titles: &mut Titles<'_>,
    out: &mut Vec<u8>,
) -> Result<(), RecordError> {
    out.push(b'{');
    for (at, member) in plan.members.iter().enumerate() {
        if at > 0 {
            out.push(b',');
        }
        out.extend_from_slice(member.json_key.as_bytes());
        let value = row.get_ref(member.at)?;
        let second = match member.form {
            Form::Money => row.get_ref(member.at + 1)?,
            _ => ValueRef::Null,
        };
        write_value(&member.form, value, second, out);
        let Some((key, of)) = &member.title else {
            continue;
        };
        out.push(b',');
        out.extend_from_slice(key.as_bytes());
        match (value, plan.targets.get(*of)) {
            (ValueRef::Blob(id), Some(target)) => {
                let mut title = String::new();
                titles.write(*of, target, id, &mut title)?;
                write_text(&title, out);
            }
            _ => out.extend_from_slice(b"null"),
        }
    }
    out.extend_from_slice(b"}\n");
    Ok(())
}
