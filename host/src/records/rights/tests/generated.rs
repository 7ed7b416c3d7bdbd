//! What the agreement is tried on: generated schemas, records, policies and principals. All small numbers, so that equal
//! ids and values meet often and a failing case shrinks to something that can be read.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value as Json, json};

use crate::caller::{Principal, PrincipalKind};
use crate::clock::{UnixMillis, civil};
use crate::ids::{PolicyId, PrincipalId, TeamId};
use crate::policy::condition::BYTES;
use crate::policy::{Addition, Label, Overlay, Scope as Reach, Words};
use crate::records::schema::{Choice, Entity, Field, Kind};
use crate::records::tests::garden::{entity, field};

pub(super) const OBJECT: &str = "garden.tree";
const ROLES: [&str; 4] = ["a", "b", "c", "d"];
pub(super) const LABELS: [Label; 5] =
    [Label::Public, Label::Internal, Label::Personal, Label::Restricted, Label::Secret];
const CHOICES: [&str; 3] = ["red", "green", "blue"];
const TEXTS: [&str; 6] = ["oak", "Oak tree", "elm", "EUR", "e", "x%_"];
const DAYS: [&str; 6] = ["2023-11-13", "2023-11-14", "2023-11-15", "1999-12-31", "2024-02-29", "2023-01-01"];

pub(super) fn person(number: u8) -> PrincipalId {
    PrincipalId::from_bytes([number + 1; 16])
}

pub(super) fn team(number: u8) -> TeamId {
    TeamId::from_bytes([number + 101; 16])
}

#[derive(Clone, Copy, Debug)]
pub(super) enum Sort {
    Integer,
    Text,
    Boolean,
    Date,
    Option,
}

impl Sort {
    fn kind(self) -> Kind {
        let choice = |key: &str| Choice { key: key.into(), label: key.into(), archived: false };
        match self {
            Self::Integer => Kind::Integer,
            Self::Text => Kind::Text,
            Self::Boolean => Kind::Boolean,
            Self::Date => Kind::Date,
            Self::Option => Kind::Option(CHOICES.map(choice).to_vec()),
        }
    }

    /// The value with this number.
    fn value(self, number: u8) -> Json {
        let at = usize::from(number);
        match self {
            Self::Integer => json!(i64::from(number) - 2),
            Self::Text => json!(TEXTS[at % TEXTS.len()]),
            Self::Boolean => json!(number.is_multiple_of(2)),
            Self::Date => json!(DAYS[at % DAYS.len()]),
            Self::Option => json!(CHOICES[at % CHOICES.len()]),
        }
    }

    const fn operators(self) -> &'static [&'static str] {
        match self {
            Self::Integer => &["eq", "ne", "gt", "gte", "lt", "lte", "in", "nin", "empty"],
            Self::Text => &["eq", "ne", "contains", "starts", "in", "nin", "gt", "empty"],
            Self::Boolean => &["eq", "ne", "empty"],
            Self::Date => &["eq", "ne", "gt", "gte", "lt", "lte", "in", "empty"],
            Self::Option => &["eq", "ne", "in", "nin", "contains", "empty"],
        }
    }
}

/// The fields `f0`, `f1`… that a tree has beside its name.
#[derive(Clone, Debug)]
pub(super) struct Schema(pub(super) Vec<(Sort, Label)>);

impl Schema {
    pub(super) fn entity(&self) -> Arc<Entity> {
        let named = Field { required: true, indexed: true, ..field("name", Kind::Text) };
        let made = |(at, (sort, class)): (usize, &(Sort, Label))| Field {
            class: *class,
            ..field(&format!("f{at}"), sort.kind())
        };
        entity("tree", std::iter::once(named).chain(self.0.iter().enumerate().map(made)).collect(), &[])
    }

    /// Every field's label.
    pub(super) fn labels(&self) -> Vec<(String, Label)> {
        let made = self.0.iter().enumerate().map(|(at, (_, label))| (format!("f{at}"), *label));
        std::iter::once(("name".to_owned(), Label::Internal)).chain(made).collect()
    }
}

/// A share: the number of a person or, from 4 on, of a team.
#[derive(Clone, Copy, Debug)]
pub(super) struct Lent {
    pub(super) with: u8,
    pub(super) update: bool,
    pub(super) ended: bool,
}

#[derive(Clone, Debug)]
pub(super) struct Tree {
    pub(super) owner: Option<u8>,
    pub(super) team: Option<u8>,
    pub(super) by: u8,
    pub(super) values: [Option<u8>; 5],
    pub(super) shares: Vec<Lent>,
}

impl Tree {
    /// Its members as they are created.
    pub(super) fn members(&self, schema: &Schema, name: String) -> Json {
        let mut members = json!({ "name": name });
        for (at, ((sort, _), value)) in schema.0.iter().zip(self.values).enumerate() {
            if let Some(number) = value {
                members[format!("f{at}")] = sort.value(number);
            }
        }
        members
    }

    /// What a condition may look at, in plain JSON.
    pub(super) fn facts(&self, schema: &Schema, who: &Principal, now: UnixMillis) -> Map<String, Json> {
        let mut facts = self.members(schema, String::new());
        facts["owner_id"] = json!(self.owner.map(person));
        facts["team_id"] = json!(self.team.map(team));
        facts["created_by"] = json!(person(self.by));
        facts["user.id"] = json!(who.id);
        facts["user.team"] = json!(who.teams.first());
        let below: Vec<&TeamId> = who.teams.iter().chain(who.subteams.iter()).collect();
        for (word, teams) in [("user.teams", who.teams.iter().collect()), ("user.subteams", below)] {
            facts[word] = if teams.is_empty() { Json::Null } else { json!(teams) };
        }
        facts["env.now"] = json!(civil(now, "UTC").to_string());
        facts["organization.currency"] = json!("EUR");
        facts.as_object().cloned().unwrap()
    }

    pub(super) fn shared_with(&self, who: &Principal, changing: bool) -> bool {
        self.shares.iter().filter(|lent| !lent.ended && (lent.update || !changing)).any(|lent| {
            match lent.with {
                with @ 0..4 => person(with) == who.id,
                with => who.teams.contains(&team(with - 4)),
            }
        })
    }
}

/// A condition before it is known which fields there are.
#[derive(Clone, Debug)]
pub(super) enum Part {
    Test(u8, u8, u8),
    /// A test that asks who or when.
    Asker(u8, u8),
    And(Vec<Part>),
    Or(Vec<Part>),
    Not(Box<Part>),
}

impl Part {
    fn json(&self, schema: &Schema) -> Json {
        let all = |parts: &[Self]| parts.iter().map(|part| part.json(schema)).collect::<Vec<_>>();
        match self {
            Self::And(parts) => json!({ "and": all(parts) }),
            Self::Or(parts) => json!({ "or": all(parts) }),
            Self::Not(inner) => json!({ "not": inner.json(schema) }),
            Self::Test(at, op, value) => {
                let at = usize::from(*at) % schema.0.len();
                let sort = schema.0[at].0;
                let op = sort.operators()[usize::from(*op) % sort.operators().len()];
                let value = match op {
                    "empty" => json!(value % 2 == 0),
                    "in" | "nin" => json!([sort.value(*value), sort.value(value + 2)]),
                    _ => sort.value(*value),
                };
                json!({ "field": format!("f{at}"), "op": op, "value": value })
            }
            Self::Asker(which, at) => {
                let (field, op, word) = match which % 8 {
                    0 => ("owner_id", "eq", "user.id"),
                    1 => ("created_by", "ne", "user.id"),
                    2 => ("team_id", "in", "user.teams"),
                    3 => ("team_id", "nin", "user.subteams"),
                    4 => ("team_id", "in", "user.subteams"),
                    5 => ("team_id", "ne", "user.team"),
                    _ => return self.moment(schema, usize::from(*at)),
                };
                json!({ "field": field, "op": op, "value": { "var": word } })
            }
        }
    }

    /// A day against today, a text against the currency; what else the field is, against a value.
    fn moment(&self, schema: &Schema, at: usize) -> Json {
        let at = at % schema.0.len();
        let (op, value) = match schema.0[at].0 {
            Sort::Date => ("lt", json!({ "var": "env.now" })),
            Sort::Text => ("eq", json!({ "var": "organization.currency" })),
            other => ("eq", other.value(1)),
        };
        json!({ "field": format!("f{at}"), "op": op, "value": value })
    }

    /// As it is written; only its beginning when it would be too long.
    fn text(&self, schema: &Schema) -> String {
        let text = self.json(schema).to_string();
        match self {
            Self::And(parts) | Self::Or(parts) if text.len() > BYTES => parts[0].text(schema),
            Self::Not(inner) if text.len() > BYTES => inner.text(schema),
            _ => text,
        }
    }
}

/// A row before it is known which fields there are.
#[derive(Clone, Debug)]
pub(super) enum Said {
    Records { of: u8, action: &'static str, reach: Reach, condition: Option<Part>, deny: bool },
    Field { of: u8, field: u8, update: bool, deny: bool },
    Label { of: u8, label: u8, update: bool, deny: bool },
}

impl Said {
    fn words(&self, schema: &Schema) -> Words {
        let effect = |deny: bool| if deny { "deny" } else { "allow" }.to_owned();
        let field = |of: u8, name: String, update: bool, deny: bool| Words {
            subject: subject(of),
            object: format!("{OBJECT}#{name}"),
            action: if update { "update" } else { "read" }.to_owned(),
            scope: "org".to_owned(),
            condition: String::new(),
            effect: effect(deny),
        };
        match self {
            Self::Field { of, field: at, update, deny } => {
                field(*of, format!("f{}", usize::from(*at) % schema.0.len()), *update, *deny)
            }
            Self::Label { of, label, update, deny } => {
                let label = LABELS[usize::from(*label) % LABELS.len()];
                field(*of, format!("@{}", label.as_str()), *update, *deny)
            }
            Self::Records { of, action, reach, condition, deny } => {
                let reach = if *action == "delete" && *reach == Reach::Shared { Reach::Own } else { *reach };
                Words {
                    subject: subject(*of),
                    object: OBJECT.to_owned(),
                    action: (*action).to_owned(),
                    scope: reach.as_str().to_owned(),
                    condition: condition.as_ref().map(|part| part.text(schema)).unwrap_or_default(),
                    effect: effect(*deny),
                }
            }
        }
    }
}

fn subject(number: u8) -> String {
    match number % 10 {
        role @ 0..4 => format!("role:{}", ROLES[usize::from(role)]),
        at @ (4 | 5) => format!("user:{}", person(at - 4)),
        at @ (6 | 7) => format!("team:{}", team(at - 6)),
        at => format!("svc:{}", person(at - 8)),
    }
}

/// A policy and who asks.
#[derive(Clone, Debug)]
pub(super) struct Case {
    pub(super) rows: Vec<Said>,
    /// Heir and ancestor among the roles.
    pub(super) links: Vec<(usize, usize)>,
    pub(super) askers: Vec<Asker>,
}

/// Who asks.
#[derive(Clone, Debug, PartialEq)]
pub(super) struct Asker {
    pub(super) number: u8,
    pub(super) program: bool,
    pub(super) roles: Vec<&'static str>,
    pub(super) teams: Vec<u8>,
    pub(super) below: Vec<u8>,
    /// What its credential is limited to.
    pub(super) limits: Option<&'static str>,
}

impl Asker {
    pub(super) fn who(&self) -> Principal {
        let kind = if self.program { PrincipalKind::Service } else { PrincipalKind::User };
        let teams = |numbers: &[u8]| numbers.iter().copied().map(team).collect::<Vec<_>>();
        let mut who = Principal::new(person(self.number), kind, "somebody")
            .with_roles(self.roles.iter().copied())
            .with_teams(teams(&self.teams));
        who.subteams = teams(&self.below).into();
        who.limits = self.limits.map(|limit| [Arc::from(limit)].into());
        who
    }
}

impl Case {
    /// The shipped part, which makes the words known, and the rows as an organization's own, each once.
    pub(super) fn policy(&self, schema: &Schema) -> (String, Overlay) {
        let mut text: String =
            ROLES.map(|role| format!("p, role:{role}, *, garden.bed, read, own, , allow\n")).concat();
        text.push_str("p, role:z, *, garden.tree, read, org, , allow\n");
        for (heir, ancestor) in self.links.iter().filter(|(heir, ancestor)| heir < ancestor) {
            text.push_str(&format!("g, role:{}, role:{}, *\n", ROLES[*heir], ROLES[*ancestor]));
        }
        let mut rows: Vec<Addition> = Vec::new();
        for words in self.rows.iter().map(|said| said.words(schema)) {
            if rows.iter().all(|row| row.words != words) {
                let (reason, created_by) = (String::new(), person(0));
                rows.push(Addition { id: PolicyId::new(), words, reason, created_at: 0, created_by });
            }
        }
        (text, Overlay { roles: Vec::new(), rows })
    }

    /// Who asks, each once.
    pub(super) fn askers(&self) -> Vec<&Asker> {
        let mut askers: Vec<&Asker> = Vec::with_capacity(self.askers.len());
        for asker in &self.askers {
            if !askers.contains(&asker) {
                askers.push(asker);
            }
        }
        askers
    }

    /// The policy as it is written, and who of them asks.
    pub(super) fn told(&self, schema: &Schema, askers: &[&Asker]) -> String {
        let mut told = format!("  links {:?}", self.links);
        for asker in askers {
            told.push_str(&format!("\n  asks: {asker:?}"));
        }
        for words in self.rows.iter().map(|said| said.words(schema)) {
            let Words { subject, object, action, scope, condition, effect } = words;
            told.push_str(&format!("\n  {effect} {subject} {action} {object} {scope} {condition}"));
        }
        told
    }
}

/// Records of one schema, and policies that decide on them.
#[derive(Clone)]
pub(super) struct Ground {
    pub(super) schema: Schema,
    pub(super) trees: Vec<Tree>,
    pub(super) cases: Vec<Case>,
}

/// What fails is told as it would be written: fields, records, rows, who asks.
impl fmt::Debug for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f)?;
        for (at, (sort, label)) in self.schema.0.iter().enumerate() {
            writeln!(f, "  field f{at}: {sort:?}, {}", label.as_str())?;
        }
        for (at, tree) in self.trees.iter().enumerate() {
            let members = tree.members(&self.schema, format!("tree {at}"));
            let Tree { owner, team, by, shares, .. } = tree;
            writeln!(f, "  {members} owner {owner:?} team {team:?} by {by} shares {shares:?}")?;
        }
        self.cases.iter().try_for_each(|case| writeln!(f, "{}", case.told(&self.schema, &case.askers())))
    }
}
