//! What casbin says of a policy, asked record by record: what tests hold the index and SQLite against. Never asked outside
//! of tests.

use casbin::{CoreApi, Enforcer, MgmtApi};
use serde_json::{Map, Value as Json};

use super::rows::{Rows, Rule, base};
use super::{FieldUse, Label, Overlay, PolicyError, PolicyIndex, Row, Scope, Subject, model};
use crate::caller::{Principal, PrincipalKind};
use crate::clock::Clock;
use crate::ids::{OrganizationId, TeamId};
use crate::policy::Effect;

const HERE: &str = "here";

/// A record, as casbin is asked about it.
pub(crate) struct Asked {
    /// Its owner, or nothing.
    pub(crate) owner: String,
    /// Its team, or nothing.
    pub(crate) team: String,
    /// Whether it is shared with who asks.
    pub(crate) shared: bool,
    /// Its fields by key and the variables by word.
    pub(crate) facts: Map<String, Json>,
}

/// Casbin over one policy, for one principal.
pub(crate) struct Reference {
    enforcer: Enforcer,
    id: String,
    asker: String,
}

/// The index over a policy text, in the format of `roles.csv`, and what an organization added to it.
pub(crate) async fn index(text: &str, overlay: &Overlay, clock: Clock) -> Result<PolicyIndex, PolicyError> {
    let rows = Rows::collect(text, &[], overlay)?;
    super::build(model::MODEL, OrganizationId::new(), rows, clock).await
}

impl Reference {
    /// The same policy in casbin, the principal linked to its roles, its teams and itself for the purpose.
    ///
    /// What a label says by itself becomes rows, and a row on a label becomes one on each field that has it, so that
    /// casbin answers for fields as it does for records.
    pub(crate) async fn of(
        text: &str,
        overlay: &Overlay,
        fields: (&str, &[(String, Label)]),
        who: &Principal,
    ) -> Self {
        let mut rows = Rows::collect(text, &[], overlay).unwrap();
        let program = matches!(who.kind, PrincipalKind::ApiKey | PrincipalKind::Service);
        let own = if program { Subject::Service(who.id) } else { Subject::User(who.id) };
        labels(&mut rows, fields, &own);
        let mut enforcer = model::enforcer(model::MODEL, HERE, &rows).await.unwrap();
        let id = who.id.to_string();
        let roles = who.roles.iter().map(|role| format!("role:{role}"));
        let teams = who.teams.iter().map(|team| format!("team:{team}"));
        for subject in roles.chain(teams).chain([own.to_string()]) {
            enforcer.add_grouping_policy(vec![id.clone(), subject, HERE.to_owned()]).await.unwrap();
        }
        let spaced = |teams: &[TeamId]| teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
        let asker = format!("{id}|{}|{}", spaced(&who.teams), spaced(&who.subteams));
        Self { enforcer, id, asker }
    }

    /// Whether the principal may do this with the record.
    pub(crate) fn lets(&self, object: &str, action: &str, record: &Asked) -> bool {
        let shared = if record.shared { "shared" } else { "" };
        let told = format!("{}|{}|{shared}", record.owner, record.team);
        let facts = serde_json::to_string(&record.facts).unwrap();
        let request = [&self.id, HERE, object, action, &self.asker, &told, &facts];
        self.enforcer.enforce(request.map(str::to_owned).to_vec()).unwrap()
    }

    /// Whether the principal may read, or write, a field.
    pub(crate) fn lets_field(&self, object: &str, field: &str, by: FieldUse) -> bool {
        let nothing = Asked { owner: String::new(), team: String::new(), shared: false, facts: Map::new() };
        self.lets(&format!("{object}#{field}"), by.action(), &nothing)
    }
}

/// Writes out what labels mean: rows on `#@label` for each field, and what holds of a label where no row speaks.
fn labels(rows: &mut Rows, (object, fields): (&str, &[(String, Label)]), own: &Subject) {
    let mut more: Vec<Rule> = Vec::new();
    let origin = rows.rules[0].origin;
    for (field, label) in fields {
        let named = format!("{object}#{field}");
        let labelled = format!("{object}#@{}", label.as_str());
        let same = rows
            .rules
            .iter()
            .filter(|rule| base(&rule.row.object) == object && *rule.row.object == *labelled);
        more.extend(
            same.map(|rule| Rule { row: Row { object: named.as_str().into(), ..rule.row.clone() }, origin }),
        );
        for by in [FieldUse::Read, FieldUse::Write] {
            let effect = match (label, by) {
                (Label::Restricted, _) => continue,
                (Label::Secret, FieldUse::Read) => Effect::Deny,
                _ => Effect::Allow,
            };
            let (subject, action) = (own.clone(), by.action().into());
            let row = Row {
                subject,
                object: named.as_str().into(),
                action,
                scope: Scope::Org,
                condition: None,
                effect,
            };
            more.push(Rule { row, origin });
        }
    }
    for rule in more {
        if rows.rules.iter().all(|there| there.row != rule.row) {
            rows.rules.push(rule);
        }
    }
}
