//! Which organization a request is for: from the host name, or from the path prefix `/t/{slug}`. Never from a header of
//! the client's choice, a body or a query.

use poem::Request;
use poem::http::{Version, header};

use crate::http::problem::Problem;

/// Where a request goes.
#[derive(Clone, Debug, Eq, PartialEq)]
pub struct Address {
    /// The organization's slug, as written by the client: not looked up yet.
    pub slug: String,
    /// What stands before [`Address::path`] in links: `/t/acme`, or nothing with a host name.
    pub prefix: String,
    /// The path below the organization, such as `/api/v1/me`.
    pub path: String,
}

/// The one host name of the request, lower case and without port.
///
/// # Errors
/// 400 when it is missing, stands twice, is not a host name or disagrees with an absolute-form address.
pub fn host(request: &Request) -> Result<String, Problem> {
    let refused = |detail: &str| Problem::malformed("invalid_host", detail);
    let mut values = request.headers().get_all(header::HOST).iter();
    let value = match (values.next(), values.next()) {
        (Some(only), None) => only.to_str().map_err(|_| refused("The Host header is not a host name."))?,
        (None, _) if request.version() == Version::HTTP_2 => {
            request.uri().authority().map_or("", |a| a.as_str())
        }
        (None, _) => return Err(refused("The Host header is missing.")),
        (Some(_), Some(_)) => return Err(refused("The Host header stands twice.")),
    };
    if request.uri().authority().is_some_and(|authority| !authority.as_str().eq_ignore_ascii_case(value)) {
        return Err(refused("The address and the Host header disagree."));
    }
    let name = name(value).ok_or_else(|| refused("The Host header is not a host name."))?;
    Ok(name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase())
}

/// The name in `name`, `name:port`, `[address]` and `[address]:port`.
fn name(authority: &str) -> Option<&str> {
    let split = match authority.strip_prefix('[') {
        Some(rest) => authority.len() - rest.len() + rest.find(']')? + 1,
        None => authority.find(':').unwrap_or(authority.len()),
    };
    let (name, port) = authority.split_at_checked(split)?;
    let port = port.strip_prefix(':').or(port.is_empty().then_some("0"))?;
    port.parse::<u16>().ok().filter(|_| port.bytes().all(|b| b.is_ascii_digit()))?;
    let well_formed = match name.strip_prefix('[').and_then(|name| name.strip_suffix(']')) {
        Some(address) => address.parse::<std::net::Ipv6Addr>().is_ok(),
        None => name.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'-')),
    };
    (well_formed && name.len() <= 255 && !name.starts_with('.') && !name.is_empty()).then_some(name)
}

/// Reads the organization out of `host` (when it is below `base_domain`) or `path`.
///
/// # Errors
/// 404 when the path is not in its one canonical spelling, or names no organization.
pub fn resolve(host: &str, path: &str, base_domain: Option<&str>) -> Result<Address, Problem> {
    if !canonical(path) {
        return Err(no_route());
    }
    let below = base_domain.and_then(|base| host.strip_suffix(base)?.strip_suffix('.'));
    if let Some(slug) = below {
        return Ok(Address { slug: slug.to_owned(), prefix: String::new(), path: path.to_owned() });
    }
    let rest = path.strip_prefix("/t/").ok_or_else(no_route)?;
    let (slug, path) = rest.split_once('/').map_or((rest, ""), |(slug, path)| (slug, path));
    Ok(Address { slug: slug.to_owned(), prefix: format!("/t/{slug}"), path: format!("/{path}") })
}

/// The 404 of an address that nothing serves.
#[must_use]
pub fn no_route() -> Problem {
    Problem::not_found("not_found", "There is nothing at this address.")
}

/// Guards and router must see the same path: no escapes, no empty or dotted segments, no trailing slash.
pub(crate) fn canonical(path: &str) -> bool {
    let plain =
        |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'-' | b'_' | b'.' | b'~' | b':' | b'@');
    path.starts_with('/')
        && path.bytes().all(plain)
        && !path.contains("//")
        && !path.split('/').any(|segment| segment == "." || segment == "..")
        && (path.len() == 1 || !path.ends_with('/'))
}

#[cfg(test)]
mod tests {
    use poem::http::Uri;

    use super::*;

    fn request(hosts: &[&str], uri: &'static str) -> Request {
        let mut builder = Request::builder().uri(Uri::from_static(uri));
        for host in hosts {
            builder = builder.header("host", *host);
        }
        builder.finish()
    }

    #[test]
    fn exactly_one_host_is_needed_and_must_agree_with_the_address() {
        assert_eq!(host(&request(&["Acme.Example.com:8080"], "/")).unwrap(), "acme.example.com");
        assert_eq!(host(&request(&["[::1]:80"], "/")).unwrap(), "[::1]");
        assert_eq!(host(&request(&["a.test"], "http://a.test/x")).unwrap(), "a.test");
        for (hosts, uri) in [
            (&[][..], "/"),
            (&["a", "b"], "/"),
            (&["a/b"], "/"),
            (&[""], "/"),
            (&["a:"], "/"),
            (&["a:80:80"], "/"),
            (&["a:99999"], "/"),
            (&["a:+1"], "/"),
            (&["[::1"], "/"),
            (&["[::1]x"], "/"),
            (&["a_b"], "/"),
            (&["u@a"], "/"),
            (&[".a"], "/"),
            (&["a.test"], "http://b.test/x"),
        ] {
            assert_eq!(host(&request(hosts, uri)).unwrap_err().code, "invalid_host", "{hosts:?} {uri}");
        }
    }

    #[test]
    fn the_organization_is_the_prefix_or_the_host_below_the_base_domain() {
        let found = resolve("localhost", "/t/acme/api/v1/me", None).unwrap();
        assert_eq!(
            (found.slug.as_str(), found.prefix.as_str(), found.path.as_str()),
            ("acme", "/t/acme", "/api/v1/me")
        );
        let found = resolve("acme.example.com", "/docs", Some("example.com")).unwrap();
        assert_eq!((found.slug.as_str(), found.prefix.as_str(), found.path.as_str()), ("acme", "", "/docs"));
        assert_eq!(resolve("example.com", "/t/acme/docs", Some("example.com")).unwrap().slug, "acme");
        assert_eq!(resolve("evilexample.com", "/docs", Some("example.com")).unwrap_err().code, "not_found");
        assert_eq!(resolve("localhost", "/t/acme", None).unwrap().path, "/");
    }

    #[test]
    fn a_path_has_one_spelling() {
        for bad in ["/t/a//b", "/t/a/../b", "/t/a/%2e%2e", "/t/a/b/", "/t/a/b;x", "/t/a/%00", "/t/a\\b", "*"]
        {
            assert_eq!(resolve("localhost", bad, None).unwrap_err().code, "not_found", "{bad}");
        }
    }
}
