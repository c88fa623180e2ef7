//! An answer as bytes: its head, and its body in the framing that the head tells of.
//!
//! # Framing
//! A body of known length is told by it, another one by chunks; a client of HTTP/1.0, which knows none, is told by the
//! end of the connection. It cannot tell that end from a failure, which is why no other client is answered so. What an
//! operation says of length where there is no body (`HEAD`, 304) is passed on as it is. Headers that are about the
//! connection are ours.
//!
//! # Writes
//! The head waits for the first piece of the body, so most answers are one write. Pieces that are small are copied
//! behind one another, which is cheaper than to have the kernel gather them; large ones are written from where they
//! are.

use api::{Body, Spelling};
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Response, StatusCode, Version, header};
use http_body::Body as _;
use storage_engine::clock::{Clock as _, SystemClock};

/// Larger pieces of a body are not copied.
const COPIED_BYTES_MAX: usize = 4 << 10;
/// Bytes that wait for nothing more to be copied behind them.
const GATHERED_BYTES_MAX: usize = 16 << 10;
/// Room for the head of a usual answer.
const HEAD_BYTES_USUAL: usize = 1 << 10;

/// What of a request decides how it is answered.
#[derive(Debug, Clone)]
pub(super) struct Asked {
    /// The verb.
    pub(super) method: Method,
    /// The client's version, in which it is answered.
    pub(super) version: Version,
    /// Whether the connection goes on.
    pub(super) keeps: bool,
}

/// The framing of a body.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Framing {
    /// So many bytes are to come.
    Bytes(u64),
    /// Chunks; whether there was one.
    Chunks(bool),
    /// All until the connection ends.
    Rest,
}

/// The body is not what its head announced.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Unlike;

/// An answer on its way out.
#[derive(Debug)]
pub(super) struct Outgoing {
    /// What is to be written first.
    pub(super) output: BytesMut,
    /// A piece of the body, to be written then.
    pub(super) piece: Bytes,
    framing: Framing,
    /// Whether the head may go, because there is something behind it.
    goes: bool,
    keeps: bool,
}

impl Outgoing {
    /// Begins an answer in `output`, and gives its body if there is one to be sent.
    pub(super) fn begin(mut output: BytesMut, asked: &Asked, answer: Response<Body>) -> (Self, Option<Body>) {
        let (parts, body) = answer.into_parts();
        let bodiless = asked.method == Method::HEAD
            || matches!(parts.status, StatusCode::NO_CONTENT | StatusCode::NOT_MODIFIED);
        let (framing, told) = match parts.headers.get(header::CONTENT_LENGTH) {
            length if bodiless => (Framing::Bytes(0), length.cloned()),
            _ => framing(asked.version, &body),
        };
        let keeps = asked.keeps && framing != Framing::Rest && !is_closed_by(&parts.headers);
        output.reserve(HEAD_BYTES_USUAL);
        write_status(&mut output, asked.version, parts.status);
        write_headers(&mut output, &parts.headers, parts.extensions.get());
        if let Some(length) = told {
            write_header(&mut output, header::CONTENT_LENGTH.as_str(), length.as_bytes());
        }
        if matches!(framing, Framing::Chunks(_)) {
            write_header(&mut output, header::TRANSFER_ENCODING.as_str(), b"chunked");
        }
        match (keeps, asked.version) {
            (false, _) => write_header(&mut output, header::CONNECTION.as_str(), b"close"),
            (true, Version::HTTP_10) => write_header(&mut output, header::CONNECTION.as_str(), b"keep-alive"),
            (true, _) => {}
        }
        output.extend_from_slice(b"\r\n");
        let body = Some(body).filter(|_| framing != Framing::Bytes(0));
        let goes = body.is_none();
        (Self { output, piece: Bytes::new(), framing, goes, keeps }, body)
    }

    /// Whether the connection goes on behind this answer, as its head said.
    pub(super) fn keeps(&self) -> bool {
        self.keeps
    }

    /// Whether there is something that should be written before the body's next piece is known.
    pub(super) fn goes(&self) -> bool {
        self.goes
    }

    /// Whether more of the body fits before something is written.
    pub(super) fn has_room(&self) -> bool {
        self.piece.is_empty() && self.output.len() < GATHERED_BYTES_MAX
    }

    /// Takes the next piece of the body; `true` if it was the last one.
    ///
    /// # Errors
    /// [`Unlike`], if it is longer than the head said.
    pub(super) fn take(&mut self, piece: Bytes) -> Result<bool, Unlike> {
        let bytes = piece.len() as u64;
        if bytes == 0 {
            return Ok(false);
        }
        self.goes = true;
        match &mut self.framing {
            Framing::Bytes(left) => *left = left.checked_sub(bytes).ok_or(Unlike)?,
            Framing::Chunks(begun) => {
                let before = if std::mem::replace(begun, true) { "\r\n" } else { "" };
                self.output.extend_from_slice(format!("{before}{bytes:x}\r\n").as_bytes());
            }
            Framing::Rest => {}
        }
        if piece.len() <= COPIED_BYTES_MAX {
            self.output.extend_from_slice(&piece);
        } else {
            self.piece = piece;
        }
        Ok(self.framing == Framing::Bytes(0))
    }

    /// The body has ended.
    ///
    /// # Errors
    /// [`Unlike`], if it is shorter than the head said.
    pub(super) fn end(&mut self) -> Result<(), Unlike> {
        self.goes = true;
        match self.framing {
            Framing::Bytes(0) | Framing::Rest => {}
            Framing::Bytes(_) => return Err(Unlike),
            Framing::Chunks(true) => self.output.extend_from_slice(b"\r\n0\r\n\r\n"),
            Framing::Chunks(false) => self.output.extend_from_slice(b"0\r\n\r\n"),
        }
        Ok(())
    }
}

/// An answer to what was no request.
pub(super) fn refusal(status: StatusCode) -> BytesMut {
    let asked = Asked { method: Method::GET, version: Version::HTTP_11, keeps: false };
    let mut answer = Response::new(Body::empty());
    *answer.status_mut() = status;
    Outgoing::begin(BytesMut::new(), &asked, answer).0.output
}

/// The framing of a body, and the length that is told of it.
fn framing(version: Version, body: &Body) -> (Framing, Option<HeaderValue>) {
    match body.size_hint().exact() {
        Some(bytes) => (Framing::Bytes(bytes), Some(bytes.into())),
        None if version == Version::HTTP_10 => (Framing::Rest, None),
        None => (Framing::Chunks(false), None),
    }
}

/// Whether whoever answers wants the connection to end.
fn is_closed_by(headers: &HeaderMap) -> bool {
    headers.get(header::CONNECTION).is_some_and(|value| value.as_bytes().eq_ignore_ascii_case(b"close"))
}

fn write_status(output: &mut BytesMut, version: Version, status: StatusCode) {
    output.extend_from_slice(if version == Version::HTTP_10 { b"HTTP/1.0 " } else { b"HTTP/1.1 " });
    output.extend_from_slice(status.as_str().as_bytes());
    output.extend_from_slice(b" ");
    output.extend_from_slice(status.canonical_reason().unwrap_or_default().as_bytes());
    output.extend_from_slice(b"\r\n");
}

fn write_headers(output: &mut BytesMut, headers: &HeaderMap, spelling: Option<&Spelling>) {
    for (name, value) in headers {
        if !is_of_the_connection(name) {
            let spelled = spelling.and_then(|spelling| spelling.of(name.as_str()));
            write_header(output, spelled.unwrap_or(name.as_str()), value.as_bytes());
        }
    }
    if !headers.contains_key(header::DATE) {
        let date = api::time::rfc1123(SystemClock.now());
        write_header(output, header::DATE.as_str(), date.as_bytes());
    }
}

fn write_header(output: &mut BytesMut, name: &str, value: &[u8]) {
    // One look at the room that is left, and not four.
    output.reserve(name.len() + value.len() + 4);
    output.extend_from_slice(name.as_bytes());
    output.extend_from_slice(b": ");
    output.extend_from_slice(value);
    output.extend_from_slice(b"\r\n");
}

/// Whether a header is about the connection and the framing, and so ours.
fn is_of_the_connection(name: &HeaderName) -> bool {
    [header::CONNECTION, header::CONTENT_LENGTH, header::TRANSFER_ENCODING].contains(name)
}

#[cfg(test)]
mod tests;
