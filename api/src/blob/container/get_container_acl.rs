//! *Get Container ACL*, by GET and by HEAD: anonymous access and the stored access policies.

use crate::blob::address::{self, ContainerAddress};
use crate::blob::{BlobService, headers};
use crate::body::{Body, Payload};
use crate::condition;
use crate::error::{ErrorCode, Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::service::policies;
use crate::version::{ADD_AND_CREATE, Version};
use storage_engine::blob::{ContainerAccess, LeaseId};
use storage_engine::policy::StoredPolicy;

pub(crate) struct GetContainerAcl;

/// Whose access, and in which version it is to be told.
pub(crate) struct Request {
    at: ContainerAddress,
    lease: Option<LeaseId>,
    version: Version,
}

/// Whether the policy has rights that old versions have no letters for: they would write it back without them.
fn adds_or_creates(policy: &StoredPolicy) -> bool {
    policy.permissions.as_deref().is_some_and(|letters| letters.contains(['a', 'c']))
}

impl Operation for GetContainerAcl {
    type Service = BlobService;
    type Request = Request;
    type Response = ContainerAccess;

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address::container(head)?, lease: condition::lease(head)?, version: head.version })
    }

    async fn execute(
        service: &BlobService,
        Request { at, lease, version }: Request,
    ) -> Result<ContainerAccess, StorageError> {
        let access = service.store.container_access(&at.account, &at.container, lease).await;
        let access = access.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        if version < ADD_AND_CREATE && access.policies.iter().any(adds_or_creates) {
            return Err(StorageError::new(ErrorCode::FeatureVersionMismatch));
        }
        Ok(access)
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

    #[test]
    fn only_rights_that_old_versions_lack_are_kept_from_them() {
        let of = |letters: &str| {
            adds_or_creates(&StoredPolicy {
                permissions: Some(letters.to_owned()),
                ..StoredPolicy::default()
            })
        };
        assert!(of("ra") && of("cw") && !of("rwdl") && !adds_or_creates(&StoredPolicy::default()));
    }

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
