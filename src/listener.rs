//! Sockets: accepting, limiting and draining connections. Knows bytes and HTTP framing, no header of Azure's.

use api::Body;
use api::body::Stalled;
use bytes::Bytes;
use http::{Request, Response};
use http_body::{Body as HttpBody, Frame, SizeHint};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use std::convert::Infallible;
use std::future::Future;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};
use tokio::time::Sleep;

/// How long a client may take to send a request's head, and how long its body may stand still.
const PATIENCE: Duration = Duration::from_mins(1);
/// Most headers of a request: what Azure needs, and room for metadata.
const HEADERS_MAX: usize = 200;
/// Most bytes of a request's head, and of a connection's buffer.
const HEAD_BYTES_MAX: usize = 64 << 10;
/// How long to wait before accepting again when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers one request.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers.
    fn answer(&self, peer: SocketAddr, request: Request<Body>)
    -> impl Future<Output = Response<Body>> + Send;
}

/// What all listeners share: the limit on connections, and the word to stop.
#[derive(Debug, Clone)]
pub(crate) struct Door {
    connections: Arc<Semaphore>,
    connections_max: u32,
    stopping: watch::Sender<bool>,
}

impl Door {
    /// A door for so many connections at once.
    pub(crate) fn new(connections_max: usize) -> Self {
        let connections_max = u32::try_from(connections_max).unwrap_or(u32::MAX);
        let permits = usize::try_from(connections_max).unwrap_or(usize::MAX).min(Semaphore::MAX_PERMITS);
        Self {
            connections: Arc::new(Semaphore::new(permits)),
            connections_max,
            stopping: watch::Sender::new(false),
        }
    }

    /// Accepts connections until the door closes.
    pub(crate) fn serve<A: Answer>(&self, listener: TcpListener, answer: Arc<A>) {
        let door = self.clone();
        tokio::spawn(async move {
            let mut stopping = door.stopping.subscribe();
            loop {
                let accepted = tokio::select! {
                    accepted = listener.accept() => accepted,
                    _ = stopping.wait_for(|stop| *stop) => return,
                };
                let Ok((stream, peer)) = accepted else {
                    tokio::time::sleep(ACCEPT_PAUSE).await;
                    continue;
                };
                // Behind the accept, so that a listener that waits holds none.
                let Ok(permit) = Arc::clone(&door.connections).acquire_owned().await else { return };
                let (answer, stopping) = (Arc::clone(&answer), door.stopping.subscribe());
                tokio::spawn(async move {
                    connection(stream, peer, answer, stopping).await;
                    drop(permit);
                });
            }
        });
    }

    /// Accepts nothing more, lets requests that run come to their end, at most until `deadline`; `false` if
    /// some did not.
    pub(crate) async fn close(&self, deadline: Duration) -> bool {
        self.stopping.send_replace(true);
        tokio::time::timeout(deadline, self.connections.acquire_many(self.connections_max)).await.is_ok()
    }
}

async fn connection<A: Answer>(
    stream: TcpStream,
    peer: SocketAddr,
    answer: Arc<A>,
    mut stopping: watch::Receiver<bool>,
) {
    // Without it small answers wait for the client's delayed acknowledgement; failing to set it costs only that.
    let _ = stream.set_nodelay(true);
    // A client that reads nothing any more, or is gone without a word, must not hold what it was reading for ever.
    let patience_ms = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience_ms);
    let service = service_fn(move |request: Request<Incoming>| {
        let answer = Arc::clone(&answer);
        async move {
            let request = request.map(|body| {
                if body.is_end_stream() { Body::empty() } else { Body::stream(Patient::new(body)) }
            });
            Ok::<_, Infallible>(answer.answer(peer, request).await)
        }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(PATIENCE)
        .max_headers(HEADERS_MAX)
        .max_buf_size(HEAD_BYTES_MAX)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    // A connection's own errors (a client that hangs up, bytes that are no HTTP) concern nobody else.
    tokio::select! {
        _ = connection.as_mut() => return,
        _ = stopping.wait_for(|stop| *stop) => connection.as_mut().graceful_shutdown(),
    }
    let _ = connection.await;
}

/// A request's body that ends with an error when nothing comes for [`PATIENCE`].
struct Patient {
    body: Incoming,
    waiting: Option<Pin<Box<Sleep>>>,
}

impl Patient {
    fn new(body: Incoming) -> Self {
        Self { body, waiting: None }
    }
}

impl HttpBody for Patient {
    type Data = Bytes;
    type Error = Box<dyn std::error::Error + Send + Sync>;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        if let Poll::Ready(frame) = Pin::new(&mut self.body).poll_frame(context) {
            self.waiting = None;
            return Poll::Ready(frame.map(|frame| frame.map_err(Into::into)));
        }
        let waiting = self.waiting.get_or_insert_with(|| Box::pin(tokio::time::sleep(PATIENCE)));
        match waiting.as_mut().poll(context) {
            Poll::Ready(()) => Poll::Ready(Some(Err(Box::new(Stalled)))),
            Poll::Pending => Poll::Pending,
        }
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}
