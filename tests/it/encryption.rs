//! Encryption at rest, judged by what lies on the disk: what was written under a key or scope must not be found there,
//! and what was written without must be, or the search proves nothing. Customers' keys come with official clients
//! over TLS ([`crate::sdk`]); encryption scopes need none of that and are tried here.

use crate::client::{ACCOUNT, Client, Service, request};
use crate::node::Node;
use std::path::{Path, PathBuf};

/// Whether some file under the folder contains the bytes.
pub(crate) fn is_on_disk(folder: &Path, bytes: &[u8]) -> bool {
    let entries = std::fs::read_dir(folder).expect("a readable folder");
    let paths: Vec<PathBuf> = entries.map(|entry| entry.expect("a readable entry").path()).collect();
    paths.iter().any(|path| {
        if path.is_dir() {
            return is_on_disk(path, bytes);
        }
        // What the process removes meanwhile is not on the disk.
        let content = std::fs::read(path).unwrap_or_default();
        content.windows(bytes.len()).any(|window| window == bytes)
    })
}

/// Content that says `marker` every hundred bytes.
fn content(marker: &str, length: usize) -> Vec<u8> {
    format!("{marker:-<100}").into_bytes().into_iter().cycle().take(length).collect()
}

#[test]
fn what_a_scope_encrypts_is_not_on_the_disk_and_survives_a_kill() {
    let mut node = Node::start();
    node.succeeds(&["scope", "create", ACCOUNT, "it-scope"]);
    let scoped = |request: crate::client::Request| request.header("x-ms-encryption-scope", "it-scope");
    let (large, small) = (content("a-sealed-marker", 2_500_000), content("a-small-marker", 3000));
    let plain = content("a-plain-marker", 300_000);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("con")).expect(201);
    client.call(&scoped(request::put_blob("con", "large", &large))).expect(201);
    let told = client.call(&scoped(request::put_blob("con", "small", &small))).expect(201);
    assert_eq!(told.header("x-ms-encryption-scope"), Some("it-scope"));
    client.call(&request::put_blob("con", "plain", &plain)).expect(201);
    let ids: Vec<String> = (0..3).map(request::block_id).collect();
    for id in &ids {
        client.call(&scoped(request::put_block("con", "blocks", id, &large))).expect(201);
    }
    let without = client.call(&request::put_block_list("con", "blocks", &ids));
    assert_eq!(without.expect(409).code(), "BlobUsesCustomerSpecifiedEncryption");
    client.call(&scoped(request::put_block_list("con", "blocks", &ids))).expect(201);

    node.kill();
    assert!(is_on_disk(node.folder(), b"a-plain-marker"));
    assert!(!is_on_disk(node.folder(), b"a-sealed-marker"));
    assert!(!is_on_disk(node.folder(), b"a-small-marker"));

    node.restart();
    let mut client = Client::new(&node, Service::Blob);
    let read = client.call(&request::get_blob("con", "large")).expect(200);
    assert_eq!(read.header("x-ms-encryption-scope"), Some("it-scope"));
    assert!(read.body == large);
    assert!(client.call(&request::get_blob("con", "small")).expect(200).body == small);
    assert!(client.call(&request::get_blob("con", "blocks")).expect(200).body == large.repeat(3));
    for (first, last) in [(0, 0), (65_487, 65_488), (1_048_280, 1_048_300), (2_499_990, 2_600_000)] {
        let range = format!("bytes={first}-{last}");
        let read = client.call(&request::get_blob("con", "blocks").header("x-ms-range", &range)).expect(206);
        assert!(read.body == large.repeat(3)[first..=last], "{range}");
    }
}

#[test]
fn scopes_are_listed_and_disabled_and_enabled_again() {
    let node = Node::start();
    node.succeeds(&["scope", "create", ACCOUNT, "one"]);
    node.succeeds(&["scope", "create", ACCOUNT, "two"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("con")).expect(201);
    let put = |body: &[u8]| request::put_blob("con", "b", body).header("x-ms-encryption-scope", "one");
    client.call(&put(b"content")).expect(201);
    node.succeeds(&["scope", "disable", ACCOUNT, "one"]);
    assert_eq!(node.succeeds(&["scope", "list", ACCOUNT]), "one\tdisabled\ntwo\tenabled\n");
    client.call(&request::get_blob("con", "b")).expect(403);
    client.call(&put(b"other")).expect(403);
    node.succeeds(&["scope", "create", ACCOUNT, "one"]);
    assert_eq!(client.call(&request::get_blob("con", "b")).expect(200).body, b"content");
    assert!(node.fails(&["scope", "disable", ACCOUNT, "three"]).contains("no encryption scope"));
    assert!(node.fails(&["scope", "create", "nobody", "one"]).contains("no account"));
    assert!(node.fails(&["scope", "create", ACCOUNT, "no_good"]).contains("letters"));
}

#[test]
fn a_container_gives_its_scope_to_its_blobs() {
    let node = Node::start();
    node.succeeds(&["scope", "create", ACCOUNT, "one"]);
    node.succeeds(&["scope", "create", ACCOUNT, "two"]);
    let mut client = Client::new(&node, Service::Blob);
    let create = request::create_container("con")
        .header("x-ms-default-encryption-scope", "one")
        .header("x-ms-deny-encryption-scope-override", "true");
    client.call(&create).expect(201);
    let told = client.call(&request::put_blob("con", "b", b"x")).expect(201);
    assert_eq!(told.header("x-ms-encryption-scope"), Some("one"));
    let other = request::put_blob("con", "b", b"x").header("x-ms-encryption-scope", "two");
    assert_eq!(client.call(&other).expect(403).code(), "RequestForbiddenByContainerEncryptionPolicy");
    let append = crate::client::Request::new("PUT", "/con/log").header("x-ms-blob-type", "AppendBlob");
    assert_eq!(client.call(&append).expect(201).header("x-ms-encryption-scope"), Some("one"));
    for part in [b"one ", b"two "] {
        let append = crate::client::Request::new("PUT", "/con/log?comp=appendblock").body(part.to_vec());
        client.call(&append).expect(201);
    }
    assert_eq!(client.call(&request::get_blob("con", "log")).expect(200).body, b"one two ");
}

#[test]
fn what_is_copied_into_a_container_takes_its_scope() {
    let node = Node::start();
    node.succeeds(&["scope", "create", ACCOUNT, "one"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("plain")).expect(201);
    let create = request::create_container("con").header("x-ms-default-encryption-scope", "one");
    client.call(&create).expect(201);
    let marker = b"a marker that is copied, and longer than what a record would hold".repeat(200);
    client.call(&request::put_blob("plain", "source", &marker)).expect(201);
    let source = format!("http://{}/plain/source", node.endpoint("blob"));
    let copy = crate::client::Request::new("PUT", "/con/copy").header("x-ms-copy-source", &source);
    client.call(&copy).expect(202);
    let read = client.call(&request::get_blob("con", "copy")).expect(200);
    assert_eq!(read.header("x-ms-encryption-scope"), Some("one"));
    assert!(read.body == marker);
}
