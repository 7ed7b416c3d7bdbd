//! A body in chunks, without the parts that nobody needs and that are read differently: extensions and trailers.

/// The most digits of a chunk's length.
const DIGITS: u8 = 8;

/// Where in the body the next byte stands.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Chunks {
    /// In the length of a chunk: its value and how many digits it has so far.
    Length(u64, u8),
    /// Behind the carriage return of a length.
    LengthEnd(u64),
    /// So many bytes before the end of a chunk.
    Data(u64),
    /// Behind a chunk's data, and whether its carriage return was there.
    DataEnd(bool),
    /// Behind the last chunk, and whether the carriage return was there.
    Last(bool),
    /// The body is over.
    Over,
}

/// The bytes are no body in chunks.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) struct NotChunks;

impl Chunks {
    /// Before the first chunk.
    pub(super) const fn new() -> Self {
        Self::Length(0, 0)
    }

    /// Reads on; says how many of the bytes belong to the body.
    pub(super) fn read(&mut self, bytes: &[u8]) -> Result<usize, NotChunks> {
        let mut at = 0;
        while let Some(byte) = bytes.get(at).filter(|_| *self != Self::Over) {
            if let Self::Data(left) = self {
                let here = (*left).min((bytes.len() - at) as u64);
                *left -= here;
                at += usize::try_from(here).unwrap_or(usize::MAX);
                if *left == 0 {
                    *self = Self::DataEnd(false);
                }
                continue;
            }
            *self = self.after(*byte)?;
            at += 1;
        }
        Ok(at)
    }

    fn after(self, byte: u8) -> Result<Self, NotChunks> {
        Ok(match (self, byte) {
            (Self::Length(length, digits), b'\r') if digits > 0 => Self::LengthEnd(length),
            (Self::Length(length, digits), _) if digits < DIGITS => {
                let digit = char::from(byte).to_digit(16).ok_or(NotChunks)?;
                Self::Length(length * 16 + u64::from(digit), digits + 1)
            }
            (Self::LengthEnd(0), b'\n') => Self::Last(false),
            (Self::LengthEnd(length), b'\n') => Self::Data(length),
            (Self::DataEnd(false), b'\r') => Self::DataEnd(true),
            (Self::DataEnd(true), b'\n') => Self::new(),
            (Self::Last(false), b'\r') => Self::Last(true),
            (Self::Last(true), b'\n') => Self::Over,
            _ => return Err(NotChunks),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const WHOLE: &[u8] = b"5\r\nhello\r\n00A\r\n0123456789\r\n0\r\n\r\n";

    #[test]
    fn a_body_ends_where_it_ends_however_it_is_cut() {
        let mut chunks = Chunks::new();
        let mut longer = WHOLE.to_vec();
        longer.extend_from_slice(b"GET / HTTP/1.1");
        assert_eq!((chunks.read(&longer), chunks), (Ok(WHOLE.len()), Chunks::Over));
        let mut chunks = Chunks::new();
        for byte in WHOLE {
            assert_eq!(chunks.read(&[*byte]), Ok(1));
        }
        assert_eq!(chunks, Chunks::Over);
    }

    #[test]
    fn extensions_trailers_and_loose_ends_are_refused() {
        for bad in [
            "5;a=b\r\nhello\r\n",
            "5 \r\nhello\r\n",
            "5\nhello\r\n",
            "\r\n",
            "-1\r\n",
            "0x5\r\nhello",
            "000000005\r\nhello",
            "5\r\nhello!\r\n",
            "5\r\nhello\n",
            "0\r\nTrailer: x\r\n\r\n",
        ] {
            assert_eq!(Chunks::new().read(bad.as_bytes()), Err(NotChunks), "{bad:?}");
        }
    }
}
