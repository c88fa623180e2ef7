//! Answers that are known before the request's body has come.
//!
//! Most clients send to the end before they look for the answer, and must find it. One that waits for the server's word
//! sends nothing without it.

use crate::client::{Client, Credentials, Request, Service, request};
use crate::node::Node;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;

/// More than sockets of both sides hold.
const LARGE: usize = 48 << 20;

/// Requests that are refused at different depths, and what they are told.
fn refused() -> Vec<(Request, u16, &'static str)> {
    let body = vec![7; LARGE];
    let put =
        |target: &str| Request::new("PUT", target).header("x-ms-blob-type", "BlockBlob").body(body.clone());
    vec![
        (put("/bodies/blob").credentials(Credentials::WrongKey), 403, "AuthenticationFailed"),
        (put("/bodies/blob").header("x-ms-version", "long ago"), 400, "InvalidHeaderValue"),
        (put("/bodies/blob?comp=block&comp=block&blockid=AA=="), 400, "InvalidQueryParameterValue"),
        (put("/bodies/blob?comp=metadata&timeout=soon"), 400, "InvalidQueryParameterValue"),
        (put("/bodies/blob?comp=blocklist"), 413, "RequestBodyTooLarge"),
        (put("/nowhere/blob"), 404, "ContainerNotFound"),
        (put("/bodies/leased"), 412, "LeaseIdMissing"),
    ]
}

#[test]
fn who_sends_a_large_body_to_its_end_finds_the_answer_that_did_not_wait_for_it() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("bodies")).expect(201);
    blob.call(&request::put_blob("bodies", "leased", b"")).expect(201);
    let lease = Request::new("PUT", "/bodies/leased?comp=lease").header("x-ms-lease-action", "acquire");
    blob.call(&lease.header("x-ms-lease-duration", "-1")).expect(201);
    for (request, status, code) in refused() {
        let answer = blob.call(&request).expect(status);
        assert_eq!(answer.code(), code, "{}", request.target);
        assert!(blob.is_connected(), "{}: the connection is good for the next request", request.target);
    }
    assert_eq!(blob.call(&request::get_blob("bodies", "leased")).expect(200).body, b"");
}

/// Sends a head that waits for the server's word, and reads until `end` or the end of the connection.
fn told(node: &Node, request: &Request, end: &str) -> (TcpStream, String) {
    let blob = Client::new(node, Service::Blob);
    let (address, _) = node.endpoint("blob").split_once('/').expect("an endpoint has a path");
    let mut stream = TcpStream::connect(address).expect("the port accepts");
    stream.write_all(&blob.encode(request)).expect("a head fits the socket");
    let (mut text, mut byte) = (String::new(), [0]);
    while !text.ends_with(end) && stream.read(&mut byte).expect("the server answers") == 1 {
        text.push(char::from(byte[0]));
    }
    (stream, text)
}

#[test]
fn who_waits_for_the_servers_word_is_refused_without_sending() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("word")).expect(201);
    let put = |container: &str| {
        let request =
            Request::new("PUT", &format!("/{container}/blob")).header("x-ms-blob-type", "BlockBlob");
        request.header("content-length", "11").header("expect", "100-continue")
    };
    for (request, line) in
        [(put("word").credentials(Credentials::WrongKey), "HTTP/1.1 403 "), (put("nowhere"), "HTTP/1.1 404 ")]
    {
        let (_, text) = told(&node, &request, "</Error>");
        assert!(text.starts_with(line), "no word first: {text}");
        assert!(text.to_lowercase().contains("\r\nconnection: close\r\n"), "{text}");
    }
    let (mut stream, text) = told(&node, &put("word"), "\r\n\r\n");
    assert_eq!(text, "HTTP/1.1 100 Continue\r\n\r\n");
    stream.write_all(b"hello world").expect("the server reads");
    let mut answer = [0; 13];
    stream.read_exact(&mut answer).expect("the server answers");
    assert_eq!(&answer, b"HTTP/1.1 201 ");
    assert_eq!(blob.call(&request::get_blob("word", "blob")).expect(200).body, b"hello world");
}
