//! The tables of attacks: every row of the catalogue stands in docs/SECURITY.md once, and every test that is named there
//! or in docs/ASVS.md exists. A name of a test is a word of at least three parts in backticks: `b4_of_64_exchanges_at_once`.

use std::collections::BTreeSet;
use std::path::Path;
use std::{fs, io};

/// The chapters of the catalogue and how many rows each has.
const CHAPTERS: [(char, usize); 11] = [
    ('A', 20),
    ('B', 30),
    ('C', 22),
    ('D', 10),
    ('E', 23),
    ('F', 17),
    ('G', 12),
    ('H', 10),
    ('I', 14),
    ('J', 12),
    ('K', 12),
];

/// The tables that name a test in every row or say why there is none.
const TABLES: [&str; 3] = ["### Hostile plugins", "## Hostile SQL", "## Hostile components"];

/// The rows of the table below a heading.
fn table<'t>(text: &'t str, heading: &str) -> Vec<&'t str> {
    let below = text.lines().skip_while(|line| *line != heading).skip(1);
    let rows = below.take_while(|line| !line.starts_with('#')).filter(|line| line.starts_with("| "));
    rows.skip(1).collect()
}

/// The names of tests in a text.
fn named(text: &str) -> BTreeSet<&str> {
    let quoted = text.split('`').skip(1).step_by(2);
    let last = quoted.filter_map(|name| name.rsplit("::").next());
    last.filter(|name| name.matches('_').count() >= 2 && !name.contains(|c: char| !is_of_a_name(c))).collect()
}

const fn is_of_a_name(c: char) -> bool {
    c.is_ascii_lowercase() || c.is_ascii_digit() || c == '_'
}

/// The functions of every file under a folder.
fn functions(folder: &Path, found: &mut BTreeSet<String>) -> io::Result<()> {
    for entry in fs::read_dir(folder)? {
        let path = entry?.path();
        if path.is_dir() {
            functions(&path, found)?;
        } else if path.extension().is_some_and(|one| one == "rs") {
            let text = fs::read_to_string(&path)?;
            let names = text.split("fn ").skip(1).filter_map(|rest| rest.split(|c| !is_of_a_name(c)).next());
            found.extend(names.map(str::to_owned));
        }
    }
    Ok(())
}

#[test]
fn every_attack_has_its_test_or_its_reason() -> io::Result<()> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("..");
    let text = fs::read_to_string(root.join("docs/SECURITY.md"))?;
    let mut there = BTreeSet::new();
    for folder in ["host/src", "tests", "sdk"] {
        functions(&root.join(folder), &mut there)?;
    }
    let rows: Vec<(&str, &str)> = text
        .lines()
        .filter_map(|line| line.strip_prefix("| ")?.split_once(" | "))
        .filter(|(id, _)| id.len() > 1 && id[1..].parse::<usize>().is_ok())
        .collect();
    let mut wrong = Vec::new();
    for (chapter, count) in CHAPTERS {
        for number in 1..=count {
            let id = format!("{chapter}{number}");
            let found: Vec<&str> = rows.iter().filter(|(row, _)| *row == id).map(|(_, rest)| *rest).collect();
            match found.as_slice() {
                [row]
                    if !named(row).is_empty()
                        || row.contains("not yet: ")
                        || row.contains("does not apply: ") => {}
                [_] => wrong.push(format!("{id} has neither a test nor a reason")),
                other => wrong.push(format!("{id} stands {} times", other.len())),
            }
        }
    }
    let tables: Vec<&str> = TABLES.iter().flat_map(|heading| table(&text, heading)).collect();
    assert!(tables.len() > 40, "the tables are found");
    for row in &tables {
        if named(row).is_empty() && !row.contains("not yet: ") {
            wrong.push(format!("neither a test nor a reason: {row}"));
        }
    }
    let asvs = fs::read_to_string(root.join("docs/ASVS.md"))?;
    let levels = asvs.lines().filter(|line| line.starts_with("| "));
    for row in rows.iter().map(|(_, rest)| *rest).chain(levels).chain(tables) {
        wrong.extend(
            named(row)
                .into_iter()
                .filter(|name| !there.contains(*name))
                .map(|name| format!("no test {name}")),
        );
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

#[test]
fn a_name_of_a_test_is_told_from_other_words() {
    let row = "as `a1_no_algorithm` and `stories::b2_no_downgrade_at_all`, not `invalid_grant`, `--data`, `GET /x_y_z`";
    assert_eq!(named(row), BTreeSet::from(["a1_no_algorithm", "b2_no_downgrade_at_all"]));
}
