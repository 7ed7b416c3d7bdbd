//! Listening: connections are accepted, bounded and drained here.
//!
//! poem's own accept loop has no timer for request heads (a client may hold a connection open half-said) and no bound on
//! connections, so this is ours; the bytes are watched by `framing/`, and everything above is poem.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use dashmap::DashMap;
use dashmap::mapref::entry::Entry;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use ipnet::IpNet;
use poem::http::uri::Scheme;
use poem::web::{LocalAddr, RemoteAddr};
use poem::{Addr, Endpoint, Request, Response};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream, UnixListener, UnixStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, watch};
use tokio::task::JoinSet;

use crate::http::framing::{Framed, Patience};
use crate::http::metrics::Metrics;
use crate::http::proxy::{ClientAddress, TrustedProxies};

/// How long a kept connection may be silent. What has begun is watched by [`Framed`].
const SILENCE: Duration = Duration::from_secs(75);

/// What hyper holds of a connection; more than the longest head that [`Framed`] lets pass.
const BUFFER: usize = 128 * 1024;

/// How long open requests may go on after the signal to stop.
const DRAIN: Duration = Duration::from_secs(20);

/// How long to wait when the machine has no more descriptors.
const EXHAUSTED: Duration = Duration::from_millis(100);

/// Where connections come from.
pub trait Listen: Send + 'static {
    /// A connection.
    type Stream: AsyncRead + AsyncWrite + Send + Unpin + 'static;

    /// The next connection and who is at its other end.
    fn next(&self) -> impl Future<Output = io::Result<(Self::Stream, Addr)>> + Send;
}

impl Listen for TcpListener {
    type Stream = TcpStream;

    async fn next(&self) -> io::Result<(TcpStream, Addr)> {
        let (stream, address) = self.accept().await?;
        stream.set_nodelay(true)?;
        Ok((stream, Addr::socket(address)))
    }
}

impl Listen for UnixListener {
    type Stream = UnixStream;

    async fn next(&self) -> io::Result<(UnixStream, Addr)> {
        let (stream, address) = self.accept().await?;
        Ok((stream, Addr::unix(address)))
    }
}

/// How many connections there may be.
#[derive(Clone, Default)]
pub struct Doors {
    /// At most; those beyond wait in the kernel's queue.
    pub places: usize,
    /// At most from one client's network; those beyond are closed.
    pub each: Option<usize>,
    /// Whom that does not bind: they speak for many.
    pub proxies: TrustedProxies,
    open: Arc<DashMap<IpNet, usize>>,
}

impl From<usize> for Doors {
    fn from(places: usize) -> Self {
        Self { places, ..Self::default() }
    }
}

impl Doors {
    /// Doors that one client cannot occupy alone.
    #[must_use]
    pub fn new(places: usize, each: usize, proxies: TrustedProxies) -> Self {
        Self { places, each: Some(each), proxies, ..Self::default() }
    }

    /// Lets a connection in unless its client has enough of them.
    fn admit(&self, remote: &Addr) -> Option<Guest> {
        let (Some(most), Addr::SocketAddr(address)) = (self.each, remote) else {
            return Some(Guest(None));
        };
        let address = ClientAddress(address.ip().to_canonical());
        if self.proxies.trust(address.0) {
            return Some(Guest(None));
        }
        let network = address.network(32, 64);
        let mut open = self.open.entry(network).or_insert(0);
        if *open >= most {
            return None;
        }
        *open += 1;
        Some(Guest(Some((Arc::clone(&self.open), network))))
    }
}

/// A connection that was let in, until it is dropped.
struct Guest(Option<(Arc<DashMap<IpNet, usize>>, IpNet)>);

impl Drop for Guest {
    fn drop(&mut self) {
        let Some((open, network)) = &self.0 else { return };
        if let Entry::Occupied(mut entry) = open.entry(*network) {
            *entry.get_mut() -= 1;
            if *entry.get() == 0 {
                entry.remove();
            }
        }
    }
}

/// Serves `endpoint` until `stop` says so, then lets open requests finish for a while.
pub async fn serve<L, E>(
    listener: L,
    endpoint: E,
    doors: impl Into<Doors>,
    metrics: Metrics,
    mut stop: watch::Receiver<bool>,
) where
    L: Listen,
    E: Endpoint<Output = Response> + 'static,
{
    let endpoint = Arc::new(endpoint);
    let doors = doors.into();
    let places = Arc::new(Semaphore::new(doors.places));
    let mut connections = JoinSet::new();
    let quit = stop.clone();
    loop {
        tokio::select! {
            () = told(&mut stop) => break,
            next = place_and_stream(&listener, &places) => match next {
                Ok((stream, address, place)) => {
                    let Some(guest) = doors.admit(&address) else {
                        metrics.turned_away();
                        continue;
                    };
                    let held = (place, guest, metrics.connection());
                    let connection = connection(stream, address, Arc::clone(&endpoint), quit.clone());
                    connections.spawn(async move {
                        connection.await;
                        drop(held);
                    });
                }
                Err(error) => {
                    tracing::warn!(%error, "a connection could not be accepted");
                    tokio::time::sleep(EXHAUSTED).await;
                }
            },
            Some(_) = connections.join_next() => {}
        }
    }
    drop(listener);
    let drained =
        tokio::time::timeout(DRAIN, async { while connections.join_next().await.is_some() {} }).await;
    if drained.is_err() {
        tracing::warn!(open = connections.len(), "connections were cut off after the time to finish");
    }
}

/// A place first, so that clients beyond the limit wait in the kernel's queue instead of in our memory.
async fn place_and_stream<L: Listen>(
    listener: &L,
    places: &Arc<Semaphore>,
) -> io::Result<(L::Stream, Addr, OwnedSemaphorePermit)> {
    let place = Arc::clone(places).acquire_owned().await.map_err(io::Error::other)?;
    let (stream, address) = listener.next().await?;
    Ok((stream, address, place))
}

async fn connection<S, E>(stream: S, remote: Addr, endpoint: Arc<E>, mut quit: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Send + Unpin + 'static,
    E: Endpoint<Output = Response> + 'static,
{
    let service = service_fn(move |request: hyper::Request<Incoming>| {
        let (endpoint, remote) = (Arc::clone(&endpoint), RemoteAddr(remote.clone()));
        async move {
            let request = Request::from((request, LocalAddr::default(), remote, Scheme::HTTP));
            Ok::<hyper::Response<_>, Infallible>(endpoint.get_response(request).await.into())
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(SILENCE)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Framed::new(stream, Patience::default())), service);
    tokio::pin!(connection);
    tokio::select! {
        ended = connection.as_mut() => return log_end(ended),
        () = told(&mut quit) => connection.as_mut().graceful_shutdown(),
    }
    log_end(connection.await);
}

/// Returns when the signal is given, or nobody is left to give it.
async fn told(stop: &mut watch::Receiver<bool>) {
    let _ = stop.wait_for(|stop| *stop).await.map(drop);
}

fn log_end(ended: Result<(), hyper::Error>) {
    if let Err(error) = ended {
        tracing::debug!(%error, "a connection ended early");
    }
}

/// Becomes true at SIGINT or SIGTERM.
///
/// # Errors
/// When the process cannot listen to signals.
pub fn stop_signal() -> io::Result<watch::Receiver<bool>> {
    use tokio::signal::unix::{SignalKind, signal};
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let (sender, receiver) = watch::channel(false);
    tokio::spawn(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
        tracing::info!("stopping: open requests may finish");
        sender.send_replace(true);
        // Kept alive, so that receivers see the value and not a lost sender.
        sender.closed().await;
    });
    Ok(receiver)
}

#[cfg(test)]
mod tests {
    use poem::endpoint::make_sync;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;

    #[test]
    fn one_client_cannot_occupy_every_door() {
        let address = |text: &str| Addr::socket(text.parse::<std::net::SocketAddr>().unwrap());
        let trusted = vec!["10.0.0.0/8".parse().unwrap()];
        let doors =
            Doors::new(9, 2, TrustedProxies::new(trusted, crate::http::proxy::ForwardedHeader::default()));
        let held = [doors.admit(&address("[2001:db8::1]:1")), doors.admit(&address("[2001:db8::2]:1"))];
        assert!(held.iter().all(Option::is_some));
        assert!(doors.admit(&address("[2001:db8::3]:1")).is_none(), "the same network");
        assert!(doors.admit(&address("203.0.113.9:1")).is_some());
        let proxied: Vec<_> = (0..5).map(|_| doors.admit(&address("10.0.0.1:1"))).collect();
        assert!(proxied.iter().all(Option::is_some), "a proxy speaks for many");
        drop(held);
        assert!(doors.admit(&address("[2001:db8::3]:1")).is_some());
        assert!(doors.open.is_empty(), "nothing is remembered of who has left");
    }

    #[tokio::test]
    async fn requests_are_served_until_the_stop_signal_and_then_drained() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, stop) = watch::channel(false);
        let endpoint = poem::EndpointExt::map_to_response(make_sync(|_| "served"));
        let server = tokio::spawn(serve(listener, endpoint, 4, Metrics::default(), stop));
        let mut client = TcpStream::connect(address).await.unwrap();
        client.write_all(b"GET / HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut buffer = [0; 4096];
        let read = client.read(&mut buffer).await.unwrap();
        assert!(String::from_utf8_lossy(&buffer[..read]).starts_with("HTTP/1.1 200"));
        sender.send_replace(true);
        tokio::time::timeout(Duration::from_secs(5), server).await.unwrap().unwrap();
        assert_eq!(client.read(&mut buffer).await.unwrap(), 0, "an idle connection is closed");
        assert!(TcpStream::connect(address).await.is_err());
    }
}
