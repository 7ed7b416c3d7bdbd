//! Views between plugins as manifests declare them, and texts that name them.

use serde_json::{Value as Json, json};

use super::{read, stand_in};
use crate::plugins::sql::check::check_texts;
use crate::plugins::{Manifest, Package, PluginError, Plugins, Trust, sql};

fn manifest(id: &str, change: impl FnOnce(&mut Json)) -> Vec<u8> {
    let mut json = serde_json::from_slice(&read(&format!("plugins/{id}/manifest.json"))).unwrap();
    change(&mut json);
    serde_json::to_vec(&json).unwrap()
}

fn faults(bytes: &[u8]) -> Vec<String> {
    let faults = Manifest::parse(bytes).map(|_| ()).unwrap_err();
    faults.into_iter().map(|fault| fault.pointer).collect()
}

fn load(crm: &[u8], sales: &[u8], text: &str) -> Result<(), PluginError> {
    let folder = tempfile::tempdir().unwrap();
    let package = |name: &str, manifest: &[u8], text: &str| Package {
        name: name.into(),
        manifest: manifest.to_vec().into(),
        component: stand_in().into(),
        sql: json!({ "v": 1, "texts": [{ "text": text }] }).to_string().into_bytes().into(),
        trust: Trust::Local,
    };
    let packages = vec![package("sales", sales, text), package("crm", crm, "select 1")];
    Plugins::load(packages, folder.path().to_owned(), [7; 32]).map(|_| ())
}

#[test]
fn what_a_plugin_reads_of_others_is_declared_for_everybody_to_see() {
    let sales = Manifest::parse(&manifest("sales", |_| ())).unwrap();
    let reads: Vec<_> =
        sales.reads().iter().map(|reading| (reading.key(), reading.columns.join(" "))).collect();
    assert_eq!(reads, [("crm.accounts".to_owned(), "id industry".to_owned())]);
    let crm = Manifest::parse(&manifest("crm", |_| ())).unwrap();
    let views: Vec<_> = crm.views().iter().map(|view| view.name.as_str()).collect();
    assert_eq!(views, ["accounts", "contacts"]);
}

#[test]
fn a_view_that_cannot_be_is_a_fault_in_its_place() {
    for (views, pointer) in [
        (json!([{"name": "Accounts", "entity": "account", "columns": []}]), "/views/0/name"),
        (json!([{"name": "a", "entity": "nothing", "columns": []}]), "/views/0/entity"),
        (json!([{"name": "a", "entity": "account", "columns": ["_row"]}]), "/views/0/columns/0"),
        (
            json!([{"name": "a", "entity": "account", "columns": ["name", "external_ids"]}]),
            "/views/0/columns/1",
        ),
        (json!([{"name": "a", "entity": "account", "columns": ["deleted_at"]}]), "/views/0/columns/0"),
        (json!([{"name": "a", "entity": "account", "columns": ["x\" from secret"]}]), "/views/0/columns/0"),
        (json!([{"name": "a", "entity": "account", "columns": [], "sql": "select 1"}]), "/views/0/sql"),
    ] {
        let found = faults(&manifest("crm", |json| json["views"] = views.clone()));
        assert!(found.contains(&pointer.to_owned()), "{views}: {found:?}");
    }
    let twice = json!([{"name": "a", "entity": "account", "columns": []}, {"name": "a", "entity": "contact", "columns": []}]);
    assert_eq!(faults(&manifest("crm", |json| json["views"] = twice)), ["/views/1/name"]);
    let secret = manifest("crm", |json| {
        json["entities"][0]["fields"][0]["class"] = json!("secret");
    });
    assert!(faults(&secret).contains(&"/views/0/columns/0".to_owned()));
    for (reads, pointer) in [
        (json!([{"plugin": "support", "view": "tickets", "columns": []}]), "/reads/0/plugin"),
        (json!([{"plugin": "crm", "view": "x y", "columns": []}]), "/reads/0/view"),
        (json!([{"plugin": "crm", "view": "a", "columns": ["a\", secret as \"b"]}]), "/reads/0/columns/0"),
        (
            json!([{"plugin": "crm", "view": "a", "columns": []}, {"plugin": "crm", "view": "a", "columns": []}]),
            "/reads/1/view",
        ),
    ] {
        let found = faults(&manifest("sales", |json| json["reads"] = reads.clone()));
        assert!(found.contains(&pointer.to_owned()), "{reads}: {found:?}");
    }
}

#[test]
fn a_plugin_that_reads_what_nobody_publishes_is_not_loaded() {
    let (crm, sales) = (manifest("crm", |_| ()), manifest("sales", |_| ()));
    let text = "select industry from visible_crm_accounts";
    load(&crm, &sales, text).unwrap();
    let refused = |crm: &[u8], sales: &[u8]| match load(crm, sales, "select 1") {
        Err(PluginError::Manifest { faults, .. }) => format!("{}: {}", faults[0].pointer, faults[0].detail),
        other => panic!("{other:?}"),
    };
    let told = refused(&manifest("crm", |json| json["views"] = json!([])), &sales);
    assert!(told.starts_with("/reads/0: ") && told.contains("publishes a view"), "{told}");
    let told = refused(&crm, &manifest("sales", |json| json["reads"][0]["columns"] = json!(["phone"])));
    assert!(told.starts_with("/reads/0: ") && told.contains("`phone`"), "{told}");
}

#[test]
fn texts_may_name_the_columns_that_are_asked_for_and_no_others() {
    let sales = manifest("sales", |_| ());
    let check = |text: &str| {
        let listed = json!({ "v": 1, "texts": [{ "text": text }] }).to_string();
        check_texts(&sales, &sql::read(listed.as_bytes()).unwrap()).map_err(|(_, why)| why)
    };
    check("select o.name, a.industry from visible_opportunity o join visible_crm_accounts a on a.id = o.account").unwrap();
    for (text, words) in [
        ("select name from visible_crm_accounts", "no such column"),
        ("select name from visible_crm_contacts", "no such table"),
        ("select name from crm.account", "no such table"),
        ("select name from account", "no such table"),
        ("delete from visible_crm_accounts", "no such table"),
        ("attach 'crm.sqlite' as crm", "not allowed"),
    ] {
        let why = check(text).unwrap_err();
        assert!(why.contains(words), "{text}: {why}");
    }
}
