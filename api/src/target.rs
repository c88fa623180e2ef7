//! Which account, service and resource an address means. Pure; names are not judged here, because a client
//! that may not enter is told so before it is told that its name is bad.
//!
//! Two styles of address. *Path*: `http://127.0.0.1:10000/account/container/blob`; the port says which service.
//! *Host*: `http://account.blob.localhost:10000/container/blob`; the host says it all. A host counts as one of
//! ours only in the form `<account>[-secondary].<blob|queue|table|web>.<more>`, so that a container's or a pod's
//! name in front of us (`http://azurite.test.svc:10000/account`) stays path-style.

use crate::error::{ErrorCode, StorageError};
use crate::query::{Query, percent_decode};
use storage_engine::blob::CHANGE_FEED;
use storage_engine::settings::Service;

/// The container whose blobs may be addressed without its name.
const ROOT_CONTAINER: &str = "$root";

/// One of the services.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum ServiceKind {
    /// Blobs.
    Blob,
    /// Queues.
    Queue,
    /// Tables.
    Table,
}

impl ServiceKind {
    /// The service's label in host names, logs and metrics.
    pub const fn label(self) -> &'static str {
        match self {
            Self::Blob => "blob",
            Self::Queue => "queue",
            Self::Table => "table",
        }
    }

    /// The service as settings know it.
    pub const fn settings(self) -> Service {
        match self {
            Self::Blob => Service::Blob,
            Self::Queue => Service::Queue,
            Self::Table => Service::Table,
        }
    }

    /// The `Server` header.
    pub const fn server(self) -> &'static str {
        match self {
            Self::Blob => "Windows-Azure-Blob/1.0 Linarite/0.1",
            Self::Queue => "Windows-Azure-Queue/1.0 Linarite/0.1",
            Self::Table => "Windows-Azure-Table/1.0 Linarite/0.1",
        }
    }
}

/// What stands behind the account, decoded.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Resource {
    /// Nothing: the service itself.
    Service,
    /// A container.
    Container(String),
    /// A blob, by container and name.
    Blob(String, String),
    /// A page of the account's static website, by path without the slash in front.
    Website(String),
    /// A queue.
    Queue(String),
    /// A queue's messages.
    Messages(String),
    /// A message, by queue and id.
    Message(String, String),
    /// `Tables`: all tables.
    Tables,
    /// `Tables('t')`: a table as an item.
    TableItem(String),
    /// `t` or `t()`: a table's entities.
    Table(String),
    /// `t(PartitionKey='p',RowKey='r')`: an entity, by table and what stands between the parentheses.
    Entity(String, String),
    /// `$batch`.
    Batch,
}

/// A resource without its names: what rows are written for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
#[expect(missing_docs, reason = "each is the resource of the same name")]
pub enum Level {
    Service,
    Container,
    Blob,
    Website,
    Queue,
    Messages,
    Message,
    Tables,
    TableItem,
    Table,
    Entity,
    Batch,
}

impl Resource {
    /// The resource without its names.
    pub const fn level(&self) -> Level {
        match self {
            Self::Service => Level::Service,
            Self::Container(_) => Level::Container,
            Self::Blob(..) => Level::Blob,
            Self::Website(_) => Level::Website,
            Self::Queue(_) => Level::Queue,
            Self::Messages(_) => Level::Messages,
            Self::Message(..) => Level::Message,
            Self::Tables => Level::Tables,
            Self::TableItem(_) => Level::TableItem,
            Self::Table(_) => Level::Table,
            Self::Entity(..) => Level::Entity,
            Self::Batch => Level::Batch,
        }
    }
}

/// A parsed address.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// The service.
    pub service: ServiceKind,
    /// The account, as it stands in the address, without `-secondary`.
    pub account: String,
    /// Whether the address is that of the secondary endpoint.
    pub secondary: bool,
    /// Whether the account stands in the host.
    pub host_style: bool,
    /// The resource.
    pub resource: Resource,
}

impl Target {
    /// Whether it is the change feed of an account, or a part of it.
    pub fn is_change_feed(&self) -> bool {
        match &self.resource {
            Resource::Container(container) | Resource::Blob(container, _) => container == CHANGE_FEED,
            _ => false,
        }
    }

    /// Parses an address. `port_service` is the service of the port that the request came to; `path` is as sent.
    ///
    /// # Errors
    /// `InvalidUri` if the address has no account, a broken escape, or no resource that the service has.
    pub fn parse(port_service: ServiceKind, host: Option<&str>, path: &str) -> Result<Self, StorageError> {
        let rest = path.strip_prefix('/').ok_or_else(|| StorageError::new(ErrorCode::InvalidUri))?;
        if let Some((account, service)) = host.and_then(host_account) {
            return Self::new(service, account, true, rest);
        }
        if let Some(account) = host.and_then(website_account) {
            let mut target = Self::new(ServiceKind::Blob, account, true, "")?;
            target.resource = Resource::Website(percent_decode(rest)?);
            return Ok(target);
        }
        let (account, rest) = rest.split_once('/').unwrap_or((rest, ""));
        if account.is_empty() {
            return Err(StorageError::new(ErrorCode::InvalidUri));
        }
        Self::new(port_service, account, false, rest)
    }

    /// The target, once it is known whether the query has a `restype`: without one, what stands where a container's
    /// name would is the name of a blob in the root container.
    #[must_use]
    pub fn in_query(mut self, query: &Query) -> Self {
        let of_container = query.get("restype").is_some_and(|restype| !restype.is_empty());
        match self.resource {
            Resource::Container(name) if !of_container => {
                self.resource = Resource::Blob(ROOT_CONTAINER.to_owned(), name);
                self
            }
            _ => self,
        }
    }

    fn new(service: ServiceKind, account: &str, host_style: bool, rest: &str) -> Result<Self, StorageError> {
        let (account, secondary) = match account.strip_suffix("-secondary") {
            Some(account) => (account, true),
            None => (account, false),
        };
        let resource = match service {
            ServiceKind::Blob => blob_resource(rest)?,
            ServiceKind::Queue => queue_resource(rest)?,
            ServiceKind::Table => table_resource(rest)?,
        };
        Ok(Self { service, account: account.to_owned(), secondary, host_style, resource })
    }
}

fn host_account(host: &str) -> Option<(&str, ServiceKind)> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let mut labels = name.splitn(3, '.');
    let (account, service, suffix) = (labels.next()?, labels.next()?, labels.next()?);
    let service = [ServiceKind::Blob, ServiceKind::Queue, ServiceKind::Table]
        .into_iter()
        .find(|kind| kind.label() == service)?;
    (!account.is_empty() && !suffix.is_empty()).then_some((account, service))
}

/// The account of a website's host: `<account>.web.<more>`, or `<account>.z<number>.web.<more>` as the vendor's are.
fn website_account(host: &str) -> Option<&str> {
    let name = host.rsplit_once(':').map_or(host, |(name, _)| name);
    let (account, rest) = name.split_once('.')?;
    let (label, more) = rest.split_once('.')?;
    let zone =
        label.strip_prefix('z').is_some_and(|n| !n.is_empty() && n.bytes().all(|b| b.is_ascii_digit()));
    let suffix = if zone { more.strip_prefix("web.")? } else { (label == "web").then_some(more)? };
    (!account.is_empty() && !suffix.is_empty()).then_some(account)
}

fn blob_resource(rest: &str) -> Result<Resource, StorageError> {
    if rest.is_empty() {
        return Ok(Resource::Service);
    }
    match rest.split_once('/') {
        None => Ok(Resource::Container(percent_decode(rest)?)),
        Some((container, "")) => Ok(Resource::Container(percent_decode(container)?)),
        Some((container, blob)) => Ok(Resource::Blob(percent_decode(container)?, percent_decode(blob)?)),
    }
}

fn queue_resource(rest: &str) -> Result<Resource, StorageError> {
    let mut segments = rest.trim_end_matches('/').split('/');
    let resource = match (segments.next(), segments.next(), segments.next()) {
        (Some("") | None, None, _) => Resource::Service,
        (Some(queue), None, _) => Resource::Queue(percent_decode(queue)?),
        (Some(queue), Some("messages"), None) => Resource::Messages(percent_decode(queue)?),
        (Some(queue), Some("messages"), Some(id)) => {
            Resource::Message(percent_decode(queue)?, percent_decode(id)?)
        }
        _ => return Err(StorageError::new(ErrorCode::InvalidUri)),
    };
    if segments.next().is_some() { Err(StorageError::new(ErrorCode::InvalidUri)) } else { Ok(resource) }
}

fn table_resource(rest: &str) -> Result<Resource, StorageError> {
    let decoded = percent_decode(rest.trim_end_matches('/'))?;
    let Some((name, inner)) = decoded.split_once('(') else {
        return Ok(match decoded.as_str() {
            "" => Resource::Service,
            "$batch" => Resource::Batch,
            "Tables" => Resource::Tables,
            _ => Resource::Table(decoded),
        });
    };
    let inner = inner.strip_suffix(')').ok_or_else(|| StorageError::new(ErrorCode::InvalidUri))?.trim();
    Ok(match (name, inner) {
        ("Tables", "") => Resource::Tables,
        ("Tables", inner) => Resource::TableItem(unquote(inner)?),
        (_, "") => Resource::Table(name.to_owned()),
        (_, inner) => Resource::Entity(name.to_owned(), inner.to_owned()),
    })
}

fn unquote(text: &str) -> Result<String, StorageError> {
    text.strip_prefix('\'')
        .and_then(|text| text.strip_suffix('\''))
        .map(|text| text.replace("''", "'"))
        .ok_or_else(|| StorageError::new(ErrorCode::InvalidUri))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn path(service: ServiceKind, path: &str) -> Target {
        Target::parse(service, Some("127.0.0.1:10000"), path).unwrap()
    }

    #[test]
    fn the_first_segment_is_the_account_unless_the_host_is() {
        let target = path(ServiceKind::Blob, "/dev/c/a%20b/c");
        assert_eq!((target.account.as_str(), target.host_style), ("dev", false));
        assert_eq!(target.resource, Resource::Blob("c".into(), "a b/c".into()));
        let target =
            Target::parse(ServiceKind::Blob, Some("acc-secondary.table.localhost:1"), "/t()").unwrap();
        assert_eq!(
            (target.service, target.account.as_str(), target.secondary),
            (ServiceKind::Table, "acc", true)
        );
        assert_eq!(target.resource, Resource::Table("t".into()));
        let target = Target::parse(ServiceKind::Blob, Some("azurite.test.svc:10000"), "/dev/c").unwrap();
        assert_eq!(target.account, "dev");
    }

    #[test]
    fn without_a_restype_one_segment_is_a_blob_in_the_root_container() {
        let target = |url: &str, query: &str| {
            path(ServiceKind::Blob, url).in_query(&Query::parse(query).unwrap()).resource
        };
        let root = Resource::Blob("$root".into(), "a b".into());
        assert_eq!(target("/dev/a%20b", ""), root);
        assert_eq!(target("/dev/a%20b", "comp=metadata&restype="), root);
        assert_eq!(target("/dev/con", "restype=container"), Resource::Container("con".into()));
        assert_eq!(target("/dev/con", "restype=foo"), Resource::Container("con".into()));
        assert_eq!(target("/dev/con/b", ""), Resource::Blob("con".into(), "b".into()));
        assert_eq!(target("/dev", ""), Resource::Service);
        let queue = path(ServiceKind::Queue, "/dev/que").in_query(&Query::default());
        assert_eq!(queue.resource, Resource::Queue("que".into()));
    }

    #[test]
    fn a_website_is_known_by_its_host_and_everything_in_it_is_a_page() {
        for host in ["acc.web.localhost:10000", "acc.z13.web.core.windows.net", "acc-secondary.web.localhost"]
        {
            let target = Target::parse(ServiceKind::Blob, Some(host), "/a%20b/c/").unwrap();
            assert_eq!((target.account.as_str(), target.host_style), ("acc", true), "{host}");
            assert_eq!(target.resource, Resource::Website("a b/c/".into()), "{host}");
        }
        for host in ["web.localhost", "acc.web", "acc.zx.web.localhost", "acc.z1.localhost"] {
            assert_eq!(
                Target::parse(ServiceKind::Blob, Some(host), "/dev/c").unwrap().account,
                "dev",
                "{host}"
            );
        }
    }

    #[test]
    fn each_service_reads_its_own_paths() {
        assert_eq!(path(ServiceKind::Blob, "/dev").resource, Resource::Service);
        assert_eq!(path(ServiceKind::Blob, "/dev/").resource, Resource::Service);
        assert_eq!(path(ServiceKind::Blob, "/dev/c//x").resource, Resource::Blob("c".into(), "/x".into()));
        assert_eq!(path(ServiceKind::Queue, "/dev/q/messages").resource, Resource::Messages("q".into()));
        assert_eq!(
            path(ServiceKind::Queue, "/dev/q/messages/7").resource,
            Resource::Message("q".into(), "7".into())
        );
        assert_eq!(path(ServiceKind::Table, "/dev/Tables('a')").resource, Resource::TableItem("a".into()));
        assert_eq!(
            path(ServiceKind::Table, "/dev/Tables%28%27a%27%29").resource,
            Resource::TableItem("a".into())
        );
        assert_eq!(
            path(ServiceKind::Table, "/dev/t(PartitionKey='a',RowKey='b')").resource,
            Resource::Entity("t".into(), "PartitionKey='a',RowKey='b'".into())
        );
    }

    #[test]
    fn addresses_of_nothing_are_refused() {
        for (service, bad) in [
            (ServiceKind::Blob, "/"),
            (ServiceKind::Blob, "*"),
            (ServiceKind::Blob, "/dev/c/%zz"),
            (ServiceKind::Queue, "/dev/q/other"),
            (ServiceKind::Queue, "/dev/q/messages/1/2"),
            (ServiceKind::Table, "/dev/t("),
            (ServiceKind::Table, "/dev/Tables(a)"),
        ] {
            assert!(Target::parse(service, None, bad).is_err(), "{bad}");
        }
    }
}
