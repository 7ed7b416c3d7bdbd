//! A Rust file as the rules see it: comments, literals and unit tests blanked out, line numbers kept.

/// A file in two views, both as long as its text and with its line breaks.
pub(crate) struct Source {
    /// Without comments.
    pub(crate) code: String,
    /// Without comments and without what stands in literals.
    pub(crate) skeleton: String,
}

impl Source {
    pub(crate) fn of(text: &str) -> Self {
        let (mut code, mut skeleton) = (String::new(), String::new());
        let (mut rest, mut in_word) = (text, false);
        while !rest.is_empty() {
            let (length, kind) = token(rest, in_word);
            let (piece, tail) = rest.split_at(length);
            code.push_str(&if kind == Kind::Comment { blank(piece) } else { piece.to_owned() });
            skeleton.push_str(&if kind == Kind::Code { piece.to_owned() } else { blank(piece) });
            in_word = kind == Kind::Code && piece.ends_with(is_word);
            rest = tail;
        }
        Self { code, skeleton }
    }

    /// The same without the items under `#[cfg(test)]`.
    pub(crate) fn without_tests(self) -> Self {
        let Self { mut code, mut skeleton } = self;
        while let Some((start, end)) = first_test_item(&skeleton) {
            for view in [&mut code, &mut skeleton] {
                let (before, rest) = view.split_at(start);
                let (test, after) = rest.split_at(end - start);
                *view = [before, &blank(test), after].concat();
            }
        }
        Self { code, skeleton }
    }
}

/// Words of a text with their line numbers; `breaks` says which characters stand between words.
pub(crate) fn words(text: &str, breaks: fn(char) -> bool) -> impl Iterator<Item = (usize, &str)> {
    let lines = text.lines().enumerate();
    lines.flat_map(move |(line, text)| {
        text.split(breaks).filter(|word| !word.is_empty()).map(move |word| (line + 1, word))
    })
}

/// Whether the character can stand in an identifier.
pub(crate) fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The line of the byte at `offset`, from 1.
pub(crate) fn line_of(text: &str, offset: usize) -> usize {
    text.bytes().take(offset).filter(|byte| *byte == b'\n').count() + 1
}

#[derive(Clone, Copy, Eq, PartialEq)]
enum Kind {
    Code,
    Comment,
    Literal,
}

/// The length in bytes and the kind of what `rest` begins with.
fn token(rest: &str, in_word: bool) -> (usize, Kind) {
    if rest.starts_with("//") {
        return (rest.find('\n').unwrap_or(rest.len()), Kind::Comment);
    }
    if rest.starts_with("/*") {
        return (block_comment(rest), Kind::Comment);
    }
    if rest.starts_with('"') {
        return (string(rest), Kind::Literal);
    }
    if !in_word && let Some(length) = raw_string(rest) {
        return (length, Kind::Literal);
    }
    if let Some(length) = character(rest) {
        return (length, Kind::Literal);
    }
    (rest.chars().next().map_or(rest.len(), char::len_utf8), Kind::Code)
}

fn block_comment(rest: &str) -> usize {
    let mut depth = 0_usize;
    let mut skip = 0_usize;
    for (offset, _) in rest.char_indices() {
        if offset < skip {
            continue;
        }
        let here = rest.split_at(offset).1;
        if here.starts_with("/*") {
            depth += 1;
            skip = offset + 2;
        } else if here.starts_with("*/") {
            depth -= 1;
            skip = offset + 2;
            if depth == 0 {
                return skip;
            }
        }
    }
    rest.len()
}

fn string(rest: &str) -> usize {
    let mut escaped = false;
    for (offset, character) in rest.char_indices().skip(1) {
        match character {
            _ if escaped => escaped = false,
            '\\' => escaped = true,
            '"' => return offset + 1,
            _ => {}
        }
    }
    rest.len()
}

/// `r"…"`, `br#"…"#` and the like.
fn raw_string(rest: &str) -> Option<usize> {
    let after =
        rest.strip_prefix("br").or_else(|| rest.strip_prefix("cr")).or_else(|| rest.strip_prefix('r'))?;
    let inside = after.trim_start_matches('#');
    let hashes = after.len() - inside.len();
    let inside = inside.strip_prefix('"')?;
    let start = rest.len() - inside.len();
    let end = format!("\"{}", "#".repeat(hashes));
    Some(inside.find(&end).map_or(rest.len(), |at| start + at + end.len()))
}

/// `'a'` and `'\n'`, but not the lifetime `'a`.
fn character(rest: &str) -> Option<usize> {
    let inside = rest.strip_prefix('\'')?;
    let mut characters = inside.char_indices();
    let (_, first) = characters.next()?;
    if first == '\\' {
        characters.next();
        return characters.find(|(_, character)| *character == '\'').map(|(at, _)| at + 2);
    }
    characters.next().filter(|(_, character)| *character == '\'').map(|(at, _)| at + 2)
}

/// Spaces instead of everything but line breaks, byte by byte, so that both views keep their offsets.
fn blank(text: &str) -> String {
    text.bytes().map(|byte| if byte == b'\n' { '\n' } else { ' ' }).collect()
}

/// From the first `#[cfg(test)]` to the end of its item.
fn first_test_item(skeleton: &str) -> Option<(usize, usize)> {
    let start = skeleton.find("#[cfg(test)]")?;
    let mut depth = 0_usize;
    for (offset, character) in skeleton.char_indices().skip_while(|(offset, _)| *offset < start) {
        match character {
            ';' if depth == 0 => return Some((start, offset + 1)),
            '{' => depth += 1,
            '}' if depth <= 1 => return Some((start, offset + 1)),
            '}' => depth -= 1,
            _ => {}
        }
    }
    Some((start, skeleton.len()))
}
