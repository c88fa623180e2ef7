//! Who gets in, through the whole front and on an engine: what signatures need besides themselves. Signatures are those
//! of the fixtures, at the time that they were made for, so nothing here signs what it checks.

#![expect(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a test fails by panicking, in its helpers too"
)]

use api::auth::bearer::Bearer;
use api::auth::delegation::DelegationKeys;
use api::auth::policy::{Policies, PolicyHolder, StoredPolicy};
use api::auth::role::Roles;
use api::auth::{AccountKeys, Accounts, Gate, Identities, Identity, Principal};
use api::error::{ErrorCode, StorageError};
use api::head::Head;
use api::operation::{Access, Asked};
use api::target::Resource;
use api::{Arrival, Body, Front, Observer, ServiceKind, Summary};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use futures_util::future::BoxFuture;
use hmac::{Hmac, KeyInit, Mac};
use serde_json::Value;
use sha2::Sha256;
use std::path::Path;
use std::sync::{Arc, Mutex};
use storage_engine::Engine;
use storage_engine::clock::{ManualClock, SeededEntropy, Timestamp};
use storage_engine::config::EngineConfig;
use storage_engine::name::AccountName;
use storage_engine::secret::Secret;
use tempfile::TempDir;

const RECEIVED: u64 = 1_795_348_800;
const USER: &str = "11111111-1111-1111-1111-111111111111";

/// The account of the fixtures.
struct Fixtures;

impl Accounts for Fixtures {
    fn keys(&self, account: &AccountName) -> Option<Arc<AccountKeys>> {
        let key = (0..64).collect();
        (account.as_str() == "devaccount").then(|| Arc::new(AccountKeys::new(vec![key])))
    }

    fn anonymous_allowed(&self, _: &AccountName) -> bool {
        true
    }
}

/// Lets the user of the fixtures' delegation keys read, and nothing else.
struct Readers;

impl Roles for Readers {
    fn allows(&self, identity: &Identity, account: &AccountName, asked: Asked, _: &Resource) -> bool {
        identity.object == USER && account.as_str() == "devaccount" && asked.access == Access::Read
    }
}

/// Nobody listens.
struct Silence;

impl Observer for Silence {
    fn answered(&self, _: &Summary<'_>) {}
}

/// Has one policy of one container, and notes what it is asked for.
#[derive(Default)]
struct OnePolicy(Mutex<Vec<(PolicyHolder, String)>>);

impl Policies for OnePolicy {
    fn policy<'a>(
        &'a self,
        _: &'a AccountName,
        holder: &'a PolicyHolder,
        id: &'a str,
    ) -> BoxFuture<'a, Result<Option<StoredPolicy>, StorageError>> {
        self.0.lock().unwrap().push((holder.clone(), id.to_owned()));
        let known = *holder == PolicyHolder::Container("con".into()) && id == "readers";
        let policy = StoredPolicy {
            start: None,
            expiry: Some(Timestamp::from_unix_seconds(RECEIVED + 60)),
            permissions: Some("r".into()),
        };
        Box::pin(async move { Ok(known.then_some(policy)) })
    }
}

fn engine(folder: &TempDir) -> (Engine, Arc<ManualClock>, Arc<SeededEntropy>) {
    let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(RECEIVED)));
    let entropy = Arc::new(SeededEntropy::new(1));
    let config = EngineConfig { disks: vec![folder.path().to_owned()], ..EngineConfig::default() };
    (
        Engine::open(&config, Arc::<ManualClock>::clone(&clock), Arc::<SeededEntropy>::clone(&entropy))
            .unwrap(),
        clock,
        entropy,
    )
}

fn run<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(future)
}

struct Sent {
    name: String,
    service: ServiceKind,
    url: String,
    headers: Vec<(String, String)>,
    arrival: Arrival,
}

fn sent() -> Vec<Sent> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../fixtures/auth/sas");
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut all = Vec::new();
    for file in std::fs::read_dir(folder).unwrap() {
        let path = file.unwrap().path();
        let document: Value = serde_json::from_str(&std::fs::read_to_string(&path).unwrap()).unwrap();
        assert_eq!(document["received"].as_u64(), Some(RECEIVED));
        all.extend(document["vectors"].as_array().unwrap().iter().map(|json| {
            Sent {
                name: format!("{}: {}", path.file_stem().unwrap().to_string_lossy(), text(&json["name"])),
                service: match json["service"].as_str().unwrap() {
                    "blob" => ServiceKind::Blob,
                    "queue" => ServiceKind::Queue,
                    _ => ServiceKind::Table,
                },
                // Without it the container would be a blob in the root container.
                url: text(&json["url"]).replace("/con?", "/con?restype=container&"),
                headers: json["headers"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|pair| (text(&pair[0]), text(&pair[1])))
                    .collect(),
                arrival: Arrival {
                    peer: json["peer"].as_str().unwrap_or("127.0.0.1:1").parse().ok(),
                    secure: json["secure"].as_bool().unwrap_or(false),
                },
            }
        }));
    }
    all
}

fn request(method: &str, sent: &Sent) -> http::Request<Body> {
    let mut request = http::Request::builder().method(method).uri(&sent.url);
    for (name, value) in &sent.headers {
        request = request.header(name, value);
    }
    request.body(Body::empty()).unwrap()
}

/// The status and the code of the answer.
fn answer(front: &Front, method: &str, sent: &Sent) -> (u16, String) {
    let answer = run(front.handle(sent.service, sent.arrival, request(method, sent)));
    let code = answer.headers().get("x-ms-error-code").map(|code| code.to_str().unwrap().to_owned());
    (answer.status().as_u16(), code.unwrap_or_default())
}

/// What tokens and delegation keys mean: those of the fixtures come from a secret of sevens.
fn identities(secret: u8) -> Identities {
    let delegation = Arc::new(DelegationKeys::new(Secret::new([secret; 32])));
    Identities { bearer: Bearer::unsigned(true), roles: Arc::new(Readers), delegation }
}

/// A front at the time of the fixtures.
fn front(folder: &TempDir, secret: u8) -> (Engine, Front) {
    let (engine, clock, entropy) = engine(folder);
    let front =
        Front::new(&engine, Arc::new(Fixtures), identities(secret), Arc::new(Silence), clock, entropy);
    (engine, front)
}

fn delegated(sent: &Sent) -> bool {
    sent.url.contains("skoid=")
}

fn bound_to_a_user(sent: &Sent) -> bool {
    sent.url.contains("sduoid=")
}

#[test]
fn what_the_clients_sign_gets_through_the_front() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, front) = front(&folder, 7);
    for sent in sent().iter().filter(|sent| !bound_to_a_user(sent)) {
        let (status, code) = answer(&front, "GET", sent);
        assert!(status < 500 && ![401, 403].contains(&status), "{}: {status} {code}", sent.name);
    }
}

#[test]
fn what_is_handed_on_is_no_more_than_whoever_hands_it_on_has() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, front) = front(&folder, 7);
    let deletes = |sent: &&Sent| {
        let whole = !sent.url.contains("snapshot=") && !sent.url.contains("versionid=");
        delegated(sent) && whole && !bound_to_a_user(sent) && sent.url.contains("sp=racwd")
    };
    let sent = sent();
    let refused: Vec<_> = sent.iter().filter(deletes).map(|sent| answer(&front, "DELETE", sent)).collect();
    assert!(refused.len() >= 4, "{refused:?}");
    let mismatch = (403, "AuthorizationPermissionMismatch".to_owned());
    assert!(refused.iter().all(|answer| *answer == mismatch), "{refused:?}");
}

#[test]
fn nobody_hands_anything_on_with_the_keys_of_another_store() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, front) = front(&folder, 8);
    for sent in sent().iter().filter(|sent| delegated(sent)) {
        let refused = (403, "AuthenticationFailed".to_owned());
        assert_eq!(answer(&front, "GET", sent), refused, "{}", sent.name);
    }
}

#[test]
fn what_is_for_one_user_is_for_nobody_without_a_token() {
    let folder = tempfile::tempdir().unwrap();
    let (_engine, front) = front(&folder, 7);
    let all = sent();
    let bound: Vec<_> = all.iter().filter(|sent| bound_to_a_user(sent)).collect();
    assert!(bound.len() >= 3);
    for sent in bound {
        let refused = (401, "NoAuthenticationInformation".to_owned());
        assert_eq!(answer(&front, "GET", sent), refused, "{}", sent.name);
    }
}

fn head(url: &str, headers: &[(&str, &str)]) -> Head {
    let mut request = http::Request::builder().uri(url);
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    let received = Timestamp::from_unix_seconds(RECEIVED);
    let parts = request.body(()).unwrap().into_parts().0;
    Head::read(ServiceKind::Blob, Arrival::default(), parts, "", received).unwrap()
}

/// A blob's signature that leaves everything to a policy.
fn by_policy(id: &str) -> String {
    let key: Vec<u8> = (0..64).collect();
    let mut mac = Hmac::<Sha256>::new_from_slice(&key).unwrap();
    mac.update(format!("\n\n\n/blob/devaccount/con/b\n{id}\n\n\n2018-03-28\n\n\n\n\n").as_bytes());
    let signature = STANDARD.encode(mac.finalize().into_bytes()).replace('+', "%2B").replace('=', "%3D");
    format!("/devaccount/con/b?sv=2018-03-28&sr=b&si={id}&sig={signature}")
}

#[test]
fn policies_are_looked_up_for_genuine_signatures_only() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, ..) = engine(&folder);
    let policies = Arc::new(OnePolicy::default());
    let gate = Gate::new(
        Arc::new(Fixtures),
        identities(7),
        Arc::<OnePolicy>::clone(&policies),
        engine.blobs().clone(),
    );
    let enter = |url: &str| run(gate.enter(&head(url, &[]), None));
    let forged = by_policy("readers").replace("con/b", "con/c");
    assert_eq!(enter(&forged).unwrap_err().code, ErrorCode::AuthenticationFailed);
    assert_eq!(policies.0.lock().unwrap().len(), 0);
    let caller = enter(&by_policy("readers")).unwrap();
    assert_eq!(format!("{:?}", caller.grant().unwrap().letters), "r");
    assert_eq!(policies.0.lock().unwrap()[..], [(PolicyHolder::Container("con".into()), "readers".into())]);
    assert_eq!(enter(&by_policy("others")).unwrap_err().code, ErrorCode::AuthenticationFailed);
}

#[test]
fn a_header_proves_more_than_an_address() {
    let folder = tempfile::tempdir().unwrap();
    let (engine, ..) = engine(&folder);
    let gate =
        Gate::new(Arc::new(Fixtures), identities(7), Arc::new(OnePolicy::default()), engine.blobs().clone());
    let wrong =
        [("authorization", "SharedKey devaccount:AA=="), ("x-ms-date", "Sun, 22 Nov 2026 12:00:00 GMT")];
    let url = by_policy("readers");
    let refused = run(gate.enter(&head(&url, &wrong), None)).unwrap_err();
    assert!(refused.details[0].1.starts_with("The MAC signature"), "{:?}", refused.details);
    let caller = run(gate.enter(&head(&url, &[]), None)).unwrap();
    assert!(matches!(caller.principal(), Principal::Signature(_)));
}
