//! *Create Container*, with the anonymous access that is asked for.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{encryption, header, metadata};
use storage_engine::blob::{NewContainer, PublicAccess, Stamp};
use storage_engine::name::Metadata;

pub(crate) struct CreateContainer;

pub(crate) struct Request {
    at: ContainerAddress,
    metadata: Metadata,
    public_access: PublicAccess,
    /// The default, and whether it is the only one.
    encryption_scope: Option<(String, bool)>,
}

impl Operation for CreateContainer {
    type Service = BlobService;
    type Request = Request;
    type Response = Stamp;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        condition::none(head)?;
        Ok(Request {
            at: address::new_container(head)?,
            metadata: metadata::read(&head.headers)?,
            public_access: headers::public_access(head)?,
            encryption_scope: encryption_scope(head)?,
        })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Stamp, StorageError> {
        let Request { at, metadata, public_access, encryption_scope } = request;
        let (encryption_scope, deny_scope_override) = encryption_scope.unwrap_or_default();
        let new = NewContainer { metadata, public_access, encryption_scope, deny_scope_override };
        let refused = |error| StorageError::from_engine(error, Intent::Write);
        let scope = service.store.check_scope(&at.account, &new.encryption_scope).await;
        let default = header::X_MS_DEFAULT_ENCRYPTION_SCOPE;
        scope.map_err(|error| encryption::no_scope(error, default, &new.encryption_scope))?;
        service.store.create_container(&at.account, &at.container, new).await.map_err(refused)
    }

    fn encode(stamp: Stamp) -> http::Response<Body> {
        headers::stamped(stamp)
    }
}

/// The default scope of the container's blobs, and whether it may not be overridden.
///
/// # Errors
/// `MissingRequiredHeader` for a prohibition without a scope; `InvalidHeaderValue`.
fn encryption_scope(head: &Head) -> Result<Option<(String, bool)>, StorageError> {
    let deny = head.flag(header::X_MS_DENY_ENCRYPTION_SCOPE_OVERRIDE)?;
    match encryption::scope(head, header::X_MS_DEFAULT_ENCRYPTION_SCOPE)? {
        None if deny => Err(StorageError::missing_header(header::X_MS_DEFAULT_ENCRYPTION_SCOPE)),
        scope => Ok(scope.map(|scope| (scope, deny))),
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
        let request = decode("/dev/con?restype=container", &[("x-ms-meta-k", "v")]).unwrap();
        assert_eq!(request.at.container.as_str(), "con");
        assert_eq!(request.metadata, [("k".to_owned(), "v".to_owned())]);
        assert_eq!(decode("/dev/Con?restype=container", &[]).err(), Some(ErrorCode::InvalidResourceName));
        let long = format!("/dev/{}?restype=container", "a".repeat(64));
        assert_eq!(decode(&long, &[]).err(), Some(ErrorCode::OutOfRangeInput));
        let refused = decode("/dev/con?restype=container", &[("if-none-match", "*")]);
        assert_eq!(refused.err(), Some(ErrorCode::ConditionHeadersNotSupported));
    }

    #[test]
    fn anonymous_access_is_one_of_two_words_or_none() {
        let access = |value| {
            let request = decode("/dev/con?restype=container", &[("x-ms-blob-public-access", value)]);
            request.map(|request| request.public_access)
        };
        assert_eq!(access("container"), Ok(PublicAccess::Container));
        assert_eq!(access("blob"), Ok(PublicAccess::Blob));
        assert_eq!(access("everybody"), Err(ErrorCode::InvalidHeaderValue));
        assert_eq!(
            decode("/dev/con?restype=container", &[]).map(|request| request.public_access),
            Ok(PublicAccess::None)
        );
    }
}
