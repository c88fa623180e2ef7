//! *Set Blob Metadata*: replaces all of it.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, metadata};
use storage_engine::blob::{BlobAddress, Conditions, Stamp};
use storage_engine::name::Metadata;

pub(crate) struct SetBlobMetadata;

pub(crate) struct Request {
    at: BlobAddress,
    metadata: Metadata,
    conditions: Conditions,
}

impl Operation for SetBlobMetadata {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::blob(head)?,
            metadata: metadata::read(&head.headers)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata, conditions } = request;
        let protection = service.protection(&at.account).await?;
        service
            .store
            .set_metadata(&at, metadata, conditions, protection)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::written(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn metadata_are_judged() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con/b?comp=metadata", headers);
            SetBlobMetadata::decode(&head, Payload::None).map_err(|error| error.code)
        };
        assert_eq!(decode(&[("x-ms-meta-k", "v")]).unwrap().metadata, [("k".into(), "v".into())]);
        assert_eq!(decode(&[("x-ms-meta-", "v")]).err(), Some(ErrorCode::EmptyMetadataKey));
        let pair = [("if-match", "*"), ("if-none-match", "*")];
        assert_eq!(decode(&pair).err(), Some(ErrorCode::MultipleConditionHeadersNotSupported));
    }
}
