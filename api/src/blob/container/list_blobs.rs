//! *List Blobs*, flat and by a delimiter. Of what `include` may ask for, all but metadata and uncommitted blobs
//! cannot exist here (no snapshots, versions, tags, copies or holds), so those words are accepted and add nothing.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers, listing};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use crate::{checksum, etag, time};
use storage_engine::blob::{self, BlobEntry, BlobProperties, Page};

/// About the bytes of one blob in the document.
const ENTRY_BYTES: usize = 640;
/// The words of `include`, those that change a listing first.
const INCLUDES: [&str; 10] = [
    "metadata",
    "uncommittedblobs",
    "snapshots",
    "copy",
    "deleted",
    "versions",
    "tags",
    "immutabilitypolicy",
    "legalhold",
    "deletedwithversions",
];

pub(crate) struct ListBlobs;

pub(crate) struct Request {
    at: ContainerAddress,
    asked: listing::Asked,
    delimiter: Option<String>,
    metadata: bool,
    uncommitted: bool,
}

pub(crate) struct Response {
    request: Request,
    page: Page<BlobEntry>,
}

impl Operation for ListBlobs {
    type Service = BlobService;
    type Request = Request;
    type Response = Response;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        listing::refuse_unbuilt(head, &["startfrom", "endbefore", "showonly"])?;
        let [metadata, uncommitted, snapshots, ..] = listing::include(head, INCLUDES)?;
        let delimiter = head.query.get("delimiter").filter(|text| !text.is_empty()).map(str::to_owned);
        if let (Some(delimiter), true) = (&delimiter, snapshots) {
            let reason = "Snapshots cannot be listed by a delimiter.";
            return Err(StorageError::invalid_query("delimiter", delimiter, reason));
        }
        Ok(Request { at, asked: listing::Asked::read(head)?, delimiter, metadata, uncommitted })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Response, StorageError> {
        let list = blob::ListBlobs {
            prefix: request.asked.prefix.clone().unwrap_or_default(),
            delimiter: request.delimiter.clone(),
            after: request.asked.after.clone(),
            limit: request.asked.limit,
            include: blob::Include { uncommitted: request.uncommitted, ..blob::Include::default() },
            ..blob::ListBlobs::default()
        };
        let page = service
            .store
            .list(&request.at.account, &request.at.container, list)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok(Response { request, page })
    }

    fn encode(response: Response) -> http::Response<Body> {
        let Response { request: Request { at, asked, delimiter, metadata, .. }, page } = response;
        let mut xml = XmlWriter::with_capacity(512 + page.entries.len() * ENTRY_BYTES);
        let container = at.container.as_str();
        xml.open_with(
            "EnumerationResults",
            &[("ServiceEndpoint", &asked.endpoint), ("ContainerName", container)],
        );
        asked.echo(&mut xml);
        if let Some(delimiter) = &delimiter {
            listing::text(&mut xml, "Delimiter", delimiter);
        }
        xml.open("Blobs");
        for entry in &page.entries {
            write_entry(&mut xml, entry, metadata);
        }
        xml.close("Blobs");
        listing::next_marker(&mut xml, page.next.as_deref());
        xml.close("EnumerationResults");
        headers::document(xml.finish())
    }
}

fn write_entry(xml: &mut XmlWriter, entry: &BlobEntry, metadata: bool) {
    match entry {
        BlobEntry::Prefix(prefix) => {
            xml.open("BlobPrefix");
            listing::text(xml, "Name", prefix);
            xml.close("BlobPrefix");
        }
        BlobEntry::Uncommitted(name) => {
            xml.open("Blob");
            listing::text(xml, "Name", name.as_str());
            xml.open("Properties");
            xml.text("Content-Length", "0");
            xml.text("BlobType", "BlockBlob");
            xml.close("Properties");
            xml.close("Blob");
        }
        // Asked for by nothing that is offered.
        BlobEntry::VersionsOnly(_) => {}
        BlobEntry::Blob(name, properties) => {
            xml.open("Blob");
            listing::text(xml, "Name", name.as_str());
            write_properties(xml, properties);
            if metadata {
                listing::metadata(xml, &properties.metadata);
            }
            xml.close("Blob");
        }
    }
}

fn write_properties(xml: &mut XmlWriter, properties: &BlobProperties) {
    let content = &properties.headers;
    xml.open("Properties");
    xml.text("Creation-Time", &time::rfc1123(properties.created));
    xml.text("Last-Modified", &time::rfc1123(properties.modified));
    xml.text("Etag", &etag::plain(properties.etag));
    xml.text("Content-Length", &properties.length.to_string());
    xml.text("Content-Type", &content.content_type);
    xml.text("Content-Encoding", &content.encoding);
    xml.text("Content-Language", &content.language);
    xml.text("Content-MD5", &content.md5.map(checksum::md5_text).unwrap_or_default());
    xml.text("Content-Disposition", &content.disposition);
    xml.text("Cache-Control", &content.cache_control);
    xml.text("BlobType", "BlockBlob");
    xml.text("LeaseStatus", "unlocked");
    xml.text("LeaseState", "available");
    xml.text("ServerEncrypted", "false");
    xml.close("Properties");
}

#[cfg(test)]
mod tests;
