//! *Delete Entity*: removes an entity, if it is the version that the client has seen.

use super::key;
use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::table::change::{Changed, EntityChange, Outcome, expected};
use crate::table::{TableService, address};
use storage_engine::table::Change;

/// *Delete Entity*.
pub(crate) struct DeleteEntity;

impl Operation for DeleteEntity {
    type Service = TableService;
    type Request = EntityChange;
    type Response = Changed;

    fn decode(head: &Head, _: Payload) -> Result<EntityChange, StorageError> {
        let change = Change::Delete(expected(head)?);
        Ok(EntityChange { at: address(head)?, key: key(head)?, change, outcome: Outcome::Deleted })
    }

    async fn execute(service: &TableService, request: EntityChange) -> Result<Changed, StorageError> {
        request.execute(service).await
    }

    fn encode(response: Changed) -> http::Response<Body> {
        response.encode()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::table::Expected;

    fn decode(url: &str, headers: &[(&str, &str)]) -> Result<EntityChange, StorageError> {
        DeleteEntity::decode(&head(ServiceKind::Table, "DELETE", url, headers), Payload::None)
    }

    #[test]
    fn the_version_must_be_named() {
        let url = "/acc/tab(RowKey='a%2C''b',PartitionKey='')";
        let change = decode(url, &[("if-match", "*")]).unwrap();
        assert_eq!((change.key.partition.as_str(), change.key.row.as_str()), ("", "a,'b"));
        assert_eq!(change.change, Change::Delete(Expected::Existing));
        assert_eq!(decode(url, &[]).unwrap_err().code, ErrorCode::MissingRequiredHeader);
        let error = decode("/acc/tab('p')", &[("if-match", "*")]).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput);
    }
}
