//! HTTP/1.1 over one keep-alive socket: enough for tests and for driving load, and nothing that a client library would hide.

use std::io::{Error, ErrorKind, Read, Result, Write};
use std::net::TcpStream;
use std::time::Duration;

const CHUNK: usize = 16 * 1024;
const LONGEST_HEAD: usize = 64 * 1024;
const PATIENCE: Duration = Duration::from_secs(120);

/// A connection that is used for one request after the other.
pub struct Connection {
    stream: TcpStream,
    received: Vec<u8>,
    chunk: Vec<u8>,
}

/// What a server answered.
#[derive(Clone, Debug)]
pub struct Response {
    /// The status code.
    pub status: u16,
    /// Names in lower case, in the order received.
    pub headers: Vec<(String, String)>,
    /// The whole body.
    pub body: Vec<u8>,
}

impl Response {
    /// The first header of this name, given in lower case.
    #[must_use]
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

impl Connection {
    /// Connects to `host:port`.
    ///
    /// # Errors
    /// When nobody listens there.
    pub fn open(address: &str) -> Result<Self> {
        let stream = TcpStream::connect(address)?;
        stream.set_nodelay(true)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        stream.set_write_timeout(Some(PATIENCE))?;
        Ok(Self { stream, received: Vec::with_capacity(CHUNK), chunk: vec![0; CHUNK] })
    }

    /// Sends a rendered request and reads the answer to it.
    ///
    /// # Errors
    /// When the connection breaks or the answer is not HTTP/1.1.
    pub fn exchange(&mut self, request: &[u8]) -> Result<Response> {
        let head = self.send(request)?;
        let body = self.body(&head)?;
        Ok(Response { status: head.status, headers: head.headers, body })
    }

    fn send(&mut self, request: &[u8]) -> Result<Head> {
        match self.stream.write_all(request) {
            // A server may answer a body that is too long before it has read it.
            Err(error) if !matches!(error.kind(), ErrorKind::BrokenPipe | ErrorKind::ConnectionReset) => {
                return Err(error);
            }
            _ => {}
        }
        loop {
            let head = self.head()?;
            if head.status != 100 {
                return Ok(head);
            }
        }
    }

    fn head(&mut self) -> Result<Head> {
        let end = loop {
            if let Some(at) = find(&self.received, b"\r\n\r\n") {
                break at;
            }
            if self.received.len() > LONGEST_HEAD {
                return Err(malformed("endless head"));
            }
            self.fill()?;
        };
        let text: Vec<u8> = self.received.drain(..end + 4).collect();
        Head::parse(text.get(..end).unwrap_or_default())
    }

    fn body(&mut self, head: &Head) -> Result<Vec<u8>> {
        if matches!(head.status, 204 | 304) {
            return Ok(Vec::new());
        }
        if head.value("transfer-encoding").is_some_and(|value| value.eq_ignore_ascii_case("chunked")) {
            return self.chunks();
        }
        match head.value("content-length") {
            Some(length) => {
                let length = length.parse().map_err(|_| malformed("content-length"))?;
                self.take(length)
            }
            None => self.rest(),
        }
    }

    fn chunks(&mut self) -> Result<Vec<u8>> {
        let mut body = Vec::new();
        loop {
            let line = self.line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let length = usize::from_str_radix(digits, 16).map_err(|_| malformed("chunk length"))?;
            if length == 0 {
                while !self.line()?.is_empty() {}
                return Ok(body);
            }
            body.extend(self.take(length)?);
            self.line()?;
        }
    }

    fn line(&mut self) -> Result<String> {
        let end = loop {
            if let Some(at) = find(&self.received, b"\r\n") {
                break at;
            }
            self.fill()?;
        };
        let mut line: Vec<u8> = self.received.drain(..end + 2).collect();
        line.truncate(end);
        String::from_utf8(line).map_err(|_| malformed("text"))
    }

    fn take(&mut self, length: usize) -> Result<Vec<u8>> {
        while self.received.len() < length {
            self.fill()?;
        }
        Ok(self.received.drain(..length).collect())
    }

    fn rest(&mut self) -> Result<Vec<u8>> {
        loop {
            match self.fill() {
                Ok(()) => {}
                Err(error) if error.kind() == ErrorKind::UnexpectedEof => {
                    return Ok(std::mem::take(&mut self.received));
                }
                Err(error) => return Err(error),
            }
        }
    }

    fn fill(&mut self) -> Result<()> {
        let read = self.stream.read(&mut self.chunk)?;
        if read == 0 {
            return Err(Error::new(ErrorKind::UnexpectedEof, "the server closed the connection"));
        }
        self.received.extend_from_slice(self.chunk.get(..read).unwrap_or_default());
        Ok(())
    }
}

struct Head {
    status: u16,
    headers: Vec<(String, String)>,
}

impl Head {
    fn parse(bytes: &[u8]) -> Result<Self> {
        let text = std::str::from_utf8(bytes).map_err(|_| malformed("head"))?;
        let mut lines = text.split("\r\n");
        let status = lines
            .next()
            .and_then(|line| line.split(' ').nth(1))
            .and_then(|code| code.parse().ok())
            .ok_or_else(|| malformed("status line"))?;
        let headers = lines
            .filter_map(|line| line.split_once(':'))
            .map(|(name, value)| (name.to_ascii_lowercase(), value.trim().to_owned()))
            .collect();
        Ok(Self { status, headers })
    }

    fn value(&self, name: &str) -> Option<&str> {
        self.headers.iter().find(|(key, _)| key == name).map(|(_, value)| value.as_str())
    }
}

/// Percent-encodes `text` for a path segment or a query value.
#[must_use]
pub fn encode(text: &str) -> String {
    use std::fmt::Write as _;
    let mut encoded = String::with_capacity(text.len());
    for byte in text.bytes() {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a string cannot fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
    }
    encoded
}

fn find(haystack: &[u8], needle: &[u8]) -> Option<usize> {
    haystack.windows(needle.len()).position(|window| window == needle)
}

fn malformed(what: &str) -> Error {
    Error::new(ErrorKind::InvalidData, format!("not HTTP/1.1: {what}"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::TcpListener;

    fn answered(bytes: &'static [u8]) -> Result<Response> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let server = std::thread::spawn(move || {
            let (mut stream, _) = listener.accept().unwrap();
            let mut request = [0; 1024];
            let read = stream.read(&mut request).unwrap();
            assert!(read > 0);
            stream.write_all(bytes).unwrap();
        });
        let response = Connection::open(&address).unwrap().exchange(b"GET / HTTP/1.1\r\n\r\n");
        server.join().unwrap();
        response
    }

    #[test]
    fn a_body_ends_after_its_content_length() {
        let response =
            answered(b"HTTP/1.1 201 Created\r\nETag: \"1\"\r\nContent-Length: 2\r\n\r\n{}more").unwrap();
        assert_eq!((response.status, response.body.as_slice()), (201, b"{}".as_slice()));
        assert_eq!(response.header("etag"), Some("\"1\""));
    }

    #[test]
    fn chunks_are_put_together() {
        let response = answered(
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\nabc\r\n2;x=y\r\nde\r\n0\r\n\r\n",
        )
        .unwrap();
        assert_eq!(response.body, b"abcde");
    }

    #[test]
    fn a_body_without_length_ends_with_the_connection() {
        assert_eq!(answered(b"HTTP/1.1 200 OK\r\n\r\nabc").unwrap().body, b"abc");
    }

    #[test]
    fn a_broken_connection_is_an_error_and_not_an_empty_answer() {
        assert!(answered(b"HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nabc").is_err());
    }

    #[test]
    fn text_is_encoded_for_a_query() {
        assert_eq!(encode("Gekko & Co"), "Gekko%20%26%20Co");
    }
}
