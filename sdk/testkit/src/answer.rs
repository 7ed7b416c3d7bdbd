//! What came back, and the sentences a test says about it.

use serde_json::Value;

use crate::wire::Response;

/// An answer, with the request that led to it for the message of a failing test.
#[derive(Clone, Debug)]
pub struct Answer {
    /// The method and the path of the request.
    pub request: String,
    /// The response as received.
    pub response: Response,
}

impl Answer {
    /// The status code.
    #[must_use]
    pub fn status(&self) -> u16 {
        self.response.status
    }

    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.response.header(name)
    }

    /// The entity tag, ready for `If-Match`.
    ///
    /// # Panics
    /// When the answer has none.
    #[must_use]
    pub fn etag(&self) -> String {
        self.header("etag").map_or_else(|| self.fail("an ETag"), str::to_owned)
    }

    /// The body.
    #[must_use]
    pub fn bytes(&self) -> &[u8] {
        &self.response.body
    }

    /// The body as text.
    #[must_use]
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.response.body).into_owned()
    }

    /// The body as JSON.
    ///
    /// # Panics
    /// When it is not JSON.
    #[must_use]
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.response.body).unwrap_or_else(|_| self.fail("a JSON body"))
    }

    /// 200 and the JSON body.
    ///
    /// # Panics
    /// For any other answer.
    #[track_caller]
    pub fn ok(&self) -> Value {
        self.expect(200).json()
    }

    /// 201 and the JSON body.
    ///
    /// # Panics
    /// For any other answer.
    #[track_caller]
    pub fn created(&self) -> Value {
        self.expect(201).json()
    }

    /// 202 and the JSON body.
    ///
    /// # Panics
    /// For any other answer.
    #[track_caller]
    pub fn accepted(&self) -> Value {
        self.expect(202).json()
    }

    /// Any status from 200 to 299.
    ///
    /// # Panics
    /// For any other answer.
    #[track_caller]
    pub fn success(&self) -> &Self {
        if !(200..300).contains(&self.status()) {
            self.fail::<()>("success");
        }
        self
    }

    /// Exactly this status.
    ///
    /// # Panics
    /// For any other answer.
    #[track_caller]
    pub fn expect(&self, status: u16) -> &Self {
        if self.status() != status {
            self.fail::<()>(&format!("status {status}"));
        }
        self
    }

    /// A problem document (RFC 9457) with this status and this code.
    ///
    /// # Panics
    /// For any other answer, and when the document lacks one of its members.
    #[track_caller]
    pub fn problem(&self, status: u16, code: &str) -> Value {
        self.expect(status);
        let kind = self.header("content-type").unwrap_or_default();
        if !kind.starts_with("application/problem+json") {
            self.fail::<()>("the content type application/problem+json");
        }
        let problem = self.json();
        if problem["code"] != code || problem["status"] != status {
            self.fail::<()>(&format!("a problem with the code `{code}`"));
        }
        for member in ["type", "title", "request_id"] {
            if !problem[member].is_string() {
                self.fail::<()>(&format!("a problem with `{member}`"));
            }
        }
        problem
    }

    /// The pointers of a problem's `errors`, sorted.
    #[must_use]
    pub fn pointers(&self) -> Vec<String> {
        let problem = self.json();
        let mut pointers: Vec<String> = problem["errors"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|error| error["pointer"].as_str().map(str::to_owned))
            .collect();
        pointers.sort();
        pointers
    }

    #[track_caller]
    fn fail<T>(&self, wanted: &str) -> T {
        panic!("{}: wanted {wanted}, got {} {}", self.request, self.status(), self.text())
    }
}
