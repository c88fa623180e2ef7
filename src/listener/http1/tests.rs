//! Connections over a pipe in memory: what goes in, what comes out.

use super::*;
use http::{HeaderValue, StatusCode, header};
use http_body::{Frame, SizeHint};
use std::collections::VecDeque;
use std::sync::atomic::{AtomicUsize, Ordering};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, DuplexStream};

/// More than the pipe holds, so that whoever writes it waits for whoever reads.
const LARGE: usize = 3 << 20;
const PIPE_BYTES: usize = 64 << 10;
/// A piece of a body that is not gathered with others.
const LONG: &[u8] = &[b'x'; 5_000];

/// Pieces of a body, whose length it tells or not.
struct Pieces {
    pieces: VecDeque<Result<Bytes, api::body::BodyError>>,
    told: Option<u64>,
}

impl http_body::Body for Pieces {
    type Data = Bytes;
    type Error = api::body::BodyError;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Ready(self.pieces.pop_front().map(|piece| piece.map(Frame::data)))
    }

    fn size_hint(&self) -> SizeHint {
        self.told.map_or_else(SizeHint::default, SizeHint::with_exact)
    }
}

fn pieces(told: Option<u64>, texts: &[&'static [u8]], fails: bool) -> Body {
    let mut pieces: VecDeque<_> = texts.iter().map(|text| Ok(Bytes::from_static(text))).collect();
    pieces.extend(fails.then(|| Err("broken".into())));
    Body::stream(Pieces { pieces, told })
}

/// Answers by the path of a request; counts requests that were dropped before they were answered.
#[derive(Default)]
struct Oracle {
    dropped: AtomicUsize,
    begun: AtomicUsize,
}

struct Dropped<'a>(&'a AtomicUsize);

impl Drop for Dropped<'_> {
    fn drop(&mut self) {
        self.0.fetch_add(1, Ordering::SeqCst);
    }
}

async fn collected(mut body: Body) -> Result<Vec<u8>, String> {
    let mut whole = Vec::new();
    while let Some(frame) = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await {
        whole.extend_from_slice(&frame.map_err(|error| error.to_string())?.into_data().unwrap());
    }
    Ok(whole)
}

impl Answer for Oracle {
    async fn answer(&self, _: Arrival, request: Request<Body>) -> Response<Body> {
        self.begun.fetch_add(1, Ordering::SeqCst);
        let (parts, body) = request.into_parts();
        let mut status = StatusCode::OK;
        let body = match parts.uri.path() {
            "/echo" => match collected(body).await {
                Ok(whole) => Body::full(whole),
                Err(error) => {
                    status = StatusCode::BAD_REQUEST;
                    Body::full(error)
                }
            },
            "/first" => {
                let mut body = body;
                let first = poll_fn(|context| Pin::new(&mut body).poll_frame(context)).await;
                Body::full(first.unwrap().unwrap().into_data().unwrap())
            }
            "/keep" => body,
            "/chunks" => pieces(None, &[b"one", b"", b"twenty-two"], false),
            "/broken-chunks" => pieces(None, &[LONG], true),
            "/broken" => pieces(Some(10_000), &[LONG], true),
            "/short" => pieces(Some(10_000), &[LONG], false),
            "/large" => Body::full(vec![7; LARGE]),
            "/never" => {
                let _dropped = Dropped(&self.dropped);
                std::future::pending().await
            }
            "/slow" => {
                for _ in 0..10 {
                    tokio::task::yield_now().await;
                }
                Body::full("slow")
            }
            _ => {
                status = StatusCode::NOT_FOUND;
                Body::full("missing")
            }
        };
        let mut response = Response::new(body);
        *response.status_mut() = status;
        response.headers_mut().insert(header::DATE, HeaderValue::from_static("today"));
        response
    }
}

/// The client's end of a connection that is served.
struct Client {
    pipe: DuplexStream,
    oracle: Arc<Oracle>,
    stop: watch::Sender<bool>,
    served: tokio::task::JoinHandle<()>,
}

impl Client {
    fn new() -> Self {
        Self::patient(PATIENCE)
    }

    fn patient(patience: Duration) -> Self {
        let (pipe, stream) = tokio::io::duplex(PIPE_BYTES);
        let (stop, oracle) = (watch::Sender::new(false), Arc::new(Oracle::default()));
        let (answer, stopping) = (Arc::clone(&oracle), stop.subscribe());
        let arrival = Arrival::default();
        let served = tokio::spawn(serve_patiently(stream, arrival, answer, stopping, patience));
        Self { pipe, oracle, stop, served }
    }

    /// Sends, letting the server look at each part alone.
    async fn send(&mut self, parts: &[&[u8]]) {
        for part in parts {
            // A server that has closed reads nothing more.
            let _ = self.pipe.write_all(part).await;
            for _ in 0..4 {
                tokio::task::yield_now().await;
            }
        }
    }

    /// All that comes until the server closes, without moments.
    async fn rest(mut self) -> String {
        let mut bytes = Vec::new();
        let _ = self.pipe.read_to_end(&mut bytes).await;
        drop(self.pipe);
        self.served.await.unwrap();
        let text: String = bytes.into_iter().map(char::from).collect();
        let lines = text.split_inclusive('\n');
        lines.filter(|line| !line.starts_with("date: ")).collect()
    }

    /// What comes up to this text.
    async fn until(&mut self, end: &str) -> String {
        let mut text = String::new();
        while !text.ends_with(end) {
            text.push(char::from(self.pipe.read_u8().await.unwrap()));
        }
        text
    }
}

async fn told(parts: &[&[u8]]) -> String {
    let mut client = Client::new();
    client.send(parts).await;
    client.rest().await
}

fn ok(body: &str, closes: bool) -> String {
    let connection = if closes { "connection: close\r\n" } else { "" };
    format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n{connection}\r\n{body}", body.len())
}

fn refused(line: &str) -> String {
    format!("HTTP/1.1 {line}\r\ncontent-length: 0\r\nconnection: close\r\n\r\n")
}

/// What clients send, and what they are told until the connection ends.
fn corpus() -> Vec<(&'static str, String)> {
    let broken = |why: &str| {
        let length = why.len();
        format!("HTTP/1.1 400 Bad Request\r\ncontent-length: {length}\r\nconnection: close\r\n\r\n{why}")
    };
    vec![
        ("GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n", ok("", true)),
        ("PUT /echo HTTP/1.1\r\nContent-Length: 5\r\nConnection: close\r\n\r\nhello", ok("hello", true)),
        (
            "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\nConnection: close\r\n\r\n\
             2;a=b\r\nhe\r\n3\r\nllo\r\n0\r\nTrailer: x\r\n\r\n",
            ok("hello", true),
        ),
        (
            "PUT /echo HTTP/1.1\r\nContent-Length: 3\r\n\r\noneGET /slow HTTP/1.1\r\n\r\n\
             PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\
             PUT /nowhere HTTP/1.1\r\nContent-Length: 4\r\n\r\nleft\
             GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n",
            [
                ok("one", false),
                ok("slow", false),
                ok("three", false),
                "HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nmissing".to_owned(),
                ok("", true),
            ]
            .concat(),
        ),
        (
            "PUT /nowhere HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nthree\r\n0\r\n\r\n\
             GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n",
            ["HTTP/1.1 404 Not Found\r\ncontent-length: 7\r\n\r\nmissing", &ok("", true)].concat(),
        ),
        (
            "GET /chunks HTTP/1.1\r\nConnection: close\r\n\r\n",
            "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\nconnection: close\r\n\r\n\
             3\r\none\r\na\r\ntwenty-two\r\n0\r\n\r\n"
                .to_owned(),
        ),
        (
            "GET /chunks HTTP/1.0\r\nConnection: keep-alive\r\n\r\n",
            "HTTP/1.0 200 OK\r\nconnection: close\r\n\r\nonetwenty-two".to_owned(),
        ),
        (
            "GET /slow HTTP/1.0\r\nConnection: keep-alive\r\n\r\nGET /slow HTTP/1.0\r\n\r\n",
            "HTTP/1.0 200 OK\r\ncontent-length: 4\r\nconnection: keep-alive\r\n\r\nslow\
             HTTP/1.0 200 OK\r\ncontent-length: 4\r\nconnection: close\r\n\r\nslow"
                .to_owned(),
        ),
        (
            "HEAD /slow HTTP/1.1\r\n\r\nGET /slow HTTP/1.1\r\nConnection: close\r\n\r\n",
            ["HTTP/1.1 200 OK\r\n\r\n", &ok("slow", true)].concat(),
        ),
        (
            "PUT /echo HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nhello0\r\n\r\n",
            broken("the body is not made of chunks"),
        ),
        ("PUT /echo HTTP/1.1\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n", refused("400 Bad Request")),
        (
            "GET /slow HTTP/1.1\r\n\r\nPUT /echo HTTP/1.1\r\nTransfer-Encoding: gzip\r\n\r\n",
            [ok("slow", false), refused("501 Not Implemented")].concat(),
        ),
        ("GET /slow HTTP/3.0\r\n\r\n", refused("505 HTTP Version Not Supported")),
    ]
}

#[tokio::test]
async fn requests_mean_the_same_in_whatever_pieces_they_come() {
    for (sent, expected) in corpus() {
        let sent = sent.as_bytes();
        assert_eq!(told(&[sent]).await, expected, "{}", String::from_utf8_lossy(sent));
        for at in 1..sent.len() {
            let (first, second) = sent.split_at(at);
            assert_eq!(told(&[first, second]).await, expected, "{}|", String::from_utf8_lossy(first));
        }
        let bytes: Vec<&[u8]> = sent.chunks(1).collect();
        assert_eq!(told(&bytes).await, expected, "byte by byte: {}", String::from_utf8_lossy(sent));
    }
}

#[tokio::test]
async fn a_body_that_fails_cuts_its_answer_off() {
    let shortened = |text: String| text.replace(std::str::from_utf8(LONG).unwrap(), "LONG");
    let text = shortened(told(&[b"GET /broken-chunks HTTP/1.1\r\n\r\n"]).await);
    assert_eq!(text, "HTTP/1.1 200 OK\r\ntransfer-encoding: chunked\r\n\r\n1388\r\nLONG");
    for path in ["/broken", "/short"] {
        let text = shortened(told(&[format!("GET {path} HTTP/1.1\r\n\r\n").as_bytes()]).await);
        assert_eq!(text, "HTTP/1.1 200 OK\r\ncontent-length: 10000\r\n\r\nLONG");
    }
}

#[tokio::test]
async fn the_word_is_given_when_somebody_asks_for_the_body() {
    let head =
        |path: &str| format!("PUT {path} HTTP/1.1\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\n");
    let mut client = Client::new();
    client.send(&[head("/echo").as_bytes()]).await;
    assert_eq!(client.until("\r\n\r\n").await, "HTTP/1.1 100 Continue\r\n\r\n");
    client.send(&[b"hello", b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n"]).await;
    let text = client.rest().await;
    assert_eq!(text, [ok("hello", false), ok("slow", true)].concat());

    let mut client = Client::new();
    client.send(&[head("/nowhere").as_bytes()]).await;
    assert_eq!(client.until("missing").await.matches("HTTP/1.1").count(), 1, "no word first");
    client.send(&[b"GET /slow HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(client.oracle.begun.load(Ordering::SeqCst), 1, "what could be the body is no request");
    let connection = client.rest().await;
    assert_eq!(connection, "");

    let whole = format!("{}hello", head("/echo").replace("\r\nExpect", "\r\nConnection: close\r\nExpect"));
    assert_eq!(told(&[whole.as_bytes()]).await, ok("hello", true), "who does not wait is not told to");
}

#[tokio::test]
async fn an_answer_does_not_wait_for_the_body_and_the_body_not_for_the_answer() {
    let mut client = Client::new();
    let head = format!("PUT /nowhere HTTP/1.1\r\nContent-Length: {LARGE}\r\n\r\n");
    client.send(&[head.as_bytes()]).await;
    assert!(client.until("missing").await.starts_with("HTTP/1.1 404"), "before a byte of the body");
    client.send(&[&vec![1; LARGE], b"GET /slow HTTP/1.1\r\nConnection: close\r\n\r\n"]).await;
    assert_eq!(client.rest().await, ok("slow", true));

    let mut client = Client::new();
    let head = format!("PUT /large HTTP/1.1\r\nConnection: close\r\nContent-Length: {LARGE}\r\n\r\n");
    client.send(&[head.as_bytes(), &vec![1; LARGE]]).await;
    let text = client.rest().await;
    assert!(text.ends_with('\x07') && text.len() > LARGE, "who sends to the end first finds the answer");
}

#[tokio::test]
async fn what_is_left_of_a_body_is_no_request() {
    let left = "PUT /first HTTP/1.1\r\nContent-Length: 40\r\n\r\n";
    let text = told(&[
        left.as_bytes(),
        b"GET /slow HTTP/1.1\r\n\r\n",
        b"__________________GET /echo HTTP/1.1\r\nConnection: close\r\n\r\n",
    ])
    .await;
    assert_eq!(text, [ok("GET /slow HTTP/1.1\r\n\r\n", false), ok("", true)].concat());
}

#[tokio::test]
async fn a_body_that_was_lent_is_taken_back_with_the_answer() {
    let text = told(&[b"PUT /keep HTTP/1.1\r\nContent-Length: 9\r\n\r\n", b"some text"]).await;
    assert!(!text.contains("some text"), "{text}");
}

#[tokio::test]
async fn large_bodies_pass_in_both_directions() {
    let mut client = Client::new();
    let body: Vec<u8> = (0..LARGE).map(|at| b"0123456789abcdef!"[at % 17]).collect();
    let head = format!("PUT /echo HTTP/1.1\r\nContent-Length: {LARGE}\r\nConnection: close\r\n\r\n");
    client.send(&[head.as_bytes(), &body]).await;
    let text = client.rest().await;
    assert!(text.as_bytes().ends_with(&body));
}

#[tokio::test]
async fn a_client_that_hangs_up_has_its_request_dropped() {
    let mut client = Client::new();
    client.send(&[b"GET /never HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(client.oracle.begun.load(Ordering::SeqCst), 1);
    let oracle = Arc::clone(&client.oracle);
    assert_eq!(client.rest_after_hanging_up().await, "");
    assert_eq!(oracle.dropped.load(Ordering::SeqCst), 1);

    let mut client = Client::new();
    client.send(&[b"PUT /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"]).await;
    let text = client.rest_after_hanging_up().await;
    assert!(text.starts_with("HTTP/1.1 400 "), "half a body is not one: {text}");
}

impl Client {
    /// What comes behind the end of our half.
    async fn rest_after_hanging_up(mut self) -> String {
        self.pipe.shutdown().await.unwrap();
        self.rest().await
    }
}

#[tokio::test]
async fn a_client_that_is_silent_is_not_waited_for_for_ever() {
    let patience = Duration::from_millis(20);
    for sent in ["", "GET /slow HT"] {
        let mut client = Client::patient(patience);
        client.send(&[sent.as_bytes()]).await;
        assert_eq!(client.rest().await, "");
    }
    let mut client = Client::patient(patience);
    client.send(&[b"GET /slow HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(client.rest().await, ok("slow", false), "nor between two requests");
    let mut client = Client::patient(patience);
    client.send(&[b"PUT /echo HTTP/1.1\r\nContent-Length: 9\r\n\r\nhalf"]).await;
    let text = client.rest().await;
    assert!(text.ends_with("connection: close\r\n\r\nthe client stopped sending"), "{text}");
}

#[tokio::test]
async fn a_server_that_stops_ends_idle_connections_and_answers_the_others() {
    for before in ["", "GET /slow HTTP/1.1\r\n\r\n"] {
        let mut client = Client::new();
        client.send(&[before.as_bytes()]).await;
        let answered = if before.is_empty() { String::new() } else { client.until("slow").await };
        assert!(!answered.contains("close"), "{answered}");
        client.stop.send_replace(true);
        assert_eq!(client.rest().await, "", "an idle one ends at once");
    }
    let mut client = Client::new();
    client.send(&[b"GET /slow HT"]).await;
    client.stop.send_replace(true);
    client.send(&[b"TP/1.1\r\n\r\nGET /slow HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(
        client.rest().await,
        ok("slow", true),
        "a request that has begun to come is answered, and no other"
    );

    let mut client = Client::new();
    client.send(&[b"PUT /echo HTTP/1.1\r\nContent-Length: 5\r\n\r\nhel"]).await;
    client.stop.send_replace(true);
    client.send(&[b"lo", b"GET /slow HTTP/1.1\r\n\r\n"]).await;
    assert_eq!(client.rest().await, ok("hello", true), "and one that runs behind its answer");
}
