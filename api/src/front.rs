//! The path of a request, from top to bottom, in one function: [`Front::handle`].
//!
//! # Order
//! The address and the row are found first, because both are pure; the row is kept as a `Result`, so that a
//! refused request is logged under its operation's name, yet authentication answers before a bad `comp` does.
//!
//! # A client that hangs up
//! The future of a request is simply dropped then. Nothing half-done can stay: a verb that was submitted takes
//! effect whole whether anybody waits or not, and an upload that no verb names gives its chunks back. Running
//! each request in a task of its own was therefore left out.

use crate::auth::policy::EnginePolicies;
use crate::auth::{Accounts, Gate, Identities, sas};
use crate::blob::BlobService;
use crate::blob::copy::Copying;
use crate::body::{Body, BodyKind, Incoming, Payload};
use crate::cors::Actual;
use crate::error::{ErrorCode, Intent, StorageError, with_causes};
use crate::guid;
use crate::head::{Arrival, Head};
use crate::header::{self, answer};
use crate::odata::metadata_level::takes_only_xml;
use crate::operation::{Access, Row, Service, resolve};
use crate::queue::QueueService;
use crate::service;
use crate::source::{OwnOnly, Sources};
use crate::table::TableService;
use crate::target::{Level, ServiceKind};
use crate::time;
use crate::version::{OLDEST, Version};
use http::{HeaderName, HeaderValue, Request, Response};
use http_body::Body as _;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};
use storage_engine::Engine;
use storage_engine::clock::{Clock, Entropy, Timestamp};
use storage_engine::settings::{ServiceSettings, SettingsStore};

/// What is logged and counted of a request, once its head is answered.
#[derive(Debug)]
pub struct Summary<'a> {
    /// The service.
    pub service: ServiceKind,
    /// The operation's logged name; `Unknown` if no row fits.
    pub operation: &'static str,
    /// The HTTP status.
    pub status: u16,
    /// The error's code on the wire; none for success.
    pub error: Option<&'static str>,
    /// What caused the error, for us only.
    pub cause: Option<String>,
    /// Our id of the request.
    pub request_id: &'a str,
    /// The account of the address; empty if it has none.
    pub account: &'a str,
    /// The verb.
    pub method: &'a str,
    /// The path as it was sent.
    pub path: &'a str,
    /// Who sent it.
    pub peer: Option<SocketAddr>,
    /// When its head was answered.
    pub answered: Timestamp,
    /// From the request's head to the answer's.
    pub elapsed: Duration,
}

/// Whoever logs and counts requests.
pub trait Observer: Send + Sync + 'static {
    /// A request's head was answered.
    fn answered(&self, summary: &Summary<'_>);
}

/// The three services on one engine.
pub struct Front {
    blob: BlobService,
    queue: QueueService,
    table: TableService,
    settings: SettingsStore,
    gate: Arc<Gate>,
    observer: Arc<dyn Observer>,
    clock: Arc<dyn Clock>,
    entropy: Arc<dyn Entropy>,
}

/// A request as far as it could be understood.
struct Understood {
    head: Result<Head, StorageError>,
    service: ServiceKind,
    request_id: String,
    version: Version,
}

impl Front {
    /// The services of `engine`, for the accounts that `accounts` knows and the holders of tokens that `identities`
    /// does.
    pub fn new(
        engine: &Engine,
        accounts: Arc<dyn Accounts>,
        identities: Identities,
        observer: Arc<dyn Observer>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let delegation = Arc::clone(&identities.delegation);
        let policies = Arc::new(EnginePolicies::new(engine));
        let gate = Arc::new(Gate::new(accounts, identities, policies, engine.blobs().clone()));
        let copying = Copying { sources: Arc::new(OwnOnly), entropy: Arc::clone(&entropy) };
        Self {
            blob: BlobService::new(
                engine.blobs().clone(),
                engine.settings().clone(),
                Arc::clone(&delegation),
                copying,
                Arc::clone(&gate),
            ),
            queue: QueueService::new(engine.queues().clone(), engine.settings().clone(), delegation),
            table: TableService::new(engine.tables().clone(), engine.settings().clone()),
            settings: engine.settings().clone(),
            gate,
            observer,
            clock,
            entropy,
        }
    }

    /// With other servers as sources of copies. Without it there are none but this server's own blobs.
    #[must_use]
    pub fn with_sources(mut self, sources: Arc<dyn Sources>) -> Self {
        self.blob.copying.sources = sources;
        self
    }

    /// Answers a request that came to the port of `service`. Always answers.
    pub async fn handle(
        &self,
        service: ServiceKind,
        arrival: Arrival,
        request: Request<Body>,
    ) -> Response<Body> {
        let began = Instant::now();
        let (parts, body) = request.into_parts();
        let method = parts.method.as_str().to_owned();
        let path = parts.uri.path().to_owned();
        let client_request_id = parts.headers.get(header::X_MS_CLIENT_REQUEST_ID).cloned();
        let takes_only_xml = takes_only_xml(&parts.headers);
        let bare = parts.method == http::Method::HEAD;
        let Understood { head, service, request_id, mut version } = self.understand(service, arrival, parts);
        let mut cross_origin = None;
        let (operation, account, answer) = match head {
            Err(error) => ("Unknown", String::new(), Err(error)),
            Ok(mut head) => match self.settings_of(&head).await {
                Err(error) => ("Unknown", head.target.account, Err(error)),
                Ok(settings) => {
                    version = service::version(&head, &settings);
                    head.version = version;
                    cross_origin = Actual::of(&head).map(|actual| (actual, settings));
                    let (operation, answer) = self.serve(service, &mut head, body).await;
                    (operation, head.target.account, answer)
                }
            },
        };
        let (error, cause) = match &answer {
            Ok(_) => (None, None),
            Err(error) => {
                (Some(error.code.wire()), error.source.as_deref().map(|source| with_causes(source)))
            }
        };
        let mut response = answer.unwrap_or_else(|error| {
            let refusal = self.refusal(service, &error, &request_id, takes_only_xml);
            if bare { without_body(refusal) } else { refusal }
        });
        self.stamp(&mut response, service, &request_id, version, client_request_id);
        if let Some((actual, settings)) = cross_origin {
            actual.mark(&settings.cors, response.headers_mut());
        }
        self.observer.answered(&Summary {
            service,
            operation,
            status: response.status().as_u16(),
            error,
            cause,
            request_id: &request_id,
            account: &account,
            method: &method,
            path: &path,
            peer: arrival.peer,
            answered: self.clock.now(),
            elapsed: began.elapsed(),
        });
        response
    }

    /// The settings of the service that is addressed.
    async fn settings_of(&self, head: &Head) -> Result<Arc<ServiceSettings>, StorageError> {
        let settings = self.settings.get(&head.account, head.target.service.settings()).await;
        settings.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    /// Has the service answer. Also gives the operation's logged name.
    async fn serve(
        &self,
        service: ServiceKind,
        head: &mut Head,
        body: Body,
    ) -> (&'static str, Result<Response<Body>, StorageError>) {
        match service {
            ServiceKind::Blob => {
                self.serve_from(crate::blob::operations::OPERATIONS, &self.blob, head, body).await
            }
            ServiceKind::Queue => {
                self.serve_from(crate::queue::operations::OPERATIONS, &self.queue, head, body).await
            }
            ServiceKind::Table => {
                self.serve_from(crate::table::operations::OPERATIONS, &self.table, head, body).await
            }
        }
    }

    async fn serve_from<S: Service>(
        &self,
        table: &'static [Row<S>],
        services: &S,
        head: &mut Head,
        body: Body,
    ) -> (&'static str, Result<Response<Body>, StorageError>) {
        let row = resolve(table, head);
        let operation = row.as_ref().map_or("Unknown", |row| row.name);
        (operation, self.answer(services, row, head, body).await)
    }

    async fn answer<S: Service>(
        &self,
        services: &S,
        row: Result<&'static Row<S>, StorageError>,
        head: &mut Head,
        body: Body,
    ) -> Result<Response<Body>, StorageError> {
        let row = self.admit(row, head).await?;
        let head = &*head;
        let payload = payload(row, head, body).await?;
        let answer = row.run(services, head, payload).await;
        answer.map(|response| overridden(row, head, response)).map_err(|error| as_overwrite(error, head))
    }

    /// The row, if whoever sent the request may have it carried out. Who it is and what they are held to is noted in
    /// the head.
    async fn admit<S: Sync + 'static>(
        &self,
        row: Result<&'static Row<S>, StorageError>,
        head: &mut Head,
    ) -> Result<&'static Row<S>, StorageError> {
        let service = head.target.service;
        let asked = row.as_ref().ok().map(|row| row.asked(service));
        head.caller = self.gate.enter(head, asked).await?;
        let row = readable(row, head)?;
        self.gate.admit(row.asked(service), head)?;
        spare_change_feed(row, head)?;
        Ok(row)
    }

    fn understand(&self, service: ServiceKind, arrival: Arrival, parts: http::request::Parts) -> Understood {
        let request_id = guid::print(guid::version_4(self.entropy.bits()));
        let mut understood = Understood {
            head: Err(StorageError::new(ErrorCode::InvalidUri)),
            service,
            request_id,
            version: OLDEST,
        };
        match Head::read(service, arrival, parts, &understood.request_id, self.clock.now()) {
            Ok(head) => {
                understood.service = head.target.service;
                understood.version = head.version;
                understood.head = Ok(head);
            }
            Err(error) => understood.head = Err(error),
        }
        understood
    }

    fn refusal(
        &self,
        service: ServiceKind,
        error: &StorageError,
        request_id: &str,
        takes_only_xml: bool,
    ) -> Response<Body> {
        let now = time::iso8601(self.clock.now());
        let mut response = match service {
            _ if error.code == ErrorCode::WebContentNotFound => {
                error.to_response("text/html", error.to_html(request_id, &now))
            }
            ServiceKind::Table if takes_only_xml => {
                error.to_response("application/xml", error.to_atom(request_id, &now))
            }
            ServiceKind::Table => error.to_response(
                "application/json;odata=minimalmetadata;charset=utf-8",
                error.to_json(request_id, &now),
            ),
            ServiceKind::Blob | ServiceKind::Queue => {
                error.to_response("application/xml", error.to_xml(request_id, &now))
            }
        };
        self.gate.challenge_if_unknown(error, &mut response);
        response
    }

    fn stamp(
        &self,
        response: &mut Response<Body>,
        service: ServiceKind,
        request_id: &str,
        version: Version,
        client_request_id: Option<HeaderValue>,
    ) {
        let headers = response.headers_mut();
        let mut set = |name: HeaderName, value: &str| {
            if let Ok(value) = HeaderValue::from_str(value) {
                headers.insert(name, value);
            }
        };
        set(answer::SERVER, service.server());
        set(answer::X_MS_REQUEST_ID, request_id);
        set(answer::X_MS_VERSION, &version.to_string());
        set(answer::DATE, &time::rfc1123(self.clock.now()));
        if service == ServiceKind::Table {
            set(answer::CACHE_CONTROL, "no-cache");
            set(answer::X_CONTENT_TYPE_OPTIONS, "nosniff");
        }
        // Clients that check the echo want it exactly as it was sent, or not at all.
        if let Some(id) = client_request_id.filter(|id| id.len() <= 1024 && id.to_str().is_ok()) {
            headers.insert(answer::X_MS_CLIENT_REQUEST_ID, id);
        }
    }
}

impl std::fmt::Debug for Front {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Front")
    }
}

/// The row, if the query can be read in one way only, and if it is not a write to the secondary address.
pub(crate) fn readable<S: Sync + 'static>(
    row: Result<&'static Row<S>, StorageError>,
    head: &Head,
) -> Result<&'static Row<S>, StorageError> {
    let any_query = row.as_ref().is_ok_and(|row| row.any_query);
    if let Some(name) = head.query.repeated().filter(|_| !any_query) {
        let value = head.query.get(name).unwrap_or_default();
        return Err(StorageError::invalid_query(name, value, "The parameter occurs more than once."));
    }
    if !any_query {
        check_timeout(head)?;
    }
    if head.target.secondary && row.as_ref().is_ok_and(|row| row.writes()) {
        return Err(StorageError::new(ErrorCode::InsufficientAccountPermissions));
    }
    row
}

/// Refuses to write into a change feed, which only the server does. To be asked when the caller may do it elsewhere.
pub(crate) fn spare_change_feed<S: Sync + 'static>(row: &Row<S>, head: &Head) -> Result<(), StorageError> {
    if row.writes() && head.target.is_change_feed() {
        return Err(StorageError::new(ErrorCode::InsufficientAccountPermissions));
    }
    Ok(())
}

/// A limit of time is never longer than ours, so any will do; what is none is a mistake that the client should hear of.
fn check_timeout(head: &Head) -> Result<(), StorageError> {
    let given = head.query.get("timeout").filter(|text| !text.is_empty());
    match given.filter(|text| text.parse::<u32>().is_err()) {
        Some(text) => {
            Err(StorageError::invalid_query("timeout", text, "The value is not a number of seconds."))
        }
        None => Ok(()),
    }
}

/// The answer, with the headers that a signature asks for if a blob was read.
fn overridden<S: Sync + 'static>(row: &Row<S>, head: &Head, mut response: Response<Body>) -> Response<Body> {
    let reads_blob = (row.level, row.access, row.comp) == (Level::Blob, Access::Read, None);
    if let Some(grant) = head.caller.grant().filter(|_| reads_blob && response.status().is_success()) {
        sas::override_headers(grant, response.headers_mut());
    }
    response
}

/// A refusal of a `HEAD`, whose code is in its headers. Nothing is told of the document that is not sent, neither its
/// type nor its length: there are clients that would read it.
fn without_body(refusal: Response<Body>) -> Response<Body> {
    let (mut parts, _) = refusal.into_parts();
    parts.headers.remove(header::CONTENT_TYPE);
    Response::from_parts(parts, Body::empty())
}

/// A caller who may only create is told so when there is something already, unless that was their own condition.
fn as_overwrite(error: StorageError, head: &Head) -> StorageError {
    let asked_for = head.headers.get(header::IF_NONE_MATCH).is_some_and(|value| value == "*");
    if head.caller.create_only() && error.code == ErrorCode::BlobAlreadyExists && !asked_for {
        return StorageError::new(ErrorCode::UnauthorizedBlobOverwrite);
    }
    error
}

/// The body as the row takes it. Sizes are refused here, before a byte is read.
async fn payload<S: Sync + 'static>(row: &Row<S>, head: &Head, body: Body) -> Result<Payload, StorageError> {
    let (BodyKind::Whole(limit) | BodyKind::Stream(limit)) = row.body else { return Ok(Payload::None) };
    announced(head, &body, limit)?;
    let incoming = Incoming::new(body, limit);
    match row.body {
        BodyKind::Whole(_) => incoming.collect().await.map(Payload::Whole),
        BodyKind::None | BodyKind::Stream(_) => Ok(Payload::Stream(incoming)),
    }
}

/// Judges what the head says of the body's length.
fn announced(head: &Head, body: &Body, limit: u64) -> Result<(), StorageError> {
    let length = head.content_length()?;
    // HTTP/2 has bodies of a length that is not said, and no header for that.
    let comes = head.headers.contains_key(header::TRANSFER_ENCODING) || !body.is_end_stream();
    if length.is_none() && !comes {
        return Err(StorageError::new(ErrorCode::MissingContentLengthHeader));
    }
    if length.is_some_and(|length| length > limit) {
        return Err(StorageError::too_large(limit));
    }
    Ok(())
}
