//! *Find Blobs by Tags*, in an account and in a container.

use crate::blob::tag_query::{self, TagQuery};
use crate::blob::{BlobService, headers, listing, tag_document};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::target::Resource;
use crate::time;
use crate::xml::XmlWriter;
use storage_engine::EngineError;
use storage_engine::blob::{FindBlobs, FoundBlob, Page};
use storage_engine::name::{AccountName, ContainerName};

/// About the bytes of one blob in the document.
const ENTRY_BYTES: usize = 256;

pub(crate) struct FindBlobsByTags;

pub(crate) struct Request {
    account: AccountName,
    /// The container of the address, which has to be there.
    container: Option<ContainerName>,
    asked: listing::Asked,
    text: String,
    query: TagQuery,
    versions: bool,
}

pub(crate) struct Response {
    request: Request,
    page: Page<FoundBlob>,
}

impl Operation for FindBlobsByTags {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let container = match &head.target.resource {
            Resource::Container(name) => Some(ContainerName::parse(name).map_err(Head::invalid_name)?),
            _ => None,
        };
        let text = head.query.get("where").filter(|text| !text.trim().is_empty());
        let text = text.ok_or_else(|| StorageError::missing_query("where"))?.to_owned();
        let query = tag_query::parse(&text, container.is_none())?;
        let [_, versions] = listing::include(head, ["none", "versions"])?;
        let asked = listing::Asked::read(head)?;
        Ok(Request { account: head.account.clone(), container, asked, text, query, versions })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let find = FindBlobs {
            container: request.container.clone().or_else(|| request.query.container.clone()),
            expression: request.query.expression.clone(),
            versions: request.versions,
            after: request.asked.after.clone(),
            limit: request.asked.limit,
        };
        let page = match service.store.find_by_tags(&request.account, find).await {
            // A container that the query names is a condition like others: nothing is in one that is not there.
            Err(EngineError::ContainerNotFound) if request.container.is_none() => {
                Page { entries: Vec::new(), next: None }
            }
            found => found.map_err(|error| StorageError::from_engine(error, Intent::Read))?,
        };
        Ok(Response { request, page })
    }

    fn encode(Response { request, page }: Response) -> http::Response<Body> {
        let mut xml = XmlWriter::with_capacity(512 + page.entries.len() * ENTRY_BYTES);
        let endpoint = ("ServiceEndpoint", request.asked.endpoint.as_str());
        let container = request.container.as_ref().map(|name| ("ContainerName", name.as_str()));
        let attributes: Vec<_> = [endpoint].into_iter().chain(container).collect();
        xml.open_with("EnumerationResults", &attributes);
        listing::text(&mut xml, "Where", &request.text);
        xml.open("Blobs");
        for found in &page.entries {
            write_entry(&mut xml, found, &request);
        }
        xml.close("Blobs");
        listing::next_marker(&mut xml, page.next.as_deref());
        xml.close("EnumerationResults");
        headers::document(xml.finish())
    }
}

/// Of the tags those that were asked about.
fn write_entry(xml: &mut XmlWriter, found: &FoundBlob, request: &Request) {
    xml.open("Blob");
    listing::text(xml, "Name", found.blob.as_str());
    xml.text("ContainerName", found.container.as_str());
    if request.versions
        && let Some(version) = found.version
    {
        xml.text("VersionId", &time::iso8601(version));
        if found.current {
            xml.text("IsCurrentVersion", "true");
        }
    }
    tag_document::write(xml, found.tags.iter().filter(|(name, _)| request.query.names.contains(*name)));
    xml.close("Blob");
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::reply::tests::text;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::blob::Tags;
    use storage_engine::clock::Timestamp;
    use storage_engine::name::BlobName;

    fn decode(url: &str) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "GET", url, &[("host", "h")]);
        FindBlobsByTags::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn what_is_asked_is_judged() {
        let request = decode("/dev?comp=blobs&where=@container='con'+AND+a='1'").unwrap();
        assert_eq!(request.query.container.unwrap().as_str(), "con", "some clients write a blank as a plus");
        let request =
            decode("/dev?comp=blobs&where=@container='con'%20AND%20a='1'&include=versions").unwrap();
        assert_eq!(request.query.container.as_ref().unwrap().as_str(), "con");
        assert!(request.versions && request.container.is_none());
        let inside = "/dev/con?restype=container&comp=blobs&where=";
        assert_eq!(decode(&format!("{inside}a='1'")).unwrap().container.unwrap().as_str(), "con");
        for (url, code) in [
            (format!("{inside}@container='con'%20AND%20a='1'"), ErrorCode::InvalidQueryParameterValue),
            (inside.to_owned(), ErrorCode::MissingRequiredQueryParameter),
            ("/dev?comp=blobs".to_owned(), ErrorCode::MissingRequiredQueryParameter),
            (
                "/dev?comp=blobs&where=a='1'&include=snapshots".to_owned(),
                ErrorCode::InvalidQueryParameterValue,
            ),
            ("/dev?comp=blobs&where=a='1'&maxresults=0".to_owned(), ErrorCode::OutOfRangeQueryParameterValue),
        ] {
            assert_eq!(decode(&url).err(), Some(code), "{url}");
        }
    }

    #[test]
    fn only_the_tags_that_were_asked_about_are_shown() {
        let request = decode("/dev?comp=blobs&where=a='1'&include=versions").unwrap();
        let pairs = [("a", "1"), ("b", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
        let found = FoundBlob {
            container: ContainerName::parse("con").unwrap(),
            blob: BlobName::parse("x").unwrap(),
            version: Some(Timestamp::from_unix_seconds(0)),
            current: true,
            tags: Tags::new(pairs.to_vec()).unwrap(),
        };
        let page = Page { entries: vec![found], next: Some(vec![1]) };
        let text = text(FindBlobsByTags::encode(Response { request, page }));
        let expected = "<EnumerationResults ServiceEndpoint=\"http://h/dev/\"><Where>a='1'</Where><Blobs><Blob>\
            <Name>x</Name><ContainerName>con</ContainerName><VersionId>1970-01-01T00:00:00.0000000Z</VersionId>\
            <IsCurrentVersion>true</IsCurrentVersion>\
            <Tags><TagSet><Tag><Key>a</Key><Value>1</Value></Tag></TagSet></Tags></Blob></Blobs>\
            <NextMarker>AQ</NextMarker></EnumerationResults>";
        assert!(text.ends_with(expected), "{text}");
    }
}
