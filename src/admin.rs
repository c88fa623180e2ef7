//! The admin port. `/healthz` and `/metrics` are open, like those of any server, and change nothing; everything else
//! asks for the token of [`access`] and is found in [`Subjects`]: another subject is one field, one arm and one file.
//!
//! What is administered runs in a task of its own. It changes the store and then what the server knows of it, and a
//! caller that hangs up in between must not keep the second from happening.

use crate::listener::Answer;
use crate::telemetry::Telemetry;
use access::Access;
use account::AccountAdmin;
use api::{Arrival, Body};
use http::{Method, Request, Response, StatusCode};
use reply::{Answered, Refusal};
use role::RoleAdmin;
use scope::ScopeAdmin;
use std::sync::Arc;

pub(crate) mod access;
pub(crate) mod account;
pub(crate) mod behaviour;
mod lifecycle;
mod reply;
pub(crate) mod role;
pub(crate) mod scope;

/// Answers on the admin port.
pub(crate) struct Admin {
    telemetry: Arc<Telemetry>,
    access: Arc<Access>,
    subjects: Arc<Subjects>,
}

/// What can be administered.
pub(crate) struct Subjects {
    pub(crate) accounts: AccountAdmin,
    pub(crate) roles: RoleAdmin,
    pub(crate) scopes: ScopeAdmin,
}

impl Subjects {
    async fn answer(&self, request: Request<Body>) -> Answered {
        let path = request.uri().path().to_owned();
        let segments: Vec<&str> = path.split('/').skip(1).collect();
        match segments.split_first() {
            Some((&"accounts", rest)) => self.accounts.answer(rest, request).await,
            Some((&"scopes", rest)) => self.scopes.answer(rest, request).await,
            Some((&"roles", rest)) => self.roles.answer(rest, request).await,
            _ => Err(Refusal::not_found()),
        }
    }
}

impl Admin {
    /// Shows what `telemetry` counts to all, and the subjects to whom `access` lets in.
    pub(crate) fn new(telemetry: Arc<Telemetry>, access: Arc<Access>, subjects: Subjects) -> Self {
        Self { telemetry, access, subjects: Arc::new(subjects) }
    }

    async fn administer(&self, arrival: Arrival, request: Request<Body>) -> Answered {
        self.access.check(arrival, &request)?;
        let subjects = Arc::clone(&self.subjects);
        let answered = tokio::spawn(async move { subjects.answer(request).await }).await;
        let stopped = |_| Refusal::new(StatusCode::SERVICE_UNAVAILABLE, "the server is stopping");
        answered.unwrap_or_else(|error| Err(stopped(error)))
    }
}

impl Answer for Admin {
    async fn answer(&self, arrival: Arrival, request: Request<Body>) -> Response<Body> {
        let open = match (request.method(), request.uri().path()) {
            (&Method::GET | &Method::HEAD, "/healthz") => Some("ok\n".to_owned()),
            (&Method::GET, "/metrics") => Some(self.telemetry.metrics()),
            _ => None,
        };
        match open {
            Some(text) => Response::new(Body::full(text)),
            None => self.administer(arrival, request).await.unwrap_or_else(Response::from),
        }
    }
}
