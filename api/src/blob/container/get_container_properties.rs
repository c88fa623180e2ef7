//! *Get Container Properties*, by GET and by HEAD.
//!
//! # What is said of immutability
//! `has-immutability-policy` and `has-legal-hold` are about policies and holds of the *container*, which the vendor
//! sets through its resource manager and which blobs' own policies and holds do not count for. There are none here, so
//! both are false, whatever the blobs have; and no scan of them is needed. That versions may have policies of their own
//! is a setting there, and always so here: it is told as it is, so that a client that asks before it sets one is not
//! kept from it.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, header, metadata};
use storage_engine::blob::{Container, LeaseId, Stamp};
use storage_engine::clock::Timestamp;

pub(crate) struct GetContainerProperties;

pub(crate) struct Request {
    at: ContainerAddress,
    lease: Option<LeaseId>,
    now: Timestamp,
}

impl Operation for GetContainerProperties {
    type Service = BlobService;
    type Request = Request;
    type Response = (Container, Timestamp);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address::container(head)?, lease: condition::lease(head)?, now: head.received })
    }

    async fn execute(service: &BlobService, request: Request) -> Result<Self::Response, StorageError> {
        let Request { at, lease, now } = request;
        let container = service.store.container(&at.account, &at.container, lease).await;
        Ok((container.map_err(|error| StorageError::from_engine(error, Intent::Read))?, now))
    }

    fn encode((container, now): Self::Response) -> http::Response<Body> {
        let mut response =
            headers::stamped(Stamp { etag: container.etag, modified: container.modified, version: None });
        metadata::write(&container.metadata, &mut response);
        let map = response.headers_mut();
        headers::set_lease(map, &container.lease, now);
        headers::set_public_access(map, container.public_access);
        if !container.encryption_scope.is_empty() {
            headers::set(map, header::X_MS_DEFAULT_ENCRYPTION_SCOPE, &container.encryption_scope);
            let deny = if container.deny_scope_override { "true" } else { "false" };
            headers::set(map, header::X_MS_DENY_ENCRYPTION_SCOPE_OVERRIDE, deny);
        }
        headers::set(map, header::X_MS_HAS_IMMUTABILITY_POLICY, "false");
        headers::set(map, header::X_MS_HAS_LEGAL_HOLD, "false");
        headers::set(map, header::X_MS_IMMUTABLE_STORAGE_WITH_VERSIONING_ENABLED, "true");
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use storage_engine::blob::PublicAccess;
    use storage_engine::clock::{Etag, Timestamp};
    use storage_engine::name::ContainerName;

    #[test]
    fn properties_are_headers() {
        let response = GetContainerProperties::encode((
            Container {
                metadata: vec![("k".into(), "v".into())],
                public_access: PublicAccess::Blob,
                ..Container::new(
                    ContainerName::parse("con").unwrap(),
                    Etag(0xAB),
                    Timestamp::from_unix_seconds(0),
                )
            },
            Timestamp::from_unix_seconds(0),
        ));
        let get =
            |name| response.headers().get(name).map(|value: &http::HeaderValue| value.to_str().unwrap());
        assert_eq!((get("etag"), get("x-ms-meta-k")), (Some("\"0xAB\""), Some("v")));
        assert_eq!(
            (get("x-ms-blob-public-access"), get("x-ms-has-legal-hold")),
            (Some("blob"), Some("false"))
        );
        assert_eq!(get("x-ms-immutable-storage-with-versioning-enabled"), Some("true"));
    }
}
