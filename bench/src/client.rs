//! One keep-alive connection, and the requests that go over it.
//!
//! HTTP/1.1 is spoken here by hand, since a general client costs several times what the server's side of a
//! small request does, and on shared processors that is what would be measured: a request is one write from a
//! buffer that stays, an answer usually one read into another. Bodies are counted as they arrive and kept
//! only when the caller has to read them.
//!
//! There is no pool. A connection belongs to one sequence of operations, so that "16 connections" means
//! sixteen. A request that failed is counted and not tried again, with one exception: servers close
//! connections that were idle, and a request that meets such a closing, unanswered, goes once over a new one.
//! After any other transport error the next request connects anew.

mod answer;
mod request;
mod wire;

use crate::subject::{Service, Subject};
use answer::{Framing, Head, chunk_length, take_line};
use bytes::Bytes;
use http::Method;
use request::Outbound;
use std::fmt;
use std::sync::Arc;
use std::time::Duration;
use wire::Wire;

/// How long an answer may take before the request counts as failed.
const PATIENCE: Duration = Duration::from_mins(1);
/// How much of a refusal's body is kept for the report.
const REFUSAL_BYTES_MAX: usize = 600;

/// A request that is not yet signed.
#[derive(Debug, Clone)]
pub(crate) struct Call<'a> {
    /// The method.
    pub(crate) method: Method,
    /// The encoded path after the account's prefix, beginning with a slash.
    pub(crate) path: &'a str,
    /// Query parameters in the order of their names; values are not encoded.
    pub(crate) query: &'a [(&'a str, &'a str)],
    /// Headers in the order of their lower-case names.
    pub(crate) headers: &'a [(&'static str, &'a str)],
    /// The body.
    pub(crate) body: Bytes,
}

/// Which answers' bodies are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Keep {
    /// Only count the bytes.
    Length,
    /// Keep them all.
    Body,
    /// Keep them, and the heads before them.
    Whole,
}

/// A successful answer.
#[derive(Debug, Default)]
pub(crate) struct Reply {
    /// How many bytes the body had.
    pub(crate) length: u64,
    head: Vec<u8>,
    /// How many messages the queue holds, if that was asked.
    pub(crate) messages: Option<u64>,
    body: Vec<u8>,
}

impl Reply {
    /// The body as text; empty if it is not UTF-8 or was not kept.
    pub(crate) fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap_or_default()
    }

    /// The value of a header, whose name is compared without case; none if there is none or heads are not kept.
    pub(crate) fn header(&self, name: &str) -> Option<&str> {
        let head = std::str::from_utf8(&self.head).unwrap_or_default();
        let mut fields = head.lines().filter_map(|line| line.split_once(':'));
        fields.find(|(other, _)| other.eq_ignore_ascii_case(name)).map(|(_, value)| value.trim())
    }
}

/// Why an operation does not count as done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Failure {
    /// The server answered with a status other than success; the text is the start of its body.
    Refused(u16, String),
    /// The connection could not be made or broke.
    Transport(String),
    /// No answer within a minute.
    Silent,
    /// The answer says success and is not what was asked for.
    Wrong(String),
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(status, body) => write!(f, "status {status}: {body}"),
            Self::Transport(text) => write!(f, "connection: {text}"),
            Self::Silent => write!(f, "no answer in {} s", PATIENCE.as_secs()),
            Self::Wrong(text) => write!(f, "wrong answer: {text}"),
        }
    }
}

fn transport(error: impl fmt::Display) -> Failure {
    Failure::Transport(error.to_string())
}

/// One connection to one service.
#[derive(Debug)]
pub(crate) struct Connection {
    subject: Arc<Subject>,
    service: Service,
    wire: Option<Wire>,
    outbound: Outbound,
}

impl Connection {
    /// A connection that will be made by the first request or by [`Connection::open`].
    pub(crate) fn new(subject: Arc<Subject>, service: Service) -> Self {
        Self { subject, service, wire: None, outbound: Outbound::default() }
    }

    /// Connects, if not connected.
    pub(crate) async fn open(&mut self) -> Result<(), Failure> {
        if self.wire.is_none() {
            let endpoint = self.subject.endpoint(self.service);
            self.wire = Some(Wire::connect(&endpoint.host, endpoint.port).await.map_err(transport)?);
        }
        Ok(())
    }

    /// Signs and sends `call`, and reads the whole answer.
    pub(crate) async fn send(&mut self, call: &Call<'_>, keep: Keep) -> Result<Reply, Failure> {
        let answer = tokio::time::timeout(PATIENCE, self.exchange(call, keep)).await;
        let answer = answer.unwrap_or(Err(Failure::Silent));
        if matches!(answer, Err(Failure::Transport(_) | Failure::Silent)) {
            self.wire = None;
        }
        answer
    }

    async fn exchange(&mut self, call: &Call<'_>, keep: Keep) -> Result<Reply, Failure> {
        let body = self.outbound.write(&self.subject, self.service, call)?;
        let answer = self.exchange_once(call, body, keep).await;
        if !matches!(answer, Err(Failure::Transport(_))) || !self.wire.as_ref().is_some_and(Wire::was_stale) {
            return answer;
        }
        self.wire = None;
        self.exchange_once(call, body, keep).await
    }

    /// Sends what was written, with the rest of the body, and reads the answer.
    async fn exchange_once(&mut self, call: &Call<'_>, body: &[u8], keep: Keep) -> Result<Reply, Failure> {
        self.open().await?;
        let wire = self.wire.as_mut().ok_or_else(|| transport("not connected"))?;
        // A server may refuse a body and close before having read it: the refusal is still there to read.
        let sent = wire.write(self.outbound.bytes(), body).await.map_err(transport);
        let (head, answer) = match receive(wire, call.method == Method::HEAD, keep).await {
            Ok(received) => received,
            Err(failure) => return Err(sent.err().unwrap_or(failure)),
        };
        wire.is_proven = true;
        if sent.is_err() || !head.is_kept {
            self.wire = None;
        } else if !wire.received().is_empty() {
            return Err(transport("there are bytes after the answer"));
        }
        if head.is_success() {
            return Ok(answer);
        }
        let text = String::from_utf8_lossy(&answer.body).split_whitespace().collect::<Vec<_>>().join(" ");
        Err(Failure::Refused(head.status, text))
    }
}

/// Reads one answer whole.
async fn receive(wire: &mut Wire, is_bare: bool, keep: Keep) -> Result<(Head, Reply), Failure> {
    let (head, bytes) = receive_head(wire, is_bare, keep).await?;
    let keep_bytes_max = match keep {
        _ if !head.is_success() => REFUSAL_BYTES_MAX,
        Keep::Length => 0,
        Keep::Body | Keep::Whole => usize::MAX,
    };
    let mut sink =
        Sink { reply: Reply { head: bytes, messages: head.messages, ..Reply::default() }, keep_bytes_max };
    match head.framing {
        Framing::Length(length) => receive_bytes(wire, length, &mut sink).await?,
        Framing::Chunked => receive_chunks(wire, &mut sink).await?,
        Framing::Close => loop {
            let received = wire.received();
            sink.take(received);
            wire.consume(received.len());
            if !wire.fill().await.map_err(transport)? {
                break;
            }
        },
    }
    Ok((head, sink.reply))
}

/// Reads the head of the next answer that is not an interim one; gives its bytes too, if they are to be kept.
async fn receive_head(wire: &mut Wire, is_bare: bool, keep: Keep) -> Result<(Head, Vec<u8>), Failure> {
    loop {
        match Head::parse(wire.received(), is_bare).map_err(transport)? {
            Some(head) => {
                let kept = if keep == Keep::Whole { head.length } else { 0 };
                let bytes = wire.received().get(..kept).unwrap_or_default().to_vec();
                wire.consume(head.length);
                if !head.is_interim() {
                    return Ok((head, bytes));
                }
            }
            None => wire.fill_more().await.map_err(transport)?,
        }
    }
}

async fn receive_bytes(wire: &mut Wire, length: u64, sink: &mut Sink) -> Result<(), Failure> {
    let mut left = length;
    while left > 0 {
        if wire.received().is_empty() {
            wire.fill_more().await.map_err(transport)?;
        }
        let received = wire.received();
        let wanted = usize::try_from(left).unwrap_or(usize::MAX).min(received.len());
        sink.take(received.get(..wanted).unwrap_or_default());
        wire.consume(wanted);
        left -= wanted as u64;
    }
    Ok(())
}

async fn receive_chunks(wire: &mut Wire, sink: &mut Sink) -> Result<(), Failure> {
    loop {
        let length = receive_line(wire, chunk_length).await?.map_err(transport)?;
        if length == 0 {
            break;
        }
        receive_bytes(wire, length, sink).await?;
        if !receive_line(wire, <[u8]>::is_empty).await? {
            return Err(transport("a chunk of the answer is longer than it says"));
        }
    }
    // What may follow the last chunk are headers, which end as the others do.
    while !receive_line(wire, <[u8]>::is_empty).await? {}
    Ok(())
}

/// Waits for a line and gives what `read` makes of it.
async fn receive_line<T>(wire: &mut Wire, read: impl Fn(&[u8]) -> T) -> Result<T, Failure> {
    loop {
        let received = wire.received();
        let mut rest = received;
        if let Some(line) = take_line(&mut rest) {
            let (value, count) = (read(line), received.len() - rest.len());
            wire.consume(count);
            return Ok(value);
        }
        wire.fill_more().await.map_err(transport)?;
    }
}

/// Counts a body and keeps its beginning.
struct Sink {
    reply: Reply,
    keep_bytes_max: usize,
}

impl Sink {
    fn take(&mut self, data: &[u8]) {
        self.reply.length += data.len() as u64;
        let wanted = self.keep_bytes_max.saturating_sub(self.reply.body.len()).min(data.len());
        self.reply.body.extend_from_slice(data.get(..wanted).unwrap_or_default());
    }
}

#[cfg(test)]
mod tests;
