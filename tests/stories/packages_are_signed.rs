//! A package is made, signed, checked and served; one that somebody touched is served by nobody. And whatever a component
//! does to the compiler, it does to a process of its own.

use std::fs;
use std::io::Write as _;
use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use serde_json::Value;
use stoa_testkit::Host;
use tempfile::TempDir;

/// The binary; these commands know no data folder.
fn binary() -> PathBuf {
    std::env::var_os("STOA_BIN").map_or_else(|| "stoa".into(), PathBuf::from)
}

/// What a command said.
struct Said {
    succeeded: bool,
    stdout: String,
    stderr: String,
}

impl Said {
    fn ok(&self) -> &Self {
        assert!(self.succeeded, "{}", self.stderr);
        self
    }

    fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap()
    }
}

struct Desk {
    host: Host,
    folder: TempDir,
}

impl Desk {
    /// A desk with the kitchen sink as a folder that can be packed.
    fn with_kitchen() -> Option<Self> {
        let guests = std::env::var_os("STOA_GUESTS").map(PathBuf::from);
        let Some(guests) = guests else {
            println!("skipped: STOA_GUESTS names no packages; `cargo xtask test` builds them");
            return None;
        };
        let mut host = Host::start();
        host.stop();
        let desk = Self { host, folder: tempfile::tempdir().unwrap() };
        fs::create_dir(desk.path("kitchen")).unwrap();
        for file in ["component.wasm", "manifest.json", "sql.json"] {
            if guests.join("kitchen").join(file).exists() {
                fs::copy(guests.join("kitchen").join(file), desk.path("kitchen").join(file)).unwrap();
            }
        }
        Some(desk)
    }

    fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// `stoa plugin` with words, those that start with `@` being files on this desk.
    fn plugin(&self, words: &str) -> Said {
        let file = |word: &str| match word.strip_prefix('@') {
            Some(name) => self.path(name).to_string_lossy().into_owned(),
            None => word.to_owned(),
        };
        let output = Command::new(binary()).arg("plugin").args(words.split(' ').map(file)).output().unwrap();
        Said {
            succeeded: output.status.success(),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// A key, and its public part.
    fn key(&self, name: &str) -> String {
        let answer = self.plugin(&format!("keygen @{name} --json"));
        answer.ok().json()["public_key"].as_str().unwrap().to_owned()
    }
}

fn refused(answer: &Said, words: &[&str]) {
    assert!(!answer.succeeded, "{}", answer.stdout);
    for word in words {
        assert!(answer.stderr.contains(word), "{word}: {}", answer.stderr);
    }
}

#[test]
fn a_package_is_made_signed_checked_and_served() {
    let Some(desk) = Desk::with_kitchen() else { return };
    let public = desk.key("acme.key");
    let mode = fs::metadata(desk.path("acme.key")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o600, "the key is its user's alone");
    refused(&desk.plugin("keygen @acme.key"), &["acme.key"]);

    let pack = |to: &str| desk.plugin(&format!("pack @kitchen --publisher Acme -o @{to} --json")).ok().json();
    assert_eq!(pack("one.stoa")["index"]["plugin"], "kitchen");
    pack("two.stoa");
    assert_eq!(fs::read(desk.path("one.stoa")).unwrap(), fs::read(desk.path("two.stoa")).unwrap());
    refused(&desk.plugin(&format!("check @one.stoa --public-key {public}")), &["signature", "not signed"]);
    desk.plugin("sign @one.stoa --key @acme.key").ok();
    desk.plugin(&format!("check @one.stoa --public-key {public} --trust verified")).ok();
    // The sink asks for more than everybody may have, and every excess is named.
    refused(&desk.plugin("check @one.stoa"), &["manifest.json", "records.as-plugin", "community"]);
    let other = desk.key("other.key");
    refused(&desk.plugin(&format!("check @one.stoa --public-key {other}")), &["signature"]);

    let shelf = desk.path("shelf");
    fs::create_dir(&shelf).unwrap();
    fs::copy(desk.path("one.stoa"), shelf.join("kitchen.stoa")).unwrap();
    let host = Host::start_with(&shelf);
    let owner = host.organization("acme", &["kitchen"]).owner();
    owner.get("/api/v1/kitchen/menus").ok();
    drop(host);

    // The operator's folder runs what it holds, but not what was changed since.
    let path = shelf.join("kitchen.stoa");
    let mut bytes = fs::read(&path).unwrap();
    let middle = bytes.len() / 2;
    bytes[middle] ^= 1;
    fs::write(&path, bytes).unwrap();
    let answer = desk.host.cli(&["org", "list", "--plugins", &shelf.to_string_lossy()]);
    assert!(!answer.succeeded && answer.stderr.contains("kitchen.stoa"), "{}", answer.stderr);
    assert!(answer.stderr.contains("component.wasm: is not what index.json says"), "{}", answer.stderr);
}

#[test]
fn what_no_host_would_run_is_refused_before_it_is_signed_or_served() {
    let Some(desk) = Desk::with_kitchen() else { return };
    let pack = |more: &str| desk.plugin(&format!("pack @kitchen --publisher Acme -o @p.stoa{more}"));
    pack(" --host 999.0.0").ok();
    refused(&desk.plugin("check @p.stoa --trust verified"), &["index.json", "999.0.0"]);
    fs::write(desk.path("kitchen/readme.txt"), "hello").unwrap();
    refused(&pack(""), &["readme.txt", "does not belong"]);
    fs::remove_file(desk.path("kitchen/readme.txt")).unwrap();
    fs::write(desk.path("kitchen/component.wasm"), "no component").unwrap();
    pack("").ok();
    refused(&desk.plugin("check @p.stoa --trust verified"), &["component.wasm"]);
    // Machine code of this very host.
    let cache = fs::read_dir(desk.host.data().join("components"));
    let compiled = cache.into_iter().flatten().map(|entry| entry.unwrap().path());
    let code = compiled
        .filter(|path| path.extension().is_some_and(|end| end == "cwasm"))
        .min_by_key(|path| fs::metadata(path).unwrap().len());
    if let Some(code) = code.filter(|path| fs::metadata(path).unwrap().len() <= 8 << 20) {
        fs::copy(code, desk.path("kitchen/component.wasm")).unwrap();
        pack("").ok();
        refused(&desk.plugin("check @p.stoa --trust verified"), &["component.wasm", "machine code"]);
    }
}

/// The hidden command as the host starts it, with other limits: whether it succeeded, and what it said.
fn child(component: &Path, memory: u64, cpu: u64) -> (Option<i32>, Vec<u8>, String) {
    let mut child = Command::new(binary())
        .args(["worker", "component", "--memory", &memory.to_string(), "--cpu", &cpu.to_string()])
        .env_clear()
        .env("MIMALLOC_ARENA_RESERVE", "0")
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, bytes) = (child.stdin.take().unwrap(), fs::read(component).unwrap());
    // One that ended does not read on.
    let giving = std::thread::spawn(move || drop(stdin.write_all(&bytes)));
    let output = child.wait_with_output().unwrap();
    giving.join().unwrap();
    (output.status.code(), output.stdout, String::from_utf8_lossy(&output.stderr).into_owned())
}

/// A component with one function of four megabytes.
pub(super) fn bomb() -> Vec<u8> {
    let sized = |content: &[u8]| {
        let mut bytes = Vec::new();
        let mut left = content.len();
        while left > 127 {
            bytes.push((left & 127 | 128) as u8);
            left >>= 7;
        }
        bytes.push(left as u8);
        bytes.extend_from_slice(content);
        bytes
    };
    let section = |kind: u8, content: &[u8]| [&[kind][..], &sized(content)].concat();
    // Takes and gives a number of 32 bits, so that nothing can be left out: get, get, multiply, set; get; end.
    let step = [0x20, 0, 0x20, 0, 0x6c, 0x21, 0].repeat(600_000);
    let body = [&[0][..], &step, &[0x20, 0, 0x0b]].concat();
    let code = [&[1][..], &sized(&body)].concat();
    let types = section(1, &[1, 0x60, 1, 0x7f, 1, 0x7f]);
    let module = [&b"\0asm\x01\0\0\0"[..], &types[..], &section(3, &[1, 0]), &section(10, &code)].concat();
    [&b"\0asm\x0d\0\x01\0"[..], &section(1, &module)].concat()
}

#[test]
fn a_component_that_costs_too_much_ends_the_child_and_nothing_else() {
    let Some(desk) = Desk::with_kitchen() else { return };
    let component = desk.path("kitchen/component.wasm");
    let (code, answer, _) = child(&component, 2 << 30, 60);
    assert_eq!(code, Some(0));
    assert!(!answer.is_empty());
    let (code, answer, said) = child(&component, 1 << 20, 60);
    assert!(code != Some(0) && answer.is_empty(), "a megabyte is too little to compile anything: {said}");
    // Straight on for megabytes: the compiler takes many seconds, and gets one.
    fs::write(&component, bomb()).unwrap();
    let (code, answer, said) = child(&component, 2 << 30, 1);
    assert_eq!((code, answer.is_empty()), (None, true), "ended by a signal: {said}");
    // What is no component is told in words.
    fs::write(&component, "no component").unwrap();
    let (code, answer, said) = child(&component, 2 << 30, 60);
    assert_eq!((code, answer.is_empty()), (Some(3), true), "{said}");
    assert!(!said.is_empty());
}
