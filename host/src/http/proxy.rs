//! Who asks, as an address: the peer of the connection or, when the peer is a proxy that the operator trusts, the last
//! hop that is none. What anybody else writes into forwarding headers is not read.

use std::net::{IpAddr, Ipv4Addr};
use std::str::FromStr;
use std::sync::Arc;

use ipnet::IpNet;
use poem::http::{HeaderMap, HeaderName, header};
use poem::{Addr, Request};

/// `X-Forwarded-For`, which most proxies append to.
const X_FORWARDED_FOR: HeaderName = HeaderName::from_static("x-forwarded-for");

/// The most hops that are looked at.
const HOPS: usize = 32;

/// The address that a request comes from, as data of the request.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct ClientAddress(pub IpAddr);

impl ClientAddress {
    /// The address of this request; the unspecified one where there is no network between.
    #[must_use]
    pub fn of(request: &Request) -> Self {
        request.data::<Self>().copied().unwrap_or(Self(IpAddr::V4(Ipv4Addr::UNSPECIFIED)))
    }

    /// The network around it, such as `/32` and `/64`: whoever has one address of version 6 has many.
    #[must_use]
    pub fn network(self, version_4: u8, version_6: u8) -> IpNet {
        let bits = if self.0.is_ipv4() { version_4 } else { version_6 };
        IpNet::new(self.0, bits).map_or_else(|_| IpNet::from(self.0), |network| network.trunc())
    }
}

/// The header in which the proxies say whom they speak for. The other one is a client's own.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub enum ForwardedHeader {
    /// `X-Forwarded-For`.
    #[default]
    XForwardedFor,
    /// `Forwarded`, RFC 7239.
    Forwarded,
}

impl FromStr for ForwardedHeader {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        match text.to_ascii_lowercase().as_str() {
            "x-forwarded-for" => Ok(Self::XForwardedFor),
            "forwarded" => Ok(Self::Forwarded),
            _ => Err(format!("`{text}` is neither x-forwarded-for nor forwarded")),
        }
    }
}

/// The proxies whose word counts. Cheap to clone.
#[derive(Clone, Debug, Default)]
pub struct TrustedProxies {
    networks: Arc<[IpNet]>,
    header: ForwardedHeader,
}

impl TrustedProxies {
    /// Proxies in these networks, which write this header.
    #[must_use]
    pub fn new(networks: impl Into<Arc<[IpNet]>>, header: ForwardedHeader) -> Self {
        Self { networks: networks.into(), header }
    }

    /// Whether this is one of them.
    #[must_use]
    pub fn trust(&self, address: IpAddr) -> bool {
        let address = address.to_canonical();
        self.networks.iter().any(|network| network.contains(&address))
    }

    /// Who sent the request.
    #[must_use]
    pub fn client(&self, request: &Request) -> ClientAddress {
        let peer = match &request.remote_addr().0 {
            Addr::SocketAddr(address) => address.ip().to_canonical(),
            _ => IpAddr::V4(Ipv4Addr::UNSPECIFIED),
        };
        ClientAddress(self.behind(peer, request.headers()))
    }

    /// Goes back from hop to hop for as long as each is trusted. A hop that is no address ends the way: what stands
    /// before it was told by somebody unknown.
    fn behind(&self, peer: IpAddr, headers: &HeaderMap) -> IpAddr {
        let mut here = peer;
        if !self.trust(here) {
            return here;
        }
        let name = match self.header {
            ForwardedHeader::XForwardedFor => X_FORWARDED_FOR,
            ForwardedHeader::Forwarded => header::FORWARDED,
        };
        let lines: Vec<&str> = headers.get_all(name).iter().map(|line| line.to_str().unwrap_or("")).collect();
        let hops = lines.iter().rev().flat_map(|line| line.rsplit(','));
        for hop in hops.take(HOPS) {
            let hop = match self.header {
                ForwardedHeader::XForwardedFor => Some(hop),
                ForwardedHeader::Forwarded => for_parameter(hop),
            };
            let Some(address) = hop.and_then(address) else { return here };
            here = address;
            if !self.trust(here) {
                return here;
            }
        }
        here
    }
}

/// The value of `for` in one element of `Forwarded`.
fn for_parameter(element: &str) -> Option<&str> {
    element.split(';').find_map(|pair| {
        let (name, value) = pair.split_once('=')?;
        name.trim().eq_ignore_ascii_case("for").then(|| value.trim().trim_matches('"'))
    })
}

/// An address with or without port: `192.0.2.1`, `192.0.2.1:80`, `2001:db8::1`, `[2001:db8::1]:80`.
fn address(text: &str) -> Option<IpAddr> {
    let text = text.trim();
    if let Ok(address) = text.parse::<IpAddr>() {
        return Some(address.to_canonical());
    }
    let host = match text.strip_prefix('[') {
        Some(rest) => {
            let (host, port) = rest.split_once(']')?;
            (port.is_empty() || port.starts_with(':')).then_some(host)?
        }
        None => text.split_once(':')?.0,
    };
    host.parse::<IpAddr>().ok().map(|address| address.to_canonical())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn client(header: ForwardedHeader, peer: &str, lines: &[(&'static str, &str)]) -> String {
        let trusted: Vec<IpNet> = vec!["10.0.0.0/8".parse().unwrap(), "fd00::/8".parse().unwrap()];
        let mut headers = HeaderMap::new();
        for (name, value) in lines {
            headers.append(*name, value.parse().unwrap());
        }
        let proxies = TrustedProxies::new(trusted, header);
        proxies.behind(peer.parse::<IpAddr>().unwrap().to_canonical(), &headers).to_string()
    }

    #[test]
    fn what_a_stranger_says_about_itself_is_not_read() {
        for name in ["x-forwarded-for", "forwarded", "x-real-ip"] {
            let said = [(name, "10.0.0.1")];
            assert_eq!(client(ForwardedHeader::XForwardedFor, "203.0.113.9", &said), "203.0.113.9");
        }
        let proxies = TrustedProxies::default();
        assert!(!proxies.trust("127.0.0.1".parse().unwrap()), "nobody is trusted by default");
    }

    #[test]
    fn behind_trusted_proxies_it_is_the_last_hop_that_is_none() {
        let asked = |lines: &[(&'static str, &str)]| client(ForwardedHeader::default(), "10.0.0.1", lines);
        assert_eq!(asked(&[]), "10.0.0.1");
        assert_eq!(asked(&[("x-forwarded-for", "1.1.1.1, 198.51.100.7, 10.0.0.2")]), "198.51.100.7");
        // A client's own line comes before those of the proxies.
        assert_eq!(
            asked(&[("x-forwarded-for", "1.1.1.1"), ("x-forwarded-for", "198.51.100.7")]),
            "198.51.100.7"
        );
        assert_eq!(asked(&[("x-forwarded-for", "198.51.100.7, 10.0.0.3:443")]), "198.51.100.7");
        assert_eq!(asked(&[("x-forwarded-for", "198.51.100.7, unknown")]), "10.0.0.1");
        assert_eq!(asked(&[("x-forwarded-for", "1.1.1.1, _hidden, 10.0.0.2")]), "10.0.0.2");
        assert_eq!(asked(&[("x-forwarded-for", "::ffff:198.51.100.7")]), "198.51.100.7");
        assert_eq!(asked(&[("forwarded", "for=198.51.100.7"), ("x-real-ip", "1.2.3.4")]), "10.0.0.1");
        assert_eq!(client(ForwardedHeader::default(), "::ffff:10.0.0.1", &[]), "10.0.0.1");
    }

    #[test]
    fn the_standard_header_is_read_where_the_proxy_writes_it() {
        let asked = |lines: &[(&'static str, &str)]| client(ForwardedHeader::Forwarded, "fd00::1", lines);
        assert_eq!(
            asked(&[("forwarded", "for=1.1.1.1, For=\"[2001:db8::7]:4711\";proto=https")]),
            "2001:db8::7"
        );
        assert_eq!(asked(&[("forwarded", "by=10.0.0.1;for=198.51.100.7;host=x")]), "198.51.100.7");
        assert_eq!(asked(&[("x-forwarded-for", "1.2.3.4")]), "fd00::1");
    }

    #[test]
    fn whoever_has_one_address_of_version_6_has_its_network() {
        let network = |text: &str| ClientAddress(text.parse().unwrap()).network(32, 64).to_string();
        assert_eq!(network("198.51.100.7"), "198.51.100.7/32");
        assert_eq!(network("2001:db8::7"), "2001:db8::/64");
    }
}
