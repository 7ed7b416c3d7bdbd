//! The head of a request as RFC 9112 wants it, and nothing that two readers could understand differently.

use super::Refusal;

/// The most bytes of an address.
pub(super) const ADDRESS: usize = 16 * 1024;

/// The most bytes of a whole head.
pub(super) const LIMIT: usize = 64 * 1024;

/// The most headers.
const HEADERS: usize = 100;

/// The longest method.
const METHOD: usize = 32;

/// How the body behind a head is delimited.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Body {
    /// So many bytes, perhaps none.
    Length(u64),
    /// In chunks.
    Chunked,
}

/// What is found in the bytes of a head that is still coming in.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Scan {
    /// Its last byte is not there yet.
    Open,
    /// It ends before this byte.
    End(usize),
}

/// Looks at the bytes of `head` from `from` on: what stood before was looked at already.
pub(super) fn scan(head: &[u8], from: usize) -> Result<Scan, Refusal> {
    for (at, byte) in head.iter().enumerate().skip(from) {
        if *byte != b'\n' {
            continue;
        }
        let until = head.get(..=at).unwrap_or_default();
        if !until.ends_with(b"\r\n") {
            return Err(Refusal::Malformed);
        }
        if until.ends_with(b"\r\n\r\n") {
            let end = at + 1;
            return if end > LIMIT { Err(Refusal::HeadTooLarge) } else { Ok(Scan::End(end)) };
        }
    }
    too_long(head).map_or(Ok(Scan::Open), Err)
}

/// Why a head that has not ended will not be waited for.
fn too_long(head: &[u8]) -> Option<Refusal> {
    if head.len() <= METHOD {
        return None;
    }
    if !head.iter().take(METHOD + 1).any(|byte| *byte == b' ') {
        return Some(Refusal::Malformed);
    }
    if head.len() > ADDRESS + 2 * METHOD && !head.iter().take(ADDRESS + 2 * METHOD).any(|b| *b == b'\n') {
        return Some(Refusal::AddressTooLong);
    }
    (head.len() > LIMIT).then_some(Refusal::HeadTooLarge)
}

/// Judges a whole head, its empty last line included.
pub(super) fn check(head: &[u8]) -> Result<Body, Refusal> {
    let head = head.strip_suffix(b"\r\n\r\n").ok_or(Refusal::Malformed)?;
    let mut lines = head.split(|byte| *byte == b'\n').map(|line| line.strip_suffix(b"\r").unwrap_or(line));
    let newest = request_line(lines.next().unwrap_or_default())?;
    let (mut length, mut chunked) = (None, false);
    for (number, line) in lines.enumerate() {
        if number >= HEADERS {
            return Err(Refusal::HeadTooLarge);
        }
        let (name, value) = header(line)?;
        if name.eq_ignore_ascii_case(b"content-length") {
            // Twice is once too often, even with the same number.
            if length.replace(number_of(value)?).is_some() {
                return Err(Refusal::Malformed);
            }
        } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
            if chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal::Malformed);
            }
            chunked = true;
        } else if name.eq_ignore_ascii_case(super::REFUSED.as_str().as_bytes()) {
            return Err(Refusal::Malformed);
        }
    }
    match (length, chunked) {
        (Some(_), true) => Err(Refusal::Malformed),
        (None, true) if !newest => Err(Refusal::Malformed),
        (None, true) => Ok(Body::Chunked),
        (length, false) => Ok(Body::Length(length.unwrap_or(0))),
    }
}

/// Whether it is HTTP/1.1 and not 1.0.
fn request_line(line: &[u8]) -> Result<bool, Refusal> {
    let mut words = line.split(|byte| *byte == b' ');
    let (Some(method), Some(target), Some(version), None) =
        (words.next(), words.next(), words.next(), words.next())
    else {
        return Err(Refusal::Malformed);
    };
    if !is_token(method) || method.len() > METHOD {
        return Err(Refusal::Malformed);
    }
    // Many clients write other letters into a query as they are; a path has one spelling.
    let (path, query) = target.split_at(target.iter().position(|byte| *byte == b'?').unwrap_or(target.len()));
    let plain = path.iter().all(u8::is_ascii_graphic)
        && query.iter().all(|byte| byte.is_ascii_graphic() || !byte.is_ascii());
    if target.is_empty() || !plain {
        return Err(Refusal::Malformed);
    }
    if target.len() > ADDRESS {
        return Err(Refusal::AddressTooLong);
    }
    match version {
        b"HTTP/1.1" => Ok(true),
        b"HTTP/1.0" => Ok(false),
        _ => Err(Refusal::Malformed),
    }
}

/// Name and value of one line. A folded line has no name of its own.
fn header(line: &[u8]) -> Result<(&[u8], &[u8]), Refusal> {
    let colon = line.iter().position(|byte| *byte == b':').ok_or(Refusal::Malformed)?;
    let (name, value) = line.split_at(colon);
    let value = value.strip_prefix(b":").unwrap_or(value);
    let clean = value.iter().all(|byte| *byte == b'\t' || (*byte >= b' ' && *byte != 0x7F));
    if !is_token(name) || !clean {
        return Err(Refusal::Malformed);
    }
    Ok((name, value.trim_ascii()))
}

fn number_of(value: &[u8]) -> Result<u64, Refusal> {
    let digits = !value.is_empty() && value.len() <= 18 && value.iter().all(u8::is_ascii_digit);
    let text = std::str::from_utf8(value).ok().filter(|_| digits);
    text.and_then(|text| text.parse().ok()).ok_or(Refusal::Malformed)
}

fn is_token(text: &[u8]) -> bool {
    !text.is_empty() && text.iter().all(|b| b.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(b))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(lines: &str) -> Result<Body, Refusal> {
        check(format!("{lines}\r\n\r\n").as_bytes())
    }

    #[test]
    fn a_plain_head_says_how_long_its_body_is() {
        assert_eq!(judged("GET / HTTP/1.1\r\nHost: a"), Ok(Body::Length(0)));
        assert_eq!(judged("GET / HTTP/1.0"), Ok(Body::Length(0)));
        assert_eq!(judged("POST /x HTTP/1.1\r\nContent-Length: 12"), Ok(Body::Length(12)));
        assert_eq!(judged("POST /x HTTP/1.1\r\ntransfer-encoding:\tChunked "), Ok(Body::Chunked));
        assert_eq!(judged("GET / HTTP/1.1\r\nName: caf\u{e9}"), Ok(Body::Length(0)));
    }

    #[test]
    fn what_two_readers_could_understand_differently_is_refused() {
        let post = "POST / HTTP/1.1\r\n";
        for bad in [
            "Content-Length: 5\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: chunked\r\nTransfer-Encoding: chunked",
            "Transfer-Encoding: gzip, chunked",
            "Transfer-Encoding: xchunked",
            "Transfer-Encoding: identity",
            "Content-Length: 5\r\nContent-Length: 5",
            "Content-Length: 5\r\nContent-Length: 6",
            "Content-Length: 5, 5",
            "Content-Length: +5",
            "Content-Length: 0x5",
            "Content-Length: -1",
            "Content-Length: ",
            "Content-Length: 99999999999999999999",
            "Content-Length : 5",
            "Content-Length",
            " Folded: 1",
            "X: a\r\n b",
            "X: a\0b",
            "X: a\rb",
            "X\u{0}: 1",
            ": 1",
            "X-Stoa-Refused: malformed",
        ] {
            assert_eq!(judged(&format!("{post}{bad}")), Err(Refusal::Malformed), "{bad:?}");
        }
        for bad in
            ["GET /", "GET  / HTTP/1.1", "GET / HTTP/2.0", "GET /\u{e9} HTTP/1.1", "G{T / HTTP/1.1", ""]
        {
            assert_eq!(judged(bad), Err(Refusal::Malformed), "{bad:?}");
        }
        assert_eq!(judged("POST / HTTP/1.0\r\nTransfer-Encoding: chunked"), Err(Refusal::Malformed));
        assert_eq!(judged(&format!("{} / HTTP/1.1", "M".repeat(33))), Err(Refusal::Malformed));
    }

    #[test]
    fn a_head_has_bounds() {
        let many = |count: usize| format!("GET / HTTP/1.1{}", "\r\na: b".repeat(count));
        assert!(judged(&many(100)).is_ok());
        assert_eq!(judged(&many(101)), Err(Refusal::HeadTooLarge));
        let long = |length: usize| format!("GET /{} HTTP/1.1", "x".repeat(length));
        assert!(judged(&long(ADDRESS - 1)).is_ok());
        assert_eq!(judged(&long(ADDRESS)), Err(Refusal::AddressTooLong));
    }

    #[test]
    fn bounds_are_kept_before_the_head_has_ended() {
        assert_eq!(scan(b"GET / HTTP/1.1\r\nHost: a\r\n", 0), Ok(Scan::Open));
        assert_eq!(scan(b"GET / HTTP/1.1\r\n\r\nrest", 0), Ok(Scan::End(18)));
        assert_eq!(scan(b"GET / HTTP/1.1\r\n\r\n", 16), Ok(Scan::End(18)));
        assert_eq!(scan(b"GET / HTTP/1.1\nHost: a\n\n", 0), Err(Refusal::Malformed));
        assert_eq!(scan(&[b'x'; 40], 0), Err(Refusal::Malformed));
        let address = format!("GET /{}", "x".repeat(2 * ADDRESS));
        assert_eq!(scan(address.as_bytes(), 0), Err(Refusal::AddressTooLong));
        let header = format!("GET / HTTP/1.1\r\nX: {}", "x".repeat(LIMIT));
        assert_eq!(scan(header.as_bytes(), 0), Err(Refusal::HeadTooLarge));
    }
}
