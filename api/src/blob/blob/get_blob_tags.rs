//! *Get Blob Tags*: of the blob, of a snapshot, or of a version.

use crate::blob::{BlobService, address, headers, tag_document};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::xml::XmlWriter;
use storage_engine::blob::{BlobAddress, Conditions, Tags, Which};

pub(crate) struct GetBlobTags;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    conditions: Conditions,
}

impl Operation for GetBlobTags {
    type Service = BlobService;
    type Request = Request;
    type Response = Tags;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let (at, which) = (address::blob(head)?, address::which(head)?);
        Ok(Request { at, which, conditions: condition::beside_tags(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Tags, StorageError> {
        let Request { at, which, conditions } = request;
        let tags = service.store.tags(&at, which, conditions).await;
        tags.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(tags: Tags) -> http::Response<Body> {
        let mut xml = XmlWriter::new();
        tag_document::write(&mut xml, tags.iter());
        headers::document(xml.finish())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::text;

    #[test]
    fn a_blob_without_tags_has_an_empty_set() {
        let text = text(GetBlobTags::encode(Tags::default()));
        assert!(text.ends_with("<Tags><TagSet></TagSet></Tags>"), "{text}");
    }
}
