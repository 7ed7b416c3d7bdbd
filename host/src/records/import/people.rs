//! Import of people: each line creates or changes a user, and its team when there is none of that name.

use std::path::Path;

use csv::StringRecord;

use super::ImportError;
use super::lines::Starts;
use super::run::{self, Reporter, Summary};
use super::spec::{Mode, Spec};
use crate::identity::{Email, IdentityError, NewUser, UserChange};
use crate::ids::TeamId;
use crate::records::error::{Fault, RecordError};
use crate::records::{Records, Scope};

/// Runs the import. A crash leaves whole people; a second run changes those it finds by their external id, so people are
/// always imported with one.
pub(super) fn run(
    engine: &Records,
    scope: &Scope,
    spec: &Spec,
    path: &Path,
    mut progress: Reporter<'_>,
) -> Result<Summary, ImportError> {
    if spec.external_id.is_none() {
        return Err(RecordError::Invalid(vec![Fault {
            pointer: "/spec/external_id".into(),
            code: "required".into(),
            detail: "people are imported by an external id; name its source and column".into(),
        }])
        .into());
    }
    let header = run::header(path, spec)?;
    let total = run::count(path, spec)?;
    let mut reader = run::reader(path, spec)?;
    let (mut summary, mut record) = (Summary::default(), StringRecord::new());
    let _ = reader.headers();
    let mut starts = Starts::new(path)?;
    while next(&mut reader, &mut record)? {
        let line = starts.line(record.position())?;
        let person = Person::of(spec, &header, &record);
        let outcome = match spec.dry_run {
            true => person.check(),
            false => person.write(engine, scope, spec),
        };
        match outcome {
            Ok(true) => summary.created += 1,
            Ok(false) => summary.updated += 1,
            Err(fault) => {
                summary.failed += 1;
                let faults = run::listed(spec, line, &[fault]);
                summary.list(faults);
            }
        }
        progress.report(&summary, total, false)?;
    }
    progress.report(&summary, total, true)?;
    Ok(summary)
}

/// Whether there is another record, which is then in `record`.
fn next(reader: &mut csv::Reader<std::fs::File>, record: &mut StringRecord) -> Result<bool, ImportError> {
    reader.read_record(record).map_err(|error| std::io::Error::other(error.to_string()).into())
}

/// A line of the file.
struct Person {
    external_id: String,
    name: String,
    email: String,
    team: String,
    roles: Vec<String>,
}

impl Person {
    fn of(spec: &Spec, header: &[String], record: &StringRecord) -> Self {
        let cell = |column: &str| {
            let at = header.iter().position(|name| name == column);
            at.and_then(|at| record.get(at)).unwrap_or_default().trim().to_owned()
        };
        let field = |key: &str| {
            let Some(mapping) = spec.mapping.get(key) else {
                return String::new();
            };
            let text = match (&mapping.column, &mapping.constant) {
                (Some(column), _) => cell(column),
                (None, Some(constant)) => constant.as_str().unwrap_or_default().to_owned(),
                (None, None) => String::new(),
            };
            let text = mapping.values.get(&text).cloned().unwrap_or(text);
            let default = mapping.default.as_ref().and_then(serde_json::Value::as_str).unwrap_or_default();
            if text.is_empty() { default.to_owned() } else { text }
        };
        let roles = field("roles")
            .split(';')
            .map(str::trim)
            .filter(|role| !role.is_empty())
            .map(str::to_owned)
            .collect();
        let external_id = spec.external_id.as_ref().map(|id| cell(&id.column)).unwrap_or_default();
        Self { external_id, name: field("name"), email: field("email"), team: field("team"), roles }
    }

    /// What can be said of a line without writing it.
    fn check(&self) -> Result<bool, Fault> {
        let required = |field: &str| Fault::at(field, "required", format!("`{field}` is empty"));
        if self.external_id.is_empty() {
            return Err(required("external_ids"));
        }
        if self.name.is_empty() {
            return Err(required("name"));
        }
        self.email().map(|_| true)
    }

    fn email(&self) -> Result<Option<Email>, Fault> {
        if self.email.is_empty() {
            return Ok(None);
        }
        Email::parse(&self.email)
            .map(Some)
            .map_err(|error| Fault::at("email", "invalid_email", error.to_string()))
    }

    /// Creates (true) or changes (false) the person.
    fn write(self, engine: &Records, scope: &Scope, spec: &Spec) -> Result<bool, Fault> {
        self.check()?;
        let failed = |error: IdentityError| Fault {
            pointer: String::new(),
            code: "not_written".into(),
            detail: error.to_string(),
        };
        let (people, organization) = (&engine.people, scope.organization.id);
        let email = self.email()?;
        let team = self.team(engine, scope).map_err(failed)?;
        let known = people.user_by_external_id(organization, &self.external_id).map_err(failed)?;
        let runtime = tokio::runtime::Handle::current();
        match known {
            Some(_) if spec.mode == Mode::Create => Err(Fault::at(
                "external_ids",
                "not_unique",
                "a person with this external id is there already",
            )),
            Some(user) => {
                let change = UserChange {
                    name: Some(self.name),
                    email: email.map(Some),
                    roles: (!self.roles.is_empty()).then_some(self.roles),
                    team: team.map(Some),
                    ..UserChange::default()
                };
                runtime.block_on(people.update_user(&scope.caller, user.id, change)).map_err(failed)?;
                Ok(false)
            }
            None => {
                let new = NewUser {
                    email,
                    name: self.name,
                    roles: self.roles,
                    team,
                    external_id: Some(self.external_id),
                };
                runtime.block_on(people.create_user(&scope.caller, new)).map_err(failed)?;
                Ok(true)
            }
        }
    }

    fn team(&self, engine: &Records, scope: &Scope) -> Result<Option<TeamId>, IdentityError> {
        if self.team.is_empty() {
            return Ok(None);
        }
        if let Some(team) = engine.people.team_by_name(scope.organization.id, &self.team)? {
            return Ok(Some(team.id));
        }
        let create = engine.people.create_team(&scope.caller, &self.team);
        Ok(Some(tokio::runtime::Handle::current().block_on(create)?.id))
    }
}
