//! `/files`: the contents of files, for whoever has a link. A browser stores what it gets here and runs nothing of it.

use std::io::SeekFrom;
use std::sync::Arc;

use poem::http::{HeaderName, StatusCode, header};
use poem::web::Data;
use poem::{Body, IntoResponse, Request, Response};
use poem_openapi::param::{Path, Query};
use poem_openapi::registry::{
    MetaMediaType, MetaResponse, MetaResponses, MetaSchema, MetaSchemaRef, Registry,
};
use poem_openapi::{ApiResponse, OpenApi};
use tokio::io::{AsyncReadExt as _, AsyncSeekExt as _};

use crate::http::access::{id, missing};
use crate::http::gateway;
use crate::http::problem::Problem;
use crate::http::resources::Tag;
use crate::organizations::Organization;
use crate::records::companions::attachment::media::served;
use crate::records::companions::attachment::name::disposition;
use crate::records::companions::link::{Link, Refused};
use crate::records::{RecordError, Records};

/// Gives out contents.
pub struct FilesApi {
    /// The engine, which has the files.
    pub records: Records,
}

/// The bytes of a file, or a part of them.
pub struct Content(Response);

#[OpenApi(prefix_path = "/api/v1/files", tag = "Tag::Files")]
impl FilesApi {
    /// The content of a file
    ///
    /// The address is the `url` that a file of a record shows; it is good for ten minutes and needs no token. The answer is
    /// always an attachment. One range of bytes can be asked for.
    #[oai(path = "/:id/content", method = "get", operation_id = "get_file_content")]
    async fn content(
        &self,
        request: &Request,
        organization: Data<&Arc<Organization>>,
        #[oai(name = "id")] file: Path<String>,
        module: Query<String>,
        expires: Query<i64>,
        signature: Query<String>,
    ) -> Result<Content, Problem> {
        let file = id(&file.0, "file_not_found")?;
        let link = Link { organization: organization.id, module: &module.0, file, expires: expires.0 };
        let (attachment, path) = self.records.open_link(&link, &signature.0).map_err(refused)?;
        let opened = tokio::fs::File::open(&path).await;
        let mut content = opened.map_err(|error| Problem::internal(&error))?;
        let size = attachment.size;
        let asked = request.header(header::RANGE).map(|range| range_of(range, size));
        let (status, start, length) = match asked.unwrap_or(Asked::Whole) {
            Asked::Whole => (StatusCode::OK, 0, size),
            Asked::Part(start, end) => (StatusCode::PARTIAL_CONTENT, start, end - start + 1),
            Asked::Outside => return Err(outside(size)),
        };
        if start > 0 {
            content.seek(SeekFrom::Start(start)).await.map_err(|error| Problem::internal(&error))?;
        }
        let mut response = Response::builder()
            .status(status)
            .header(header::CONTENT_TYPE, served(&attachment.media_type))
            .header(header::CONTENT_LENGTH, length)
            .header(header::CONTENT_DISPOSITION, disposition(&attachment.name))
            .header(header::CONTENT_SECURITY_POLICY, "sandbox; default-src 'none'")
            .header(header::X_CONTENT_TYPE_OPTIONS, "nosniff")
            .header(HeaderName::from_static("x-download-options"), "noopen")
            .header(header::ACCEPT_RANGES, "bytes");
        if status == StatusCode::PARTIAL_CONTENT {
            let range = format!("bytes {start}-{}/{size}", start + length - 1);
            response = response.header(header::CONTENT_RANGE, range);
        }
        Ok(Content(response.body(Body::from_async_read(content.take(length)))))
    }
}

fn refused(error: Result<Refused, RecordError>) -> Problem {
    match error {
        Ok(Refused::Forged) => Problem::new(
            StatusCode::FORBIDDEN,
            "invalid_link",
            "This link was not made here or has been changed; take a new one from the file's record.",
        ),
        Ok(Refused::Expired) => Problem::new(
            StatusCode::FORBIDDEN,
            "link_expired",
            "The time of this link is over; take a new one from the file's record.",
        ),
        Err(RecordError::NotFound) => missing("file_not_found"),
        Err(error) => gateway::problem(error),
    }
}

fn outside(size: u64) -> Problem {
    let detail = format!("The file has {size} bytes; the range lies outside.");
    let problem = Problem::new(StatusCode::RANGE_NOT_SATISFIABLE, "invalid_range", detail);
    match format!("bytes */{size}").parse() {
        Ok(value) => problem.with_header(header::CONTENT_RANGE, value),
        Err(_) => problem,
    }
}

/// What a `Range` asks for.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Asked {
    /// Everything; also when the header is none that we serve.
    Whole,
    /// From one byte to another, both included.
    Part(u64, u64),
    /// Nothing that is there.
    Outside,
}

/// Reads one range of bytes; several, or other units, ask for everything (RFC 9110, 14.2).
fn range_of(range: &str, size: u64) -> Asked {
    let Some((first, last)) = range.strip_prefix("bytes=").and_then(|range| range.trim().split_once('-'))
    else {
        return Asked::Whole;
    };
    match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(first), _) if last.is_empty() && first < size => Asked::Part(first, size - 1),
        (Ok(first), Ok(last)) if first > last => Asked::Whole,
        (Ok(first), Ok(last)) if first < size => Asked::Part(first, last.min(size - 1)),
        (_, Ok(last)) if first.is_empty() && last > 0 && size > 0 => {
            Asked::Part(size.saturating_sub(last), size - 1)
        }
        (Ok(_), Ok(_)) => Asked::Outside,
        (Ok(_), _) if last.is_empty() => Asked::Outside,
        (_, Ok(_)) if first.is_empty() => Asked::Outside,
        _ => Asked::Whole,
    }
}

impl IntoResponse for Content {
    fn into_response(self) -> Response {
        self.0
    }
}

impl ApiResponse for Content {
    fn meta() -> MetaResponses {
        let bytes = || {
            let schema = MetaSchema { format: Some("binary"), ..MetaSchema::new("string") };
            let schema = MetaSchemaRef::Inline(Box::new(schema));
            vec![MetaMediaType { content_type: "application/octet-stream", schema }]
        };
        let response = |status, description| MetaResponse {
            description,
            status: Some(status),
            status_range: None,
            content: bytes(),
            headers: Vec::new(),
        };
        MetaResponses {
            responses: vec![response(200, "All of it."), response(206, "The range that was asked for.")],
        }
    }

    fn register(_: &mut Registry) {}
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_range_of_bytes_is_served() {
        for (range, size, asked) in [
            ("bytes=0-4", 10, Asked::Part(0, 4)),
            ("bytes=4-", 10, Asked::Part(4, 9)),
            ("bytes=-3", 10, Asked::Part(7, 9)),
            ("bytes=-30", 10, Asked::Part(0, 9)),
            ("bytes=0-99", 10, Asked::Part(0, 9)),
            ("bytes=10-", 10, Asked::Outside),
            ("bytes=10-11", 10, Asked::Outside),
            ("bytes=-0", 10, Asked::Outside),
            ("bytes=0-0", 0, Asked::Outside),
            ("bytes=5-4", 10, Asked::Whole),
            ("bytes=0-1,3-4", 10, Asked::Whole),
            ("lines=0-1", 10, Asked::Whole),
            ("bytes=x-y", 10, Asked::Whole),
            ("bytes=-", 10, Asked::Whole),
            ("bytes=99999999999999999999-", 10, Asked::Whole),
        ] {
            assert_eq!(range_of(range, size), asked, "{range} of {size}");
        }
    }
}
