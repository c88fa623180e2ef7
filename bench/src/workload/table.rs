//! Tables: inserts alone and by the hundred, point reads and range queries.
//!
//! Inserts spread over a few partition keys, all connections together, with row keys in no order. Reads use
//! a table of filled partitions of a thousand rows, of which a query asks for a hundred in a row. Scans and
//! filters use one partition that holds everything: a scan asks for a full page anywhere in it, a filter for the
//! one row with a certain number, to find which a server without indexes has to look at every row.

use super::{Kind, Seat, Stage, expect_equal};
use crate::client::{Call, Connection, Failure, Keep};
use crate::random::mix;
use bytes::Bytes;
use http::Method;
use std::fmt::Write as _;

const BATCH_ROWS: u64 = 100;
const PARTITION_ROWS: u64 = 1_000;

const BODY_HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json;odata=nometadata"),
    ("content-type", "application/json"),
    ("dataserviceversion", "3.0;NetFx"),
    ("prefer", "return-no-content"),
];
const READ_HEADERS: &[(&str, &str)] =
    &[("accept", "application/json;odata=nometadata"), ("dataserviceversion", "3.0;NetFx")];
const BATCH_HEADERS: &[(&str, &str)] = &[
    ("accept", "application/json;odata=nometadata"),
    ("content-type", "multipart/mixed; boundary=batch_bench"),
    ("dataserviceversion", "3.0;NetFx"),
];

/// Creates the stage's table.
pub(super) async fn create(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    let body = format!("{{\"TableName\":\"{}\"}}", stage.name).into();
    let call = Call { method: Method::POST, path: "/Tables", query: &[], headers: BODY_HEADERS, body };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// Deletes the stage's table with all in it.
pub(super) async fn remove(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    let path = format!("/Tables('{}')", stage.name);
    let call =
        Call { method: Method::DELETE, path: &path, query: &[], headers: READ_HEADERS, body: Bytes::new() };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// How many batches fill the table before the first operation.
pub(super) fn fill_steps(stage: &Stage) -> u64 {
    match stage.order.kind {
        Kind::GetEntity | Kind::QueryEntities => filled_partitions(stage) * PARTITION_ROWS / BATCH_ROWS,
        Kind::ScanEntities | Kind::FilterEntities => wide_rows(stage) / BATCH_ROWS,
        _ => 0,
    }
}

/// Rows of the one partition of scans and filters: a page at least.
fn wide_rows(stage: &Stage) -> u64 {
    stage.furniture.prefill.max(PARTITION_ROWS).next_multiple_of(BATCH_ROWS)
}

fn filled_partitions(stage: &Stage) -> u64 {
    stage.furniture.prefill.div_ceil(PARTITION_ROWS)
}

/// Inserts one of the batches that have to exist.
pub(super) async fn fill_step(stage: &Stage, connection: &mut Connection, step: u64) -> Result<(), Failure> {
    let rows = match stage.order.kind {
        Kind::ScanEntities | Kind::FilterEntities => u64::MAX,
        _ => PARTITION_ROWS,
    };
    let partition = step * BATCH_ROWS / rows;
    let first = step * BATCH_ROWS % rows;
    send_batch(stage, connection, partition, (first..first + BATCH_ROWS).map(|row| format!("{row:08}"))).await
}

fn entity(stage: &Stage, partition: u64, row: &str, target: &mut String) {
    // Writing into a String cannot fail.
    write!(
        target,
        "{{\"PartitionKey\":\"p{partition:05}\",\"RowKey\":\"{row}\",\"Count\":{partition},\"Text\":\"{}\",\"Number\":{}}}",
        stage.text,
        row.parse::<u32>().unwrap_or(0)
    )
    .ok();
}

/// One transaction that inserts `rows` into `partition`.
fn batch_body(stage: &Stage, partition: u64, rows: impl Iterator<Item = String>) -> String {
    let url = stage.subject.endpoint(stage.service()).url(&format!("/{}", stage.name));
    let mut body = String::with_capacity(128 * (stage.order.size_bytes + 400));
    body.push_str("--batch_bench\r\nContent-Type: multipart/mixed; boundary=changeset_bench\r\n\r\n");
    let mut part = String::new();
    for row in rows {
        part.clear();
        entity(stage, partition, &row, &mut part);
        write!(
            body,
            "--changeset_bench\r\nContent-Type: application/http\r\nContent-Transfer-Encoding: binary\r\n\r\n\
             POST {url} HTTP/1.1\r\nContent-Type: application/json\r\n\
             Accept: application/json;odata=nometadata\r\nPrefer: return-no-content\r\n\
             DataServiceVersion: 3.0;\r\nContent-Length: {}\r\n\r\n{part}\r\n",
            part.len()
        )
        .ok();
    }
    body.push_str("--changeset_bench--\r\n--batch_bench--\r\n");
    body
}

async fn send_batch(
    stage: &Stage,
    connection: &mut Connection,
    partition: u64,
    rows: impl Iterator<Item = String>,
) -> Result<(), Failure> {
    let body = batch_body(stage, partition, rows).into();
    let call = Call { method: Method::POST, path: "/$batch", query: &[], headers: BATCH_HEADERS, body };
    let reply = connection.send(&call, Keep::Body).await?;
    let inserted = reply.text().matches("HTTP/1.1 20").count() as u64;
    if inserted != BATCH_ROWS {
        let start: String = reply.text().chars().take(600).collect();
        return Err(Failure::Wrong(format!("{inserted} of {BATCH_ROWS} rows inserted: {start}")));
    }
    Ok(())
}

/// Insert Entity.
pub(super) async fn insert(seat: &mut Seat) -> Result<u64, Failure> {
    let row = format!("{:016x}", mix(seat.next_unique()));
    let path = format!("/{}", seat.stage.name);
    let partition = seat.random.below(seat.stage.furniture.partitions);
    let mut body = String::with_capacity(seat.stage.text.len() + 100);
    entity(&seat.stage, partition, &row, &mut body);
    let body = body.into();
    let call = Call { method: Method::POST, path: &path, query: &[], headers: BODY_HEADERS, body };
    seat.send(&call, Keep::Length).await?;
    Ok(seat.stage.payload_bytes())
}

/// One transaction of a hundred inserts.
pub(super) async fn batch(seat: &mut Seat) -> Result<u64, Failure> {
    let first = seat.next_unique();
    let partition = seat.random.below(seat.stage.furniture.partitions);
    let rows = (0..BATCH_ROWS).map(|row| format!("{:016x}{row:02}", mix(first)));
    send_batch(&seat.stage, &mut seat.connection, partition, rows).await?;
    Ok(seat.stage.payload_bytes() * BATCH_ROWS)
}

/// Get Entity by its two keys.
pub(super) async fn get(seat: &mut Seat) -> Result<u64, Failure> {
    let partition = seat.random.below(filled_partitions(&seat.stage));
    let row = seat.random.below(PARTITION_ROWS);
    let path = format!("/{}(PartitionKey='p{partition:05}',RowKey='{row:08}')", seat.stage.name);
    let (headers, body) = (READ_HEADERS, Bytes::new());
    let call = Call { method: Method::GET, path: &path, query: &[], headers, body };
    let reply = seat.send(&call, Keep::Body).await?;
    expect_equal("entities", u64::from(reply.text().contains(&seat.stage.text)), 1)?;
    Ok(reply.length)
}

/// Query Entities for a hundred rows of one partition.
pub(super) async fn query(seat: &mut Seat) -> Result<u64, Failure> {
    let partition = seat.random.below(filled_partitions(&seat.stage));
    let row = seat.random.below(PARTITION_ROWS - BATCH_ROWS);
    rows(seat, partition, row, BATCH_ROWS).await
}

/// Query Entities for a page of a thousand rows of one large partition.
pub(super) async fn scan(seat: &mut Seat) -> Result<u64, Failure> {
    let row = seat.random.below(wide_rows(&seat.stage) - PARTITION_ROWS + 1);
    rows(seat, 0, row, PARTITION_ROWS).await
}

/// Asks for so many rows of a partition, from one on.
async fn rows(seat: &mut Seat, partition: u64, row: u64, count: u64) -> Result<u64, Failure> {
    let end = row + count;
    let filter =
        format!("PartitionKey eq 'p{partition:05}' and RowKey ge '{row:08}' and RowKey lt '{end:08}'");
    let path = format!("/{}()", seat.stage.name);
    let query = &[("$filter", filter.as_str())];
    let call = Call { method: Method::GET, path: &path, query, headers: READ_HEADERS, body: Bytes::new() };
    let reply = seat.send(&call, Keep::Body).await?;
    expect_equal("entities", reply.text().matches("\"RowKey\"").count() as u64, count)?;
    Ok(reply.length)
}

/// Query Entities by a property that no key tells, over the whole of one large partition, page after page.
pub(super) async fn filter(seat: &mut Seat) -> Result<u64, Failure> {
    let wanted = seat.random.below(wide_rows(&seat.stage));
    let filter = format!("PartitionKey eq 'p00000' and Number eq {wanted}");
    let path = format!("/{}()", seat.stage.name);
    let (mut next, mut found, mut length) = (None::<(String, String)>, 0, 0);
    loop {
        let mut query = vec![("$filter", filter.as_str())];
        if let Some((partition, row)) = &next {
            query.extend([("NextPartitionKey", partition.as_str()), ("NextRowKey", row.as_str())]);
        }
        let (headers, body) = (READ_HEADERS, Bytes::new());
        let call = Call { method: Method::GET, path: &path, query: &query, headers, body };
        let reply = seat.send(&call, Keep::Whole).await?;
        found += reply.text().matches("\"RowKey\"").count() as u64;
        length += reply.length;
        let token = |name| reply.header(name).unwrap_or_default().to_owned();
        let partition = token("x-ms-continuation-nextpartitionkey");
        if partition.is_empty() {
            expect_equal("entities", found, 1)?;
            return Ok(length);
        }
        next = Some((partition, token("x-ms-continuation-nextrowkey")));
    }
}

#[cfg(test)]
mod tests {
    use super::super::tests::stage;
    use super::*;

    #[test]
    fn an_entity_is_json_with_its_keys() {
        let mut text = String::new();
        entity(&stage("insert-entity:40"), 7, "r1", &mut text);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["PartitionKey"], "p00007");
        assert_eq!(json["RowKey"], "r1");
        assert_eq!(json["Text"].as_str().unwrap().len(), 40);
    }

    #[test]
    fn the_parts_of_a_batch_state_their_lengths() {
        let stage = stage("batch-entities:10");
        let body = batch_body(&stage, 1, ["a", "b"].into_iter().map(str::to_owned));
        let parts: Vec<_> = body.split("--changeset_bench\r\n").skip(1).collect();
        assert_eq!(parts.len(), 2);
        for part in parts {
            let (head, rest) = part.split_once("Content-Length: ").unwrap();
            assert!(head.contains("POST http://127.0.0.1:10002/devstoreaccount1/bench1 HTTP/1.1\r\n"));
            let (length, json) = rest.split_once("\r\n\r\n").unwrap();
            assert_eq!(json.split("\r\n").next().unwrap().len(), length.parse::<usize>().unwrap());
        }
        assert!(body.ends_with("--changeset_bench--\r\n--batch_bench--\r\n"));
    }

    #[test]
    fn the_table_is_filled_in_whole_partitions() {
        let mut stage = stage("get-entity");
        assert_eq!(fill_steps(&stage), 50);
        stage.furniture.prefill = 1_001;
        assert_eq!(fill_steps(&stage), 20);
    }

    #[test]
    fn the_wide_partition_is_filled_in_whole_batches_of_numbered_rows() {
        let mut stage = stage("filter-entities");
        assert_eq!(fill_steps(&stage), 50);
        stage.furniture.prefill = 1;
        assert_eq!(fill_steps(&stage), 10);
        let mut text = String::new();
        entity(&stage, 0, "00000042", &mut text);
        let json: serde_json::Value = serde_json::from_str(&text).unwrap();
        assert_eq!(json["Number"], 42);
    }
}
