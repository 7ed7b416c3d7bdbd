//! The shipped policy as people read it: `policies/matrix.txt`, object by object and action by action what each role may
//! do. A row that is lost or changed shows there; `STOA_BLESS=1` writes the file anew, for a review.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::path::{Path, PathBuf};

use super::*;
use crate::policy::{Origin, SHIPPED_ROLES};

const HEAD: &str = "\
# What each shipped role may do, out of policies/roles.csv and policies/plugins/*.csv: how far, or nothing. `org*` comes
# from a row on every object. Written by the tests of host/src/policy with STOA_BLESS=1; reviewed, never edited.
";

fn policies() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../policies")
}

/// What the first-party plugins propose, as their files say it.
fn proposed() -> Vec<Grant> {
    let files = std::fs::read_dir(policies().join("plugins")).unwrap();
    let mut files: Vec<PathBuf> = files.map(|file| file.unwrap().path()).collect();
    files.sort();
    let texts: Vec<String> = files.iter().map(|file| std::fs::read_to_string(file).unwrap()).collect();
    let rows = texts.iter().flat_map(|text| text.lines()).filter(|line| line.starts_with("p,"));
    rows.map(row).collect()
}

fn row(line: &str) -> Grant {
    let words: Vec<&str> = line.split(',').map(str::trim).collect();
    let [_, role, "*", object, action, scope, "", effect] = words[..] else { panic!("{line}") };
    let role = role.strip_prefix("role:").unwrap();
    grant(role, object, action, scope.parse().unwrap(), effect.parse().unwrap())
}

/// The roles' cells by object and action.
type Cells = BTreeMap<(String, String), [BTreeSet<String>; 4]>;

fn cells(index: &PolicyIndex) -> Cells {
    let mut cells = Cells::new();
    for rule in index.rules() {
        let (object, action) = (rule.row.object.to_string(), rule.row.action.to_string());
        let of = SHIPPED_ROLES.map(|role| {
            let rules = index.explain(&with(&[role]), &object, &action);
            rules.iter().map(word).collect::<BTreeSet<String>>()
        });
        cells.insert((object, action), of);
    }
    cells
}

fn word(rule: &crate::policy::Rule) -> String {
    let wide = matches!(rule.origin, Origin::Line(_)) && !rule.row.object.starts_with("host.");
    let deny = if rule.row.effect == Effect::Deny { "not " } else { "" };
    format!("{deny}{}{}", rule.row.scope.as_str(), if wide { "*" } else { "" })
}

fn matrix(index: &PolicyIndex) -> String {
    let mut text = HEAD.to_owned();
    let mut line = |object: &str, action: &str, of: [&str; 4]| {
        let [owner, manager, rep, readonly] = of;
        let cells = format!("{object:<24} {action:<18} {owner:<8} {manager:<8} {rep:<10} {readonly}");
        let _ = writeln!(text, "{}", cells.trim_end());
    };
    line("# object", "action", SHIPPED_ROLES);
    for ((object, action), of) in cells(index) {
        let of =
            of.map(|words| if words.is_empty() { "-".to_owned() } else { Vec::from_iter(words).join("+") });
        line(&object, &action, [&of[0], &of[1], &of[2], &of[3]]);
    }
    text
}

#[tokio::test]
async fn the_shipped_policy_is_the_one_that_was_reviewed() {
    let index = compile(SHIPPED, &proposed()).await.unwrap();
    let (file, says) = (policies().join("matrix.txt"), matrix(&index));
    if std::env::var_os("STOA_BLESS").is_some() {
        std::fs::write(&file, &says).unwrap();
    }
    let reviewed = std::fs::read_to_string(&file).unwrap();
    for (there, said) in reviewed.lines().zip(says.lines()) {
        assert_eq!(
            there, said,
            "policies/matrix.txt: run this test with STOA_BLESS=1 and review the difference"
        );
    }
    assert_eq!(
        reviewed, says,
        "policies/matrix.txt: run this test with STOA_BLESS=1 and review the difference"
    );
}

#[tokio::test]
async fn every_shipped_row_stands_in_the_reviewed_matrix_and_decides_what_it_says() {
    let grants = proposed();
    let index = compile(SHIPPED, &grants).await.unwrap();
    let cells = cells(&index);
    let mut seen: BTreeSet<String> = BTreeSet::new();
    for rule in index.rules() {
        let row = &rule.row;
        let at = (row.object.to_string(), row.action.to_string());
        let role = SHIPPED_ROLES.iter().position(|role| row.subject.to_string() == format!("role:{role}"));
        assert!(cells[&at][role.unwrap()].contains(&word(rule)), "{rule:?}");
        seen.insert(rule.origin.to_string());
        if !row.object.contains('#') {
            let decided = index.decide(&with(&[SHIPPED_ROLES[role.unwrap()]]), &row.object, &row.action);
            let parts: Vec<_> = decided.parts().map(|(scope, effect, _)| (scope, effect)).collect();
            assert!(parts.contains(&(row.scope, row.effect)), "{rule:?}");
        }
    }
    let lines = SHIPPED.lines().zip(1..).filter(|(line, _)| line.starts_with("p,"));
    let mut origins = lines.map(|(_, number)| Origin::Line(number));
    assert!(origins.all(|origin| seen.contains(&origin.to_string())), "a line of roles.csv says nothing");
    assert!(
        (1..=grants.len()).all(|at| seen.contains(&Origin::Grant(at).to_string())),
        "a proposed row is lost"
    );
}
