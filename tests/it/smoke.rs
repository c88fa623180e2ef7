//! One walk through all three services with our own client: the first thing to break when anything does.

use crate::client::{Client, Credentials, Service, messages, request};
use crate::node::Node;

#[test]
fn what_was_stored_is_there_after_a_stop_and_after_a_kill() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("c")).expect(400);
    blob.call(&request::create_container("smoke")).expect(201);
    blob.call(&request::put_blob("smoke", "a/b.txt", b"hello")).expect(201);
    let mut queue = Client::new(&node, Service::Queue);
    queue.call(&request::create_queue("smoke")).expect(201);
    queue.call(&request::put_message("smoke", "first")).expect(201);
    let mut table = Client::new(&node, Service::Table);
    table.call(&request::create_table("smoke")).expect(201);
    let entity = "{\"PartitionKey\":\"p\",\"RowKey\":\"r\",\"Colour\":\"blue\"}";
    table.call(&request::insert_entity("smoke", entity)).expect(204);

    assert!(node.stop().success(), "SIGTERM ends the process with exit code 0");
    node.restart();
    check(&node);
    node.kill();
    node.restart();
    check(&node);
}

fn check(node: &Node) {
    let blob = Client::new(node, Service::Blob).call(&request::get_blob("smoke", "a/b.txt")).expect(200);
    assert_eq!(blob.body, b"hello");
    let peeked = Client::new(node, Service::Queue).call(&request::peek_messages("smoke", 32)).expect(200);
    assert_eq!(messages(&peeked).iter().map(|message| message.text.as_str()).collect::<Vec<_>>(), ["first"]);
    let entity = Client::new(node, Service::Table).call(&request::get_entity("smoke", "p", "r")).expect(200);
    assert!(entity.text().contains("\"Colour\":\"blue\""), "{}", entity.text());
}

#[test]
fn every_request_leaves_one_line_in_the_log() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    let marked = request::create_container("logged").header("x-ms-client-request-id", "one-line-please");
    blob.call(&marked).expect(201);
    blob.call(&request::create_container("refused").credentials(Credentials::WrongKey)).expect(403);
    node.stop();
    assert_eq!(node.logged("CreateContainer"), 2, "a refused request is logged as well");
}
