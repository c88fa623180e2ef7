//! *List Containers*. Containers whose names begin with a dollar sign are the system's and listed if they are asked
//! for, except the two that users fill. They are left out of pages behind the engine's back, so a page may be shorter
//! than asked; its marker says that more follows, as clients have to expect anyway.

use crate::blob::container::restore_container::version_text;
use crate::blob::{BlobService, headers, listing};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use crate::{etag, time};
use storage_engine::blob::{self, Container, LeaseState, Page, PublicAccess};
use storage_engine::clock::Timestamp;
use storage_engine::name::AccountName;

/// About the bytes of one container in the document.
const ENTRY_BYTES: usize = 420;

pub(crate) struct ListContainers;

pub(crate) struct Request {
    account: AccountName,
    asked: listing::Asked,
    after: Option<String>,
    metadata: bool,
    deleted: bool,
    system: bool,
    now: Timestamp,
}

pub(crate) struct Response {
    asked: listing::Asked,
    metadata: bool,
    now: Timestamp,
    page: Page<Container>,
}

impl Operation for ListContainers {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let asked = listing::Asked::read(head)?;
        let [metadata, deleted, system] = listing::include(head, ["metadata", "deleted", "system"])?;
        let after = asked.after.clone().map(String::from_utf8).transpose().map_err(|_| {
            let marker = asked.marker.as_deref().unwrap_or_default();
            StorageError::invalid_query("marker", marker, "The marker is not one of ours.")
        })?;
        let (account, now) = (head.account.clone(), head.received);
        Ok(Request { account, asked, after, metadata, deleted, system, now })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { account, asked, after, metadata, deleted, system, now } = request;
        let prefix = asked.prefix.clone().unwrap_or_default();
        let list = blob::ListContainers { prefix, after, limit: asked.limit, deleted };
        let mut page = service
            .store
            .list_containers(&account, list)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        page.entries.retain(|container| system || !is_system(container.name.as_str()));
        Ok(Response { asked, metadata, now, page })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { asked, metadata, now, page } = response;
        let mut xml = XmlWriter::with_capacity(512 + page.entries.len() * ENTRY_BYTES);
        xml.open_with("EnumerationResults", &[("ServiceEndpoint", &asked.endpoint)]);
        asked.echo(&mut xml);
        xml.open("Containers");
        for container in &page.entries {
            entry(&mut xml, container, metadata, now);
        }
        xml.close("Containers");
        listing::next_marker(&mut xml, page.next.as_deref());
        xml.close("EnumerationResults");
        headers::document(xml.finish())
    }
}

/// Whether the container is the system's own.
fn is_system(name: &str) -> bool {
    name.starts_with('$') && !["$root", "$web"].contains(&name)
}

fn entry(xml: &mut XmlWriter, container: &Container, metadata: bool, now: Timestamp) {
    xml.open("Container");
    xml.text("Name", container.name.as_str());
    if let Some(version) = container.deleted_version {
        xml.text("Version", &version_text(version));
        xml.text("Deleted", "true");
    }
    xml.open("Properties");
    xml.text("Last-Modified", &time::rfc1123(container.modified));
    xml.text("Etag", &etag::quoted(container.etag));
    let (status, state) = headers::lease_words(container.lease.state(now));
    xml.text("LeaseStatus", status);
    xml.text("LeaseState", state);
    if container.lease.state(now) == LeaseState::Leased {
        xml.text("LeaseDuration", if container.lease.is_infinite() { "infinite" } else { "fixed" });
    }
    match container.public_access {
        PublicAccess::None => {}
        PublicAccess::Blob => xml.text("PublicAccess", "blob"),
        PublicAccess::Container => xml.text("PublicAccess", "container"),
    }
    xml.text("HasImmutabilityPolicy", "false");
    xml.text("HasLegalHold", "false");
    if !container.encryption_scope.is_empty() {
        xml.text("DefaultEncryptionScope", &container.encryption_scope);
        xml.text("DenyEncryptionScopeOverride", if container.deny_scope_override { "true" } else { "false" });
    }
    // Of policies and holds see `get_container_properties`.
    xml.text("ImmutableStorageWithVersioningEnabled", "true");
    if let Some(deletion) = container.deletion {
        xml.text("DeletedTime", &time::rfc1123(deletion.at));
        xml.text("RemainingRetentionDays", &deletion.days_left(now).to_string());
    }
    xml.close("Properties");
    if metadata {
        listing::metadata(xml, &container.metadata);
    }
    xml.close("Container");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use http_body_util::BodyExt as _;
    use storage_engine::clock::{Etag, Timestamp};
    use storage_engine::name::ContainerName;

    fn decode(query: &str) -> Result<Request, StorageError> {
        let head = testing::head(ServiceKind::Blob, "GET", &format!("/dev?comp=list&{query}"), &[]);
        ListContainers::decode(&head, Payload::None)
    }

    #[test]
    fn a_marker_is_a_name_and_include_a_list() {
        let request = decode("marker=Y29u&include=metadata,system").unwrap();
        assert_eq!((request.after.as_deref(), request.metadata), (Some("con"), true));
        assert!(decode("marker=__4A").is_err());
        assert!(decode("include=snapshots").is_err());
    }

    #[tokio::test]
    async fn a_page_is_spelled_with_quoted_tags() {
        let asked = decode("prefix=c").unwrap().asked;
        let container = Container {
            metadata: vec![("k".into(), "v".into())],
            public_access: PublicAccess::None,
            ..Container::new(ContainerName::parse("con").unwrap(), Etag(1), Timestamp::from_unix_seconds(0))
        };
        let page = Page { entries: vec![container], next: Some(b"con".to_vec()) };
        let response = ListContainers::encode(Response {
            asked,
            metadata: true,
            now: Timestamp::from_unix_seconds(0),
            page,
        });
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = "<EnumerationResults ServiceEndpoint=\"http://localhost/dev/\"><Prefix>c</Prefix>\
            <Containers><Container><Name>con</Name><Properties>\
            <Last-Modified>Thu, 01 Jan 1970 00:00:00 GMT</Last-Modified><Etag>&quot;0x1&quot;</Etag>\
            <LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
            <HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold>\
            <ImmutableStorageWithVersioningEnabled>true</ImmutableStorageWithVersioningEnabled></Properties>\
            <Metadata><k>v</k></Metadata></Container></Containers><NextMarker>Y29u</NextMarker></EnumerationResults>";
        assert!(std::str::from_utf8(&body).unwrap().ends_with(expected), "{body:?}");
    }
}
