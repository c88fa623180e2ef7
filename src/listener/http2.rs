//! A connection that speaks HTTP/2.
//!
//! # Limits
//! Many requests run on one connection, so the limit on connections is no limit on requests: [`STREAMS_MAX`] bounds
//! them. Windows bound what a client may send before anybody reads it, for one stream and for all.
//!
//! HTTP/1.1 has its limits of time where it reads; hyper has none for HTTP/2, so [`Pulse`] is one. It sees bytes pass
//! in either direction and counts requests whose answer has not been sent whole. A connection without requests is told
//! to go after the usual patience; one with requests on which no byte moves for much longer holds answers that nobody
//! fetches, and is cut. Pings as a sign of life were left out: they are answered by clients that fetch nothing.
//!
//! # The host
//! HTTP/2 names it in `:authority`. It is handed on as the header that HTTP/1.1 has for it, as the standard tells
//! whoever translates between the two to do, so that behind this file there is one kind of request.

use super::brought::Brought;
use super::http1::head::{HEAD_BYTES_MAX, HEADERS_MAX};
use super::patient::Patient;
use super::{Answer, PATIENCE};
use api::body::BodyError;
use api::{Arrival, Body};
use bytes::Bytes;
use http::{HeaderValue, Request, Response, StatusCode, header};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http2;
use hyper::service::service_fn;
use hyper_util::rt::{TokioExecutor, TokioIo, TokioTimer};
use std::convert::Infallible;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::sync::watch;
use tokio::time::Instant;

/// Requests on one connection at once.
const STREAMS_MAX: u32 = 128;
/// Bytes that a client may send on one stream before they are read.
const STREAM_WINDOW_BYTES: u32 = 1 << 20;
/// The same for all streams of a connection.
const CONNECTION_WINDOW_BYTES: u32 = 4 << 20;
/// Bytes of one stream's answer that wait for the socket.
const SEND_BUFFER_BYTES: usize = 1 << 20;
/// Largest frame, in bytes.
const FRAME_BYTES_MAX: u32 = 64 << 10;
/// How long a connection with requests may stand still.
const STALLED: Duration = Duration::from_mins(10);

/// Serves the connection to its end; when `stopping` says so, only to the end of the requests that run.
pub(super) async fn serve<S, A>(
    stream: S,
    arrival: Arrival,
    answer: Arc<A>,
    mut stopping: watch::Receiver<bool>,
) where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
    A: Answer,
{
    let pulse = Arc::new(Pulse::new());
    let watched = Watched { stream, pulse: Arc::clone(&pulse) };
    let requests = Arc::clone(&pulse);
    let service = service_fn(move |request: Request<Incoming>| {
        let (answer, running) = (Arc::clone(&answer), Running::new(&requests));
        async move { Ok::<_, Infallible>(respond(&*answer, arrival, request, running).await) }
    });
    let connection = http2::Builder::new(TokioExecutor::new())
        .timer(TokioTimer::new())
        .max_concurrent_streams(STREAMS_MAX)
        .max_header_list_size(u32::try_from(HEAD_BYTES_MAX).unwrap_or(u32::MAX))
        .initial_stream_window_size(STREAM_WINDOW_BYTES)
        .initial_connection_window_size(CONNECTION_WINDOW_BYTES)
        .max_send_buf_size(SEND_BUFFER_BYTES)
        .max_frame_size(FRAME_BYTES_MAX)
        .serve_connection(TokioIo::new(watched), service);
    tokio::pin!(connection);
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => {}
        () = pulse.idle() => {}
    }
    connection.as_mut().graceful_shutdown();
    drop(pulse.beat());
    // A client that does not go when it is told to is not waited for for ever.
    tokio::select! {
        _ = connection => {}
        () = pulse.idle() => {}
    }
}

async fn respond<A: Answer>(
    answer: &A,
    arrival: Arrival,
    mut request: Request<Incoming>,
    running: Running,
) -> Response<Body> {
    if request.headers().len() > HEADERS_MAX {
        let mut refusal = Response::new(Body::empty());
        *refusal.status_mut() = StatusCode::REQUEST_HEADER_FIELDS_TOO_LARGE;
        return refusal;
    }
    let authority = request.uri().authority().map(|authority| HeaderValue::from_str(authority.as_str()));
    if let Some(Ok(host)) = authority {
        request.headers_mut().insert(header::HOST, host);
    }
    let (head, body) = request.into_parts();
    let response = if body.is_end_stream() {
        answer.answer(arrival, Request::from_parts(head, Body::empty())).await
    } else {
        let (brought, lent) = Brought::lend(Patient::new(body), &head.headers);
        let response = answer.answer(arrival, Request::from_parts(head, lent)).await;
        brought.leave();
        response
    };
    response.map(|body| Body::stream(Fetched { body, _running: running }))
}

/// Signs of life of one connection.
#[derive(Debug)]
struct Pulse(Mutex<Beat>);

#[derive(Debug)]
struct Beat {
    /// When bytes passed last, or a request began or ended.
    last: Instant,
    /// Requests whose answer has not been sent whole.
    requests: usize,
}

impl Pulse {
    fn new() -> Self {
        Self(Mutex::new(Beat { last: Instant::now(), requests: 0 }))
    }

    fn beat(&self) -> MutexGuard<'_, Beat> {
        let mut beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beat.last = Instant::now();
        beat
    }

    /// When the connection has stood still for too long, if nothing passes until then.
    fn deadline(&self) -> Instant {
        let beat = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        beat.last + if beat.requests == 0 { PATIENCE } else { STALLED }
    }

    /// Comes to its end at the deadline.
    async fn idle(&self) {
        loop {
            let (deadline, now) = (self.deadline(), Instant::now());
            if deadline <= now {
                return;
            }
            // A request's end brings the deadline nearer and wakes nobody.
            tokio::time::sleep_until(deadline.min(now + PATIENCE)).await;
        }
    }
}

/// A request, from its head to the end of its answer.
struct Running(Arc<Pulse>);

impl Running {
    fn new(pulse: &Arc<Pulse>) -> Self {
        pulse.beat().requests += 1;
        Self(Arc::clone(pulse))
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let mut beat = self.0.beat();
        beat.requests = beat.requests.saturating_sub(1);
    }
}

/// An answer's body, whose request runs until it is dropped.
struct Fetched {
    body: Body,
    _running: Running,
}

impl HttpBody for Fetched {
    type Data = Bytes;
    type Error = BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BodyError>>> {
        Pin::new(&mut self.body).poll_frame(context)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

/// A stream that tells its [`Pulse`] when bytes pass.
struct Watched<S> {
    stream: S,
    pulse: Arc<Pulse>,
}

impl<S: AsyncRead + Unpin> AsyncRead for Watched<S> {
    fn poll_read(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        buffer: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let read = Pin::new(&mut self.stream).poll_read(context, buffer);
        if read.is_ready() {
            drop(self.pulse.beat());
        }
        read
    }
}

impl<S: AsyncWrite + Unpin> AsyncWrite for Watched<S> {
    fn poll_write(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
        bytes: &[u8],
    ) -> Poll<io::Result<usize>> {
        let written = Pin::new(&mut self.stream).poll_write(context, bytes);
        if written.is_ready() {
            drop(self.pulse.beat());
        }
        written
    }

    fn poll_flush(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_flush(context)
    }

    fn poll_shutdown(mut self: Pin<&mut Self>, context: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.stream).poll_shutdown(context)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_connection_with_requests_may_stand_still_for_longer() {
        let pulse = Arc::new(Pulse::new());
        let idle = pulse.deadline();
        let (first, second) = (Running::new(&pulse), Running::new(&pulse));
        assert!(pulse.deadline() + PATIENCE >= idle + STALLED);
        drop(first);
        assert!(pulse.deadline() + PATIENCE >= idle + STALLED);
        drop(second);
        assert!(pulse.deadline() + PATIENCE < idle + STALLED);
    }

    #[tokio::test]
    async fn bytes_that_pass_are_a_sign_of_life() {
        let pulse = Arc::new(Pulse::new());
        let mut watched = Watched { stream: tokio::io::empty(), pulse: Arc::clone(&pulse) };
        let before = pulse.deadline();
        tokio::io::AsyncWriteExt::write_all(&mut watched, b"byte").await.unwrap();
        let written = pulse.deadline();
        assert!(written > before);
        tokio::io::AsyncReadExt::read(&mut watched, &mut [0]).await.unwrap();
        assert!(pulse.deadline() > written);
    }
}
