//! *Create Container*, perhaps one that anybody may read. Whether the account allows that is judged with the rights of
//! the caller, before this.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::metadata;
use crate::operation::Operation;
use storage_engine::blob::{PublicAccess, Stamp};
use storage_engine::name::Metadata;

pub(crate) struct CreateContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    metadata: Metadata,
    public_access: PublicAccess,
}

impl Operation for CreateContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        let public_access = headers::public_access(head)?;
        Ok(Request { at, metadata: metadata::read(&head.headers)?, public_access })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata, public_access } = request;
        service
            .store
            .create_container(&at.account, &at.container, metadata, public_access)
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

    fn decode(url: &str, headers: &[(&str, &str)]) -> Result<Request, ErrorCode> {
        let head = testing::head(ServiceKind::Blob, "PUT", url, headers);
        CreateContainer::decode(&head, Payload::None).map_err(|error| error.code)
    }

    #[test]
    fn a_container_has_a_valid_name_and_metadata() {
        let request = decode("/dev/con", &[("x-ms-meta-k", "v")]).unwrap();
        assert_eq!(request.at.container.as_str(), "con");
        assert_eq!(request.metadata, [("k".to_owned(), "v".to_owned())]);
        assert_eq!(decode("/dev/Con", &[]).err(), Some(ErrorCode::InvalidResourceName));
    }

    #[test]
    fn a_container_may_be_made_public() {
        let access = |value| decode("/dev/con", &[("x-ms-blob-public-access", value)]);
        assert_eq!(access("container").unwrap().public_access, PublicAccess::Container);
        assert_eq!(access("blob").unwrap().public_access, PublicAccess::Blob);
        assert_eq!(decode("/dev/con", &[]).unwrap().public_access, PublicAccess::None);
        assert_eq!(access("everybody").err(), Some(ErrorCode::InvalidHeaderValue));
    }
}
