//! Accounts that are made, changed and deleted by commands while the server runs.

use crate::client::{ACCOUNT, Client, Credentials, KEY, Request, Service, request};
use crate::node::Node;
use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt as _;

/// The value behind a word at the beginning of a line.
fn field(text: &str, name: &str) -> String {
    let line = text.lines().find_map(|line| line.strip_prefix(name));
    line.unwrap_or_else(|| panic!("{name} in {text}")).trim().to_owned()
}

fn status(node: &Node, account: &str, key: &str) -> u16 {
    Client::of_account(node, Service::Queue, account, key).call(&request::peek_messages("queue", 1)).status
}

#[test]
fn an_account_lives_from_its_creation_to_its_deletion_and_through_a_kill() {
    let mut node = Node::start();
    let made = node.succeeds(&["account", "create", "mine"]);
    let (first, second) = (field(&made, "key 1"), field(&made, "key 2"));
    assert_ne!(first, second);
    Client::of_account(&node, Service::Queue, "mine", &first)
        .call(&request::create_queue("queue"))
        .expect(201);
    Client::of_account(&node, Service::Blob, "mine", &second)
        .call(&request::create_container("container"))
        .expect(201);
    assert_eq!(status(&node, "mine", KEY), 403, "another account's key");
    assert_eq!(status(&node, ACCOUNT, &first), 403, "another account");

    let new = node.succeeds(&["account", "rotate", "mine", "--key", "1"]).trim().to_owned();
    assert_eq!(status(&node, "mine", &first), 403, "the old key is worth nothing");
    assert_eq!((status(&node, "mine", &new), status(&node, "mine", &second)), (200, 200));

    node.kill();
    node.restart();
    assert_eq!((status(&node, "mine", &new), status(&node, "mine", &second)), (200, 200));
    assert_eq!(status(&node, "mine", &first), 403);
    let shown = node.succeeds(&["account", "show", "mine"]);
    assert_eq!((field(&shown, "key 1"), field(&shown, "key 2")), (new.clone(), second.clone()));

    assert!(node.fails(&["account", "delete", "mine"]).contains("holds"));
    assert_eq!(status(&node, "mine", &new), 200, "what was refused changed nothing");
    node.succeeds(&["account", "delete", "mine", "--with-content"]);
    assert_eq!(status(&node, "mine", &new), 403);
    assert!(node.fails(&["account", "show", "mine"]).contains("no account"));
    node.kill();
    node.restart();
    assert_eq!(status(&node, "mine", &new), 403);
    node.succeeds(&["account", "create", "mine", "--use-key", &new]);
    assert_eq!(status(&node, "mine", &new), 404, "whoever takes the name finds nothing of what was there");
    for key in [&first, &second, &new] {
        assert_eq!(node.logged(key), 0, "no key is logged");
    }
}

#[test]
fn accounts_are_listed_beside_those_of_the_configuration_which_only_the_configuration_changes() {
    let node = Node::start();
    node.succeeds(&["account", "create", "opened", "--anonymous"]);
    let closed = node.succeeds(&["account", "set", "opened", "--anonymous", "false"]);
    assert_eq!(field(&closed, "anonymous"), "false");
    let list = node.succeeds(&["account", "list"]);
    let lines: Vec<Vec<&str>> = list.lines().map(|line| line.split_whitespace().collect()).collect();
    assert_eq!(lines[1][..3], [ACCOUNT, "true", "in"], "{list}");
    assert_eq!(lines[2][..2], ["opened", "false"], "{list}");
    assert_eq!(lines.len(), 3);
    assert!(!list.contains(KEY));
    assert!(node.fails(&["account", "create", "opened"]).contains("there is an account"));
    for refused in [
        &["account", "create", ACCOUNT][..],
        &["account", "rotate", ACCOUNT],
        &["account", "delete", ACCOUNT],
        &["account", "set", ACCOUNT, "--anonymous", "false"],
    ] {
        assert!(node.fails(refused).contains("built-in development account"), "{refused:?}");
    }
    let own = Node::start_with(&["--account", &format!("{ACCOUNT}:{KEY}")]);
    assert!(own.fails(&["account", "rotate", ACCOUNT]).contains("server's configuration"));
    for bad in ["Mine", "a", "a/keys", "a?b", ""] {
        assert!(node.fails(&["account", "create", bad]).contains("lower-case"), "{bad:?}");
        assert!(node.fails(&["account", "show", bad]).contains("account"), "{bad:?}");
    }
    let bad_key = node.fails(&["account", "create", "other", "--use-key", "secret no Base64"]);
    assert!(bad_key.contains("Base64") && !bad_key.contains("secret"), "{bad_key}");
}

#[test]
fn an_account_in_which_a_blob_is_held_is_not_deleted_with_its_content() {
    let mut node = Node::start();
    let key = field(&node.succeeds(&["account", "create", "mine"]), "key 1");
    let mut client = Client::of_account(&node, Service::Blob, "mine", &key);
    client.call(&request::create_container("container")).expect(201);
    client.call(&request::put_blob("container", "b", b"x").header("x-ms-legal-hold", "true")).expect(201);
    let delete = ["account", "delete", "mine", "--with-content"];
    for restarted in [false, true] {
        if restarted {
            node.kill();
            node.restart();
        }
        assert!(node.fails(&delete).contains("legal hold"));
        let mut client = Client::of_account(&node, Service::Blob, "mine", &key);
        client.call(&request::get_blob("container", "b")).expect(200);
    }
    let hold = Request::new("PUT", "/container/b?comp=legalhold").header("x-ms-legal-hold", "false");
    Client::of_account(&node, Service::Blob, "mine", &key).call(&hold).expect(200);
    node.succeeds(&delete);
    assert!(node.fails(&["account", "show", "mine"]).contains("no account"));
}

#[test]
fn connection_strings_are_what_the_server_itself_prints() {
    let mut node = Node::start();
    let printed = node.succeeds(&["account", "connection-string", ACCOUNT]);
    assert_eq!(printed.trim(), node.connection_string());
    let made = node.succeeds(&["account", "create", "mine"]);
    let second = node.succeeds(&["account", "connection-string", "mine", "--key", "2"]);
    assert!(second.contains(&format!("AccountName=mine;AccountKey={};", field(&made, "key 2"))), "{second}");
    assert!(node.fails(&["account", "connection-string", ACCOUNT, "--key", "2"]).contains("one key"));
    let sas = node.succeeds(&["account", "sas", "mine", "--permissions", "rl"]);
    assert!(sas.contains("&sp=rl&") && sas.contains("&sig=") && sas.lines().count() == 1, "{sas}");
    assert!(node.fails(&["account", "sas", "mine"]).contains("--permissions"));
    node.stop();
    assert!(node.fails(&["account", "list"]).contains("no server runs"), "a server that stopped says so");
    node.restart();
    node.kill();
    assert!(node.fails(&["account", "list"]).contains("no server answers"), "and one that was killed");
}

/// Sends a request to the admin port and gives the status and the body.
fn admin(node: &Node, method: &str, path: &str, token: Option<&str>) -> (u16, String) {
    let address = node.endpoint("admin").split('/').next().expect("an address");
    let mut stream = TcpStream::connect(address).expect("the admin port accepts");
    let token = token.map(|token| format!("Authorization: Bearer {token}\r\n")).unwrap_or_default();
    let request = format!("{method} {path} HTTP/1.1\r\nHost: {address}\r\n{token}Connection: close\r\n\r\n");
    stream.write_all(request.as_bytes()).expect("a request fits the socket");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("an answer of text");
    let (head, body) = answer.split_once("\r\n\r\n").expect("a head");
    (head.split(' ').nth(1).expect("a status").parse().expect("a number"), body.to_owned())
}

#[test]
fn the_administration_opens_to_the_token_only_and_the_rest_of_the_port_to_all() {
    let mut node = Node::start();
    let file = node.folder().join("server/admin.json");
    let mode = std::fs::metadata(&file).expect("the token's file").permissions().mode();
    assert_eq!(mode & 0o777, 0o600);
    let pass: serde_json::Value =
        serde_json::from_str(&std::fs::read_to_string(&file).expect("the token's file")).expect("JSON");
    let token = pass["token"].as_str().expect("a token").to_owned();
    for path in ["/healthz", "/metrics"] {
        assert_eq!(admin(&node, "GET", path, None).0, 200);
    }
    for path in ["/accounts", "/accounts/devstoreaccount1", "/anything", "/"] {
        for wrong in [None, Some("wrong"), Some("")] {
            let (status, body) = admin(&node, "GET", path, wrong);
            assert_eq!(status, 401, "{path}");
            assert!(!body.contains(KEY));
        }
    }
    let (status, body) = admin(&node, "GET", "/accounts/devstoreaccount1", Some(&token));
    assert!(status == 200 && body.contains(KEY), "{status} {body}");
    for (method, path) in [
        ("GET", "/anything"),
        ("PUT", "/accounts"),
        ("POST", "/accounts/mine/keys/3"),
        ("GET", "/accounts/mine/keys"),
    ] {
        assert_eq!(admin(&node, method, path, Some(&token)).0, 404, "{method} {path}");
    }
    assert_eq!(admin(&node, "DELETE", "/accounts/mine?content=keep", Some(&token)).0, 400);
    assert_eq!(node.logged(&token), 0, "the token is not logged");
    node.stop();
    assert!(!file.exists(), "a server that stopped leaves no token");
    node.restart();
    assert_eq!(admin(&node, "GET", "/accounts", Some(&token)).0, 401, "each start has its own");
}

#[test]
fn a_wrong_signature_for_a_stored_account_is_refused_like_any_other() {
    let node = Node::start();
    let made = node.succeeds(&["account", "create", "mine"]);
    let mut client = Client::of_account(&node, Service::Blob, "mine", &field(&made, "key 1"));
    client.call(&request::create_container("one").credentials(Credentials::WrongKey)).expect(403);
    client.call(&request::create_container("one").credentials(Credentials::None)).expect(401);
    client.call(&request::create_container("one")).expect(201);
}

#[test]
fn a_folder_that_cannot_be_had_is_named_once_and_says_why() {
    let node = Node::start();
    let folder = node.folder().display().to_string();
    let refused = |folder: &str| {
        let ports = ["--blob-port", "0", "--queue-port", "0", "--table-port", "0", "--admin-port", "0"];
        let text = crate::node::failure(&[&["--disk", folder], &ports[..]].concat());
        assert_eq!(text.matches(folder).count(), 1, "{text}");
        text
    };
    assert!(refused(&folder).contains("in use by another"));
    assert!(refused("Cargo.toml").contains("is a file, not a folder"));
}

#[test]
fn what_is_reachable_with_a_key_that_everybody_knows_is_said_at_the_start() {
    let cautioned = |arguments: &[&str]| Node::start_with(arguments).announced("ATTENTION");
    assert!(!cautioned(&[]));
    assert!(cautioned(&["--queueHost", "0.0.0.0"]));
    assert!(!cautioned(&["--host", "0.0.0.0", "--account", "mine:aGVsbG8="]));
    assert!(cautioned(&["--debug", "azurite.log"]), "a file that is not written is not kept quiet about");
    let open = Node::start_with(&["--host", "0.0.0.0", "--account", "mine:aGVsbG8="]);
    assert!(open.announced("blob   http://127.0.0.1:") && open.announced("admin  http://127.0.0.1:"));
}
