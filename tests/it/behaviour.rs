//! What an account does by itself: settings that are changed while the server runs, lifecycle rules, last access, and
//! the space that comes back when everything is deleted.
//!
//! Rules of zero days are due at once, so no clock has to be turned. What the background does is waited for, by asking
//! again until it is done; how long it takes is not judged.

use std::os::unix::fs::MetadataExt as _;
use std::path::Path;
use std::time::{Duration, Instant};

use crate::client::{ACCOUNT, Client, Request, Service, messages, request};
use crate::node::Node;

/// When a test gives up waiting.
const PATIENCE: Duration = Duration::from_mins(2);

#[track_caller]
fn wait_until(what: &str, mut done: impl FnMut() -> bool) {
    let begun = Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "in vain: {what}");
        std::thread::sleep(Duration::from_millis(100));
    }
}

fn status(client: &mut Client, container: &str, blob: &str) -> u16 {
    client.call(&request::get_blob(container, blob)).status
}

fn head(container: &str, blob: &str) -> Request {
    Request::new("HEAD", &format!("/{container}/{blob}"))
}

/// Writes a policy where the command can read it.
fn policy(node: &Node, rules: &str) -> String {
    let path = node.folder().join("policy.json");
    std::fs::write(&path, format!("{{\"rules\":[{rules}]}}")).expect("the node's folder can be written");
    path.to_str().expect("a path of text").to_owned()
}

fn rule(name: &str, prefix: &str, actions: &str) -> String {
    format!(
        "{{\"name\":\"{name}\",\"enabled\":true,\"type\":\"Lifecycle\",\"definition\":{{\"filters\":{{\
         \"blobTypes\":[\"blockBlob\"],\"prefixMatch\":[\"{prefix}\"]}},\"actions\":{actions}}}}}"
    )
}

#[test]
fn settings_take_effect_at_once_and_outlive_a_kill_also_for_accounts_of_the_configuration() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("held")).expect(201);
    let version = |client: &mut Client| {
        let put = client.call(&request::put_blob("held", "blob", b"x")).expect(201);
        put.header("x-ms-version-id").map(str::to_owned)
    };
    assert_eq!(version(&mut blob), None);
    let set =
        |node: &Node, terms: &[&str]| node.succeeds(&[&["account", "set", ACCOUNT][..], terms].concat());
    set(&node, &["--versioning", "on", "--container-retention", "7"]);
    let (first, second) = (version(&mut blob), version(&mut blob));
    assert!(first.is_some() && first < second, "{first:?} {second:?}");

    node.kill();
    node.restart();
    let shown = node.succeeds(&["account", "show", ACCOUNT]);
    for line in
        ["versioning on", "retention of deleted containers  7 days", "last access off", "lifecycle rules 0"]
    {
        assert!(shown.contains(line), "{line} in {shown}");
    }
    let mut blob = Client::new(&node, Service::Blob);
    assert!(version(&mut blob) > second);
    let shown = set(&node, &["--versioning", "off", "--container-retention", "off"]);
    assert!(shown.contains("versioning off") && shown.contains("containers  off"), "{shown}");
    assert_eq!(version(&mut blob), None);
    assert!(node.fails(&["account", "set", ACCOUNT]).contains("--versioning"), "something must be set");
    for bad in ["0", "366", "-1", "soon"] {
        let terms = ["account", "set", ACCOUNT, &format!("--container-retention={bad}")];
        assert!(node.fails(&terms).contains("365"), "{bad}");
    }
    assert!(node.fails(&["account", "set", "nobody", "--versioning", "on"]).contains("no account"));
}

#[test]
fn settings_and_rules_go_with_their_account() {
    let node = Node::start();
    node.succeeds(&["account", "create", "mine"]);
    node.succeeds(&["account", "set", "mine", "--versioning", "on"]);
    let delete = "{\"baseBlob\":{\"delete\":{\"daysAfterModificationGreaterThan\":1}}}";
    node.succeeds(&["account", "lifecycle", "mine", &policy(&node, &rule("old", "logs/", delete))]);
    assert!(node.succeeds(&["account", "show", "mine"]).contains("lifecycle rules 1"));
    node.succeeds(&["account", "delete", "mine"]);
    let made = node.succeeds(&["account", "create", "mine"]);
    assert!(made.contains("versioning off") && made.contains("lifecycle rules 0"), "{made}");
    assert!(node.fails(&["account", "lifecycle", "nobody"]).contains("no account"));
}

/// What says up to where a change feed can be read.
const FEED_INDEX: &str = "meta/segments.json";

/// A blob of the change feed, if it is there.
fn feed_file(client: &mut Client, name: &str) -> Option<String> {
    let answer = client.call(&request::get_blob("$blobchangefeed", name));
    (answer.status == 200).then(|| String::from_utf8_lossy(&answer.body).into_owned())
}

/// The newest log of the change feed, once it tells of the blob `changed/NAME`.
fn feed_log_with(client: &mut Client, name: &str) -> String {
    let mut newest = || {
        let index = feed_file(client, FEED_INDEX)?;
        let hour = index.split("\"lastConsumable\":\"").nth(1)?.get(..13)?.replace(['-', 'T'], "/");
        feed_file(client, &format!("log/00/{hour}00/00000.avro"))
    };
    let mut found = None;
    wait_until("an event", || {
        found = newest().filter(|log| log.contains(&format!("/containers/changed/blobs/{name}")));
        found.is_some()
    });
    found.expect("it was waited for")
}

#[test]
fn a_change_feed_is_there_once_it_is_turned_on_and_tells_of_changes() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("changed")).expect(201);
    blob.call(&request::put_blob("changed", "before", b"x")).expect(201);
    assert_eq!(feed_file(&mut blob, FEED_INDEX), None);
    let shown =
        node.succeeds(&["account", "set", ACCOUNT, "--change-feed", "on", "--change-feed-retention", "7"]);
    assert!(
        shown.contains("change feed on") && shown.contains("retention of changes             7 days"),
        "{shown}"
    );
    wait_until("a feed", || feed_file(&mut blob, FEED_INDEX).is_some());
    assert!(feed_file(&mut blob, "idx/segments/1601/01/01/0000/meta.json").is_some());
    let listed = |client: &mut Client, query: &str| {
        let list = client.call(&Request::new("GET", &format!("/?comp=list{query}"))).expect(200);
        list.text().contains("<Name>$blobchangefeed</Name>")
    };
    assert!(!listed(&mut blob, "") && listed(&mut blob, "&include=system"));
    assert_eq!(blob.call(&request::put_blob("$blobchangefeed", "mine", b"x")).status, 403);
    blob.call(&request::put_blob("changed", "after", b"x")).expect(201);
    assert!(!feed_log_with(&mut blob, "after").contains("/blobs/before"), "the feed was off then");
    for bad in ["0", "146001", "soon"] {
        let terms = ["account", "set", ACCOUNT, &format!("--change-feed-retention={bad}")];
        assert!(node.fails(&terms).contains("146000"), "{bad}");
    }
}

#[test]
fn a_change_feed_that_is_turned_off_and_on_again_has_what_was_acknowledged_while_it_was_on() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("changed")).expect(201);
    let turn = |state| node.succeeds(&["account", "set", ACCOUNT, "--change-feed", state]);
    turn("on");
    blob.call(&request::put_blob("changed", "last", b"x")).expect(201);
    turn("off");
    blob.call(&request::put_blob("changed", "meanwhile", b"x")).expect(201);
    assert!(!feed_log_with(&mut blob, "last").contains("/blobs/meanwhile"));
    turn("on");
    blob.call(&request::put_blob("changed", "again", b"x")).expect(201);
    assert!(!feed_log_with(&mut blob, "again").contains("/blobs/meanwhile"));
}

#[test]
fn an_account_that_holds_nothing_but_its_change_feed_is_empty() {
    let node = Node::start();
    node.succeeds(&["account", "create", "mine"]);
    let shown = node.succeeds(&["account", "set", "mine", "--change-feed", "on"]);
    assert!(shown.contains("retention of changes             for ever"), "{shown}");
    node.succeeds(&["account", "delete", "mine"]);
    assert!(node.succeeds(&["account", "create", "mine"]).contains("change feed off"));
}

#[test]
fn a_read_and_a_write_are_noted_where_that_is_tracked_and_nowhere_else() {
    let node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    blob.call(&request::create_container("read")).expect(201);
    for name in ["before", "never", "last"] {
        blob.call(&request::put_blob("read", name, b"x")).expect(201);
    }
    let accessed = |client: &mut Client, name: &str| {
        let shown = client.call(&head("read", name)).expect(200);
        (shown.header("x-ms-last-access-time").map(str::to_owned), shown.header("etag").map(str::to_owned))
    };
    let (untracked, etag) = accessed(&mut blob, "before");
    assert_eq!(untracked, None);
    node.succeeds(&["account", "set", ACCOUNT, "--last-access", "on"]);
    blob.call(&request::get_blob("read", "before")).expect(200);
    blob.call(&request::put_blob("read", "after", b"x")).expect(201);
    let written = blob.call(&head("read", "after")).expect(200);
    assert_eq!(written.header("x-ms-last-access-time"), written.header("x-ms-creation-time"));
    assert!(written.header("x-ms-creation-time").is_some());
    wait_until("a last access time", || accessed(&mut blob, "before").0.is_some());
    let (first, after) = accessed(&mut blob, "before");
    assert_eq!(after, etag, "being read is no change");
    blob.call(&request::get_blob("read", "before")).expect(200);
    // What was noted later is written down later, so the second read has been dealt with when this one is.
    blob.call(&request::get_blob("read", "last")).expect(200);
    wait_until("a last access time", || accessed(&mut blob, "last").0.is_some());
    assert_eq!(accessed(&mut blob, "before").0, first, "it is noted once a day");
    assert_eq!(accessed(&mut blob, "never").0, None);
}

#[test]
fn lifecycle_rules_cool_and_delete_what_they_are_for_and_are_shown_as_they_were_given() {
    let mut node = Node::start();
    let mut blob = Client::new(&node, Service::Blob);
    for container in ["logs", "kept"] {
        blob.call(&request::create_container(container)).expect(201);
        for name in ["old/a", "old/b", "new"] {
            blob.call(&request::put_blob(container, name, b"x")).expect(201);
        }
    }
    let delete = "{\"baseBlob\":{\"delete\":{\"daysAfterModificationGreaterThan\":0}}}";
    let cool = "{\"baseBlob\":{\"tierToCool\":{\"daysAfterCreationGreaterThan\":0}}}";
    let rules = format!("{},{}", rule("delete", "logs/old/", delete), rule("cool", "logs/n", cool));
    let shown = node.succeeds(&["account", "lifecycle", ACCOUNT, &policy(&node, &rules)]);
    let shown: serde_json::Value = serde_json::from_str(&shown).expect("JSON");
    let given: serde_json::Value = serde_json::from_str(&format!("{{\"rules\":[{rules}]}}")).expect("JSON");
    assert_eq!(shown, given);
    wait_until("deletion", || ["old/a", "old/b"].iter().all(|name| status(&mut blob, "logs", name) == 404));
    let tier = |client: &mut Client, container: &str| {
        let shown = client.call(&head(container, "new")).expect(200);
        shown.header("x-ms-access-tier").map(str::to_owned)
    };
    wait_until("the cool tier", || tier(&mut blob, "logs").as_deref() == Some("Cool"));
    assert_ne!(tier(&mut blob, "kept").as_deref(), Some("Cool"));
    for name in ["old/a", "old/b", "new"] {
        assert_eq!(status(&mut blob, "kept", name), 200, "{name} of another container");
    }

    // Rules are kept, and a server that starts applies them.
    blob.call(&request::put_blob("logs", "old/c", b"x")).expect(201);
    node.kill();
    node.restart();
    let mut blob = Client::new(&node, Service::Blob);
    wait_until("deletion after a restart", || status(&mut blob, "logs", "old/c") == 404);

    let removed = node.succeeds(&["account", "lifecycle", ACCOUNT, "--remove"]);
    assert_eq!(removed.split_whitespace().collect::<String>(), "{\"rules\":[]}");
    let by_access = "{\"baseBlob\":{\"delete\":{\"daysAfterLastAccessTimeGreaterThan\":9}}}";
    let file = policy(&node, &rule("read", "logs/", by_access));
    assert!(node.fails(&["account", "lifecycle", ACCOUNT, &file]).contains("--last-access"));
    node.succeeds(&["account", "set", ACCOUNT, "--last-access", "on"]);
    node.succeeds(&["account", "lifecycle", ACCOUNT, &file]);
    assert!(node.fails(&["account", "set", ACCOUNT, "--last-access", "off"]).contains("rules"));
    let unknown = "{\"baseBlob\":{\"tierToHot\":{\"daysAfterCreationGreaterThan\":0}}}";
    let file = policy(&node, &rule("bad", "logs/", unknown));
    assert!(node.fails(&["account", "lifecycle", ACCOUNT, &file]).contains("tierToHot"));
}

/// Bytes that the file system has given out for the folder, without the log of records, which is as long as what was
/// written lately and is measured when the server has been started again: up to its end, for behind that `RocksDB` has
/// room for tens of megabytes given out with the first write.
fn taken(folder: &Path, logs: bool) -> u64 {
    let entries = std::fs::read_dir(folder).expect("a folder");
    let sizes = entries.map(|entry| {
        let path = entry.expect("an entry").path();
        let is_log = path.extension().is_some_and(|extension| extension == "log");
        // A file may go between the two looks.
        match std::fs::metadata(&path) {
            Ok(metadata) if metadata.is_dir() => taken(&path, logs),
            Ok(metadata) if !is_log => metadata.blocks() * 512,
            Ok(metadata) if logs => metadata.len().min(metadata.blocks() * 512),
            _ => 0,
        }
    });
    sizes.sum()
}

#[test]
fn an_emptied_server_takes_no_more_space_than_a_new_one() {
    const LEFT_BYTES_MAX: u64 = 4 << 20;
    let mut node = Node::start();
    let folder = node.folder().to_path_buf();
    let (empty, empty_with_logs) = (taken(&folder, false), taken(&folder, true));
    let mut blob = Client::new(&node, Service::Blob);
    let mut queue = Client::new(&node, Service::Queue);
    blob.call(&request::create_container("full")).expect(201);
    queue.call(&request::create_queue("full")).expect(201);
    let body: Vec<u8> =
        (0..4_u32 << 18).flat_map(|word| word.wrapping_mul(0x9E37_79B9).to_le_bytes()).collect();
    for number in 0..5 {
        blob.call(&request::put_blob("full", &format!("large {number}").replace(' ', "-"), &body))
            .expect(201);
        blob.call(&request::put_block("full", "blocks", &request::block_id(number), &body)).expect(201);
        blob.call(&request::put_block("full", "staged", &request::block_id(number), &body)).expect(201);
    }
    let ids: Vec<_> = (0..5).map(request::block_id).collect();
    blob.call(&request::put_block_list("full", "blocks", &ids)).expect(201);
    for number in 0..200 {
        blob.call(&request::put_blob("full", &format!("small-{number}"), &body[..3000])).expect(201);
        queue.call(&request::put_message("full", &number.to_string())).expect(201);
    }
    let filled = taken(&folder, false);
    assert!(filled > empty + (40 << 20), "{filled} bytes are not much more than {empty}");

    for number in 0..5 {
        blob.call(&Request::new("DELETE", &format!("/full/large-{number}"))).expect(202);
    }
    blob.call(&Request::new("DELETE", "/full/blocks")).expect(202);
    for message in messages(&queue.call(&request::get_messages("full", 32, 60)).expect(200)) {
        queue.call(&request::delete_message("full", &message.id, &message.pop_receipt)).expect(204);
    }
    blob.call(&Request::new("DELETE", "/full?restype=container")).expect(202);
    queue.call(&Request::new("DELETE", "/full")).expect(204);
    wait_until("space", || taken(&folder, false) <= empty + LEFT_BYTES_MAX);
    node.stop();
    node.restart();
    wait_until("space of the log", || taken(&folder, true) <= empty_with_logs + LEFT_BYTES_MAX);
}
