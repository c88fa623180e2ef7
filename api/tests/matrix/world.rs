//! A front on an engine, with accounts, an issuer and holders of roles, at a moment that does not pass.

use crate::rights::{REFUSALS, ROLES, Refusal};
use crate::sign::{self, Delegation};
use api::auth::bearer::{Bearer, Distrust, Issuers, KeySet, Trusted};
use api::auth::delegation::DelegationKeys;
use api::auth::role::{AssignedRoles, Role};
use api::auth::{AccountKeys, Accounts, Identities};
use api::{Arrival, Body, Front, Observer, ServiceKind, Summary};
use base64::Engine as _;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use futures_util::future::BoxFuture;
use http_body_util::BodyExt as _;
use ring::rand::SystemRandom;
use ring::signature::{ECDSA_P256_SHA256_FIXED_SIGNING as ES256, EcdsaKeyPair, KeyPair as _};
use serde_json::{Value, json};
use std::sync::{Arc, Mutex};
use storage_engine::Engine;
use storage_engine::assignment::{Assignment, Grant, Place};
use storage_engine::clock::{ManualClock, SeededEntropy, Timestamp};
use storage_engine::config::EngineConfig;
use storage_engine::meta::Durability;
use storage_engine::name::{AccountName, ContainerName, TableName};
use storage_engine::secret::Secret;
use tempfile::TempDir;

/// When it is: Sun, 22 Nov 2026 12:00:00 GMT.
pub(crate) const NOW: u64 = 1_795_348_800;
pub(crate) const DATE: &str = "Sun, 22 Nov 2026 12:00:00 GMT";
pub(crate) const ACCOUNT: &str = "devaccount";
/// An account of the same keys in which nothing may be public.
pub(crate) const CLOSED: &str = "closedaccount";
pub(crate) const KEYS: [[u8; 32]; 2] = [[1; 32], [2; 32]];
const ISSUER: &str = "https://issuer.test/";

struct TwoAccounts;

impl Accounts for TwoAccounts {
    fn keys(&self, account: &AccountName) -> Option<Arc<AccountKeys>> {
        let keys = || Arc::new(AccountKeys::new(KEYS.iter().map(|key| key.to_vec()).collect()));
        [ACCOUNT, CLOSED].contains(&account.as_str()).then(keys)
    }

    fn anonymous_allowed(&self, account: &AccountName) -> bool {
        account.as_str() == ACCOUNT
    }
}

struct OneIssuer(Arc<KeySet>);

impl Issuers for OneIssuer {
    fn find<'a>(&'a self, issuer: &'a str, _: Option<&'a str>) -> BoxFuture<'a, Result<Trusted, Distrust>> {
        let known = issuer == ISSUER;
        Box::pin(async move {
            let trusted = Trusted { keys: Arc::clone(&self.0), tenant: None };
            if known { Ok(trusted) } else { Err(Distrust::UnknownIssuer) }
        })
    }

    fn authorization_uri(&self) -> Option<String> {
        None
    }
}

/// Notes under which operation's name a request is logged.
#[derive(Default)]
struct LastOperation(Mutex<&'static str>);

impl Observer for LastOperation {
    fn answered(&self, summary: &Summary<'_>) {
        *self.0.lock().unwrap() = summary.operation;
    }
}

/// What was answered.
pub(crate) struct Answer {
    pub(crate) operation: &'static str,
    pub(crate) status: u16,
    pub(crate) code: String,
    pub(crate) body: String,
}

impl Answer {
    /// How whoever asked was refused; none if they were let in, whatever came of it.
    pub(crate) fn refusal(&self) -> Refusal {
        let code = REFUSALS.into_iter().find(|code| *code == self.code)?;
        Some((self.status, code))
    }
}

pub(crate) struct World {
    front: Front,
    engine: Engine,
    last: Arc<LastOperation>,
    pair: EcdsaKeyPair,
    runtime: tokio::runtime::Runtime,
    _folder: TempDir,
}

impl World {
    pub(crate) fn new() -> Self {
        let random = SystemRandom::new();
        let document = EcdsaKeyPair::generate_pkcs8(&ES256, &random).unwrap();
        let pair = EcdsaKeyPair::from_pkcs8(&ES256, document.as_ref(), &random).unwrap();
        let (x, y) = pair.public_key().as_ref()[1..].split_at(32);
        let [x, y] = [x, y].map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let set = json!({"keys": [{"kty": "EC", "crv": "P-256", "kid": "one", "x": x, "y": y}]}).to_string();
        let issuer = OneIssuer(Arc::new(KeySet::parse(set.as_bytes()).unwrap()));

        let folder = tempfile::tempdir().unwrap();
        let disks = vec![folder.path().to_owned()];
        let config = EngineConfig { disks, durability: Durability::Os, ..EngineConfig::default() };
        let clock = Arc::new(ManualClock::at(Timestamp::from_unix_seconds(NOW)));
        let entropy = Arc::new(SeededEntropy::new(1));
        let engine =
            Engine::open(&config, Arc::<ManualClock>::clone(&clock), Arc::<SeededEntropy>::clone(&entropy))
                .unwrap();
        let identities = Identities {
            bearer: Bearer::signed(Arc::new(issuer), false),
            roles: Arc::new(AssignedRoles::new(engine.assignments().clone())),
            delegation: Arc::new(DelegationKeys::new(Secret::new([7; 32]))),
        };
        let last = Arc::<LastOperation>::default();
        let observer = Arc::<LastOperation>::clone(&last);
        let front = Front::new(&engine, Arc::new(TwoAccounts), identities, observer, clock, entropy);
        let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
        let world = Self { front, engine, last, pair, runtime, _folder: folder };
        world.assign();
        world
    }

    /// Gives each role to the holder of its name, all of them to `all`, and owners of one place their place.
    fn assign(&self) {
        let give = |principal: &str, role: &str, place: Place| {
            let grant = Grant { place, role: Role::named(role).unwrap().id };
            let account = AccountName::parse(ACCOUNT).unwrap();
            let assignment = Assignment { account, principal: principal.to_owned(), grant };
            self.runtime.block_on(self.engine.assignments().put(&assignment)).unwrap();
        };
        for (short, name) in ROLES {
            give(short, name, Place::Account);
            give("all", name, Place::Account);
        }
        give("owner-here", ROLES[0].1, Place::Container(ContainerName::parse("con").unwrap()));
        give("table-here", ROLES[9].1, Place::Table(TableName::parse("con").unwrap()));
    }

    pub(crate) fn send(
        &self,
        service: ServiceKind,
        request: http::Request<()>,
        body: &str,
        secure: bool,
    ) -> Answer {
        let arrival = Arrival { peer: "10.0.0.5:1000".parse().ok(), secure };
        let request = request.map(|()| Body::full(body.to_owned()));
        let answer = self.runtime.block_on(self.front.handle(service, arrival, request));
        let (parts, body) = answer.into_parts();
        let body = self
            .runtime
            .block_on(body.collect())
            .map(http_body_util::Collected::to_bytes)
            .unwrap_or_default();
        let code = parts.headers.get("x-ms-error-code").map_or("", |code| code.to_str().unwrap());
        Answer {
            operation: *self.last.0.lock().unwrap(),
            status: parts.status.as_u16(),
            code: code.to_owned(),
            body: String::from_utf8_lossy(&body).into_owned(),
        }
    }

    /// A token of `object`, with further claims instead of the usual ones.
    pub(crate) fn token(&self, object: &str, more: &Value) -> String {
        let mut claims = json!({
            "iss": ISSUER, "aud": "https://storage.azure.com", "oid": object, "tid": "us",
            "nbf": NOW - 60, "exp": NOW + 3600,
        });
        for (name, value) in more.as_object().into_iter().flatten() {
            claims[name] = value.clone();
        }
        let header = json!({"alg": "ES256", "kid": "one"}).to_string();
        let message =
            format!("{}.{}", URL_SAFE_NO_PAD.encode(header), URL_SAFE_NO_PAD.encode(claims.to_string()));
        let signature = self.pair.sign(&SystemRandom::new(), message.as_bytes()).unwrap();
        format!("{message}.{}", URL_SAFE_NO_PAD.encode(signature))
    }

    /// The key that `object` gets when they ask for one.
    pub(crate) fn delegation(&self, service: ServiceKind, object: &str) -> Delegation {
        let (start, expiry) = ("2026-11-22T11:00:00Z", "2026-11-23T11:00:00Z");
        let body = format!("<KeyInfo><Start>{start}</Start><Expiry>{expiry}</Expiry></KeyInfo>");
        let request = http::Request::post(format!("/{ACCOUNT}/?restype=service&comp=userdelegationkey"))
            .header("x-ms-version", sign::VERSION)
            .header("content-length", body.len().to_string())
            .header("authorization", format!("Bearer {}", self.token(object, &json!({}))));
        let answer = self.send(service, request.body(()).unwrap(), &body, true);
        let element = |name: &str| {
            let (_, rest) =
                answer.body.split_once(&format!("<{name}>")).unwrap_or_else(|| panic!("{}", answer.body));
            rest.split_once('<').unwrap().0.to_owned()
        };
        Delegation {
            object: element("SignedOid"),
            tenant: element("SignedTid"),
            start: element("SignedStart"),
            expiry: element("SignedExpiry"),
            service: element("SignedService"),
            version: element("SignedVersion"),
            key: STANDARD.decode(element("Value")).unwrap(),
        }
    }
}
