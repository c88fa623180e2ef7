//! *Create Container*, with the anonymous access that is asked for.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::metadata;
use crate::operation::Operation;
use storage_engine::blob::{NewContainer, PublicAccess, Stamp};
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
        Ok(Request {
            at: address::container(head)?,
            metadata: metadata::read(&head.headers)?,
            public_access: headers::public_access(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata, public_access } = request;
        service
            .store
            .create_container(
                &at.account,
                &at.container,
                NewContainer { metadata, public_access, ..NewContainer::default() },
            )
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
    fn anonymous_access_is_one_of_two_words_or_none() {
        let access = |value| {
            let request = decode("/dev/con", &[("x-ms-blob-public-access", value)]);
            request.map(|request| request.public_access)
        };
        assert_eq!(access("container"), Ok(PublicAccess::Container));
        assert_eq!(access("blob"), Ok(PublicAccess::Blob));
        assert_eq!(access("everybody"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(decode("/dev/con", &[]).map(|request| request.public_access), Ok(PublicAccess::None));
    }
}
