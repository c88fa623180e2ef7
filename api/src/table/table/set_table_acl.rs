//! *Set Table ACL*: replaces the stored access policies of a table.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::service::policies::{self, TABLE_LETTERS};
use crate::table::{TableService, address};
use storage_engine::policy::StoredPolicy;
use storage_engine::table::TableAddress;

/// *Set Table ACL*.
pub(crate) struct SetTableAcl;

/// Which table, and its policies from now on.
#[derive(Debug)]
pub(crate) struct Request {
    at: TableAddress,
    policies: Vec<StoredPolicy>,
}

impl Operation for SetTableAcl {
    type Service = TableService;
    type Request = Request;
    type Response = ();

    fn decode(head: &Head, body: Payload) -> Result<Request, StorageError> {
        Ok(Request { at: address(head)?, policies: policies::read(&body.whole(), TABLE_LETTERS)? })
    }

    async fn execute(service: &TableService, request: Request) -> Result<(), StorageError> {
        let set = service.store.set_policies(&request.at, request.policies).await;
        set.map_err(|error| StorageError::from_engine(error, Intent::Write))
    }

    fn encode((): ()) -> http::Response<Body> {
        reply::empty()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::target::ServiceKind;
    use crate::testing::head;

    #[test]
    fn permissions_are_those_of_a_table() {
        let decode = |letters: &str| {
            let document = format!(
                "<SignedIdentifiers><SignedIdentifier><Id>a</Id><AccessPolicy><Permission>{letters}</Permission>\
                 </AccessPolicy></SignedIdentifier></SignedIdentifiers>"
            );
            let sent = head(ServiceKind::Table, "PUT", "/acc/tab?comp=acl", &[]);
            SetTableAcl::decode(&sent, Payload::Whole(document.into()))
        };
        assert_eq!(decode(TABLE_LETTERS).unwrap().policies.len(), 1);
        assert!(decode("rl").is_err());
    }
}
