//! Which addresses may be asked: the text of an address, and the IP addresses behind its name. Pure.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use ipnet::{Ipv4Net, Ipv6Net};
use url::{Host, Url};

use super::OutboundError;

/// What this installation allows.
#[derive(Clone, Debug, Default)]
pub struct Rules {
    /// `http` and `https` to this machine itself, on any port: for development and tests only.
    pub loopback: bool,
    /// Ports beside 443 and 8443.
    pub ports: Vec<u16>,
}

const PORTS: [u16; 2] = [443, 8_443];

/// Names that only mean something inside a network, and those under which clouds hand out credentials.
const INSIDE: [&str; 9] =
    ["localhost", "local", "internal", "intranet", "lan", "home", "corp", "metadata", "instance-data"];

/// IPv4 networks that are not the public internet (IANA special purpose registry, multicast, reserved).
const CLOSED_V4: [(Ipv4Addr, u8); 16] = [
    (Ipv4Addr::new(0, 0, 0, 0), 8),
    (Ipv4Addr::new(10, 0, 0, 0), 8),
    (Ipv4Addr::new(100, 64, 0, 0), 10),
    (Ipv4Addr::new(127, 0, 0, 0), 8),
    (Ipv4Addr::new(168, 63, 129, 16), 32),
    (Ipv4Addr::new(169, 254, 0, 0), 16),
    (Ipv4Addr::new(172, 16, 0, 0), 12),
    (Ipv4Addr::new(192, 0, 0, 0), 24),
    (Ipv4Addr::new(192, 0, 2, 0), 24),
    (Ipv4Addr::new(192, 88, 99, 0), 24),
    (Ipv4Addr::new(192, 168, 0, 0), 16),
    (Ipv4Addr::new(198, 18, 0, 0), 15),
    (Ipv4Addr::new(198, 51, 100, 0), 24),
    (Ipv4Addr::new(203, 0, 113, 0), 24),
    (Ipv4Addr::new(224, 0, 0, 0), 4),
    (Ipv4Addr::new(240, 0, 0, 0), 4),
];

/// What is public of IPv6 lies in `2000::/3`, but for these.
const CLOSED_V6: [(Ipv6Addr, u8); 5] = [
    (Ipv6Addr::new(0x2001, 0, 0, 0, 0, 0, 0, 0), 23), // special purposes, Teredo among them
    (Ipv6Addr::new(0x2001, 0xdb8, 0, 0, 0, 0, 0, 0), 32),
    (Ipv6Addr::new(0x2002, 0, 0, 0, 0, 0, 0, 0), 16), // 6to4: an IPv4 address in disguise
    (Ipv6Addr::new(0x3fff, 0, 0, 0, 0, 0, 0, 0), 20),
    (Ipv6Addr::new(0x2620, 0x4f, 0x8000, 0, 0, 0, 0, 0), 48),
];

impl Rules {
    /// Takes an address that may be asked.
    ///
    /// # Errors
    /// [`OutboundError::Refused`].
    pub(super) fn check(&self, text: &str) -> Result<Url, OutboundError> {
        let refused = |why| Err(OutboundError::Refused(why));
        let written = written_host(text)?;
        let Ok(url) = Url::parse(text) else {
            return refused("it is not an address");
        };
        if !url.username().is_empty() || url.password().is_some() {
            return refused("an address carries no name and password");
        }
        // The parser reads 0x7f.1 as 127.0.0.1 and folds letters of other widths: only the plain spelling is taken.
        if url.host_str() != Some(written.to_ascii_lowercase().as_str()) {
            return refused("the host is not written in its plain form");
        }
        let local = match url.host() {
            Some(Host::Ipv4(address)) => self.literal(IpAddr::V4(address))?,
            Some(Host::Ipv6(address)) => self.literal(IpAddr::V6(address))?,
            Some(Host::Domain(name)) => self.name(name)?,
            None => return refused("it has no host"),
        };
        match url.scheme() {
            "https" => {}
            "http" if local => {}
            _ => return refused("use https"),
        }
        let port = url.port_or_known_default().unwrap_or_default();
        if !local && !PORTS.contains(&port) && !self.ports.contains(&port) {
            return refused("use port 443 or 8443");
        }
        Ok(url)
    }

    /// Whether a name is this machine's own, where that is allowed.
    fn name(&self, name: &str) -> Result<bool, OutboundError> {
        let refused = |why| Err(OutboundError::Refused(why));
        if name == "localhost" && self.loopback {
            return Ok(true);
        }
        let last = name.rsplit('.').next().unwrap_or(name);
        if name.ends_with('.') || name.len() > 253 || !name.contains('.') || INSIDE.contains(&last) {
            return refused("the host is not one of the public internet");
        }
        Ok(false)
    }

    fn literal(&self, address: IpAddr) -> Result<bool, OutboundError> {
        self.admits(address).then_some(is_loopback(address)).ok_or(OutboundError::Refused(CLOSED))
    }

    /// Whether a connection to this address may be made.
    pub(super) fn admits(&self, address: IpAddr) -> bool {
        is_public(address) || (self.loopback && is_loopback(address))
    }

    /// Takes the addresses of a name: all of them, or none when one is closed. `localhost` has loopback addresses only, and
    /// no other name has any.
    pub(super) fn resolved(&self, name: &str, addresses: &[IpAddr]) -> Result<(), OutboundError> {
        let own = self.loopback && name == "localhost";
        let good = |address: &IpAddr| if own { is_loopback(*address) } else { is_public(*address) };
        if addresses.is_empty() {
            return Err(OutboundError::Unreachable);
        }
        addresses.iter().all(good).then_some(()).ok_or(OutboundError::Refused(CLOSED))
    }
}

const CLOSED: &str = "the host has an address that is not of the public internet";

/// The host as it stands in the text, in ASCII and without escapes.
fn written_host(text: &str) -> Result<&str, OutboundError> {
    let refused = |why| Err(OutboundError::Refused(why));
    if text.chars().any(|letter| letter.is_control() || letter.is_whitespace() || letter == '\\') {
        return refused("an address has no spaces, line breaks and backslashes");
    }
    let Some((_, rest)) = text.split_once("://") else {
        return refused("use an absolute address that begins with https://");
    };
    let authority = rest.split(['/', '?', '#']).next().unwrap_or_default();
    if authority.contains('@') {
        return refused("an address carries no name and password");
    }
    let host = match authority.rsplit_once(':') {
        Some((host, port)) if !port.contains(']') => host,
        _ => authority,
    };
    if host.is_empty() || !host.is_ascii() || host.contains('%') {
        return refused("the host is not written in its plain form");
    }
    Ok(host)
}

fn is_loopback(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => address.is_loopback(),
        IpAddr::V6(address) => address.is_loopback(),
    }
}

/// Whether an address is one of the public internet.
fn is_public(address: IpAddr) -> bool {
    match address {
        IpAddr::V4(address) => !CLOSED_V4.iter().any(|(network, length)| {
            Ipv4Net::new(*network, *length).is_ok_and(|network| network.contains(&address))
        }),
        // Mapped, compatible and translated IPv4 addresses, ULA, link-local and multicast all lie outside of 2000::/3.
        IpAddr::V6(address) => {
            address.segments().first().is_some_and(|first| first & 0xe000 == 0x2000)
                && !CLOSED_V6.iter().any(|(network, length)| {
                    Ipv6Net::new(*network, *length).is_ok_and(|network| network.contains(&address))
                })
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(rules: &Rules, text: &str) {
        let result = rules.check(text);
        assert!(matches!(result, Err(OutboundError::Refused(_))), "{text:?}: {result:?}");
    }

    #[test]
    fn h1_a_host_inside_is_refused_however_it_is_written() {
        for host in [
            "127.0.0.1",
            "127.1",
            "127.0.1",
            "0x7f000001",
            "0x7f.0.0.1",
            "2130706433",
            "0177.0.0.1",
            "017700000001",
            "127.0.0.1.",
            "[::1]",
            "[::ffff:127.0.0.1]",
            "[::ffff:7f00:1]",
            "[::127.0.0.1]",
            "[::]",
            "0.0.0.0",
            "0",
            "169.254.169.254",
            "[fe80::1]",
            "[fd00:ec2::254]",
            "[64:ff9b::7f00:1]",
            "[64:ff9b::169.254.169.254]",
            "[64:ff9b:1::a00:1]",
            "[2002:7f00:1::]",
            "[2002:a00:1::1]",
            "[2001::1]",
            "[ff02::1]",
            "10.0.0.1",
            "172.16.0.1",
            "172.31.255.255",
            "192.168.1.1",
            "100.64.0.1",
            "100.127.255.254",
            "224.0.0.1",
            "255.255.255.255",
            "168.63.129.16",
            "192.0.0.192",
            "198.18.0.1",
            "localhost",
            "LOCALHOST",
            "localhost.",
            "a.localhost",
            "metadata.google.internal",
            "metadata",
            "printer.local",
            "router",
            "%31%32%37.0.0.1",
            "\u{ff11}\u{ff12}\u{ff17}.0.0.1",
            "127\u{3002}0\u{3002}0\u{3002}1",
            "ⓛocalhost",
            "1.2.3.4.5.6",
            "example.com.",
        ] {
            refused(&Rules::default(), &format!("https://{host}/x"));
            refused(&Rules::default(), &format!("https://{host}:8443/"));
        }
    }

    #[test]
    fn h1_every_address_of_a_name_must_be_public() {
        let rules = Rules::default();
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert!(rules.resolved("a.example", &[ip("93.184.216.34"), ip("2606:2800:220:1::1")]).is_ok());
        assert!(matches!(rules.resolved("a.example", &[]), Err(OutboundError::Unreachable)));
        for inside in [
            "127.0.0.1",
            "10.1.2.3",
            "169.254.169.254",
            "::1",
            "::ffff:10.0.0.1",
            "fd00::1",
            "fe80::1",
            "64:ff9b::1",
            "2002:a00:1::",
            "100.64.0.1",
            "224.0.0.251",
            "0.0.0.0",
            "::",
        ] {
            let all = [ip("93.184.216.34"), ip(inside)];
            assert!(matches!(rules.resolved("a.example", &all), Err(OutboundError::Refused(_))), "{inside}");
        }
    }

    #[test]
    fn h4_an_address_has_no_credentials_line_breaks_and_other_schemes() {
        for bad in [
            "https://user:password@example.com/",
            "https://user@example.com/",
            "https://@example.com/",
            "https://example.com@127.0.0.1/",
            "https://example.com\\@127.0.0.1/",
            "https://example.com/\r\nx: y",
            "https://exa\tmple.com/",
            "https://example.com/a b",
            "gopher://example.com/",
            "file:///etc/passwd",
            "ftp://example.com/",
            "http://example.com/",
            "javascript:alert(1)",
            "//example.com/",
            "example.com",
            "",
            "https:///x",
            "https://",
            "https://example.com:80/",
            "https://example.com:22/",
            "https://example.com:0/",
            "https:example.com",
        ] {
            refused(&Rules::default(), bad);
        }
    }

    #[test]
    fn public_hosts_are_asked_on_known_ports() {
        let rules = Rules { ports: vec![9_443], ..Rules::default() };
        for good in [
            "https://example.com",
            "https://EXAMPLE.com/a?b=c#d",
            "https://example.com:443/",
            "https://example.com:8443/",
            "https://example.com:9443/",
            "https://93.184.216.34/",
            "https://[2606:2800:220:1::1]/",
            "https://xn--bcher-kva.example/",
        ] {
            assert!(rules.check(good).is_ok(), "{good}");
        }
        refused(&Rules::default(), "https://example.com:9443/");
    }

    #[test]
    fn this_machine_is_asked_only_where_that_is_allowed_and_nothing_else_inside_is() {
        let rules = Rules { loopback: true, ports: Vec::new() };
        for good in
            ["http://127.0.0.1:3000/a", "http://localhost:3000/", "https://127.0.0.1/", "http://[::1]:9/"]
        {
            assert!(rules.check(good).is_ok(), "{good}");
        }
        for bad in [
            "http://10.0.0.1/",
            "http://example.com/",
            "http://0x7f.1/",
            "http://127.1/",
            "http://u@127.0.0.1/",
        ] {
            refused(&rules, bad);
        }
        let loopback: [IpAddr; 1] = ["127.0.0.1".parse().unwrap()];
        assert!(rules.resolved("localhost", &loopback).is_ok());
        assert!(
            rules.resolved("evil.example", &loopback).is_err(),
            "a name that points here is not this machine"
        );
    }
}
