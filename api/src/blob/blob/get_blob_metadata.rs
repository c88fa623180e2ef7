//! *Get Blob Metadata*, by GET and by HEAD.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, metadata};
use storage_engine::blob::{BlobAddress, BlobProperties, Conditions, Stamp, Which};

pub(crate) struct GetBlobMetadata;

pub(crate) struct Request {
    at: BlobAddress,
    which: Which,
    conditions: Conditions,
}

impl Operation for GetBlobMetadata {
    type Service = BlobService;
    type Request = Request;
    type Response = BlobProperties;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::encrypted_blob(head)?,
            which: address::which(head)?,
            conditions: condition::of_read(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<BlobProperties, StorageError> {
        service
            .store
            .properties(&request.at, request.which, request.conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(properties: BlobProperties) -> http::Response<Body> {
        let mut response = headers::stamped(Stamp {
            etag: properties.etag,
            modified: properties.modified,
            version: properties.version,
        });
        headers::set_version_id(response.headers_mut(), properties.version);
        metadata::write(&properties.metadata, &mut response);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;
    use storage_engine::blob::EtagMatch;
    use storage_engine::clock::Etag;

    #[test]
    fn conditions_are_those_of_a_read() {
        let tags = [("if-match", "\"0x1\",\"0x2\"")];
        let head = testing::head(ServiceKind::Blob, "GET", "/dev/con/b?comp=metadata", &tags);
        let request = GetBlobMetadata::decode(&head, Payload::None).unwrap();
        assert_eq!(request.conditions.if_match.last(), Some(&EtagMatch::Exactly(Etag(2))));
    }
}
