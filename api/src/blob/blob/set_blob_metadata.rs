//! *Set Blob Metadata*: replaces all of it.

use crate::blob::{BlobService, address, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, encryption, metadata};
use storage_engine::blob::{BlobAddress, Conditions, Encryption, Stamp};
use storage_engine::name::Metadata;
use storage_engine::seal::EncryptionWish;

pub(crate) struct SetBlobMetadata;

pub(crate) struct Request {
    at: BlobAddress,
    metadata: Metadata,
    wish: EncryptionWish,
    conditions: Conditions,
}

impl Operation for SetBlobMetadata {
    type Service = BlobService;
    type Request = Request;
    type Response = (Stamp, Option<Encryption>);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::encrypted_blob(head)?,
            metadata: metadata::read(&head.headers)?,
            wish: encryption::of(head)?,
            conditions: condition::of_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, metadata, wish, conditions } = request;
        let encryption = service.sealing_of(&at, wish).await?.encryption();
        let protection = service.protection(&at.account).await?;
        let stamp = service.store.set_metadata(&at, metadata, conditions, protection).await;
        Ok((stamp.map_err(|error| StorageError::from_engine(error, Intent::Write))?, encryption))
    }

    fn encode((stamp, encryption): Self::Response) -> http::Response<Body> {
        let mut response = headers::written(stamp);
        encryption::set(response.headers_mut(), encryption.as_ref());
        response
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
