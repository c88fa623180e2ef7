//! *Update Entity*: replaces an entity, if it is the version that the client has seen.

use crate::body::{Body, Payload};
use crate::error::StorageError;
use crate::head::Head;
use crate::operation::Operation;
use crate::table::TableService;
use crate::table::change::{Changed, EntityChange, expected};
use storage_engine::table::Change;

/// *Update Entity*.
pub(crate) struct UpdateEntity;

impl Operation for UpdateEntity {
    type Service = TableService;
    type Request = EntityChange;
    type Response = Changed;

    fn decode(head: &Head, body: Payload) -> Result<EntityChange, StorageError> {
        let expected = expected(head)?;
        EntityChange::decode(head, body, |properties| Change::Replace(expected, properties))
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
    use storage_engine::table::{Expected, Value};

    fn decode(headers: &[(&str, &str)], body: &'static str) -> Result<EntityChange, StorageError> {
        let url = "/acc/tab(PartitionKey='p',RowKey='r')";
        UpdateEntity::decode(&head(ServiceKind::Table, "PUT", url, headers), Payload::Whole(body.into()))
    }

    #[test]
    fn the_version_is_that_of_the_header_which_must_be_there() {
        let properties = vec![("A".to_owned(), Value::Int32(1))];
        let change = decode(&[("if-match", "*")], r#"{"A":1}"#).unwrap();
        assert_eq!((change.key.partition.as_str(), change.key.row.as_str()), ("p", "r"));
        assert_eq!(change.change, Change::Replace(Expected::Existing, properties));
        let error = decode(&[("if-match", "W/\"x\"")], r#"{"A":1}"#).unwrap_err();
        assert_eq!(error.code, ErrorCode::InvalidInput);
        let error = decode(&[("if-match", "")], "{}").unwrap_err();
        assert_eq!(error.code, ErrorCode::MissingRequiredHeader);
    }

    #[test]
    fn a_body_that_is_no_entity_is_refused() {
        assert_eq!(decode(&[("if-match", "*")], "").unwrap_err().code, ErrorCode::InvalidInput);
    }
}
