//! *Set Queue ACL*, *Set Table ACL*: replaces the stored access policies of a resource.

use super::policies::{self, PolicyHolder};
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use std::marker::PhantomData;
use storage_engine::policy::StoredPolicy;

/// *Set Queue ACL*, *Set Table ACL*.
pub(crate) struct SetAcl<S>(PhantomData<S>);

impl<S: PolicyHolder> Operation for SetAcl<S> {
    type Service = S;
    /// The resource, and its policies from now on.
    type Request = (S::Address, Vec<StoredPolicy>);
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Self::Request, StorageError> {
        Ok((S::address(head)?, policies::read(&body.whole(), S::LETTERS)?))
    }

    async fn execute(service: &S, (at, policies): Self::Request) -> Result<(), StorageError> {
        let set = service.set_policies(&at, policies).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::queue::QueueService;
    use crate::table::TableService;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn permissions_are_those_of_the_resource() {
        fn decode<S: PolicyHolder>(kind: ServiceKind, letters: &str) -> Option<usize> {
            let document = format!(
                "<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy><Permission>{letters}</Permission>\
                 </AccessPolicy></SignedIdentifier></SignedIdentifiers>"
            );
            let sent = head(kind, "PUT", "/acc/name?comp=acl", &[]);
            let decoded = SetAcl::<S>::decode(&sent, Payload::Whole(document.into()));
            decoded.ok().map(|(_, policies)| policies.len())
        }
        let of_queue = |letters| decode::<QueueService>(ServiceKind::Queue, letters);
        let of_table = |letters| decode::<TableService>(ServiceKind::Table, letters);
        assert_eq!((of_queue("raup"), of_queue("raud"), of_queue("rl")), (Some(1), None, None));
        assert_eq!((of_table("raud"), of_table("raup"), of_table("rl")), (Some(1), None, None));
    }
}
