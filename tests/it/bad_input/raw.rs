//! Bytes on a socket that are no request, or not a whole one.
//!
//! The server may answer with a 4xx or close the connection; it may not answer 5xx, store half of something, or
//! stop serving others.

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use crate::client::{Client, Request, Service, request};
use crate::node::Node;

struct RawCase {
    what: &'static str,
    bytes: Vec<u8>,
    /// Statuses that may come; closing without an answer is always allowed.
    statuses: &'static [u16],
}

fn raw(what: &'static str, bytes: impl Into<Vec<u8>>, statuses: &'static [u16]) -> RawCase {
    RawCase { what, bytes: bytes.into(), statuses }
}

pub(super) fn failures(node: &Node, service: Service) -> Vec<String> {
    let endpoint = node.endpoint(service.name());
    let address = endpoint.split('/').next().unwrap_or_default().to_owned();
    let mut failures = Vec::new();
    for case in garbage() {
        match status_of(&address, &case.bytes) {
            None => {}
            Some(status) if case.statuses.contains(&status) => {}
            Some(status) => failures.push(format!("{}: {status} instead of {:?}", case.what, case.statuses)),
        }
    }
    if service == Service::Blob {
        failures.extend(bodies(node, &address));
    }
    failures
}

/// Sends bytes, closes the sending half, and reads the status of an answer, if there is one.
fn status_of(address: &str, bytes: &[u8]) -> Option<u16> {
    let mut stream = TcpStream::connect(address).expect("the server still listens");
    stream.set_read_timeout(Some(Duration::from_secs(30))).expect("a timeout");
    // The server may close before it has everything; what it said is still read.
    let _ = stream.write_all(bytes);
    let _ = stream.shutdown(std::net::Shutdown::Write);
    let mut answer = Vec::new();
    let mut piece = [0; 4096];
    while answer.len() < 64 {
        match stream.read(&mut piece) {
            Ok(0) => break,
            Ok(length) => answer.extend_from_slice(&piece[..length]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                panic!("the server neither answers nor closes")
            }
            Err(_) => break,
        }
    }
    let line = String::from_utf8_lossy(&answer).into_owned();
    line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)).and_then(|status| status.parse().ok())
}

fn garbage() -> Vec<RawCase> {
    const BAD: &[u16] = &[400];
    const UNSIGNED: &[u16] = &[400, 401, 403, 404, 405];
    const TOO_LARGE: &[u16] = &[400, 401, 403, 404, 414, 431];
    let head = "GET /devstoreaccount1/bad HTTP/1.1\r\nHost: x\r\n";
    vec![
        raw("nothing", "", BAD),
        raw("zero bytes", vec![0; 1_000], BAD),
        raw("all bytes", (0..=255).cycle().take(10_000).collect::<Vec<u8>>(), BAD),
        raw("a TLS greeting", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03".to_vec(), BAD),
        raw("another protocol", "EHLO example.org\r\n\r\n", BAD),
        raw("HTTP/2 at once", "PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", &[400, 505]),
        raw("a version of the future", "GET / HTTP/9.9\r\n\r\n", &[505]),
        raw("no version", "GET /\r\n\r\n", BAD),
        raw("spaces in the target", "GET /a b c HTTP/1.1\r\nHost: x\r\n\r\n", BAD),
        raw("half a request line", "GET /devstoreacc", BAD),
        raw("half a header", format!("{head}X-Ms-"), BAD),
        raw("a header without a colon", format!("{head}Hello\r\n\r\n"), BAD),
        raw("a header name with a space", format!("{head}a b: c\r\n\r\n"), BAD),
        raw("a zero byte in a header", format!("{head}a: \0\r\n\r\n"), BAD),
        raw("a folded header", format!("{head}a: b\r\n c\r\n\r\n"), BAD),
        raw("a space before a colon", format!("{head}a : b\r\n\r\n"), BAD),
        raw("a bare line feed", format!("{head}a: b\nc: d\r\n\r\n"), BAD),
        raw("a bare carriage return", format!("{head}a: b\rc: d\r\n\r\n"), BAD),
        raw("two hosts", format!("{head}Host: y\r\n\r\n"), BAD),
        raw("no host", "GET /devstoreaccount1/bad HTTP/1.1\r\n\r\n", UNSIGNED),
        raw("four hundred headers", format!("{head}{}\r\n", "a: b\r\n".repeat(400)), TOO_LARGE),
        raw("a header of 100 kB", format!("{head}a: {}\r\n\r\n", "x".repeat(100_000)), TOO_LARGE),
        raw("a target of 100 kB", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(100_000)), TOO_LARGE),
        raw("an endless header", format!("{head}a: {}", "x".repeat(2 << 20)), &[400, 431]),
        raw("endless headers", format!("{head}{}", "a: b\r\n".repeat(100_000)), &[400, 431]),
        raw("an endless target", format!("GET /{} HTTP/1.1\r\n\r\n", "x".repeat(2 << 20)), &[400, 414, 431]),
        raw("a length of letters", format!("{head}Content-Length: ten\r\n\r\n"), BAD),
        raw("a length below nothing", format!("{head}Content-Length: -1\r\n\r\n"), BAD),
        raw("two lengths", format!("{head}Content-Length: 1\r\nContent-Length: 2\r\n\r\nx"), BAD),
        raw(
            "a length beyond all numbers",
            format!("{head}Content-Length: 99999999999999999999\r\n\r\n"),
            &[400, 413],
        ),
        raw(
            "a length and chunks",
            format!("{head}Content-Length: 3\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            BAD,
        ),
        raw("an unknown transfer", format!("{head}Transfer-Encoding: gzip\r\n\r\n"), &[501]),
        raw("chunks inside another", format!("{head}Transfer-Encoding: gzip, chunked\r\n\r\n"), &[501]),
        raw("a verb in small letters", "get /devstoreaccount1/bad HTTP/1.1\r\nHost: x\r\n\r\n", UNSIGNED),
        raw("the server itself", "OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", UNSIGNED),
        raw("a tunnel", "CONNECT example.org:443 HTTP/1.1\r\nHost: x\r\n\r\n", UNSIGNED),
        raw(
            "an absolute target",
            "GET http://other/devstoreaccount1/bad HTTP/1.1\r\nHost: x\r\n\r\n",
            UNSIGNED,
        ),
        raw("no path", "GET  HTTP/1.1\r\nHost: x\r\n\r\n", BAD),
        raw("a path that leads up", "GET /../../etc/passwd HTTP/1.1\r\nHost: x\r\n\r\n", UNSIGNED),
    ]
}

/// Signed writes whose body is not what the head says.
fn bodies(node: &Node, address: &str) -> Vec<String> {
    let client = Client::new(node, Service::Blob);
    let mut failures = Vec::new();
    let mut refuse = |what: &str, bytes: &[u8], statuses: &[u16]| {
        if let Some(status) = status_of(address, bytes).filter(|status| !statuses.contains(status)) {
            failures.push(format!("{what}: {status} instead of {statuses:?}"));
        }
    };
    let head = |length: &str| {
        let request = Request::new("PUT", "/bad/half").header("x-ms-blob-type", "BlockBlob");
        client.encode(&request.header("content-length", length))
    };
    let with_body = |mut bytes: Vec<u8>, body: &str| {
        bytes.extend_from_slice(body.as_bytes());
        bytes
    };
    refuse("a body that ends early", &with_body(head("100"), "half"), &[400, 408]);
    refuse("a body that never comes", &head("1000000"), &[400, 408]);
    refuse("a body beyond the limit", &with_body(head("6000000000"), "x"), &[400, 413]);
    refuse("a body beyond all limits", &with_body(head("900000000000000000"), "x"), &[400, 413]);

    let chunked = |body: &str| {
        let request = Request::new("PUT", "/bad/half").header("x-ms-blob-type", "BlockBlob");
        with_body(client.encode(&request.header("transfer-encoding", "chunked")), body)
    };
    refuse("a chunk size that is none", &chunked("zz\r\nhello\r\n0\r\n\r\n"), &[400, 411]);
    refuse("a chunk that ends early", &chunked("64\r\nhello"), &[400, 411]);
    refuse("a chunk beyond all numbers", &chunked("ffffffffffffffffff\r\nhello"), &[400, 411, 413]);

    let mut reader = Client::new(node, Service::Blob);
    if reader.call(&request::get_blob("bad", "half")).status != 404 {
        failures.push("half a body was stored".to_owned());
    }
    failures.extend(whole_chunks(&mut reader));
    failures
}

/// Chunks that are right are accepted like a length, or refused for want of one.
fn whole_chunks(client: &mut Client) -> Option<String> {
    let request = Request::new("PUT", "/bad/chunked").header("x-ms-blob-type", "BlockBlob");
    let mut bytes = client.encode(&request.header("transfer-encoding", "chunked"));
    bytes.extend_from_slice(b"5\r\nhello\r\n6\r\n world\r\n0\r\n\r\n");
    let answer = client.exchange(&bytes, false).expect("an answer");
    let stored = client.call(&request::get_blob("bad", "chunked"));
    match (answer.status, stored.status) {
        (201, 200) if stored.body == b"hello world" => None,
        (411, 404) => None,
        (put, get) => Some(format!("whole chunks: {put}, and then {get} {:?}", stored.text())),
    }
}
