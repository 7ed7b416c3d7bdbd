//! Components: compiled once, never loaded when somebody touched what was compiled, never taken as machine code.

use std::path::{Path, PathBuf};

use super::{read, stand_in};
use crate::plugins::artifact::Artifacts;
use crate::plugins::{ManifestFault, Package, PluginError, Plugins, Trust, engine};

/// The smallest component there is: nothing but the header.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn package(manifest: &str, component: &[u8]) -> Package {
    let (manifest, component) = (read(manifest).into(), component.to_vec().into());
    Package { name: "test".into(), manifest, component, sql: b"".into(), trust: Trust::Local }
}

fn crm(component: &[u8]) -> Package {
    package("plugins/crm/manifest.json", component)
}

/// The only artifact in the folder.
fn artifact(folder: &Path) -> PathBuf {
    let entries = std::fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut found: Vec<PathBuf> =
        entries.filter(|path| path.extension().is_some_and(|end| end == "cwasm")).collect();
    assert_eq!(found.len(), 1, "{found:?}");
    found.remove(0)
}

fn detail(outcome: Result<impl Sized, PluginError>) -> String {
    match outcome.map(|_| ()) {
        Err(PluginError::Component { detail, .. } | PluginError::Package { detail, .. }) => detail,
        other => panic!("{other:?}"),
    }
}

#[test]
fn an_artifact_with_a_changed_byte_is_compiled_anew() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), engine::start().unwrap());
    let artifacts = Artifacts::new(folder.path().to_owned(), [7; 32]);
    artifacts.load(&engine, &crm(EMPTY)).unwrap();
    let path = artifact(folder.path());
    let whole = std::fs::read(&path).unwrap();
    let mac = std::fs::read(path.with_extension("mac")).unwrap();
    for at in [0, whole.len() / 2, whole.len() - 1] {
        let mut changed = whole.clone();
        changed[at] ^= 1;
        std::fs::write(&path, &changed).unwrap();
        artifacts.load(&engine, &crm(EMPTY)).unwrap();
        assert_eq!(std::fs::read(&path).unwrap(), whole, "byte {at} stays changed");
    }
    // What another installation made, under its own key, is no more trusted than what was changed.
    Artifacts::new(folder.path().to_owned(), [8; 32]).load(&engine, &crm(EMPTY)).unwrap();
    assert_ne!(std::fs::read(path.with_extension("mac")).unwrap(), mac);
    for part in ["", "short"] {
        std::fs::write(path.with_extension("mac"), part).unwrap();
        artifacts.load(&engine, &crm(EMPTY)).unwrap();
        assert_eq!(std::fs::read(path.with_extension("mac")).unwrap(), mac);
    }
    std::fs::remove_file(path.with_extension("mac")).unwrap();
    artifacts.load(&engine, &crm(EMPTY)).unwrap();
    assert_eq!(std::fs::read(path.with_extension("mac")).unwrap(), mac);
}

#[test]
fn a_good_artifact_is_not_compiled_again() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), engine::start().unwrap());
    let artifacts = Artifacts::new(folder.path().to_owned(), [7; 32]);
    artifacts.load(&engine, &crm(EMPTY)).unwrap();
    let path = artifact(folder.path());
    let before = std::fs::metadata(&path).unwrap().modified().unwrap();
    let mut read_only = std::fs::metadata(folder.path()).unwrap().permissions();
    read_only.set_readonly(true);
    std::fs::set_permissions(folder.path(), read_only).unwrap();
    artifacts.load(&engine, &crm(EMPTY)).unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().modified().unwrap(), before);
}

#[test]
fn machine_code_is_no_component() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), engine::start().unwrap());
    let artifacts = Artifacts::new(folder.path().to_owned(), [7; 32]);
    let code = engine.precompile_component(EMPTY).unwrap();
    assert!(detail(artifacts.load(&engine, &crm(&code))).contains("machine code"));
    for bad in [&b""[..], b"not wasm", b"\0asm\x01\0\0\0", &code[1..]] {
        assert!(matches!(artifacts.load(&engine, &crm(bad)), Err(PluginError::Component { .. })), "{bad:?}");
    }
}

#[test]
fn packages_that_do_not_fit_together_are_refused() {
    let folder = tempfile::tempdir().unwrap();
    let load = |packages| Plugins::load(packages, folder.path().to_owned(), [7; 32]);
    let sales = || package("plugins/sales/manifest.json", &stand_in());
    let absent = |faults: &[ManifestFault]| faults.iter().any(|fault| fault.pointer == "/requires/0");
    assert!(matches!(load(vec![sales()]), Err(PluginError::Manifest { faults, .. }) if absent(&faults)));
    assert!(detail(load(vec![crm(&stand_in()), crm(&stand_in())])).contains("the same version"));
    assert!(
        matches!(load(vec![package("tests/guests/bad-manifest/manifest.json", &stand_in())]), Err(PluginError::Manifest { faults, .. }) if faults.len() > 20)
    );
    let both = load(vec![sales(), crm(&stand_in())]).unwrap();
    assert_eq!(
        both.all().iter().map(|plugin| plugin.manifest.id.to_string()).collect::<Vec<_>>(),
        ["crm", "sales"]
    );
}

#[test]
fn what_the_pool_has_no_room_for_is_told() {
    let (folder, engine) = (tempfile::tempdir().unwrap(), engine::start().unwrap());
    let artifacts = Artifacts::new(folder.path().to_owned(), [7; 32]);
    // One memory is declared, and two are made of it.
    let twice = "(component (core module $m (memory 1)) (core instance (instantiate $m)) (core instance (instantiate $m)))";
    let said = detail(artifacts.load(&engine, &crm(&wat::parse_str(twice).unwrap())));
    assert!(said.contains("2 Wasm linear memories"), "{said}");
}

#[test]
fn a_package_that_asks_for_more_than_its_level_may_have_is_not_loaded() {
    let folder = tempfile::tempdir().unwrap();
    let load = |mib: u32| {
        let mut manifest: serde_json::Value =
            serde_json::from_slice(&read("plugins/crm/manifest.json")).unwrap();
        manifest["limits"] = serde_json::json!({ "memory_mib": mib });
        let manifest = serde_json::to_vec(&manifest).unwrap().into();
        Plugins::load(vec![Package { manifest, ..crm(&stand_in()) }], folder.path().to_owned(), [7; 32])
    };
    assert!(load(256).is_ok());
    let named = |faults: &[ManifestFault]| {
        faults[0].pointer == "/limits/memory_mib"
            && faults[0].detail.contains("asks for 257")
            && faults[0].detail.contains("256")
    };
    assert!(matches!(load(257), Err(PluginError::Manifest { faults, .. }) if named(&faults)));
}

#[test]
fn what_the_child_compiles_is_what_the_host_runs() {
    use std::hash::{DefaultHasher, Hash as _, Hasher as _};
    let hash = |engine: wasmtime::Engine| {
        let mut hasher = DefaultHasher::new();
        engine.precompile_compatibility_hash().hash(&mut hasher);
        hasher.finish()
    };
    assert_eq!(hash(engine::compiler().unwrap()), hash(engine::start().unwrap()));
}
