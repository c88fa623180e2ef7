//! Shared access signatures and public containers on the real process: what they open, and that they open no more.
//!
//! The signatures are made here, from the vendor's pages, with none of the server's code. Every letter against every
//! operation is not the matter of this file but of the tables beside the server's own; here it is what spans more
//! than one of its parts: overwriting, ranges of keys in queries and batches, headers of answers, the log.

use crate::client::{ACCOUNT, Client, Credentials, KEY, Request, Response, Service, request};
use crate::node::Node;
use crate::sign::percent_encoded;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, KeyInit as _, Mac as _};
use sha2::Sha256;

/// Fields of a service's signature in the order in which version 2020-12-06 signs them; `resource` stands for it.
pub(crate) const BLOB: &str = "sp st se resource si sip spr sv sr snapshot ses rscc rscd rsce rscl rsct";
const QUEUE: &str = "sp st se resource si sip spr sv";
const TABLE: &str = "sp st se resource si sip spr sv spk srk epk erk";
const EVER: (&str, &str) = ("se", "2999-01-01T00:00:00Z");
const VERSION: (&str, &str) = ("sv", "2020-12-06");

fn mac(text: &str) -> String {
    let key = STANDARD.decode(KEY).expect("the published key is Base64");
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).expect("HMAC takes keys of any length");
    mac.update(text.as_bytes());
    STANDARD.encode(mac.finalize().into_bytes())
}

/// The query of a signature on `resource`, such as `/blob/account/container`.
pub(crate) fn signature(order: &str, resource: &str, fields: &[(&str, &str)]) -> String {
    let all = [fields, &[EVER, VERSION]].concat();
    let value = |name: &str| all.iter().find(|(given, _)| *given == name).map_or("", |(_, value)| *value);
    let lines = order.split(' ').map(|name| if name == "resource" { resource } else { value(name) });
    let sig = mac(&lines.collect::<Vec<_>>().join("\n"));
    let signed = [all.as_slice(), &[("sig", sig.as_str())]].concat();
    let pair = |(name, value): &(&str, &str)| format!("{name}={}", percent_encoded(value));
    signed.iter().map(pair).collect::<Vec<_>>().join("&")
}

/// The query of an account's signature.
pub(crate) fn account_signature(services: &str, types: &str, letters: &str) -> String {
    let (until, version) = (EVER.1, VERSION.1);
    let sig = mac(&format!("{ACCOUNT}\n{letters}\n{services}\n{types}\n\n{until}\n\n\n{version}\n\n"));
    format!("ss={services}&srt={types}&sp={letters}&se={until}&sv={version}&sig={}", percent_encoded(&sig))
}

/// The query of a signature on a container.
pub(crate) fn on_container(container: &str, letters: &str) -> String {
    let resource = format!("/blob/{ACCOUNT}/{container}");
    signature(BLOB, &resource, &[("sr", "c"), ("sp", letters)])
}

/// The request, with this signature instead of an `Authorization` header.
pub(crate) fn with(request: Request, signature: &str) -> Request {
    let joint = if request.target.contains('?') { '&' } else { '?' };
    let target = format!("{}{joint}{signature}", request.target);
    Request { target, ..request }.credentials(Credentials::None)
}

#[track_caller]
pub(crate) fn refused(answer: &Response, status: u16, code: &str) {
    assert_eq!((answer.status, answer.code().as_str()), (status, code), "{}", answer.text());
}

#[test]
fn a_containers_signature_opens_its_blobs_and_nothing_beside() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    for container in ["opened", "closed"] {
        blob.call(&request::create_container(container)).expect(201);
        blob.call(&request::put_blob(container, "b", b"hello")).expect(201);
    }
    let read = on_container("opened", "rl");
    assert_eq!(blob.call(&with(request::get_blob("opened", "b"), &read)).expect(200).body, b"hello");
    let list = Request::new("GET", "/opened?restype=container&comp=list");
    blob.call(&with(list, &read)).expect(200);
    refused(&blob.call(&with(request::get_blob("closed", "b"), &read)), 403, "AuthenticationFailed");
    let write = with(request::put_blob("opened", "c", b"x"), &read);
    refused(&blob.call(&write), 403, "AuthorizationPermissionMismatch");
    let properties = Request::new("GET", "/opened?restype=container");
    refused(&blob.call(&with(properties, &read)), 403, "AuthorizationFailure");
    let wrong = read.replace("sp=rl", "sp=rwl");
    refused(&blob.call(&with(request::get_blob("opened", "b"), &wrong)), 403, "AuthenticationFailed");
    let repeated = format!("{read}&sp=rwdl");
    refused(
        &blob.call(&with(request::get_blob("opened", "b"), &repeated)),
        400,
        "InvalidQueryParameterValue",
    );
}

#[test]
fn who_may_create_cannot_overwrite() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("create")).expect(201);
    let create = on_container("create", "c");
    blob.call(&with(request::put_blob("create", "b", b"first"), &create)).expect(201);
    let again = with(request::put_blob("create", "b", b"second"), &create);
    refused(&blob.call(&again), 403, "UnauthorizedBlobOverwrite");
    // A client that asks for just this is answered as it asked.
    refused(&blob.call(&again.header("if-none-match", "*")), 409, "BlobAlreadyExists");
    let block = with(request::put_block("create", "c", &request::block_id(1), b"x"), &create);
    refused(&blob.call(&block), 403, "AuthorizationPermissionMismatch");
    assert_eq!(blob.call(&request::get_blob("create", "b")).expect(200).body, b"first");
    let write = on_container("create", "w");
    blob.call(&with(request::put_blob("create", "b", b"second"), &write)).expect(201);
}

#[test]
fn a_signature_says_with_which_headers_a_blob_is_answered() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("headers")).expect(201);
    blob.call(&request::put_blob("headers", "b", b"hello")).expect(201);
    let resource = format!("/blob/{ACCOUNT}/headers/b");
    let fields =
        [("sr", "b"), ("sp", "r"), ("rscd", "attachment; filename=\"x.txt\""), ("rsct", "text/plain")];
    let signed = signature(BLOB, &resource, &fields);
    for method in ["GET", "HEAD"] {
        let answer = blob.call(&with(Request::new(method, "/headers/b"), &signed)).expect(200);
        assert_eq!(answer.header("content-disposition"), Some("attachment; filename=\"x.txt\""));
        assert_eq!(answer.header("content-type"), Some("text/plain"));
    }
    let missing = blob.call(&with(Request::new("GET", "/headers/b?snapshot=x"), &signed));
    assert_ne!(missing.header("content-type"), Some("text/plain"), "a refusal is not disguised");
}

#[test]
fn an_accounts_signature_is_held_to_services_types_and_rights() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    let mut queue = Client::new(&node, Service::Queue);
    let create = |types: &str, letters: &str| {
        with(request::create_container("account"), &account_signature("b", types, letters))
    };
    refused(&blob.call(&create("o", "c")), 403, "AuthorizationResourceTypeMismatch");
    refused(&blob.call(&create("c", "rl")), 403, "AuthorizationPermissionMismatch");
    blob.call(&create("c", "c")).expect(201);
    let other = with(request::create_queue("account"), &account_signature("b", "sco", "rwdlacup"));
    refused(&queue.call(&other), 403, "AuthorizationServiceMismatch");
    queue.call(&with(request::create_queue("account"), &account_signature("bq", "c", "w"))).expect(201);
    let encrypted = account_signature("b", "sco", "rwdlacup").replace("sv=2020-12-06", "sv=2020-12-05");
    let list = Request::new("GET", "/?comp=list");
    let answer = blob.call(&with(list, &encrypted));
    refused(&answer, 403, "AuthenticationFailed");
    let told = answer.text();
    assert!(
        told.contains(
            "<AuthenticationErrorDetail>Signature did not match. String to sign used was devstoreaccount1\n"
        ),
        "{told}"
    );
}

#[test]
fn a_queues_signature_lets_messages_in_or_out() {
    let node = Node::start();
    let mut queue = Client::new(&node, Service::Queue);
    queue.call(&request::create_queue("work")).expect(201);
    let signed = |letters| signature(QUEUE, &format!("/queue/{ACCOUNT}/work"), &[("sp", letters)]);
    queue.call(&with(request::put_message("work", "one"), &signed("a"))).expect(201);
    let get = |letters| with(request::get_messages("work", 1, 30), &signed(letters));
    refused(&queue.call(&get("a")), 403, "AuthorizationPermissionMismatch");
    queue.call(&get("p")).expect(200);
    let clear = with(Request::new("DELETE", "/work/messages"), &signed("raup"));
    refused(&queue.call(&clear), 403, "AuthorizationFailure");
}

fn entity(partition: &str, row: &str) -> String {
    format!("{{\"PartitionKey\":\"{partition}\",\"RowKey\":\"{row}\"}}")
}

#[test]
fn a_tables_signature_ends_where_its_keys_do() {
    let node = Node::start();
    let endpoint = node.endpoint("table").to_owned();
    let mut table = Client::new(&node, Service::Table);
    for name in ["keys", "other"] {
        table.call(&request::create_table(name)).expect(201);
    }
    for (partition, row) in [("a", "1"), ("b", "1"), ("b", "2"), ("c", "1")] {
        table.call(&request::insert_entity("keys", &entity(partition, row))).expect(204);
    }
    let range = [("tn", "keys"), ("sp", "raud"), ("spk", "b"), ("srk", "2"), ("epk", "c")];
    let signed = signature(TABLE, &format!("/table/{ACCOUNT}/keys"), &range);
    let query = |filter: &str| with(Request::new("GET", &format!("/keys()?$select=RowKey{filter}")), &signed);
    for filter in ["", "&$filter=PartitionKey%20ge%20'a'", "&$filter=RowKey%20ne%20'x'%20or%20true"] {
        let found = table.call(&query(filter)).expect(200).text();
        assert_eq!(found.matches("\"RowKey\"").count(), 2, "{filter}: {found}");
    }
    table.call(&with(request::get_entity("keys", "b", "2"), &signed)).expect(200);
    let outside = with(request::get_entity("keys", "b", "1"), &signed);
    refused(&table.call(&outside), 403, "AuthorizationFailure");
    let insert = |partition, row| with(request::insert_entity("keys", &entity(partition, row)), &signed);
    refused(&table.call(&insert("d", "1")), 403, "AuthorizationFailure");
    table.call(&insert("c", "2")).expect(204);
    let delete = with(Request::new("DELETE", "/keys(PartitionKey='a',RowKey='1')"), &signed);
    refused(&table.call(&delete.header("if-match", "*")), 403, "AuthorizationFailure");

    let mut batch = |table_name: &str, partition: &str, rows: &[&str], signed: &str| {
        let rows: Vec<_> = rows.iter().map(|row| ((*row).to_owned(), "{}".to_owned())).collect();
        let sent = request::upsert_batch(&endpoint, table_name, partition, &rows);
        table.call(&with(sent, signed)).expect(202).text()
    };
    assert!(batch("keys", "c", &["3", "4"], &signed).contains("204 No Content"));
    assert!(batch("keys", "b", &["2", "1"], &signed).contains("1:This request is not authorized"));
    assert!(batch("other", "c", &["3"], &signed).contains("403 Forbidden"));
    let add = signature(TABLE, &format!("/table/{ACCOUNT}/keys"), &[("tn", "keys"), ("sp", "a")]);
    assert!(batch("keys", "c", &["5"], &add).contains("AuthorizationPermissionMismatch"));
}

#[test]
fn where_a_request_comes_from_and_how_is_part_of_what_is_granted() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("from")).expect(201);
    blob.call(&request::put_blob("from", "b", b"hello")).expect(201);
    let resource = format!("/blob/{ACCOUNT}/from/b");
    let mut get = |field| {
        let signed = signature(BLOB, &resource, &[("sr", "b"), ("sp", "r"), field]);
        blob.call(&with(request::get_blob("from", "b"), &signed))
    };
    get(("sip", "127.0.0.0-127.0.0.9")).expect(200);
    refused(&get(("sip", "10.0.0.1")), 403, "AuthorizationSourceIPMismatch");
    refused(&get(("spr", "https")), 403, "AuthorizationProtocolMismatch");
    refused(&get(("st", "2998-01-01")), 403, "AuthenticationFailed");
    refused(&get(("si", "nobody")), 403, "AuthenticationFailed");
}

#[test]
fn an_address_says_its_version_to_clients_without_headers() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("version")).expect(201);
    let list =
        || Request::new("GET", "/version?restype=container&comp=list").header("x-ms-version", "2021-12-02");
    let signed = on_container("version", "l");
    let answer = blob.call(&with(list(), &signed)).expect(200);
    assert_eq!(answer.header("x-ms-version"), Some("2021-12-02"));
    let answer = blob.call(&with(list(), &format!("{signed}&api-version=2022-11-02"))).expect(200);
    assert_eq!(answer.header("x-ms-version"), Some("2022-11-02"));
}

#[test]
fn a_closed_account_has_no_public_containers() {
    let node = Node::start_with(&["--private-account", ACCOUNT]);
    let mut blob = Client::new(&node, Service::Blob);
    let public = request::create_container("public").header("x-ms-blob-public-access", "blob");
    refused(&blob.call(&public), 409, "PublicAccessNotPermitted");
    blob.call(&request::create_container("public")).expect(201);
    let anybody = request::get_blob("public", "b").credentials(Credentials::None);
    refused(&blob.call(&anybody), 409, "PublicAccessNotPermitted");
    let change = request::put_blob("public", "b", b"x").credentials(Credentials::None);
    refused(&blob.call(&change), 401, "NoAuthenticationInformation");
}

#[test]
fn signatures_are_not_in_the_log() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("secret")).expect(201);
    let signed = on_container("secret", "r");
    blob.call(&with(request::get_blob("secret", "b"), &signed)).expect(404);
    blob.call(&with(request::get_blob("other", "b"), &signed)).expect(403);
    let sig = signed.split_once("sig=").expect("it is signed").1.to_owned();
    node.stop();
    assert_eq!(node.logged("GetBlob"), 2);
    assert_eq!(node.logged(sig.get(..12).unwrap_or(&sig)) + node.logged("sig="), 0);
}
