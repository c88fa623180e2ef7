//! Copies that take their time, across the end of the process that made them.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};

use crate::client::{Client, Request, Response, Service, request};
use crate::node::Node;

/// A web server whose one answer stops in the middle. What it hands out is the connection, which stays open as long as
/// that is kept.
fn stuck_server(beginning: &[u8], length: usize) -> (SocketAddr, Receiver<TcpStream>) {
    let answer = format!("HTTP/1.1 200 OK\r\nContent-Length: {length}\r\n\r\n");
    let answer = [answer.as_bytes(), beginning].concat();
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (sender, connections) = channel();
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().expect("a connection");
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(&answer);
        let _ = sender.send(stream);
    });
    (address, connections)
}

/// A web server that gives these answers, one for each connection, and what it was asked.
fn broken_server(answers: Vec<String>) -> (SocketAddr, Receiver<String>) {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a bound socket has an address");
    let (sender, asked) = channel();
    std::thread::spawn(move || {
        for answer in answers {
            let (mut stream, _) = listener.accept().expect("a connection");
            let mut head = [0; 4096];
            let bytes = stream.read(&mut head).unwrap_or_default();
            let _ = sender.send(String::from_utf8_lossy(&head[..bytes]).to_ascii_lowercase());
            let _ = stream.write_all(answer.as_bytes());
        }
    });
    (address, asked)
}

/// The answer of a server that says so much and breaks off.
fn answer(status: &str, headers: &[&str], length: usize, body: &str) -> String {
    format!("HTTP/1.1 {status}\r\nContent-Length: {length}\r\n{}\r\n\r\n{body}", headers.join("\r\n"))
}

/// The destination once the copy to it has ended.
fn ended(client: &mut Client) -> Response {
    loop {
        let blob = client.call(&request::get_blob("copies", "blob")).expect(200);
        if blob.header("x-ms-copy-status") != Some("pending") {
            return blob;
        }
        std::thread::sleep(std::time::Duration::from_millis(20));
    }
}

/// Copies what a server with these answers gives, and tells how the copy ended and what it gave.
fn copied(client: &mut Client, answers: Vec<String>) -> (String, String, Vec<String>) {
    let (source, asked) = broken_server(answers);
    let url = format!("http://{source}/file?sig=secret");
    let copy = Request::new("PUT", "/copies/blob").header("x-ms-copy-source", &url);
    client.call(&copy).expect(202);
    let ended = ended(client);
    let description = ended.header("x-ms-copy-status-description").unwrap_or("success");
    (description.to_owned(), ended.text(), asked.try_iter().collect())
}

#[test]
fn a_source_that_breaks_off_is_asked_for_the_rest_of_the_same_version() {
    let node = Node::start_with(&["--copy-from-private"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("copies")).expect(201);
    let first = answer("200 OK", &["ETag: \"1\""], 10, "01234");
    let rest = |etag: &str, range: &str| {
        let headers = [format!("ETag: {etag}"), format!("Content-Range: bytes {range}")];
        answer("206 Partial Content", &[headers[0].as_str(), headers[1].as_str()], 5, "56789")
    };
    let busy = answer("503 Service Unavailable", &["Server: x"], 0, "");
    let (ended, bytes, asked) = copied(&mut client, vec![first.clone(), busy, rest("\"1\"", "5-9/10")]);
    assert_eq!((ended.as_str(), bytes.as_str()), ("success", "0123456789"));
    let [_, _, again] = asked.as_slice() else { panic!("{asked:?}") };
    for line in ["get /file?sig=secret ", "\nrange: bytes=5-\r", "\nif-match: \"1\"\r"] {
        assert!(again.contains(line), "{line} in {again}");
    }
    // Nothing came of it yet, as when a copy waits for its turn: then it is asked for as a whole.
    let nothing = answer("200 OK", &["ETag: \"1\""], 10, "");
    let whole = answer("200 OK", &["ETag: \"1\""], 10, "0123456789");
    let (ended, bytes, asked) = copied(&mut client, vec![nothing, whole]);
    assert_eq!((ended.as_str(), bytes.as_str()), ("success", "0123456789"));
    assert!(!asked[1].contains("range:"), "{}", asked[1]);
    for (other, expected) in [
        (rest("\"2\"", "5-9/10"), "412 SourceConditionNotMet"),
        (answer("412 Precondition Failed", &["ETag: \"2\""], 0, ""), "412 SourceConditionNotMet"),
        (rest("\"1\"", "4-8/10"), "409 CannotVerifyCopySource"),
        (answer("200 OK", &["ETag: \"1\""], 10, "0123456789"), "409 CannotVerifyCopySource"),
    ] {
        let (ended, bytes, _) = copied(&mut client, vec![first.clone(), other.clone()]);
        assert!(ended.starts_with(expected), "{ended} of {other}");
        assert_eq!(bytes, "", "{other}");
    }
    let unversioned = answer("200 OK", &["Server: x"], 10, "01234");
    let (ended, _, asked) = copied(&mut client, vec![unversioned, rest("\"1\"", "5-9/10")]);
    assert!(ended.starts_with("409 CannotVerifyCopySource") && asked.len() == 1, "{ended} {asked:?}");
}

fn begin(node: &Node) -> TcpStream {
    let mut client = Client::new(node, Service::Blob);
    let (source, connections) = stuck_server(b"only the beginning", 1_000_000);
    let copy =
        Request::new("PUT", "/copies/blob").header("x-ms-copy-source", &format!("http://{source}/file"));
    let answer = client.call(&copy).expect(202);
    assert_eq!(answer.header("x-ms-copy-status"), Some("pending"));
    connections.recv().expect("the source was asked")
}

fn failed_for_good(node: &Node) {
    let mut client = Client::new(node, Service::Blob);
    let answer = client.call(&request::get_blob("copies", "blob")).expect(200);
    assert_eq!(answer.header("x-ms-copy-status"), Some("failed"));
    let description = answer.header("x-ms-copy-status-description").unwrap_or_default();
    assert!(description.starts_with("500 InternalError"), "{description}");
    assert!(answer.body.is_empty());
    client.call(&request::put_blob("copies", "blob", b"new")).expect(201);
}

#[test]
fn a_copy_whose_process_was_killed_does_not_stay_pending() {
    let mut node = Node::start_with(&["--copy-from-private"]);
    Client::new(&node, Service::Blob).call(&request::create_container("copies")).expect(201);
    let source = begin(&node);
    let pending = Client::new(&node, Service::Blob).call(&request::get_blob("copies", "blob")).expect(200);
    assert_eq!(pending.header("x-ms-copy-progress"), Some("0/1000000"));
    let barred =
        Client::new(&node, Service::Blob).call(&request::put_blob("copies", "blob", b"x")).expect(409);
    assert_eq!(barred.code(), "PendingCopyOperation");
    node.kill();
    drop(source);
    node.restart();
    failed_for_good(&node);

    let source = begin(&node);
    assert!(node.stop().success(), "a copy under way does not keep the process");
    drop(source);
    node.restart();
    failed_for_good(&node);
}

#[test]
fn a_server_on_this_machine_is_no_source_unless_that_is_allowed() {
    let node = Node::start();
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("copies")).expect(201);
    let (source, connections) = stuck_server(b"only the beginning", 1_000_000);
    for operation in ["x-ms-requires-sync", "x-ms-client-request-id"] {
        let url = format!("http://localhost:{}/file", source.port());
        let copy =
            Request::new("PUT", "/copies/blob").header("x-ms-copy-source", &url).header(operation, "true");
        let refused = client.call(&copy).expect(403);
        assert_eq!(refused.code(), "CannotVerifyCopySource");
    }
    assert!(connections.try_recv().is_err(), "nobody connected");
    client.call(&request::get_blob("copies", "blob")).expect(404);
}

#[test]
fn a_source_is_ours_by_any_name_that_means_this_server() {
    let node = Node::start();
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("copies")).expect(201);
    client.call(&request::put_blob("copies", "source", b"hello")).expect(201);
    let (authority, account) = node.endpoint("blob").split_once('/').expect("an account in the path");
    let port = authority.rsplit_once(':').map(|(_, port)| port).expect("a port");
    for url in [
        format!("http://localhost:{port}/{account}/copies/source"),
        format!("http://{account}.blob.localhost:{port}/copies/source"),
    ] {
        let copy = Request::new("PUT", "/copies/blob").header("x-ms-copy-source", &url);
        assert_eq!(client.call(&copy).expect(202).header("x-ms-copy-status"), Some("success"), "{url}");
    }
    // By the name under which the client came, which nobody but the client knows.
    let named = Request::new("PUT", "/copies/blob")
        .header("host", &format!("{account}.blob.storage.test:8080"))
        .header("x-ms-copy-source", &format!("http://{account}.blob.storage.test:8080/copies/source"));
    assert_eq!(client.call(&named).expect(202).header("x-ms-copy-status"), Some("success"));
}

#[test]
fn a_blob_leaves_the_archive_into_another_account_since_2021_02_12() {
    let node = Node::start();
    let created = node.succeeds(&["account", "create", "mine"]);
    let key = created.lines().find_map(|line| line.strip_prefix("key 1")).expect("a key").trim().to_owned();
    let mut theirs = Client::new(&node, Service::Blob);
    let public = request::create_container("public").header("x-ms-blob-public-access", "blob");
    theirs.call(&public).expect(201);
    let archived = request::put_blob("public", "source", b"hello").header("x-ms-access-tier", "Archive");
    theirs.call(&archived).expect(201);
    let mut mine = Client::of_account(&node, Service::Blob, "mine", &key);
    mine.call(&request::create_container("copies")).expect(201);
    let copy = |version| {
        Request::new("PUT", "/copies/blob")
            .header("x-ms-copy-source", &format!("http://{}/public/source", node.endpoint("blob")))
            .header("x-ms-access-tier", "Hot")
            .header("x-ms-rehydrate-priority", "High")
            .header("x-ms-version", version)
    };
    assert_eq!(mine.call(&copy("2020-12-06")).expect(409).code(), "BlobArchived");
    let answer = mine.call(&copy("2021-02-12")).expect(202);
    assert_eq!(answer.header("x-ms-copy-status"), Some("success"));
    let blob = mine.call(&Request::new("HEAD", "/copies/blob")).expect(200);
    assert_eq!(blob.header("x-ms-archive-status"), Some("rehydrate-pending-to-hot"));
}

#[test]
fn the_callers_right_is_lent_within_the_account_and_only_where_the_source_brings_none() {
    let node = Node::start();
    let created = node.succeeds(&["account", "create", "mine"]);
    let key = created.lines().find_map(|line| line.strip_prefix("key 1")).expect("a key").trim().to_owned();
    let mut theirs = Client::new(&node, Service::Blob);
    theirs.call(&request::create_container("private")).expect(201);
    theirs.call(&request::put_blob("private", "source", b"secret")).expect(201);
    let mut mine = Client::of_account(&node, Service::Blob, "mine", &key);
    mine.call(&request::create_container("copies")).expect(201);
    let source = format!("http://{}/private/source", node.endpoint("blob"));
    let copy = |at: &str, source: &str| Request::new("PUT", at).header("x-ms-copy-source", source);
    let refused = mine.call(&copy("/copies/blob", &source));
    assert_eq!((refused.status, refused.code()), (401, "CannotVerifyCopySource".to_owned()), "{refused:?}");
    mine.call(&request::get_blob("copies", "blob")).expect(404);
    let forged = format!("{source}?sv=2026-02-06&sr=b&sp=r&se=2100-01-01T00%3A00%3A00Z&sig=AAAA");
    let refused = theirs.call(&copy("/private/blob", &forged)).expect(403);
    assert_eq!(refused.header("x-ms-copy-source-error-code"), Some("AuthenticationFailed"));
    theirs.call(&copy("/private/blob", &source)).expect(202);
}

#[test]
fn a_page_blob_that_is_written_while_it_is_copied_fails_the_copy() {
    let node = Node::start();
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("copies")).expect(201);
    let bytes = 256_u64 << 20;
    let disk = Request::new("PUT", "/copies/disk")
        .header("x-ms-blob-type", "PageBlob")
        .header("x-ms-blob-content-length", &bytes.to_string());
    client.call(&disk).expect(201);
    let source = format!("http://{}/copies/disk", node.endpoint("blob"));
    let copy = Request::new("PUT", "/copies/blob").header("x-ms-copy-source", &source);
    assert_eq!(client.call(&copy).expect(202).header("x-ms-copy-status"), Some("pending"));
    let page = Request::new("PUT", "/copies/disk?comp=page")
        .header("x-ms-page-write", "update")
        .header("x-ms-range", "bytes=0-511")
        .body(vec![1; 512]);
    client.call(&page).expect(201);
    let ended = ended(&mut client);
    let description = ended.header("x-ms-copy-status-description").unwrap_or_default();
    assert!(description.starts_with("412 SourceConditionNotMet"), "{description}");
}

#[test]
fn a_source_that_is_too_large_to_be_copied_at_once_is_not_begun() {
    let node = Node::start_with(&["--copy-from-private"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("copies")).expect(201);
    let (source, _asked) = broken_server(vec![answer("200 OK", &["ETag: \"1\""], (256 << 20) + 1, "")]);
    let copy = Request::new("PUT", "/copies/blob")
        .header("x-ms-copy-source", &format!("http://{source}/file"))
        .header("x-ms-requires-sync", "true");
    let refused = client.call(&copy).expect(409);
    assert!(refused.text().contains("larger than 268435456 bytes"), "{}", refused.text());
}

#[test]
fn a_copy_tells_how_far_it_is_and_fails_where_its_container_is_now() {
    let node = Node::start_with(&["--copy-from-private"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("before")).expect(201);
    let (source, connections) = stuck_server(&vec![b'x'; 5 << 20], 10 << 20);
    let copy =
        Request::new("PUT", "/before/blob").header("x-ms-copy-source", &format!("http://{source}/file"));
    client.call(&copy).expect(202);
    loop {
        let blob = client.call(&request::get_blob("before", "blob")).expect(200);
        let progress = blob.header("x-ms-copy-progress").expect("it is under way");
        let (done, total) = progress.split_once('/').expect("two numbers");
        assert_eq!((blob.header("x-ms-copy-status"), total), (Some("pending"), "10485760"));
        if done != "0" {
            break;
        }
    }
    let rename = Request::new("PUT", "/copies?restype=container&comp=rename")
        .header("x-ms-source-container-name", "before");
    client.call(&rename).expect(200);
    drop(connections.recv().expect("the source was asked"));
    let ended = ended(&mut client);
    assert_eq!(ended.header("x-ms-copy-status"), Some("failed"));
}
