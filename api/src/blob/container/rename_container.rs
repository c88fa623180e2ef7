//! *Rename Container*: the address is the new name, a header has the one that it has now.
//!
//! The operation has no page; what is asked is what the vendor's clients send, and what is answered what their tests
//! expect. It is a write to two containers, so whose roles are held at containers needs them at both
//! (`auth/permit.rs`): a role at one name must not be a way to another container's content. The request has a lease of
//! the source and none of the destination, which is not there yet.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header};
use storage_engine::blob::{CHANGE_FEED, LeaseId, Stamp};
use storage_engine::name::ContainerName;

pub(crate) struct RenameContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    source: ContainerName,
    lease: Option<LeaseId>,
}

impl Operation for RenameContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        condition::none(head)?;
        head.refuse(&[header::X_MS_LEASE_ID], ErrorCode::UnsupportedHeader)?;
        let source = head.required(header::X_MS_SOURCE_CONTAINER_NAME)?;
        let source = ContainerName::parse(source)
            .map_err(|_| StorageError::invalid_header(header::X_MS_SOURCE_CONTAINER_NAME, source))?;
        if source.as_str() == CHANGE_FEED {
            return Err(StorageError::new(ErrorCode::InsufficientAccountPermissions));
        }
        Ok(Request { at, source, lease: condition::lease_id(head, header::X_MS_SOURCE_LEASE_ID)? })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, source, lease } = request;
        let renamed = service.store.rename_container(&at.account, &source, &at.container, lease).await;
        renamed.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing;

    const SOURCE: (&str, &str) = ("x-ms-source-container-name", "old");

    fn decode(headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let url = "/dev/new?restype=container&comp=rename";
        let head = testing::head(ServiceKind::Blob, "PUT", url, headers);
        RenameContainer::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn the_address_is_where_it_goes_and_the_header_where_it_is() {
        let request = decode(&[SOURCE]).unwrap();
        assert_eq!((request.at.container.as_str(), request.source.as_str()), ("new", "old"));
        assert_eq!(request.lease, None);
        let id = ("x-ms-source-lease-id", "00000000-0000-0000-0000-000000000007");
        assert_eq!(decode(&[SOURCE, id]).unwrap().lease, Some(LeaseId(7)));
    }

    #[test]
    fn what_it_cannot_heed_is_refused() {
        let code = |headers| decode(headers).err();
        assert_eq!(code(&[]), Some(ErrorCode::MissingRequiredHeader));
        assert_eq!(code(&[(SOURCE.0, "No-Name")]), Some(ErrorCode::InvalidHeaderValue));
        assert_eq!(code(&[SOURCE, ("x-ms-source-lease-id", "x")]), Some(ErrorCode::InvalidHeaderValue));
        assert_eq!(code(&[SOURCE, ("x-ms-lease-id", "x")]), Some(ErrorCode::UnsupportedHeader));
        assert_eq!(code(&[SOURCE, ("if-match", "*")]), Some(ErrorCode::ConditionHeadersNotSupported));
    }
}
