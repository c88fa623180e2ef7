//! *Get Queue ACL*, *Get Table ACL*: the stored access policies of a resource.

use super::policies::{self, PolicyHolder};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use std::marker::PhantomData;
use storage_engine::policy::StoredPolicy;

/// *Get Queue ACL*, *Get Table ACL*.
pub(crate) struct GetAcl<S>(PhantomData<S>);

impl<S: PolicyHolder> Operation for GetAcl<S> {
    type Service = S;
    type Request = S::Address;
    type Response = Vec<StoredPolicy>;

    fn decode(head: &Head, _: Payload) -> Result<S::Address, StorageError> {
        S::address(head)
    }

    async fn execute(service: &S, at: S::Address) -> Result<Vec<StoredPolicy>, StorageError> {
        service.policies(&at).await.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(policies: Vec<StoredPolicy>) -> http::Response<Body> {
        reply::xml(policies::write(&policies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::QueueService;
    use crate::reply::tests::text;

    #[test]
    fn no_policies_are_an_empty_document() {
        let document = text(GetAcl::<QueueService>::encode(Vec::new()));
        assert!(document.ends_with("<SignedIdentifiers></SignedIdentifiers>"), "{document}");
    }
}
