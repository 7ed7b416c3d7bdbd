//! Casbin, the index and the SQL predicate decide the same, for any policy, principal and record.

use std::collections::HashSet;

use casbin::{CoreApi, MgmtApi};
use proptest::prelude::*;
use rusqlite::{Connection, params_from_iter};
use tokio::runtime::Runtime;

use super::*;

const ROLES: [&str; 4] = ["a", "b", "c", "d"];
const OBJECTS: [&str; 2] = ["garden.tree", "garden.bed"];
const ACTIONS: [&str; 2] = ["read", "prune"];

/// Small pools, so that equal ids meet often.
fn person(number: u8) -> PrincipalId {
    PrincipalId::from_bytes([number + 1; 16])
}

fn team(number: u8) -> TeamId {
    TeamId::from_bytes([number + 101; 16])
}

type Record = (Option<u8>, Option<u8>);

#[derive(Debug)]
struct Case {
    grants: Vec<Grant>,
    /// Heir and ancestor; the heir's number is lower, so that there is no circle.
    links: Vec<(usize, usize)>,
    roles: Vec<&'static str>,
    teams: Vec<u8>,
    records: Vec<Record>,
}

fn grants() -> impl Strategy<Value = Vec<Grant>> {
    let scope = prop::sample::select(vec![Scope::Own, Scope::Team, Scope::Org]);
    let effect = prop_oneof![4 => Just(Effect::Allow), 1 => Just(Effect::Deny)];
    let one = (
        prop::sample::select(&ROLES[..]),
        prop::sample::select(&OBJECTS[..]),
        prop::sample::select(&ACTIONS[..]),
    );
    let one = (one, scope, effect)
        .prop_map(|((role, object, action), scope, effect)| grant(role, object, action, scope, effect));
    prop::collection::hash_set(one, 1..14).prop_map(|set| set.into_iter().collect())
}

fn case() -> impl Strategy<Value = Case> {
    let links = prop::collection::hash_set((0..4_usize, 0..4_usize), 0..3)
        .prop_map(|set| set.into_iter().filter(|(heir, ancestor)| heir < ancestor).collect());
    let names = prop::sample::subsequence(vec!["a", "b", "c", "d", "unknown"], 0..=3);
    let teams = prop::sample::subsequence(vec![0, 1, 2], 0..=3);
    let record = (prop::option::of(0..3_u8), prop::option::of(0..3_u8));
    let records = prop::collection::vec(record, 1..6);
    (grants(), links, names, teams, records).prop_map(|(grants, links, roles, teams, records)| Case {
        grants,
        links,
        roles,
        teams,
        records,
    })
}

/// What casbin says of each record, the principal linked to its roles for the purpose.
async fn casbin_says(case: &Case, who: &Principal, text: &str, object: &str, action: &str) -> Vec<bool> {
    let rows = Rows::collect(text, &case.grants).unwrap();
    let mut enforcer = model::enforcer(model::MODEL, "here", &rows).await.unwrap();
    let id = who.id.to_string();
    for role in &case.roles {
        let link = vec![id.clone(), format!("role:{role}"), "here".to_owned()];
        enforcer.add_grouping_policy(link).await.unwrap();
    }
    let teams = who.teams.iter().map(ToString::to_string).collect::<Vec<_>>().join(" ");
    let ask = |(owner, of): &Record| {
        let owner = owner.map(|one| person(one).to_string()).unwrap_or_default();
        let of = of.map(|one| team(one).to_string()).unwrap_or_default();
        let request = [id.as_str(), "here", object, action, &teams, &owner, &of];
        enforcer.enforce(request.map(str::to_owned).to_vec()).unwrap()
    };
    case.records.iter().map(ask).collect()
}

fn index_says(case: &Case, who: &Principal, decision: RowScope) -> Vec<bool> {
    case.records.iter().map(|(owner, of)| decision.permits(who, owner.map(person), of.map(team))).collect()
}

/// What SQLite says of each record, asked in three ways: as a filter, as a value, and as the filter's opposite.
fn sqlite_says(case: &Case, who: &Principal, decision: RowScope) -> Vec<bool> {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch("create table tree (id integer primary key, owner_id blob, team_id blob) strict")
        .unwrap();
    for (owner, of) in &case.records {
        let values = (owner.map(|one| *person(one).as_bytes()), of.map(|one| *team(one).as_bytes()));
        connection.execute("insert into tree (owner_id, team_id) values (?1, ?2)", values).unwrap();
    }
    let (filter, values) = decision.predicate(who, "t", 1);
    let ids = |sql: &str| -> HashSet<i64> {
        let mut statement = connection.prepare(sql).unwrap();
        let ids = statement.query_map(params_from_iter(values.iter()), |row| row.get(0)).unwrap();
        ids.map(Result::unwrap).collect()
    };
    let inside = ids(&format!("select id from tree t where {filter}"));
    let outside = ids(&format!("select id from tree t where not {filter}"));
    assert!(
        inside.is_disjoint(&outside) && inside.len() + outside.len() == case.records.len(),
        "never null: {filter}"
    );
    (1..).take(case.records.len()).map(|id| inside.contains(&id)).collect()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn casbin_the_index_and_sqlite_agree(case in case()) {
        let runtime = Runtime::new().unwrap();
        let links: Vec<String> =
            case.links.iter().map(|(heir, ancestor)| format!("g, role:{}, role:{}, *\n", ROLES[*heir], ROLES[*ancestor])).collect();
        let text = links.concat();
        let teams: Vec<TeamId> = case.teams.iter().copied().map(team).collect();
        let who = principal(person(0), &case.roles, &teams);
        let index = runtime.block_on(compile(&text, &case.grants)).unwrap();
        for object in OBJECTS {
            for action in ACTIONS {
                let decision = index.decide(&who.roles, object, action);
                let reference = runtime.block_on(casbin_says(&case, &who, &text, object, action));
                prop_assert_eq!(&index_says(&case, &who, decision), &reference, "index, {} {}", object, action);
                prop_assert_eq!(&sqlite_says(&case, &who, decision), &reference, "SQLite, {} {}", object, action);
                prop_assert!(!decision.never() || !reference.contains(&true));
                prop_assert!(!decision.always() || !reference.contains(&false));
            }
        }
    }
}

#[test]
fn a_predicate_binds_every_value_and_starts_where_it_is_told() {
    let who = principal(person(0), &[], &[team(0), team(1)]);
    let (text, values) = scope(&[Scope::Own, Scope::Team], &[Scope::Own]).predicate(&who, "", 7);
    assert_eq!(
        text,
        "((owner_id is ?7 or (team_id is not null and team_id in (?8, ?9))) and not coalesce(owner_id = ?7, 1))"
    );
    assert_eq!(values, [*person(0).as_bytes(), *team(0).as_bytes(), *team(1).as_bytes()]);
    assert_eq!(scope(&[Scope::Org], &[]).predicate(&who, "t", 1), ("1".to_owned(), vec![]));
    assert_eq!(scope(&[Scope::Org], &[Scope::Org]).predicate(&who, "t", 1), ("0".to_owned(), vec![]));
    let loner = principal(person(0), &[], &[]);
    assert_eq!(scope(&[Scope::Team], &[]).predicate(&loner, "t", 1), ("(0)".to_owned(), vec![]));
}

#[test]
fn allowing_predicates_are_answered_from_indexes() {
    let connection = Connection::open_in_memory().unwrap();
    connection
        .execute_batch(
            "create table tree (id blob primary key, owner_id blob, team_id blob) strict, without rowid;
             create index by_owner on tree (owner_id, id); create index by_team on tree (team_id, id);",
        )
        .unwrap();
    let who = principal(person(0), &[], &[team(0), team(1)]);
    for allow in [&[Scope::Own][..], &[Scope::Team], &[Scope::Own, Scope::Team]] {
        let (filter, values) = scope(allow, &[]).predicate(&who, "t", 1);
        let mut statement = connection
            .prepare(&format!("explain query plan select count(*) from tree t where {filter}"))
            .unwrap();
        let plan =
            statement.query_map(params_from_iter(values.iter()), |row| row.get::<_, String>(3)).unwrap();
        let plan = plan.map(Result::unwrap).collect::<Vec<_>>().join("\n");
        assert!(plan.contains("SEARCH") && !plan.contains("SCAN"), "{allow:?}: {filter}\n{plan}");
    }
}
