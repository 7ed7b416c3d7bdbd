//! A caller of the REST API: an address, an organization's path prefix, a bearer token.

use std::io::Write as _;
use std::time::Duration;

use serde_json::Value;

use crate::answer::Answer;
use crate::wait_for;
use crate::wire::Connection;

const BOUNDARY: &str = "stoa-testkit-7b1f0c9e";

/// Calls one server as one principal; a new connection for every call, so a restarted host is no surprise.
#[derive(Clone, Debug)]
pub struct Client {
    address: String,
    prefix: String,
    token: Option<String>,
}

/// One part of a multipart form.
#[derive(Clone, Copy, Debug)]
pub struct Part<'a> {
    /// The name of the form field.
    pub name: &'a str,
    /// The file name, for a file.
    pub file_name: Option<&'a str>,
    /// The media type.
    pub content_type: &'a str,
    /// The content.
    pub body: &'a [u8],
}

/// A request in the making.
#[derive(Clone, Debug)]
pub struct Call<'a> {
    client: &'a Client,
    method: &'a str,
    path: &'a str,
    headers: Vec<(String, String)>,
    body: Vec<u8>,
}

impl Client {
    /// A caller at `address` (`host:port`) whose paths begin with `prefix` (empty, or `/t/{slug}`).
    #[must_use]
    pub fn new(address: &str, prefix: &str, token: Option<&str>) -> Self {
        Self { address: address.to_owned(), prefix: prefix.to_owned(), token: token.map(str::to_owned) }
    }

    /// The same caller without a token.
    #[must_use]
    pub fn anonymous(&self) -> Self {
        Self { token: None, ..self.clone() }
    }

    /// The same place with another token.
    #[must_use]
    pub fn with_token(&self, token: &str) -> Self {
        Self { token: Some(token.to_owned()), ..self.clone() }
    }

    /// The bearer token.
    #[must_use]
    pub fn token(&self) -> Option<&str> {
        self.token.as_deref()
    }

    /// Begins a request whose parts are all in the caller's hand.
    #[must_use]
    pub fn call<'a>(&'a self, method: &'a str, path: &'a str) -> Call<'a> {
        Call { client: self, method, path, headers: Vec::new(), body: Vec::new() }
    }

    /// GET; `path` carries its query string, already encoded.
    #[track_caller]
    pub fn get(&self, path: &str) -> Answer {
        self.call("GET", path).send()
    }

    /// POST of a JSON body.
    #[track_caller]
    pub fn post(&self, path: &str, body: &Value) -> Answer {
        self.call("POST", path).json(body).send()
    }

    /// POST of a JSON body under an `Idempotency-Key`.
    #[track_caller]
    pub fn post_once(&self, path: &str, key: &str, body: &Value) -> Answer {
        self.call("POST", path).header("Idempotency-Key", key).json(body).send()
    }

    /// PATCH (JSON Merge Patch) without a condition.
    #[track_caller]
    pub fn patch(&self, path: &str, body: &Value) -> Answer {
        self.call("PATCH", path).json(body).send()
    }

    /// PATCH under `If-Match`.
    #[track_caller]
    pub fn patch_if(&self, path: &str, etag: &str, body: &Value) -> Answer {
        self.call("PATCH", path).header("If-Match", etag).json(body).send()
    }

    /// DELETE without a condition.
    #[track_caller]
    pub fn delete(&self, path: &str) -> Answer {
        self.call("DELETE", path).send()
    }

    /// POST of any body.
    #[track_caller]
    pub fn raw(&self, path: &str, content_type: &str, body: &[u8]) -> Answer {
        self.call("POST", path).header("Content-Type", content_type).body(body).send()
    }

    /// POST of a multipart form.
    #[track_caller]
    pub fn multipart(&self, path: &str, parts: &[Part<'_>]) -> Answer {
        self.raw(path, &format!("multipart/form-data; boundary={BOUNDARY}"), &form(parts))
    }

    /// Starts an import and gives its job's path.
    #[track_caller]
    pub fn import(&self, spec: &Value, csv: &[u8]) -> String {
        let answer = self.try_import(spec, csv);
        let job = answer.accepted();
        format!("/api/v1/jobs/{}", job["id"].as_str().unwrap_or_default())
    }

    /// Asks for an import and gives the answer, whatever it is.
    #[track_caller]
    pub fn try_import(&self, spec: &Value, csv: &[u8]) -> Answer {
        let spec = spec.to_string();
        let file = Part { name: "file", file_name: Some("rows.csv"), content_type: "text/csv", body: csv };
        let spec =
            Part { name: "spec", file_name: None, content_type: "application/json", body: spec.as_bytes() };
        self.multipart("/api/v1/imports", &[spec, file])
    }

    /// Waits until the job at `path` has ended and gives it.
    #[track_caller]
    pub fn finished(&self, path: &str, limit: Duration) -> Value {
        wait_for(&format!("the end of {path}"), limit, || {
            let job = self.get(path).ok();
            matches!(job["state"].as_str(), Some("succeeded" | "failed" | "cancelled")).then_some(job)
        })
    }

    /// Every record of a list, page after page.
    ///
    /// `path` may carry a query string; the pages hold 200 records unless it says otherwise.
    #[track_caller]
    pub fn all(&self, path: &str) -> Vec<Value> {
        let glue = if path.contains('?') { '&' } else { '?' };
        let first = if path.contains("limit=") { path.to_owned() } else { format!("{path}{glue}limit=200") };
        let glue = if first.contains('?') { '&' } else { '?' };
        let mut records = Vec::new();
        let mut next = first.clone();
        loop {
            let page = self.get(&next).ok();
            records.extend(page["data"].as_array().into_iter().flatten().cloned());
            match page["next_cursor"].as_str() {
                Some(cursor) => next = format!("{first}{glue}cursor={}", crate::encode(cursor)),
                None => return records,
            }
        }
    }
}

impl Call<'_> {
    /// Adds a header.
    #[must_use]
    pub fn header(mut self, name: &str, value: &str) -> Self {
        self.headers.push((name.to_owned(), value.to_owned()));
        self
    }

    /// Sets a JSON body.
    #[must_use]
    pub fn json(self, body: &Value) -> Self {
        let kind = if self.method == "PATCH" { "application/merge-patch+json" } else { "application/json" };
        self.header("Content-Type", kind).body(body.to_string().as_bytes())
    }

    /// Sets the body.
    #[must_use]
    pub fn body(mut self, body: &[u8]) -> Self {
        self.body = body.to_vec();
        self
    }

    /// The request as it goes over the wire; `keep` keeps the connection for the next one.
    #[must_use]
    pub fn rendered(&self, keep: bool) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(256 + self.body.len());
        let Self { client, method, path, .. } = self;
        // Writing to a vector cannot fail.
        let _ = write!(bytes, "{method} {}{path} HTTP/1.1\r\nHost: {}\r\n", client.prefix, client.address);
        if !keep {
            bytes.extend_from_slice(b"Connection: close\r\n");
        }
        if let Some(token) = &client.token {
            let _ = write!(bytes, "Authorization: Bearer {token}\r\n");
        }
        for (name, value) in &self.headers {
            let _ = write!(bytes, "{name}: {value}\r\n");
        }
        if !self.body.is_empty() || *method != "GET" {
            let _ = write!(bytes, "Content-Length: {}\r\n", self.body.len());
        }
        bytes.extend_from_slice(b"\r\n");
        bytes.extend_from_slice(&self.body);
        bytes
    }

    /// Sends it and gives the answer, or the reason there is none: for hosts that may die in between.
    ///
    /// # Errors
    /// When the connection cannot be made or breaks.
    pub fn attempt(&self) -> std::io::Result<Answer> {
        let response = Connection::open(&self.client.address)?.exchange(&self.rendered(false))?;
        Ok(Answer { request: format!("{} {}{}", self.method, self.client.prefix, self.path), response })
    }

    /// Sends it and gives the answer.
    ///
    /// # Panics
    /// When there is none.
    #[track_caller]
    pub fn send(&self) -> Answer {
        self.attempt().unwrap_or_else(|error| panic!("{} {}: {error}", self.method, self.path))
    }
}

fn form(parts: &[Part<'_>]) -> Vec<u8> {
    let mut body = Vec::new();
    for part in parts {
        let _ = write!(body, "--{BOUNDARY}\r\nContent-Disposition: form-data; name=\"{}\"", part.name);
        if let Some(file) = part.file_name {
            let _ = write!(body, "; filename=\"{file}\"");
        }
        let _ = write!(body, "\r\nContent-Type: {}\r\n\r\n", part.content_type);
        body.extend_from_slice(part.body);
        body.extend_from_slice(b"\r\n");
    }
    let _ = write!(body, "--{BOUNDARY}--\r\n");
    body
}
