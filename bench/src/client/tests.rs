//! The client against servers that answer what each test wants, byte by byte if it has to be.

use super::*;
use crate::subject::Address;
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::{TcpListener, TcpStream};

/// A connection to a server that gives `answers`, one list per connection it accepts. An answer is sent in
/// its pieces, each on its own; after the last answer of a list the server closes.
async fn connected(answers: &'static [&'static [&'static [&'static str]]]) -> Connection {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        for list in answers {
            let (mut stream, _) = listener.accept().await.unwrap();
            stream.set_nodelay(true).unwrap();
            for pieces in *list {
                read_request(&mut stream).await;
                for piece in *pieces {
                    stream.write_all(piece.as_bytes()).await.unwrap();
                    tokio::task::yield_now().await;
                }
            }
        }
    });
    let address = Address { queue: Some(format!("http://127.0.0.1:{port}")), ..Address::default() };
    Connection::new(Arc::new(address.resolve().unwrap()), Service::Queue)
}

/// Requests of these tests have no bodies.
async fn read_request(stream: &mut TcpStream) {
    let mut request = Vec::new();
    while !request.ends_with(b"\r\n\r\n") {
        request.push(stream.read_u8().await.unwrap());
    }
}

async fn ask(connection: &mut Connection, method: Method, keep: Keep) -> Result<Reply, Failure> {
    let call = Call { method, path: "/q", query: &[], headers: &[], body: Bytes::new() };
    connection.send(&call, keep).await
}

async fn get(connection: &mut Connection) -> Result<String, Failure> {
    ask(connection, Method::GET, Keep::Body).await.map(|reply| reply.text().to_owned())
}

#[tokio::test]
async fn heads_are_kept_when_they_are_asked_for() {
    let answer: &[&str] = &["HTTP/1.1 200 OK\r\nX-Next: a: b \r\nContent-Length: 2\r\n\r\nhi"];
    let answers: &'static [&'static [&'static str]] = Box::leak(Box::new([answer, answer]));
    let mut connection = connected(Box::leak(Box::new([answers]))).await;
    let reply = ask(&mut connection, Method::GET, Keep::Whole).await.unwrap();
    assert_eq!((reply.header("x-next"), reply.header("x-other"), reply.text()), (Some("a: b"), None, "hi"));
    let reply = ask(&mut connection, Method::GET, Keep::Body).await.unwrap();
    assert_eq!((reply.header("x-next"), reply.text()), (None, "hi"));
}

#[tokio::test]
async fn answers_follow_each_other_on_one_connection() {
    let mut connection = connected(&[&[
        &["HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200 OK\r\nContent-Le", "ngth: 5\r\n\r", "\nhel", "lo"],
        &["HTTP/1.1 204 No Content\r\n\r\n"],
        &["HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\nhi"],
    ]])
    .await;
    assert_eq!(get(&mut connection).await.unwrap(), "hello");
    assert_eq!(get(&mut connection).await.unwrap(), "");
    assert_eq!(get(&mut connection).await.unwrap(), "hi");
}

#[tokio::test]
async fn chunks_are_put_together_wherever_they_are_torn() {
    let mut connection = connected(&[&[
        &[
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n4\r",
            "\nwi",
            "ki\r\n",
            "A;x=y\r\n pedia in ",
            "\r\n0\r\nT: 1\r\n\r",
            "\n",
        ],
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"],
        &["HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nlonger\r\n"],
    ]])
    .await;
    assert_eq!(get(&mut connection).await.unwrap(), "wiki pedia in ");
    assert_eq!(get(&mut connection).await.unwrap(), "");
    assert!(matches!(get(&mut connection).await, Err(Failure::Transport(_))));
}

#[tokio::test]
async fn a_body_is_counted_without_being_kept() {
    let mut connection = connected(&[&[
        &["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nabc", "def"],
        &["HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\n"],
        &["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"],
    ]])
    .await;
    let reply = ask(&mut connection, Method::GET, Keep::Length).await.unwrap();
    assert_eq!((reply.length, reply.text()), (6, ""));
    let reply = ask(&mut connection, Method::HEAD, Keep::Body).await.unwrap();
    assert_eq!(reply.length, 0, "the answer to HEAD has no body");
    assert_eq!(get(&mut connection).await.unwrap(), "x");
}

#[tokio::test]
async fn a_refusal_shows_its_beginning_and_leaves_the_connection_usable() {
    let mut connection = connected(&[&[
        &["HTTP/1.1 404 Not Found\r\ncontent-length: 10\r\n\r\nno\r\n such "],
        &["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nx"],
    ]])
    .await;
    assert_eq!(get(&mut connection).await, Err(Failure::Refused(404, "no such".to_owned())));
    assert_eq!(get(&mut connection).await.unwrap(), "x");
}

#[tokio::test]
async fn a_connection_that_the_server_closed_while_idle_is_made_anew() {
    let mut connection = connected(&[
        &[&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"]],
        &[&["HTTP/1.1 200 OK\r\nconnection: close\r\n\r\nuntil the end"]],
        &[&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nc"]],
    ])
    .await;
    assert_eq!(get(&mut connection).await.unwrap(), "a");
    assert_eq!(get(&mut connection).await.unwrap(), "until the end");
    assert_eq!(get(&mut connection).await.unwrap(), "c");
}

#[tokio::test]
async fn what_is_cut_short_or_too_long_is_a_failure_and_not_tried_again() {
    let mut connection = connected(&[
        &[
            &["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\na"],
            &["HTTP/1.1 200 OK\r\ncontent-length: 9\r\n\r\nab"],
        ],
        &[&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nab"]],
        &[&[]],
        &[&["HTTP/1.1 200 OK\r\ncontent-length: 1\r\n\r\nz"]],
    ])
    .await;
    assert_eq!(get(&mut connection).await.unwrap(), "a");
    for case in ["cut short", "too long", "closed without an answer on a new connection"] {
        assert!(matches!(get(&mut connection).await, Err(Failure::Transport(_))), "{case}");
    }
    assert_eq!(get(&mut connection).await.unwrap(), "z");
}
