//! Operations as rows of tables.
//!
//! A row holds every fact about one logged operation: name, verb, resource, `comp`, what else tells it from
//! others, the access it needs, its success status, the body it takes. Routing, authorisation, limits, logs,
//! metrics and the tests that make sure that nothing was forgotten are all read off the same row.
//!
//! Rows are disjoint: no request satisfies two. Order therefore means nothing, and a row that could never be
//! reached fails a test ([`overlaps`]). "The row with most conditions wins" was rejected, because it hides pairs
//! that one request can satisfy both of.

use crate::body::{Body, BodyKind, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::target::{Level, ServiceKind};
use futures_util::future::BoxFuture;
use std::future::Future;

/// What a caller must be allowed to do. Together with service and level it tells which letters of a shared access
/// signature and which actions of a role are enough (pages "Create an account SAS", "Authorize with Microsoft
/// Entra ID"). An account's key is enough for everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Access {
    /// Anybody, without credentials: preflight.
    Open,
    /// Anybody who proves who they are.
    Known,
    /// Anybody who proves who they are; each part of the batch is judged by itself.
    Batch,
    /// Read content, properties, metadata, settings.
    Read,
    /// Change what is there.
    Write,
    /// Make what was not there. Who may write may as well.
    Create,
    /// Remove.
    Delete,
    /// Remove a version of a blob.
    DeleteVersion,
    /// Remove for good what is softly deleted.
    PermanentDelete,
    /// List names.
    List,
    /// Add a message or an entity.
    Add,
    /// Append to a blob. Who may write may as well.
    Append,
    /// Change a message or an entity.
    Update,
    /// Change an entity or add it: needs both rights.
    Upsert,
    /// Take messages, and delete those taken.
    Process,
    /// Break a lease: a right to write or to delete.
    BreakLease,
    /// Read and set tags.
    Tags,
    /// Find blobs by tags.
    Filter,
    /// Set immutability policies and legal holds.
    Immutability,
    /// Read and set access policies: never with a shared access signature.
    Policies,
    /// Ask for a user delegation key: only with a token.
    DelegationKey,
}

/// What else must hold for a row to be the one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Guard {
    /// The header is there.
    Has(&'static str),
    /// The header is not there.
    Lacks(&'static str),
    /// The header has this value, compared without case.
    Is(&'static str, &'static str),
    /// The header has another value than this, or is not there: what this value asks for is not built.
    IsNot(&'static str, &'static str),
    /// The query parameter is there.
    HasQuery(&'static str),
    /// The query parameter is not there.
    LacksQuery(&'static str),
    /// The query parameter has this value, compared without case.
    IsQuery(&'static str, &'static str),
    /// The query parameter has another value than this, or is not there.
    IsNotQuery(&'static str, &'static str),
}

impl Guard {
    fn holds(self, head: &Head) -> bool {
        let is = |name, value: &str| {
            head.headers
                .get(name)
                .is_some_and(|v: &http::HeaderValue| v.as_bytes().eq_ignore_ascii_case(value.as_bytes()))
        };
        let is_query =
            |name, value: &str| head.query.get(name).is_some_and(|v| v.eq_ignore_ascii_case(value));
        match self {
            Self::Has(name) => head.headers.contains_key(name),
            Self::Lacks(name) => !head.headers.contains_key(name),
            Self::Is(name, value) => is(name, value),
            Self::IsNot(name, value) => !is(name, value),
            Self::HasQuery(name) => head.query.get(name).is_some(),
            Self::LacksQuery(name) => head.query.get(name).is_none(),
            Self::IsQuery(name, value) => is_query(name, value),
            Self::IsNotQuery(name, value) => !is_query(name, value),
        }
    }

    /// Whether no request satisfies both.
    fn excludes(self, other: Self) -> bool {
        match (self, other) {
            (Self::Has(a) | Self::Is(a, _), Self::Lacks(b))
            | (Self::Lacks(a), Self::Has(b) | Self::Is(b, _))
            | (Self::HasQuery(a) | Self::IsQuery(a, _), Self::LacksQuery(b))
            | (Self::LacksQuery(a), Self::HasQuery(b) | Self::IsQuery(b, _)) => a == b,
            (Self::Is(a, x), Self::Is(b, y)) | (Self::IsQuery(a, x), Self::IsQuery(b, y)) => a == b && x != y,
            (Self::Is(a, x), Self::IsNot(b, y))
            | (Self::IsNot(a, x), Self::Is(b, y))
            | (Self::IsQuery(a, x), Self::IsNotQuery(b, y))
            | (Self::IsNotQuery(a, x), Self::IsQuery(b, y)) => a == b && x == y,
            _ => false,
        }
    }
}

/// What operations are carried out on.
pub trait Service: Sync + Sized + 'static {
    /// The service that carries out an operation so that others are told of it; none if nobody is.
    ///
    /// # Errors
    /// If it cannot be found out whether somebody is: then nothing must be changed.
    fn on_behalf(
        &self,
        _operation: &'static str,
        _head: &Head,
    ) -> impl Future<Output = Result<Option<Self>, StorageError>> + Send {
        async { Ok(None) }
    }
}

/// A typed operation: what [`Row::new`] makes a row of.
pub trait Operation: 'static {
    /// What it is carried out on.
    type Service: Sync + 'static;
    /// What is asked for, judged and typed.
    type Request: Send;
    /// What is answered.
    type Response: Send;

    /// Judges headers, query and body.
    ///
    /// # Errors
    /// The vendor's error for what is wrong.
    fn decode(head: &Head, body: Payload) -> Result<Self::Request, StorageError>;

    /// Has the engine carry it out.
    fn execute(
        service: &Self::Service,
        request: Self::Request,
    ) -> impl Future<Output = Result<Self::Response, StorageError>> + Send;

    /// Spells the answer. The status is the row's unless this sets another than 200.
    fn encode(response: Self::Response) -> http::Response<Body>;
}

/// What an operation asks for, as far as it decides who may: its row without how it is carried out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The service.
    pub service: ServiceKind,
    /// The verb.
    pub method: &'static str,
    /// The resource.
    pub level: Level,
    /// What the caller must be allowed to do.
    pub access: Access,
    /// `comp`.
    pub comp: Option<&'static str>,
}

type Run<S> =
    for<'a> fn(&'a S, &'a Head, Payload) -> BoxFuture<'a, Result<http::Response<Body>, StorageError>>;

/// All facts about one operation.
pub struct Row<S: 'static> {
    /// The name under which it is logged and counted.
    pub name: &'static str,
    /// The verb.
    pub method: &'static str,
    /// The resource.
    pub level: Level,
    /// What the caller must be allowed to do.
    pub access: Access,
    /// The status of success.
    pub status: u16,
    /// `restype`.
    pub restype: Option<&'static str>,
    /// `comp`.
    pub comp: Option<&'static str>,
    /// What else must hold.
    pub guards: &'static [Guard],
    /// The body it takes.
    pub body: BodyKind,
    /// Whether the query means nothing to it.
    pub any_query: bool,
    run: Run<S>,
    implementation: fn() -> &'static str,
}

impl<S: Sync + 'static> Row<S> {
    /// A row that runs `O`, without `restype`, `comp`, guards and body.
    pub const fn new<O: Operation<Service = S>>(
        name: &'static str,
        method: &'static str,
        level: Level,
        access: Access,
        status: u16,
    ) -> Self {
        Self {
            name,
            method,
            level,
            access,
            status,
            restype: None,
            comp: None,
            guards: &[],
            body: BodyKind::None,
            any_query: false,
            run: run::<O>,
            implementation: std::any::type_name::<O>,
        }
    }

    /// With this `restype`.
    #[must_use]
    pub const fn restype(mut self, restype: &'static str) -> Self {
        self.restype = Some(restype);
        self
    }

    /// With this `comp`.
    #[must_use]
    pub const fn comp(mut self, comp: &'static str) -> Self {
        self.comp = Some(comp);
        self
    }

    /// With these guards.
    #[must_use]
    pub const fn when(mut self, guards: &'static [Guard]) -> Self {
        self.guards = guards;
        self
    }

    /// With this body.
    #[must_use]
    pub const fn body(mut self, body: BodyKind) -> Self {
        self.body = body;
        self
    }

    /// What it asks for, as a row of the table of `service`.
    pub const fn asked(&self, service: ServiceKind) -> Asked {
        let Self { method, level, access, comp, .. } = *self;
        Asked { service, method, level, access, comp }
    }

    /// Whatever the query says: for requests that are not made by a client of ours.
    #[must_use]
    pub const fn any_query(mut self) -> Self {
        self.any_query = true;
        self
    }

    /// Whether it changes something, and so is not for the secondary address. Handing out messages does.
    pub fn writes(&self) -> bool {
        let reads = matches!(self.method, "GET" | "HEAD" | "OPTIONS")
            || matches!(self.access, Access::Read | Access::DelegationKey);
        !reads || self.access == Access::Process
    }

    /// The path of the type that implements it, for tests of the source's shape.
    pub fn implementation(&self) -> &'static str {
        (self.implementation)()
    }

    /// Whether an unmet condition may be answered with "not modified".
    pub fn intent(&self) -> Intent {
        if matches!(self.method, "GET" | "HEAD") { Intent::Read } else { Intent::Write }
    }

    fn at(&self, head: &Head) -> bool {
        let same =
            |wanted: Option<&str>, given: Option<&str>| match (wanted, given.filter(|text| !text.is_empty()))
            {
                (Some(wanted), Some(given)) => wanted.eq_ignore_ascii_case(given),
                (None, None) => true,
                _ => false,
            };
        if self.level != head.target.resource.level() {
            return false;
        }
        if self.any_query {
            // A preflight may be sent to every address; other verbs do not find one there for that.
            return (self.method == "OPTIONS") == (head.method == http::Method::OPTIONS);
        }
        same(self.restype, head.query.get("restype")) && same(self.comp, head.query.get("comp"))
    }
}

impl<S: Service> Row<S> {
    /// Decodes, executes and encodes.
    ///
    /// # Errors
    /// The operation's.
    pub async fn run(
        &self,
        service: &S,
        head: &Head,
        body: Payload,
    ) -> Result<http::Response<Body>, StorageError> {
        let told = service.on_behalf(self.name, head).await?;
        let mut response = (self.run)(told.as_ref().unwrap_or(service), head, body).await?;
        if response.status() == http::StatusCode::OK
            && let Ok(status) = http::StatusCode::from_u16(self.status)
        {
            *response.status_mut() = status;
        }
        Ok(response)
    }
}

fn run<'a, O: Operation>(
    service: &'a O::Service,
    head: &'a Head,
    body: Payload,
) -> BoxFuture<'a, Result<http::Response<Body>, StorageError>> {
    Box::pin(async move { Ok(O::encode(O::execute(service, O::decode(head, body)?).await?)) })
}

/// The row that a request means.
///
/// # Errors
/// `InvalidQueryParameterValue` if nothing is at the address, `UnsupportedHttpVerb` if something is but not for
/// this verb, and `MissingRequiredHeader` or `InvalidHeaderValue` if a header does not tell which row is meant.
pub fn resolve<'t, S: Sync + 'static>(table: &'t [Row<S>], head: &Head) -> Result<&'t Row<S>, StorageError> {
    let at = || table.iter().filter(|row| row.at(head));
    let verb = || at().filter(|row| row.method == head.method.as_str());
    if let Some(row) = verb().find(|row| row.guards.iter().all(|guard| guard.holds(head))) {
        return Ok(row);
    }
    if at().next().is_none() {
        let name = if head.query.get("comp").is_some() { "comp" } else { "restype" };
        let value = head.query.get(name).unwrap_or_default();
        return Err(StorageError::invalid_query(name, value, "The resource has no such operation."));
    }
    let Some(nearest) = verb().next() else { return Err(StorageError::new(ErrorCode::UnsupportedHttpVerb)) };
    let missing = nearest.guards.iter().find(|guard| !guard.holds(head));
    Err(match missing {
        Some(Guard::Has(name) | Guard::Is(name, _)) => match head.headers.get(name) {
            None => StorageError::missing_header(name),
            Some(value) => StorageError::invalid_header(name, value.to_str().unwrap_or("?")),
        },
        Some(Guard::Lacks(name) | Guard::IsNot(name, _)) => {
            StorageError::new(ErrorCode::NotImplemented).with("HeaderName", *name)
        }
        Some(Guard::HasQuery(name)) => StorageError::missing_query(name),
        Some(Guard::LacksQuery(name) | Guard::IsQuery(name, _) | Guard::IsNotQuery(name, _)) => {
            StorageError::invalid_query(
                name,
                head.query.get(name).unwrap_or_default(),
                "The operation is not supported.",
            )
        }
        None => StorageError::new(ErrorCode::UnsupportedHttpVerb),
    })
}

/// Pairs of rows that one request could satisfy both of, by name. A table is sound when there is none.
pub fn overlaps<S: Sync + 'static>(table: &[Row<S>]) -> Vec<(&'static str, &'static str)> {
    let mut pairs = Vec::new();
    for (index, row) in table.iter().enumerate() {
        for other in table.iter().skip(index + 1) {
            let same_address = (row.method, row.level, row.restype, row.comp)
                == (other.method, other.level, other.restype, other.comp);
            let excluded = row.guards.iter().any(|a| other.guards.iter().any(|b| a.excludes(*b)));
            if same_address && !excluded {
                pairs.push((row.name, other.name));
            }
        }
    }
    pairs
}
