//! `/scopes`: encryption scopes of the accounts of this server.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /scopes/ACCOUNT` | all of one account |
//! | `POST /scopes/ACCOUNT/NAME` | makes one, or enables it again |
//! | `POST /scopes/ACCOUNT/NAME/disable` | disables one: nothing of it can be read or written |
//!
//! There is no deleting: a scope's key is what its blobs are read with. They go with the account.

use super::reply::{Answered, Refusal, json_response};
use super::role::Changed;
use api::Body;
use api::auth::Accounts;
use http::{Method, Request, StatusCode};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage_engine::EngineError;
use storage_engine::encryption_scope::EncryptionScopeStore;
use storage_engine::name::AccountName;
use storage_engine::seal::ScopeAddress;

/// The endpoints under `/scopes`.
pub(crate) struct ScopeAdmin {
    scopes: EncryptionScopeStore,
    accounts: Arc<dyn Accounts>,
}

/// A scope as it is shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownScope {
    pub(crate) name: String,
    pub(crate) disabled: bool,
}

/// Scopes as they are shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownScopes {
    pub(crate) scopes: Vec<ShownScope>,
}

impl ScopeAdmin {
    /// The scopes of a server that has these accounts.
    pub(crate) fn new(scopes: EncryptionScopeStore, accounts: Arc<dyn Accounts>) -> Self {
        Self { scopes, accounts }
    }

    /// Answers a request to `/scopes`; `rest` is the path behind it, in segments.
    pub(crate) async fn answer(&self, rest: &[&str], request: Request<Body>) -> Answered {
        match (request.method(), rest) {
            (&Method::GET, [account]) => {
                let scopes =
                    self.scopes.list(&self.account(account)?).await.map_err(|error| failed(&error))?;
                let shown =
                    scopes.into_iter().map(|scope| ShownScope { name: scope.name, disabled: scope.disabled });
                Ok(json_response(StatusCode::OK, &ShownScopes { scopes: shown.collect() }))
            }
            (&Method::POST, [account, name]) => {
                let changed = self.scopes.create(&self.address(account, name)?).await;
                let changed = changed.map_err(|error| failed(&error))?;
                Ok(json_response(StatusCode::OK, &Changed { changed }))
            }
            (&Method::POST, [account, name, "disable"]) => {
                self.scopes.disable(&self.address(account, name)?).await.map_err(|error| failed(&error))?;
                Ok(json_response(StatusCode::OK, &Changed { changed: true }))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    fn account(&self, name: &str) -> Result<AccountName, Refusal> {
        let missing = || Refusal::new(StatusCode::NOT_FOUND, "there is no account of this name");
        let account = AccountName::parse(name).map_err(|_| missing())?;
        self.accounts.keys(&account).map(|_| account).ok_or_else(missing)
    }

    fn address(&self, account: &str, name: &str) -> Result<ScopeAddress, Refusal> {
        let account = self.account(account)?;
        let good = (3..=63).contains(&name.len())
            && name.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-');
        if good {
            return Ok(ScopeAddress { account, name: name.to_owned() });
        }
        Err(Refusal::new(StatusCode::BAD_REQUEST, "a scope's name is 3 to 63 letters, digits and hyphens"))
    }
}

fn failed(error: &EngineError) -> Refusal {
    if matches!(error, EngineError::EncryptionScopeNotFound) {
        return Refusal::new(StatusCode::NOT_FOUND, "there is no encryption scope of this name");
    }
    tracing::error!(%error, "the store of encryption scopes failed");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the log says why")
}
