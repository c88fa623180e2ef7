//! *Insert Or Merge Entity*: makes an entity, or sets some properties of the one that is there.

use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::table::TableService;
use crate::table::change::{Changed, EntityChange};
use storage_engine::table::{Change, Expected};

/// *Insert Or Merge Entity*.
pub(crate) struct InsertOrMergeEntity;

impl Operation for InsertOrMergeEntity {
    type Service = TableService;
    type Request = EntityChange;
    type Response = Changed;

    fn decode(head: &Head, body: Payload) -> Result<EntityChange, StorageError> {
        EntityChange::decode(head, body, |properties| Change::Merge(Expected::Whatever, properties))
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
    use storage_engine::table::Value;

    fn decode(headers: &[(&str, &str)], body: &'static str) -> Result<EntityChange, StorageError> {
        let url = "/acc/tab(PartitionKey='p',RowKey='r')";
        InsertOrMergeEntity::decode(
            &head(ServiceKind::Table, "PATCH", url, headers),
            Payload::Whole(body.into()),
        )
    }

    #[test]
    fn any_version_will_do_and_none_as_well() {
        let change = decode(&[], r#"{"A":1,"B":null}"#).unwrap();
        assert_eq!((change.key.partition.as_str(), change.key.row.as_str()), ("p", "r"));
        let properties = vec![("A".to_owned(), Value::Int32(1))];
        assert_eq!(change.change, Change::Merge(Expected::Whatever, properties));
    }

    #[test]
    fn a_body_that_is_no_entity_is_refused() {
        assert_eq!(decode(&[], "[]").unwrap_err().code, ErrorCode::InvalidInput);
    }
}
