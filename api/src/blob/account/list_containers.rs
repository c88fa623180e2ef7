//! *List Containers*. Of what `include` may ask for, deleted containers cannot come back and system containers
//! do not exist here, so both are accepted and add nothing.

use crate::blob::{BlobService, headers, listing};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use crate::{etag, time};
use storage_engine::blob::{self, Container, Page, PublicAccess};
use storage_engine::name::AccountName;

/// About the bytes of one container in the document.
const ENTRY_BYTES: usize = 420;

pub(crate) struct ListContainers;

pub(crate) struct Request {
    account: AccountName,
    asked: listing::Asked,
    after: Option<String>,
    metadata: bool,
}

pub(crate) struct Response {
    asked: listing::Asked,
    metadata: bool,
    page: Page<Container>,
}

impl Operation for ListContainers {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let asked = listing::Asked::read(head)?;
        let [metadata, _, _] = listing::include(head, ["metadata", "deleted", "system"])?;
        let after = asked.after.clone().map(String::from_utf8).transpose().map_err(|_| {
            let marker = asked.marker.as_deref().unwrap_or_default();
            StorageError::invalid_query("marker", marker, "The marker is not one of ours.")
        })?;
        Ok(Request { account: head.account.clone(), asked, after, metadata })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let Request { account, asked, after, metadata } = request;
        let prefix = asked.prefix.clone().unwrap_or_default();
        let list = blob::ListContainers { prefix, after, limit: asked.limit, deleted: false };
        let page = service
            .store
            .list_containers(&account, list)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok(Response { asked, metadata, page })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { asked, metadata, page } = response;
        let mut xml = XmlWriter::with_capacity(512 + page.entries.len() * ENTRY_BYTES);
        xml.open_with("EnumerationResults", &[("ServiceEndpoint", &asked.endpoint)]);
        asked.echo(&mut xml);
        xml.open("Containers");
        for container in &page.entries {
            entry(&mut xml, container, metadata);
        }
        xml.close("Containers");
        listing::next_marker(&mut xml, page.next.as_deref());
        xml.close("EnumerationResults");
        headers::document(xml.finish())
    }
}

fn entry(xml: &mut XmlWriter, container: &Container, metadata: bool) {
    xml.open("Container");
    xml.text("Name", container.name.as_str());
    xml.open("Properties");
    xml.text("Last-Modified", &time::rfc1123(container.modified));
    xml.text("Etag", &etag::quoted(container.etag));
    xml.text("LeaseStatus", "unlocked");
    xml.text("LeaseState", "available");
    match container.public_access {
        PublicAccess::None => {}
        PublicAccess::Blob => xml.text("PublicAccess", "blob"),
        PublicAccess::Container => xml.text("PublicAccess", "container"),
    }
    xml.text("HasImmutabilityPolicy", "false");
    xml.text("HasLegalHold", "false");
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
        let response = ListContainers::encode(Response { asked, metadata: true, page });
        let body = response.into_body().collect().await.unwrap().to_bytes();
        let expected = "<EnumerationResults ServiceEndpoint=\"http://localhost/dev/\"><Prefix>c</Prefix>\
            <Containers><Container><Name>con</Name><Properties>\
            <Last-Modified>Thu, 01 Jan 1970 00:00:00 GMT</Last-Modified><Etag>&quot;0x1&quot;</Etag>\
            <LeaseStatus>unlocked</LeaseStatus><LeaseState>available</LeaseState>\
            <HasImmutabilityPolicy>false</HasImmutabilityPolicy><HasLegalHold>false</HasLegalHold></Properties>\
            <Metadata><k>v</k></Metadata></Container></Containers><NextMarker>Y29u</NextMarker></EnumerationResults>";
        assert!(std::str::from_utf8(&body).unwrap().ends_with(expected), "{body:?}");
    }
}
