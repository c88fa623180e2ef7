//! `/accounts`: the accounts of this server.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /accounts` | all, without keys |
//! | `POST /accounts` | creates one: `{"name", "keys"?: [2], "anonymous"?}` |
//! | `GET /accounts/NAME` | one, with keys and endpoints |
//! | `PATCH /accounts/NAME` | `{"anonymous"?, "blobs"?}`, the latter as [`BlobChange`] |
//! | `GET`, `PUT`, `DELETE /accounts/NAME/lifecycle` | rules for its blobs, see [`super::behaviour`] |
//! | `POST /accounts/NAME/keys/1` | makes or takes (`{"key"?}`) a new first key; `2` the second |
//! | `DELETE /accounts/NAME` | deletes an empty one; with `?content=delete` also a full one |
//!
//! Keys are in Base64, as connection strings have them.

use super::behaviour::{BlobBehaviour, BlobChange, ShownBlobs};
use super::reply::{Answered, Refusal, json_response, no_content};
use crate::accounts::{AccountError, KnownAccount, KnownAccounts};
use crate::endpoints::{AccountEndpoints, Endpoints};
use api::Body;
use api::auth::Accounts as _;
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage_engine::EngineError;
use storage_engine::account::{AccountKey, Content, KeyNumber};
use storage_engine::name::AccountName;

/// Bytes of a key that is made here: as many as Azure's have.
const KEY_BYTES: usize = 64;
/// Most bytes of a key that is brought along.
const KEY_BYTES_MAX: usize = 256;
/// Most bytes of a request's document.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;

/// The endpoints under `/accounts`.
pub(crate) struct AccountAdmin {
    accounts: Arc<KnownAccounts>,
    endpoints: Endpoints,
    behaviour: BlobBehaviour,
}

/// An account as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownAccount {
    pub(crate) name: String,
    /// Whether it stands in the configuration and not in the store.
    pub(crate) configured: bool,
    /// When it was created; a configured one never was.
    pub(crate) created: Option<String>,
    pub(crate) anonymous: bool,
    /// In Base64; only where one account is asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(crate) keys: Vec<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) endpoints: Option<AccountEndpoints>,
    /// Only where one account is asked for.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blobs: Option<ShownBlobs>,
}

/// All accounts as they are shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownAccounts {
    pub(crate) accounts: Vec<ShownAccount>,
}

/// An account to create.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewAccount {
    pub(crate) name: String,
    #[serde(default)]
    pub(crate) keys: Vec<String>,
    #[serde(default)]
    pub(crate) anonymous: bool,
}

/// A key to take; none: one is made.
#[derive(Debug, Default, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewKey {
    pub(crate) key: Option<String>,
}

/// What can be changed of an account. What is left out stays.
#[derive(Debug, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AccountChange {
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) anonymous: Option<bool>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) blobs: Option<BlobChange>,
}

impl AccountAdmin {
    /// The accounts of a server with these endpoints.
    pub(crate) fn new(accounts: Arc<KnownAccounts>, endpoints: Endpoints, behaviour: BlobBehaviour) -> Self {
        Self { accounts, endpoints, behaviour }
    }

    /// Answers a request to `/accounts`; `rest` is the path behind it, in segments.
    pub(crate) async fn answer(&self, rest: &[&str], request: Request<Body>) -> Answered {
        let method = request.method().clone();
        match (&method, rest) {
            (&Method::GET, []) => Ok(self.list()),
            (&Method::POST, []) => self.create(document(request).await?).await,
            (&Method::GET, [name]) => self.show(StatusCode::OK, &parse_name(name)?).await,
            (&Method::PATCH, [name]) => self.change(&parse_name(name)?, document(request).await?).await,
            (method, [name, "lifecycle"]) => {
                let (name, method) = (self.known(name)?, method.clone());
                match method {
                    Method::GET => {}
                    Method::PUT => self.behaviour.set_policy(&name, document(request).await?).await?,
                    Method::DELETE => self.behaviour.remove_policy(&name).await?,
                    _ => return Err(Refusal::not_found()),
                }
                Ok(json_response(StatusCode::OK, &self.behaviour.policy(&name).await?))
            }
            (&Method::DELETE, [name]) => self.delete(&parse_name(name)?, request.uri().query()).await,
            (&Method::POST, [name, "keys", number]) => {
                let number = match *number {
                    "1" => KeyNumber::First,
                    "2" => KeyNumber::Second,
                    _ => return Err(Refusal::not_found()),
                };
                let NewKey { key } = document(request).await?;
                let key = key.as_deref().map_or_else(make_key, read_key)?;
                let name = parse_name(name)?;
                self.accounts.rotate(&name, number, key).await?;
                self.show(StatusCode::OK, &name).await
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn list(&self) -> http::Response<Body> {
        let accounts = self.accounts.list().iter().map(shown).collect();
        json_response(StatusCode::OK, &ShownAccounts { accounts })
    }

    async fn create(&self, new: NewAccount) -> Answered {
        let name = parse_name(&new.name)?;
        let keys = match new.keys.as_slice() {
            [] => [make_key()?, make_key()?],
            [first] => [read_key(first)?, make_key()?],
            [first, second] => [read_key(first)?, read_key(second)?],
            _ => return Err(Refusal::new(StatusCode::BAD_REQUEST, "an account has two keys")),
        };
        self.accounts.create(&name, keys, new.anonymous).await?;
        self.show(StatusCode::CREATED, &name).await
    }

    async fn change(&self, name: &AccountName, change: AccountChange) -> Answered {
        let AccountChange { anonymous, blobs } = change;
        let name = &self.known(name.as_str())?;
        if let Some(anonymous) = anonymous {
            self.accounts.set_anonymous(name, anonymous).await?;
        }
        if let Some(blobs) = blobs {
            self.behaviour.change(name, blobs).await?;
        }
        self.show(StatusCode::OK, name).await
    }

    /// The account of this name, if there is one: settings of one that there is not would wait for whoever takes the
    /// name.
    fn known(&self, name: &str) -> Result<AccountName, Refusal> {
        let name = parse_name(name)?;
        match self.accounts.find(&name) {
            Some(_) => Ok(name),
            None => Err(AccountError::Engine(EngineError::AccountNotFound).into()),
        }
    }

    async fn show(&self, status: StatusCode, name: &AccountName) -> Answered {
        let missing = || Refusal::from(AccountError::Engine(EngineError::AccountNotFound));
        let account = self.accounts.find(name).ok_or_else(missing)?;
        let keys = self.accounts.keys(name).ok_or_else(missing)?;
        let shown = ShownAccount {
            keys: keys.iter().map(|key| STANDARD.encode(key)).collect(),
            endpoints: Some(self.endpoints.of(name.as_str())),
            blobs: Some(self.behaviour.show(name).await?),
            ..shown(&account)
        };
        Ok(json_response(status, &shown))
    }

    async fn delete(&self, name: &AccountName, query: Option<&str>) -> Answered {
        let content = match query {
            None => Content::MustBeNone,
            Some("content=delete") => Content::IsDeleted,
            Some(_) => return Err(Refusal::new(StatusCode::BAD_REQUEST, "the query may be content=delete")),
        };
        self.accounts.delete(name, content).await?;
        self.behaviour.forget(name).await?;
        Ok(no_content())
    }
}

fn shown(account: &KnownAccount) -> ShownAccount {
    ShownAccount {
        name: account.name.as_str().to_owned(),
        configured: account.created.is_none(),
        created: account.created.map(api::time::iso8601),
        anonymous: account.anonymous,
        keys: Vec::new(),
        endpoints: None,
        blobs: None,
    }
}

fn parse_name(text: &str) -> Result<AccountName, Refusal> {
    let rule = "an account's name is 3 to 24 lower-case letters and digits";
    AccountName::parse(text).map_err(|_| Refusal::new(StatusCode::BAD_REQUEST, rule))
}

/// Reads a key that somebody brings along. The error does not repeat it.
fn read_key(text: &str) -> Result<AccountKey, Refusal> {
    let key = STANDARD.decode(text).ok().filter(|key| (1..=KEY_BYTES_MAX).contains(&key.len()));
    key.map(AccountKey::new)
        .ok_or_else(|| Refusal::new(StatusCode::BAD_REQUEST, "a key is 1 to 256 bytes in Base64"))
}

fn make_key() -> Result<AccountKey, Refusal> {
    let mut bytes = vec![0; KEY_BYTES];
    let failed = |error| {
        let text = format!("there is no randomness for a key: {error}");
        Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, text)
    };
    getrandom::fill(&mut bytes).map_err(failed)?;
    Ok(AccountKey::new(bytes))
}

/// The request's JSON; an empty body is an empty object.
async fn document<T: DeserializeOwned>(request: Request<Body>) -> Result<T, Refusal> {
    let bad = |text: String| Refusal::new(StatusCode::BAD_REQUEST, text);
    let body = Limited::new(request.into_body(), DOCUMENT_BYTES_MAX).collect().await;
    let body = body.map_err(|error| bad(error.to_string()))?.to_bytes();
    let text = if body.is_empty() { b"{}" } else { body.as_ref() };
    // Only the place: the text may have a key in it.
    serde_json::from_slice(text).map_err(|error| {
        bad(format!(
            "the document is not what is expected here (line {}, column {})",
            error.line(),
            error.column()
        ))
    })
}

impl From<AccountError> for Refusal {
    fn from(error: AccountError) -> Self {
        let (status, text) = match error {
            AccountError::Configured => {
                (StatusCode::CONFLICT, "the account stands in the server's configuration: change it there")
            }
            AccountError::BuiltIn => (
                StatusCode::CONFLICT,
                "this is the built-in development account: start the server with --account to name your own instead, \
                 or with --private-account to close it to callers without credentials",
            ),
            AccountError::Engine(EngineError::AccountNotFound) => {
                (StatusCode::NOT_FOUND, "there is no account of this name")
            }
            AccountError::Engine(EngineError::AccountExists) => {
                (StatusCode::CONFLICT, "there is an account of this name")
            }
            AccountError::Engine(EngineError::AccountNotEmpty) => {
                (StatusCode::CONFLICT, "the account holds containers, queues or tables")
            }
            AccountError::Engine(EngineError::AccountProtected) => (
                StatusCode::CONFLICT,
                "a blob in the account has a legal hold, or an immutability policy that is not over",
            ),
            AccountError::Engine(error) => {
                tracing::error!(%error, "the accounts' store failed");
                (StatusCode::INTERNAL_SERVER_ERROR, "the accounts' store failed; the log says why")
            }
        };
        Self::new(status, text)
    }
}
