//! Names become addresses here and nowhere else: looked up once, checked, and those very ones handed to the connection.

use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;

use reqwest::dns::{Addrs, Name, Resolve, Resolving};

use super::{OutboundError, Rules};

/// Where addresses come from.
#[derive(Clone)]
pub(super) enum Lookup {
    /// The machine's resolver.
    System,
    /// What a test says, each time it is asked.
    #[cfg(test)]
    Told(Told),
}

/// The addresses of a name, as a test says.
#[cfg(test)]
pub(super) type Told = Arc<dyn Fn(&str) -> Vec<IpAddr> + Send + Sync>;

impl Lookup {
    async fn addresses(&self, name: &str) -> Result<Vec<IpAddr>, OutboundError> {
        match self {
            Self::System => {
                let found =
                    tokio::net::lookup_host((name, 0)).await.map_err(|_| OutboundError::Unreachable)?;
                Ok(found.map(|address| address.ip()).collect())
            }
            #[cfg(test)]
            Self::Told(tell) => Ok(tell(name)),
        }
    }
}

/// The resolver of the client.
pub(super) struct Guarded {
    lookup: Lookup,
    rules: Arc<Rules>,
}

impl Guarded {
    pub(super) fn new(lookup: Lookup, rules: Arc<Rules>) -> Self {
        Self { lookup, rules }
    }
}

impl Resolve for Guarded {
    fn resolve(&self, name: Name) -> Resolving {
        let (lookup, rules) = (self.lookup.clone(), Arc::clone(&self.rules));
        Box::pin(async move {
            let addresses = lookup.addresses(name.as_str()).await?;
            rules.resolved(name.as_str(), &addresses)?;
            // Port 0: the client puts the address's own there.
            let vetted = addresses.into_iter().map(|address| SocketAddr::new(address, 0));
            Ok(Box::new(vetted) as Addrs)
        })
    }
}
