//! A caller of the host under test: one request, its answer, and what was wanted of it.

use std::net::SocketAddr;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::header::{AUTHORIZATION, CONTENT_TYPE, ETAG, HOST, HeaderValue, IF_MATCH};
use hyper::{Method, Request};
use hyper_util::rt::TokioIo;
use serde_json::Value;
use tokio::net::TcpStream;

use crate::clock::Clock;

/// What one request takes on the clock of the host, so that no two things happen in the same instant.
const STEP: i64 = 10;
/// What is between the parts of a form.
const BOUNDARY: &str = "stoa-battery-4f1c7e2a";

/// Asks as one principal.
#[derive(Clone)]
pub(super) struct Caller {
    pub address: SocketAddr,
    pub prefix: String,
    pub key: Option<String>,
    pub clock: Clock,
}

/// What came back.
pub(super) struct Said {
    request: String,
    pub status: u16,
    pub etag: Option<String>,
    pub bytes: Bytes,
}

impl Caller {
    /// The same place with another key, or with none.
    pub(super) fn with_key(&self, key: Option<&str>) -> Self {
        Self { key: key.map(str::to_owned), ..self.clone() }
    }

    pub(super) async fn get(&self, path: &str) -> Result<Said, String> {
        self.call(Method::GET, path, None, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Said, String> {
        self.call(Method::POST, path, Some(body), None).await
    }

    pub(super) async fn delete(&self, path: &str) -> Result<Said, String> {
        self.call(Method::DELETE, path, None, None).await
    }

    /// A form with a JSON part `spec` and a file.
    pub(super) async fn form(&self, path: &str, spec: &Value, file: &[u8]) -> Result<Said, String> {
        let part = |name: &str, kind: &str| {
            format!(
                "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{name}\"\r\nContent-Type: {kind}\r\n\r\n"
            )
        };
        let mut body = part("spec", "application/json").into_bytes();
        body.extend(spec.to_string().into_bytes());
        body.extend(b"\r\n");
        body.extend(part("file\"; filename=\"records.csv", "text/csv").into_bytes());
        body.extend(file);
        body.extend(format!("\r\n--{BOUNDARY}--\r\n").into_bytes());
        let kind = format!("multipart/form-data; boundary={BOUNDARY}");
        self.send(Method::POST, path, Some((&kind, body.into())), None).await
    }

    /// Any request with a JSON body or none, perhaps under a condition.
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
        condition: Option<&str>,
    ) -> Result<Said, String> {
        let kind = if method == Method::PATCH { "application/merge-patch+json" } else { "application/json" };
        let body = body.map(|body| (kind, Bytes::from(body.to_string())));
        self.send(method, path, body, condition).await
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        body: Option<(&str, Bytes)>,
        condition: Option<&str>,
    ) -> Result<Said, String> {
        let request = format!("{method} {path}");
        let (kind, body) = body.map_or((None, Bytes::new()), |(kind, body)| (Some(kind), body));
        let mut asked = Request::new(Full::new(body));
        *asked.method_mut() = method;
        let failed = |why: &dyn std::fmt::Display| format!("{request}: {why}");
        *asked.uri_mut() = format!("{}{path}", self.prefix).parse().map_err(|error| failed(&error))?;
        let mut header = |name, value: &str| {
            let value = HeaderValue::from_str(value).map_err(|error| failed(&error))?;
            asked.headers_mut().insert(name, value);
            Ok::<(), String>(())
        };
        header(HOST, &self.address.to_string())?;
        if let Some(kind) = kind {
            header(CONTENT_TYPE, kind)?;
        }
        if let Some(key) = &self.key {
            header(AUTHORIZATION, &format!("Bearer {key}"))?;
        }
        if let Some(condition) = condition {
            header(IF_MATCH, condition)?;
        }
        self.clock.advance(STEP);
        let stream = TcpStream::connect(self.address).await.map_err(|error| failed(&error))?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(|error| failed(&error))?;
        tokio::spawn(connection);
        let answer = sender.send_request(asked).await.map_err(|error| failed(&error))?;
        let status = answer.status().as_u16();
        let etag = answer.headers().get(ETAG).and_then(|tag| tag.to_str().ok()).map(str::to_owned);
        let bytes = answer.into_body().collect().await.map_err(|error| failed(&error))?.to_bytes();
        Ok(Said { request, status, etag, bytes })
    }
}

impl Said {
    /// The JSON body, when the answer has one of these statuses.
    pub(super) fn one_of(&self, wanted: &[u16]) -> Result<Value, String> {
        if !wanted.contains(&self.status) {
            let text: String = String::from_utf8_lossy(&self.bytes).chars().take(600).collect();
            return Err(format!("{}: wanted {wanted:?}, got {} {text}", self.request, self.status));
        }
        Ok(serde_json::from_slice(&self.bytes).unwrap_or_default())
    }

    /// The same for one status.
    pub(super) fn expect(&self, wanted: u16) -> Result<Value, String> {
        self.one_of(&[wanted])
    }
}
