//! Finding a body in the bytes of a connection.
//!
//! Pure: bytes in, pieces of the body out, which are parts of the buffer and no copies. What is not exactly a chunk is
//! an error, for the reason that [`super::head`] gives: sizes are hexadecimal digits and nothing else, lines end as
//! HTTP wants it. Extensions of chunks and trailers are read over, as nobody here asks for them; how many bytes of them
//! there may be is bounded, so that a body of nothing else comes to an end.

use super::head::Length;
use bytes::{Buf as _, Bytes, BytesMut};
use std::fmt;

/// Most bytes of extensions and trailers of one body.
const EXTRA_BYTES_MAX: usize = 16 << 10;

/// What is left of a body.
#[derive(Debug)]
pub(crate) enum Decoder {
    /// So many bytes.
    Bytes(u64),
    /// Chunks.
    Chunks(Chunks),
}

/// What was found at the front of the bytes that have come.
#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Decoded {
    /// A piece of the body.
    Data(Bytes),
    /// Nothing yet.
    More,
    /// The body's end.
    End,
}

/// The chunks are none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Malformed;

impl fmt::Display for Malformed {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the body is not made of chunks")
    }
}

impl std::error::Error for Malformed {}

/// Where in its chunks a body is.
#[derive(Debug)]
pub(crate) struct Chunks {
    place: Place,
    /// Bytes of the chunk that are to come; its size, while that is being read.
    left: u64,
    /// Bytes of extensions and trailers so far.
    extra: usize,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Place {
    /// Before the first digit of a size.
    SizeBegin,
    Size,
    /// In the white space that may come before an extension.
    Padding,
    Extension,
    SizeFeed,
    Data,
    DataReturn,
    DataFeed,
    /// At the beginning of a line behind the last chunk.
    TrailerBegin,
    Trailer,
    TrailerFeed,
    EndFeed,
    End,
}

impl Decoder {
    /// For a body that ends like this.
    pub(crate) fn new(length: Length) -> Self {
        match length {
            Length::Bytes(bytes) => Self::Bytes(bytes),
            Length::Chunked => Self::Chunks(Chunks { place: Place::SizeBegin, left: 0, extra: 0 }),
        }
    }

    /// Whether all of the body has been found.
    pub(crate) fn is_over(&self) -> bool {
        match self {
            Self::Bytes(left) => *left == 0,
            Self::Chunks(chunks) => chunks.place == Place::End,
        }
    }

    /// The bytes of the body that are to come, if that is known.
    pub(crate) fn left(&self) -> Option<u64> {
        match self {
            Self::Bytes(left) => Some(*left),
            Self::Chunks(chunks) => (chunks.place == Place::End).then_some(0),
        }
    }

    /// How many bytes are to come at least, one if that is not known.
    pub(crate) fn awaited(&self) -> u64 {
        match self {
            Self::Bytes(left) => *left,
            Self::Chunks(chunks) if chunks.place == Place::Data => chunks.left,
            Self::Chunks(_) => 1,
        }
    }

    /// Takes the next piece from the front of what has come.
    ///
    /// # Errors
    /// [`Malformed`].
    pub(crate) fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, Malformed> {
        match self {
            Self::Bytes(0) => Ok(Decoded::End),
            Self::Bytes(left) => Ok(piece(input, left)),
            Self::Chunks(chunks) => chunks.decode(input),
        }
    }
}

/// As many of the `left` bytes as have come.
fn piece(input: &mut BytesMut, left: &mut u64) -> Decoded {
    if input.is_empty() {
        return Decoded::More;
    }
    let bytes = usize::try_from(*left).unwrap_or(usize::MAX).min(input.len());
    *left -= bytes as u64;
    Decoded::Data(input.split_to(bytes).freeze())
}

impl Chunks {
    fn decode(&mut self, input: &mut BytesMut) -> Result<Decoded, Malformed> {
        let mut read = 0;
        for byte in input.iter() {
            if matches!(self.place, Place::Data | Place::End) {
                break;
            }
            self.place = self.step(*byte)?;
            read += 1;
        }
        input.advance(read);
        match self.place {
            Place::End => Ok(Decoded::End),
            Place::Data => {
                let data = piece(input, &mut self.left);
                if self.left == 0 {
                    self.place = Place::DataReturn;
                }
                Ok(data)
            }
            _ => Ok(Decoded::More),
        }
    }

    /// The place behind this byte, which is none of the data.
    fn step(&mut self, byte: u8) -> Result<Place, Malformed> {
        match (self.place, byte) {
            (Place::SizeBegin | Place::Size, _) if byte.is_ascii_hexdigit() => self.digit(byte),
            (Place::Size | Place::Padding, b';') => self.extra(Place::Extension),
            (Place::Size | Place::Padding, b' ' | b'\t') => self.extra(Place::Padding),
            (Place::Size | Place::Extension, b'\r') => Ok(Place::SizeFeed),
            (Place::Extension, _) if is_text(byte) => self.extra(Place::Extension),
            (Place::SizeFeed, b'\n') if self.left == 0 => Ok(Place::TrailerBegin),
            (Place::SizeFeed, b'\n') => Ok(Place::Data),
            (Place::DataReturn, b'\r') => Ok(Place::DataFeed),
            (Place::DataFeed, b'\n') => Ok(Place::SizeBegin),
            (Place::TrailerBegin, b'\r') => Ok(Place::EndFeed),
            (Place::Trailer, b'\r') => Ok(Place::TrailerFeed),
            (Place::TrailerBegin | Place::Trailer, _) if is_text(byte) => self.extra(Place::Trailer),
            (Place::TrailerFeed, b'\n') => Ok(Place::TrailerBegin),
            (Place::EndFeed, b'\n') => Ok(Place::End),
            _ => Err(Malformed),
        }
    }

    fn digit(&mut self, byte: u8) -> Result<Place, Malformed> {
        let digit = char::from(byte).to_digit(16).ok_or(Malformed)?;
        // The size before this one has become nothing.
        let size = self.left.checked_mul(16).ok_or(Malformed)?;
        self.left = size + u64::from(digit);
        Ok(Place::Size)
    }

    fn extra(&mut self, place: Place) -> Result<Place, Malformed> {
        self.extra += 1;
        if self.extra > EXTRA_BYTES_MAX { Err(Malformed) } else { Ok(place) }
    }
}

/// Whether this may stand in an extension or a trailer. Bytes beyond ASCII may.
fn is_text(byte: u8) -> bool {
    byte == b'\t' || (byte >= b' ' && byte != 0x7F)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// All that is found in these bytes, given in pieces of so many bytes, and what is left behind the body.
    fn decoded(length: Length, bytes: &[u8], piece: usize) -> Result<(Vec<u8>, bool, Vec<u8>), Malformed> {
        let (mut decoder, mut input, mut found) = (Decoder::new(length), BytesMut::new(), Vec::new());
        for part in bytes.chunks(piece) {
            input.extend_from_slice(part);
            while let Decoded::Data(data) = decoder.decode(&mut input)? {
                found.extend_from_slice(&data);
            }
        }
        Ok((found, decoder.is_over(), input.to_vec()))
    }

    fn chunks(bytes: &[u8]) -> Result<Vec<u8>, Malformed> {
        let whole = decoded(Length::Chunked, bytes, bytes.len().max(1));
        for piece in 1..bytes.len() {
            assert_eq!(decoded(Length::Chunked, bytes, piece), whole, "in pieces of {piece}");
        }
        whole.map(|(found, over, rest)| {
            assert!(over && rest == b"next", "{found:?} {over} {rest:?}");
            found
        })
    }

    #[test]
    fn a_length_ends_a_body_and_what_is_behind_it_stays() {
        for piece in 1..12 {
            let found = decoded(Length::Bytes(5), b"hellonext", piece).unwrap();
            assert_eq!(found, (b"hello".to_vec(), true, b"next".to_vec()));
        }
        assert_eq!(decoded(Length::Bytes(9), b"hello", 2).unwrap(), (b"hello".to_vec(), false, Vec::new()));
        assert!(Decoder::new(Length::Bytes(0)).is_over());
    }

    #[test]
    fn an_empty_chunk_ends_chunks() {
        for bytes in [
            &b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\nnext"[..],
            b"0b\r\nhello world\r\n0\r\n\r\nnext",
            b"B;name=value;\"other\"\r\nhello world\r\n000;last\r\n\r\nnext",
            b"b \t;a\r\nhello world\r\n0\r\nTrailer: a\r\nOther: \xFF\r\n\r\nnext",
        ] {
            assert_eq!(chunks(bytes).unwrap(), b"hello world", "{}", String::from_utf8_lossy(bytes));
        }
        assert_eq!(chunks(b"0\r\n\r\nnext").unwrap(), b"");
    }

    #[test]
    fn what_is_not_exactly_a_chunk_is_none() {
        for bytes in [
            &b"\r\n"[..],
            b"x\r\n",
            b"-1\r\n",
            b"+1\r\n",
            b"0x1\r\na\r\n",
            b" 1\r\n",
            b"1 \r\na",
            b"1 2\r\na",
            b"1\na\r\n",
            b"1\r\r\n",
            b"1;a\nb\r\n",
            b"1;a\0\r\n",
            b"1\r\nab",
            b"1\r\na\n",
            b"1\r\na\r\r",
            b"0\r\n\n",
            b"0\r\na\n",
            b"0\r\n\r\r",
            b"11111111111111111\r\n",
        ] {
            assert_eq!(chunks(bytes), Err(Malformed), "{}", String::from_utf8_lossy(bytes));
        }
    }

    #[test]
    fn the_largest_size_is_the_largest_number() {
        let mut decoder = Decoder::new(Length::Chunked);
        let mut input = BytesMut::from(&b"ffffffffffffffff\r\n"[..]);
        assert_eq!(decoder.decode(&mut input), Ok(Decoded::More));
        assert_eq!((decoder.awaited(), decoder.left()), (u64::MAX, None));
    }

    #[test]
    fn extensions_and_trailers_have_a_limit_together() {
        let mut bytes = Vec::new();
        for _ in 0..100 {
            bytes.extend_from_slice(format!("1;{}\r\na\r\n", "x".repeat(100)).as_bytes());
        }
        assert!(decoded(Length::Chunked, &bytes, 1000).is_ok());
        bytes.extend_from_slice(format!("0\r\na: {}\r\n", "x".repeat(7_000)).as_bytes());
        assert_eq!(decoded(Length::Chunked, &bytes, 1000), Err(Malformed));
    }
}
