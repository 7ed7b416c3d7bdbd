//! The gate of the contract, shown to find what it is there for: each change is planted in a copy of the real contract.

use super::contract::{Files, breaks, now, unruly, version};

fn files() -> Files {
    now().unwrap()
}

/// The contract with one text of a file replaced by another, as the next minor version.
fn changed(file: &str, from: &str, to: &str) -> Files {
    let mut files = files();
    let version = version(&files).unwrap();
    let text = files.get_mut(file).unwrap();
    assert_eq!(text.matches(from).count(), 1, "`{from}` stands once in {file}");
    *text = text.replace(from, to);
    for text in files.values_mut() {
        *text = text.replace(&format!("package stoa:plugin@{version};"), "package stoa:plugin@1.90.0;");
    }
    files
}

/// The gate finds it, names the item, says what to do, and `semver_check` refuses it too.
#[track_caller]
fn is_refused(changed: &Files, item: &str, worlds: bool) {
    let wrong = breaks(&files(), changed);
    assert!(wrong.iter().any(|line| line.starts_with(&format!("`{item}`"))), "{wrong:#?}");
    assert!(wrong.iter().all(|line| line.contains("docs/PLUGINS.md")), "{wrong:#?}");
    assert_eq!(wrong.iter().any(|line| line.starts_with("world `")), worlds, "{wrong:#?}");
}

#[test]
fn a_function_that_was_removed_is_found() {
    let gone = "  @since(version = 1.0.0)\n  today: func() -> string;\n";
    is_refused(&changed("clock.wit", gone, ""), "clock.today", true);
}

#[test]
fn a_record_that_gained_a_field_is_found() {
    let (from, to) = ("    more: bool,\n", "    more: bool,\n    /// Seconds.\n    took: option<u32>,\n");
    is_refused(&changed("sql.wit", from, to), "sql.rows", true);
}

#[test]
fn a_record_whose_fields_changed_places_is_found() {
    let (from, to) = (
        "    high: u64,\n    /// Bytes 8 to 15.\n    low: u64,",
        "    low: u64,\n    /// Bytes 0 to 7.\n    high: u64,",
    );
    is_refused(&changed("types.wit", from, to), "types.record-id", true);
}

#[test]
fn a_parameter_more_is_found() {
    let changed =
        changed("settings.wit", "get: func(key: string)", "get: func(key: string, fallback: string)");
    is_refused(&changed, "settings.get", true);
}

#[test]
fn an_import_that_a_host_no_longer_has_is_found() {
    let changed = changed("world.wit", "  @since(version = 1.0.0)\n  import peers;\n", "");
    is_refused(&changed, "world imports: import peers", true);
}

#[test]
fn a_function_that_every_component_would_have_to_export_is_found() {
    let (from, to) = (
        "  invoke: func(",
        "  later: func() -> string;\n  /// Runs.\n  @since(version = 1.0.0)\n  invoke: func(",
    );
    let from_since = format!("  @since(version = 1.0.0)\n{from}");
    let to_since = format!("  @since(version = 1.90.0)\n{to}");
    let wrong = breaks(&files(), &changed("exports.wit", &from_since, &to_since));
    assert!(wrong.iter().any(|line| line.starts_with("world `with-actions`")), "{wrong:#?}");
}

#[test]
fn an_export_that_a_world_newly_requires_is_found() {
    let (from, to) =
        ("world with-hooks {", "world with-hooks {\n  @since(version = 1.90.0)\n  export reports;");
    let wrong = breaks(&files(), &changed("world.wit", from, to));
    assert!(wrong.len() == 1 && wrong[0].starts_with("world `with-hooks`"), "{wrong:#?}");
}

#[test]
fn a_new_import_asks_nothing_of_components_that_exist() {
    let (from, to) = ("  import clock;", "  import clock;\n  @since(version = 1.90.0)\n  import weather;");
    let mut files = changed("world.wit", from, to);
    let weather = "package stoa:plugin@1.90.0;\n/// Rain.\n@since(version = 1.90.0)\ninterface weather {\n  /// Now.\n  \
                   @since(version = 1.90.0)\n  rains: func() -> bool;\n}\n";
    files.insert("weather.wit".to_owned(), weather.to_owned());
    let wrong = breaks(&self::files(), &files);
    assert!(wrong.is_empty() && unruly(&files).is_empty(), "{wrong:#?}");
}

#[test]
fn what_is_new_must_say_since_when() {
    let (from, to) =
        ("  now: func() -> s64;", "  now: func() -> s64;\n  /// Microseconds.\n  fine: func() -> s64;");
    let wrong = breaks(&files(), &changed("clock.wit", from, to));
    assert_eq!(wrong, ["`clock.fine` is new and does not say `@since(version = 1.90.0)`"]);
    let marked = to.replace("  fine", "  @since(version = 1.90.0)\n  fine");
    let wrong = breaks(&files(), &changed("clock.wit", from, &marked));
    assert!(wrong.is_empty(), "{wrong:#?}");
}

#[test]
fn a_published_version_takes_nothing_more() {
    let mut files = changed(
        "log.wit",
        "  write: func(",
        "  flush: func();\n  /// More.\n  @since(version = 1.0.0)\n  write: func(",
    );
    for text in files.values_mut() {
        *text = text.replace("plugin@1.90.0;", &format!("plugin@{};", version(&self::files()).unwrap()));
    }
    let wrong = breaks(&self::files(), &files);
    assert!(wrong.len() == 1 && wrong[0].contains("raise the package's version"), "{wrong:#?}");
}

#[test]
fn types_that_cannot_grow_and_items_without_words_are_found() {
    let after = "  get: func(key: string) -> option<string>;";
    let planted = [
        (
            "  /// Kinds.\n  @since(version = 1.0.0)\n  enum kind { a, b }",
            "`kind` (enum) can never gain a case",
        ),
        (
            "  /// Kinds.\n  @since(version = 1.0.0)\n  variant kind { a(u32), b }",
            "`kind` (variant) can never gain a case",
        ),
        (
            "  /// Kinds.\n  @since(version = 1.0.0)\n  flags kind { a, b }",
            "`kind` (flags) can never gain a case",
        ),
        ("  /// Later.\n  @since(version = 1.0.0)\n  later: async func() -> u32;", "`later` is asynchronous"),
        ("  @since(version = 1.0.0)\n  bare: func();", "`settings.bare` is not documented"),
        (
            "  /// A pair.\n  @since(version = 1.0.0)\n  record pair { a: u32 }",
            "`settings.pair.a` is not documented",
        ),
        ("  /// Unmarked.\n  unmarked: func();", "`settings.unmarked` has no `@since`"),
        (
            "  /// Unmarked.\n  record plain {\n    /// One.\n    a: u32,\n  }",
            "`settings.plain` has no `@since`",
        ),
    ];
    for (text, expected) in planted {
        let wrong = unruly(&changed("settings.wit", after, &format!("{after}\n{text}")));
        assert!(wrong.len() == 1 && wrong[0].starts_with(expected), "{expected}: {wrong:#?}");
    }
}
