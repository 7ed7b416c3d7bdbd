//! The SQL of packages: compiled before anything runs, remembered, and named when it is refused.

use super::{read, stand_in};
use crate::plugins::manifest::Manifest;
use crate::plugins::sql::check::{Checks, check_texts};
use crate::plugins::{Package, PluginError, Plugins, Trust, sql};
use crate::records::cells::{Cell, Cells};
use crate::records::plugin_sql::{self, Kept, Most};
use crate::storage::{PluginMode, PluginSqlError};

const SINK: &str = "plugins/examples/kitchen-sink/manifest.json";

fn package(manifest: &[u8], sql: &str) -> Package {
    let sql = sql.as_bytes().to_vec().into();
    Package {
        name: "test".into(),
        manifest: manifest.to_vec().into(),
        component: stand_in().into(),
        sql,
        trust: Trust::Local,
    }
}

/// A catalogue of these texts.
fn listing(texts: &[&str]) -> String {
    let mut texts = texts.to_vec();
    texts.sort_unstable();
    let texts: Vec<_> = texts.iter().map(|text| serde_json::json!({ "text": text })).collect();
    serde_json::json!({ "v": 1, "texts": texts }).to_string()
}

/// Why a catalogue is refused: the text and the reason.
fn refusal(texts: &[&str]) -> (Option<String>, String) {
    let listed = sql::read(listing(texts).as_bytes()).unwrap();
    check_texts(&read(SINK), &listed).unwrap_err()
}

#[test]
fn texts_are_compiled_against_the_tables_of_their_manifest() {
    let texts = [
        "delete from opening where day = ?1",
        "insert into opening (day, times) values (?1, 1) on conflict (day) do update set times = times + 1",
        "select count(*) from visible_dish where deleted_at is null",
        "with recursive n (i) as (values (1) union all select i + 1 from n where i < 9) select i from n, visible_dish",
    ];
    let listed = sql::read(listing(&texts).as_bytes()).unwrap();
    let costs = check_texts(&read(SINK), &listed).unwrap();
    let kinds: Vec<_> = costs.iter().map(|cost| cost.kind).collect();
    let (reads, writes) = (Some(sql::Kind::Read), Some(sql::Kind::Write));
    assert_eq!(kinds, [None, writes, writes, reads, reads]);
    assert!(costs.iter().all(|cost| cost.micros > 0 && cost.bytes > 0), "{costs:?}");
}

#[test]
fn a_text_that_may_not_be_is_refused_and_named() {
    for (text, words) in [
        ("select * from nowhere", "no such table"),
        ("select flavour_of_none from visible_dish", "no such column"),
        ("select * from _stoa_changes", "not allowed"),
        ("delete from dish", "written as records"),
        ("insert into opening select 1, 2", "SELECT"),
        ("pragma user_version", "not allowed"),
        ("select 1; select 2", "more than one"),
        ("create table x (a)", "not allowed"),
    ] {
        let (named, why) = refusal(&["select 1", text]);
        assert_eq!(named.as_deref(), Some(text));
        assert!(why.contains(words), "{text}: {why}");
    }
    let lies = r#"{"v":1,"texts":[{"text":"delete from opening","kind":"read"}]}"#;
    let (_, why) = check_texts(&read(SINK), &sql::read(lies.as_bytes()).unwrap()).unwrap_err();
    assert!(why.contains("says that it is"), "{why}");
}

#[test]
fn private_tables_that_may_not_be_are_refused_before_the_plugin_is_loaded() {
    let manifest = String::from_utf8(read(SINK)).unwrap();
    let mut json: serde_json::Value = serde_json::from_str(&manifest).unwrap();
    json["private"][0]["sql"] = "create trigger x after insert on dish begin delete from dish; end".into();
    let (folder, bytes) = (tempfile::tempdir().unwrap(), serde_json::to_vec(&json).unwrap());
    let manifest = Manifest::parse(&bytes).unwrap();
    let checks = Checks::new(folder.path().to_owned(), [7; 32]);
    let answer = checks.pass(&package(&bytes, ""), &manifest, &[]);
    assert!(
        matches!(&answer, Err(PluginError::Sql { text: None, detail, .. }) if detail.contains("not allowed")),
        "{answer:?}"
    );
}

#[test]
fn what_was_compiled_is_remembered_until_something_changes() {
    let folder = tempfile::tempdir().unwrap();
    let bytes = read(SINK);
    let manifest = Manifest::parse(&bytes).unwrap();
    let pass = |key: u8, texts: &[&str]| {
        let sql = listing(texts);
        let listed = sql::read(sql.as_bytes()).unwrap();
        let checks = Checks::new(folder.path().to_owned(), [key; 32]);
        checks.pass(&package(&bytes, &sql), &manifest, &listed).unwrap()
    };
    let kept =
        || std::fs::read_dir(folder.path()).unwrap().map(|entry| entry.unwrap().path()).collect::<Vec<_>>();
    let first = pass(7, &["select 1"]);
    let [file] = &kept()[..] else { panic!("{:?}", kept()) };
    // Measured times do not come twice: these are the first ones.
    assert_eq!(pass(7, &["select 1"]), first);
    let mut forged = std::fs::read(file).unwrap();
    *forged.last_mut().unwrap() ^= 1;
    std::fs::write(file, &forged).unwrap();
    pass(7, &["select 1"]);
    assert_ne!(std::fs::read(file).unwrap(), forged, "what somebody changed is not believed");
    pass(7, &["select 2"]);
    pass(8, &["select 1"]);
    assert_eq!(kept().len(), 3);
}

#[test]
fn a_bad_catalogue_keeps_the_package_out() {
    let folder = tempfile::tempdir().unwrap();
    let load = |sql: &str| {
        let packages = vec![package(&read("plugins/crm/manifest.json"), sql)];
        Plugins::load(packages, folder.path().to_owned(), [7; 32]).map(|_| ())
    };
    load("").unwrap();
    load(&listing(&["select name from visible_account"])).unwrap();
    assert!(matches!(load("{}"), Err(PluginError::Package { detail, .. }) if detail.contains("sql.json")));
    let answer = load(&listing(&["select name from visible_nothing"])).unwrap_err().to_string();
    assert!(answer.contains("`select name from visible_nothing`"), "{answer}");
}

#[test]
fn text_that_is_no_utf8_arrives_as_bytes() {
    let manifest = Manifest::parse(&read(SINK)).unwrap();
    let conn = plugin_sql::scratch(&manifest.records).unwrap();
    let sql = ("select cast(x'ff41' as text), cast(x'41' as text)".to_owned(), Vec::new());
    let time = std::time::Duration::from_secs(5);
    let most = Most { rows: 10_000, bytes: 4 << 20 };
    let found = plugin_sql::read(&conn, PluginMode::AsPlugin, &sql, &[], time, most).unwrap();
    let cells: Vec<_> = Cells::new(&found.cells).collect::<Result<_, _>>().unwrap();
    assert!(matches!(cells[..], [Cell::Blob(b"\xffA"), Cell::Text("A")]), "{cells:?}");
}

#[test]
fn a_cursor_keeps_what_stood_there_and_no_more_than_there_is_room_for() {
    let manifest = Manifest::parse(&read(SINK)).unwrap();
    let conn = plugin_sql::scratch(&manifest.records).unwrap();
    let time = std::time::Duration::from_secs(5);
    let open = |text: &str, room| {
        let sql = (text.to_owned(), Vec::new());
        Kept::open(&conn, PluginMode::AsPlugin, &sql, &[Cell::Integer(12_000)], time, room)
    };
    let numbers =
        "with recursive n (i) as (values (1) union all select i + 1 from n where i < ?1) select i from n";
    let most = Most { rows: 10_000, bytes: 4 << 20 };
    let mut kept = open(numbers, 1 << 20).unwrap();
    assert_eq!(kept.size(), 12_000 * 9);
    let counts = [kept.next(u32::MAX, most), kept.next(u32::MAX, most)].map(|part| (part.count, part.more));
    assert_eq!(counts, [(10_000, true), (2_000, false)]);
    // A byte too little, a row that is too large by itself, no room at all: refused.
    for (text, room) in
        [(numbers, 12_000 * 9 - 1), ("select zeroblob(?1)", 5_000), ("select 1 where ?1 > 0", 0)]
    {
        assert!(matches!(open(text, room), Err(PluginSqlError::TooBig)), "{text}");
    }
    assert_eq!(open(numbers, 12_000 * 9).unwrap().size(), 12_000 * 9);
    let openings = "select day from opening where ?1 > 0";
    let mut before = open(openings, 1 << 20).unwrap();
    conn.execute("insert into opening (day, times) values ('2026-03-02', 1)", []).unwrap();
    assert_eq!((before.next(9, most).count, open(openings, 1 << 20).unwrap().next(9, most).count), (0, 1));
}
