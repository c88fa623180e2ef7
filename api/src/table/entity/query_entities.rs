//! *Query Entities*: entities in the order of their keys, a page at a time.

use crate::auth::grant;
use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header::{self, answer};
use crate::odata::json::{Frame, write_entities};
use crate::odata::{self, continuation, filter, top};
use crate::operation::Operation;
use crate::reply;
use crate::table::{DATA_SERVICE_VERSION, TableService, address};
use storage_engine::table::{EntityPage, Query, TableAddress};

/// *Query Entities*.
pub(crate) struct QueryEntities;

/// Which entities, and how to tell them.
#[derive(Debug)]
pub(crate) struct Request {
    at: TableAddress,
    query: Query,
    frame: Frame,
}

impl Operation for QueryEntities {
    type Service = TableService;
    type Request = Request;
    type Response = (Frame, EntityPage);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        odata::refuse_options_but(&["$filter", "$format", "$select", "$top"], head)?;
        let at = address(head)?;
        let frame = Frame::new(head, at.table.as_str())?;
        let filter = filter::parse(head.query.get("$filter").unwrap_or_default())?;
        let keys = head.caller.grant().and_then(|grant| grant.keys.as_ref());
        let filter = grant::narrowed(filter, keys);
        let from = continuation::entity_key(&head.query)?;
        let query = Query { filter, from, limit: top(head)?, properties: frame.select.clone() };
        Ok(Request { at, query, frame })
    }

    async fn execute(service: &TableService, request: Request) -> Result<(Frame, EntityPage), StorageError> {
        let page = service.store.query(&request.at, request.query).await;
        let page = page.map_err(|error| StorageError::from_engine(error, Intent::Read))?;
        Ok((request.frame, page))
    }

    fn encode((frame, page): (Frame, EntityPage)) -> http::Response<Body> {
        let document = write_entities(&frame, &page.entities);
        let mut response = reply::document(frame.level.content_type(), document);
        reply::set(&mut response, answer::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        if let Some(next) = page.next {
            for (name, key) in [
                (header::X_MS_CONTINUATION_NEXT_PARTITION_KEY, &next.partition),
                (header::X_MS_CONTINUATION_NEXT_ROW_KEY, &next.row),
            ] {
                reply::set(&mut response, name, &continuation::print(key));
            }
        }
        response
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::error::ErrorCode;
    use crate::reply::tests::{text, value};
    use crate::target::ServiceKind;
    use crate::testing::head;
    use storage_engine::table::{EntityKey, Filter, Operand};

    fn decode(query: &str) -> Result<Request, StorageError> {
        let url = format!("/acc/tab(){query}");
        QueryEntities::decode(&head(ServiceKind::Table, "GET", &url, &[]), Payload::None)
    }

    #[test]
    fn filter_size_and_place_are_taken_from_the_query() {
        let request = decode("").unwrap();
        assert!(request.query.filter.is_none() && request.query.from.is_none());
        assert_eq!(request.query.limit, 1000);
        let request = decode("?$filter=A&$top=5&NextPartitionKey=1!8!U21pdGg-&NextRowKey=1!0!").unwrap();
        assert_eq!(request.query.filter, Some(Filter::Bare(Operand::Property("A".into()))));
        assert_eq!(request.query.limit, 5);
        assert_eq!(request.query.from.unwrap().partition, "Smith");
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for bad in ["?$filter=A%20eq", "?$top=1001", "?NextPartitionKey=Smith"] {
            assert_eq!(decode(bad).unwrap_err().code, ErrorCode::InvalidInput, "{bad}");
        }
    }

    #[test]
    fn an_empty_page_may_tell_where_to_go_on() {
        let next = Some(EntityKey { partition: "Smith".into(), row: String::new() });
        let page = EntityPage { entities: Vec::new(), next };
        let response = QueryEntities::encode((decode("").unwrap().frame, page));
        assert_eq!(value(&response, header::X_MS_CONTINUATION_NEXT_PARTITION_KEY), "1!8!U21pdGg-");
        assert_eq!(value(&response, header::X_MS_CONTINUATION_NEXT_ROW_KEY), "1!0!");
        assert!(text(response).ends_with(r#","value":[]}"#));
    }
}
