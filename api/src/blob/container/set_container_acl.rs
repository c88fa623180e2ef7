//! *Set Container ACL*: replaces anonymous access and the stored access policies. A request that says nothing of
//! anonymous access takes it away.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::service::policies::{self, CONTAINER_LETTERS};
use storage_engine::blob::{Conditions, PublicAccess, Stamp};
use storage_engine::policy::StoredPolicy;

pub(crate) struct SetContainerAcl;

pub(crate) struct Request {
    at: ContainerAddress,
    public_access: PublicAccess,
    policies: Vec<StoredPolicy>,
    conditions: Conditions,
}

impl Operation for SetContainerAcl {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        Ok(Request {
            at: address::container(head)?,
            public_access: headers::public_access(head)?,
            policies: policies::read(&body.whole(), CONTAINER_LETTERS)?,
            conditions: condition::of_container_write(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, public_access, policies, conditions } = request;
        service
            .store
            .set_container_access(&at.account, &at.container, public_access, policies, conditions)
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

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", "/dev/con?restype=container&comp=acl", headers);
        SetContainerAcl::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn what_is_not_said_is_taken_away() {
        let request = decode(&[]).unwrap();
        assert_eq!((request.public_access, request.policies), (PublicAccess::None, Vec::new()));
        let access = decode(&[("x-ms-blob-public-access", "container")]).unwrap().public_access;
        assert_eq!(access, PublicAccess::Container);
    }

    #[test]
    fn access_is_one_of_two_words_and_conditions_are_dates() {
        assert_eq!(decode(&[("x-ms-blob-public-access", "all")]).err(), Some(ErrorCode::InvalidHeaderValue));
        assert_eq!(decode(&[("if-match", "*")]).err(), Some(ErrorCode::ConditionHeadersNotSupported));
    }
}
