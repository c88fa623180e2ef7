//! *Create Container*. Anonymous access is refused as by an account that does not permit it: nothing here lets
//! a caller in without credentials.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{header, metadata};
use storage_engine::blob::{NewContainer, Stamp};
use storage_engine::name::Metadata;

pub(crate) struct CreateContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    metadata: Metadata,
}

impl Operation for CreateContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        let at = address::container(head)?;
        match head.text(header::X_MS_BLOB_PUBLIC_ACCESS)? {
            None => Ok(Request { at, metadata: metadata::read(&head.headers)? }),
            Some("blob" | "container") => Err(StorageError::new(ErrorCode::PublicAccessNotPermitted)),
            Some(other) => Err(StorageError::invalid_header(header::X_MS_BLOB_PUBLIC_ACCESS, other)),
        }
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata } = request;
        service
            .store
            .create_container(
                &at.account,
                &at.container,
                NewContainer { metadata, ..NewContainer::default() },
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
    fn anonymous_access_is_refused() {
        let code = |value| decode("/dev/con", &[("x-ms-blob-public-access", value)]).err();
        assert_eq!(code("container"), Some(ErrorCode::PublicAccessNotPermitted));
        assert_eq!(code("everybody"), Some(ErrorCode::InvalidHeaderValue));
    }
}
