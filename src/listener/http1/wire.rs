//! The socket of a connection, what has come from it, and how far the body of the running request has been read.
//!
//! The connection's loop and the body that it lends to whoever answers both read here, so it is shared, behind a lock
//! that nobody else wants: both are in one task. A channel between the two would be a copy of the queue that the socket
//! is, and two tasks that wake each other. It is locked for one poll at a time, and never while anything else is
//! polled.

use super::alarm::Alarm;
use super::decoder::{Decoded, Decoder};
use super::head::{Head, HeadReader, Length, Refusal};
use crate::listener::brought::DRAINING;
use api::body::{BodyError, Stalled};
use bytes::{Buf as _, Bytes, BytesMut};
use http::StatusCode;
use std::future::Future as _;
use std::io::{self, IoSlice};
use std::pin::{Pin, pin};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite};

/// Bytes that are read at once while a head, or chunks, are awaited.
const READ_BYTES: usize = 8 << 10;
/// Most bytes that are read at once of a long body: enough that system calls do not count, and little enough that what
/// was read is still in the processor's cache when it is hashed.
const READ_BYTES_MAX: usize = 128 << 10;
/// What lets a client that waits for it send its body.
const WORD: &[u8] = b"HTTP/1.1 100 Continue\r\n\r\n";

/// Why no head has come.
#[derive(Debug)]
pub(super) enum NoHead {
    /// The client is gone, or was silent for too long.
    Over,
    /// What came is none.
    Refused(StatusCode),
}

/// The body of the running request.
#[derive(Debug)]
struct Coming {
    decoder: Decoder,
    /// Whether it broke off; what would be behind it is lost too.
    broken: bool,
    /// What is to be said yet of [`WORD`].
    word: &'static [u8],
}

/// One side of a connection.
#[derive(Debug)]
pub(super) struct Wire<S> {
    stream: S,
    input: BytesMut,
    heads: HeadReader,
    coming: Coming,
    alarm: Alarm,
    /// How long the client may be silent where it has to speak.
    patience: Duration,
    /// The number of the request whose body may be read.
    turn: u64,
}

impl<S: AsyncRead + AsyncWrite + Unpin> Wire<S> {
    pub(super) fn new(stream: S, patience: Duration) -> Self {
        let decoder = Decoder::new(Length::Bytes(0));
        Self {
            stream,
            input: BytesMut::new(),
            heads: HeadReader::default(),
            coming: Coming { decoder, broken: false, word: b"" },
            alarm: Alarm::default(),
            patience,
            turn: 0,
        }
    }

    /// Whether no byte of a further request has come.
    pub(super) fn is_idle(&self) -> bool {
        self.input.is_empty()
    }

    /// Reads the head of the next request.
    pub(super) fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, NoHead>> {
        if self.input.is_empty() && self.input.capacity() > 2 * READ_BYTES {
            // A long body needed it; whoever waits should not hold it.
            self.input = BytesMut::new();
        }
        loop {
            match self.heads.read(&mut self.input) {
                Ok(Some(head)) => {
                    self.alarm.rest();
                    return Poll::Ready(Ok(head));
                }
                Ok(None) => {}
                Err(Refusal(status)) => return Poll::Ready(Err(NoHead::Refused(status))),
            }
            let begins = self.input.is_empty();
            match self.poll_fill(context, READ_BYTES) {
                Poll::Ready(Ok(bytes)) if bytes > 0 => {
                    if begins {
                        self.alarm.rest();
                    }
                }
                Poll::Ready(_) => return Poll::Ready(Err(NoHead::Over)),
                Poll::Pending => {
                    ready!(self.alarm.poll(context, self.patience));
                    return Poll::Ready(Err(NoHead::Over));
                }
            }
        }
    }

    /// The body behind the head that was read last: all of it, if it has come with the head.
    pub(super) fn begin(&mut self, coming: Length, awaits_word: bool) -> Option<Bytes> {
        self.turn += 1;
        let mut decoder = Decoder::new(coming);
        let has_come = decoder.left().is_some_and(|left| left <= self.input.len() as u64);
        let whole = has_come.then(|| match decoder.decode(&mut self.input) {
            Ok(Decoded::Data(bytes)) => bytes,
            Ok(Decoded::More | Decoded::End) | Err(_) => Bytes::new(),
        });
        let word = if awaits_word { WORD } else { b"" };
        self.coming = Coming { decoder, broken: false, word };
        whole
    }

    /// The number of the request that runs.
    pub(super) fn turn(&self) -> u64 {
        self.turn
    }

    /// Takes the body back from whoever answered. Gives what is to be said yet of a word that was begun.
    pub(super) fn take_back(&mut self) -> &'static [u8] {
        self.turn += 1;
        self.alarm.rest();
        let word = std::mem::take(&mut self.coming.word);
        if word.len() < WORD.len() { word } else { b"" }
    }

    /// Whether the client still waits for our word, and so may not send the body at all.
    pub(super) fn is_unbidden(&self) -> bool {
        !self.is_over() && self.coming.word.len() == WORD.len()
    }

    /// Whether all of the body has been read.
    pub(super) fn is_over(&self) -> bool {
        self.coming.decoder.is_over()
    }

    /// Whether the body broke off.
    pub(super) fn is_broken(&self) -> bool {
        self.coming.broken
    }

    /// The body's bytes that are to come, if that is known.
    pub(super) fn left(&self) -> Option<u64> {
        self.coming.decoder.left()
    }

    /// The next piece of the body.
    pub(super) fn poll_body(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Bytes, BodyError>>> {
        let piece = match ready!(self.poll_piece(context)) {
            Ok(Decoded::Data(bytes)) => Some(Ok(bytes)),
            Ok(Decoded::More | Decoded::End) => None,
            Err(error) => {
                self.coming.broken = true;
                Some(Err(error))
            }
        };
        self.alarm.rest();
        Poll::Ready(piece)
    }

    fn poll_piece(&mut self, context: &mut Context<'_>) -> Poll<Result<Decoded, BodyError>> {
        if self.coming.broken {
            return Poll::Ready(Err("the body broke off before".into()));
        }
        loop {
            match self.coming.decoder.decode(&mut self.input) {
                Ok(Decoded::More) => {}
                found => return Poll::Ready(found.map_err(Into::into)),
            }
            while !self.coming.word.is_empty() {
                let said = ready!(Pin::new(&mut self.stream).poll_write(context, self.coming.word))?;
                self.coming.word.advance(some(said)?);
                let _ = Pin::new(&mut self.stream).poll_flush(context)?;
            }
            let awaited = usize::try_from(self.coming.decoder.awaited()).unwrap_or(usize::MAX);
            match self.poll_fill(context, awaited.clamp(READ_BYTES, READ_BYTES_MAX)) {
                Poll::Ready(bytes) => {
                    if bytes? == 0 {
                        return Poll::Ready(Err(io::Error::from(io::ErrorKind::UnexpectedEof).into()));
                    }
                    self.alarm.rest();
                }
                Poll::Pending => {
                    ready!(self.alarm.poll(context, self.patience));
                    return Poll::Ready(Err(Box::new(Stalled)));
                }
            }
        }
    }

    /// Reads what is left of the body and throws it away; `false` if its end does not come.
    pub(super) fn poll_drain(&mut self, context: &mut Context<'_>) -> Poll<bool> {
        loop {
            if self.is_over() || self.coming.broken {
                self.alarm.rest();
                return Poll::Ready(!self.coming.broken);
            }
            match self.coming.decoder.decode(&mut self.input) {
                Ok(Decoded::More) => {}
                Ok(_) => continue,
                Err(_) => return Poll::Ready(self.breaks_off()),
            }
            if self.alarm.has_rung(DRAINING) {
                return Poll::Ready(self.breaks_off());
            }
            match self.poll_fill(context, READ_BYTES_MAX) {
                Poll::Ready(Ok(bytes)) if bytes > 0 => {}
                Poll::Ready(_) => return Poll::Ready(self.breaks_off()),
                Poll::Pending => {
                    ready!(self.alarm.poll(context, DRAINING));
                    return Poll::Ready(self.breaks_off());
                }
            }
        }
    }

    fn breaks_off(&mut self) -> bool {
        self.coming.broken = true;
        false
    }

    /// Whether the client hung up while it waits for its answer. It is not asked while a body is to come, whose reader
    /// finds out, and not when a further request has come, because bytes hide the end behind them.
    pub(super) fn poll_gone(&mut self, context: &mut Context<'_>) -> Poll<()> {
        if !self.is_over() || !self.input.is_empty() {
            return Poll::Pending;
        }
        match ready!(self.poll_fill(context, READ_BYTES)) {
            Ok(bytes) if bytes > 0 => Poll::Pending,
            _ => Poll::Ready(()),
        }
    }

    /// Writes all of both, the one behind the other; what has been written is taken away from them.
    pub(super) fn poll_write(
        &mut self,
        context: &mut Context<'_>,
        first: &mut BytesMut,
        second: &mut Bytes,
    ) -> Poll<io::Result<()>> {
        loop {
            let stream = Pin::new(&mut self.stream);
            let written = match (first.is_empty(), second.is_empty()) {
                (true, true) => return Poll::Ready(Ok(())),
                (false, true) => ready!(stream.poll_write(context, first))?,
                (true, false) => ready!(stream.poll_write(context, second))?,
                (false, false) => {
                    let slices = [IoSlice::new(first), IoSlice::new(second)];
                    ready!(stream.poll_write_vectored(context, &slices))?
                }
            };
            let of_first = some(written)?.min(first.len());
            first.advance(of_first);
            second.advance((written - of_first).min(second.len()));
        }
    }

    /// Has the stream pass on what it holds back.
    pub(super) fn poll_flush(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    /// Ends our half of the connection.
    pub(super) fn poll_shutdown(&mut self, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }

    /// The wait that was is over, and what is waited for next has a time of its own.
    pub(super) fn rest(&mut self) {
        self.alarm.rest();
    }

    /// Reads and throws away all that comes, until the client ends its half or `patience` is over.
    pub(super) fn poll_linger(&mut self, context: &mut Context<'_>, patience: Duration) -> Poll<()> {
        loop {
            self.input.clear();
            match self.poll_fill(context, READ_BYTES_MAX) {
                Poll::Ready(Ok(bytes)) if bytes > 0 && !self.alarm.has_rung(patience) => {}
                Poll::Ready(_) => return Poll::Ready(()),
                Poll::Pending => return self.alarm.poll(context, patience),
            }
        }
    }

    /// Reads some bytes more behind what has come; none at the end of the stream.
    fn poll_fill(&mut self, context: &mut Context<'_>, wanted: usize) -> Poll<io::Result<usize>> {
        // What is left of the buffer will do unless it would make many reads of one. Parts of it that are still in use
        // have the rest replaced; if none are, it is used again.
        if self.input.capacity() - self.input.len() < wanted / 4 {
            self.input.reserve(wanted);
        }
        // It keeps nothing from one poll to the next.
        pin!(self.stream.read_buf(&mut self.input)).poll(context)
    }
}

/// A stream that takes nothing is as good as closed.
fn some(written: usize) -> io::Result<usize> {
    if written == 0 { Err(io::ErrorKind::WriteZero.into()) } else { Ok(written) }
}
