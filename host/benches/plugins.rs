//! What plugin code costs inside the host, for `cargo xtask bench plugins`: one line each of name, p50 and p99, separated by
//! tabs, times in nanoseconds; `fleet` is the whole time of an upgrade and the requests that were refused meanwhile.
//!
//! `STOA_BENCH_PACKAGES` is a folder with the first-party packages, `STOA_BENCH_GUEST` the package of the guest `measured`.

use std::env;
use std::error::Error;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

use rusqlite::types::ValueRef;
use serde_json::{Map, Value, json};
use stoa::app::{App, Provision};
use stoa::caller::Caller;
use stoa::clock::Clock;
use stoa::config::{Asking, Config, PublicAddress};
use stoa::identity::{Email, platform};
use stoa::ids::RequestId;
use stoa::organizations::{NewOrganization, Organization};
use stoa::plugins::capabilities::{self};
use stoa::plugins::installations::RolloutState;
use stoa::plugins::{Package, Plugin, Plugins};
use stoa::records::schema::Entity;
use stoa::records::tx::{Draft, Hook, Hooks, Tx};
use stoa::records::write::{Changes, create_one};
use stoa::records::{RecordError, Records, Scope};
use stoa::storage::{GROUP_COMMIT, Verdict};
use tokio::runtime::Runtime;

type Outcome<T> = Result<T, Box<dyn Error>>;

/// The versions of the guest, which differ by one entity.
const VERSIONS: [&str; 2] = ["1.0.0", "1.1.0"];
/// Rows that cross at once.
const ROWS: usize = 100;
/// How often they cross within one call.
const TIMES: usize = 100;

fn main() -> ExitCode {
    // What a host compiles it gives to a child of its own binary, which is this one.
    if env::args().nth(1).is_some_and(|word| word == "worker") {
        return stoa::cli::main();
    }
    match measure() {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("{error}");
            ExitCode::FAILURE
        }
    }
}

fn measure() -> Outcome<()> {
    // Cargo passes `--bench`; a number makes everything so many times smaller, for trying it out, and `crossing` measures that
    // alone, for a profile.
    let smaller: usize = env::args().filter_map(|word| word.parse().ok()).next().unwrap_or(1);
    let runtime = Runtime::new()?;
    loading((50 / smaller).max(3))?;
    let bench = Bench::start(&runtime)?;
    let one = bench.organization("one", VERSIONS[1])?;
    if env::args().any(|word| word == "crossing") {
        (0..ROWS).try_for_each(|number| bench.create(&one, number))?;
        return bench.crossing(&one, 2_000 / smaller);
    }
    bench.instances(&one, 20_000 / smaller)?;
    bench.hooks(&one, (5_000 / smaller).max(ROWS))?;
    bench.crossing(&one, (200 / smaller).max(5))?;
    bench.fleet((1_000 / smaller).max(4))
}

fn told(name: &str, mut times: Vec<Duration>) {
    times.sort_unstable();
    let at = |percent: usize| {
        let place = (times.len() * percent / 100).min(times.len().saturating_sub(1));
        times.get(place).copied().unwrap_or_default().as_nanos()
    };
    println!("{name}\t{}\t{}", at(50), at(99));
}

fn folder(name: &str) -> Outcome<PathBuf> {
    Ok(env::var_os(name)
        .ok_or_else(|| format!("{name} is not set; `cargo xtask bench plugins` sets it"))?
        .into())
}

/// The first-party packages, again and again, as a start finds them: compiled before, and kept.
fn loading(samples: usize) -> Outcome<()> {
    let packages = Package::all_in(&folder("STOA_BENCH_PACKAGES")?)?;
    let kept = tempfile::tempdir()?;
    let mut times = Vec::with_capacity(samples);
    for sample in 0..=samples {
        let packages = packages.clone();
        let began = Instant::now();
        Plugins::load(packages, kept.path().to_owned(), [7; 32])?;
        if sample > 0 {
            times.push(began.elapsed());
        }
    }
    told("load", times);
    Ok(())
}

/// A host without listeners, with two versions of the guest.
struct Bench<'a> {
    runtime: &'a Runtime,
    app: App,
    _folder: tempfile::TempDir,
}

/// The guest's package in this version.
fn package(version: &str, at: &Path) -> Outcome<()> {
    let (guest, to) = (folder("STOA_BENCH_GUEST")?, at.join(format!("measured-{version}")));
    fs::create_dir_all(&to)?;
    for file in ["component.wasm", "sql.json"] {
        fs::copy(guest.join(file), to.join(file))?;
    }
    let mut manifest: Value = serde_json::from_slice(&fs::read(guest.join("manifest.json"))?)?;
    let member = |json: &mut Value, name: &str, value: Value| {
        json.as_object_mut().map(|members| members.insert(name.to_owned(), value));
    };
    member(&mut manifest, "version", version.into());
    let entities =
        manifest.pointer_mut("/entities").and_then(Value::as_array_mut).ok_or("the guest has none")?;
    if let (Some(mut shelf), true) = (entities.first().cloned(), version != VERSIONS[0]) {
        member(&mut shelf, "key", "shelf".into());
        member(&mut shelf, "plural", "shelves".into());
        member(&mut shelf, "hooks", json!([]));
        entities.push(shelf);
    }
    Ok(fs::write(to.join("manifest.json"), manifest.to_string())?)
}

impl<'a> Bench<'a> {
    fn start(runtime: &'a Runtime) -> Outcome<Self> {
        let folder = tempfile::tempdir()?;
        let packages = folder.path().join("packages");
        for version in VERSIONS {
            package(version, &packages)?;
        }
        let config = Config {
            data: folder.path().join("data"),
            address: PublicAddress { origin: "http://127.0.0.1".to_owned(), base_domain: None },
            outbound: Asking::default(),
            group_commit: GROUP_COMMIT,
            breached: None,
        };
        let opened = App::open(&config, Package::all_in(&packages)?, Clock::system());
        Ok(Self { runtime, app: runtime.block_on(opened)?, _folder: folder })
    }

    /// A new organization with this version of the guest.
    fn organization(&self, slug: &str, version: &str) -> Outcome<Arc<Organization>> {
        let organization = NewOrganization {
            slug: slug.to_owned(),
            name: slug.to_owned(),
            zone: "UTC".to_owned(),
            locale: "en".to_owned(),
            currency: "EUR".to_owned(),
        };
        let owner = Email::parse("ann@example.com")?;
        let modules = vec!["measured".to_owned()];
        let new = Provision { organization, owner, owner_name: None, modules, api_key: false };
        let made = self.runtime.block_on(self.app.provision(new, owner_of))?;
        let plugin = self.plugin(version)?;
        let consent = capabilities::of(&plugin.manifest);
        let by = owner_of(&made.organization).principal.id;
        self.runtime.block_on(self.app.install(&made.organization, ("measured", version), &consent, by))?;
        Ok(made.organization)
    }

    fn plugin(&self, version: &str) -> Outcome<Arc<Plugin>> {
        Ok(self.app.plugins.version("measured", version).ok_or("the guest is not there")?)
    }

    /// What its owner may do, as it is now.
    fn scope(&self, organization: &Arc<Organization>) -> Outcome<Scope> {
        Ok(self.runtime.block_on(self.app.enter(organization))?.scope(&owner_of(organization)))
    }

    /// A snapshot with a fresh instance on it, less the snapshot.
    fn instances(&self, organization: &Arc<Organization>, samples: usize) -> Outcome<()> {
        let (scope, plugin, records) =
            (self.scope(organization)?, self.plugin(VERSIONS[1])?, &self.app.records);
        let module = scope.module("measured").ok_or("the guest is not installed")?;
        let mut times = Vec::with_capacity(samples);
        for sample in 0..samples + samples / 10 {
            let began = Instant::now();
            records.read(&scope, module, |_| Ok(()))?;
            let alone = began.elapsed();
            let began = Instant::now();
            self.app.plugins.probe(records, &scope, &plugin)?;
            if sample >= samples / 10 {
                times.push(began.elapsed().saturating_sub(alone));
            }
        }
        told("instance", times);
        Ok(())
    }

    /// The hook of each of so many records, created one after the other.
    fn hooks(&self, organization: &Arc<Organization>, samples: usize) -> Outcome<()> {
        let timed = Arc::new(Timed { plugins: self.app.plugins.clone(), times: Mutex::default() });
        let hooks: Arc<dyn Hooks + Send + Sync> = Arc::<Timed>::clone(&timed);
        let scope = self.scope(organization)?;
        for number in 0..samples + samples / 10 {
            if number == samples / 10 {
                timed.times().clear();
            }
            self.runtime.block_on(create(&self.app.records, &scope, &hooks, number))?;
        }
        told("hook", std::mem::take(&mut *timed.times()));
        Ok(())
    }

    /// One more record.
    fn create(&self, organization: &Arc<Organization>, number: usize) -> Outcome<()> {
        let (scope, hooks) = (self.scope(organization)?, self.app.hooks());
        Ok(self.runtime.block_on(create(&self.app.records, &scope, &hooks, number))?)
    }

    /// A report that reads a hundred rows of eight columns again and again, less one that reads none as often, and less what
    /// SQLite takes for the rows: what is left is packing them, passing them on and unpacking them in the guest.
    fn crossing(&self, organization: &Arc<Organization>, samples: usize) -> Outcome<()> {
        let (scope, plugin) = (self.scope(organization)?, self.plugin(VERSIONS[1])?);
        let report = plugin.manifest.reports.first().ok_or("the guest has no report")?;
        let read = |rows: usize| -> Outcome<Duration> {
            let params = json!({ "times": TIMES, "rows": rows });
            let began = Instant::now();
            let body = self.app.plugins.report(&self.app.records, &scope, &plugin, report, &params)?;
            let took = began.elapsed();
            let body: Value = serde_json::from_slice(&body)?;
            if body.pointer("/rows/0/rows").and_then(Value::as_u64) != u64::try_from(rows * TIMES).ok() {
                return Err(format!("the report did not read {rows} rows: {body}").into());
            }
            Ok(took)
        };
        let divisor = u32::try_from(TIMES)?;
        let (mut whole, mut crossing) = (Vec::with_capacity(samples), Vec::with_capacity(samples));
        for _ in 0..samples {
            let rows = read(ROWS)?.saturating_sub(read(0)?);
            let stepping = self.stepping(&scope, ROWS)?.saturating_sub(self.stepping(&scope, 0)?);
            whole.push(rows / divisor);
            crossing.push(rows.saturating_sub(stepping) / divisor);
        }
        told("reading", whole);
        told("crossing", crossing);
        Ok(())
    }

    /// The same statement as often in the host alone: each value is looked at and none is kept.
    fn stepping(&self, scope: &Scope, rows: usize) -> Outcome<Duration> {
        let module = scope.module("measured").ok_or("the guest is not installed")?;
        let took = self.app.records.read(scope, module, |conn| {
            let mut statement = conn.prepare(
                "select name, remark, count, weight, made_on, sold_on, good, color from item where deleted_at is null limit ?1",
            )?;
            let began = Instant::now();
            let mut seen = 0;
            for _ in 0..TIMES {
                let mut found = statement.query([i64::try_from(rows).unwrap_or_default()])?;
                while let Some(row) = found.next()? {
                    for column in 0..8 {
                        seen += usize::from(std::hint::black_box(row.get_ref(column)?) != ValueRef::Null);
                    }
                }
            }
            std::hint::black_box(seen);
            Ok(began.elapsed())
        })?;
        Ok(took)
    }

    /// An upgrade of so many organizations while two threads write and list in them without a pause.
    fn fleet(&self, organizations: usize) -> Outcome<()> {
        let mut all = Vec::with_capacity(organizations);
        for number in 0..organizations {
            all.push(self.organization(&format!("fleet-{number}"), VERSIONS[0])?);
        }
        let (over, refused, answered) = (AtomicBool::new(false), AtomicU64::new(0), AtomicU64::new(0));
        let took = std::thread::scope(|threads| {
            for start in [0, organizations / 2] {
                let (all, over, refused, answered) = (&all, &over, &refused, &answered);
                threads.spawn(move || {
                    for (number, organization) in all.iter().cycle().skip(start).enumerate() {
                        if over.load(Ordering::Relaxed) {
                            return;
                        }
                        let count = if self.ask(organization, number).is_ok() { answered } else { refused };
                        count.fetch_add(1, Ordering::Relaxed);
                    }
                });
            }
            let took = self.upgrade(organizations);
            over.store(true, Ordering::Relaxed);
            took
        })?;
        println!("fleet\t{}\t{}", took.as_nanos(), refused.into_inner());
        println!("answered\t{}\t0", answered.into_inner());
        Ok(())
    }

    fn upgrade(&self, organizations: usize) -> Outcome<Duration> {
        let consent = capabilities::of(&self.plugin(VERSIONS[1])?.manifest);
        let (began, by) = (Instant::now(), platform(stoa::ids::OrganizationId::new(), RequestId::new()));
        let rollout =
            self.runtime.block_on(self.app.roll_out(("measured", VERSIONS[1]), consent, by.principal.id))?;
        loop {
            std::thread::sleep(Duration::from_millis(20));
            let now = self.runtime.block_on(self.app.installations.rollouts(false))?;
            let now = now.into_iter().find(|one| one.id == rollout.id).ok_or("the roll-out is gone")?;
            if now.state != RolloutState::Running {
                let whole = usize::try_from(now.done)? == organizations && now.failed == 0;
                return if whole { Ok(began.elapsed()) } else { Err(format!("{now:?}").into()) };
            }
        }
    }

    /// What a request does: enters, writes, lists.
    fn ask(&self, organization: &Arc<Organization>, number: usize) -> Outcome<()> {
        self.create(organization, number)?;
        let scope = self.scope(organization)?;
        let module = scope.module("measured").ok_or("the guest is not there")?;
        self.app.records.read(&scope, module, |conn| {
            let sql = "select name from item order by _row desc limit 20";
            Ok(conn.prepare(sql)?.query_map([], |row| row.get::<_, String>(0))?.count())
        })?;
        Ok(())
    }
}

fn owner_of(organization: &Organization) -> Caller {
    platform(organization.id, RequestId::new())
}

async fn create(
    records: &Records,
    scope: &Scope,
    hooks: &Arc<dyn Hooks + Send + Sync>,
    number: usize,
) -> Result<(), RecordError> {
    let members: Map<String, Value> = [
        ("name", json!(format!("Item {number}"))),
        ("remark", json!("As it was found")),
        ("count", json!(number)),
        ("weight", json!(number * 7)),
        ("made_on", json!("2026-01-31")),
        ("good", json!(number.is_multiple_of(2))),
        ("color", json!("blue")),
    ]
    .into_iter()
    .map(|(key, value)| (key.to_owned(), value))
    .collect();
    let module = scope.module("measured").ok_or(RecordError::NotFound)?;
    let entity = module.entity("item").ok_or(RecordError::NotFound)?;
    let work = move |tx: &Tx| {
        create_one(tx, &entity, Changes::Members(members))?;
        Ok(Verdict::Keep(()))
    };
    records.write(scope, module, hooks, work).await
}

/// Plugin code, each call of it timed.
struct Timed {
    plugins: Plugins,
    times: Mutex<Vec<Duration>>,
}

impl Timed {
    fn times(&self) -> std::sync::MutexGuard<'_, Vec<Duration>> {
        self.times.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Hooks for Timed {
    fn run(
        &self,
        tx: &Tx,
        hook: Hook,
        entity: &Arc<Entity>,
        drafts: &mut [Draft],
    ) -> Result<(), RecordError> {
        let began = Instant::now();
        let outcome = self.plugins.run(tx, hook, entity, drafts);
        self.times().push(began.elapsed());
        outcome
    }
}
