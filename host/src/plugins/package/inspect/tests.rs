//! Components as strangers send them, written as text, each with one thing that is wrong; and real ones, whole and broken.

use proptest::prelude::*;
use serde_json::{Value as Json, json};

use super::{PackageFault, inspect};
use crate::plugins::manifest::Manifest;
use crate::plugins::tests::{read, stand_in};

fn manifest(limits: &Json) -> Manifest {
    let json = json!({ "v": 1, "id": "tiny", "name": "Tiny", "version": "1.0.0", "contract": "1.0", "limits": limits });
    Manifest::parse(json.to_string().as_bytes()).unwrap()
}

fn said(outcome: Result<(), Vec<PackageFault>>) -> Vec<String> {
    let faults = outcome.err().unwrap_or_default();
    assert!(faults.iter().all(|fault| fault.file == "component.wasm" && fault.detail.len() < 3_000));
    faults.into_iter().map(|fault| fault.detail).collect()
}

/// What is said to a component with this content.
fn faults(content: &str) -> Vec<String> {
    let bytes = wat::parse_str(format!("(component {content})")).unwrap();
    said(inspect(&bytes, &manifest(&json!({}))))
}

/// One fault, which says so.
fn refused(content: &str, words: &str) {
    let said = faults(content);
    let shown: String = content.chars().take(200).collect();
    assert!(matches!(&said[..], [one] if one.contains(words)), "{shown}: {said:?}");
}

fn many(times: usize, text: impl Fn(usize) -> String) -> String {
    (0..times).map(text).collect()
}

fn module(content: &str) -> String {
    format!("(core module {content})")
}

#[test]
fn what_others_made_is_good() {
    for exhibit in ["exhibit", "iban"] {
        let file = |name: &str| read(&format!("tests/museum/1.0.0/{exhibit}/{name}"));
        let manifest = Manifest::parse(&file("manifest.json")).unwrap();
        assert_eq!(inspect(&file("component.wasm"), &manifest), Ok(()), "{exhibit}");
    }
    assert_eq!(faults(""), [""; 0]);
}

#[test]
fn what_is_no_component_is_told_so() {
    let tiny = manifest(&json!({}));
    for bytes in [
        &b""[..],
        b"\0asm",
        b"nothing of the kind",
        b"\x7fELF and machine code",
        b"\0asm\x0d\0\x01\0\x63\x7f",
    ] {
        let said = said(inspect(bytes, &tiny));
        assert!(
            matches!(&said[..], [one] if one.starts_with("is no component that a host can run")),
            "{said:?}"
        );
    }
    let said = said(inspect(&wat::parse_str("(module)").unwrap(), &tiny));
    assert!(said[0].contains("core module"), "{said:?}");
    // Torn in the middle, and with types that do not fit.
    let whole = read("tests/museum/1.0.0/exhibit/component.wasm");
    assert!(inspect(&whole[..whole.len() / 2], &tiny).is_err());
    refused(
        r#"(import "stoa:plugin/clock@1.0.0" (instance $c)) (alias export $c "now" (func))"#,
        "no component",
    );
}

#[test]
fn too_many_of_anything_are_refused() {
    let func = "(core module $m (func (export \"f\"))) (core instance $i (instantiate $m))";
    for (content, what) in [
        (many(33, |_| module("")), "modules"),
        (many(101, |_| "(component)".into()), "components"),
        (
            format!("(core module $m) {}", many(501, |_| "(core instance (instantiate $m))".into())),
            "instances",
        ),
        (
            format!("{func} {}", many(20_001, |_| "(alias core export $i \"f\" (core func))".into())),
            "aliases",
        ),
        (module(&many(20_001, |_| "(type (func))".into())), "types"),
        (module(&many(5_001, |_| "(import \"a\" \"b\" (func))".into())), "imports"),
        (module(&format!("(func) {}", many(5_001, |n| format!("(export \"{n}\" (func 0))")))), "exports"),
        (module(&many(50_001, |_| "(func)".into())), "functions"),
        (many(2, |_| module(&many(25_001, |_| "(func)".into()))), "functions"),
        (module(&many(51, |_| "(table 0 funcref)".into())), "tables"),
        (module(&many(10_001, |_| "(global i32 i32.const 0)".into())), "globals"),
        (module(&format!("(func) {}", many(2_001, |_| "(elem func 0)".into()))), "element segments"),
        (module(&many(10_001, |_| "(data \"\")".into())), "data segments"),
        (
            format!(
                "(type $t (resource (rep i32))) {}",
                many(5_001, |_| "(core func (canon resource.drop $t))".into())
            ),
            "canonical functions",
        ),
        (module(&format!("(@custom \"debug\" \"{}\")", "x".repeat(2 << 20))), "custom sections"),
    ] {
        refused(&content, what);
    }
}

#[test]
fn what_lies_too_deep_or_is_too_long_is_refused() {
    refused(&format!("{}{}", "(component ".repeat(6), ")".repeat(6)), "deep");
    assert_eq!(faults(&format!("{}{}", "(component ".repeat(5), ")".repeat(5))), [""; 0]);
    refused(&module(&format!("(func {})", "i32.const 1 drop ".repeat(180_000))), "divide it");
    refused(&module(&format!("(func (local {}))", "i32 ".repeat(10_001))), "variables");
    refused(&module("(table 20001 funcref)"), "elements");
}

#[test]
fn memory_is_one_of_32_bits_that_begins_within_its_limit() {
    refused(&many(2, |_| module("(memory 1)")), "more than one memory");
    refused(&module("(memory 1) (memory 1)"), "more than one memory");
    refused(&module("(memory 1 2 shared)"), "between threads");
    refused(&module("(memory i64 1)"), "64 bits");
    refused(&module("(memory 1025)"), "limits.memory_mib");
    assert_eq!(faults(&module("(memory 1024)")), [""; 0]);
    let of = |pages: u32, mib: u32| {
        let bytes = wat::parse_str(format!("(component (core module (memory {pages})))")).unwrap();
        inspect(&bytes, &manifest(&json!({ "memory_mib": mib }))).is_ok()
    };
    assert_eq!((of(16, 1), of(17, 1), of(1025, 128)), (true, false, true));
}

#[test]
fn strings_are_utf_8_and_calls_synchronous() {
    let lifted = |option: &str| {
        format!(
            r#"(core module $m (memory (export "m") 1) (func (export "f") (param i32 i32))
                 (func (export "r") (param i32 i32 i32 i32) (result i32) i32.const 0))
               (core instance $i (instantiate $m))
               (func (param "s" string)
                 (canon lift (core func $i "f") (memory $i "m") (realloc (func $i "r")) {option}))"#
        )
    };
    assert_eq!(faults(&lifted("string-encoding=utf8")), [""; 0]);
    assert_eq!(faults(&lifted("")), [""; 0]);
    refused(&lifted("string-encoding=utf16"), "UTF-16");
    refused(&lifted("string-encoding=latin1+utf16"), "UTF-16");
    refused(&lifted("async"), "asynchronously");
    refused("(core func (canon backpressure.inc))", "synchronous");
    refused("(core func (canon thread.yield))", "synchronous");
    refused(&module("(tag)"), "exceptions");
    refused(r#"(import "f" (func $f)) (start $f)"#, "start function");
}

#[test]
fn imports_are_of_the_contract_or_of_a_standard_library() {
    let import =
        |name: &str, function: &str| format!(r#"(import "{name}" (instance (export "{function}" (func))))"#);
    for good in ["wasi:cli/environment@0.2.6", "wasi:io/streams@0.2.0", "wasi:random/random@0.2.6"] {
        assert_eq!(faults(&import(good, "x")), [""; 0], "{good}");
    }
    assert_eq!(faults(&import("stoa:plugin/clock@1.7.0", "now")), [""; 0]);
    for (name, words) in [
        ("wasi:sockets/tcp@0.2.6", "no network of its own"),
        ("wasi:http/outgoing-handler@0.2.6", "no network of its own"),
        ("wasi:filesystem/types@0.2.6", "no files of its own"),
        ("wasi:nn/graph@0.2.0", "Allowed are the interfaces of contract 1"),
        ("acme:other/thing@1.0.0", "Allowed are the interfaces of contract 1"),
        ("stoa:plugin/weather@1.90.0", "a later one may"),
        ("stoa:plugin/clock@2.0.0", "a later one may"),
    ] {
        let said = faults(&import(name, "x"));
        assert!(matches!(&said[..], [one] if one.contains(name) && one.contains(words)), "{said:?}");
        assert!(said[0].contains("records, sql,") && said[0].contains("wasi:random"), "{said:?}");
    }
    refused(&import("stoa:plugin/clock@1.90.0", "now-v2"), "`now-v2` of `stoa:plugin/clock@1.90.0`");
    let long = faults(&import(&format!("acme:{}/x", "x".repeat(50_000)), "x"));
    assert_eq!(long.len(), 1, "its name is cut: {long:?}");
    refused(r#"(import "now" (func))"#, "`now`, which is no interface");
    let two = faults(&many(2, |n| import(["wasi:http/types@0.2.6", "wasi:sockets/udp@0.2.6"][n], "x")));
    assert_eq!(two.len(), 2, "each is told");
}

#[test]
fn exports_are_what_the_manifest_says_and_the_contract_knows() {
    refused(
        r#"(instance $i) (export "wasi:cli/run@0.2.6" (instance $i))"#,
        "`wasi:cli/run@0.2.6`, which no host calls",
    );
    refused(r#"(instance $i) (export "stoa:plugin/hooks@2.0.0" (instance $i))"#, "which no host calls");
    // What a later contract brings may be offered to a host that does not know it yet.
    assert_eq!(faults(r#"(instance $i) (export "stoa:plugin/weather@1.5.0" (instance $i))"#), [""; 0]);
    let crm = Manifest::parse(&read("plugins/sales/manifest.json")).unwrap();
    assert_eq!(inspect(&stand_in(), &crm), Ok(()));
    let empty = wat::parse_str("(component)").unwrap();
    let missing = said(inspect(&empty, &crm)).join("\n");
    for interface in ["hooks", "actions", "reports"] {
        assert!(missing.contains(&format!("`stoa:plugin/{interface}@1.0.0`")), "{missing}");
    }
    let hollow = r#"(component (instance $i) (export "stoa:plugin/actions@1.0.0" (instance $i)))"#;
    let hollow = said(inspect(&wat::parse_str(hollow).unwrap(), &crm)).join("\n");
    assert!(hollow.contains("exports no `invoke`"), "{hollow}");
}

/// A change of bytes somewhere.
#[derive(Clone, Debug)]
enum Change {
    Set(usize, u8),
    Cut(usize, usize),
    Double(usize, usize),
}

fn changes() -> impl Strategy<Value = Vec<Change>> {
    let one = prop_oneof![
        (any::<usize>(), any::<u8>()).prop_map(|(at, byte)| Change::Set(at, byte)),
        (any::<usize>(), 1..64_usize).prop_map(|(at, length)| Change::Cut(at, length)),
        (any::<usize>(), 1..64_usize).prop_map(|(at, length)| Change::Double(at, length)),
    ];
    proptest::collection::vec(one, 1..8)
}

fn changed(mut bytes: Vec<u8>, changes: &[Change], within: usize) -> Vec<u8> {
    for change in changes {
        let size = bytes.len().min(within).max(1);
        match *change {
            Change::Set(at, byte) => {
                if let Some(place) = bytes.get_mut(at % size) {
                    *place = byte;
                }
            }
            Change::Cut(at, length) => {
                let start = (at % size).min(bytes.len());
                bytes.drain(start..(start + length).min(bytes.len()));
            }
            Change::Double(at, length) => {
                let start = (at % size).min(bytes.len());
                let again = bytes[start..(start + length).min(bytes.len())].to_vec();
                bytes.splice(start..start, again);
            }
        }
    }
    bytes
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(600))]

    #[test]
    fn real_components_with_broken_bytes_are_answered(changes in changes(), iban in any::<bool>(), head in any::<bool>()) {
        let name = if iban { "iban" } else { "exhibit" };
        let file = |file: &str| read(&format!("tests/museum/1.0.0/{name}/{file}"));
        let manifest = Manifest::parse(&file("manifest.json")).unwrap();
        let whole = file("component.wasm");
        // Types, imports and canonical options stand at the beginning and at the end.
        let within = if head { 4_000 } else { whole.len() };
        let _ = said(inspect(&changed(whole, &changes, within), &manifest));
    }

    #[test]
    fn arbitrary_bytes_are_answered(bytes in proptest::collection::vec(any::<u8>(), 0..400)) {
        let bytes = [&b"\0asm\x0d\0\x01\0"[..], &bytes].concat();
        let _ = said(inspect(&bytes, &manifest(&json!({}))));
    }
}
