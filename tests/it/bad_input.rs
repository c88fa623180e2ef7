//! What no client sends: malformed, oversized, hostile.
//!
//! Each row of a table is one request with the statuses (and, where the protocol names one, the code) that may come
//! back. Two rules hold for all of them: no answer is a 5xx, because nothing here is the server's fault (only 501 may
//! be said, to what the protocol has and the server has not), and afterwards the same process still does its work. The
//! rows are by subject: [`auth`], [`blob`], [`queue`], [`table`], and [`raw`], whose rows are not even HTTP.

mod auth;
mod blob;
mod queue;
mod raw;
mod table;

use crate::client::{Client, Credentials, Request, Response, Service, request};
use crate::node::Node;

/// One bad request and what may be said to it.
struct Case {
    what: &'static str,
    request: Request,
    statuses: &'static [u16],
    /// The code, if the protocol leaves no choice.
    code: Option<&'static str>,
}

fn case(what: &'static str, request: Request, statuses: &'static [u16]) -> Case {
    Case { what, request, statuses, code: None }
}

/// A case that must be answered with one status and one code.
fn coded(what: &'static str, request: Request, status: &'static [u16], code: &'static str) -> Case {
    Case { what, request, statuses: status, code: Some(code) }
}

fn put(target: &str) -> Request {
    Request::new("PUT", target)
}

fn get(target: &str) -> Request {
    Request::new("GET", target)
}

fn post(target: &str, body: impl Into<Vec<u8>>) -> Request {
    Request::new("POST", target).body(body)
}

fn check(service: Service, cases: Vec<Case>) {
    let node = Node::start();
    prepare(&node);
    let mut failures = Vec::new();
    for case in cases {
        let mut client = Client::new(&node, service);
        match client.send(&case.request) {
            Ok(answer) => failures.extend(wrong(&case, &answer)),
            // Bytes of a head that is not read to its end reset the connection, sometimes before the answer is read.
            Err(_) if case.statuses.contains(&431) => {}
            Err(error) => failures.push(format!("{}: no answer: {error}", case.what)),
        }
    }
    assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    alive(&node);
}

fn wrong(case: &Case, answer: &Response) -> Option<String> {
    let right = case.statuses.contains(&answer.status) && case.code.is_none_or(|code| answer.code() == code);
    if right && (answer.status < 500 || answer.status == 501) {
        return None;
    }
    let wanted = case.code.unwrap_or_default();
    let text: String = answer.text().chars().take(300).collect();
    Some(format!(
        "{}: {} {} instead of {:?} {wanted}\n  {text}",
        case.what,
        answer.status,
        answer.code(),
        case.statuses
    ))
}

/// A container `bad` with the blob `b`, a queue `bad` with one message, a table `bad` with the entity `p`, `r`.
fn prepare(node: &Node) {
    let mut blob = Client::new(node, Service::Blob);
    blob.call(&request::create_container("bad")).expect(201);
    blob.call(&request::put_blob("bad", "b", b"0123456789")).expect(201);
    let mut queue = Client::new(node, Service::Queue);
    queue.call(&request::create_queue("bad")).expect(201);
    queue.call(&request::put_message("bad", "message")).expect(201);
    let mut table = Client::new(node, Service::Table);
    table.call(&request::create_table("bad")).expect(201);
    table.call(&request::insert_entity("bad", "{\"PartitionKey\":\"p\",\"RowKey\":\"r\"}")).expect(204);
}

/// What was there before is there, and nothing bad has been stored.
fn alive(node: &Node) {
    let blob = Client::new(node, Service::Blob).call(&request::get_blob("bad", "b")).expect(200);
    assert_eq!(blob.body, b"0123456789");
    // The message may be hidden by now: some of the reads above are allowed to be reads.
    let queue = Client::new(node, Service::Queue).call(&get("/bad?comp=metadata")).expect(200);
    assert_ne!(queue.header("x-ms-approximate-messages-count"), Some("0"));
    Client::new(node, Service::Table).call(&request::get_entity("bad", "p", "r")).expect(200);
}

#[test]
fn bad_credentials_are_refused() {
    for service in Service::ALL {
        check(service, auth::cases(service));
    }
}

#[test]
fn bad_blob_requests_are_refused() {
    check(Service::Blob, blob::cases());
}

#[test]
fn bad_queue_requests_are_refused() {
    check(Service::Queue, queue::cases());
}

#[test]
fn bad_table_requests_are_refused() {
    check(Service::Table, table::cases());
}

#[test]
fn bytes_that_are_no_request_do_no_harm() {
    for service in Service::ALL {
        let node = Node::start();
        prepare(&node);
        let failures = raw::failures(&node, service);
        alive(&node);
        assert!(failures.is_empty(), "{} failures:\n{}", failures.len(), failures.join("\n"));
    }
}

/// A request that nobody signed but which carries this header.
fn with_authorization(value: &str) -> Request {
    get("/bad?comp=list").credentials(Credentials::None).header("authorization", value)
}
