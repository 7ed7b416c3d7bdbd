//! An organization's plugin is installed, upgraded while people work, rolled back with nothing lost, switched off and pinned;
//! where a version does not fit, what was there runs on, and the rest of the fleet goes on.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host, Setup, wait_for};
use stoa_tests::{id, text};
use tempfile::TempDir;

use crate::staff::{again, claim};

/// Packages of one plugin in several versions, made of one guest.
struct Shelf(TempDir);

impl Shelf {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn guest() -> PathBuf {
        let guests =
            std::env::var_os("STOA_GUESTS").unwrap_or_else(|| panic!("`cargo xtask test` builds the guests"));
        Path::new(&guests).join("kitchen")
    }

    /// The plugin in this version, its manifest changed so.
    fn put(&self, version: &str, change: impl FnOnce(&mut Value)) {
        let folder = self.0.path().join(format!("kitchen-{version}"));
        fs::create_dir(&folder).unwrap();
        for file in ["component.wasm", "sql.json"] {
            fs::copy(Self::guest().join(file), folder.join(file)).unwrap();
        }
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(Self::guest().join("manifest.json")).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        fs::write(folder.join("manifest.json"), manifest.to_string()).unwrap();
    }
}

fn fields(manifest: &mut Value) -> &mut Vec<Value> {
    let entities = manifest["entities"].as_array_mut().unwrap();
    let tasting = entities.iter_mut().find(|entity| entity["key"] == "tasting").unwrap();
    tasting["fields"].as_array_mut().unwrap()
}

/// One more field.
fn shelf(manifest: &mut Value) {
    fields(manifest).push(json!({ "key": "shelf", "type": "text" }));
}

/// No two tastings of one remark.
fn unique(manifest: &mut Value) {
    let remark = fields(manifest).iter_mut().find(|field| field["key"] == "remark").unwrap();
    remark["unique"] = true.into();
}

/// A table of its own.
fn step(manifest: &mut Value) {
    shelf(manifest);
    let step = json!({ "name": "0003_tally", "sql": "create table tally (n integer) strict" });
    manifest["private"].as_array_mut().unwrap().push(step);
}

/// What another version's manifest has otherwise.
type Change = fn(&mut Value);

struct Fleet {
    host: Host,
    shelf: Shelf,
}

impl Fleet {
    fn new() -> Self {
        let shelf = Shelf::new();
        shelf.put("1.0.0", |_| ());
        let host = Setup::default().plugins(shelf.0.path()).start();
        Self { host, shelf }
    }

    /// Puts the versions on the shelf and starts the host again.
    fn with(mut self, versions: &[(&str, Change)]) -> Self {
        for (version, change) in versions {
            self.shelf.put(version, change);
        }
        self.host.restart();
        self
    }
}

/// The administrator's address of an organization's plugin.
fn at(staff: &Client, slug: &str, rest: &str) -> String {
    let all = staff.all("/admin/v1/organizations");
    let one = all.iter().find(|one| one["slug"] == slug).unwrap();
    format!("/admin/v1/organizations/{}/plugins{rest}", id(one))
}

fn put(staff: &Client, path: &str, version: &str) -> Answer {
    staff.call("PUT", path).json(&json!({ "version": version })).send()
}

fn post(staff: &Client, path: &str) -> Answer {
    staff.call("POST", path).send()
}

fn tasting(remark: &str) -> Value {
    json!({ "remark": remark, "points": 3 })
}

/// Made with every hook that there is.
fn dish(name: &str) -> Value {
    json!({ "name": name, "servings": 2, "vegan": true, "course": "main" })
}

fn tastings(owner: &Client) -> Vec<Value> {
    owner.all("/api/v1/kitchen/tastings")
}

/// Three write, list and call hooks all the time while the plugin goes up and down; answers how often, all without a failure.
fn upgraded_under_load(staff: &Client, owner: &Client, plugin: &str) -> usize {
    let (over, worked) = (AtomicBool::new(false), AtomicUsize::new(0));
    std::thread::scope(|scope| {
        for worker in 0..3 {
            let (over, worked) = (&over, &worked);
            scope.spawn(move || {
                let mut number = 0;
                while !over.load(Ordering::Relaxed) {
                    number += 1;
                    let name = format!("{worker}-{number}");
                    owner.post("/api/v1/kitchen/tastings", &tasting(&name)).created();
                    owner.post("/api/v1/kitchen/dishes", &dish(&name)).created();
                    owner.get("/api/v1/kitchen/tastings?limit=5").ok();
                    worked.fetch_add(1, Ordering::Relaxed);
                }
            });
        }
        for _ in 0..5 {
            put(staff, plugin, "1.1.0").ok();
            owner.get("/api/v1/kitchen/tastings?fields=shelf&limit=1").ok();
            post(staff, &format!("{plugin}/roll-back")).ok();
        }
        over.store(true, Ordering::Relaxed);
    });
    let worked = worked.into_inner();
    assert!(worked > 0);
    worked
}

#[test]
fn an_upgrade_disturbs_nobody_and_a_roll_back_loses_nothing() {
    let fleet = Fleet::new();
    let acme = fleet.host.organization("acme", &["kitchen"]);
    let (owner, token) = (acme.owner(), acme.owner().token().unwrap().to_owned());
    owner.post("/api/v1/kitchen/tastings", &tasting("Salty")).created();
    let claimed = claim(&fleet.host);
    let staff = claimed.client.clone();
    let plugin = at(&staff, "acme", "/kitchen");
    let before = staff.get(&plugin).ok();
    assert_eq!((&before["version"], &before["chosen"]), (&json!("1.0.0"), &json!(false)));
    post(&staff, &format!("{plugin}/roll-back")).problem(404, "installation_not_found");
    assert_eq!(post(&staff, &format!("{plugin}/pin")).ok()["pinned"], true);
    drop(acme);

    let fleet = fleet.with(&[("1.1.0", shelf), ("2.0.0", step)]);
    let staff = again(&fleet.host, &claimed);
    let owner = Client::new(fleet.host.address(), "/t/acme", Some(&token));
    let now = staff.get(&plugin).ok();
    assert_eq!((&now["version"], &now["newest"]), (&json!("1.0.0"), &json!("2.0.0")), "it is pinned");
    assert!(owner.get("/api/v1/kitchen/tastings?fields=shelf").status() == 400, "1.0.0 has no shelf");

    let seen = staff.get(&format!("{plugin}/preview?version=1.1.0")).ok();
    assert_eq!(seen["schema_added"], json!(["tasting.shelf"]));
    assert_eq!((&seen["from"], &seen["steps"]), (&json!("1.0.0"), &json!([])));
    let seen = staff.get(&format!("{plugin}/preview?version=2.0.0")).ok();
    assert_eq!(seen["steps"], json!(["0003_tally"]));
    staff.get(&format!("{plugin}/preview?version=9.0.0")).problem(404, "plugin_version_not_found");

    let worked = upgraded_under_load(&staff, &owner, &plugin);
    let made = tastings(&owner).len();
    assert_eq!(made, 1 + worked, "every answer that was given holds");

    put(&staff, &plugin, "1.1.0").ok();
    let body = json!({ "remark": "Sweet", "points": 5, "shelf": "top" });
    let sweet = id(&owner.post("/api/v1/kitchen/tastings", &body).created()).to_owned();
    post(&staff, &format!("{plugin}/roll-back")).ok();
    assert!(owner.get(&format!("/api/v1/kitchen/tastings/{sweet}")).ok()["shelf"].is_null());
    owner.patch(&format!("/api/v1/kitchen/tastings/{sweet}"), &json!({ "remark": "Sour" })).ok();
    put(&staff, &plugin, "1.1.0").ok();
    let sweet = owner.get(&format!("/api/v1/kitchen/tastings/{sweet}")).ok();
    assert_eq!((text(&sweet, "remark"), text(&sweet, "shelf")), ("Sour", "top"), "nothing was lost");
    assert_eq!(tastings(&owner).len(), made + 1);

    // A version with steps of its own: the file is copied first.
    put(&staff, &plugin, "2.0.0").ok();
    let organization = plugin.split('/').nth(4).unwrap();
    let folder = fleet.host.data().join("organizations").join(organization).join("snapshots");
    let copies: Vec<String> =
        fs::read_dir(folder).unwrap().map(|file| file.unwrap().file_name().into_string().unwrap()).collect();
    assert_eq!(copies, ["kitchen-before-2.0.0.sqlite"]);
    let events = staff.get(&format!("{plugin}/events")).ok();
    assert_eq!(events["data"][0]["event"], "upgraded");
    assert_eq!(events["data"].as_array().unwrap().last().unwrap()["event"], "pinned");
}

#[test]
fn a_version_that_does_not_fit_leaves_the_organization_alone_and_the_fleet_goes_on() {
    let fleet = Fleet::new();
    let claimed = claim(&fleet.host);
    let staff = claimed.client.clone();
    let slugs: Vec<String> = (0..12).map(|number| format!("org-{number}")).collect();
    for slug in &slugs {
        let owner = fleet.host.organization(slug, &["kitchen"]).owner();
        owner.post("/api/v1/kitchen/tastings", &tasting("Salty")).created();
        if slug == "org-3" {
            owner.post("/api/v1/kitchen/tastings", &tasting("Salty")).created();
        }
        // Said aloud, so that it stays when a newer one is there.
        put(&staff, &at(&staff, slug, "/kitchen"), "1.0.0").ok();
    }
    post(&staff, &format!("{}/pin", at(&staff, "org-5", "/kitchen"))).ok();
    post(&staff, &format!("{}/disable", at(&staff, "org-6", "/kitchen"))).ok();
    let fleet = fleet.with(&[("2.0.0", unique)]);
    let staff = again(&fleet.host, &claimed);

    let body = json!({ "plugin": "kitchen", "version": "7.0.0" });
    staff.post("/admin/v1/rollouts", &body).problem(404, "plugin_version_not_found");
    let body = json!({ "plugin": "kitchen", "version": "2.0.0" });
    let begun = staff.post("/admin/v1/rollouts", &body).accepted();
    assert_eq!(begun["total"], 10, "all but the one that is pinned and the one that switched it off");
    let path = format!("/admin/v1/rollouts/{}", id(&begun));
    wait_for("the roll-out", Duration::from_secs(60), || {
        Some(staff.get(&path).ok()).filter(|rollout| rollout["state"] != "running")
    });
    let ended = staff.get(&path).ok();
    assert_eq!(
        (&ended["state"], &ended["done"], &ended["failed"]),
        (&json!("finished"), &json!(10), &json!(1))
    );

    let seen = staff.get("/admin/v1/fleet?plugin=kitchen").ok();
    let versions = seen["versions"].as_array().unwrap();
    let count = |version: &str| {
        versions.iter().find(|one| one["version"] == version).unwrap()["organizations"].clone()
    };
    assert_eq!((count("1.0.0"), count("2.0.0")), (json!(3), json!(9)));
    let quarantined = seen["quarantined"].as_array().unwrap();
    assert_eq!(quarantined.len(), 1);
    assert_eq!(quarantined[0]["failed_version"], "2.0.0");
    assert!(text(&quarantined[0], "detail").contains("share a value of `remark`"), "{quarantined:?}");

    let off = at(&staff, "org-6", "/kitchen");
    assert_eq!(put(&staff, &off, "2.0.0").ok()["enabled"], false, "a version alone switches nothing on");

    let failed = at(&staff, "org-3", "/kitchen");
    assert_eq!(staff.get(&failed).ok()["fault"]["version"], "2.0.0");
    put(&staff, &failed, "2.0.0").problem(409, "version_unfit");
    assert_eq!(staff.get(&failed).ok()["version"], "1.0.0", "what was there runs on");
    assert_eq!(staff.get("/admin/v1/rollouts").ok()["data"][0]["id"], begun["id"]);
    post(&staff, &format!("{path}/stop")).expect(204);
    assert_eq!(staff.get(&path).ok()["state"], "finished", "it is over");
}

#[test]
fn a_plugin_is_switched_off_and_its_records_wait() {
    let fleet = Fleet::new();
    let staff = claim(&fleet.host).client;
    let acme = fleet.host.organization("acme", &["kitchen", "sales"]);
    let owner = acme.owner();
    owner.post("/api/v1/kitchen/tastings", &tasting("Salty")).created();
    let plugin = at(&staff, "acme", "/kitchen");
    assert_eq!(post(&staff, &format!("{plugin}/disable")).ok()["enabled"], false);
    owner.get("/api/v1/kitchen/tastings").problem(403, "plugin_disabled");
    assert!(!owner.get("/openapi.json").ok()["paths"].to_string().contains("/kitchen/"));
    owner.get("/api/v1/crm/accounts").ok();
    assert_eq!(post(&staff, &format!("{plugin}/enable")).ok()["enabled"], true);
    assert_eq!(tastings(&owner).len(), 1);

    let needed =
        post(&staff, &format!("{}/disable", at(&staff, "acme", "/crm"))).problem(409, "plugin_needed");
    assert_eq!(needed["needed_by"], json!(["kitchen", "sales"]));
    staff.delete(&plugin).problem(409, "part_of_installation");
    staff.delete(&at(&staff, "acme", "/nothing")).problem(404, "installation_not_found");
    post(&staff, &at(&staff, "acme", "/nothing/disable")).problem(404, "installation_not_found");
}
