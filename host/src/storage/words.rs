//! The bare words of a SQL text: what is left without strings, quoted names and comments.
//!
//! Only for what the authorizer is not asked about. Nothing is allowed because of a word, some texts are refused.

/// The words in order, as written.
pub(super) fn words(sql: &str) -> impl Iterator<Item = &str> {
    let mut rest = sql;
    std::iter::from_fn(move || {
        loop {
            let first = rest.chars().next()?;
            let skip = match first {
                '\'' | '"' | '`' => after(rest, 1, first),
                '[' => after(rest, 1, ']'),
                '-' if rest.starts_with("--") => after(rest, 2, '\n'),
                '/' if rest.starts_with("/*") => {
                    rest.get(2..).and_then(|inner| inner.find("*/")).map_or(rest.len(), |end| end + 4)
                }
                _ if is_word(first) => {
                    let end = rest.find(|c| !is_word(c)).unwrap_or(rest.len());
                    let (word, tail) = rest.split_at(end);
                    rest = tail;
                    return Some(word);
                }
                _ => first.len_utf8(),
            };
            rest = rest.get(skip..).unwrap_or_default();
        }
    })
}

fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '_' || c == '$' || !c.is_ascii()
}

fn after(text: &str, start: usize, end: char) -> usize {
    let body = text.get(start..).unwrap_or_default();
    body.find(end).map_or(text.len(), |at| start + at + end.len_utf8())
}

/// Whether the text begins like a statement that reads or changes rows. `vacuum` and some statements without effect
/// compile without the authorizer being asked.
pub(super) fn is_about_rows(sql: &str) -> bool {
    words(sql).next().is_some_and(|first| {
        ["select", "with", "values", "insert", "replace", "update", "delete"]
            .iter()
            .any(|keyword| first.eq_ignore_ascii_case(keyword))
    })
}

/// Why this INSERT, UPDATE or DELETE must not run in a group of requests.
///
/// SQLite answers an interrupted *write* by undoing the whole transaction, other requests' parts included. So a
/// plugin's write must not need interrupting: it goes over its private table once, at most.
pub(super) fn unbounded_write(sql: &str) -> Option<&'static str> {
    let mut update = false;
    let mut before = "";
    for (position, word) in words(sql).enumerate() {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if position == 0 {
            update = is("update");
        }
        if is("select") || is("with") {
            return Some("a write that contains SELECT or WITH; read first, then write");
        }
        if update && is("from") && !before.eq_ignore_ascii_case("distinct") {
            return Some("UPDATE with FROM; read first, then write");
        }
        if is("rollback") {
            return Some(ROLLBACK);
        }
        before = word;
    }
    None
}

/// Why this migration of private tables must not run.
pub(super) fn unsafe_schema(sql: &str) -> Option<&'static str> {
    words(sql).find_map(|word| {
        let is = |keyword: &str| word.eq_ignore_ascii_case(keyword);
        if is("rollback") {
            Some(ROLLBACK)
        } else if is("deferred") {
            Some("deferred constraints: they would fail at the commit, which other requests share")
        } else if is("with") || is("select") {
            Some("SELECT or WITH in a migration")
        } else {
            None
        }
    })
}

const ROLLBACK: &str = "conflict resolution by ROLLBACK; it would undo other requests";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn strings_names_and_comments_hold_no_words() {
        let sql = "/* select */ insert -- with\n into \"select\" [from] `with` values ('it''s rollback', 1)";
        assert_eq!(words(sql).collect::<Vec<_>>(), ["insert", "into", "values", "1"]);
        assert_eq!(words("/* never closed select").count(), 0);
        assert_eq!(words("'never closed select").count(), 0);
    }

    #[test]
    fn writes_that_could_run_without_end_are_found() {
        for bad in [
            "insert into t select * from t",
            "with recursive c as (values (1)) delete from t",
            "update t set a = b.a from u b",
            "insert or ROLLBACK into t values (1)",
            "delete from t where a = (select 1)",
        ] {
            assert!(unbounded_write(bad).is_some(), "{bad}");
        }
        for good in [
            "insert into t (a) values (?1) on conflict (a) do update set b = excluded.b returning a",
            "delete from t where a = ?1",
            "update t set a = 1 where b is not distinct from ?2",
        ] {
            assert!(unbounded_write(good).is_none(), "{good}");
        }
    }
}
