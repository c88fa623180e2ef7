//! *Get Table ACL*: the stored access policies of a table.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::operation::Operation;
use crate::reply;
use crate::service::policies;
use crate::table::{TableService, address};
use storage_engine::policy::StoredPolicy;
use storage_engine::table::TableAddress;

/// *Get Table ACL*.
pub(crate) struct GetTableAcl;

impl Operation for GetTableAcl {
    type Service = TableService;
    type Request = TableAddress;
    type Response = Vec<StoredPolicy>;

    fn decode(head: &Head, _: Payload) -> Result<TableAddress, StorageError> {
        address(head)
    }

    async fn execute(service: &TableService, at: TableAddress) -> Result<Vec<StoredPolicy>, StorageError> {
        service.store.policies(&at).await.map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode(policies: Vec<StoredPolicy>) -> http::Response<Body> {
        reply::xml(policies::write(&policies))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::reply::tests::text;

    #[test]
    fn no_policies_are_an_empty_document() {
        let document = text(GetTableAcl::encode(Vec::new()));
        assert!(document.ends_with("<SignedIdentifiers></SignedIdentifiers>"), "{document}");
    }
}
