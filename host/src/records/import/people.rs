//! Import of people: each line creates or changes a user, and its team when there is none of that name.

use std::collections::{HashMap, HashSet};
use std::path::Path;

use super::ImportError;
use super::batch::listed;
use super::file::Lines;
use super::person::{Person, covered, fault_of, giveable};
use super::run::{Reporter, Summary};
use super::source::Source;
use super::spec::{Mode, Spec};
use crate::identity::{Email, IdentityError, NewUser, User, UserChange};
use crate::ids::{PrincipalId, TeamId};
use crate::jobs::Job;
use crate::records::error::Fault;
use crate::records::{Records, Scope};

/// What an import of people needs.
pub(super) struct Plan<'a> {
    pub(super) engine: &'a Records,
    pub(super) scope: &'a Scope,
    pub(super) spec: &'a Spec,
    pub(super) job: &'a Job,
    pub(super) path: &'a Path,
    pub(super) source: &'a Source,
}

/// Runs the import. A crash leaves whole people; a second run finds them by their external id, so people are always
/// imported with one.
pub(super) fn run(plan: &Plan<'_>, mut progress: Reporter<'_>) -> Result<Summary, ImportError> {
    let total = plan.source.rows;
    let mut lines = Lines::open(plan.path, plan.source)?;
    let (mut summary, mut earlier) = (Summary::default(), Earlier::default());
    while let Some(line) = lines.next()? {
        let person = line.cells.map(|cells| Person::of(plan.spec, plan.source, &cells));
        match person.and_then(|person| plan.take(person, &mut earlier)) {
            Ok(true) => summary.created += 1,
            Ok(false) => summary.updated += 1,
            Err(fault) => {
                summary.failed += 1;
                summary.list(listed(plan.spec, line.number, &[fault]));
            }
        }
        progress.report(&summary, total, false)?;
    }
    progress.report(&summary, total, true)?;
    Ok(summary)
}

/// What the lines so far did.
#[derive(Default)]
struct Earlier {
    /// External ids of people who were taken.
    people: HashSet<String>,
    /// Of a dry run: addresses that somebody would have by now, and whose they would be.
    emails: HashMap<String, String>,
    /// Of a dry run: people whose stored address would not be theirs any more.
    moved: HashSet<String>,
}

impl Earlier {
    /// Remembers what a dry run did not write.
    fn pretend(&mut self, person: &Person, email: Option<&Email>) {
        let Some(email) = email else {
            return;
        };
        let id = &person.external_id;
        if self.people.contains(id) {
            self.emails.retain(|_, holder| holder != id);
        }
        self.emails.insert(email.key().to_owned(), id.clone());
        self.moved.insert(id.clone());
    }
}

/// What a line comes to.
enum Step {
    Create,
    Change(PrincipalId),
    /// An earlier line of a dry run would have made the person.
    ChangeEarlier,
    /// This job made the person before it was interrupted.
    Done,
}

impl Plan<'_> {
    /// Takes one line; whether the person is new.
    fn take(&self, person: Person, earlier: &mut Earlier) -> Result<bool, Fault> {
        let email = person.checked()?;
        let step = self.judge(&person, email.as_ref(), earlier)?;
        let created = matches!(step, Step::Create | Step::Done);
        let id = person.external_id.clone();
        if self.spec.dry_run {
            earlier.pretend(&person, email.as_ref());
        } else {
            self.write(person, email, step)?;
        }
        earlier.people.insert(id);
        Ok(created)
    }

    /// Whether the line can be written, and how; the same for a dry run.
    fn judge(&self, person: &Person, email: Option<&Email>, earlier: &Earlier) -> Result<Step, Fault> {
        let (people, organization) = (&self.engine.people, self.scope.organization.id);
        let by = &self.scope.caller.principal;
        let known = people.user_by_external_id(organization, &person.external_id).map_err(fault_of)?;
        let again = earlier.people.contains(&person.external_id);
        let create = self.spec.mode == Mode::Create;
        let step = match &known {
            Some(user) if create && !again && self.made(user, person) => return Ok(Step::Done),
            Some(user) if !create => Step::Change(user.id),
            None if self.spec.mode == Mode::Update && !again => {
                let detail = "there is no person with this external id";
                return Err(Fault::at("external_ids", "record_not_found", detail));
            }
            None if !again || !self.spec.dry_run => Step::Create,
            None if !create => Step::ChangeEarlier,
            _ => {
                let detail = "a person with this external id is there already";
                return Err(Fault::at("external_ids", "not_unique", detail));
            }
        };
        if let Some(user) = &known
            && (email.is_some() || !person.roles.is_empty())
        {
            covered(by, &user.roles).map_err(fault_of)?;
        }
        if matches!(step, Step::Create) || !person.roles.is_empty() {
            giveable(by, &person.roles).map_err(fault_of)?;
        }
        if let Some(email) = email
            && self.taken(person, email, earlier).map_err(fault_of)?
        {
            return Err(fault_of(IdentityError::Taken { field: "email" }));
        }
        Ok(step)
    }

    /// Whether this job made the user from this line, in a run that was interrupted.
    fn made(&self, user: &User, person: &Person) -> bool {
        !self.spec.dry_run
            && user.created_at >= self.job.created_at
            && user.created_by == self.scope.caller.principal.id
            && user.name == person.name
    }

    /// Whether somebody else has the address.
    fn taken(&self, person: &Person, email: &Email, earlier: &Earlier) -> Result<bool, IdentityError> {
        if earlier.emails.get(email.key()).is_some_and(|holder| *holder != person.external_id) {
            return Ok(true);
        }
        let holder = self.engine.people.user_by_email(self.scope.organization.id, email.as_str())?;
        Ok(holder.is_some_and(|holder| match holder.external_id {
            Some(id) => id != person.external_id && !earlier.moved.contains(&id),
            None => true,
        }))
    }

    fn write(&self, person: Person, email: Option<Email>, step: Step) -> Result<(), Fault> {
        let (people, caller) = (&self.engine.people, &self.scope.caller);
        let runtime = tokio::runtime::Handle::current();
        match step {
            Step::Create => {
                let team = self.team(&person.team)?;
                let (name, roles) = (person.name, person.roles);
                let new = NewUser { email, name, roles, team, external_id: Some(person.external_id) };
                runtime.block_on(people.create_user(caller, new)).map(drop).map_err(fault_of)
            }
            Step::Change(id) => {
                let change = UserChange {
                    name: Some(person.name),
                    email: email.map(Some),
                    roles: (!person.roles.is_empty()).then_some(person.roles),
                    team: self.team(&person.team)?.map(Some),
                    ..UserChange::default()
                };
                runtime.block_on(people.update_user(caller, id, change)).map(drop).map_err(fault_of)
            }
            Step::ChangeEarlier | Step::Done => Ok(()),
        }
    }

    /// The team of this name, made when there is none. Whatever is wrong with it is a fault of the line.
    fn team(&self, name: &str) -> Result<Option<TeamId>, Fault> {
        if name.is_empty() {
            return Ok(None);
        }
        let people = &self.engine.people;
        let find = || people.team_by_name(self.scope.organization.id, name);
        let found = match find() {
            Ok(None) => {
                let create = people.create_team(&self.scope.caller, name);
                match tokio::runtime::Handle::current().block_on(create) {
                    Err(IdentityError::Taken { .. }) => find(), // somebody was quicker
                    made => made.map(Some),
                }
            }
            found => found,
        };
        let fault = |error: IdentityError| Fault { pointer: "/team".into(), ..fault_of(error) };
        Ok(found.map_err(fault)?.map(|team| team.id))
    }
}
