//! Export of an entity: `GET /{plugin}/{entities}/export?format=csv|xlsx|jsonl`, with the filters and the order of its
//! list. CSV and JSON Lines are streamed while they are read; a workbook is made first, because its parts are packed.

use std::io;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use poem::http::{Method, StatusCode, header};
use poem::{Body, Request, Response};
use tokio::io::{AsyncRead, ReadBuf};
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc};

use super::{Call, method_not_allowed, parameters, problem};
use crate::http::aside::aside;
use crate::http::problem::Problem;
use crate::http::resources::upload::StoredFile;
use crate::records::export::{Export, Format, Sink, Wanted};
use crate::records::list::Query;
use crate::records::schema::Entity;

/// Exports that run at the same time: each has a thread while it is read.
const AT_ONCE: usize = 8;
/// Chunks that wait for a client.
const WAITING: usize = 4;
/// How long a client may take for one of them.
const PATIENCE: Duration = Duration::from_secs(60);

static ROOM: std::sync::LazyLock<Arc<Semaphore>> =
    std::sync::LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

impl Call<'_> {
    pub(super) async fn export(self, entity: &Arc<Entity>, request: Request) -> Result<Response, Problem> {
        if *request.method() != Method::GET {
            return Err(method_not_allowed("GET"));
        }
        let wanted = self.wanted(entity, &request)?;
        let place = Arc::clone(&ROOM).try_acquire_owned().map_err(|_| {
            Problem::busy("busy", format!("{AT_ONCE} exports run already; try again soon."), 10)
        })?;
        let format = wanted.format;
        let name = format!("{}.{}", entity.plural, format.as_str());
        let (records, scope, kind) = (self.app.records.clone(), self.scope.clone(), Arc::clone(entity));
        let begin = move || records.export(&scope, &kind, wanted);
        let export = aside(begin).await?;
        let export = export.map_err(problem)?;
        let body = match format {
            Format::Xlsx => self.workbook(export, place).await?,
            Format::Csv | Format::Jsonl => streamed(export, place),
        };
        let kind = match format {
            Format::Csv => "text/csv; charset=utf-8; header=present",
            Format::Jsonl => "application/jsonl; charset=utf-8",
            Format::Xlsx => "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet",
        };
        Ok(Response::builder()
            .status(StatusCode::OK)
            .header(header::CONTENT_TYPE, kind)
            .header(header::CONTENT_DISPOSITION, format!("attachment; filename=\"{name}\""))
            .body(body))
    }

    /// The workbook, in a file that is gone when it has been sent.
    async fn workbook(&self, export: Export, place: OwnedSemaphorePermit) -> Result<Body, Problem> {
        let failed = |error: io::Error| Problem::internal(&error);
        let folder = self.app.files.folder(self.scope.organization.id, "exports");
        let folder = folder.map_err(|error| Problem::internal(&error))?;
        let (stored, file) = StoredFile::create(&folder).await.map_err(failed)?;
        drop(file);
        let (path, parts) = (stored.path().to_owned(), folder);
        let write = move || export.workbook(&path, &parts);
        let written = aside(write).await?;
        written.map_err(problem)?;
        let file = tokio::fs::File::open(stored.path()).await.map_err(failed)?;
        Ok(Body::from_async_read(Sent { file, _stored: stored, _place: place }))
    }
}

impl Call<'_> {
    /// What the query string asks for: the export's own parameters, and those of a list.
    fn wanted(&self, entity: &Entity, request: &Request) -> Result<Wanted, Problem> {
        let bad = |code, detail: &str| Problem::malformed(code, detail);
        let (mut format, mut fields, mut titles, mut mark) = (None, None, false, false);
        let (mut rest, mut sorted) = (Vec::new(), false);
        for (name, value) in parameters::pairs(request)? {
            let flag = || match value.as_str() {
                "true" => Ok(true),
                "false" => Ok(false),
                _ => Err(bad("invalid_parameter", "`titles` and `bom` are true or false.")),
            };
            match name.as_str() {
                "format" => {
                    let detail = "`format` is csv, xlsx or jsonl.";
                    format = Some(Format::parse(&value).ok_or_else(|| bad("invalid_format", detail))?);
                }
                "fields" => fields = Some(value),
                "titles" => titles = flag()?,
                "bom" => mark = flag()?,
                "limit" | "cursor" | "count" | "expand" => return Err(parameters::unknown(&name)),
                _ => {
                    sorted |= name == "sort" || name == "view";
                    rest.push((name, value));
                }
            }
        }
        let format = format.ok_or_else(|| bad("invalid_format", "Say the `format`: csv, xlsx or jsonl."))?;
        let Query { filter, words, sort, .. } = self.understood(entity, rest)?;
        let query = request.uri().query().unwrap_or_default().to_owned();
        Ok(Wanted { format, fields, filter, words, sort: sorted.then_some(sort), titles, mark, query })
    }
}

/// A body that is read while it is sent.
fn streamed(export: Export, place: OwnedSemaphorePermit) -> Body {
    let (sender, receiver) = mpsc::channel(WAITING);
    let runtime = tokio::runtime::Handle::current();
    tokio::task::spawn_blocking(move || {
        let _place = place;
        let mut chunks = Chunks { sender: sender.clone(), runtime: runtime.clone() };
        if let Err(error) = export.stream(&mut chunks) {
            tracing::warn!(error = %crate::http::problem::chain(&error), "an export broke off");
            // Without its last chunk the body is broken, and whoever reads it knows.
            let broken = io::Error::other("the export broke off");
            let _ = runtime.block_on(tokio::time::timeout(PATIENCE, sender.send(Err(broken))));
        }
    });
    Body::from_async_read(Received { receiver, chunk: Vec::new(), at: 0 })
}

/// Hands chunks to the connection, and waits for it.
struct Chunks {
    sender: mpsc::Sender<io::Result<Vec<u8>>>,
    runtime: tokio::runtime::Handle,
}

impl Sink for Chunks {
    fn take(&mut self, bytes: Vec<u8>) -> bool {
        let sent = tokio::time::timeout(PATIENCE, self.sender.send(Ok(bytes)));
        // The timer belongs to the runtime, on which this thread is not.
        let _runtime = self.runtime.enter();
        matches!(self.runtime.block_on(sent), Ok(Ok(())))
    }
}

/// The chunks, as the connection reads them.
struct Received {
    receiver: mpsc::Receiver<io::Result<Vec<u8>>>,
    chunk: Vec<u8>,
    at: usize,
}

impl AsyncRead for Received {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        while self.at == self.chunk.len() {
            match self.receiver.poll_recv(context) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(None) => return Poll::Ready(Ok(())),
                Poll::Ready(Some(Err(error))) => return Poll::Ready(Err(error)),
                Poll::Ready(Some(Ok(chunk))) => (self.chunk, self.at) = (chunk, 0),
            }
        }
        let end = self.chunk.len().min(self.at + buffer.remaining());
        buffer.put_slice(self.chunk.get(self.at..end).unwrap_or_default());
        self.at = end;
        Poll::Ready(Ok(()))
    }
}

/// A file that is sent, and deleted after that.
struct Sent {
    file: tokio::fs::File,
    _stored: StoredFile,
    _place: OwnedSemaphorePermit,
}

impl AsyncRead for Sent {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        Pin::new(&mut self.file).poll_read(context, buffer)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::io::AsyncReadExt as _;

    #[tokio::test]
    async fn chunks_are_read_whole_and_a_break_is_an_error() {
        let (sender, receiver) = mpsc::channel(4);
        for chunk in ["ab", "", "cde"] {
            sender.send(Ok(chunk.as_bytes().to_vec())).await.unwrap();
        }
        sender.send(Err(io::Error::other("broken"))).await.unwrap();
        let mut received = Received { receiver, chunk: Vec::new(), at: 0 };
        let mut read = [0; 5];
        received.read_exact(&mut read).await.unwrap();
        assert_eq!(&read, b"abcde");
        assert!(received.read(&mut read).await.is_err());
    }
}
