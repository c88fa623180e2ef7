//! Sockets: accepting, limiting and draining connections. Knows bytes and HTTP framing, no header of Azure's.
//!
//! A connection is plain, and then speaks HTTP/1.1; or it begins with a TLS handshake, in which the client chooses
//! between HTTP/1.1 and HTTP/2. The handshake happens in the connection's own task and has its own short limit of time,
//! so it holds up nobody's accept. HTTP/2 without TLS is left out: no client of this protocol asks for it. What the two
//! framings need of their own is in [`http1`] and [`http2`]; limits that both have stand once.

use crate::tls::{HTTP2, Tls};
use api::{Arrival, Body};
use http::{Request, Response};
use http_body::Body as HttpBody;
use hyper::body::Incoming;
use patient::Patient;
use std::future::Future;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Semaphore, watch};

mod brought;
mod http1;
mod http2;
mod patient;

/// How long a client may take to send a request's head, and how long its body may stand still.
const PATIENCE: Duration = Duration::from_mins(1);
/// Bytes of an answer that earn another [`PATIENCE`]: some 1 KiB a second.
const PACE_BYTES: u64 = 64 << 10;
/// How long a TLS handshake may take.
const HANDSHAKE_PATIENCE: Duration = Duration::from_secs(10);
/// How long to wait before accepting again when the process is out of file descriptors.
const ACCEPT_PAUSE: Duration = Duration::from_millis(50);

/// Answers one request.
pub(crate) trait Answer: Send + Sync + 'static {
    /// Answers.
    fn answer(&self, arrival: Arrival, request: Request<Body>)
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

    /// Accepts connections until the door closes: TLS connections if there is a `tls`.
    pub(crate) fn serve<A: Answer>(&self, listener: TcpListener, answer: Arc<A>, tls: Option<Arc<Tls>>) {
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
                let tls = tls.clone();
                tokio::spawn(async move {
                    connection(stream, peer, tls.as_deref(), answer, stopping).await;
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
    tls: Option<&Tls>,
    answer: Arc<A>,
    mut stopping: watch::Receiver<bool>,
) {
    // Without it small answers wait for the client's delayed acknowledgement; failing to set it costs only that.
    let _ = stream.set_nodelay(true);
    // A client that reads nothing any more, or is gone without a word, must not hold what it was reading for ever.
    let patience_ms = u32::try_from(PATIENCE.as_millis()).unwrap_or(u32::MAX);
    let _ = rustix::net::sockopt::set_tcp_user_timeout(&stream, patience_ms);
    let arrival = Arrival { peer: Some(peer), secure: tls.is_some() };
    let Some(tls) = tls else { return http1::serve(stream, arrival, answer, stopping).await };
    let shaken = tokio::select! {
        shaken = tokio::time::timeout(HANDSHAKE_PATIENCE, tls.acceptor().accept(stream)) => shaken,
        _ = stopping.wait_for(|stop| *stop) => return,
    };
    // Clients that do not trust the certificate, or speak no TLS, are not our failure.
    let Ok(Ok(stream)) = shaken else { return };
    if stream.get_ref().1.alpn_protocol() == Some(HTTP2) {
        http2::serve(stream, arrival, answer, stopping).await;
    } else {
        http1::serve(stream, arrival, answer, stopping).await;
    }
}

/// The answer of a server that we asked, with its body as the rest of the server sees bodies. It must come at a pace: a
/// copy holds one of few places as long as it lasts, and a byte a minute would hold it for ever.
pub(crate) fn at_a_pace(answer: Response<Incoming>) -> Response<Body> {
    answer.map(|body| {
        if body.is_end_stream() { Body::empty() } else { Body::stream(Patient::at_least(PACE_BYTES, body)) }
    })
}
