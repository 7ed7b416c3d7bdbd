//! An uploaded file with its spec: streamed to disk, never held in memory, gone again unless somebody takes it.

use std::path::{Path, PathBuf};
use std::time::Duration;

use poem::web::{Field, Multipart};
use poem::{FromRequest, Request, RequestBody};
use poem_openapi::registry::{MetaMediaType, MetaRequest, MetaSchema, MetaSchemaRef};
use poem_openapi::{ApiExtractor, ApiExtractorType, ExtractParamOptions};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};

use crate::http::body::{LIMIT, UPLOAD_LIMIT, too_large, unsupported};
use crate::http::plane::UploadFolder;
use crate::http::problem::{Fault, Problem, chain};
use crate::ids::RequestId;

/// How long the next bytes of an upload may take.
pub(in crate::http) const PATIENCE: Duration = Duration::from_secs(30);

/// A multipart body with the parts `file` and `spec`.
pub struct Upload {
    /// The text of `spec`.
    pub spec: String,
    /// The stored `file`.
    pub file: StoredFile,
}

/// A multipart body with the part `file` and perhaps `spec`.
pub struct Sample {
    /// The text of `spec`.
    pub spec: Option<String>,
    /// The stored `file`.
    pub file: StoredFile,
}

/// A stored file, deleted with this unless somebody has moved it away.
pub struct StoredFile(PathBuf);

impl StoredFile {
    /// A new file in `folder`, readable by this user only.
    ///
    /// # Errors
    /// When it cannot be made.
    pub async fn create(folder: &Path) -> std::io::Result<(Self, tokio::fs::File)> {
        tokio::fs::create_dir_all(folder).await?;
        let path = folder.join(format!("{}.upload", RequestId::new()));
        let file = tokio::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).await?;
        Ok((Self(path), file))
    }

    /// Where it is.
    #[must_use]
    pub fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for StoredFile {
    fn drop(&mut self) {
        match std::fs::remove_file(&self.0) {
            Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
                tracing::warn!(error = %chain(&error), "an upload could not be deleted");
            }
            _ => {}
        }
    }
}

impl<'a> ApiExtractor<'a> for Upload {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(meta(vec!["file", "spec"]))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        Ok(whole(parts(request, body).await?)?)
    }
}

impl<'a> ApiExtractor<'a> for Sample {
    const TYPES: &'static [ApiExtractorType] = &[ApiExtractorType::RequestObject];

    type ParamType = ();
    type ParamRawType = ();

    fn request_meta() -> Option<MetaRequest> {
        Some(meta(vec!["file"]))
    }

    async fn from_request(
        request: &'a Request,
        body: &mut RequestBody,
        _: ExtractParamOptions<()>,
    ) -> poem::Result<Self> {
        let (spec, file) = parts(request, body).await?;
        Ok(Self { spec, file: file.ok_or_else(|| lacks("file"))? })
    }
}

fn meta(required: Vec<&'static str>) -> MetaRequest {
    let text = |format, description| {
        MetaSchemaRef::Inline(Box::new(MetaSchema { format, description, ..MetaSchema::new("string") }))
    };
    let schema = MetaSchema {
        required,
        properties: vec![
            ("file", text(Some("binary"), Some("The file, at most 64 MiB."))),
            ("spec", text(None, Some("What to make of it, as JSON."))),
        ],
        ..MetaSchema::new("object")
    };
    let schema = MetaSchemaRef::Inline(Box::new(schema));
    let content = vec![MetaMediaType { content_type: "multipart/form-data", schema }];
    MetaRequest { description: None, content, required: true }
}

type Parts = (Option<String>, Option<StoredFile>);

async fn parts(request: &Request, body: &mut RequestBody) -> poem::Result<Parts> {
    if !request.content_type().is_some_and(|kind| kind.starts_with("multipart/form-data")) {
        return Err(unsupported("Send `multipart/form-data` with the parts `file` and `spec`.").into());
    }
    let folder = request.data::<UploadFolder>().ok_or_else(Problem::opaque)?;
    let parts = <Multipart as FromRequest>::from_request(request, body).await?;
    Ok(receive(parts, &folder.0).await?)
}

async fn receive(mut parts: Multipart, folder: &Path) -> Result<Parts, Problem> {
    let (mut spec, mut file) = (None, None);
    while let Some(part) = next_part(&mut parts).await? {
        match part.name().unwrap_or_default() {
            "spec" if spec.is_none() => spec = Some(text(part).await?),
            "file" if file.is_none() => file = Some(store(part.into_async_read(), folder).await?),
            name @ ("spec" | "file") => {
                return Err(Problem::malformed("duplicate_part", format!("The part `{name}` stands twice.")));
            }
            _ => {
                return Err(Problem::malformed("unknown_part", "The parts are `file` and `spec`."));
            }
        }
    }
    Ok((spec, file))
}

fn whole(parts: Parts) -> Result<Upload, Problem> {
    match parts {
        (Some(spec), Some(file)) => Ok(Upload { spec, file }),
        (None, _) => Err(lacks("spec")),
        (_, None) => Err(lacks("file")),
    }
}

fn lacks(part: &str) -> Problem {
    let detail = format!("The part `{part}` is missing.");
    Problem::invalid(vec![Fault::new(format!("/{part}"), "required", detail)])
}

pub(in crate::http) async fn next_part(parts: &mut Multipart) -> Result<Option<Field>, Problem> {
    let next = tokio::time::timeout(PATIENCE, parts.next_field()).await;
    let malformed =
        || Problem::malformed("malformed_multipart", "The body is not well-formed multipart/form-data.");
    next.map_err(|_| too_slow())?.map_err(|_| malformed())
}

async fn text(part: Field) -> Result<String, Problem> {
    let mut bytes = Vec::new();
    let mut reader = part.into_async_read().take(LIMIT as u64 + 1);
    let read = tokio::time::timeout(PATIENCE, reader.read_to_end(&mut bytes)).await;
    read.map_err(|_| too_slow())?.map_err(|_| broken())?;
    if bytes.len() > LIMIT {
        return Err(too_large(LIMIT));
    }
    String::from_utf8(bytes).map_err(|_| Problem::malformed("malformed_multipart", "`spec` is not UTF-8."))
}

async fn store(mut from: impl AsyncRead + Unpin, folder: &Path) -> Result<StoredFile, Problem> {
    let failed = |error: std::io::Error| Problem::internal(&error);
    let (stored, mut file) = StoredFile::create(folder).await.map_err(failed)?;
    let (mut buffer, mut size) = (vec![0; 64 * 1024], 0);
    loop {
        let read = tokio::time::timeout(PATIENCE, from.read(&mut buffer)).await;
        let read = read.map_err(|_| too_slow())?.map_err(|_| broken())?;
        let Some(bytes) = buffer.get(..read).filter(|bytes| !bytes.is_empty()) else {
            break;
        };
        size += bytes.len();
        if size > UPLOAD_LIMIT {
            return Err(too_large(UPLOAD_LIMIT));
        }
        file.write_all(bytes).await.map_err(failed)?;
    }
    // The job outlives a crash, so its file must too.
    file.sync_all().await.map_err(failed)?;
    Ok(stored)
}

pub(in crate::http) fn too_slow() -> Problem {
    Problem::new(poem::http::StatusCode::REQUEST_TIMEOUT, "body_too_slow", "The body did not arrive in time.")
}

pub(in crate::http) fn broken() -> Problem {
    Problem::malformed("body_unreadable", "The body could not be read to its end.")
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn upload(body: &str, folder: &Path) -> Result<Upload, Problem> {
        let kind = "multipart/form-data; boundary=x";
        let request = Request::builder().content_type(kind).body(body.replace('\n', "\r\n"));
        let (request, mut body) = request.split();
        let parts = <Multipart as FromRequest>::from_request(&request, &mut body).await.unwrap();
        whole(receive(parts, folder).await?)
    }

    fn part(name: &str, content: &str) -> String {
        format!("--x\nContent-Disposition: form-data; name=\"{name}\"; filename=\"../../f\"\n\n{content}\n")
    }

    #[tokio::test]
    async fn a_file_is_stored_under_a_name_of_ours_and_deleted_when_nobody_takes_it() {
        let folder = tempfile::tempdir().unwrap();
        let body = [part("file", "a,b"), part("spec", "{}"), "--x--\n".to_owned()].concat();
        let upload = upload(&body, folder.path()).await.unwrap();
        assert_eq!(upload.spec, "{}");
        assert_eq!(upload.file.path().parent().unwrap(), folder.path());
        assert_eq!(std::fs::read_to_string(upload.file.path()).unwrap(), "a,b");
        std::fs::rename(upload.file.path(), folder.path().join("taken")).unwrap();
        drop(upload);
        drop(self::upload(&body, folder.path()).await.unwrap());
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[tokio::test]
    async fn missing_unknown_and_repeated_parts_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for (parts, code) in [
            (part("file", "x"), "validation_failed"),
            (part("spec", "x"), "validation_failed"),
            ([part("file", "x"), part("file", "y")].concat(), "duplicate_part"),
            (part("other", "x"), "unknown_part"),
        ] {
            let problem = upload(&(parts + "--x--\n"), folder.path()).await.map(drop).unwrap_err();
            assert_eq!(problem.code, code);
        }
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
    }
}
