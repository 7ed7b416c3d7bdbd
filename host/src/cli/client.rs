//! Speaking the operator's API to the host of a folder.

use std::path::{Path, PathBuf};

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::{Method, Request, Response};
use hyper_util::rt::TokioIo;
use serde_json::Value;

use super::CliError;
use crate::http::operator::socket;

/// A caller of one folder's host; a connection per call.
pub(super) struct Client {
    folder: PathBuf,
}

impl Client {
    pub(super) fn new(folder: &Path) -> Self {
        Self { folder: folder.to_path_buf() }
    }

    /// Whether a host listens.
    pub(super) async fn reaches(&self) -> bool {
        socket::connect(&self.folder).await.is_ok()
    }

    pub(super) async fn get(&self, path: &str) -> Result<Value, CliError> {
        self.call(Method::GET, path, None).await
    }

    pub(super) async fn post(&self, path: &str, body: &Value) -> Result<Value, CliError> {
        self.call(Method::POST, path, Some(body)).await
    }

    /// The JSON answer; a problem becomes [`CliError::Refused`].
    pub(super) async fn call(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Value, CliError> {
        serde_json::from_slice(&self.bytes(method, path, body).await?).map_err(CliError::Answer)
    }

    /// The answer's body as it is; a problem becomes [`CliError::Refused`].
    pub(super) async fn bytes(
        &self,
        method: Method,
        path: &str,
        body: Option<&Value>,
    ) -> Result<Bytes, CliError> {
        let body = body.map_or_else(Bytes::new, |body| body.to_string().into());
        self.answer(method, path, ("application/json", body)).await
    }

    /// The JSON answer to a file.
    pub(super) async fn upload(&self, path: &str, file: Vec<u8>) -> Result<Value, CliError> {
        let body = ("application/octet-stream", file.into());
        let answer = self.answer(Method::POST, path, body).await?;
        serde_json::from_slice(&answer).map_err(CliError::Answer)
    }

    async fn answer(
        &self,
        method: Method,
        path: &str,
        body: (&'static str, Bytes),
    ) -> Result<Bytes, CliError> {
        let response = self.send(method, path, body).await?;
        let status = response.status();
        let bytes = response.into_body().collect().await.map_err(CliError::Connection)?.to_bytes();
        if status.is_success() {
            return Ok(bytes);
        }
        Err(CliError::Refused(serde_json::from_slice(&bytes).map_err(CliError::Answer)?))
    }

    async fn send(
        &self,
        method: Method,
        path: &str,
        (kind, body): (&'static str, Bytes),
    ) -> Result<Response<hyper::body::Incoming>, CliError> {
        let no_answer = |_| CliError::NoAnswer(self.folder.clone());
        let stream = socket::connect(&self.folder).await.map_err(no_answer)?;
        let (mut sender, connection) = hyper::client::conn::http1::handshake(TokioIo::new(stream))
            .await
            .map_err(CliError::Connection)?;
        tokio::spawn(connection);
        let mut request = Request::new(Full::new(body));
        *request.method_mut() = method;
        *request.uri_mut() = path.parse().map_err(|_| {
            let problem =
                serde_json::json!({ "detail": format!("`{path}` is no address: is the name right?") });
            CliError::Refused(problem)
        })?;
        request.headers_mut().insert("host", hyper::header::HeaderValue::from_static("stoa"));
        request.headers_mut().insert("content-type", hyper::header::HeaderValue::from_static(kind));
        sender.send_request(request).await.map_err(CliError::Connection)
    }
}

/// `text` as one segment of a path.
pub(super) fn segment(text: &str) -> String {
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'_' | b'~');
    let encoded =
        text.bytes().map(|b| if plain(b) { char::from(b).to_string() } else { format!("%{b:02X}") });
    encoded.collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_one_segment_whatever_it_holds() {
        assert_eq!(segment("acme-1"), "acme-1");
        assert_eq!(segment("../a b"), "%2E%2E%2Fa%20b");
    }
}
