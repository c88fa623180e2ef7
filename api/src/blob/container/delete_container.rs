//! *Delete Container*. Whether it can be restored is an account's setting.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use storage_engine::blob::Conditions;

pub(crate) struct DeleteContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    conditions: Conditions,
}

impl Operation for DeleteContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address::container(head)?, conditions: condition::of_container_write(head)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<(), StorageError> {
        let Request { at, conditions } = request;
        let days = service.container_retention_days(&at.account).await?;
        service
            .store
            .delete_container(&at.account, &at.container, conditions, days)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        headers::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing;

    #[test]
    fn a_container_is_deleted_on_condition_of_its_age_only() {
        let decode = |headers: &[(&str, &str)]| {
            let head = testing::head(ServiceKind::Blob, "DELETE", "/dev/con?restype=container", headers);
            DeleteContainer::decode(&head, Payload::None).map_err(|error| error.code)
        };
        let request = decode(&[("if-unmodified-since", "Sun, 22 Nov 2026 01:02:03 GMT")]).unwrap();
        assert!(request.conditions.if_unmodified_since.is_some());
        assert_eq!(decode(&[("if-match", "*")]).err(), Some(ErrorCode::ConditionHeadersNotSupported));
    }
}
