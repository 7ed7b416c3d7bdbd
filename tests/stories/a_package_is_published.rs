//! A publisher is trusted, its packages come over the platform's plane, organizations agree to what they can do and install
//! them; a version that is stopped runs nowhere, and nothing that a revoked key signed does.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use serde_json::{Value, json};
use stoa_testkit::{Answer, Client, Host};
use stoa_tests::{id, text};
use tempfile::TempDir;

use crate::staff::{again, claim};

/// Where a publisher works.
pub(super) struct Desk(TempDir);

impl Desk {
    pub(super) fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    pub(super) fn path(&self, name: &str) -> PathBuf {
        self.0.path().join(name)
    }

    /// Whether a command succeeds, and everything that it says.
    pub(super) fn said(&self, words: &[&str]) -> (bool, String) {
        let binary = std::env::var_os("STOA_BIN").map_or_else(|| "stoa".into(), PathBuf::from);
        let said =
            Command::new(binary).current_dir(self.0.path()).arg("plugin").args(words).output().unwrap();
        let text = [said.stdout, said.stderr].concat();
        (said.status.success(), String::from_utf8_lossy(&text).into_owned())
    }

    fn plugin(&self, words: &[&str]) -> Value {
        let (succeeded, said) = self.said(words);
        assert!(succeeded, "{said}");
        serde_json::from_str(&said).unwrap()
    }

    /// A key; answers its public part.
    pub(super) fn key(&self, name: &str) -> String {
        text(&self.plugin(&["keygen", name, "--json"]), "public_key").to_owned()
    }

    /// The kitchen in this version, signed with this key, its manifest changed so.
    pub(super) fn package(&self, version: &str, key: &str, change: impl FnOnce(&mut Value)) -> Vec<u8> {
        self.package_with(version, key, None, change)
    }

    /// The same with another component.
    pub(super) fn package_with(
        &self,
        version: &str,
        key: &str,
        component: Option<&[u8]>,
        change: impl FnOnce(&mut Value),
    ) -> Vec<u8> {
        let guests =
            std::env::var_os("STOA_GUESTS").unwrap_or_else(|| panic!("`cargo xtask test` builds the guests"));
        let guest = Path::new(&guests).join("kitchen");
        let name = format!("kitchen-{version}-{key}");
        fs::create_dir(self.path(&name)).unwrap();
        for file in ["component.wasm", "sql.json"] {
            fs::copy(guest.join(file), self.path(&name).join(file)).unwrap();
        }
        if let Some(component) = component {
            fs::write(self.path(&name).join("component.wasm"), component).unwrap();
        }
        let mut manifest: Value =
            serde_json::from_slice(&fs::read(guest.join("manifest.json")).unwrap()).unwrap();
        manifest["version"] = version.into();
        change(&mut manifest);
        fs::write(self.path(&name).join("manifest.json"), manifest.to_string()).unwrap();
        let file = format!("{name}.stoa");
        self.plugin(&["pack", &name, "--publisher", "Acme", "--key", key, "-o", &file, "--json"]);
        fs::read(self.path(&file)).unwrap()
    }
}

pub(super) fn upload(staff: &Client, package: &[u8]) -> Answer {
    staff.raw("/admin/v1/plugins", "application/octet-stream", package)
}

pub(super) fn trust(staff: &Client, publisher: &str, level: &str, key: &str) -> Answer {
    let body = json!({ "id": publisher, "name": publisher, "trust": level, "public_key": key });
    staff.post("/admin/v1/publishers", &body)
}

pub(super) fn put(staff: &Client, path: &str, version: &str, consent: &Value) -> Answer {
    staff.call("PUT", path).json(&json!({ "version": version, "consent": consent })).send()
}

pub(super) fn organization(staff: &Client, slug: &str) -> String {
    let all = staff.all("/admin/v1/organizations");
    format!("/admin/v1/organizations/{}", id(all.iter().find(|one| one["slug"] == slug).unwrap()))
}

/// One more right than before.
pub(super) fn more(manifest: &mut Value) {
    let grant = json!({ "role": "readonly", "object": "kitchen.trace", "actions": ["read"], "scope": "org" });
    manifest["grants"].as_array_mut().unwrap().push(grant);
}

#[test]
fn what_a_trusted_key_signed_is_kept_and_nothing_else() {
    let (desk, host) = (Desk::new(), Host::start());
    let claimed = claim(&host);
    let staff = claimed.client.clone();
    let (acme, globex) = (desk.key("acme"), desk.key("globex"));
    let package = desk.package("1.0.0", "acme", |_| ());
    upload(&staff, &package).problem(422, "package_untrusted");
    let made = trust(&staff, "acme", "verified", &acme).created();
    let key = text(&made["keys"][0], "id").to_owned();
    trust(&staff, "acme", "verified", &globex).problem(409, "taken");
    trust(&staff, "other", "verified", &acme).problem(409, "taken");
    trust(&staff, "Other!", "verified", &globex).problem(422, "validation_failed");
    trust(&staff, "other", "verified", &"=".repeat(44)).problem(422, "validation_failed");

    // Whatever byte is changed, it is refused; the file is named.
    let at = package.windows(8).position(|bytes| bytes == b"\0asm\x0d\0\x01\0").unwrap();
    for (byte, file) in [(at + 2_000, "/component.wasm"), (600, "/index.json")] {
        let mut changed = package.clone();
        changed[byte] ^= 1;
        let refused = upload(&staff, &changed).problem(422, "package_refused");
        assert_eq!(refused["errors"][0]["pointer"], file, "{refused}");
    }
    upload(&staff, b"").problem(422, "package_refused");
    upload(&staff, &package[..package.len() - 512]).problem(422, "package_refused");
    staff.raw("/admin/v1/plugins", "application/json", b"{}").problem(422, "package_refused");
    assert_eq!(upload(&staff, &vec![0; (16 << 20) + 1]).status(), 413);

    let looked = staff.raw("/admin/v1/plugins?dry_run=true", "application/octet-stream", &package).ok();
    assert_eq!(looked["runs"], false);
    let kept = upload(&staff, &package).ok();
    assert_eq!(
        (&kept["runs"], &kept["publisher"], &kept["trust"]),
        (&json!(true), &json!("acme"), &json!("verified"))
    );
    assert_eq!(
        upload(&staff, &package).ok()["uploaded_at"],
        kept["uploaded_at"],
        "the same again is the same"
    );
    desk.key("stranger");
    upload(&staff, &desk.package("1.0.0", "stranger", |_| ())).problem(422, "package_untrusted");
    let other = desk.package("1.0.0-other", "acme", more);
    assert_eq!(upload(&staff, &other).ok()["version"], "1.0.0-other");
    let same = fs::read_dir(host.data().join("plugins")).unwrap().count();
    assert_eq!(same, 2, "nothing of what was refused is kept");
    staff.get("/admin/v1/publishers/acme").ok();
    staff.delete(&format!("/admin/v1/publishers/acme/keys/{key}0")).problem(404, "publisher_key_not_found");
}

#[test]
fn an_organization_agrees_installs_and_is_stopped() {
    let (desk, mut host) = (Desk::new(), Host::start());
    let claimed = claim(&host);
    let staff = claimed.client.clone();
    let acme = desk.key("acme");
    let key = text(&trust(&staff, "acme", "verified", &acme).created()["keys"][0], "id").to_owned();
    upload(&staff, &desk.package("1.0.0", "acme", |_| ())).ok();
    let token = {
        let customer = host.organization("customer", &["kitchen"]);
        customer.owner().get("/api/v1/kitchen/menus").problem(404, "not_found");
        customer.owner().token().unwrap().to_owned()
    };
    let owner = Client::new(host.address(), "/t/customer", Some(&token));
    let plugin = format!("{}/plugins/kitchen", organization(&staff, "customer"));
    staff.get(&plugin).problem(404, "installation_not_found");
    let asked = put(&staff, &plugin, "1.0.0", &json!([])).problem(409, "consent_required");
    let added = asked["added"].clone();
    assert!(added.as_array().unwrap().contains(&json!("permission:records.as-plugin")), "{added}");
    assert_eq!(staff.get(&format!("{plugin}/preview?version=1.0.0")).ok()["capabilities_added"], added);
    assert_eq!(put(&staff, &plugin, "1.0.0", &added).ok()["licensed"], true);
    let menu = json!({ "name": "Spring", "from": "2026-03-01" });
    let seeded = owner.all("/api/v1/kitchen/menus").len();
    owner.post("/api/v1/kitchen/menus", &menu).created();
    assert!(owner.get("/openapi.json").ok()["paths"].to_string().contains("/kitchen/menus"));

    upload(&staff, &desk.package("1.1.0", "acme", more)).ok();
    let asked = put(&staff, &plugin, "1.1.0", &json!([])).problem(409, "consent_required");
    assert_eq!(asked["added"], json!(["grant:readonly:kitchen.trace:read:org"]));
    put(&staff, &plugin, "1.1.0", &asked["added"]).ok();
    staff.call("POST", &format!("{plugin}/roll-back")).send().ok();
    put(&staff, &plugin, "1.1.0", &json!(["grant:readonly:kitchen.trace:read:org"])).ok();

    // Older than what runs, and never run here.
    upload(&staff, &desk.package("0.9.0", "acme", |_| ())).ok();
    put(&staff, &plugin, "0.9.0", &json!([])).problem(409, "version_never_ran");

    let version = "/admin/v1/plugins/kitchen/versions/1.1.0";
    let killed = staff.post(&format!("{version}/kill"), &json!({ "reason": "it lies" })).ok();
    assert_eq!((&killed["runs"], &killed["killed_reason"]), (&json!(false), &json!("it lies")));
    owner.get("/api/v1/kitchen/menus").problem(503, "plugin_stopped");
    owner.get("/api/v1/crm/accounts").ok();
    put(&staff, &plugin, "1.0.0", &json!([])).ok();
    assert_eq!(owner.all("/api/v1/kitchen/menus").len(), seeded + 1, "another version serves what is there");
    staff.post(&format!("{version}/revive"), &Value::Null).ok();
    put(&staff, &plugin, "1.1.0", &json!(["grant:readonly:kitchen.trace:read:org"])).ok();

    drop((owner, staff));
    host.restart();
    let staff = again(&host, &claimed);
    let owner = Client::new(host.address(), "/t/customer", Some(&token));
    assert_eq!(owner.all("/api/v1/kitchen/menus").len(), seeded + 1, "it is there after a restart");
    staff.call("DELETE", &format!("/admin/v1/publishers/acme/keys/{key}")).send().ok();
    owner.get("/api/v1/kitchen/menus").problem(503, "plugin_stopped");
    upload(&staff, &desk.package("2.0.0", "acme", |_| ())).problem(422, "package_untrusted");
    let next = desk.key("next");
    staff.post("/admin/v1/publishers/acme/keys", &json!({ "public_key": next })).created();
    upload(&staff, &desk.package("2.0.0", "next", |_| ())).ok();
    let agreed = staff.get(&format!("{plugin}/preview?version=2.0.0")).ok()["capabilities_added"].clone();
    put(&staff, &plugin, "2.0.0", &agreed).ok();
    assert_eq!(owner.all("/api/v1/kitchen/menus").len(), seeded + 1);

    taken_away(&host, &staff, (&owner, &plugin), seeded);
}

/// The plugin goes with its records, and begins anew when it comes again.
fn taken_away(host: &Host, staff: &Client, (owner, plugin): (&Client, &str), seeded: usize) {
    let gone = staff.delete(plugin).ok();
    owner.get("/api/v1/kitchen/menus").problem(404, "not_found");
    let organization = plugin.split('/').nth(4).unwrap();
    let archive = host.data().join("organizations").join(organization).join("archive");
    assert!(archive.join(text(&gone, "archived")).exists());
    let agreed = staff.get(&format!("{plugin}/preview?version=2.0.0")).ok()["capabilities_added"].clone();
    put(staff, plugin, "2.0.0", &agreed).ok();
    assert_eq!(owner.all("/api/v1/kitchen/menus").len(), seeded, "it begins anew");
}

#[test]
fn a_plugin_belongs_to_whoever_came_first_and_levels_have_ceilings() {
    let (desk, host) = (Desk::new(), Host::start());
    let staff = claim(&host).client;
    let (acme, globex, crowd) = (desk.key("acme"), desk.key("globex"), desk.key("crowd"));
    trust(&staff, "acme", "verified", &acme).created();
    trust(&staff, "globex", "verified", &globex).created();
    trust(&staff, "crowd", "community", &crowd).created();
    let refused = upload(&staff, &desk.package("1.0.0", "crowd", |_| ())).problem(422, "package_refused");
    assert!(refused.to_string().contains("community"), "{refused}");
    upload(&staff, &desk.package("1.0.0", "acme", |_| ())).ok();
    upload(&staff, &desk.package("1.1.0", "globex", |_| ())).problem(409, "plugin_owned");
    upload(&staff, &desk.package("1.0.0", "globex", |_| ())).problem(409, "plugin_owned");
    let sales = |manifest: &mut Value| manifest["id"] = "sales".into();
    upload(&staff, &desk.package("9.0.0", "globex", sales)).expect(409);
    let listed = staff.get("/admin/v1/plugins").ok();
    let named = |name: &str| {
        let all = listed["data"].as_array().unwrap();
        all.iter().find(|one| one["plugin"] == name).unwrap()["trust"].clone()
    };
    assert_eq!((named("sales"), named("kitchen")), (json!("core"), json!("verified")));
    staff.get("/admin/v1/plugins/kitchen/versions/1.0.1/package").problem(404, "plugin_version_not_found");
}

#[test]
fn a_version_is_never_changed_and_a_lost_file_can_come_again() {
    let (desk, mut host) = (Desk::new(), Host::start());
    let claimed = claim(&host);
    let staff = claimed.client.clone();
    trust(&staff, "acme", "verified", &desk.key("acme")).created();
    let package = desk.package("1.0.0", "acme", |_| ());
    // Two who publish other bytes as the same version at once: one of them is first.
    fs::rename(desk.path("acme"), desk.path("same")).unwrap();
    let other = desk.package("1.0.0", "same", more);
    let codes: Vec<u16> = std::thread::scope(|scope| {
        let both = [&package, &other].map(|bytes| scope.spawn(|| upload(&staff, bytes).status()));
        both.map(|one| one.join().unwrap()).to_vec()
    });
    assert!(codes.contains(&200) && codes.contains(&409), "{codes:?}");
    let (kept, refused) = if codes[0] == 200 { (&package, &other) } else { (&other, &package) };
    upload(&staff, refused).problem(409, "version_published");
    let version = "/admin/v1/plugins/kitchen/versions/1.0.0";
    assert_eq!(staff.get(&format!("{version}/package")).expect(200).bytes(), kept, "byte for byte");

    let file = host.data().join("plugins/kitchen-1.0.0.stoa");
    let mut bytes = fs::read(&file).unwrap();
    *bytes.last_mut().unwrap() ^= 1;
    fs::write(&file, bytes).unwrap();
    host.restart();
    let staff = again(&host, &claimed);
    assert_eq!(staff.get(version).ok()["runs"], false, "what was changed on the disk does not run");
    assert!(host.log().contains("its file was changed"));
    assert_eq!(upload(&staff, kept).ok()["runs"], true, "and comes again");
    staff.post(&format!("{version}/kill"), &json!({ "reason": "it lies" })).ok();
    assert_eq!(upload(&staff, kept).ok()["runs"], false, "stopped is stopped");
}
