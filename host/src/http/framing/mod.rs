//! The bytes of a connection, before hyper reads them: one strict reading of where a request begins and ends, and a watch
//! over slow clients.
//!
//! hyper is lenient where the standard lets it be (bare line feeds, chunk extensions), says nothing in its own refusals
//! and waits for ever for a body. Here a head that could be understood in two ways never reaches it: in its place it gets
//! a request of ours that names the [`Refusal`], so that the answer has its turn among pipelined ones, a request id and
//! the shape of every other problem. Then the connection ends.
//!
//! Reading order: `refusal.rs`, `head.rs`, `chunks.rs` (pure), this file (the stream).

mod chunks;
mod head;
mod refusal;
#[cfg(test)]
mod tests;

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::time::{Instant, Sleep};

use self::chunks::Chunks;
use self::head::{Body, Scan};

pub use self::refusal::{REFUSED, Refusal};

/// How much is read at once.
const PIECE: usize = 8 * 1024;

/// How much of a refused client's bytes is thrown away, so that it reads the answer before its connection is reset.
const DISCARD: usize = 1024 * 1024;

/// How long a client may take.
#[derive(Clone, Copy, Debug)]
pub struct Patience {
    /// For a head, from its first byte on.
    pub head: Duration,
    /// Without a byte of a body that is waited for, and without taking a byte of an answer.
    pub stall: Duration,
    /// Bytes of a body per second, beyond a first `stall`.
    pub rate: u64,
}

impl Default for Patience {
    fn default() -> Self {
        Self { head: Duration::from_secs(10), stall: Duration::from_secs(30), rate: 16 * 1024 }
    }
}

enum State {
    Head,
    Length(u64),
    Chunked(Chunks),
    /// Nothing more is read; so many bytes were thrown away.
    Refused(usize),
}

/// A connection whose requests are read strictly.
pub struct Framed<S> {
    stream: S,
    patience: Patience,
    state: State,
    /// Given to hyper up to `given`, good up to `checked`, looked at up to `scanned`.
    buffer: Vec<u8>,
    given: usize,
    checked: usize,
    scanned: usize,
    reading: Timer,
    writing: Timer,
    /// How long this body was waited for, and how much of it came.
    waited: Duration,
    came: u64,
}

/// A deadline that is set again and again.
#[derive(Default)]
struct Timer {
    sleep: Option<Pin<Box<Sleep>>>,
    since: Option<Instant>,
}

impl Timer {
    /// Ready when the deadline has passed; begins to count at the first call after [`Timer::stop`].
    fn poll(&mut self, cx: &mut Context<'_>, patience: Duration) -> Poll<()> {
        let since = *self.since.get_or_insert_with(Instant::now);
        let deadline = since + patience;
        let sleep = self.sleep.get_or_insert_with(|| Box::pin(tokio::time::sleep_until(deadline)));
        if sleep.deadline() != deadline {
            sleep.as_mut().reset(deadline);
        }
        sleep.as_mut().poll(cx)
    }

    /// How long it ran.
    fn stop(&mut self) -> Duration {
        self.since.take().map(|since| since.elapsed()).unwrap_or_default()
    }
}

impl<S> Framed<S> {
    /// The requests on `stream`.
    pub fn new(stream: S, patience: Patience) -> Self {
        Self {
            stream,
            patience,
            state: State::Head,
            buffer: Vec::new(),
            given: 0,
            checked: 0,
            scanned: 0,
            reading: Timer::default(),
            writing: Timer::default(),
            waited: Duration::ZERO,
            came: 0,
        }
    }

    fn unchecked(&self) -> &[u8] {
        self.buffer.get(self.checked..).unwrap_or_default()
    }

    /// Judges what is there; whether more may be given to hyper now.
    fn check(&mut self) -> io::Result<bool> {
        let before = self.checked;
        match &mut self.state {
            State::Head => self.check_head(),
            State::Length(left) => {
                let here = (*left).min((self.buffer.len() - self.checked) as u64);
                *left -= here;
                let over = *left == 0;
                self.checked += usize::try_from(here).unwrap_or_default();
                self.came += here;
                if over {
                    self.await_head();
                }
            }
            State::Chunked(chunks) => {
                let bytes = self.buffer.get(self.checked..).unwrap_or_default();
                let here = chunks.read(bytes).map_err(|_| io::Error::from(io::ErrorKind::InvalidData))?;
                let over = *chunks == Chunks::Over;
                self.checked += here;
                self.came += here as u64;
                if over {
                    self.await_head();
                }
            }
            State::Refused(_) => {}
        }
        Ok(self.checked > before)
    }

    fn check_head(&mut self) {
        // An empty line before a request is an old habit of clients.
        while self.unchecked().starts_with(b"\r\n") {
            self.buffer.drain(self.checked..self.checked + 2);
            self.scanned = self.checked;
        }
        let from = self.scanned.saturating_sub(self.checked);
        let judged = head::scan(self.unchecked(), from).and_then(|scan| match scan {
            Scan::Open => Ok(None),
            Scan::End(end) => {
                let head = self.unchecked().get(..end).unwrap_or_default();
                head::check(head).map(|body| Some((end, body)))
            }
        });
        match judged {
            Ok(None) => self.scanned = self.buffer.len(),
            Ok(Some((end, body))) => {
                self.checked += end;
                self.reading.stop();
                (self.waited, self.came) = (Duration::ZERO, 0);
                match body {
                    Body::Length(0) => self.await_head(),
                    Body::Length(length) => self.state = State::Length(length),
                    Body::Chunked => self.state = State::Chunked(Chunks::new()),
                }
            }
            Err(refusal) => self.refuse(refusal),
        }
    }

    fn await_head(&mut self) {
        self.state = State::Head;
        self.scanned = self.checked;
    }

    /// Puts a request of ours in the place of the client's.
    fn refuse(&mut self, refusal: Refusal) {
        self.buffer.truncate(self.checked);
        let stand_in = format!(
            "GET / HTTP/1.1\r\nhost: refused\r\nconnection: close\r\n{REFUSED}: {}\r\n\r\n",
            refusal.code()
        );
        self.buffer.extend_from_slice(stand_in.as_bytes());
        self.checked = self.buffer.len();
        self.state = State::Refused(0);
        self.reading.stop();
    }

    /// Gives what is good and was not given.
    fn give(&mut self, out: &mut ReadBuf<'_>) -> bool {
        let good = self.buffer.get(self.given..self.checked).unwrap_or_default();
        let piece = good.get(..good.len().min(out.remaining())).unwrap_or_default();
        out.put_slice(piece);
        let given = piece.len();
        self.given += given;
        if self.given == self.buffer.len() {
            self.buffer.clear();
            (self.given, self.checked, self.scanned) = (0, 0, 0);
        }
        given > 0
    }

    /// How long the next byte may take, now that it is waited for.
    fn limit(&self) -> Option<Duration> {
        match self.state {
            State::Head if self.unchecked().is_empty() => None,
            State::Head => Some(self.patience.head),
            State::Length(_) | State::Chunked(_) => {
                let earned = Duration::from_secs(self.came / self.patience.rate.max(1));
                let left = (self.patience.stall + earned).saturating_sub(self.waited);
                Some(left.min(self.patience.stall))
            }
            State::Refused(_) => None,
        }
    }
}

impl<S: AsyncRead + Unpin> Framed<S> {
    /// Reads more into the buffer; zero bytes are the end.
    fn poll_fill(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<usize>> {
        if self.given > 0 && self.given == self.checked {
            self.buffer.drain(..self.given);
            self.scanned -= self.given.min(self.scanned);
            (self.given, self.checked) = (0, 0);
        }
        let old = self.buffer.len();
        self.buffer.resize(old + PIECE, 0);
        let mut piece = ReadBuf::new(self.buffer.get_mut(old..).unwrap_or_default());
        let polled = Pin::new(&mut self.stream).poll_read(cx, &mut piece);
        let read = piece.filled().len();
        self.buffer.truncate(old + read);
        polled.map_ok(|()| read)
    }

    /// Nothing came: either it is waited for, or it took too long.
    fn poll_patience(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let Some(limit) = self.limit() else { return Poll::Pending };
        if self.reading.poll(cx, limit).is_pending() {
            return Poll::Pending;
        }
        if matches!(self.state, State::Head) {
            self.refuse(Refusal::TooSlow);
            return Poll::Ready(Ok(()));
        }
        Poll::Ready(Err(io::ErrorKind::TimedOut.into()))
    }

    /// Throws away what a refused client still says; never an end, for hyper would end the answer with it.
    fn poll_discard(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut piece = [0; PIECE];
        while let State::Refused(discarded) = &mut self.state {
            let mut buffer = ReadBuf::new(&mut piece);
            match Pin::new(&mut self.stream).poll_read(cx, &mut buffer) {
                Poll::Ready(Ok(())) if !buffer.filled().is_empty() && *discarded < DISCARD => {
                    *discarded += buffer.filled().len();
                }
                _ => break,
            }
        }
        Poll::Pending
    }
}

impl<S: AsyncRead + Unpin> AsyncRead for Framed<S> {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, out: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        loop {
            if this.give(out) {
                return Poll::Ready(Ok(()));
            }
            if matches!(this.state, State::Refused(_)) {
                return this.poll_discard(cx);
            }
            if this.check()? {
                continue;
            }
            match this.poll_fill(cx) {
                Poll::Ready(Ok(0)) => return Poll::Ready(Ok(())),
                Poll::Ready(Ok(_)) if !matches!(this.state, State::Head) => {
                    this.waited += this.reading.stop();
                }
                Poll::Ready(Ok(_)) => {}
                Poll::Ready(Err(error)) => return Poll::Ready(Err(error)),
                Poll::Pending => match this.poll_patience(cx) {
                    Poll::Ready(Ok(())) => {}
                    outcome => return outcome,
                },
            }
        }
    }
}

impl<S: AsyncWrite + Unpin> Framed<S> {
    /// What a write gave; one that waits too long for the client is an error.
    fn watched<T>(&mut self, cx: &mut Context<'_>, polled: Poll<io::Result<T>>) -> Poll<io::Result<T>> {
        if polled.is_ready() {
            self.writing.stop();
            return polled;
        }
        self.writing.poll(cx, self.patience.stall).map(|()| Err(io::ErrorKind::TimedOut.into()))
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Framed<S> {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write(cx, bytes);
        this.watched(cx, polled)
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        pieces: &[io::IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_write_vectored(cx, pieces);
        this.watched(cx, polled)
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_flush(cx);
        this.watched(cx, polled)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let polled = Pin::new(&mut this.stream).poll_shutdown(cx);
        this.watched(cx, polled)
    }
}
