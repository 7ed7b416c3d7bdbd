//! Imports on real files: what is asked, what comes of the rows, and what stays behind.

use std::collections::HashMap;
use std::path::PathBuf;

use serde_json::{Value as Json, json};

use super::super::*;
use crate::caller::{Principal, PrincipalKind, Source};
use crate::clock::Clock;
use crate::identity::{Cost, Email, Identity, NewUser};
use crate::ids::{PrincipalId, RequestId};
use crate::organizations::{NewOrganization, Organization, Organizations};
use crate::policy::{Effect, Grant, Policy, Scope as Reach};
use crate::records::schema::{Entity, Field, Kind, Module, OnDelete, Operations, Parts, Target};
use crate::records::tx::{Draft, Hook, Tx};
use crate::storage::{ControlPlane, GROUP_COMMIT, Secrets};

/// A plugin without code.
struct Nothing;

impl Hooks for Nothing {
    fn run(&self, _: &Tx, _: Hook, _: &Arc<Entity>, _: &mut [Draft]) -> Result<(), RecordError> {
        Ok(())
    }
}

struct World {
    folder: tempfile::TempDir,
    clock: Clock,
    people: Identity,
    jobs: Jobs,
    imports: Imports,
    organization: Arc<Organization>,
    policy: Arc<crate::policy::PolicyIndex>,
    modules: Arc<[Arc<Module>]>,
}

fn field(key: &str, kind: Kind) -> Field {
    Field {
        key: key.into(),
        kind,
        column: 0,
        required: key == "name",
        required_when: None,
        unique: false,
        indexed: false,
        searchable: 0,
        custom: false,
        inverse: None,
        read_only: false,
        min: None,
        max: None,
        min_length: None,
        max_length: 200,
        default: None,
        label: key.into(),
        help: String::new(),
        class: crate::policy::Label::Internal,
        json_key: crate::records::json::json_key(key),
    }
}

/// `demo.thing` with a name, a number and a parent.
fn module() -> Arc<Module> {
    let target = Target { plugin: "demo".into(), entity: "thing".into() };
    let entity = Entity::new(
        "demo",
        Parts {
            key: "thing".into(),
            plural: "things".into(),
            label: "Thing".into(),
            title: None,
            fields: vec![
                field("name", Kind::Text),
                field("size", Kind::Integer),
                field("parent", Kind::Reference(target, OnDelete::Restrict)),
            ],
            hooks: std::collections::HashSet::new(),
            operations: Operations { create: true, update: true, delete: true },
            duplicates: Vec::new(),
        },
    );
    Arc::new(Module {
        plugin: "demo".into(),
        version: "1.0.0".into(),
        entities: vec![Arc::new(entity)],
        private: Vec::new(),
        tables: Arc::new(std::iter::once("thing".to_owned()).collect()),
        fingerprint: "1".into(),
        may_act_as_plugin: false,
        between: crate::records::schema::Between::default(),
    })
}

fn grants() -> Vec<Grant> {
    let grant = |role: &str, action: &str, scope| Grant {
        role: role.into(),
        object: "demo.thing".into(),
        action: action.into(),
        scope,
        effect: Effect::Allow,
    };
    vec![
        grant("manager", "create", Reach::Org),
        grant("manager", "read", Reach::Own),
        grant("manager", "import", Reach::Org),
        grant("rep", "create", Reach::Org),
    ]
}

impl World {
    async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let clock = Clock::fixed(1_700_000_000_000);
        let control = ControlPlane::open(&folder.path().join("control.sqlite")).await.unwrap();
        let files = TenantFiles::new(folder.path().to_owned(), clock.clone(), GROUP_COMMIT);
        let secrets = Secrets::open(folder.path()).unwrap();
        let people = Identity::with_cost(files.clone(), secrets.clone(), clock.clone(), Cost::FLOOR);
        let engine = Records::new(files.clone(), people.clone(), &secrets, clock.clone());
        let jobs = Jobs::new(control.clone(), clock.clone());
        let text = str::to_owned;
        let new = NewOrganization {
            slug: text("acme"),
            name: text("Acme"),
            zone: text("UTC"),
            locale: text("en"),
            currency: text("EUR"),
        };
        let organization = Organizations::new(control, clock.clone()).create(new).await.unwrap();
        let policy = Policy::new().load(organization.id, &grants()).await.unwrap();
        let modules: Arc<[Arc<Module>]> = Arc::new([module()]);
        engine.prepare(&organization, &modules[0]).await.unwrap();
        let imports = Imports::new(engine, jobs.clone(), files);
        Self { folder, clock, people, jobs, imports, organization, policy, modules }
    }

    fn scope(&self, role: &str) -> Scope {
        let principal = Principal::new(PrincipalId::new(), PrincipalKind::User, role).with_roles([role]);
        let (organization, principal) = (self.organization.id, Arc::new(principal));
        let caller = Caller { organization, principal, request: RequestId::new(), source: Source::Import };
        Scope {
            caller,
            organization: Arc::clone(&self.organization),
            policy: Arc::clone(&self.policy),
            modules: Arc::clone(&self.modules),
            settings: Arc::new(HashMap::new()),
            allow_duplicates: None,
        }
    }

    async fn submit(&self, scope: &Scope, spec: &Json, csv: &[u8]) -> Result<Job, ImportError> {
        let upload = self.folder.path().join(format!("{}.upload", RequestId::new()));
        std::fs::write(&upload, csv).unwrap();
        self.imports.submit(scope, &spec.to_string(), &upload).await
    }

    /// Runs a claimed job; created, updated, failed, and the codes of the faults.
    async fn run(&self, scope: &Scope, job: &Job) -> (u64, u64, u64, Vec<String>) {
        let (imports, scope_, job_) = (self.imports.clone(), scope.clone(), job.clone());
        let hooks: Arc<dyn Hooks + Send + Sync> = Arc::new(Nothing);
        let ran = tokio::task::spawn_blocking(move || imports.run(&job_, &scope_, &hooks));
        let result = ran.await.unwrap().unwrap();
        self.jobs.finish(job.id, &result).await.unwrap();
        let csv = self.imports.errors_csv(scope, job.id).await.unwrap();
        let codes = csv::Reader::from_reader(csv.as_slice())
            .records()
            .map(|record| record.unwrap()[2].to_owned())
            .collect();
        let result: Json = serde_json::from_str(&result).unwrap();
        let number = |member: &str| result[member].as_u64().unwrap();
        (number("created"), number("updated"), number("failed"), codes)
    }

    /// Submits and runs.
    async fn import(&self, scope: &Scope, spec: &Json, csv: &str) -> (u64, u64, u64, Vec<String>) {
        let job = self.submit(scope, spec, csv.as_bytes()).await.unwrap();
        let claimed = self.jobs.claim(job.id).await.unwrap();
        self.run(scope, &claimed).await
    }

    async fn refused(&self, spec: &Json, csv: &str) -> Vec<(String, String)> {
        match self.submit(&self.scope("owner"), spec, csv.as_bytes()).await {
            Err(ImportError::Records(RecordError::Invalid(faults))) => {
                faults.into_iter().map(|fault| (fault.code.into_owned(), fault.detail)).collect()
            }
            other => panic!("not refused: {other:?}"),
        }
    }

    async fn person(&self, scope: &Scope, name: &str, email: Option<&str>, external_id: Option<&str>) {
        let new = NewUser {
            email: email.map(|email| Email::parse(email).unwrap()),
            name: name.into(),
            roles: vec!["rep".into()],
            team: None,
            external_id: external_id.map(str::to_owned),
        };
        self.people.create_user(&scope.caller, new).await.unwrap();
    }

    fn uploads(&self) -> usize {
        let folder: PathBuf = self.imports.folder(self.organization.id).unwrap();
        std::fs::read_dir(folder).unwrap().count()
    }
}

fn things(mode: &str) -> Json {
    json!({
        "entity": "demo.thing", "mode": mode,
        "external_id": {"source": "erp", "column": "number"},
        "mapping": {"name": {"column": "name"}, "parent": {"column": "parent", "lookup": {"by": "name"}}},
    })
}

fn users(mode: &str, dry_run: bool) -> Json {
    json!({
        "entity": "users", "mode": mode, "dry_run": dry_run,
        "external_id": {"source": "hr", "column": "id"},
        "mapping": {
            "name": {"column": "name"}, "email": {"column": "email"},
            "team": {"column": "team"}, "roles": {"column": "roles"},
        },
    })
}

mod people;
mod rows;
mod submission;
