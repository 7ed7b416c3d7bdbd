//! Outbound: the only way in which the host asks somebody else over HTTP. Whoever chooses the address is not trusted.
//!
//! `guard.rs` says which addresses may be asked: `https`, a well-known port, a host that is written in one way and is not
//! inside a network of ours. `names.rs` resolves a name, refuses it when any of its addresses is not public, and hands the
//! very addresses it checked to the connection, so a name cannot change between check and use. An answer is read up to a
//! limit within a time limit; redirects are not followed, nothing is decompressed, no proxy of the environment is used.
//!
//! Reading order: `guard.rs`, `names.rs`, this file.

mod error;
mod guard;
mod names;

#[cfg(test)]
mod tests;

use std::sync::Arc;
use std::time::Duration;

use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use reqwest::{Client, Method, redirect};
use url::Url;

pub use error::OutboundError;
pub use guard::Rules;

use names::{Guarded, Lookup};

/// What an answer may take.
#[derive(Clone, Copy, Debug)]
struct Limits {
    /// From the first look-up to the last byte.
    time: Duration,
    /// Bytes of the body.
    body: usize,
}

const LIMITS: Limits = Limits { time: Duration::from_secs(10), body: 1024 * 1024 };

/// The longest address that is asked.
const LONGEST_ADDRESS: usize = 2_048;

/// Asks others, within the rules. Cheap to clone.
#[derive(Clone, Debug)]
pub struct Outbound {
    client: Client,
    rules: Arc<Rules>,
    limits: Limits,
}

/// What is asked.
#[derive(Clone, Debug)]
pub struct Request {
    /// The method, such as `GET`.
    pub method: String,
    /// Where; checked again when it is sent.
    pub address: String,
    /// Names and values.
    pub headers: Vec<(String, Vec<u8>)>,
    /// Nothing for a `GET`.
    pub body: Vec<u8>,
    /// The most bytes of the answer's body; never more than 1 MiB.
    pub limit: usize,
}

impl Request {
    /// Asks for what is at an address.
    #[must_use]
    pub fn get(address: &str, limit: usize) -> Self {
        let accept = ("accept".to_owned(), b"application/json".to_vec());
        Self { method: "GET".into(), address: address.into(), headers: vec![accept], body: Vec::new(), limit }
    }
}

/// What came back, whatever its status.
#[derive(Clone, Debug)]
pub struct Answer {
    /// Such as 200; a redirect is an answer like another.
    pub status: u16,
    /// Its `Content-Type`, as sent.
    pub content_type: Option<String>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Outbound {
    /// A client that keeps to these rules.
    ///
    /// # Errors
    /// [`OutboundError::Client`] when the TLS library does not start.
    pub fn new(rules: Rules) -> Result<Self, OutboundError> {
        Self::with(rules, LIMITS, Lookup::System)
    }

    fn with(rules: Rules, limits: Limits, lookup: Lookup) -> Result<Self, OutboundError> {
        // Refused when it was chosen before, by an earlier handle: it is the same choice.
        let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
        let rules = Arc::new(rules);
        let builder = || {
            Client::builder()
                .dns_resolver(Arc::new(Guarded::new(lookup.clone(), Arc::clone(&rules))))
                .redirect(redirect::Policy::none())
                .no_proxy()
                .referer(false)
                .timeout(limits.time)
                .pool_max_idle_per_host(0)
                .user_agent("stoa")
        };
        let client = builder().build().or_else(|error| {
            tracing::warn!(%error, "no certificates to trust on this machine: nobody is reached over https");
            builder().tls_certs_only([]).build()
        });
        Ok(Self { client: client.map_err(|error| OutboundError::Client(error.to_string()))?, rules, limits })
    }

    /// Whether this address may be asked, as far as its text says.
    ///
    /// # Errors
    /// [`OutboundError::Refused`].
    pub fn check(&self, address: &str) -> Result<Url, OutboundError> {
        if address.len() > LONGEST_ADDRESS {
            return Err(OutboundError::Refused("the address is too long"));
        }
        self.rules.check(address)
    }

    /// Asks, and reads the whole answer.
    ///
    /// # Errors
    /// [`OutboundError::Refused`] when the rules forbid the address, also once its name is resolved;
    /// [`OutboundError::TooLarge`], [`OutboundError::TimedOut`], [`OutboundError::Unreachable`].
    pub async fn send(&self, request: Request) -> Result<Answer, OutboundError> {
        let url = self.check(&request.address)?;
        let method = Method::from_bytes(request.method.as_bytes())
            .map_err(|_| OutboundError::Refused("the method is not one of HTTP"))?;
        let limit = request.limit.min(self.limits.body);
        let asked = self.client.request(method, url).headers(headers(request.headers)?).body(request.body);
        let mut response = asked.send().await.map_err(|error| OutboundError::of(&error))?;
        if response.content_length().is_some_and(|length| length > limit as u64) {
            return Err(OutboundError::TooLarge);
        }
        let content_type =
            response.headers().get("content-type").and_then(|kind| kind.to_str().ok()).map(str::to_owned);
        let mut body = Vec::new();
        while let Some(part) = response.chunk().await.map_err(|error| OutboundError::of(&error))? {
            if body.len().saturating_add(part.len()) > limit {
                return Err(OutboundError::TooLarge);
            }
            body.extend_from_slice(&part);
        }
        Ok(Answer { status: response.status().as_u16(), content_type, body })
    }
}

/// Names and values that are one header each: a line break cannot make two of one.
fn headers(given: Vec<(String, Vec<u8>)>) -> Result<HeaderMap, OutboundError> {
    let refused = OutboundError::Refused("a header is not well formed");
    let mut headers = HeaderMap::with_capacity(given.len());
    for (name, value) in given {
        let name = HeaderName::from_bytes(name.as_bytes()).map_err(|_| refused.clone())?;
        headers.append(name, HeaderValue::from_bytes(&value).map_err(|_| refused.clone())?);
    }
    Ok(headers)
}
