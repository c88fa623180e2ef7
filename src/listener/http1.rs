//! A connection that speaks HTTP/1.1, framed by us.
//!
//! # Why not hyper
//! The service keeps the case in which the names of metadata came ([`api::Spelling`]), and hyper hands over lower case
//! only; it remembers the case in a type that nobody outside it can read. And what is between a socket and the engine
//! is what this server is for: here a request and its answer are one task without a channel, a body is read by whoever
//! asks for it, into the buffers that the engine is given, and an answer is one write. hyper frames HTTP/2, which has
//! neither capitals nor a body alone on its connection, and speaks to other servers.
//!
//! # The parts
//! [`head`] reads a request up to its body, [`decoder`] finds the body, [`answer`] makes bytes of an answer; all three
//! are pure. [`wire`] is the socket, [`lent`] the body as whoever answers has it, [`alarm`] the limit of time. This
//! file is the order in which they are used.
//!
//! # What is kept
//! - Requests are answered in the order in which they came, the next one being read when the one before has been
//!   answered.
//! - What an answer leaves of its request's body is read behind it, as [`super::brought`] says for both framings.
//! - A client that hangs up while its request runs has the request dropped. One that ends only its own half counts as
//!   gone: the two cannot be told apart before it is written to.
//! - A body of an answer that fails ends the connection in the middle, so that no part is taken for the whole.
//! - A server that stops ends connections on which nothing has come at once, and the others behind the request that
//!   runs.
//! - A connection that ends while the client may be sending is closed in two steps, our half first: closing a socket
//!   with bytes unread throws away what the client has not read yet.

use super::{Answer, PATIENCE};
use answer::{Asked, Outgoing, refusal};
use api::{Arrival, Body};
use bytes::{Bytes, BytesMut};
use head::Head;
use http::{Request, Response};
use http_body::Body as _;
use lent::{Lent, lock};
use std::future::{Future, poll_fn};
use std::pin::{Pin, pin};
use std::sync::{Arc, Mutex};
use std::task::{Context, Poll, ready};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::watch;
use wire::{NoHead, Wire};

mod alarm;
mod answer;
mod decoder;
pub(super) mod head;
mod lent;
mod wire;

/// How long a client is listened to that was told that the connection ends.
const LINGERING: Duration = Duration::from_secs(2);

/// Serves the connection to its end; when `stopping` says so, only to the end of the request that runs.
pub(super) async fn serve<S, A>(stream: S, arrival: Arrival, answer: Arc<A>, stopping: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answer,
{
    serve_patiently(stream, arrival, answer, stopping, PATIENCE).await;
}

async fn serve_patiently<S, A>(
    stream: S,
    arrival: Arrival,
    answer: Arc<A>,
    mut stopping: watch::Receiver<bool>,
    patience: Duration,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answer,
{
    let stop = pin!(async move {
        let _ = stopping.wait_for(|stop| *stop).await;
    });
    let stop = Stop { told: stop, is_told: false };
    let wire = Arc::new(Mutex::new(Wire::new(stream, patience)));
    let mut connection = Connection { wire, arrival, answer, stop, output: BytesMut::new() };
    match connection.run().await {
        End::Cut => {}
        End::Quiet => drop(connection.shut_down().await),
        End::Lingering => connection.linger().await,
    }
}

/// How a connection ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// In the middle of something, or because the client has ended it.
    Cut,
    /// When all is said.
    Quiet,
    /// When all is said on our side, and the client may not know.
    Lingering,
}

/// The word to stop.
struct Stop<F> {
    told: F,
    is_told: bool,
}

impl<F: Future<Output = ()> + Unpin> Stop<F> {
    /// Whether to stop; if not, whoever polls is woken when it is.
    fn poll(&mut self, context: &mut Context<'_>) -> bool {
        self.is_told = self.is_told || Pin::new(&mut self.told).poll(context).is_ready();
        self.is_told
    }
}

struct Connection<S, A, F> {
    wire: Arc<Mutex<Wire<S>>>,
    arrival: Arrival,
    answer: Arc<A>,
    stop: Stop<F>,
    /// What the heads of answers are written into.
    output: BytesMut,
}

impl<S, A, F> Connection<S, A, F>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answer,
    F: Future<Output = ()> + Unpin,
{
    async fn run(&mut self) -> End {
        loop {
            let head = match poll_fn(|context| self.poll_head(context)).await {
                Ok(head) => head,
                Err(NoHead::Over) => return End::Quiet,
                Err(NoHead::Refused(status)) => {
                    let (mut told, mut nothing) = (refusal(status), Bytes::new());
                    let written =
                        poll_fn(|context| lock(&self.wire).poll_write(context, &mut told, &mut nothing))
                            .await;
                    return if written.is_ok() { End::Lingering } else { End::Cut };
                }
            };
            let mut asked = Asked {
                method: head.request.method().clone(),
                version: head.request.version(),
                keeps: head.keeps,
            };
            let request = self.lend(head);
            let Some(answer) = self.answered(request).await else { return End::Cut };
            asked.keeps &= !poll_fn(|context| Poll::Ready(self.stop.poll(context))).await;
            match self.deliver(asked, answer).await {
                None => {}
                Some(end) => return end,
            }
        }
    }

    /// The next head, unless the server stops before anything of it has come.
    fn poll_head(&mut self, context: &mut Context<'_>) -> Poll<Result<Head, NoHead>> {
        let mut wire = lock(&self.wire);
        if wire.is_idle() && self.stop.poll(context) {
            return Poll::Ready(Err(NoHead::Over));
        }
        wire.poll_head(context)
    }

    /// The request with its body: the bytes, if they came with the head, or what reads them.
    fn lend(&self, head: Head) -> Request<Body> {
        let mut wire = lock(&self.wire);
        let body = match wire.begin(head.coming, head.awaits_word) {
            Some(bytes) => Body::full(bytes),
            None => Body::stream(Lent::new(&self.wire, wire.turn())),
        };
        head.request.map(|()| body)
    }

    /// The answer; none if the client is gone before it is known.
    async fn answered(&self, request: Request<Body>) -> Option<Response<Body>> {
        let mut answer = pin!(self.answer.answer(self.arrival, request));
        poll_fn(|context| {
            if let Poll::Ready(answer) = answer.as_mut().poll(context) {
                return Poll::Ready(Some(answer));
            }
            lock(&self.wire).poll_gone(context).map(|()| None)
        })
        .await
    }

    /// Writes the answer, and reads meanwhile what it left of the body. Gives how the connection ends, if it does.
    async fn deliver(&mut self, mut asked: Asked, answer: Response<Body>) -> Option<End> {
        let is_unbidden = {
            let mut wire = lock(&self.wire);
            let is_unbidden = wire.is_unbidden();
            asked.keeps &= !is_unbidden && !wire.is_broken();
            self.output.clear();
            self.output.extend_from_slice(wire.take_back());
            is_unbidden
        };
        let (mut outgoing, mut body) = Outgoing::begin(std::mem::take(&mut self.output), &asked, answer);
        let (mut written, mut drained) = (None, is_unbidden.then_some(false));
        poll_fn(|context| {
            if drained.is_none()
                && let Poll::Ready(is_whole) = lock(&self.wire).poll_drain(context)
            {
                drained = Some(is_whole);
            }
            if written.is_none()
                && let Poll::Ready(is_whole) = poll_delivery(&self.wire, &mut outgoing, &mut body, context)
            {
                written = Some(is_whole);
            }
            // What cannot be answered need not be read.
            let is_done = written == Some(false) || (written.is_some() && drained.is_some());
            if is_done { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
        let keeps = outgoing.keeps();
        self.output = outgoing.output;
        match (written, drained) {
            (Some(true), Some(true)) if keeps => None,
            (Some(true), Some(true)) => Some(End::Quiet),
            (Some(true), _) => Some(End::Lingering),
            _ => Some(End::Cut),
        }
    }

    async fn shut_down(&self) -> std::io::Result<()> {
        poll_fn(|context| lock(&self.wire).poll_shutdown(context)).await
    }

    async fn linger(&self) {
        if self.shut_down().await.is_ok() {
            lock(&self.wire).rest();
            poll_fn(|context| lock(&self.wire).poll_linger(context, LINGERING)).await;
        }
    }
}

/// Writes an answer to its end; `false` if that cannot be done. The body is polled while nothing is locked: it is free
/// to ask for what it likes.
fn poll_delivery<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Mutex<Wire<S>>,
    outgoing: &mut Outgoing,
    body: &mut Option<Body>,
    context: &mut Context<'_>,
) -> Poll<bool> {
    loop {
        while let Some(coming) = body.as_mut().filter(|_| outgoing.has_room()) {
            let taken = match Pin::new(coming).poll_frame(context) {
                // Trailers are not for those who asked for none.
                Poll::Ready(Some(Ok(frame))) => outgoing.take(frame.into_data().unwrap_or_default()),
                Poll::Ready(Some(Err(_))) => return Poll::Ready(false),
                Poll::Ready(None) => outgoing.end().map(|()| true),
                Poll::Pending if !outgoing.goes() => return Poll::Pending,
                Poll::Pending => {
                    let is_out = ready!(poll_out(wire, outgoing, true, context));
                    return if is_out { Poll::Pending } else { Poll::Ready(false) };
                }
            };
            match taken {
                Ok(true) => *body = None,
                Ok(false) => {}
                Err(answer::Unlike) => return Poll::Ready(false),
            }
        }
        let is_out = ready!(poll_out(wire, outgoing, body.is_none(), context));
        if !is_out || body.is_none() {
            return Poll::Ready(is_out);
        }
    }
}

/// Writes what there is, and has the stream pass on what it holds back if nothing follows at once; `false` if that
/// cannot be done.
fn poll_out<S: AsyncRead + AsyncWrite + Unpin>(
    wire: &Mutex<Wire<S>>,
    outgoing: &mut Outgoing,
    flushes: bool,
    context: &mut Context<'_>,
) -> Poll<bool> {
    let mut wire = lock(wire);
    let written = ready!(wire.poll_write(context, &mut outgoing.output, &mut outgoing.piece));
    if written.is_err() || !flushes {
        return Poll::Ready(written.is_ok());
    }
    wire.poll_flush(context).map(|flushed| flushed.is_ok())
}

#[cfg(test)]
mod tests;
