//! Signatures made by azure_storage 0.21, the last Rust client of the vendor that makes any: prints one document for
//! fixtures/auth/sas.
//!
//! Nothing here talks to a server. The user delegation key is made by the rule that stands in
//! api/src/auth/delegation.rs, written again. `SasProtocol::HttpHttps` is left out: this client spells it `http,https`,
//! which is no value of the protocol.

use azure_core::auth::Secret;
use azure_storage::shared_access_signature::account_sas::{
    AccountSasPermissions, AccountSasResource, AccountSasResourceType, AccountSharedAccessSignature,
};
use azure_storage::shared_access_signature::service_sas::{
    BlobSasPermissions, BlobSharedAccessSignature, BlobSignedResource, SasKey, UserDeligationKey,
};
use azure_storage::shared_access_signature::{SasProtocol, SasToken};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use hmac::{Hmac, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;
use time::OffsetDateTime;
use time::macros::datetime;
use uuid::Uuid;

const ACCOUNT: &str = "devaccount";
const START: OffsetDateTime = datetime!(2026-11-22 00:00:00 UTC);
const EXPIRY: OffsetDateTime = datetime!(2026-11-23 00:00:00 UTC);
const RECEIVED_UNIX_SECONDS: u64 = 1_795_348_800;
const OBJECT: &str = "11111111-1111-1111-1111-111111111111";
const TENANT: &str = "22222222-2222-2222-2222-222222222222";
const VERSION: &str = "2022-11-02";

fn key() -> String {
    STANDARD.encode((0..64).collect::<Vec<u8>>())
}

fn delegated() -> UserDeligationKey {
    let mut mac = Hmac::<Sha256>::new_from_slice(&[7; 32]).expect("a key of any length");
    let times = ["2026-11-22T00:00:00Z", "2026-11-23T00:00:00Z"];
    for text in ["user delegation key 1", ACCOUNT, OBJECT, TENANT, times[0], times[1], "b", VERSION, ""] {
        mac.update(&(text.len() as u64).to_be_bytes());
        mac.update(text.as_bytes());
    }
    UserDeligationKey {
        signed_oid: Uuid::parse_str(OBJECT).expect("an id"),
        signed_tid: Uuid::parse_str(TENANT).expect("an id"),
        signed_start: START,
        signed_expiry: EXPIRY,
        signed_service: "b".to_owned(),
        signed_version: VERSION.to_owned(),
        value: Secret::new(STANDARD.encode(mac.finalize().into_bytes())),
    }
}

fn vector(name: &str, service: &str, port: u16, path: &str, token: &dyn SasToken, more: Value) -> Value {
    let token = token.token().expect("a signature");
    let url = format!("http://127.0.0.1:{port}/{ACCOUNT}{path}?{token}");
    let mut vector = json!({"name": name, "service": service, "url": url});
    for (name, value) in more.as_object().into_iter().flatten() {
        vector[name] = value.clone();
    }
    vector
}

fn of_blob(key: impl Into<SasKey>, path: &str, resource: BlobSignedResource) -> BlobSharedAccessSignature {
    let permissions = BlobSasPermissions { read: true, add: true, create: true, write: true, ..Default::default() };
    let path = format!("/blob/{ACCOUNT}/{path}");
    BlobSharedAccessSignature::new(key, path, permissions, EXPIRY, resource).start(START)
}

fn main() {
    let shared = || Secret::new(key());
    let permissions = AccountSasPermissions { read: true, list: true, add: true, process: true, ..Default::default() };
    let account = |service, kind| {
        AccountSharedAccessSignature::new(ACCOUNT.to_owned(), shared(), service, kind, EXPIRY, permissions).start(START)
    };
    let (blob, object) = (AccountSasResource::Blob, AccountSasResourceType::Object);
    let far = json!({"peer": "10.0.0.5:1", "secure": true});
    let vectors = vec![
        vector("account, blobs", "blob", 10_000, "/con/b", &account(blob, object), json!({})),
        vector(
            "account, one address and https",
            "blob",
            10_000,
            "/con/b",
            &account(blob, object).ip("10.0.0.5".to_owned()).protocol(SasProtocol::Https),
            far.clone(),
        ),
        vector("account, queues", "queue", 10_001, "/que/messages", &account(AccountSasResource::Queue, object), json!({})),
        vector("account, tables", "table", 10_002, "/tab", &account(AccountSasResource::Table, object), json!({})),
        vector("blob", "blob", 10_000, "/con/b", &of_blob(shared(), "con/b", BlobSignedResource::Blob), json!({})),
        vector("container", "blob", 10_000, "/con/b", &of_blob(shared(), "con", BlobSignedResource::Container), json!({})),
        vector(
            "directory",
            "blob",
            10_000,
            "/con/one/two/b",
            &of_blob(shared(), "con/one/two", BlobSignedResource::Directory).signed_directory_depth(2_usize),
            json!({}),
        ),
        vector(
            "blob, one address and https",
            "blob",
            10_000,
            "/con/b",
            &of_blob(shared(), "con/b", BlobSignedResource::Blob).ip("10.0.0.5".to_owned()).protocol(SasProtocol::Https),
            far,
        ),
        vector("blob, delegated", "blob", 10_000, "/con/b", &of_blob(delegated(), "con/b", BlobSignedResource::Blob), json!({})),
        vector(
            "container, delegated",
            "blob",
            10_000,
            "/con/b",
            &of_blob(delegated(), "con", BlobSignedResource::Container),
            json!({}),
        ),
    ];
    let document = json!({
        "why": "Made by the official Rust clients 0.21: tests/it/sdk/rust_sas.",
        "key": key(),
        "received": RECEIVED_UNIX_SECONDS,
        "vectors": vectors,
    });
    println!("{}", serde_json::to_string_pretty(&document).expect("JSON"));
}
