//! *Set Container Metadata*: replaces all of it.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, metadata};
use storage_engine::blob::{Conditions, Stamp};
use storage_engine::name::Metadata;

pub(crate) struct SetContainerMetadata;

pub(crate) struct Request {
    at: ContainerAddress,
    metadata: Metadata,
    conditions: Conditions,
}

impl Operation for SetContainerMetadata {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::container(head)?,
            metadata: metadata::read(&head.headers)?,
            conditions: condition::of_container_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata, conditions } = request;
        service
            .store
            .set_container_metadata(&at.account, &at.container, metadata, conditions)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
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
            let url = "/dev/con?restype=container&comp=metadata";
            let head = testing::head(ServiceKind::Blob, "PUT", url, headers);
            SetContainerMetadata::decode(&head, Payload::None).map_err(|error| error.code)
        };
        assert_eq!(decode(&[]).unwrap().metadata, []);
        assert_eq!(decode(&[("x-ms-meta-a-b", "")]).err(), Some(ErrorCode::InvalidMetadata));
        assert_eq!(decode(&[("if-none-match", "*")]).err(), Some(ErrorCode::ConditionHeadersNotSupported));
    }
}
