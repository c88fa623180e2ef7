//! *List Blobs*, flat and by a delimiter, as a document or as a table.
//!
//! [`entry`] says what a blob shows, [`document`] and [`table`] how that is written. A table is given to clients that
//! take one and speak a version that has it; everybody else gets the document, which is always a right answer.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers, listing};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::version::{ESCAPED_NAMES, LISTINGS_AS_TABLES};
use crate::{header, reply};
use storage_engine::blob;
use storage_engine::clock::Timestamp;

mod document;
mod entry;
mod table;

/// The type of a table.
const TABLE_TYPE: &str = "application/vnd.apache.arrow.stream";

/// The words of `include`: first those that name states to list, then those that name what to tell of them.
const INCLUDES: [&str; 10] = [
    "snapshots",
    "versions",
    "deleted",
    "deletedwithversions",
    "uncommittedblobs",
    "copy",
    "metadata",
    "tags",
    "immutabilitypolicy",
    "legalhold",
];

pub(crate) struct ListBlobs;

pub(crate) struct Request {
    at: ContainerAddress,
    asked: listing::Asked,
    list: blob::ListBlobs,
    details: entry::Details,
    /// Whether the answer is a table.
    table: bool,
    /// Whether names that XML cannot hold are escaped.
    escapes_names: bool,
    /// The moment at which leases and deletions are looked at.
    now: Timestamp,
}

impl Operation for ListBlobs {
    type Service = BlobService;
    type Request = Request;
    type Response = http::Response<Body>;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        let asked = listing::Asked::read(head)?;
        let (include, details) = include(head)?;
        let text = |name| head.query.get(name).filter(|text| !text.is_empty()).map(str::to_owned);
        let delimiter = text("delimiter");
        if let (Some(delimiter), true) = (&delimiter, include.snapshots) {
            let reason = "Snapshots cannot be listed by a delimiter.";
            return Err(StorageError::invalid_query("delimiter", delimiter, reason));
        }
        let list = blob::ListBlobs {
            prefix: asked.prefix.clone().unwrap_or_default(),
            delimiter,
            after: asked.after.clone(),
            limit: asked.limit,
            start_from: text("startfrom").unwrap_or_default(),
            end_before: text("endbefore").unwrap_or_default(),
            include,
            only_deleted: only_deleted(head)?,
        };
        let accepted = head.text(header::ACCEPT)?.unwrap_or_default().to_ascii_lowercase();
        let table = head.version >= LISTINGS_AS_TABLES && accepted.contains(TABLE_TYPE);
        let escapes_names = head.version >= ESCAPED_NAMES;
        Ok(Request { at, asked, list, details, table, escapes_names, now: head.received })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<http::Response<Body>, StorageError> {
        let ContainerAddress { account, container } = &request.at;
        let page = service.store.list(account, container, request.list.clone()).await;
        let page = page.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        if request.table {
            Ok(reply::document(TABLE_TYPE, table::write(&request, &page)?))
        } else {
            Ok(headers::document(document::write(&request, &page)))
        }
    }

    fn encode(response: http::Response<Body>) -> http::Response<Body> {
        response
    }
}

/// Reads `include`.
fn include(head: &Head) -> Result<(blob::Include, entry::Details), StorageError> {
    let [
        snapshots,
        versions,
        deleted,
        deleted_with_versions,
        uncommitted,
        copy,
        metadata,
        tags,
        policy,
        hold,
    ] = listing::include(head, INCLUDES)?;
    let include = blob::Include { uncommitted, snapshots, versions, deleted, deleted_with_versions };
    Ok((include, entry::Details { copy, metadata, tags, versions, policy, hold }))
}

/// Reads `showonly`.
fn only_deleted(head: &Head) -> Result<bool, StorageError> {
    match head.query.get("showonly").filter(|word| !word.is_empty()) {
        None => Ok(false),
        Some(word) if word.eq_ignore_ascii_case("deleted") => Ok(true),
        Some(word) => Err(StorageError::invalid_query("showonly", word, "The value is unknown.")),
    }
}

#[cfg(test)]
mod tests;
