//! What every request to an organization passes before a part of the API sees it, and what its answer carries: the names
//! this installation goes by, pages of other origins, limits.

use std::sync::Arc;

use poem::Request;
use poem::http::{HeaderName, HeaderValue, StatusCode, header};

use crate::app::App;
use crate::caller::Caller;
use crate::config::PublicAddress;
use crate::http::cors;
use crate::http::oauth;
use crate::http::problem::Problem;
use crate::http::proxy::{ClientAddress, TrustedProxies};
use crate::http::rates::{Class, Place, Rates};
use crate::http::terms::{AllTerms, Limits, Rate, Terms};
use crate::identity::Identity;
use crate::organizations::Organization;

/// A year, and for the names below too: an installation with `https` has no other face.
const TRANSPORT: &str = "max-age=31536000; includeSubDomains";

/// What strangers may ask for: enough for an office behind one address.
const STRANGER: Rate = Rate { per_second: 200, burst: 2_000 };

/// What the operator says about requests.
#[derive(Clone, Debug)]
pub struct Terminal {
    /// The proxies whose word about clients counts.
    pub proxies: TrustedProxies,
    /// Limits where an organization has no others.
    pub limits: Limits,
    /// For each network that asks without a valid credential.
    pub stranger: Rate,
    /// The operator named the public address, so that other host names are not ours.
    pub named: bool,
}

impl Default for Terminal {
    fn default() -> Self {
        Self {
            proxies: TrustedProxies::default(),
            limits: Limits::default(),
            stranger: STRANGER,
            named: false,
        }
    }
}

/// The gate of the public listener.
pub struct Gate {
    proxies: TrustedProxies,
    address: PublicAddress,
    named: bool,
    rates: Rates,
    terms: AllTerms,
    identity: Identity,
}

/// What an answer will carry.
#[derive(Default)]
pub struct Seal {
    from: Option<cors::From>,
    page: Option<cors::Page>,
    left: Option<[(HeaderName, HeaderValue); 2]>,
}

impl Gate {
    /// A gate of this application.
    #[must_use]
    pub fn new(app: &App, options: Terminal) -> Self {
        let rates = Rates::new(options.stranger);
        if tokio::runtime::Handle::try_current().is_ok() {
            rates.keep_small();
        }
        Self {
            proxies: options.proxies,
            named: options.named || app.address.base_domain.is_some(),
            address: app.address.clone(),
            rates,
            terms: AllTerms::new(app.settings.clone(), options.limits),
            identity: app.identity.clone(),
        }
    }

    /// Who sent the request.
    #[must_use]
    pub fn client(&self, request: &Request) -> ClientAddress {
        self.proxies.client(request)
    }

    /// Refuses a host name that is not one of this installation, once the operator said which are.
    ///
    /// # Errors
    /// 421.
    pub fn host(&self, host: &str) -> Result<(), Problem> {
        if !self.named || is_here(host) || host == name_of(&self.address.origin) {
            return Ok(());
        }
        let base = self.address.base_domain.as_deref();
        let below = base.and_then(|base| host.strip_suffix(base));
        let ours = below.is_some_and(|name| {
            name.is_empty() || name.strip_suffix('.').is_some_and(|label| !label.contains('.'))
        });
        if ours {
            return Ok(());
        }
        let detail = "This installation does not go by that host name.";
        Err(Problem::new(StatusCode::MISDIRECTED_REQUEST, "unknown_host", detail))
    }

    /// What holds for the organization.
    ///
    /// # Errors
    /// 500.
    pub async fn terms(&self, organization: &Organization) -> Result<Arc<Terms>, Problem> {
        self.terms.of(organization.id).await.map_err(|error| Problem::internal(&error))
    }

    /// Looks where the request says it comes from.
    ///
    /// # Errors
    /// 403.
    pub fn origin(
        &self,
        request: &mut Request,
        organization: &Organization,
        terms: &Terms,
        seal: &mut Seal,
    ) -> Result<(), Problem> {
        if !request.headers().contains_key(header::ORIGIN) {
            return Ok(());
        }
        let own = self.address.of(organization.slug.as_str());
        let origin = own.find("/t/").map_or(own.as_str(), |prefix| own.get(..prefix).unwrap_or_default());
        let from = cors::From::of(request.headers(), origin, &terms.origins);
        if from == cors::From::Elsewhere
            && let Some(page) = self.page(request, organization)?
        {
            request.set_data(page.clone());
            seal.page = Some(page);
            return Ok(());
        }
        from.check(request)?;
        seal.from = Some(from);
        Ok(())
    }

    /// The page that asks, if some client has it and this is something that clients' pages call.
    fn page(&self, request: &Request, organization: &Organization) -> Result<Option<cors::Page>, Problem> {
        let path = request.uri().path();
        let mut named = request.headers().get_all(header::ORIGIN).iter();
        let (Some(named), None, true) = (named.next(), named.next(), oauth::is_for_pages(path)) else {
            return Ok(None);
        };
        let Some(origin) = cors::Origin::parse(named.as_bytes()) else { return Ok(None) };
        let known = self.identity.knows_origin(organization.id, origin.as_str());
        let known = known.map_err(|error| Problem::internal(&error))?;
        // A question before a request names no client, and what is public is everybody's.
        let reads = cors::is_preflight(request) || oauth::is_public(path);
        Ok(known.then(|| cors::Page::new(origin, reads)))
    }

    /// Charges a request without a valid credential.
    ///
    /// # Errors
    /// 429.
    pub fn stranger(&self, request: &Request) -> Result<(), Problem> {
        self.rates.stranger(ClientAddress::of(request))
    }

    /// Charges the caller's request; it is served while the place is held.
    ///
    /// # Errors
    /// 429.
    pub fn admit(
        &self,
        request: &mut Request,
        caller: &Caller,
        terms: &Terms,
        seal: &mut Seal,
    ) -> Result<Place, Problem> {
        let meter = self.rates.meter(&terms.limits, caller);
        let (place, left) = meter.admit(Class::of(request.method(), request.uri().path()))?;
        seal.left = Some(meter.headers(left));
        request.set_data(meter);
        Ok(place)
    }

    /// Puts on an answer what it carries.
    pub fn seal(&self, seal: Seal, headers: &mut poem::http::HeaderMap) {
        if self.address.origin.starts_with("https://") {
            headers.insert(header::STRICT_TRANSPORT_SECURITY, HeaderValue::from_static(TRANSPORT));
        }
        if let Some(from) = seal.from {
            from.allow(headers);
        }
        if let Some(page) = seal.page {
            page.allow(headers);
        }
        for (name, value) in seal.left.into_iter().flatten() {
            headers.insert(name, value);
        }
    }
}

/// Names of the machine itself: for the operator who stands before it.
fn is_here(host: &str) -> bool {
    matches!(host, "localhost" | "127.0.0.1" | "[::1]")
}

/// The host name of an origin.
fn name_of(origin: &str) -> &str {
    let authority = origin.split_once("://").map_or(origin, |(_, authority)| authority);
    match authority.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|byte| byte.is_ascii_digit()) => name,
        _ => authority,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_in_an_origin_has_no_scheme_and_no_port() {
        assert_eq!(name_of("https://crm.example.com"), "crm.example.com");
        assert_eq!(name_of("http://crm.example.com:8080"), "crm.example.com");
        assert_eq!(name_of("https://[::1]"), "[::1]");
        assert_eq!(name_of("http://[::1]:80"), "[::1]");
    }
}
