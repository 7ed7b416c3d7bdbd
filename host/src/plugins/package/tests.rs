//! Archives as strangers send them: one byte changed anywhere, one file more or fewer, another order, another key.

use std::collections::BTreeMap;

use sha2::{Digest as _, Sha256};
use tar::{EntryType, Header};

use super::archive::{INDEX, SIGNATURE};
use super::{Archive, PackageFault, PrivateKey, PublicKey, Trust, files_of};
use crate::plugins::Maker;
use crate::plugins::manifest::Manifest;
use crate::plugins::tests::{read, stand_in};

/// The smallest component there is.
const EMPTY: &[u8] = b"\0asm\x0d\0\x01\0";

fn files() -> BTreeMap<String, Vec<u8>> {
    [
        ("manifest.json", br#"{"id":"tiny","version":"1.0.0","contract":"1.0"}"#.to_vec()),
        ("component.wasm", EMPTY.to_vec()),
        ("sql.json", br#"{"v":1,"texts":[]}"#.to_vec()),
        ("locales/de.json", b"{}".to_vec()),
        ("docs/index.md", b"# It\n".to_vec()),
    ]
    .map(|(path, content)| (path.to_owned(), content))
    .into()
}

fn packed() -> Archive {
    Archive::pack(files(), "Acme", None).unwrap()
}

fn key() -> PrivateKey {
    PrivateKey::generate().unwrap()
}

/// Where each file stands: path, header, content.
fn places(bytes: &[u8]) -> Vec<(String, usize, usize)> {
    let (mut found, mut at) = (Vec::new(), 0);
    while bytes[at] != 0 {
        let header = Header::from_byte_slice(&bytes[at..at + 512]);
        let size = header.entry_size().unwrap() as usize;
        found.push((String::from_utf8_lossy(&header.path_bytes()).into_owned(), at, size));
        at += 512 + size.next_multiple_of(512);
    }
    found
}

/// What a host says: reading, and whose signature it is.
fn opened(bytes: &[u8], key: &PublicKey) -> Result<(), PackageFault> {
    Archive::read(bytes)?.verify(key)
}

fn entry(path: &str, content: &[u8], change: impl Fn(&mut Header)) -> Vec<u8> {
    let mut header = Header::new_ustar();
    let name = &mut header.as_old_mut().name;
    name[..path.len()].copy_from_slice(path.as_bytes());
    header.set_entry_type(EntryType::Regular);
    header.set_mode(0o644);
    header.set_uid(0);
    header.set_gid(0);
    header.set_mtime(0);
    header.set_size(content.len() as u64);
    change(&mut header);
    header.set_cksum();
    let mut bytes = [&header.as_bytes()[..], content].concat();
    bytes.resize(bytes.len().next_multiple_of(512), 0);
    bytes
}

/// The good archive with something put before its end.
fn with(more: &[u8]) -> Vec<u8> {
    let mut bytes = packed().to_bytes().unwrap();
    bytes.truncate(bytes.len() - 1024);
    bytes.extend_from_slice(more);
    bytes.extend([0; 1024]);
    bytes
}

fn fault(bytes: &[u8]) -> PackageFault {
    Archive::read(bytes).unwrap_err()
}

#[test]
fn the_same_files_are_the_same_bytes_and_come_back() {
    let bytes = packed().to_bytes().unwrap();
    assert_eq!(packed().to_bytes().unwrap(), bytes);
    let back = Archive::read(&bytes).unwrap();
    assert_eq!(back.to_bytes().unwrap(), bytes);
    assert_eq!((back.file_name().as_str(), back.signed_by()), ("tiny-1.0.0.stoa", None));
    for (path, content) in files() {
        assert_eq!(back.file(&path), Some(&*content));
    }
    let paths: Vec<_> = places(&bytes).into_iter().map(|(path, ..)| path).collect();
    let expected =
        ["index.json", "component.wasm", "docs/index.md", "locales/de.json", "manifest.json", "sql.json"];
    assert_eq!(paths, expected);
    // What was published once must be readable for ever: these bytes may not change with a library.
    let block = entry("sql.json", &files()["sql.json"], |_| {});
    let (_, at, _) = *places(&bytes).iter().find(|(path, ..)| path == "sql.json").unwrap();
    assert_eq!(bytes[at..at + block.len()], block);
    let sum: String = Sha256::digest(&block).iter().take(4).map(|byte| format!("{byte:02x}")).collect();
    assert_eq!(sum, "ba2e9e06");
}

#[test]
fn any_changed_byte_is_refused_naming_the_file() {
    let key = key();
    let bytes = packed().sign(&key).to_bytes().unwrap();
    opened(&bytes, &key.public()).unwrap();
    let places = places(&bytes);
    assert_eq!(places.len(), 7);
    for (path, at, size) in &places {
        for offset in 0..*size {
            let mut changed = bytes.clone();
            changed[at + 512 + offset] ^= 1 << (offset % 8);
            let fault = opened(&changed, &key.public()).unwrap_err();
            // Text of the list may come to name another file; of the two files of words one is named.
            let named = fault.file == *path || (path == INDEX && fault.file != "the package");
            let named = named || (path == INDEX || path == SIGNATURE) && fault.file == SIGNATURE;
            assert!(named, "{path} at {offset}: {fault}");
        }
    }
    for at in 0..bytes.len() {
        for bit in 0..8 {
            let mut changed = bytes.clone();
            changed[at] ^= 1 << bit;
            assert!(opened(&changed, &key.public()).is_err(), "byte {at} bit {bit}");
            if at % 7 != 0 {
                break;
            }
        }
    }
}

#[test]
fn a_package_that_is_cut_or_goes_on_is_refused() {
    let bytes = packed().to_bytes().unwrap();
    for end in (0..bytes.len()).step_by(64) {
        assert!(Archive::read(&bytes[..end]).is_err(), "{end}");
    }
    assert!(Archive::read(&[&bytes[..], &[0; 512]].concat()).is_err());
    assert!(Archive::read(&[&bytes[..], b"x"].concat()).is_err());
    assert!(fault(&vec![0; super::LARGEST + 1]).detail.contains("are allowed"));
}

#[test]
fn a_file_that_is_not_listed_or_is_missing_is_refused_by_name() {
    let more = with(&entry("zzz", b"x", |_| {}));
    assert_eq!(fault(&more).file, "zzz");
    let fault_of = fault(&with(&entry("settings.schema.json", b"{}", |_| {})));
    // It comes after sql.json in time and before it in order.
    assert_eq!(fault_of.file, "settings.schema.json");
    let bytes = packed().to_bytes().unwrap();
    for (path, at, size) in places(&bytes) {
        let end = at + 512 + size.next_multiple_of(512);
        let fault = fault(&[&bytes[..at], &bytes[end..]].concat());
        assert_eq!(fault.file, path);
        assert!(fault.detail.contains("missing"), "{fault}");
    }
    // In its right place and not listed.
    let mut parts = Vec::new();
    for (path, at, size) in places(&bytes) {
        if path == "sql.json" {
            parts.extend(entry("settings.schema.json", b"{}", |_| {}));
        }
        parts.extend_from_slice(&bytes[at..at + 512 + size.next_multiple_of(512)]);
    }
    parts.extend([0; 1024]);
    let unlisted = fault(&parts);
    assert_eq!(
        (unlisted.file.as_str(), unlisted.detail.contains("not listed")),
        ("settings.schema.json", true)
    );
}

#[test]
fn paths_links_and_doubles_are_refused_by_name() {
    for path in [
        "../x",
        "/etc/passwd",
        "docs/../x",
        "docs/a/b",
        "docs/.x",
        "docs/",
        "locales",
        "Component.wasm",
        "docs/\u{e4}",
    ] {
        let fault = fault(&with(&entry(path, b"x", |_| {})));
        assert!(fault.detail.contains("does not belong"), "{path}: {fault}");
    }
    let changes: [fn(&mut Header); 6] = [
        |header| header.set_entry_type(EntryType::Symlink),
        |header| header.set_entry_type(EntryType::Link),
        |header| header.set_entry_type(EntryType::Directory),
        |header| header.set_mode(0o4755),
        |header| header.set_mtime(1),
        |header| header.as_old_mut().linkname[0] = b'x',
    ];
    for change in changes {
        let fault = fault(&with(&entry("zz.json", b"", change)));
        assert_eq!(fault.file, "zz.json");
        let fault = super::tests::fault(&with(&entry("sql.json", b"", change)));
        assert_eq!(fault.file, "sql.json");
    }
    let twice = fault(&with(&entry("sql.json", &files()["sql.json"], |_| {})));
    assert!(twice.file == "sql.json" && twice.detail.contains("twice"), "{twice}");
}

#[test]
fn sizes_are_bounded_before_anything_is_read() {
    let fault = fault(&with(&entry("component.wasm", b"", |header| header.set_size(1 << 40))));
    assert!(fault.file == "component.wasm" && fault.detail.contains("are allowed"), "{fault}");
    let mut large = files();
    large.insert("component.wasm".into(), vec![0; (8 << 20) + 1]);
    assert_eq!(Archive::pack(large, "Acme", None).unwrap_err().file, "component.wasm");
    let mut many = files();
    many.insert("docs/x/y".into(), Vec::new());
    assert_eq!(Archive::pack(many, "Acme", None).unwrap_err().file, "docs/x/y");
}

#[test]
fn an_index_of_another_plugin_is_refused() {
    let mut other = files();
    let manifest = String::from_utf8(other["manifest.json"].clone()).unwrap();
    other.insert("manifest.json".into(), manifest.replacen("1.0.0", "1.0", 1).into_bytes());
    assert!(Archive::pack(other, "Acme", None).unwrap_err().detail.contains("semantic version"));
    for publisher in ["", &"x".repeat(101)] {
        assert_eq!(Archive::pack(files(), publisher, None).unwrap_err().file, INDEX);
    }
    assert_eq!(Archive::pack(files(), "Acme", Some("new")).unwrap_err().file, INDEX);
}

#[test]
fn only_the_publishers_key_is_good() {
    let (ours, theirs) = (key(), key());
    let archive = packed();
    assert!(archive.verify(&ours.public()).unwrap_err().detail.contains("not signed"));
    let archive = archive.sign(&ours);
    assert_eq!(archive.signed_by(), Some(&*ours.public().id()));
    archive.verify(&ours.public()).unwrap();
    assert_eq!(archive.verify(&theirs.public()).unwrap_err().file, SIGNATURE);
    // The signature of another package, under the same key.
    let other = Archive::pack(files(), "Somebody else", None).unwrap().sign(&ours).to_bytes().unwrap();
    let bytes = archive.to_bytes().unwrap();
    let (from, to) = (places(&other)[1].1, places(&bytes)[1].1);
    let mut mixed = bytes.clone();
    mixed[to..to + 1024].copy_from_slice(&other[from..from + 1024]);
    assert_eq!(opened(&mixed, &ours.public()).unwrap_err().file, SIGNATURE);
    // Keys come back from their files.
    let again = PrivateKey::parse(&ours.pem()).unwrap();
    assert_eq!(again.public(), ours.public());
    assert_eq!(PublicKey::parse(&ours.public().to_string()), Some(ours.public()));
    assert!(PrivateKey::parse("-----BEGIN PRIVATE KEY-----\nAAAA\n-----END PRIVATE KEY-----").is_none());
    assert!(PublicKey::parse("AAAA").is_none());
}

#[test]
fn every_fault_and_every_excess_is_told() {
    let scratch = tempfile::tempdir().unwrap();
    let maker = Maker::new(scratch.path().to_owned(), [0; 32]).unwrap();
    let told = |archive: &Archive, trust| {
        let faults = maker.check(archive, trust, None).err().unwrap_or_default();
        faults.into_iter().map(|fault| fault.file).collect::<Vec<_>>()
    };
    let whole = || {
        let mut files = files();
        files.insert("manifest.json".into(), read("plugins/crm/manifest.json"));
        files.insert("component.wasm".into(), stand_in());
        files
    };
    let packed = |host| Archive::pack(whole(), "Acme", host).unwrap();
    assert_eq!(told(&packed(None), Trust::Verified), [""; 0]);
    assert_eq!(told(&packed(Some("999.0.0")), Trust::Core), [INDEX]);
    let with = |path: &str, content: &[u8]| {
        let mut files = whole();
        files.insert(path.into(), content.to_vec());
        Archive::pack(files, "Acme", None).unwrap()
    };
    let code = crate::plugins::engine::start().unwrap().precompile_component(EMPTY).unwrap();
    assert_eq!(told(&with("component.wasm", &code), Trust::Core), ["component.wasm"]);
    assert_eq!(told(&with("component.wasm", b"nothing"), Trust::Core), ["component.wasm"]);
    assert_eq!(told(&with("sql.json", b"{}"), Trust::Core), ["sql.json"]);
    let bad = br#"{"id":"crm","version":"1.0.0","contract":"1.0"}"#;
    assert!(told(&with("manifest.json", bad), Trust::Core).contains(&"manifest.json".to_owned()));
    // Limits: the manifest is named, and the component by each of its faults.
    let mut high: serde_json::Value = serde_json::from_slice(&whole()["manifest.json"]).unwrap();
    high["limits"] = serde_json::json!({ "rows": 10_001, "hook": { "cpu_ms": 500 }, "log_kib": 100 });
    let high = with("manifest.json", &serde_json::to_vec(&high).unwrap());
    assert_eq!(told(&high, Trust::Community), ["manifest.json", "manifest.json"]);
    assert_eq!(told(&high, Trust::Private), ["manifest.json"]);
    assert_eq!(told(&high, Trust::Verified), [""; 0]);
    let strange = r#"(component (import "wasi:sockets/tcp@0.2.6" (instance)) (import "x" (func)))"#;
    let strange = with("component.wasm", &wat::parse_str(strange).unwrap());
    let files = told(&strange, Trust::Core);
    assert!(files.len() >= 3 && files.iter().all(|file| file == "component.wasm"), "{files:?}");
    // The kitchen sink asks to act as itself, which is not for everybody.
    let sink = Manifest::parse(&read("plugins/examples/kitchen-sink/manifest.json")).unwrap();
    let excess = |trust: Trust, texts, size| trust.excesses(&sink, texts, size).len();
    assert_eq!(excess(Trust::Community, 1_000, 8 << 20), 3);
    assert_eq!(excess(Trust::Private, 1_000, 8 << 20), 1);
    for level in [Trust::Core, Trust::Local, Trust::Verified] {
        assert_eq!(excess(level, 1_000, 8 << 20), 0);
    }
    assert!(Trust::ALL.into_iter().all(|level| Trust::parse(level.as_str()) == Some(level)));
}

#[test]
fn a_folder_is_packed_whole_or_refused() {
    let folder = tempfile::tempdir().unwrap();
    for (path, content) in files() {
        let path = folder.path().join(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, content).unwrap();
    }
    assert_eq!(files_of(folder.path()).unwrap(), files());
    std::os::unix::fs::symlink("/etc/passwd", folder.path().join("docs/passwd")).unwrap();
    assert_eq!(files_of(folder.path()).unwrap_err().file, "docs/passwd");
    // A folder of an operator takes archives too.
    let plugins = tempfile::tempdir().unwrap();
    std::fs::write(plugins.path().join("crm.stoa"), packed().to_bytes().unwrap()).unwrap();
    let found = super::Package::all_in(plugins.path()).unwrap();
    assert_eq!((found.len(), found[0].name.as_str()), (1, "tiny 1.0.0"));
    std::fs::write(plugins.path().join("crm.stoa"), b"x").unwrap();
    assert!(super::Package::all_in(plugins.path()).is_err());
}
