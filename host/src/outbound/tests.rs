//! The client against servers on this machine that misbehave.

use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpListener;

use super::*;

/// Answers every connection with these bytes, then perhaps with `drip` for ever.
async fn server(head: Vec<u8>, drip: Option<(Duration, &'static [u8])>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((mut stream, _)) = listener.accept().await {
            let head = head.clone();
            tokio::spawn(async move {
                let mut request = [0; 2048];
                let _ = stream.read(&mut request).await;
                let _ = stream.write_all(&head).await;
                while let Some((pause, bytes)) = drip {
                    tokio::time::sleep(pause).await;
                    if stream.write_all(bytes).await.is_err() {
                        return;
                    }
                }
            });
        }
    });
    format!("http://{address}/x")
}

fn client(time: Duration, body: usize) -> Outbound {
    let rules = Rules { loopback: true, ports: Vec::new() };
    Outbound::with(rules, Limits { time, body }, Lookup::System).unwrap()
}

async fn ask(client: &Outbound, address: &str) -> Result<Answer, OutboundError> {
    client.send(Request::get(address, usize::MAX)).await
}

#[tokio::test]
async fn an_answer_comes_whole() {
    let address =
        server(b"HTTP/1.1 200 OK\r\ncontent-type: text/x\r\ncontent-length: 2\r\n\r\nhi".into(), None).await;
    let answer = ask(&client(LIMITS.time, 10), &address).await.unwrap();
    assert_eq!(
        (answer.status, answer.content_type.as_deref(), answer.body),
        (200, Some("text/x"), b"hi".to_vec())
    );
}

#[tokio::test]
async fn h3_a_redirect_is_an_answer_and_nobody_follows_it() {
    for target in ["http://127.0.0.1:1/", "file:///etc/passwd", "http://169.254.169.254/"] {
        let head = format!("HTTP/1.1 302 Found\r\nlocation: {target}\r\ncontent-length: 0\r\n\r\n");
        let address = server(head.into_bytes(), None).await;
        assert_eq!(ask(&client(LIMITS.time, 10), &address).await.unwrap().status, 302, "{target}");
    }
}

#[tokio::test]
async fn h3_an_answer_that_is_too_large_is_cut_off_whether_or_not_it_says_so() {
    let client = client(LIMITS.time, 64);
    let said = server(b"HTTP/1.1 200 OK\r\ncontent-length: 10737418240\r\n\r\n".into(), None).await;
    assert!(matches!(ask(&client, &said).await, Err(OutboundError::TooLarge)));
    let head = b"HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n".to_vec();
    let unsaid = server(head, Some((Duration::ZERO, b"10\r\n0123456789abcdef\r\n"))).await;
    assert!(matches!(ask(&client, &unsaid).await, Err(OutboundError::TooLarge)));
}

#[tokio::test]
async fn h3_a_small_packed_answer_is_not_unpacked() {
    let head =
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 4\r\n\r\n\x1f\x8b\x08\x00".to_vec();
    let answer = ask(&client(LIMITS.time, 64), &server(head, None).await).await.unwrap();
    assert_eq!(answer.body, b"\x1f\x8b\x08\x00");
}

#[tokio::test]
async fn h3_a_slow_drip_ends_at_the_time_limit() {
    let head = b"HTTP/1.1 200 OK\r\ncontent-length: 100000\r\n\r\n".to_vec();
    let address = server(head, Some((Duration::from_millis(20), b"x"))).await;
    let result = ask(&client(Duration::from_millis(300), 1_000_000), &address).await;
    assert!(matches!(result, Err(OutboundError::TimedOut)), "{result:?}");
}

#[tokio::test]
async fn h2_a_name_is_looked_up_once_and_what_was_checked_is_what_is_connected_to() {
    let asked = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&asked);
    // Public at the first look, this machine at every later one.
    let rebinding = Lookup::Told(Arc::new(move |_: &str| {
        let public: IpAddr = "203.0.114.1".parse().unwrap();
        let here: IpAddr = "127.0.0.1".parse().unwrap();
        vec![if count.fetch_add(1, Ordering::SeqCst) == 0 { public } else { here }]
    }));
    let resolver = Guarded::new(rebinding, Arc::new(Rules::default()));
    let resolve = |name: &str| reqwest::dns::Resolve::resolve(&resolver, name.parse().unwrap());
    let first: Vec<_> = resolve("a.example").await.map(Iterator::collect).unwrap_or_default();
    assert_eq!((first.len(), first[0].ip().to_string()), (1, "203.0.114.1".to_owned()));
    assert_eq!(asked.load(Ordering::SeqCst), 1);
    assert!(resolve("a.example").await.is_err(), "the next connection looks again, and is refused");
}

#[tokio::test]
async fn h2_a_name_that_points_inside_is_refused_before_any_connection() {
    let inside = Lookup::Told(Arc::new(|_: &str| vec!["127.0.0.1".parse().unwrap()]));
    let client = Outbound::with(Rules { loopback: true, ports: Vec::new() }, LIMITS, inside).unwrap();
    let result = ask(&client, "https://evil.example/x").await;
    assert!(matches!(result, Err(OutboundError::Refused(_))), "{result:?}");
}

#[tokio::test]
async fn h4_a_line_break_in_a_header_is_refused() {
    let mut request = Request::get("http://127.0.0.1:1/", 1);
    request.headers.push(("x-a".to_owned(), b"b\r\nx-c: d".to_vec()));
    let result = client(LIMITS.time, 64).send(request).await;
    assert!(matches!(result, Err(OutboundError::Refused(_))), "{result:?}");
}

/// A certificate that 127.0.0.1 made for itself, and its key: DER in base64.
const SELF_SIGNED: [&str; 2] = [
    "MIIBkTCCATagAwIBAgIUCih1BwbGW1EJ7JNASrmkclFIHeQwCgYIKoZIzj0EAwIwFDESMBAGA1UEAwwJMTI3LjAuMC4xMCAXDTI2\
    MTEyMzAxNTkwNFoYDzIxMjYxMDMwMDE1OTA0WjAUMRIwEAYDVQQDDAkxMjcuMC4wLjEwWTATBgcqhkjOPQIBBggqhkjOPQMBBwNC\
    AARTDDkhIkv+yGuqmg1TRgJNzKD4jlFELv4FOyFiSQM1d2dVh10QYey4kcTtWpMKFSlucTVoFPXfZmSTgokDkmmro2QwYjAdBgNV\
    HQ4EFgQU4/BLi2TF+LgaBXGtLbHzmvKKuRcwHwYDVR0jBBgwFoAU4/BLi2TF+LgaBXGtLbHzmvKKuRcwDwYDVR0TAQH/BAUwAwEB\
    /zAPBgNVHREECDAGhwR/AAABMAoGCCqGSM49BAMCA0kAMEYCIQCWhwonZI4382wRpDJbUCufRJUVnhoi9rorUtXW4hepyAIhAIkq\
    lXM/GIWqAjW27D3kEzkB9aZLlN9L7DvlkY6U+Sei",
    "MIGHAgEAMBMGByqGSM49AgEGCCqGSM49AwEHBG0wawIBAQQgt0mnL9hiwy7212+MxafNjmChakiGpbgMW0YQaBNCyj2hRANCAART\
    DDkhIkv+yGuqmg1TRgJNzKD4jlFELv4FOyFiSQM1d2dVh10QYey4kcTtWpMKFSlucTVoFPXfZmSTgokDkmmr",
];

/// Greets everybody over TLS as who it says it is.
fn impostor() -> String {
    use base64::Engine as _;
    use std::io::{Read as _, Write as _};
    let [certificate, key] =
        SELF_SIGNED.map(|text| base64::engine::general_purpose::STANDARD.decode(text).unwrap());
    let key = rustls::pki_types::PrivatePkcs8KeyDer::from(key).into();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let server = rustls::ServerConfig::builder_with_provider(provider).with_safe_default_protocol_versions();
    let server =
        server.unwrap().with_no_client_auth().with_single_cert(vec![certificate.into()], key).unwrap();
    let (server, listener) = (Arc::new(server), std::net::TcpListener::bind("127.0.0.1:0").unwrap());
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for stream in listener.incoming().flatten() {
            let connection = rustls::ServerConnection::new(Arc::clone(&server)).unwrap();
            let mut stream = rustls::StreamOwned::new(connection, stream);
            if stream.read(&mut [0; 2048]).is_ok_and(|length| length > 0) {
                let _ =
                    stream.write_all(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\nconnection: close\r\n\r\nhi");
            }
        }
    });
    format!("https://{address}/x")
}

#[tokio::test]
async fn a_server_without_a_certificate_that_is_trusted_is_not_asked() {
    let (client, address) = (client(LIMITS.time, 64), impostor());
    let refused = ask(&client, &address).await;
    assert!(matches!(refused, Err(OutboundError::Unreachable)), "{refused:?}");
    let gullible =
        reqwest::Client::builder().tls_danger_accept_invalid_certs(true).no_proxy().build().unwrap();
    let answer = gullible.get(&address).send().await.unwrap();
    assert_eq!(answer.text().await.unwrap(), "hi", "nothing else was in the way");
}
