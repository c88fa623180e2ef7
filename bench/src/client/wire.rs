//! The socket of a connection, with the one buffer that answers are read into.
//!
//! The buffer is larger than most answers, so that one read takes a whole one, and small enough to stay in
//! the processor's cache while a large one passes through. A read that does not fill it tells the runtime
//! that the socket is empty, which saves asking once more. Nothing is allocated after connecting.

use bytes::Buf;
use std::io::{Error, ErrorKind, Result};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;

/// Room for what was received and not yet looked at; also the greatest length of an answer's head.
const INBOUND_BYTES: usize = 128 * 1024;

/// A connected socket and what it has received.
#[derive(Debug)]
pub(super) struct Wire {
    stream: TcpStream,
    inbound: Box<[u8]>,
    start: usize,
    end: usize,
    /// Whether anything was received since [`Wire::write`].
    is_answered: bool,
    /// Whether an answer was received whole on it.
    pub(super) is_proven: bool,
}

impl Wire {
    /// Connects.
    pub(super) async fn connect(host: &str, port: u16) -> Result<Self> {
        let stream = TcpStream::connect((host, port)).await?;
        stream.set_nodelay(true)?;
        let inbound = vec![0; INBOUND_BYTES].into_boxed_slice();
        Ok(Self { stream, inbound, start: 0, end: 0, is_answered: false, is_proven: false })
    }

    /// Sends `head` and then `body`, together as far as the socket takes them.
    pub(super) async fn write(&mut self, head: &[u8], body: &[u8]) -> Result<()> {
        self.is_answered = false;
        if body.is_empty() {
            return self.stream.write_all(head).await;
        }
        self.stream.write_all_buf(&mut Buf::chain(head, body)).await
    }

    /// What was received and not consumed.
    pub(super) fn received(&self) -> &[u8] {
        self.inbound.get(self.start..self.end).unwrap_or_default()
    }

    /// Drops the first `count` bytes of what was received.
    pub(super) fn consume(&mut self, count: usize) {
        self.start = self.end.min(self.start + count);
        if self.start == self.end {
            (self.start, self.end) = (0, 0);
        }
    }

    /// Waits until more is received; `false` if the other side has closed.
    pub(super) async fn fill(&mut self) -> Result<bool> {
        if self.end == self.inbound.len() {
            self.inbound.copy_within(self.start..self.end, 0);
            (self.start, self.end) = (0, self.end - self.start);
        }
        let room = self.inbound.get_mut(self.end..).unwrap_or_default();
        if room.is_empty() {
            return Err(Error::new(ErrorKind::InvalidData, "the head of the answer does not end"));
        }
        let count = self.stream.read(room).await?;
        self.end += count;
        self.is_answered |= count > 0;
        Ok(count > 0)
    }

    /// Waits until more is received; the other side must not close.
    pub(super) async fn fill_more(&mut self) -> Result<()> {
        if self.fill().await? {
            return Ok(());
        }
        Err(Error::new(ErrorKind::UnexpectedEof, "closed before the answer ended"))
    }

    /// Whether the server may have closed this connection for being idle, before it saw the last request:
    /// it had answered before, and to this request not a byte came.
    pub(super) fn was_stale(&self) -> bool {
        self.is_proven && !self.is_answered
    }
}
