//! Tokens: an issuer of the tests' own, and what its tokens open.
//!
//! The issuer is a key pair made at the start and a key set in a file, which nodes are told of on their command line. A
//! test signs what it likes. Roles are given as an administrator gives them, with `linarite role`.

use std::path::PathBuf;
use std::sync::LazyLock;

use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};

use crate::client::{ACCOUNT, Client, Credentials, Request, Response, Service, between, request};
use crate::node::{self, Node};
use crate::random;
use crate::sign::iso_date;

const ISSUER: &str = "https://sts.windows.net/72f988bf-86f1-41af-91ab-2d7cd011db47/";
pub(crate) const TENANT: &str = "72f988bf-86f1-41af-91ab-2d7cd011db47";

struct Issuer {
    pair: EcdsaKeyPair,
    keys: PathBuf,
}

static THE_ISSUER: LazyLock<Issuer> = LazyLock::new(|| {
    let random = SystemRandom::new();
    let document = EcdsaKeyPair::generate_pkcs8(&ES256, &random).expect("a key");
    let pair = EcdsaKeyPair::from_pkcs8(&ES256, document.as_ref(), &random).expect("the key just made");
    let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
    let set = json!({"keys": [{
        "kty": "EC", "crv": "P-256", "use": "sig", "kid": "it", "x": encode(x), "y": encode(y),
    }]});
    let name = format!("issuer-{}.json", std::process::id());
    let keys = PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::write(&keys, set.to_string()).expect("a writable target folder");
    Issuer { pair, keys }
});

fn encode(bytes: impl AsRef<[u8]>) -> String {
    URL_SAFE_NO_PAD.encode(bytes)
}

/// A node that believes the tests' issuer, also over plain HTTP.
pub(crate) fn node() -> Node {
    Node::start_with(&[&issuer_arguments()[..], &["--oauth-over-http"]].concat())
}

/// What makes a node believe the tests' issuer.
pub(crate) fn issuer_arguments() -> [&'static str; 6] {
    let keys = THE_ISSUER.keys.to_str().expect("a path that is text");
    ["--issuer", ISSUER, "--issuer-keys", keys, "--issuer-tenant", TENANT]
}

/// What a token for storage says that is good now.
fn claims(object: &str) -> Value {
    let now = random::now().as_secs();
    json!({
        "iss": ISSUER, "aud": "https://storage.azure.com", "oid": object, "tid": TENANT,
        "iat": now, "nbf": now, "exp": now + 3_600,
    })
}

fn sign(claims: &Value) -> String {
    let header = json!({"typ": "JWT", "alg": "ES256", "kid": "it"});
    let message = format!("{}.{}", encode(header.to_string()), encode(claims.to_string()));
    let signature = THE_ISSUER.pair.sign(&SystemRandom::new(), message.as_bytes()).expect("a signature");
    format!("{message}.{}", encode(signature))
}

/// A token of the one who holds `role`, written as in fixtures: `storage-blob-data-reader`. See [`assign`].
pub(crate) fn of_role(role: &str) -> String {
    sign(&claims(&object_of(role)))
}

/// A token of `object`, with further claims instead of the usual ones.
pub(crate) fn of_claims(object: &str, more: &Value) -> String {
    let mut claims = claims(object);
    for (name, value) in more.as_object().into_iter().flatten() {
        claims[name] = value.clone();
    }
    sign(&claims)
}

/// The roles that there are.
const ROLES: [&str; 11] = [
    "storage-blob-data-owner",
    "storage-blob-data-contributor",
    "storage-blob-data-reader",
    "storage-blob-delegator",
    "storage-queue-data-contributor",
    "storage-queue-data-reader",
    "storage-queue-data-message-processor",
    "storage-queue-data-message-sender",
    "storage-queue-delegator",
    "storage-table-data-contributor",
    "storage-table-data-reader",
];

/// A token for each role, as JSON.
pub(crate) fn of_all_roles() -> String {
    let tokens: serde_json::Map<_, _> =
        ROLES.iter().map(|role| ((*role).to_owned(), Value::from(of_role(role)))).collect();
    Value::from(tokens).to_string()
}

/// Gives every role to the one who holds it.
pub(crate) fn assign_all(node: &Node) {
    for role in ROLES {
        assign(folder_of(node), role);
    }
}

/// The one who holds this role: nobody holds two.
fn object_of(role: &str) -> String {
    let digits = role.bytes().fold(0_u64, |sum, byte| sum.wrapping_mul(31).wrapping_add(byte.into()));
    format!("00000000-0000-4000-8000-{:012x}", digits & 0xffff_ffff_ffff)
}

/// The data folder, as a command line names it.
pub(crate) fn folder_of(node: &Node) -> &str {
    node.folder().to_str().expect("a path that is text")
}

/// Gives the role in the whole account to the one who holds it; again and again changes nothing.
pub(crate) fn assign(node_folder: &str, role: &str) {
    role_command(node_folder, "assign", role, &[]);
}

fn role_command(folder: &str, command: &str, role: &str, more: &[&str]) {
    let (object, name) = (object_of(role), role.replace('-', " "));
    let start = ["--disk", folder, "role", command, &name, "--principal", &object, "--account", ACCOUNT];
    node::output(&[&start, more].concat());
}

fn with_token(request: Request, token: &str) -> Request {
    request.credentials(Credentials::None).header("authorization", &format!("Bearer {token}"))
}

struct Tried {
    client: Client,
}

impl Tried {
    fn with(&mut self, token: &str, request: Request) -> Response {
        self.client.call(&with_token(request, token))
    }
}

#[test]
fn a_role_opens_what_it_names_and_nothing_else() {
    let node = node();
    let folder = folder_of(&node);
    let mut owner = Client::new(&node, Service::Blob);
    owner.call(&request::create_container("public-box")).expect(201);
    owner.call(&request::put_blob("public-box", "b", b"hello")).expect(201);
    let mut tried = Tried { client: Client::new(&node, Service::Blob) };
    let reader = of_role("storage-blob-data-reader");
    let get = || request::get_blob("public-box", "b");

    let refused = tried.with(&reader, get()).expect(403);
    assert_eq!(refused.code(), "AuthorizationPermissionMismatch");
    role_command(folder, "assign", "storage-blob-data-reader", &["--container", "public-box"]);
    assert_eq!(tried.with(&reader, get()).expect(200).text(), "hello");
    let put = request::put_blob("public-box", "b", b"other");
    assert_eq!(tried.with(&reader, put).expect(403).code(), "AuthorizationPermissionMismatch");
    let list = || Request::new("GET", "/?comp=list");
    tried.with(&reader, list()).expect(403);
    assign(folder, "storage-blob-data-reader");
    tried.with(&reader, list()).expect(200);

    let listed = node::output(&["--disk", folder, "role", "list", "--account", ACCOUNT]);
    let object = object_of("storage-blob-data-reader");
    assert_eq!(
        listed,
        format!(
            "{ACCOUNT}\t-\t{object}\tStorage Blob Data Reader\n\
             {ACCOUNT}\tcontainer public-box\t{object}\tStorage Blob Data Reader\n"
        )
    );
    role_command(folder, "remove", "storage-blob-data-reader", &[]);
    tried.with(&reader, list()).expect(403);
    tried.with(&reader, get()).expect(200);
    role_command(folder, "remove", "storage-blob-data-reader", &["--container", "public-box"]);
    tried.with(&reader, get()).expect(403);
}

#[test]
fn an_account_made_anew_knows_no_roles_of_the_old_one() {
    let node = node();
    let folder = folder_of(&node);
    let command = |arguments: &[&str]| node::output(&[&["--disk", folder], arguments].concat());
    let roles = || command(&["role", "list", "--account", "mine"]);
    command(&["account", "create", "mine"]);
    command(&["role", "assign", "Storage Blob Data Owner", "--principal", "me", "--account", "mine"]);
    assert_eq!(roles(), "mine\t-\tme\tStorage Blob Data Owner\n");
    command(&["account", "delete", "mine"]);
    command(&["account", "create", "mine"]);
    assert_eq!(roles(), "");
}

#[test]
fn roles_and_the_secret_outlive_the_process() {
    let mut node = node();
    assign(folder_of(&node), "storage-blob-delegator");
    let key = |node: &Node, expiry: &str| {
        let asked =
            format!("<KeyInfo><Start>2020-01-01T00:00:00Z</Start><Expiry>{expiry}</Expiry></KeyInfo>");
        let request = Request::new("POST", "/?restype=service&comp=userdelegationkey").body(asked);
        let token = of_role("storage-blob-delegator");
        let answer = Client::new(node, Service::Blob).call(&with_token(request, &token));
        between(&answer.expect(200).text(), "<Value>", "</Value>").expect("a key")
    };
    let expiry = iso_date(random::now().as_secs() + 86_400);
    let before = key(&node, &expiry);
    node.kill();
    node.restart();
    assert_eq!(key(&node, &expiry), before);
    let later = iso_date(random::now().as_secs() + 100_000);
    assert_ne!(key(&node, &later), before);
}

#[test]
fn a_token_that_does_not_hold_is_answered_with_a_challenge() {
    let node = node();
    let mut tried = Tried { client: Client::new(&node, Service::Queue) };
    let list = || Request::new("GET", "/?comp=list");
    let now = random::now().as_secs();
    let changed = |name: &str, value: Value| {
        let mut claims = claims("anybody");
        claims[name] = value;
        sign(&claims)
    };
    let good = sign(&claims("anybody"));
    let (front, back) = good.split_at(good.len() - 10);
    let other = if back.starts_with('A') { "B" } else { "A" };
    let forged = format!("{front}{other}{}", &back[1..]);
    for (token, detail) in [
        (forged, "Signature"),
        (changed("exp", json!(now - 600)), "Lifetime"),
        (changed("aud", json!("https://graph.microsoft.com")), "Audience"),
        (changed("iss", json!("https://sts.windows.net/other/")), "Issuer"),
        (changed("tid", json!("other")), "Tenant"),
        ("not.a.token".to_owned(), "JSON Web Token"),
    ] {
        let refused = tried.with(&token, list()).expect(401);
        assert_eq!(refused.code(), "InvalidAuthenticationInfo");
        assert!(refused.text().contains(detail), "{}", refused.text());
        assert_eq!(
            refused.header("www-authenticate"),
            Some(
                format!(
                    "Bearer authorization_uri=https://login.microsoftonline.com/{TENANT}/oauth2/authorize \
                     resource_id=https://storage.azure.com"
                )
                .as_str()
            )
        );
    }
    // The token holds; who shows it may nothing.
    assert_eq!(tried.with(&good, list()).expect(403).code(), "AuthorizationPermissionMismatch");
}

#[test]
fn tokens_over_plain_http_are_taken_only_where_that_is_said() {
    let keys = THE_ISSUER.keys.to_str().expect("a path that is text");
    let node = Node::start_with(&["--issuer", ISSUER, "--issuer-keys", keys]);
    let mut tried = Tried { client: Client::new(&node, Service::Blob) };
    let refused = tried.with(&sign(&claims("anybody")), Request::new("GET", "/?comp=list")).expect(403);
    assert_eq!(refused.code(), "AuthenticationFailed");
    assert!(refused.text().contains("HTTPS"), "{}", refused.text());
}

#[test]
fn oauth_basic_believes_everybody_and_says_so() {
    let node = Node::start_with(&["--oauth", "basic", "--oauth-over-http"]);
    assert!(node.announced("checks no signatures"));
    let mut tried = Tried { client: Client::new(&node, Service::Blob) };
    let unsigned = |claims: &Value| {
        let header = json!({"typ": "JWT", "alg": "none"});
        format!("{}.{}.", encode(header.to_string()), encode(claims.to_string()))
    };
    let token = unsigned(&claims("anybody"));
    tried.with(&token, request::create_container("opened")).expect(201);
    let mut expired = claims("anybody");
    expired["exp"] = json!(1);
    tried.with(&unsigned(&expired), request::create_container("closed")).expect(401);
}

#[test]
fn only_who_can_read_the_data_folder_administers_roles() {
    let node = node();
    let address = node.endpoint("admin").to_owned();
    let (host, _) = address.split_once('/').unwrap_or((&address, ""));
    let mut client = Client::at(Service::Blob, &format!("{host}/"));
    for credentials in ["", "Authorization: Bearer \r\n", "Authorization: Bearer wrong\r\n"] {
        let bytes = format!("GET /roles HTTP/1.1\r\nHost: {host}\r\n{credentials}\r\n");
        let answer = client.exchange(bytes.as_bytes(), false).expect("an answer");
        assert_eq!(answer.status, 401, "{}", answer.text());
    }
    let missing = node::failure(&["--disk", "/nonexistent", "role", "list"]);
    assert!(missing.contains("no server runs"), "{missing}");
    let folder = folder_of(&node);
    let unknown = node::failure(&[
        "--disk",
        folder,
        "role",
        "assign",
        "Owner",
        "--principal",
        "x",
        "--account",
        ACCOUNT,
    ]);
    assert!(unknown.contains("Storage Blob Data Reader"), "{unknown}");
}
