//! The parts of an entity group transaction, read as the requests that they stand for.
//!
//! A part gets a head of its own, made of its line and headers and, for the rest, of the head of the batch; then
//! the table of operations says which one it is, and that one's own function decodes it. So a part can never mean
//! anything else than the same request would mean by itself.

use super::TableService;
use super::change::{EntityChange, Outcome};
use super::entity::{DeleteEntity, InsertEntity, Merge, Replace, Seen, Whatever, WriteEntity};
use super::operations::OPERATIONS;
use crate::auth::permit;
use crate::body::Payload;
use crate::error::{ErrorCode, StorageError};
use crate::head::Head;
use crate::multipart::{self, SubRequest, read_request};
use crate::odata::invalid;
use crate::operation::{Operation, Row, resolve};
use crate::target::ServiceKind;
use bytes::Bytes;
use http::HeaderValue;
use std::collections::HashSet;
use storage_engine::table::{Change, TableAddress};

/// Most changes of one batch.
const CHANGES_MAX: usize = 100;

/// The changes of a batch, all of one partition.
#[derive(Debug)]
pub(super) struct Changes {
    /// The table.
    pub(super) at: TableAddress,
    /// The partition.
    pub(super) partition: String,
    /// Row keys and what happens to them.
    pub(super) by_row: Vec<(String, Change)>,
    /// What the client calls each, and what it is to be answered.
    pub(super) outcomes: Vec<(Option<HeaderValue>, Outcome)>,
}

/// Reads the parts of a change set.
///
/// # Errors
/// The error of the first part that is wrong, by itself or beside those before it, with its index.
pub(super) fn changes(head: &Head, parts: &[Bytes]) -> Result<Changes, StorageError> {
    let mut all: Option<Changes> = None;
    let mut rows = HashSet::new();
    for (index, part) in parts.iter().enumerate() {
        let at_index = |mut error: StorageError| {
            error.index = Some(index);
            error
        };
        if index >= CHANGES_MAX {
            // The service counts from 0 here as well: the last one that is allowed is number 99.
            let mut error = invalid(format_args!("A change set may have {CHANGES_MAX} changes."));
            error.index = Some(CHANGES_MAX - 1);
            return Err(error);
        }
        let request = read_request(part).map_err(at_index)?;
        let content_id = request.content_id.clone();
        let EntityChange { at, key, change, outcome } = decode(head, request).map_err(at_index)?;
        let all = all.get_or_insert_with(|| Changes {
            at: at.clone(),
            partition: key.partition.clone(),
            by_row: Vec::with_capacity(parts.len()),
            outcomes: Vec::with_capacity(parts.len()),
        });
        if all.at.table.folded() != at.table.folded() {
            return Err(at_index(invalid("All changes must be made in one table.")));
        }
        if all.partition != key.partition {
            return Err(at_index(StorageError::new(ErrorCode::CommandsInBatchActOnDifferentPartitions)));
        }
        if !rows.insert(key.row.clone()) {
            return Err(at_index(StorageError::new(ErrorCode::InvalidDuplicateRow)));
        }
        all.by_row.push((key.row, change));
        all.outcomes.push((content_id, outcome));
    }
    all.ok_or_else(|| invalid("The change set is empty."))
}

fn decode(outer: &Head, request: SubRequest) -> Result<EntityChange, StorageError> {
    let body = Payload::Whole(request.body.clone());
    let mut head = head(outer, request)?;
    let row = resolve(OPERATIONS, &head)?;
    permit::admit(row.asked(ServiceKind::Table), &mut head)?;
    match row.name {
        "InsertEntity" => InsertEntity::decode(&head, body),
        "UpdateEntity" => WriteEntity::<Replace, Seen>::decode(&head, body),
        "MergeEntity" => WriteEntity::<Merge, Seen>::decode(&head, body),
        "InsertOrReplaceEntity" => WriteEntity::<Replace, Whatever>::decode(&head, body),
        "InsertOrMergeEntity" => WriteEntity::<Merge, Whatever>::decode(&head, body),
        "DeleteEntity" => DeleteEntity::decode(&head, body),
        _ => Err(invalid("A change set may only have changes of entities.")),
    }
}

/// The row of the query that stands alone in a batch, with its head.
///
/// # Errors
/// `InvalidInput` if it is not a query of entities.
pub(super) fn query(
    outer: &Head,
    request: SubRequest,
) -> Result<(&'static Row<TableService>, Head), StorageError> {
    let mut head = head(outer, request)?;
    let row = resolve(OPERATIONS, &head)?;
    if matches!(row.name, "QueryEntity" | "QueryEntities") {
        permit::admit(row.asked(ServiceKind::Table), &mut head)?;
        Ok((row, head))
    } else {
        Err(invalid("Outside a change set a batch may only have a query of entities."))
    }
}

/// The head of a request inside a batch, sent by whoever sent the batch.
fn head(outer: &Head, request: SubRequest) -> Result<Head, StorageError> {
    let mut head = multipart::part::head(outer, request)?;
    head.caller = outer.caller.clone();
    Ok(head)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing;

    fn outer(host_style: bool) -> Head {
        let url = if host_style { "http://acc.table.localhost/$batch" } else { "http://h/acc/$batch" };
        let host = if host_style { "acc.table.localhost" } else { "h" };
        testing::head(ServiceKind::Table, "POST", url, &[("host", host)])
    }

    fn insert(url: &str, partition: &str, row: &str) -> Bytes {
        let body = format!(r#"{{"PartitionKey":"{partition}","RowKey":"{row}"}}"#);
        format!("Content-Type: application/http\r\n\r\nPOST {url} HTTP/1.1\r\nPrefer: return-no-content\r\n\r\n{body}").into()
    }

    fn error(parts: &[Bytes]) -> (ErrorCode, Option<usize>) {
        let error = changes(&outer(false), parts).unwrap_err();
        (error.code, error.index)
    }

    #[test]
    fn addresses_may_be_absolute_or_begin_anywhere_in_the_path() {
        for url in ["http://other:1/acc/tab", "https://h/acc/tab", "/acc/tab", "/tab", "tab", "acc/tab?x=1"] {
            let changes = changes(&outer(false), &[insert(url, "p", "r")]).unwrap();
            assert_eq!(changes.at.table.as_str(), "tab", "{url}");
        }
        for url in ["http://acc.table.localhost/tab", "/tab", "tab"] {
            let changes = changes(&outer(true), &[insert(url, "p", "r")]).unwrap();
            assert_eq!((changes.at.account.as_str(), changes.at.table.as_str()), ("acc", "tab"), "{url}");
        }
        assert_eq!(error(&[insert("http://h/other/tab", "p", "r")]), (ErrorCode::InvalidInput, Some(0)));
    }

    #[test]
    fn every_kind_of_change_is_read_as_by_itself() {
        let at = "/acc/tab(PartitionKey='p',RowKey='";
        let with_body = |method: &str, row: &str, headers: &str| {
            Bytes::from(format!("\r\n{method} {at}{row}') HTTP/1.1\r\n{headers}\r\n{{\"A\":1}}"))
        };
        let parts = [
            insert("/acc/Tab", "p", "0"),
            with_body("PUT", "1", "If-Match: *\r\nContent-ID: 1\r\n"),
            with_body("PUT", "2", ""),
            with_body("MERGE", "3", "If-Match: *\r\n"),
            with_body("PATCH", "4", ""),
            with_body("DELETE", "5", "If-Match: *\r\n"),
        ];
        let read = changes(&outer(false), &parts).unwrap();
        let rows: Vec<_> = read.by_row.iter().map(|(row, _)| row.as_str()).collect();
        assert_eq!(rows, ["0", "1", "2", "3", "4", "5"]);
        assert!(
            matches!(read.by_row[3].1, Change::Merge(..)) && matches!(read.by_row[5].1, Change::Delete(_))
        );
        assert_eq!(read.outcomes[1].0.as_ref().unwrap(), "1");
        let meant = with_body("POST", "6", "X-HTTP-Method: MERGE\r\nIf-Match: *\r\n");
        let meant = changes(&outer(false), &[parts[0].clone(), meant]).unwrap();
        assert!(matches!(meant.by_row[1].1, Change::Merge(storage_engine::table::Expected::Existing, _)));
        let unguarded = with_body("DELETE", "6", "");
        assert_eq!(error(&[parts[0].clone(), unguarded]), (ErrorCode::MissingRequiredHeader, Some(1)));
    }

    #[test]
    fn changes_must_be_of_one_partition_and_each_of_another_entity() {
        let first = insert("/acc/tab", "p", "r");
        let different = (ErrorCode::CommandsInBatchActOnDifferentPartitions, Some(1));
        assert_eq!(error(&[first.clone(), insert("/acc/tab", "q", "s")]), different);
        let duplicate = (ErrorCode::InvalidDuplicateRow, Some(2));
        assert_eq!(error(&[first.clone(), insert("/acc/tab", "p", "s"), first.clone()]), duplicate);
        let table = (ErrorCode::InvalidInput, Some(1));
        assert_eq!(error(&[first.clone(), insert("/acc/other", "p", "s")]), table);
        let query = Bytes::from_static(b"\r\nGET /acc/tab() HTTP/1.1\r\n\r\n");
        assert_eq!(error(&[first, query]), (ErrorCode::InvalidInput, Some(1)));
    }

    #[test]
    fn a_hundred_changes_are_enough() {
        let parts: Vec<_> = (0..101).map(|row| insert("/acc/tab", "p", &row.to_string())).collect();
        assert_eq!(changes(&outer(false), &parts[..100]).unwrap().by_row.len(), 100);
        assert_eq!(error(&parts), (ErrorCode::InvalidInput, Some(99)));
        assert_eq!(error(&[]), (ErrorCode::InvalidInput, None));
    }

    #[test]
    fn only_queries_of_entities_stand_alone() {
        let request = |line: &str| read_request(&Bytes::from(format!("\r\n{line} HTTP/1.1\r\n"))).unwrap();
        let (row, head) = query(&outer(false), request("GET /acc/tab()?$filter=A eq 1")).unwrap();
        assert_eq!((row.name, head.query.get("$filter")), ("QueryEntities", Some("A eq 1")));
        for line in ["POST /acc/tab", "GET /acc/Tables", "POST /acc/$batch"] {
            assert_eq!(
                query(&outer(false), request(line)).err().unwrap().code,
                ErrorCode::InvalidInput,
                "{line}"
            );
        }
    }
}
