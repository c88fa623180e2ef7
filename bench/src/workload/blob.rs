//! Blobs: whole puts, staged puts, gets and listings.
//!
//! Puts go to scattered names, because applications' names are rarely sorted. So that a long run of large
//! blobs does not fill the disk, puts of large ones start to overwrite once their names hold a GiB.

use super::{Kind, Seat, Stage, between, expect_equal, scale};
use crate::client::{Call, Connection, Failure, Keep};
use crate::random::mix;
use bytes::Bytes;
use http::Method;

const LARGE_BYTES: usize = 256 << 10;
const LIVE_BYTES_MAX: u64 = 1 << 30;
const POOL_BYTES_MAX: u64 = 256 << 20;
const PAGE_BLOBS_MAX: u64 = 5_000;
/// The one block of a staged put; ids are Base64 of any bytes.
const BLOCK_ID: &str = "YmVuY2gtMDAx";
const BLOCK_LIST: &[u8] =
    b"<?xml version=\"1.0\" encoding=\"utf-8\"?><BlockList><Latest>YmVuY2gtMDAx</Latest></BlockList>";

const PUT_HEADERS: &[(&str, &str)] =
    &[("content-type", "application/octet-stream"), ("x-ms-blob-type", "BlockBlob")];

/// Creates the stage's container, and the volume if it is to hold one.
pub(super) async fn create(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    container(stage, connection, Method::PUT).await?;
    scale::create(stage, connection).await
}

/// Deletes the stage's container with all in it.
pub(super) async fn remove(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    container(stage, connection, Method::DELETE).await
}

async fn container(stage: &Stage, connection: &mut Connection, method: Method) -> Result<(), Failure> {
    let path = format!("/{}", stage.name);
    let query = &[("restype", "container")];
    let call = Call { method, path: &path, query, headers: &[], body: Bytes::new() };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// How many blobs exist before the first operation.
pub(super) fn fill_steps(stage: &Stage) -> u64 {
    match stage.order.kind {
        Kind::GetBlob => {
            let usual = (POOL_BYTES_MAX / stage.payload_bytes().max(1)).clamp(4, 1_024);
            stage.furniture.pool.unwrap_or(usual)
        }
        Kind::PutBlob | Kind::PutBlock => 0,
        _ => stage.furniture.prefill,
    }
}

/// Puts one of the blobs that have to exist.
pub(super) async fn fill_step(stage: &Stage, connection: &mut Connection, step: u64) -> Result<(), Failure> {
    if scale::is_listing(stage.order.kind) || stage.order.kind == Kind::SnapshotPages {
        return scale::fill_step(stage, connection, step).await;
    }
    let path = pool_path(stage, step);
    let body = stage.payload(&mut stage.random(step, 0));
    let call = Call { method: Method::PUT, path: &path, query: &[], headers: PUT_HEADERS, body };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

fn pool_path(stage: &Stage, index: u64) -> String {
    format!("/{}/pool/{index:08}", stage.name)
}

/// The path of the next put: always a new name for small blobs; large ones take turns on as many names as
/// hold a GiB, the same in every round.
fn put_path(seat: &mut Seat) -> String {
    let order = seat.stage.order;
    let unique = if order.size_bytes < LARGE_BYTES {
        seat.next_unique()
    } else {
        let names_max = LIVE_BYTES_MAX / (order.size_bytes as u64 * order.connections);
        seat.turn = (seat.turn + 1) % names_max.max(2);
        (seat.number % order.connections) << 32 | seat.turn
    };
    format!("/{}/{:016x}", seat.stage.name, mix(unique))
}

/// Put Blob.
pub(super) async fn put(seat: &mut Seat) -> Result<u64, Failure> {
    let path = put_path(seat);
    let body = seat.stage.payload(&mut seat.random);
    let call = Call { method: Method::PUT, path: &path, query: &[], headers: PUT_HEADERS, body };
    seat.send(&call, Keep::Length).await?;
    Ok(seat.stage.payload_bytes())
}

/// Put Block and Put Block List.
pub(super) async fn put_block(seat: &mut Seat) -> Result<u64, Failure> {
    let path = put_path(seat);
    let body = seat.stage.payload(&mut seat.random);
    let query = &[("blockid", BLOCK_ID), ("comp", "block")];
    seat.send(&Call { method: Method::PUT, path: &path, query, headers: &[], body }, Keep::Length).await?;
    let (query, body) = (&[("comp", "blocklist")], Bytes::from_static(BLOCK_LIST));
    let headers = &[("content-type", "application/xml")];
    seat.send(&Call { method: Method::PUT, path: &path, query, headers, body }, Keep::Length).await?;
    Ok(seat.stage.payload_bytes())
}

/// Get Blob, whole.
pub(super) async fn get(seat: &mut Seat) -> Result<u64, Failure> {
    let index = seat.random.below(fill_steps(&seat.stage));
    let path = pool_path(&seat.stage, index);
    let call = Call { method: Method::GET, path: &path, query: &[], headers: &[], body: Bytes::new() };
    let reply = seat.send(&call, Keep::Length).await?;
    expect_equal("bytes", reply.length, seat.stage.payload_bytes())?;
    Ok(reply.length)
}

/// The next page of the listing; after the last page the first again.
pub(super) async fn list(seat: &mut Seat, marker: &mut String) -> Result<u64, Failure> {
    let path = format!("/{}", seat.stage.name);
    let with_marker =
        [("comp", "list"), ("marker", marker.as_str()), ("maxresults", "5000"), ("restype", "container")];
    let without = [("comp", "list"), ("maxresults", "5000"), ("restype", "container")];
    let query = if marker.is_empty() { &without[..] } else { &with_marker[..] };
    let call = Call { method: Method::GET, path: &path, query, headers: &[], body: Bytes::new() };
    let reply = seat.send(&call, Keep::Body).await?;
    let next = between(reply.text(), "<NextMarker>", "</NextMarker>").unwrap_or_default();
    let blobs = fill_steps(&seat.stage);
    let listed = reply.text().matches("<Blob>").count() as u64;
    let (is_first, is_last) = (marker.is_empty(), next.is_empty());
    next.clone_into(marker);
    match (is_first, is_last) {
        (_, false) => expect_equal("blobs", listed, PAGE_BLOBS_MAX)?,
        (true, true) => expect_equal("blobs", listed, blobs)?,
        (false, true) => expect_equal("blobs on the last page", listed, (blobs - 1) % PAGE_BLOBS_MAX + 1)?,
    }
    Ok(reply.length)
}

#[cfg(test)]
mod tests {
    use super::super::tests::stage;
    use super::*;
    use std::sync::Arc;

    fn seat(order: &str, number: u64) -> Seat {
        let stage = Arc::new(stage(order));
        let (connection, random) = (stage.connection(), stage.random(number, 0));
        Seat { stage, connection, random, number, turn: 0 }
    }

    #[test]
    fn large_puts_overwrite_before_the_disk_is_full() {
        let mut seat = seat("put-blob:8MiB@4", 5);
        let paths: std::collections::HashSet<_> = (0..1_000).map(|_| put_path(&mut seat)).collect();
        assert_eq!(paths.len(), 32);
    }

    #[test]
    fn small_puts_get_names_that_no_other_seat_has() {
        let mut seats: Vec<_> = (0..4).map(|number| seat("put-blob:4KiB@4", number)).collect();
        let paths: std::collections::HashSet<_> =
            (0..4_000).map(|turn| put_path(&mut seats[turn % 4])).collect();
        assert_eq!(paths.len(), 4_000);
    }

    #[test]
    fn the_pool_is_bounded_in_bytes() {
        assert_eq!(fill_steps(&stage("get-blob:4KiB")), 1_024);
        assert_eq!(fill_steps(&stage("get-blob:8MiB")), 32);
        assert_eq!(fill_steps(&stage("list-blobs")), 5_000);
        assert_eq!(fill_steps(&stage("put-blob")), 0);
    }
}
