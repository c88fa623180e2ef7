//! `/roles`: who holds which role on this server.
//!
//! | request | what it does |
//! |---|---|
//! | `GET /roles` | all assignments; with `?account=NAME` those in one account |
//! | `POST /roles` | assigns: `{"role", "principal", "account", "container"?, "queue"?, "table"?}` |
//! | `DELETE /roles` | takes the assignment in the same document away |
//!
//! A role is named as the vendor names it, or by its id; it is shown by its name.

use super::reply::{Answered, Refusal, json_response};
use api::Body;
use api::auth::Accounts;
use api::auth::role::{Action, ROLES, Role};
use http::{Method, Request, StatusCode};
use http_body_util::{BodyExt, Limited};
use serde::{Deserialize, Serialize};
use std::sync::Arc;
use storage_engine::EngineError;
use storage_engine::assignment::{Assignment, AssignmentStore, Grant, Place};
use storage_engine::name::{AccountName, ContainerName, QueueName, TableName};

/// Most bytes of a request's document.
const DOCUMENT_BYTES_MAX: usize = 64 << 10;
/// Most bytes of a principal's id: a GUID has 36, a subject of another issuer up to 255.
const PRINCIPAL_BYTES_MAX: usize = 255;

/// The endpoints under `/roles`.
pub(crate) struct RoleAdmin {
    assignments: AssignmentStore,
    accounts: Arc<dyn Accounts>,
}

/// An assignment as it is shown and asked for. At most one of `container`, `queue` and `table`; none of them is the
/// whole account.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ShownAssignment {
    pub(crate) role: String,
    pub(crate) principal: String,
    pub(crate) account: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) container: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) queue: Option<String>,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(crate) table: Option<String>,
}

/// Assignments as they are shown.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct ShownAssignments {
    pub(crate) assignments: Vec<ShownAssignment>,
}

/// Whether anything is other than before.
#[derive(Debug, Serialize, Deserialize)]
pub(crate) struct Changed {
    pub(crate) changed: bool,
}

impl RoleAdmin {
    /// The assignments of a server that has these accounts.
    pub(crate) fn new(assignments: AssignmentStore, accounts: Arc<dyn Accounts>) -> Self {
        Self { assignments, accounts }
    }

    /// Answers a request to `/roles`; `rest` is the path behind it, in segments.
    pub(crate) async fn answer(&self, rest: &[&str], request: Request<Body>) -> Answered {
        let method = request.method().clone();
        match (&method, rest) {
            (&Method::GET, []) => self.list(request.uri().query()).await,
            (&Method::POST, []) => {
                let assignment = read_new(&document(request).await?)?;
                if self.accounts.keys(&assignment.account).is_none() {
                    return Err(Refusal::new(StatusCode::NOT_FOUND, "there is no account of this name"));
                }
                let changed = self.assignments.put(&assignment).await.map_err(|error| failed(&error))?;
                Ok(json_response(StatusCode::OK, &Changed { changed }))
            }
            (&Method::DELETE, []) => {
                let assignment = read(&document(request).await?)?;
                let changed = self.assignments.remove(&assignment).await.map_err(|error| failed(&error))?;
                Ok(json_response(StatusCode::OK, &Changed { changed }))
            }
            _ => Err(Refusal::not_found()),
        }
    }

    async fn list(&self, query: Option<&str>) -> Answered {
        let account = match query.map(|query| query.strip_prefix("account=")) {
            None => None,
            Some(name) => Some(
                name.and_then(|name| AccountName::parse(name).ok())
                    .ok_or_else(|| bad("the query may be account=NAME"))?,
            ),
        };
        let assignments = self.assignments.list(account.as_ref()).await.map_err(|error| failed(&error))?;
        let assignments = assignments.into_iter().map(shown).collect();
        Ok(json_response(StatusCode::OK, &ShownAssignments { assignments }))
    }
}

fn bad(text: impl Into<String>) -> Refusal {
    Refusal::new(StatusCode::BAD_REQUEST, text)
}

fn failed(error: &EngineError) -> Refusal {
    tracing::error!(%error, "the store of role assignments failed");
    Refusal::new(StatusCode::INTERNAL_SERVER_ERROR, "the store failed; the log says why")
}

fn read(shown: &ShownAssignment) -> Result<Assignment, Refusal> {
    let role = Role::named(&shown.role).ok_or_else(|| {
        let names: Vec<_> = ROLES.iter().map(|role| role.name).collect();
        bad(format!("there is no role '{}'; there are: {}", shown.role, names.join(", ")))
    })?;
    let account = AccountName::parse(&shown.account)
        .map_err(|_| bad("an account's name is 3 to 24 lower-case letters and digits"))?;
    let principal = &shown.principal;
    if principal.is_empty()
        || principal.len() > PRINCIPAL_BYTES_MAX
        || !principal.bytes().all(|byte| byte.is_ascii_graphic())
    {
        return Err(bad("a principal is the object id of its tokens: 1 to 255 visible ASCII characters"));
    }
    let name = |what: &str| bad(format!("this is not the name of a {what}"));
    let place = match (&shown.container, &shown.queue, &shown.table) {
        (None, None, None) => Place::Account,
        (Some(text), None, None) => {
            Place::Container(ContainerName::parse(text).map_err(|_| name("container"))?)
        }
        (None, Some(text), None) => Place::Queue(QueueName::parse(text).map_err(|_| name("queue"))?),
        (None, None, Some(text)) => Place::Table(TableName::parse(text).map_err(|_| name("table"))?),
        _ => return Err(bad("a role is held at one container, queue or table, or in the whole account")),
    };
    Ok(Assignment { account, principal: principal.clone(), grant: Grant { place, role: role.id } })
}

/// As [`read`], of an assignment that is to be made. One that means nothing can still be taken away.
fn read_new(shown: &ShownAssignment) -> Result<Assignment, Refusal> {
    let assignment = read(shown)?;
    let place = &assignment.grant.place;
    match Role::of_id(assignment.grant.role) {
        Some(role) if !fits(role, place) => Err(bad(format!(
            "'{}' means nothing at a {}: it is a role for another service",
            role.name,
            kind(place)
        ))),
        _ => Ok(assignment),
    }
}

/// Whether the role allows anything of what can be done at the place.
fn fits(role: &Role, place: &Place) -> bool {
    let service = match place {
        Place::Account => return true,
        Place::Container(_) => "/blobServices/",
        Place::Queue(_) => "/queueServices/",
        Place::Table(_) => "/tableServices/",
    };
    Action::ALL.iter().any(|action| action.text().contains(service) && role.allows(*action))
}

const fn kind(place: &Place) -> &'static str {
    match place {
        Place::Account => "account",
        Place::Container(_) => "container",
        Place::Queue(_) => "queue",
        Place::Table(_) => "table",
    }
}

fn shown(assignment: Assignment) -> ShownAssignment {
    let Assignment { account, principal, grant: Grant { place, role } } = assignment;
    let named = |name: &str| Some(name.to_owned());
    let (container, queue, table) = match &place {
        Place::Account => (None, None, None),
        Place::Container(name) => (named(name.as_str()), None, None),
        Place::Queue(name) => (None, named(name.as_str()), None),
        Place::Table(name) => (None, None, named(name.as_str())),
    };
    let role = Role::of_id(role).map_or_else(|| format!("{role:032x}"), |role| role.name.to_owned());
    ShownAssignment { role, principal, account: account.as_str().to_owned(), container, queue, table }
}

async fn document(request: Request<Body>) -> Result<ShownAssignment, Refusal> {
    let body = Limited::new(request.into_body(), DOCUMENT_BYTES_MAX).collect().await;
    let body = body.map_err(|error| bad(error.to_string()))?.to_bytes();
    serde_json::from_slice(&body).map_err(|error| bad(format!("the document is not an assignment: {error}")))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn given() -> ShownAssignment {
        ShownAssignment {
            role: "Storage Blob Data Reader".into(),
            principal: "me".into(),
            account: "acc".into(),
            ..ShownAssignment::default()
        }
    }

    #[test]
    fn what_is_asked_for_is_what_is_shown() {
        let container = ShownAssignment { container: Some("abc".into()), ..given() };
        for assignment in [
            given(),
            container,
            ShownAssignment {
                role: "Storage Queue Data Reader".into(),
                queue: Some("abc".into()),
                ..given()
            },
            ShownAssignment {
                role: "Storage Table Data Reader".into(),
                table: Some("abc".into()),
                ..given()
            },
        ] {
            assert_eq!(shown(read_new(&assignment).unwrap()), assignment);
        }
        let by_id = ShownAssignment { role: "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1".into(), ..given() };
        assert_eq!(shown(read(&by_id).unwrap()), given());
    }

    #[test]
    fn what_cannot_be_assigned_is_refused() {
        for bad in [
            ShownAssignment { role: "Owner".into(), ..given() },
            ShownAssignment { principal: String::new(), ..given() },
            ShownAssignment { principal: "a b".into(), ..given() },
            ShownAssignment { account: "A".into(), ..given() },
            ShownAssignment { queue: Some("abc".into()), ..given() },
            ShownAssignment { table: Some("abc".into()), ..given() },
            ShownAssignment {
                role: "Storage Queue Data Reader".into(),
                container: Some("abc".into()),
                ..given()
            },
            ShownAssignment { container: Some("A".into()), ..given() },
            ShownAssignment { container: Some("abc".into()), queue: Some("abc".into()), ..given() },
        ] {
            assert_eq!(read_new(&bad).unwrap_err().status(), StatusCode::BAD_REQUEST, "{bad:?}");
        }
    }
}
