//! The body that a request brings, which may outlive its answer.
//!
//! A request can be answered before its body is read: refused, most often. Most clients send to the end all the same
//! and read the answer then. If the body were dropped, HTTP/1.1 would have to close the socket and HTTP/2 to reset the
//! stream; both lose the answer, and the client repeats in vain what it could have known to be wrong. So a body is lent
//! to whoever answers, and what they leave of it is read and thrown away behind them. The answer does not wait for
//! that, as there are clients that listen while they send.
//!
//! It is time that bounds this, not bytes: they are never kept, and a client on a fast line sends gigabytes before it
//! looks. Whoever is still sending then is cut off.
//!
//! A client that waits for our word (`Expect: 100-continue`) and was not given it sends no body, and may take the
//! connection for its next request; bytes thrown away would be that. It is told that the connection ends, in HTTP/1.1;
//! a stream of HTTP/2 ends anyway.
//!
//! This is the rule for both framings. In [`super::http1`] it is the connection that reads, beside writing the answer;
//! what follows here is HTTP/2's, where each request has a task.

use super::Patient;
use api::Body;
use api::body::BodyError;
use bytes::Bytes;
use http::{HeaderMap, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, ready};
use std::time::Duration;

/// How long what is left of a body is read.
pub(super) const DRAINING: Duration = Duration::from_secs(30);

/// A body and how far it has been read.
struct Read {
    body: Patient,
    state: State,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum State {
    /// Nobody has asked for it, so a client that waits for our word still does.
    Untouched,
    Begun,
    /// Read to its end, or broken off.
    Over,
}

/// The server's share of a body that it has lent.
pub(super) struct Brought {
    read: Arc<Mutex<Read>>,
    awaits_word: bool,
}

impl Brought {
    /// Lends the body of a request with these headers.
    pub(super) fn lend(body: Patient, headers: &HeaderMap) -> (Self, Body) {
        let read = Arc::new(Mutex::new(Read { body, state: State::Untouched }));
        let lent = Body::stream(Lent(Arc::clone(&read)));
        (Self { read, awaits_word: headers.contains_key(header::EXPECT) }, lent)
    }

    /// To be called when the answer is known: reads what is left.
    pub(super) fn leave(self) {
        let (state, ended) = {
            let read = lock(&self.read);
            (read.state, read.body.is_end_stream())
        };
        let is_unbidden = self.awaits_word && state == State::Untouched;
        if !(ended || state == State::Over || is_unbidden) {
            tokio::spawn(tokio::time::timeout(DRAINING, drain(self.read)));
        }
    }
}

async fn drain(read: Arc<Mutex<Read>>) {
    while let Some(Ok(_)) = poll_fn(|context| lock(&read).poll(context)).await {}
}

fn lock(read: &Mutex<Read>) -> MutexGuard<'_, Read> {
    read.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Read {
    fn poll(&mut self, context: &mut Context<'_>) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        if self.state == State::Over {
            return Poll::Ready(None);
        }
        self.state = State::Begun;
        let frame = ready!(Pin::new(&mut self.body).poll_frame(context));
        if !matches!(frame, Some(Ok(_))) {
            self.state = State::Over;
        }
        Poll::Ready(frame)
    }
}

/// The borrower's share.
struct Lent(Arc<Mutex<Read>>);

impl HttpBody for Lent {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        lock(&self.0).poll(context)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}
