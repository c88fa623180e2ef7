//! Answers, as the bytes that a client sees.

use super::*;
use http_body::{Body as HttpBody, Frame, SizeHint};
use std::pin::Pin;
use std::task::{Context, Poll};

/// A body that does not say how long it is.
struct Endless;

impl HttpBody for Endless {
    type Data = Bytes;
    type Error = api::body::BodyError;

    fn poll_frame(
        self: Pin<&mut Self>,
        _: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, Self::Error>>> {
        Poll::Pending
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::default()
    }
}

fn answer(status: u16, body: Body) -> Response<Body> {
    let builder = Response::builder().status(status).header("date", "today").header("etag", "\"\u{e9}\"");
    builder.body(body).unwrap()
}

fn asked(method: &Method, version: Version, keeps: bool) -> Asked {
    Asked { method: method.clone(), version, keeps }
}

fn head(asked: &Asked, answer: Response<Body>) -> (String, bool, bool) {
    let (outgoing, body) = Outgoing::begin(BytesMut::new(), asked, answer);
    (String::from_utf8(outgoing.output.to_vec()).unwrap(), outgoing.keeps(), body.is_some())
}

#[test]
fn the_head_tells_how_the_body_ends() {
    let known = || answer(200, Body::full("hello"));
    let unknown = || answer(206, Body::stream(Endless));
    let (new, old) = (Version::HTTP_11, Version::HTTP_10);
    let rest = "date: today\r\netag: \"\u{e9}\"\r\n";
    for (version, keeps, answer, line, framing, kept) in [
        (new, true, known(), "HTTP/1.1 200 OK", "content-length: 5\r\n", true),
        (new, false, known(), "HTTP/1.1 200 OK", "content-length: 5\r\nconnection: close\r\n", false),
        (new, true, unknown(), "HTTP/1.1 206 Partial Content", "transfer-encoding: chunked\r\n", true),
        (old, true, known(), "HTTP/1.0 200 OK", "content-length: 5\r\nconnection: keep-alive\r\n", true),
        (old, true, unknown(), "HTTP/1.0 206 Partial Content", "connection: close\r\n", false),
    ] {
        let expected = format!("{line}\r\n{rest}{framing}\r\n");
        assert_eq!(head(&asked(&Method::GET, version, keeps), answer), (expected, kept, true));
    }
}

#[test]
fn where_no_body_may_be_there_is_none() {
    let asked_for = |method: &Method| asked(method, Version::HTTP_11, true);
    for (method, status) in [(Method::HEAD, 200), (Method::GET, 304), (Method::PUT, 204)] {
        let (text, keeps, has_body) = head(&asked_for(&method), answer(status, Body::full("hello")));
        assert!(keeps && !has_body && !text.contains("content-length"), "{text}");
        let mut told = answer(status, Body::empty());
        told.headers_mut().insert(header::CONTENT_LENGTH, HeaderValue::from_static("77"));
        let (text, _, has_body) = head(&asked_for(&method), told);
        assert!(!has_body && text.contains("content-length: 77\r\n"), "{text}");
    }
    let (text, _, has_body) = head(&asked_for(&Method::GET), answer(404, Body::empty()));
    assert!(!has_body && text.contains("content-length: 0\r\n"), "{text}");
}

#[test]
fn headers_about_the_connection_are_ours() {
    let mut answer = answer(200, Body::full("hello"));
    for (name, value) in [("content-length", "7"), ("transfer-encoding", "gzip"), ("connection", "close")] {
        answer.headers_mut().insert(name, HeaderValue::from_static(value));
    }
    let (text, keeps, _) = head(&asked(&Method::GET, Version::HTTP_11, true), answer);
    assert!(text.ends_with("\r\ncontent-length: 5\r\nconnection: close\r\n\r\n"), "{text}");
    assert!(!keeps && !text.contains("gzip"));
}

#[test]
fn names_of_metadata_are_spelled_as_they_were() {
    let mut answer = answer(200, Body::empty());
    let mut spelling = Spelling::default();
    spelling.note(b"X-MS-META-CategoryName");
    answer.extensions_mut().insert(spelling);
    for name in ["x-ms-meta-categoryname", "x-ms-meta-plain"] {
        answer.headers_mut().insert(name, HeaderValue::from_static("v"));
    }
    let (text, ..) = head(&asked(&Method::GET, Version::HTTP_11, true), answer);
    assert!(text.contains("\r\nx-ms-meta-CategoryName: v\r\nx-ms-meta-plain: v\r\n"), "{text}");
}

#[test]
fn bytes_of_headers_go_out_as_they_are_and_a_date_is_always_there() {
    let mut answer = Response::new(Body::empty());
    answer.headers_mut().insert("x", HeaderValue::from_bytes(b"\xe9").unwrap());
    let (outgoing, _) =
        Outgoing::begin(BytesMut::new(), &asked(&Method::GET, Version::HTTP_11, true), answer);
    assert!(outgoing.output.windows(6).any(|bytes| bytes == b"x: \xe9\r\n"));
    assert!(outgoing.output.windows(8).any(|bytes| bytes == b"\r\ndate: "));
}

#[test]
fn small_pieces_follow_the_head_and_large_ones_are_not_copied() {
    let asked = asked(&Method::GET, Version::HTTP_11, true);
    let large = Bytes::from(vec![1; COPIED_BYTES_MAX + 1]);
    let (mut outgoing, _) = Outgoing::begin(BytesMut::new(), &asked, answer(200, Body::stream(Endless)));
    assert!(!outgoing.goes(), "the head waits");
    assert_eq!(outgoing.take(Bytes::from_static(b"small")), Ok(false));
    assert_eq!(outgoing.take(Bytes::new()), Ok(false), "no piece ends the chunks early");
    assert!(outgoing.goes() && outgoing.output.ends_with(b"\r\n\r\n5\r\nsmall") && outgoing.has_room());
    assert_eq!(outgoing.take(large.clone()), Ok(false));
    assert!(outgoing.output.ends_with(b"small\r\n1001\r\n") && !outgoing.has_room());
    assert_eq!(outgoing.piece.as_ptr(), large.as_ptr());
    outgoing.output.clear();
    assert_eq!(outgoing.end(), Ok(()));
    assert_eq!(outgoing.output, &b"\r\n0\r\n\r\n"[..]);
}

#[test]
fn a_body_has_the_length_that_was_told() {
    let asked = asked(&Method::GET, Version::HTTP_11, true);
    let begin = || Outgoing::begin(BytesMut::new(), &asked, answer(200, Body::full("hello"))).0;
    let mut outgoing = begin();
    assert_eq!(outgoing.take(Bytes::from_static(b"hel")), Ok(false));
    assert_eq!(outgoing.end(), Err(Unlike));
    assert_eq!(outgoing.take(Bytes::from_static(b"lo")), Ok(true));
    assert_eq!(outgoing.end(), Ok(()));
    assert_eq!(begin().take(Bytes::from_static(b"hello!")), Err(Unlike));
}

#[test]
fn a_refusal_ends_the_connection() {
    let text = String::from_utf8(refusal(StatusCode::NOT_IMPLEMENTED).to_vec()).unwrap();
    assert!(text.starts_with("HTTP/1.1 501 Not Implemented\r\ndate: "), "{text}");
    assert!(text.ends_with("\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"), "{text}");
}
