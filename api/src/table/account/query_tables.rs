//! *Query Tables*: the account's tables by name, a page at a time.

use crate::body::{Body, Payload};
use crate::error::{Intent, StorageError};
use crate::head::Head;
use crate::header;
use crate::odata::json::{Frame, write_tables};
use crate::odata::{self, continuation, filter, top};
use crate::operation::Operation;
use crate::reply;
use crate::table::{DATA_SERVICE_VERSION, TableService};
use storage_engine::blob::Page;
use storage_engine::name::{AccountName, TableName};
use storage_engine::table::Filter;

/// *Query Tables*.
pub(crate) struct QueryTables;

/// Which tables, and how to tell them.
#[derive(Debug)]
pub(crate) struct Request {
    account: AccountName,
    filter: Option<Filter>,
    after: Option<String>,
    limit: usize,
    frame: Frame,
}

impl Operation for QueryTables {
    type Service = TableService;
    type Request = Request;
    type Response = (Frame, Page<TableName>);

    fn decode(head: &Head, _: Payload) -> Result<Request, StorageError> {
        odata::refuse_options_but(&["$filter", "$format", "$select", "$top"], head)?;
        Ok(Request {
            account: head.account.clone(),
            filter: filter::parse(head.query.get("$filter").unwrap_or_default())?,
            after: continuation::text(&head.query, "NextTableName")?,
            limit: top(head)?,
            frame: Frame::new(head, "")?,
        })
    }

    async fn execute(
        service: &TableService,
        request: Request,
    ) -> Result<(Frame, Page<TableName>), StorageError> {
        let Request { account, filter, after, limit, frame } = request;
        let page = service.store.list(&account, filter, after, limit).await;
        page.map(|page| (frame, page)).map_err(|error| StorageError::from_engine(error, Intent::Read))
    }

    fn encode((frame, page): (Frame, Page<TableName>)) -> http::Response<Body> {
        let names: Vec<_> = page.entries.iter().map(TableName::as_str).collect();
        let mut response = reply::document(frame.level.content_type(), write_tables(&frame, &names));
        reply::set(&mut response, header::DATA_SERVICE_VERSION, DATA_SERVICE_VERSION);
        if let Some(next) = page.next {
            // Names of tables are ASCII, so nothing is replaced here.
            let token = continuation::print(&String::from_utf8_lossy(&next));
            reply::set(&mut response, header::X_MS_CONTINUATION_NEXT_TABLE_NAME, &token);
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

    fn decode(query: &str) -> Result<Request, StorageError> {
        let accept = [("accept", "application/json;odata=nometadata")];
        let sent = head(ServiceKind::Table, "GET", &format!("/acc/Tables{query}"), &accept);
        QueryTables::decode(&sent, Payload::None)
    }

    #[test]
    fn a_page_goes_on_where_the_one_before_ended() {
        let request = decode("?$filter=TableName%20ge%20'a'&$top=2&NextTableName=1!4!dGFi").unwrap();
        assert!(request.filter.is_some());
        assert_eq!((request.after.as_deref(), request.limit), (Some("tab"), 2));
        let page = Page { entries: vec![TableName::parse("Tab").unwrap()], next: Some(b"tab".to_vec()) };
        let response = QueryTables::encode((request.frame, page));
        assert_eq!(value(&response, header::X_MS_CONTINUATION_NEXT_TABLE_NAME), "1!4!dGFi");
        assert_eq!(text(response), r#"{"value":[{"TableName":"Tab"}]}"#);
    }

    #[test]
    fn what_cannot_be_understood_is_refused() {
        for bad in ["?$filter=(", "?$top=0", "?NextTableName=tab"] {
            assert_eq!(decode(bad).unwrap_err().code, ErrorCode::InvalidInput, "{bad}");
        }
    }
}
