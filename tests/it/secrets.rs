//! Secrets are sent wherever somebody could send them, by right and by mistake, and are then looked for where they must
//! not be: in the log at its most talkative, in metrics, in the bodies of errors, in what administration lists.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use std::os::unix::fs::PermissionsExt as _;

use crate::access::{on_container, with};
use crate::client::{ACCOUNT, Client, Credentials, KEY, Request, Response, Service, request};
use crate::node::Node;
use crate::random;
use crate::sign::{iso_date, percent_decoded};
use crate::token;

/// What the test must find nowhere: names for the reader, and texts.
struct Secrets(Vec<(&'static str, String)>);

impl Secrets {
    #[track_caller]
    fn are_not_in(&self, place: &str, text: &str) {
        for (name, secret) in &self.0 {
            assert!(!text.contains(secret.as_str()), "{name} is in {place}:\n{text}");
        }
    }
}

fn signature_of(query: &str) -> String {
    query.rsplit_once("sig=").expect("a signature stands last").1.to_owned()
}

/// The answer of the admin port.
fn admin(node: &Node, path: &str) -> Response {
    let address = node.endpoint("admin");
    let (host, _) = address.split_once('/').unwrap_or((address, ""));
    let mut client = Client::at(Service::Blob, &format!("{host}/"));
    let bytes = format!("GET {path} HTTP/1.1\r\nHost: {host}\r\n\r\n");
    client.exchange(bytes.as_bytes(), false).expect("an answer")
}

/// A batch of blobs, one part of which shows a signature and the other a token.
fn batch(signature: &str, token: &str) -> Request {
    let part = |query: &str, header: &str| {
        format!(
            "--b\r\nContent-Type: application/http\r\nContent-ID: 0\r\n\r\n\
             DELETE /{ACCOUNT}/kept/b{query} HTTP/1.1\r\n{header}Content-Length: 0\r\n\r\n"
        )
    };
    let authorization = format!("Authorization: Bearer {token}\r\n");
    let body = part(&format!("?{signature}"), "") + &part("", &authorization) + "--b--\r\n";
    Request::new("POST", "/?comp=batch").header("content-type", "multipart/mixed; boundary=b").body(body)
}

/// Requests to queues and tables, whose refusals are documents of other forms, with a secret in them.
fn telling_others(service: Service, signature: &str, token: &str) -> Vec<Request> {
    let list = if service == Service::Table { "/Tables" } else { "/?comp=list" };
    let get = |query: &str| {
        let joint = if list.contains('?') { '&' } else { '?' };
        Request::new("GET", &format!("{list}{joint}{query}"))
    };
    let plain = || Request::new("GET", list).credentials(Credentials::None);
    vec![
        with(Request::new("GET", list), signature),
        get(signature).credentials(Credentials::WrongKey),
        get(&format!("$filter=nonsense&{signature}")),
        get(&format!("timeout=never&{signature}")),
        plain().header("authorization", &format!("SharedKey {ACCOUNT}:{KEY}")),
        plain().header("authorization", &format!("SharedKeyLite {ACCOUNT}:{KEY}")),
        plain().header("authorization", &format!("Bearer {token}A")),
        plain().header("authorization", &format!("Bearer {KEY}")),
        plain().header("authorization", &format!("Bearer {token}")).header("x-ms-version", "2016-05-31"),
    ]
}

/// The key that the holder of a token is given.
fn delegated_key(client: &mut Client) -> String {
    let expiry = iso_date(random::now().as_secs() + 3_600);
    let body = format!("<KeyInfo><Expiry>{expiry}</Expiry></KeyInfo>");
    let token = token::of_role("storage-blob-delegator");
    let request = Request::new("POST", "/?restype=service&comp=userdelegationkey").body(body);
    let request = request.credentials(Credentials::None).header("authorization", &format!("Bearer {token}"));
    let answer = client.call(&request).expect(200).text();
    crate::client::between(&answer, "<Value>", "</Value>").expect("a key")
}

/// Every request with a secret in it that we could think of.
fn telling(signature: &str, token: &str, content_key: &str) -> Vec<Request> {
    let source = format!("http://127.0.0.1:1/{ACCOUNT}/kept/b?{signature}");
    let get = || request::get_blob("kept", "b");
    let put = || request::put_blob("kept", "c", b"x");
    let header = |request: Request, name: &str, value: &str| request.header(name, value);
    let mut all = vec![
        with(get(), signature),
        with(request::put_blob("kept", "b", b"x"), signature),
        with(get(), &format!("{signature}&sig={}", signature_of(signature))),
        with(Request::new("GET", "/kept?restype=container&comp=list&maxresults=x"), signature),
        Request::new("GET", &format!("/kept/b?{signature}")).credentials(Credentials::WrongKey),
        Request::new("GET", &format!("/kept/b?comp=nothing&{signature}")),
        header(get(), "authorization", &format!("SharedKey {ACCOUNT}:{KEY}")),
        header(get(), "authorization", &format!("Bearer {KEY}")),
        header(get(), "authorization", KEY),
        header(get(), "authorization", &format!("Bearer {token}")),
        header(put(), "authorization", &format!("Bearer {token}")),
        header(get(), "authorization", &format!("Bearer {token}A")),
        header(get(), "authorization", &format!("SharedKey {token}:{token}")),
        batch(signature, token),
    ];
    for credentials in [Credentials::Right, Credentials::WrongKey, Credentials::None] {
        let with = |request: Request, headers: &[(&str, &str)]| {
            let request = headers.iter().fold(request, |request, (name, value)| request.header(name, value));
            request.credentials(credentials)
        };
        all.extend([
            with(put(), &[("x-ms-encryption-key", content_key), ("x-ms-encryption-algorithm", "AES256")]),
            with(get(), &[("x-ms-encryption-key", content_key), ("x-ms-encryption-key", content_key)]),
            with(put(), &[("x-ms-copy-source", &source)]),
            with(
                Request::new("PUT", "/kept/d?comp=block&blockid=AAAA"),
                &[("x-ms-copy-source", &source), ("x-ms-source-range", "bytes=x")],
            ),
            with(
                put(),
                &[
                    ("x-ms-copy-source", "http://127.0.0.1:1/a/b"),
                    ("x-ms-copy-source-authorization", &format!("Bearer {token}")),
                ],
            ),
            with(
                Request::new("PUT", "/kept/e"),
                &[("x-ms-copy-source", &source), ("x-ms-copy-source", &source)],
            ),
        ]);
    }
    all
}

#[test]
fn secrets_are_nowhere_but_where_they_were_sent_to() {
    let arguments = [&token::issuer_arguments()[..], &["--oauth-over-http"]].concat();
    let mut node = Node::start_logging(&arguments, true);
    token::assign_all(&node);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("kept")).expect(201);
    client.call(&request::put_blob("kept", "b", b"hello")).expect(201);

    let signature = on_container("kept", "rl");
    let token = token::of_role("storage-blob-data-reader");
    let content_key = STANDARD.encode([0xA5; 32]);
    node.succeeds(&["account", "create", "another"]);
    let shown = node.succeeds(&["account", "connection-string", "another"]);
    let another = crate::client::between(&shown, "AccountKey=", ";").unwrap_or_default();
    assert!(another.len() > 40, "{shown}");
    let sent = signature_of(&signature);
    let pass =
        std::fs::read_to_string(node.folder().join("server/admin.json")).expect("the administrator's pass");
    let pass: serde_json::Value = serde_json::from_str(&pass).expect("JSON");
    let administrator = pass["token"].as_str().expect("a token in the pass").to_owned();
    let secrets = Secrets(vec![
        ("a signature", percent_decoded(&sent)),
        ("a signature as it was sent", sent),
        ("a token", token.clone()),
        ("a content's key", content_key.clone()),
        ("the account's key", KEY.to_owned()),
        ("another account's key", another),
        ("a delegated key", delegated_key(&mut client)),
        ("the administrator's token", administrator),
    ]);
    assert!(secrets.0.iter().all(|(_, secret)| secret.len() > 20), "what is short is found anywhere");

    let mut refusals = 0;
    for request in telling(&signature, &token, &content_key) {
        let answer = client.call(&request);
        client.disconnect();
        secrets.are_not_in(&format!("the answer to {request:?}"), &answer.text());
        secrets.are_not_in("headers", &format!("{:?}", answer.headers));
        refusals += usize::from(answer.status >= 400);
    }
    assert!(refusals > 20, "most of these are refused: {refusals}");
    let mut others = 0;
    for service in [Service::Queue, Service::Table] {
        let mut client = Client::new(&node, service);
        for request in telling_others(service, &signature, &token) {
            let answer = client.call(&request);
            client.disconnect();
            others += usize::from(answer.status >= 400);
            secrets.are_not_in(&format!("the answer to {request:?}"), &answer.text());
            secrets.are_not_in("headers", &format!("{:?}", answer.headers));
        }
    }
    assert!(others > 12, "most of these are refused: {others}");
    secrets.are_not_in("metrics", &admin(&node, "/metrics").text());
    secrets.are_not_in("what a stranger is told of accounts", &admin(&node, "/accounts").text());
    secrets.are_not_in("the list of accounts", &node.succeeds(&["account", "list"]));
    secrets.are_not_in("the list of roles", &node.succeeds(&["role", "list"]));
    let health = admin(&node, "/healthz");
    secrets.are_not_in("what is said of health", &health.text());
    secrets.are_not_in("a mistaken command", &node.fails(&["account", "create", "x", "--use-key", KEY]));
    node.stop();
    assert!(node.logged("GetBlob") > 3, "the log was read");
    for (name, secret) in &secrets.0 {
        assert_eq!(node.logged(secret), 0, "{name} is in the log");
    }
}

#[test]
fn no_core_of_the_process_is_ever_written() {
    let node = Node::start();
    let limits = std::fs::read_to_string(format!("/proc/{}/limits", node.process_id())).expect("limits");
    let line =
        limits.lines().find(|line| line.starts_with("Max core file size")).expect("the limit of cores");
    assert_eq!(line.split_whitespace().filter(|word| *word == "0").count(), 2, "{line}");
}

/// The permissions of everything in the folder that somebody besides its owner has.
fn open_to_others(folder: &std::path::Path, found: &mut Vec<String>) {
    let mode = |path: &std::path::Path| std::fs::symlink_metadata(path).expect("a mode").permissions().mode();
    if mode(folder) & 0o077 != 0 {
        found.push(format!("{} {:o}", folder.display(), mode(folder)));
    }
    for entry in std::fs::read_dir(folder).expect("a readable folder") {
        let path = entry.expect("an entry").path();
        if path.is_dir() {
            open_to_others(&path, found);
        } else if mode(&path) & 0o077 != 0 {
            found.push(format!("{} {:o}", path.display(), mode(&path)));
        }
    }
}

#[test]
fn nobody_else_of_this_machine_can_read_the_data() {
    let mut node = Node::start();
    node.succeeds(&["account", "create", "mine"]);
    let mut client = Client::new(&node, Service::Blob);
    client.call(&request::create_container("container")).expect(201);
    client.call(&request::put_blob("container", "blob", &[7; 16_000])).expect(201);
    node.stop();
    let mut found = Vec::new();
    open_to_others(node.folder(), &mut found);
    assert_eq!(found, Vec::<String>::new());

    let open = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(node.folder(), open).expect("it is ours");
    assert_eq!(node.logged("open to other users"), 0);
    node.restart();
    let mode = std::fs::metadata(node.folder()).expect("the folder").permissions().mode() & 0o777;
    assert_eq!(mode, 0o700, "an open folder is closed");
    node.stop();
    assert_eq!(node.logged("open to other users"), 1);
}
