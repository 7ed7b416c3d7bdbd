//! Origins of pages: which may be registered. Pure.

use url::{Host, Url};

/// The most origins of a client.
pub(super) const MOST: usize = 20;

/// The longest, in bytes.
const LONGEST: usize = 300;

/// Why a client may not register this origin; `None`: it may. What is registered is what browsers send, letter by letter.
pub(super) fn objection(text: &str) -> Option<&'static str> {
    const WRITTEN: &str = "write origins as browsers do, such as https://app.example.com: no path, no capital letter, no usual port";
    if text.len() > LONGEST || text.contains('*') {
        return Some("each origin is one, of 300 letters at most: no wildcard");
    }
    let Ok(url) = Url::parse(text) else { return Some(WRITTEN) };
    if url.origin().ascii_serialization() != text || url.host_str().is_none_or(|host| host.ends_with('.')) {
        return Some(WRITTEN);
    }
    match (url.scheme(), url.host()) {
        ("https", _) => None,
        ("http", Some(Host::Ipv4(address))) if address.is_loopback() => None,
        ("http", Some(Host::Ipv6(address))) if address.is_loopback() => None,
        ("http", Some(Host::Domain("localhost"))) => None,
        _ => Some("use https; http only at localhost, 127.0.0.1 and [::1]"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_origin_is_written_as_browsers_send_it_and_over_http_only_at_home() {
        for good in [
            "https://app.example.com",
            "https://app.example.com:8443",
            "https://xn--bcher-kva.example",
            "http://localhost:5173",
            "http://127.0.0.1:3000",
            "http://[::1]:3000",
        ] {
            assert_eq!(objection(good), None, "{good}");
        }
        for bad in [
            "",
            "*",
            "null",
            "https://*",
            "https://*.example.com",
            "https://app.example.com/",
            "https://app.example.com/x",
            "https://app.example.com:443",
            "https://App.example.com",
            "https://user@app.example.com",
            "https://app.example.com?",
            "https://app.example.com#",
            "https://app.example.com.",
            "https://b\u{fc}cher.example",
            "http://app.example.com",
            "http://10.0.0.1",
            "http://localhost.example.com",
            "file:///etc",
            "com.example.app://x",
            "javascript:alert(1)",
            " https://app.example.com",
        ] {
            assert!(objection(bad).is_some(), "{bad}");
        }
        assert!(objection(&format!("https://{}.example", "a".repeat(300))).is_some());
    }
}
