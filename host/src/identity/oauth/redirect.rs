//! Redirect URIs: which may be registered, and which is one that was. Pure.
//!
//! A registered URI is compared letter by letter. The one exception is RFC 8252, 7.3: the port of a native client's
//! loopback address is chosen when it runs, so it is not compared.

use url::{Host, Url};

use super::clients::ClientKind;

/// The most redirect URIs of a client.
pub(super) const MOST: usize = 20;

const LONGEST: usize = 2_000;

/// Schemes that browsers act upon themselves. None of them has a dot, which private-use schemes need; listed all the same.
const ACTIVE: [&str; 8] = ["javascript", "data", "vbscript", "file", "blob", "about", "view-source", "ws"];

/// Why a client of this kind may not register this URI; `None`: it may.
pub(super) fn objection(uri: &str, kind: ClientKind) -> Option<&'static str> {
    if uri.is_empty() || uri.len() > LONGEST || !uri.bytes().all(|byte| byte.is_ascii_graphic()) {
        return Some("use 1 to 2000 printable ASCII characters");
    }
    if uri.contains(['\\', '*', '#', '"', '<', '>', '`', '{', '}', '|', '^']) {
        return Some("no wildcard, no fragment, no backslash");
    }
    let Ok(url) = Url::parse(uri) else { return Some("not an absolute URI") };
    if !url.username().is_empty() || url.password().is_some() || authority(uri).contains('@') {
        return Some("no user information");
    }
    if url.path().split('/').any(is_dots) || uri.to_ascii_lowercase().contains("/%2e") {
        return Some("no dotted segments");
    }
    // What a parser would write otherwise has two spellings, and one of them is not what was meant.
    let same = url.as_str() == uri || url.as_str().strip_suffix('/') == Some(uri);
    match (url.scheme(), kind) {
        ("https", _) if !same => Some("write it as a browser would send it"),
        ("https", _) => bad_host(&url).then_some("not a host name"),
        ("http", ClientKind::Native) if is_loopback(&url) && same => None,
        ("http", ClientKind::Native) => Some("over http only http://127.0.0.1 and http://[::1]"),
        ("http", _) => Some("use https"),
        (scheme, ClientKind::Native) if scheme.contains('.') && !ACTIVE.contains(&scheme) => None,
        (_, ClientKind::Native) => {
            Some("a scheme of your own is a domain of yours, backwards, such as com.example.app")
        }
        _ => Some("use https"),
    }
}

/// Whether a client that registered `registered` may be answered at `asked`.
pub(super) fn is_registered(registered: &[String], asked: &str, kind: ClientKind) -> bool {
    if registered.iter().any(|known| known == asked) {
        return true;
    }
    kind == ClientKind::Native
        && objection(asked, kind).is_none()
        && registered.iter().any(|known| same_but_port(known, asked))
}

/// Two loopback addresses over http that differ in the port at most.
fn same_but_port(known: &str, asked: &str) -> bool {
    let (Ok(known_url), Ok(asked_url)) = (Url::parse(known), Url::parse(asked)) else { return false };
    if !is_loopback(&known_url) || !is_loopback(&asked_url) {
        return false;
    }
    match (without_port(known), without_port(asked)) {
        (Some(known), Some(asked)) => known == asked,
        _ => false,
    }
}

/// `http://127.0.0.1:8000/x` as its address and the rest.
fn without_port(uri: &str) -> Option<(&str, &str)> {
    let rest = uri.strip_prefix("http://")?;
    let end = rest.find(['/', '?']).unwrap_or(rest.len());
    let (authority, path) = rest.split_at(end);
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.is_empty() && port.bytes().all(|byte| byte.is_ascii_digit()) => host,
        Some((_, port)) if port.ends_with(']') => authority,
        Some(_) => return None,
        None => authority,
    };
    Some((host, path))
}

fn is_loopback(url: &Url) -> bool {
    url.scheme() == "http"
        && match url.host() {
            Some(Host::Ipv4(address)) => address.is_loopback() && address.octets() == [127, 0, 0, 1],
            Some(Host::Ipv6(address)) => address.is_loopback(),
            _ => false,
        }
}

fn bad_host(url: &Url) -> bool {
    url.host_str().is_none_or(|host| host.is_empty() || host.ends_with('.') || !host.is_ascii())
}

fn authority(uri: &str) -> &str {
    let rest = uri.split_once("://").map_or("", |(_, rest)| rest);
    rest.split(['/', '?']).next().unwrap_or_default()
}

fn is_dots(segment: &str) -> bool {
    segment == "." || segment == ".."
}

#[cfg(test)]
mod tests {
    use super::*;

    const WEB: ClientKind = ClientKind::Web;
    const NATIVE: ClientKind = ClientKind::Native;

    #[test]
    fn b7_a_redirect_uri_is_the_registered_one_letter_by_letter() {
        let registered = ["https://app.example.com/cb".to_owned()];
        assert!(is_registered(&registered, "https://app.example.com/cb", WEB));
        for trick in [
            "https://app.example.com.evil.example/cb",
            "https://evil.example/app.example.com/cb",
            "https://evilapp.example.com/cb",
            "https://app.example.com@evil.example/cb",
            "https://app.example.com:443@evil.example/cb",
            "https://app.example.com\\@evil.example/cb",
            "https:\\\\app.example.com\\cb",
            "https://app.example.com//cb",
            "//app.example.com/cb",
            "https://app.example.com/cb/",
            "https://app.example.com/cb/%2e%2e/x",
            "https://app.example.com/x/../cb",
            "https://app.example.com/cb?x=1",
            "https://app.example.com/cb?",
            "https://app.example.com/cb#x",
            "https://app.example.com/cb#",
            "https://APP.example.com/cb",
            "https://app.example.com/CB",
            "HTTPS://app.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com:8443/cb",
            "https://app.example.com./cb",
            "http://app.example.com/cb",
            "https://\u{430}pp.example.com/cb",
            "https://app\u{3002}example.com/cb",
            "https://xn--pp-8cd.example.com/cb",
            "javascript:alert(1)",
            "data:text/html,x",
            " https://app.example.com/cb",
            "https://app.example.com/cb ",
            "https://app.example.com/cb%00",
            "https://app.example.com/c%62",
            "*",
            "",
        ] {
            assert!(!is_registered(&registered, trick, WEB), "{trick}");
            assert!(!is_registered(&registered, trick, NATIVE), "{trick}");
        }
    }

    #[test]
    fn only_the_port_of_a_native_loopback_address_is_free() {
        let registered = ["http://127.0.0.1/cb".to_owned(), "http://[::1]:1/cb".to_owned()];
        for good in
            ["http://127.0.0.1/cb", "http://127.0.0.1:49152/cb", "http://[::1]:8080/cb", "http://[::1]/cb"]
        {
            assert!(is_registered(&registered, good, NATIVE), "{good}");
        }
        for bad in [
            "http://127.0.0.1:49152/cb/",
            "http://127.0.0.1:49152/other",
            "http://127.0.0.1:/cb",
            "http://127.0.0.1:x/cb",
            "http://127.0.0.2:80/cb",
            "http://localhost:80/cb",
            "http://127.0.0.1:80@evil.example/cb",
            "http://127.0.0.1.evil.example/cb",
            "http://127.1:80/cb",
            "http://2130706433/cb",
            "https://127.0.0.1:80/cb",
            "http://[::ffff:127.0.0.1]/cb",
        ] {
            assert!(!is_registered(&registered, bad, NATIVE), "{bad}");
        }
        assert!(!is_registered(&registered, "http://127.0.0.1:49152/cb", WEB));
        let secure = ["https://app.example.com/cb".to_owned()];
        assert!(!is_registered(&secure, "https://app.example.com:1/cb", NATIVE));
    }

    #[test]
    fn what_may_be_registered_depends_on_the_kind_of_client() {
        for good in
            ["https://app.example.com/cb", "https://app.example.com", "https://app.example.com/cb?a=1"]
        {
            assert_eq!(objection(good, WEB), None, "{good}");
            assert_eq!(objection(good, NATIVE), None, "{good}");
        }
        for native in ["http://127.0.0.1/cb", "http://[::1]:3000/cb", "com.example.app:/cb"] {
            assert_eq!(objection(native, NATIVE), None, "{native}");
            assert!(objection(native, WEB).is_some(), "{native}");
        }
        for bad in [
            "https://*.example.com/cb",
            "https://app.example.com/*",
            "https://app.example.com/cb#x",
            "https://user@app.example.com/cb",
            "https://@app.example.com/cb",
            "http://app.example.com/cb",
            "http://localhost/cb",
            "https://App.example.com/cb",
            "https://app.example.com:443/cb",
            "https://app.example.com./cb",
            "https://app.example.com/a/../cb",
            "https://app.example.com/%2e%2e/cb",
            "javascript:alert(1)",
            "myapp:/cb",
            "data:text/html,x",
            "https:///cb",
            "/cb",
        ] {
            assert!(objection(bad, WEB).is_some() && objection(bad, NATIVE).is_some(), "{bad}");
        }
    }
}
