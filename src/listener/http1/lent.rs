//! The body of a request, as whoever answers it has it: read from the connection when it is asked for.
//!
//! It is lent. When the answer is known it is taken back, by giving the next request another number: what would be read
//! through an old one could be the next request, and is refused.

use super::wire::Wire;
use api::body::BodyError;
use bytes::Bytes;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use tokio::io::{AsyncRead, AsyncWrite};

/// The body of the request of this number.
pub(super) struct Lent<S> {
    wire: Arc<Mutex<Wire<S>>>,
    turn: u64,
}

/// The connection, for one poll.
pub(super) fn lock<S>(wire: &Mutex<Wire<S>>) -> MutexGuard<'_, Wire<S>> {
    wire.lock().unwrap_or_else(PoisonError::into_inner)
}

impl<S: AsyncRead + AsyncWrite + Unpin> Lent<S> {
    /// The body of the request of this number.
    pub(super) fn new(wire: &Arc<Mutex<Wire<S>>>, turn: u64) -> Self {
        Self { wire: Arc::clone(wire), turn }
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> HttpBody for Lent<S> {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        let mut wire = lock(&self.wire);
        if wire.turn() != self.turn {
            return Poll::Ready(Some(Err("the request was answered before its body was read".into())));
        }
        let piece = ready!(wire.poll_body(context));
        Poll::Ready(piece.map(|piece| piece.map(Frame::data)))
    }

    fn is_end_stream(&self) -> bool {
        let wire = lock(&self.wire);
        wire.turn() == self.turn && wire.is_over()
    }

    fn size_hint(&self) -> SizeHint {
        let wire = lock(&self.wire);
        let left = if wire.turn() == self.turn { wire.left() } else { None };
        left.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}
