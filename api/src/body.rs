//! Bodies: what comes in, already judged by its operation's row, and what goes out.

use crate::error::{ErrorCode, StorageError};
use bytes::{Bytes, BytesMut};
use futures_util::future::poll_fn;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::fmt;
use std::pin::Pin;
use std::task::{Context, Poll};

/// The client stopped sending in the middle of a body.
#[derive(Debug, Clone, Copy)]
pub struct Stalled;

impl fmt::Display for Stalled {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the client stopped sending")
    }
}

impl std::error::Error for Stalled {}

/// Why a body ended before its end: [`Stalled`], or what the framing below us says.
pub type BodyError = Box<dyn std::error::Error + Send + Sync>;
type BoxBody = Pin<Box<dyn HttpBody<Data = Bytes, Error = BodyError> + Send>>;

/// A body of a request or a response: bytes at hand, or bytes to come.
pub struct Body(Inner);

enum Inner {
    Full(Bytes),
    Stream(BoxBody),
}

impl Body {
    /// No bytes.
    pub fn empty() -> Self {
        Self::full(Bytes::new())
    }

    /// These bytes.
    pub fn full(bytes: impl Into<Bytes>) -> Self {
        Self(Inner::Full(bytes.into()))
    }

    /// Bytes to come.
    pub fn stream(body: impl HttpBody<Data = Bytes, Error = BodyError> + Send + 'static) -> Self {
        Self(Inner::Stream(Box::pin(body)))
    }
}

impl fmt::Debug for Body {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.0 {
            Inner::Full(bytes) => write!(f, "Body({} bytes)", bytes.len()),
            Inner::Stream(_) => f.write_str("Body(stream)"),
        }
    }
}

impl HttpBody for Body {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        match &mut self.0 {
            Inner::Full(bytes) if bytes.is_empty() => Poll::Ready(None),
            Inner::Full(bytes) => Poll::Ready(Some(Ok(Frame::data(std::mem::take(bytes))))),
            Inner::Stream(body) => body.as_mut().poll_frame(context),
        }
    }

    fn is_end_stream(&self) -> bool {
        match &self.0 {
            Inner::Full(bytes) => bytes.is_empty(),
            Inner::Stream(body) => body.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match &self.0 {
            Inner::Full(bytes) => SizeHint::with_exact(bytes.len() as u64),
            Inner::Stream(body) => body.size_hint(),
        }
    }
}

/// What an operation takes as its body. Limits are bytes; more is refused before it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BodyKind {
    /// Nothing. What comes all the same is ignored, as the service does.
    None,
    /// A document, handed over whole.
    Whole(u64),
    /// Bytes, handed over as they arrive.
    Stream(u64),
}

/// A request's body, as its row asked for it.
#[derive(Debug)]
pub enum Payload {
    /// The row takes none.
    None,
    /// The whole document.
    Whole(Bytes),
    /// Bytes to come.
    Stream(Incoming),
}

impl Payload {
    /// The document; empty if the row takes none.
    pub fn whole(self) -> Bytes {
        match self {
            Self::Whole(bytes) => bytes,
            Self::None | Self::Stream(_) => Bytes::new(),
        }
    }

    /// The bytes to come; none if the row takes a document.
    pub fn stream(self) -> Incoming {
        match self {
            Self::Stream(incoming) => incoming,
            Self::None | Self::Whole(_) => Incoming::new(Body::empty(), 0),
        }
    }
}

/// Bytes of a request as they arrive, up to a limit.
#[derive(Debug)]
pub struct Incoming {
    body: Body,
    limit: u64,
    received: u64,
}

impl Incoming {
    /// `body`, of which at most `limit` bytes are taken.
    pub fn new(body: Body, limit: u64) -> Self {
        Self { body, limit, received: 0 }
    }

    /// The next bytes; none at the end.
    ///
    /// # Errors
    /// `RequestBodyTooLarge` behind the limit; `RequestTimedOut` or `InvalidInput` if the client stopped sending.
    pub async fn next(&mut self) -> Result<Option<Bytes>, StorageError> {
        loop {
            let frame = poll_fn(|context| Pin::new(&mut self.body).poll_frame(context)).await;
            let Some(frame) = frame else { return Ok(None) };
            let frame = frame.map_err(|error| {
                // Clients repeat what timed out; bytes that are no body would be none the second time either.
                let code =
                    if error.is::<Stalled>() { ErrorCode::RequestTimedOut } else { ErrorCode::InvalidInput };
                StorageError::new(code).caused_by(error)
            })?;
            let Ok(data) = frame.into_data() else { continue };
            self.received += data.len() as u64;
            if self.received > self.limit {
                return Err(StorageError::too_large(self.limit));
            }
            if !data.is_empty() {
                return Ok(Some(data));
            }
        }
    }

    /// All bytes.
    ///
    /// # Errors
    /// As [`Incoming::next`].
    pub async fn collect(mut self) -> Result<Bytes, StorageError> {
        let Some(first) = self.next().await? else { return Ok(Bytes::new()) };
        let Some(second) = self.next().await? else { return Ok(first) };
        let mut whole = BytesMut::from(first.as_ref());
        whole.extend_from_slice(&second);
        while let Some(more) = self.next().await? {
            whole.extend_from_slice(&more);
        }
        Ok(whole.freeze())
    }
}
