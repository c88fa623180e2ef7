//! *Get Container ACL*, by GET and by HEAD: anonymous access and the stored access policies.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::service::policies;
use storage_engine::blob::{ContainerAccess, LeaseId};

pub(crate) struct GetContainerAcl;

impl Operation for GetContainerAcl {
    type Service = BlobService;
    type Request = (ContainerAddress, Option<LeaseId>);
    type Response = ContainerAccess;

    fn decode(head: &Head, _: Payload) -> Result<Self::Request, StorageError> {
        Ok((address::container(head)?, condition::lease(head)?))
    }

    async fn execute(
        service: &BlobService,
        (at, lease): Self::Request,
    ) -> Result<ContainerAccess, StorageError> {
        service
            .store
            .container_access(&at.account, &at.container, lease)
            .await
            .map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(access: ContainerAccess) -> http::Response<Body> {
        let mut response = headers::document(policies::write(&access.policies));
        headers::set_stamp(response.headers_mut(), access.stamp);
        headers::set_public_access(response.headers_mut(), access.public_access);
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::header;
    use crate::reply::tests::{text, value};
    use storage_engine::blob::{PublicAccess, Stamp};
    use storage_engine::clock::{Etag, Timestamp};
    use storage_engine::policy::StoredPolicy;

    #[test]
    fn access_is_a_header_and_policies_are_the_document() {
        let stamp = Stamp { etag: Etag(16), modified: Timestamp::from_unix_seconds(0), version: None };
        let policies = vec![StoredPolicy { id: "one".to_owned(), ..StoredPolicy::default() }];
        let of = |public_access| {
            GetContainerAcl::encode(ContainerAccess { stamp, public_access, policies: policies.clone() })
        };
        let response = of(PublicAccess::Blob);
        assert_eq!(value(&response, header::X_MS_BLOB_PUBLIC_ACCESS), "blob");
        assert_eq!(value(&response, header::ETAG), "\"0x10\"");
        assert!(text(response).contains("<Id>one</Id>"));
        assert_eq!(value(&of(PublicAccess::None), header::X_MS_BLOB_PUBLIC_ACCESS), "");
    }
}
