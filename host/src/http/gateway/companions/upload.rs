//! A file on its way in: streamed to disk while it is hashed, never held in memory.

use std::sync::Arc;

use poem::http::StatusCode;
use poem::web::{Field, Multipart};
use poem::{FromRequest, Request, RequestBody};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use crate::http::aside::aside;
use crate::http::body::{too_large, unsupported};
use crate::http::problem::{Fault, Problem};
use crate::http::resources::upload::{PATIENCE, broken, next_part, too_slow};
use crate::ids::OrganizationId;
use crate::records::blobs::{Blobs, Incoming, Pin};
use crate::records::companions::attachment::media::{LOOK, sniffed};
use crate::records::companions::attachment::name::cleaned;
use crate::records::companions::attachment::{Arrived, LARGEST};

/// Bytes that are taken at once.
const CHUNK: usize = 64 * 1024;

/// Takes the one part `file` of a multipart body to its place. The content is pinned until the pin is dropped.
///
/// # Errors
/// The body is none, has other parts, is too large, or breaks off.
pub(super) async fn receive(
    blobs: &Blobs,
    organization: OrganizationId,
    module: &Arc<str>,
    request: &Request,
    mut body: RequestBody,
) -> Result<(Arrived, Pin), Problem> {
    let form = request.content_type().is_some_and(|kind| kind.starts_with("multipart/form-data"));
    if !form {
        return Err(unsupported("Send `multipart/form-data` with the one part `file`."));
    }
    let parts = <Multipart as FromRequest>::from_request(request, &mut body).await;
    let mut parts = parts.map_err(|_| {
        Problem::malformed("malformed_multipart", "The body is not well-formed multipart/form-data.")
    })?;
    let mut received = None;
    while let Some(part) = next_part(&mut parts).await? {
        if part.name() != Some("file") {
            return Err(Problem::malformed("unknown_part", "The only part is `file`."));
        }
        if received.is_some() {
            return Err(Problem::malformed("duplicate_part", "The part `file` stands twice."));
        }
        received = Some(store(blobs, organization, module, part).await?);
    }
    let Some((name, media_type, incoming)) = received else {
        let detail = "The part `file` is missing.";
        return Err(Problem::invalid(vec![Fault::new("/file", "required", detail)]));
    };
    let (blobs, module) = (blobs.clone(), Arc::clone(module));
    // Renaming and making it durable waits for the disk.
    let keep = move || {
        let kept = blobs.keep(organization, &module, &incoming);
        kept.map(|(sha256, pin)| (Arrived { name, media_type, size: incoming.size(), sha256 }, pin))
    };
    let kept = aside(keep).await?;
    kept.map_err(|error| Problem::internal(&error))
}

async fn store(
    blobs: &Blobs,
    organization: OrganizationId,
    module: &str,
    part: Field,
) -> Result<(String, String, Incoming), Problem> {
    let name = cleaned(part.file_name().unwrap_or_default());
    let declared = part.content_type().map(str::to_owned);
    let (mut incoming, file) =
        blobs.begin(organization, module).map_err(|error| Problem::internal(&error))?;
    let mut file = tokio::fs::File::from_std(file);
    let failed = |error: std::io::Error| Problem::internal(&error);
    let (mut from, mut head) = (part.into_async_read(), Vec::with_capacity(LOOK));
    let mut buffer = vec![0; CHUNK];
    loop {
        let read = tokio::time::timeout(PATIENCE, from.read(&mut buffer)).await;
        let read = read.map_err(|_| too_slow())?.map_err(|_| broken())?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        incoming.saw(bytes);
        if incoming.size() > LARGEST {
            return Err(file_too_large());
        }
        head.extend(bytes.iter().take(LOOK - head.len()));
        file.write_all(bytes).await.map_err(failed)?;
    }
    // A row will say that it is there: it must be, whatever happens.
    file.sync_all().await.map_err(failed)?;
    Ok((name, sniffed(&head, declared.as_deref()), incoming))
}

fn file_too_large() -> Problem {
    let mut problem = too_large(usize::try_from(LARGEST).unwrap_or(usize::MAX));
    problem.status = StatusCode::PAYLOAD_TOO_LARGE;
    problem.detail = format!("A file has at most {LARGEST} bytes; this one has more.");
    problem
}
