//! *Get Container Metadata*, by GET and by HEAD.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::{condition, metadata};
use storage_engine::blob::{Container, LeaseId, Stamp};

pub(crate) struct GetContainerMetadata;

impl Operation for GetContainerMetadata {
    type Service = BlobService;
    type Request = (ContainerAddress, Option<LeaseId>);
    type Response = Container;

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((address::container(head)?, condition::lease(head)?))
    }

    async fn execute(service: &BlobService, (at, lease): Self::Request) -> Result<Container, StorageError> {
        service
            .store
            .container(&at.account, &at.container, lease)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(container: Container) -> http::Response<Body> {
        let mut response =
            headers::stamped(Stamp { etag: container.etag, modified: container.modified, version: None });
        metadata::write(&container.metadata, &mut response);
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
    fn metadata_come_back_and_nothing_else_does() {
        let response = GetContainerMetadata::encode(Container {
            metadata: vec![("k".into(), "v".into())],
            public_access: PublicAccess::Blob,
            ..Container::new(ContainerName::parse("con").unwrap(), Etag(1), Timestamp::from_unix_seconds(0))
        });
        let mut names: Vec<_> = response.headers().keys().map(http::HeaderName::as_str).collect();
        names.sort_unstable();
        assert_eq!(names, ["etag", "last-modified", "x-ms-meta-k"]);
    }
}
