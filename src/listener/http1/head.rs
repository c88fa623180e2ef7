//! Reading the head of a request.
//!
//! `httparse` splits a head into its parts; what may stand in one, and what the parts say of the body behind it, is
//! judged here. Two servers that disagree about where a request ends can be made to take one client's bytes for
//! another's request, so nothing that can be read in two ways is read: it is refused, and the connection with it.
//!
//! | what comes | answer |
//! | --- | --- |
//! | a length and a transfer coding, two different lengths, a length that is not all digits | 400 |
//! | a transfer coding of a client of HTTP/1.0 | 400 |
//! | any transfer coding but `chunked` once | 501 |
//! | two hosts | 400 |
//! | a line that ends in a bare line feed, a folded header, a space before a colon, what else is no HTTP | 400 |
//! | another version of HTTP | 505 |
//! | a head that is too large, too many headers | 431; 414 if that is the target's doing |
//!
//! A request that names no host is read, though the standard would have it refused: scripts send such, there is nothing
//! in it to misread, and what needs a host to find its account says so.
//!
//! # Copies
//! The values of headers and the target are parts of the buffer that the head was read into. Names are those of `http`,
//! which has the usual ones for nothing and copies the others in lower case. What capitals meant something is kept
//! beside them as [`Spelling`].

use api::Spelling;
use bytes::{Bytes, BytesMut};
use http::{HeaderMap, HeaderName, HeaderValue, Method, Request, StatusCode, Uri, Version, header};
use std::mem::MaybeUninit;
use std::ops::Range;

/// Most headers of a request: what Azure needs, and room for metadata.
pub(crate) const HEADERS_MAX: usize = 200;
/// Most bytes of a request's head.
pub(crate) const HEAD_BYTES_MAX: usize = 64 << 10;

/// A request without its body.
#[derive(Debug)]
pub(crate) struct Head {
    /// The request as the rest of the server knows it.
    pub(crate) request: Request<()>,
    /// What comes behind it.
    pub(crate) coming: Length,
    /// Whether the client wants to go on with the connection.
    pub(crate) keeps: bool,
    /// Whether the client waits for our word before it sends the body.
    pub(crate) awaits_word: bool,
}

/// How the end of a body is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Length {
    /// By its bytes, of which there may be none.
    Bytes(u64),
    /// By an empty chunk.
    Chunked,
}

/// What whoever sent such a head is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Refusal(pub(crate) StatusCode);

const BAD: Refusal = Refusal(StatusCode::BAD_REQUEST);

/// Reads heads, one after another, from what has come.
#[derive(Debug, Default)]
pub(crate) struct HeadReader {
    /// Bytes of the head that were there when it was last tried.
    tried: usize,
    /// Names and places of the headers of the head that is being read: kept for the next one's.
    places: Vec<(HeaderName, Range<usize>)>,
}

impl HeadReader {
    /// Takes a head from the front of what has come; nothing as long as it is not whole.
    ///
    /// # Errors
    /// What the client is told. There is no way to go on with the connection then.
    pub(crate) fn read(&mut self, input: &mut BytesMut) -> Result<Option<Head>, Refusal> {
        if !self.is_worth_trying(input) {
            return Ok(None);
        }
        let head = self.parse(input)?;
        self.tried = if head.is_some() { 0 } else { input.len() };
        Ok(head)
    }

    /// Whether the head may be whole now. A head is looked at from its beginning each time, so one that comes byte by
    /// byte is not looked at each time: only when a line that could be the last has ended, and when it has doubled.
    fn is_worth_trying(&self, input: &[u8]) -> bool {
        let known = self.tried.saturating_sub(3);
        let new = input.get(known..).unwrap_or_default();
        let is_last = |at: &[u8]| at.starts_with(b"\n\n") || at.starts_with(b"\n\r\n");
        let doubled = input.len() >= self.tried.saturating_mul(2) || input.len() >= HEAD_BYTES_MAX;
        !input.is_empty()
            && (self.tried == 0 || doubled || new.windows(3).any(is_last) || new.ends_with(b"\n\n"))
    }

    fn parse(&mut self, input: &mut BytesMut) -> Result<Option<Head>, Refusal> {
        let mut room = [const { MaybeUninit::uninit() }; HEADERS_MAX];
        let mut parsed = httparse::Request::new(&mut []);
        let length = match parsed.parse_with_uninit_headers(input, &mut room) {
            Ok(httparse::Status::Complete(length)) if length <= HEAD_BYTES_MAX => length,
            Ok(httparse::Status::Partial) if input.len() < HEAD_BYTES_MAX => return Ok(None),
            Ok(_) => return Err(too_large(input)),
            Err(httparse::Error::TooManyHeaders) => return Err(too_large(b"\n")),
            Err(httparse::Error::Version) => return other_version(input),
            Err(_) => return Err(BAD),
        };
        let (Some(method), Some(target), Some(minor)) = (parsed.method, parsed.path, parsed.version) else {
            return Err(BAD);
        };
        let method = Method::from_bytes(method.as_bytes()).map_err(|_| BAD)?;
        let target = place(input, target.as_bytes());
        if !begins_and_ends_whole(input, target.end, length) {
            return Err(BAD);
        }
        let version = if minor == 0 { Version::HTTP_10 } else { Version::HTTP_11 };
        let mut spelling = Spelling::default();
        self.places.clear();
        for header in &*parsed.headers {
            let name = HeaderName::from_bytes(header.name.as_bytes()).map_err(|_| BAD)?;
            spelling.note(header.name.as_bytes());
            let value = place(input, header.value);
            if !is_at_return(input, value.end) {
                return Err(BAD);
            }
            self.places.push((name, value));
        }
        let bytes = input.split_to(length).freeze();
        let mut headers = HeaderMap::with_capacity(self.places.len());
        let mut said = Said::default();
        for (name, at) in self.places.drain(..) {
            let value = HeaderValue::from_maybe_shared(part(&bytes, at)).map_err(|_| BAD)?;
            if said.take(&name, value.as_bytes())? {
                headers.try_append(name, value).map_err(|_| too_large(b"\n"))?;
            }
        }
        let mut request = Request::new(());
        *request.method_mut() = method;
        *request.uri_mut() = uri(part(&bytes, target))?;
        *request.version_mut() = version;
        *request.headers_mut() = headers;
        if !spelling.is_empty() {
            request.extensions_mut().insert(spelling);
        }
        said.into_head(request).map(Some)
    }
}

/// Where in `whole` this part of it lies.
fn place(whole: &[u8], part: &[u8]) -> Range<usize> {
    let start = part.as_ptr().addr().saturating_sub(whole.as_ptr().addr());
    start..start.saturating_add(part.len())
}

/// The part at this place. What lies nowhere in the head is empty.
fn part(head: &Bytes, at: Range<usize>) -> Bytes {
    if at.end <= head.len() { head.slice(at) } else { Bytes::new() }
}

/// The target. What is no address at all, and what is too long for one, is told apart.
fn uri(target: Bytes) -> Result<Uri, Refusal> {
    let is_too_long = target.len() > usize::from(u16::MAX) - 1;
    let refusal = if is_too_long { Refusal(StatusCode::URI_TOO_LONG) } else { BAD };
    Uri::from_maybe_shared(target).map_err(|_| refusal)
}

/// Whether the line of which nothing but white space is left here ends with a carriage return. `httparse` has seen the
/// line feed, and would do without the other.
fn is_at_return(input: &[u8], at: usize) -> bool {
    let rest = input.get(at..).unwrap_or_default();
    rest.iter().find(|byte| !matches!(byte, b' ' | b'\t')) == Some(&b'\r')
}

/// The same for the empty lines before a head, its first line, whose target ends here, and the empty one that ends it.
fn begins_and_ends_whole(input: &[u8], target_end: usize, length: usize) -> bool {
    let mut begin = input;
    while let Some(rest) = begin.strip_prefix(b"\r\n") {
        begin = rest;
    }
    let version = " HTTP/1.1".len();
    !begin.starts_with(b"\n")
        && is_at_return(input, target_end.saturating_add(version))
        && input.get(..length).is_some_and(|head| head.ends_with(b"\r\n"))
}

/// The refusal of a head beyond [`HEAD_BYTES_MAX`]: of its target, if its first line did not end before.
fn too_large(input: &[u8]) -> Refusal {
    let has_line = input.iter().take(HEAD_BYTES_MAX).any(|byte| *byte == b'\n');
    Refusal(if has_line { StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE } else { StatusCode::URI_TOO_LONG })
}

/// What to say to a first line that does not end as one of HTTP/1 does, when it is there to its end.
fn other_version(input: &[u8]) -> Result<Option<Head>, Refusal> {
    let text = input.trim_ascii_start();
    let Some(end) = text.iter().position(|byte| *byte == b'\n') else {
        return if input.len() < HEAD_BYTES_MAX { Ok(None) } else { Err(BAD) };
    };
    let line = text.get(..end).unwrap_or_default().trim_ascii_end();
    let mut words = line.split(|byte| *byte == b' ').skip(2);
    match (words.next(), words.next()) {
        (Some([b'H', b'T', b'T', b'P', b'/', major, b'.', minor]), None)
            if major.is_ascii_digit() && minor.is_ascii_digit() =>
        {
            Err(Refusal(StatusCode::HTTP_VERSION_NOT_SUPPORTED))
        }
        _ => Err(BAD),
    }
}

/// What the headers say of the framing.
#[derive(Debug, Default)]
struct Said {
    length: Option<u64>,
    chunked: bool,
    has_host: bool,
    /// Whether the client said that it goes on with the connection, or that it does not, which counts more.
    keeps: Option<bool>,
    awaits_word: bool,
}

impl Said {
    /// Takes note of a header; `false` if it says a second time what was said.
    fn take(&mut self, name: &HeaderName, value: &[u8]) -> Result<bool, Refusal> {
        if name == header::CONTENT_LENGTH {
            let length = number(value).ok_or(BAD)?;
            let before = self.length.replace(length);
            return if before.is_none_or(|before| before == length) {
                Ok(before.is_none())
            } else {
                Err(BAD)
            };
        }
        if name == header::TRANSFER_ENCODING {
            if self.chunked || !value.eq_ignore_ascii_case(b"chunked") {
                return Err(Refusal(StatusCode::NOT_IMPLEMENTED));
            }
            self.chunked = true;
        } else if name == header::HOST {
            if std::mem::replace(&mut self.has_host, true) {
                return Err(BAD);
            }
        } else if name == header::CONNECTION {
            for word in value.split(|byte| *byte == b',').map(<[u8]>::trim_ascii) {
                if word.eq_ignore_ascii_case(b"close") {
                    self.keeps = Some(false);
                } else if word.eq_ignore_ascii_case(b"keep-alive") {
                    self.keeps = self.keeps.or(Some(true));
                }
            }
        } else if name == header::EXPECT {
            self.awaits_word |= value.eq_ignore_ascii_case(b"100-continue");
        }
        Ok(true)
    }

    fn into_head(self, request: Request<()>) -> Result<Head, Refusal> {
        let is_old = request.version() == Version::HTTP_10;
        let coming = match (self.length, self.chunked) {
            (Some(_), true) => return Err(BAD),
            (None, true) if is_old => return Err(BAD),
            (None, true) => Length::Chunked,
            (length, false) => Length::Bytes(length.unwrap_or(0)),
        };
        Ok(Head {
            request,
            coming,
            keeps: self.keeps.unwrap_or(!is_old),
            // A client of HTTP/1.0 knows no such word.
            awaits_word: self.awaits_word && !is_old && coming != Length::Bytes(0),
        })
    }
}

/// Digits and nothing else: `parse` would take a sign.
fn number(text: &[u8]) -> Option<u64> {
    let is_number = !text.is_empty() && text.iter().all(u8::is_ascii_digit);
    is_number.then(|| std::str::from_utf8(text).ok()?.parse().ok()).flatten()
}

#[cfg(test)]
mod tests;
