//! Heads of answers, and what they say about the body that follows.
//!
//! Of all headers four matter here: the body's length, its coding, whether the connection ends, and how many messages a
//! queue holds, which is said nowhere else. The rest is passed over without being copied. What cannot be understood is
//! an error and never guessed at: a server that frames its answers wrongly must not look fast.

/// How the body of an answer ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Framing {
    /// After this many bytes.
    Length(u64),
    /// With the chunk of no length.
    Chunked,
    /// When the connection closes.
    Close,
}

/// The part of an answer's head that the generator needs.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Head {
    /// The status.
    pub(super) status: u16,
    /// How the body ends.
    pub(super) framing: Framing,
    /// Whether the connection can be used again.
    pub(super) is_kept: bool,
    /// Messages that a queue holds, if that was asked.
    pub(super) messages: Option<u64>,
    /// The bytes of the head itself.
    pub(super) length: usize,
}

impl Head {
    /// Reads the head that `bytes` begin with; `None` if its end is not there yet. `is_bare` says that the
    /// request's method has no bodies in its answers, whatever the headers say.
    pub(super) fn parse(bytes: &[u8], is_bare: bool) -> Result<Option<Self>, String> {
        let mut rest = bytes;
        let Some(line) = take_line(&mut rest) else { return Ok(None) };
        let (status, mut is_kept) = status_line(line).ok_or_else(|| odd("status line", line))?;
        let (mut length, mut is_chunked, mut messages) = (None, false, None);
        loop {
            let Some(line) = take_line(&mut rest) else { return Ok(None) };
            if line.is_empty() {
                break;
            }
            let (name, value) = field(line).ok_or_else(|| odd("header", line))?;
            if name.eq_ignore_ascii_case(b"content-length") {
                length = Some(number(value, 10).ok_or_else(|| odd("header", line))?);
            } else if name.eq_ignore_ascii_case(b"transfer-encoding") {
                if !value.eq_ignore_ascii_case(b"chunked") {
                    return Err(odd("header", line));
                }
                is_chunked = true;
            } else if name.eq_ignore_ascii_case(b"connection") {
                is_kept = !value.eq_ignore_ascii_case(b"close")
                    && (is_kept || value.eq_ignore_ascii_case(b"keep-alive"));
            } else if name.eq_ignore_ascii_case(b"x-ms-approximate-messages-count") {
                messages = Some(number(value, 10).ok_or_else(|| odd("header", line))?);
            }
        }
        let framing = match length {
            _ if is_bare || status < 200 || status == 204 || status == 304 => Framing::Length(0),
            _ if is_chunked => Framing::Chunked,
            Some(length) => Framing::Length(length),
            None => Framing::Close,
        };
        is_kept &= framing != Framing::Close;
        Ok(Some(Self { status, framing, is_kept, messages, length: bytes.len() - rest.len() }))
    }

    /// Whether the real answer is still to come.
    pub(super) fn is_interim(&self) -> bool {
        self.status < 200
    }

    /// Whether the server did what was asked.
    pub(super) fn is_success(&self) -> bool {
        (200..300).contains(&self.status)
    }
}

/// The length that the line before a chunk states; extensions are passed over.
pub(super) fn chunk_length(line: &[u8]) -> Result<u64, String> {
    let digits = line.split(|byte| *byte == b';').next().unwrap_or_default();
    number(digits.trim_ascii(), 16).ok_or_else(|| odd("chunk", line))
}

/// Takes the first line off `rest` and gives it without its end; `None` if its end is not there yet.
pub(super) fn take_line<'a>(rest: &mut &'a [u8]) -> Option<&'a [u8]> {
    let end = rest.iter().position(|byte| *byte == b'\n')?;
    let (line, after) = (rest.get(..end)?, rest.get(end + 1..)?);
    *rest = after;
    Some(line.strip_suffix(b"\r").unwrap_or(line))
}

/// The status, and whether this version of the protocol keeps connections by default.
fn status_line(line: &[u8]) -> Option<(u16, bool)> {
    let minor_and_rest = line.strip_prefix(b"HTTP/1.")?;
    let (minor, rest) = minor_and_rest.split_first()?;
    let digits = rest.strip_prefix(b" ")?.get(..3)?;
    let status = u16::try_from(number(digits, 10)?).ok()?;
    ((100..600).contains(&status) && b"01".contains(minor)).then_some((status, *minor == b'1'))
}

fn field(line: &[u8]) -> Option<(&[u8], &[u8])> {
    let (name, value) = line.split_at(line.iter().position(|byte| *byte == b':')?);
    Some((name, value.get(1..)?.trim_ascii()))
}

/// Digits only: no sign, no space, not nothing.
fn number(digits: &[u8], radix: u32) -> Option<u64> {
    let text = std::str::from_utf8(digits).ok().filter(|text| !text.starts_with('+'))?;
    u64::from_str_radix(text, radix).ok()
}

fn odd(what: &str, line: &[u8]) -> String {
    format!("not understood in the answer: {what} {:?}", String::from_utf8_lossy(line))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn head(text: &str) -> Head {
        Head::parse(text.as_bytes(), false).unwrap().unwrap()
    }

    #[test]
    fn a_head_is_read_whatever_the_case_of_its_names() {
        let text = "HTTP/1.1 201 Created\r\nServer: x\r\nCONTENT-length:  12 \r\nx-ms-a: b:c\r\n\r\nbody";
        let wanted = Head {
            status: 201,
            framing: Framing::Length(12),
            is_kept: true,
            messages: None,
            length: text.len() - 4,
        };
        assert_eq!(head(text), wanted);
    }

    #[test]
    fn every_beginning_of_a_head_asks_for_more() {
        let text = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
        for end in 0..text.len() {
            assert_eq!(Head::parse(&text.as_bytes()[..end], false), Ok(None), "{end}");
        }
        assert_eq!(head(text).framing, Framing::Chunked);
    }

    #[test]
    fn some_answers_have_no_body_whatever_they_say() {
        for status in [100, 204, 304] {
            let text = format!("HTTP/1.1 {status} x\r\ncontent-length: 9\r\n\r\n");
            assert_eq!(head(&text).framing, Framing::Length(0), "{status}");
        }
        let text = b"HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\n";
        assert_eq!(Head::parse(text, true).unwrap().unwrap().framing, Framing::Length(0));
    }

    #[test]
    fn a_connection_ends_when_the_answer_says_so_or_cannot_say_where_it_ends() {
        assert!(!head("HTTP/1.1 200 OK\r\nConnection: Close\r\ncontent-length: 1\r\n\r\n").is_kept);
        assert!(!head("HTTP/1.0 200 OK\r\ncontent-length: 1\r\n\r\n").is_kept);
        assert!(head("HTTP/1.0 200 OK\r\nconnection: keep-alive\r\ncontent-length: 1\r\n\r\n").is_kept);
        let endless = head("HTTP/1.1 200 OK\r\n\r\n");
        assert_eq!((endless.framing, endless.is_kept), (Framing::Close, false));
    }

    #[test]
    fn what_is_not_http_is_refused() {
        for text in [
            "SSH-2.0\r\n",
            "HTTP/2 200 OK\r\n",
            "HTTP/1.1 20 OK\r\n",
            "HTTP/1.1 200 OK\r\nno colon\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: +1\r\n",
            "HTTP/1.1 200 OK\r\ncontent-length: \r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: gzip\r\n",
        ] {
            assert!(Head::parse(text.as_bytes(), false).is_err(), "{text}");
        }
    }

    #[test]
    fn chunks_state_their_length_in_hexadecimal() {
        assert_eq!(chunk_length(b"1a"), Ok(26));
        assert_eq!(chunk_length(b"A ;name=value"), Ok(10));
        for line in [&b""[..], b"-1", b"+1", b"g", b"11111111111111111"] {
            assert!(chunk_length(line).is_err());
        }
    }
}
