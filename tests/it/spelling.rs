//! Names of metadata come back as they were written, in headers and in listings, and mean the same in any case.

use crate::client::{Client, Request, Response, Service, request};
use crate::node::Node;

/// The headers of metadata in an answer, as they came.
fn metadata(answer: &Response) -> Vec<(&str, &str)> {
    let is_metadata = |name: &str| name.to_ascii_lowercase().starts_with("x-ms-meta-");
    let pairs = answer.headers.iter().filter(|(name, _)| is_metadata(name));
    pairs.map(|(name, value)| (name.as_str(), value.as_str())).collect()
}

fn with_metadata(request: Request) -> Request {
    request.header("X-MS-Meta-CategoryName", "One").header("x-ms-meta-plain", "Two")
}

const WRITTEN: [(&str, &str); 2] = [("x-ms-meta-CategoryName", "One"), ("x-ms-meta-plain", "Two")];
const LISTED: &str = "<Metadata><CategoryName>One</CategoryName><plain>Two</plain></Metadata>";

#[test]
fn names_of_a_blobs_metadata_are_given_back_as_they_were_written() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("case")).expect(201);
    let commit = || request::put_block_list("case", "blocks", &[]);
    let source = format!("http://{}/case/put", node.endpoint("blob"));
    let copy = Request::new("PUT", "/case/copy").header("x-ms-copy-source", &source);
    for (write, status) in [
        (with_metadata(request::put_blob("case", "put", b"x")), 201),
        (with_metadata(commit()), 201),
        (request::put_blob("case", "set", b"x"), 201),
        (with_metadata(Request::new("PUT", "/case/set?comp=metadata")), 200),
        (copy, 202),
    ] {
        blob.call(&write).expect(status);
    }
    let snapshot = blob.call(&with_metadata(Request::new("PUT", "/case/put?comp=snapshot"))).expect(201);
    let snapshot = format!("/case/put?snapshot={}", snapshot.header("x-ms-snapshot").expect("its time"));
    for target in ["/case/put", "/case/blocks", "/case/set", "/case/copy", &snapshot] {
        for method in ["GET", "HEAD"] {
            let got = blob.call(&Request::new(method, target)).expect(200);
            assert_eq!(metadata(&got), WRITTEN, "{method} {target}");
        }
    }
    let alone = blob.call(&Request::new("GET", "/case/put?comp=metadata")).expect(200);
    assert_eq!(metadata(&alone), WRITTEN);
    let list = Request::new("GET", "/case?restype=container&comp=list&include=metadata,snapshots");
    assert_eq!(blob.call(&list).expect(200).text().matches(LISTED).count(), 5);
}

#[test]
fn names_of_the_metadata_of_containers_and_queues_are_given_back_as_they_were_written() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&with_metadata(request::create_container("made"))).expect(201);
    blob.call(&request::create_container("set")).expect(201);
    blob.call(&with_metadata(Request::new("PUT", "/set?restype=container&comp=metadata"))).expect(200);
    for target in
        ["/made?restype=container", "/set?restype=container", "/set?restype=container&comp=metadata"]
    {
        assert_eq!(metadata(&blob.call(&Request::new("GET", target)).expect(200)), WRITTEN, "{target}");
    }
    let listed = blob.call(&Request::new("GET", "/?comp=list&include=metadata")).expect(200).text();
    assert_eq!(listed.matches(LISTED).count(), 2, "{listed}");

    let mut queue = Client::new(&node, Service::Queue);
    queue.call(&with_metadata(request::create_queue("made"))).expect(201);
    let again = request::create_queue("made").header("X-Ms-Meta-PLAIN", "Two");
    queue.call(&again.header("x-ms-meta-categoryname", "One")).expect(204);
    queue.call(&request::create_queue("set")).expect(201);
    queue.call(&with_metadata(Request::new("PUT", "/set?comp=metadata"))).expect(204);
    for target in ["/made?comp=metadata", "/set?comp=metadata"] {
        assert_eq!(metadata(&queue.call(&Request::new("GET", target)).expect(200)), WRITTEN, "{target}");
    }
    let listed = queue.call(&Request::new("GET", "/?comp=list&include=metadata")).expect(200).text();
    assert_eq!(listed.matches(LISTED).count(), 2, "{listed}");
}

#[test]
fn two_spellings_of_a_name_are_one_name_twice() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("twice")).expect(201);
    for (one, other) in [("x-ms-meta-Name", "x-ms-meta-nAME"), ("x-ms-meta-name", "x-ms-meta-Name")] {
        let put = request::put_blob("twice", "b", b"x").header(one, "1").header(other, "2");
        assert_eq!(blob.call(&put).expect(400).code(), "InvalidMetadata");
    }
}

#[test]
fn spellings_outlive_the_process() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("kept")).expect(201);
    blob.call(&with_metadata(request::put_blob("kept", "b", b"x"))).expect(201);
    assert!(node.stop().success());
    node.restart();
    let got = Client::new(&node, Service::Blob).call(&request::get_blob("kept", "b")).expect(200);
    assert_eq!(metadata(&got), WRITTEN);
}
