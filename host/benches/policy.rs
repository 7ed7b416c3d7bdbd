//! What deciding costs inside the host, for `cargo xtask bench policy`: one line each of name, p50 and p99, separated by
//! tabs, times in nanoseconds. It runs on the public parts of the library, on an organization in a temporary folder.

use std::collections::{HashMap, HashSet};
use std::error::Error;
use std::fs;
use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use stoa::caller::{Caller, Principal, PrincipalKind, Source};
use stoa::clock::{Clock, UnixMillis};
use stoa::identity::{Identity, IssueToken, NewUser, platform};
use stoa::ids::{OrganizationId, PolicyId, PrincipalId, RequestId, TeamId};
use stoa::organizations::{Organization, Slug, Status};
use stoa::policy::{
    Addition, Condition, Decision, Effect, Grant, Label, Overlay, Policy, PolicyIndex, Record, Scope, Words,
};
use stoa::records::Scope as Sight;
use stoa::records::rights::predicate;
use stoa::records::schema::{Between, Entity, Field, Kind, Module, Operations, Parts};
use stoa::storage::{GROUP_COMMIT, Secrets, TenantFiles};
use tokio::runtime::Runtime;

type Outcome<T> = Result<T, Box<dyn Error>>;

const OBJECTS: usize = 20;
const ACTIONS: [&str; 5] = ["read", "create", "update", "delete", "export"];
const SCOPES: [Scope; 4] = [Scope::Own, Scope::Team, Scope::Subteams, Scope::Org];
/// Snapshots that are kept to see what one weighs.
const KEPT: usize = 32;
const CONDITION: &str =
    r#"{"and":[{"field":"amount","op":"gt","value":7},{"not":{"field":"name","value":"x"}}]}"#;

fn main() -> Outcome<()> {
    // Cargo passes `--bench`; a number makes everything so many times smaller, for trying it out.
    let smaller: usize = std::env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1);
    let runtime = Runtime::new()?;
    points(&runtime, 200_000 / smaller)?;
    compiled(&runtime, 50_000 / smaller)?;
    snapshots(&runtime, (50 / smaller).max(3))?;
    bearers(&runtime, 200_000 / smaller)
}

/// The time of each call.
fn each(samples: usize, mut call: impl FnMut(usize)) -> Vec<Duration> {
    (0..samples / 10).for_each(&mut call);
    let one = |at| {
        let began = Instant::now();
        call(at);
        began.elapsed()
    };
    (0..samples).map(one).collect()
}

fn told(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_nanos()
    };
    println!("{name}\t{}\t{}", at(50), at(99));
}

/// So many rules: for each role, object and action one, every seventh with a condition.
fn policy(runtime: &Runtime, organization: OrganizationId, rules: usize) -> Outcome<Arc<PolicyIndex>> {
    let roles = rules / (OBJECTS * ACTIONS.len());
    let (mut grants, mut rows) = (Vec::new(), Vec::new());
    for at in 0..rules {
        let (role, object) = (at % roles, at / roles % OBJECTS);
        let action = ACTIONS.get(at / roles / OBJECTS).copied().unwrap_or("read").to_owned();
        let scope = SCOPES.get((at + role) % SCOPES.len()).copied().unwrap_or(Scope::Own);
        let (role, object) = (format!("role{role}"), format!("bench.thing{object}"));
        if at % 7 == 3 {
            let (subject, scope, effect) =
                (format!("role:{role}"), scope.as_str().to_owned(), "allow".to_owned());
            let words = Words { subject, object, action, scope, condition: CONDITION.to_owned(), effect };
            let (id, created_by) = (PolicyId::new(), PrincipalId::new());
            rows.push(Addition { id, words, reason: String::new(), created_at: 0, created_by });
        } else {
            grants.push(Grant { role, object, action, scope, effect: Effect::Allow });
        }
    }
    let overlay = Overlay { roles: Vec::new(), rows };
    let built = runtime.block_on(Policy::new().build(organization, &grants, &overlay))?;
    Ok(built.index)
}

/// Somebody with five roles and two teams.
fn somebody() -> Principal {
    let roles = (0..5).map(|at| format!("role{at}"));
    let mut who = Principal::new(PrincipalId::new(), PrincipalKind::User, "Ann")
        .with_roles(roles)
        .with_teams([TeamId::new(), TeamId::new()]);
    who.subteams = [TeamId::new()].into();
    who
}

/// A record whose condition is asked in no time: what is measured is the decision.
struct Thing(PrincipalId, TeamId);

impl Record for Thing {
    fn owner(&self) -> Option<PrincipalId> {
        Some(self.0)
    }

    fn team(&self) -> Option<TeamId> {
        Some(self.1)
    }

    fn shared(&self, _: bool, _: UnixMillis) -> bool {
        false
    }

    fn holds(&self, _: &Condition, _: bool, _: UnixMillis) -> bool {
        true
    }
}

fn points(runtime: &Runtime, samples: usize) -> Outcome<()> {
    let (index, who) = (policy(runtime, OrganizationId::new(), 500)?, somebody());
    let objects: Vec<String> = (0..OBJECTS).map(|at| format!("bench.thing{at}")).collect();
    let things: Vec<Thing> =
        (0..7)
            .map(|at| {
                if at == 0 { Thing(who.id, TeamId::new()) } else { Thing(PrincipalId::new(), TeamId::new()) }
            })
            .collect();
    let mut let_in = 0_usize;
    let times = each(samples, |at| {
        let object = objects.get(at * 7 % OBJECTS).map_or("", String::as_str);
        let action = ACTIONS.get(at % ACTIONS.len()).copied().unwrap_or_default();
        let decision = index.decide(black_box(&who), object, action);
        let_in += things.get(at % 7).map_or(0, |thing| usize::from(decision.permits(&who, thing)));
    });
    black_box(let_in);
    told("point", times);
    Ok(())
}

fn compiled(runtime: &Runtime, samples: usize) -> Outcome<()> {
    let (scope, entity) = sight(runtime)?;
    let rows: Decision = scope.policy.decide(&scope.caller.principal, &entity.object, "read");
    if rows.never() || rows.always() {
        return Err("this decision is no filter".into());
    }
    let mut failed = 0_usize;
    let times = each(samples, |_| {
        let (mut sql, mut params) = (String::new(), Vec::new());
        let written = predicate(&scope, &entity, black_box(&rows), None, &mut sql, &mut params);
        failed += usize::from(written.is_err() || sql.is_empty());
    });
    if failed > 0 {
        return Err("a filter was not compiled".into());
    }
    told("filter", times);
    Ok(())
}

/// An organization of one entity with three rules on it, one of them with a condition, and somebody in it.
fn sight(runtime: &Runtime) -> Outcome<(Sight, Arc<Entity>)> {
    let parts = Parts {
        key: "thing".to_owned(),
        plural: "things".to_owned(),
        label: "thing".to_owned(),
        title: Some("name".to_owned()),
        fields: vec![field("name", Kind::Text), field("amount", Kind::Integer)],
        hooks: HashSet::new(),
        operations: Operations { create: true, update: true, delete: true },
        duplicates: Vec::new(),
    };
    let entity = Arc::new(Entity::new("bench", parts));
    let module = Module {
        plugin: "bench".into(),
        version: "1.0.0".into(),
        entities: vec![Arc::clone(&entity)],
        private: Vec::new(),
        tables: Arc::new(HashSet::from(["thing".to_owned()])),
        fingerprint: "1".into(),
        may_act_as_plugin: false,
        between: Between::default(),
    };
    let organization = Arc::new(acme()?);
    let grant = |role: &str, scope| Grant {
        role: role.to_owned(),
        object: entity.object.to_string(),
        action: "read".to_owned(),
        scope,
        effect: Effect::Allow,
    };
    let words = Words {
        subject: "role:role2".to_owned(),
        object: entity.object.to_string(),
        action: "read".to_owned(),
        scope: "org".to_owned(),
        condition: CONDITION.to_owned(),
        effect: "allow".to_owned(),
    };
    let (id, created_by) = (PolicyId::new(), PrincipalId::new());
    let row = Addition { id, words, reason: String::new(), created_at: 0, created_by };
    let grants = [grant("role0", Scope::Own), grant("role1", Scope::Subteams), grant("role2", Scope::Shared)];
    let overlay = Overlay { roles: Vec::new(), rows: vec![row] };
    let policy = runtime.block_on(Policy::new().build(organization.id, &grants, &overlay))?.index;
    let caller = Caller {
        organization: organization.id,
        principal: Arc::new(somebody()),
        request: RequestId::new(),
        source: Source::Api,
    };
    let scope = Sight {
        caller,
        organization,
        policy,
        modules: vec![Arc::new(module)].into(),
        settings: Arc::new(HashMap::new()),
        allow_duplicates: None,
    };
    Ok((scope, entity))
}

fn field(key: &str, kind: Kind) -> Field {
    Field {
        key: key.into(),
        kind,
        column: 0,
        required: false,
        required_when: None,
        unique: false,
        indexed: false,
        searchable: 0,
        class: Label::Internal,
        read_only: false,
        custom: false,
        inverse: None,
        min: None,
        max: None,
        min_length: None,
        max_length: 200,
        default: None,
        label: key.to_owned(),
        help: String::new(),
        json_key: format!("\"{key}\":"),
    }
}

fn acme() -> Outcome<Organization> {
    Ok(Organization {
        id: OrganizationId::new(),
        slug: Slug::parse("acme")?,
        name: "Acme".to_owned(),
        status: Status::Active,
        zone: "UTC".to_owned(),
        locale: "en".to_owned(),
        currency: "EUR".to_owned(),
        created_at: 0,
    })
}

/// Builds 2,000 rules again and again, and weighs what is kept.
fn snapshots(runtime: &Runtime, samples: usize) -> Outcome<()> {
    let organization = OrganizationId::new();
    let mut times = Vec::with_capacity(samples);
    for _ in 0..samples {
        let began = Instant::now();
        black_box(policy(runtime, organization, 2_000)?);
        times.push(began.elapsed());
    }
    told("build", times);
    let before = resident()?;
    let kept = (0..KEPT).map(|_| policy(runtime, organization, 2_000)).collect::<Outcome<Vec<_>>>()?;
    let bytes = resident()?.saturating_sub(before) / kept.len();
    println!("memory\t{bytes}\t{bytes}");
    Ok(())
}

/// The memory that this process holds, in bytes.
fn resident() -> Outcome<usize> {
    let status = fs::read_to_string("/proc/self/status")?;
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).ok_or("no VmRSS")?;
    Ok(line.trim().trim_end_matches("kB").trim().parse::<usize>()? * 1024)
}

/// A token that was verified before, as every request brings one.
fn bearers(runtime: &Runtime, samples: usize) -> Outcome<()> {
    let (folder, clock, acme) = (tempfile::tempdir()?, Clock::system(), acme()?);
    let files = TenantFiles::new(folder.path().to_owned(), clock.clone(), GROUP_COMMIT);
    let identity = Identity::new(files, Secrets::open(folder.path())?, clock.clone());
    let new = NewUser {
        email: None,
        name: "Ann".to_owned(),
        roles: vec!["rep".to_owned()],
        team: None,
        external_id: None,
    };
    let user = runtime.block_on(identity.create_user(&platform(acme.id, RequestId::new()), new))?;
    let issue = IssueToken {
        organization: &acme,
        user: user.id,
        session: None,
        client: None,
        scope: "",
        grant: None,
        life: 600,
        auth_time: clock.now(),
        amr: &["pwd".to_owned()],
        acr: "aal1",
    };
    let token = runtime.block_on(identity.issue(issue))?.token;
    let request = RequestId::new();
    identity.authenticate(&acme, &token, request)?;
    let mut refused = 0_usize;
    let times = each(samples, |_| {
        refused += usize::from(identity.authenticate(&acme, black_box(&token), request).is_err());
    });
    if refused > 0 {
        return Err("the token was refused".into());
    }
    told("bearer", times);
    Ok(())
}
