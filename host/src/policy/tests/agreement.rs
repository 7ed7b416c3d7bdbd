//! Casbin and the index decide the same, for any policy, principal and record: conditions, denies, shares and teams below
//! included. The record engine's own property test holds SQLite equal to the index.

use casbin::{CoreApi, MgmtApi};
use proptest::prelude::*;
use serde_json::{Map, Value as Json, json};
use tokio::runtime::Runtime;

use super::*;
use crate::clock::UnixMillis;
use crate::ids::PolicyId;
use crate::policy::{Addition, Condition, Record, Words};

/// Policies that are generated, and questions that are asked of each: 10,000 decisions and more.
const CASES: u32 = 250;
const ROLES: [&str; 4] = ["a", "b", "c", "d"];
const CONDITIONS: [&str; 8] = [
    "",
    "",
    r#"{"field":"height","op":"lt","value":5}"#,
    r#"{"not":{"field":"height","op":"gte","value":5}}"#,
    r#"{"or":[{"field":"kind","value":"oak"},{"field":"height","op":"gt","value":7}]}"#,
    r#"{"and":[{"field":"kind","op":"ne","value":"oak"},{"not":{"field":"height","value":3}}]}"#,
    r#"{"field":"kind","op":"empty","value":true}"#,
    r#"{"field":"by","value":{"var":"user.id"}}"#,
];

/// Small pools, so that equal ids meet often.
fn person(number: u8) -> PrincipalId {
    PrincipalId::from_bytes([number + 1; 16])
}

fn team(number: u8) -> TeamId {
    TeamId::from_bytes([number + 101; 16])
}

#[derive(Clone, Debug)]
struct Tree {
    owner: Option<u8>,
    team: Option<u8>,
    shared: bool,
    fields: (Option<i64>, Option<&'static str>, Option<u8>),
}

impl Tree {
    fn facts(&self, who: &Principal) -> Map<String, Json> {
        let (height, kind, by) = self.fields;
        let by = by.map(|by| person(by).to_string());
        let json = json!({ "height": height, "kind": kind, "by": by, "user.id": who.id.to_string() });
        json.as_object().cloned().unwrap()
    }
}

struct Seen<'a>(&'a Tree, &'a Principal);

impl Record for Seen<'_> {
    fn owner(&self) -> Option<PrincipalId> {
        self.0.owner.map(person)
    }

    fn team(&self) -> Option<TeamId> {
        self.0.team.map(team)
    }

    fn shared(&self, _: bool, _: UnixMillis) -> bool {
        self.0.shared
    }

    fn holds(&self, condition: &Condition, absent: bool, _: UnixMillis) -> bool {
        condition.holds(&self.0.facts(self.1)).unwrap_or(absent)
    }
}

fn row() -> impl Strategy<Value = Words> {
    let subjects = ROLES
        .iter()
        .map(|role| format!("role:{role}"))
        .chain([format!("user:{}", person(0)), format!("team:{}", team(0))]);
    (
        prop::sample::select(subjects.collect::<Vec<_>>()),
        prop::sample::select(vec!["read", "update"]),
        prop::sample::select(Scope::ALL.to_vec()),
        prop::sample::select(&CONDITIONS[..]),
        prop_oneof![4 => Just(Effect::Allow), 1 => Just(Effect::Deny)],
    )
        .prop_map(|(subject, action, scope, condition, effect)| Words {
            subject,
            object: "garden.tree".to_owned(),
            action: action.to_owned(),
            scope: scope.as_str().to_owned(),
            condition: condition.to_owned(),
            effect: effect.as_str().to_owned(),
        })
}

fn tree() -> impl Strategy<Value = Tree> {
    let kind = prop::option::of(prop::sample::select(vec!["oak", "elm"]));
    let fields = (prop::option::of(0..10_i64), kind, prop::option::of(0..2_u8));
    let of = || prop::option::of(0..4_u8);
    (of(), of(), any::<bool>(), fields).prop_map(|(owner, team, shared, fields)| Tree {
        owner,
        team,
        shared,
        fields,
    })
}

#[derive(Debug)]
struct Case {
    rows: Vec<Words>,
    /// Heir and ancestor; the heir's number is lower, so that there is no circle.
    links: Vec<(usize, usize)>,
    roles: Vec<&'static str>,
    teams: (Vec<u8>, Vec<u8>),
    trees: Vec<Tree>,
}

fn case() -> impl Strategy<Value = Case> {
    let rows = prop::collection::vec(row(), 1..16);
    let links = prop::collection::hash_set((0..4_usize, 0..4_usize), 0..3)
        .prop_map(|set| set.into_iter().filter(|(heir, ancestor)| heir < ancestor).collect());
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d", "unknown"], 0..=3);
    let teams = || prop::sample::subsequence(vec![0, 1, 2], 0..=2);
    let trees = prop::collection::vec(tree(), 20..=20);
    (rows, links, names, (teams(), teams()), trees).prop_map(|(rows, links, roles, teams, trees)| Case {
        rows,
        links,
        roles,
        teams,
        trees,
    })
}

/// The rows as an organization's own, each once; and rows that make the words known.
fn policy_of(case: &Case) -> (String, Overlay) {
    let mut text = String::new();
    for role in ROLES {
        text.push_str(&format!("p, role:{role}, *, garden.bed, read, own, , allow\n"));
    }
    text.push_str("p, role:z, *, garden.tree, read, org, , allow\n");
    for (heir, ancestor) in &case.links {
        text.push_str(&format!("g, role:{}, role:{}, *\n", ROLES[*heir], ROLES[*ancestor]));
    }
    let mut rows: Vec<Addition> = Vec::new();
    for words in &case.rows {
        if rows.iter().all(|row| row.words != *words) {
            rows.push(Addition {
                id: PolicyId::new(),
                words: words.clone(),
                reason: String::new(),
                created_at: 0,
                created_by: person(0),
            });
        }
    }
    (text, Overlay { roles: Vec::new(), rows })
}

/// What casbin says of each tree, the principal linked to its roles and teams for the purpose.
async fn casbin_says(case: &Case, who: &Principal, rows: &Rows, action: &str) -> Vec<bool> {
    let mut enforcer = model::enforcer(model::MODEL, "here", rows).await.unwrap();
    let id = who.id.to_string();
    let roles = case.roles.iter().map(|role| format!("role:{role}"));
    let teams = who.teams.iter().map(|team| format!("team:{team}"));
    for subject in roles.chain(teams).chain([format!("user:{id}")]) {
        enforcer.add_grouping_policy(vec![id.clone(), subject, "here".to_owned()]).await.unwrap();
    }
    let spaced = |teams: &[TeamId]| teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let asker = format!("{id}|{}|{}", spaced(&who.teams), spaced(&who.subteams));
    let ask = |tree: &Tree| {
        let owner = tree.owner.map(|one| person(one).to_string()).unwrap_or_default();
        let of = tree.team.map(|one| team(one).to_string()).unwrap_or_default();
        let record = format!("{owner}|{of}|{}", if tree.shared { "shared" } else { "" });
        let facts = Json::Object(tree.facts(who)).to_string();
        let request = [id.as_str(), "here", "garden.tree", action, &asker, &record, &facts];
        enforcer.enforce(request.map(str::to_owned).to_vec()).unwrap()
    };
    case.trees.iter().map(ask).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(CASES))]

    #[test]
    fn casbin_and_the_index_agree(case in case()) {
        let runtime = Runtime::new().unwrap();
        let (text, overlay) = policy_of(&case);
        let teams: Vec<TeamId> = case.teams.0.iter().copied().map(team).collect();
        let mut who = principal(person(0), &case.roles, &teams);
        who.subteams = case.teams.1.iter().copied().map(team).collect();
        let index = runtime.block_on(compile_with(&text, &[], &overlay)).unwrap();
        let rows = Rows::collect(&text, &[], &overlay).unwrap();
        for action in ["read", "update"] {
            let decision = index.decide(&who, "garden.tree", action);
            let reference = runtime.block_on(casbin_says(&case, &who, &rows, action));
            let found: Vec<bool> =
                case.trees.iter().map(|tree| decision.permits(&who, &Seen(tree, &who))).collect();
            prop_assert_eq!(&found, &reference, "{}", action);
            prop_assert!(!decision.never() || !reference.contains(&true));
            prop_assert!(!decision.always() || !reference.contains(&false));
        }
    }
}
