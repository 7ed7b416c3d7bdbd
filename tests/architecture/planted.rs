//! Every rule fails on a planted violation, and passes what only looks like one.

use super::rules;
use super::source::Source;

/// Lines of the violations, or 0 where a rule speaks of the whole file.
fn lines(wrong: &[String]) -> Vec<usize> {
    let line = |text: &String| text.split(':').nth(1).and_then(|line| line.parse().ok()).unwrap_or(0);
    wrong.iter().map(line).collect()
}

#[test]
fn looking_up_is_found_in_every_spelling() {
    let text = "\
use crate::ids::JobId;
use crate::http::Problem;
use crate::{
    clock::{Clock, app},
    plugins::Call,
};
fn f() { crate::records::get(); super::http::x(); super::store::y() }
// crate::http is fine in a comment, and so is it in a literal:
const A: &str = \"crate::http\";
#[cfg(test)]
mod tests { use crate::app::App; }
";
    let wrong = rules::looks_down("host/src/storage/mod.rs", text);
    assert_eq!(wrong.len(), 4, "{wrong:#?}");
    let mut at = lines(&wrong);
    at.sort_unstable();
    assert_eq!(at, [2, 3, 7, 7]);
    assert_eq!(rules::looks_down("host/src/storage/files.rs", "use super::super::app::App;").len(), 1);
    assert!(
        rules::looks_down("host/src/storage/files.rs", "use super::app::App;").is_empty(),
        "its own submodule"
    );
    assert!(rules::looks_down("host/src/main.rs", "use stoa::app::App;").is_empty());
    assert_eq!(rules::looks_down("host/src/shared/mod.rs", "//! New.").len(), 1, "a module without a place");
}

#[test]
fn a_library_outside_its_room_is_found() {
    let text = "use rusqlite::Connection;\nfn f() { sqlx::query(); }\n#[cfg(test)]\nmod tests { use rusqlite::X; }\n";
    assert_eq!(lines(&rules::rooms("host/src/http/users.rs", text)), [1, 2]);
    assert_eq!(lines(&rules::rooms("host/src/records/query.rs", text)), [2]);
    assert!(rules::rooms("host/src/jobs/store.rs", text).is_empty());
    assert!(rules::rooms("host/src/storage/pool.rs", text).is_empty());
    assert_eq!(rules::rooms("host/src/jobs/restore.rs", text).len(), 2, "not a store");
    for text in ["use wasmtime::Engine;", "use casbin::Enforcer;", "use poem::Route;", "argon2::hash()"] {
        assert_eq!(rules::rooms("host/src/storage/mod.rs", text).len(), 1, "{text}");
    }
    assert!(rules::rooms("host/src/storage/mod.rs", "// as poem does\nconst A: &str = \"poem\";").is_empty());
}

#[test]
fn a_business_word_is_found_in_names_and_literals() {
    for text in
        ["struct OpportunityRow;", "let ticket_id = 1;", "\"select * from leads\"", "fn move_deal() {}"]
    {
        assert_eq!(rules::business_words("host/src/records/mod.rs", text).len(), 1, "{text}");
    }
    let harmless =
        "// an opportunity\nlet leader = misleading(dealloc);\n#[cfg(test)]\nmod tests { fn lead() {} }";
    assert!(rules::business_words("host/src/records/mod.rs", harmless).is_empty());
    assert!(rules::business_words("host/src/records/tests.rs", "fn lead() {}").is_empty());
}

#[test]
fn a_file_without_a_subject_is_found() {
    for text in ["", "use std::fs;\n//! Late.", "//!\n//! Late.", "// Not a doc comment."] {
        assert_eq!(rules::header("x.rs", text).len(), 1, "{text:?}");
    }
    assert!(rules::header("x.rs", "//! Subject.\n").is_empty());
}

#[test]
fn a_long_file_is_found() {
    assert!(rules::ceiling("x.rs", &"line\n".repeat(400)).is_empty());
    assert_eq!(rules::ceiling("x.rs", &"line\n".repeat(401)).len(), 1);
}

#[test]
fn a_name_that_says_nothing_is_found() {
    for path in
        ["host/src/http/utils.rs", "host/src/common/mod.rs", "sdk/src/helper.rs", "xtask/src/manager.rs"]
    {
        assert_eq!(rules::file_name(path, "").len(), 1, "{path}");
    }
    assert!(rules::file_name("host/src/http/utilization.rs", "").is_empty());
}

#[test]
fn untyped_errors_and_unsafe_code_are_found() {
    assert_eq!(lines(&rules::untyped_errors("x.rs", "//! X.\nfn f() -> anyhow::Result<()> {}")), [2]);
    assert_eq!(lines(&rules::unsafe_code("host/src/app.rs", "//! X.\nfn f() { unsafe { g() } }")), [2]);
    assert!(rules::unsafe_code("host/src/storage/preupdate.rs", "unsafe { g() }").is_empty());
    assert!(
        rules::unsafe_code("host/src/app.rs", "// unsafe\n#![expect(unsafe_code)]\nlet a = \"unsafe\";")
            .is_empty()
    );
}

#[test]
fn switched_off_tests_and_leftovers_are_found() {
    let later = ["TO", "DO"].concat();
    let text = format!(
        "//! X.\n#[ignore]\n#[test]\nfn f() {{}}\n// {later}: more\nlet a = 1; // FIXME\n/* {later} */\n"
    );
    let wrong = rules::unfinished("x.rs", &text);
    assert_eq!(lines(&wrong), [2, 5, 6, 7], "{wrong:#?}");
    let harmless = "const A: &str = \"TODO\";\nlet b = \"#[ignore]\"; // METHODOLOGY\n";
    assert!(rules::unfinished("x.rs", harmless).is_empty());
}

#[test]
fn an_undocumented_item_of_the_contract_is_found() {
    let text = "\
package stoa:plugin@1.0.0;
interface bare {
  use types.{cells};
  /// Documented.
  record row { id: u64 }
  type cells = list<u8>;
  get: func(id: u64) -> u64;
  /// Documented.
  next: static func() -> u64;
}
";
    assert_eq!(lines(&rules::contract_docs("sdk/wit/v1/bare.wit", text)), [2, 6, 7]);
}

#[test]
fn a_forbidden_dependency_is_found() {
    let sdk = "stoa-sdk = { path = \"../../sdk\" }\n";
    let host = "stoa = { path = \"../../host\" }\n";
    let sibling = "crm = { path = \"../crm\" }\n";
    assert!(rules::dependencies("plugins/sales/Cargo.toml", sdk).is_empty());
    assert_eq!(
        lines(&rules::dependencies("plugins/sales/Cargo.toml", &[sdk, host, sibling].concat())),
        [2, 3]
    );
    assert_eq!(lines(&rules::dependencies("host/Cargo.toml", "stoa-sdk = { path = \"../sdk\" }")), [1]);
}

#[test]
fn comments_literals_and_tests_are_told_apart_from_code() {
    let text = "let a = 'x'; let b: &'static str = \"// no\\\"t\"; /* /* in */ out */ end // tail\nr#\"raw \" one\"# done";
    let source = Source::of(text);
    let squeezed = |text: &str| text.split_whitespace().collect::<Vec<_>>().join(" ");
    assert_eq!(squeezed(&source.skeleton), "let a = ; let b: &'static str = ; end done");
    assert_eq!(
        squeezed(&source.code),
        "let a = 'x'; let b: &'static str = \"// no\\\"t\"; end r#\"raw \" one\"# done"
    );
    assert_eq!(source.code.len(), text.len());

    let text = "fn a() {}\n#[cfg(test)]\nmod tests { fn b() { \"}\"; } }\n#[cfg(test)]\nmod c;\nfn d() {}";
    let source = Source::of(text).without_tests();
    assert_eq!(squeezed(&source.code), "fn a() {} fn d() {}");
}
