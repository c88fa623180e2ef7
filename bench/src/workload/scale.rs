//! Blobs in great numbers: one page of a long listing, folders of it, a search by tags, a snapshot of a large volume.
//!
//! These are asked of a small room and of a large one, since what matters is whether the answer's cost grows with what
//! is *not* in it. So each operation's answer has the same size in every room: five thousand names, ten folders, ten
//! blobs that match. Listings and searches share one room, filled once: empty blobs in ten folders in turn, each tagged
//! with a value that ten of all have. The volume is one page blob of 100 GiB, in which pages of 512 bytes lie as far
//! from each other as they can, so that whatever keeps track of areas has as many of them as possible.
//!
//! Where the middle of a listing begins is a marker, which is the server's own; it is found once, by walking there.

use super::{Kind, Seat, Stage, between, expect_equal};
use crate::client::{Call, Connection, Failure, Keep, Reply};
use bytes::Bytes;
use http::Method;

const FOLDERS: u64 = 10;
/// Blobs that share one value of the tag that is searched for.
const MATCHES: u64 = 10;
const PAGE_BLOBS_MAX: u64 = 5_000;
const VOLUME_BYTES: u64 = 100 << 30;
const PAGE: usize = 512;
const PAGE_BYTES: u64 = PAGE as u64;
/// How often a search may be told to go on before the generator calls it endless.
const SEARCH_PAGES_MAX: u64 = 100_000;

/// Whether the kind uses the room of blobs.
pub(super) fn is_listing(kind: Kind) -> bool {
    matches!(kind, Kind::ListStart | Kind::ListMiddle | Kind::ListFolders | Kind::FindTags)
}

/// Creates the volume, if that is what the room holds.
pub(super) async fn create(stage: &Stage, connection: &mut Connection) -> Result<(), Failure> {
    if stage.order.kind != Kind::SnapshotPages {
        return Ok(());
    }
    let (path, length) = (volume_path(stage), VOLUME_BYTES.to_string());
    let headers = &[("x-ms-blob-content-length", length.as_str()), ("x-ms-blob-type", "PageBlob")];
    let call = Call { method: Method::PUT, path: &path, query: &[], headers, body: Bytes::new() };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// Puts one of the blobs, or writes one of the pages, that have to exist.
pub(super) async fn fill_step(stage: &Stage, connection: &mut Connection, step: u64) -> Result<(), Failure> {
    if stage.order.kind == Kind::SnapshotPages {
        return write_page(stage, connection, step).await;
    }
    let path = format!("/{}/{}", stage.name, blob_name(step));
    let tags = format!("group={}", tag_value(group(stage, step)));
    let headers = &[("x-ms-blob-type", "BlockBlob"), ("x-ms-tags", tags.as_str())];
    let call = Call { method: Method::PUT, path: &path, query: &[], headers, body: Bytes::new() };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// The name of a blob. Every tenth is in the same folder, so the order of names is not that of numbers.
fn blob_name(index: u64) -> String {
    format!("{}/{:08}", index % FOLDERS, index / FOLDERS)
}

/// How many values the searched tag has.
fn groups(stage: &Stage) -> u64 {
    (stage.furniture.prefill / MATCHES).max(1)
}

/// The group of a blob. The blobs of one group are in ten folders, so they lie all over a listing.
fn group(stage: &Stage, index: u64) -> u64 {
    index / MATCHES % groups(stage)
}

/// What the blobs of a group are tagged with.
fn tag_value(group: u64) -> String {
    format!("g{group:08}")
}

/// How many blobs carry the group's tag: those that fill no group of their own are in the first.
fn group_blobs(stage: &Stage, group: u64) -> u64 {
    if group == 0 { stage.furniture.prefill - (groups(stage) - 1) * MATCHES } else { MATCHES }
}

fn volume_path(stage: &Stage) -> String {
    format!("/{}/volume", stage.name)
}

/// Where the page of a number lies: as far from the others as the volume allows.
fn page_offset(stage: &Stage, index: u64) -> u64 {
    let places = VOLUME_BYTES / PAGE_BYTES;
    let apart = (places / stage.furniture.prefill.max(1)).max(1);
    index * apart % places * PAGE_BYTES
}

async fn write_page(stage: &Stage, connection: &mut Connection, index: u64) -> Result<(), Failure> {
    let (path, from) = (volume_path(stage), page_offset(stage, index));
    let range = format!("bytes={from}-{}", from + PAGE_BYTES - 1);
    let headers = &[("x-ms-page-write", "update"), ("x-ms-range", range.as_str())];
    let first = usize::try_from(index % 64).unwrap_or(0) * PAGE;
    let body = stage.buffer.slice(first..first + PAGE);
    let call = Call { method: Method::PUT, path: &path, query: &[("comp", "page")], headers, body };
    connection.send(&call, Keep::Length).await.map(|_| ())
}

/// One page of the flat listing, at most `blobs_max` long.
async fn page(
    stage: &Stage,
    connection: &mut Connection,
    marker: &str,
    blobs_max: u64,
) -> Result<Reply, Failure> {
    let (path, most) = (format!("/{}", stage.name), blobs_max.to_string());
    let with_marker =
        [("comp", "list"), ("marker", marker), ("maxresults", most.as_str()), ("restype", "container")];
    let without = [("comp", "list"), ("maxresults", most.as_str()), ("restype", "container")];
    let query = if marker.is_empty() { &without[..] } else { &with_marker[..] };
    let call = Call { method: Method::GET, path: &path, query, headers: &[], body: Bytes::new() };
    connection.send(&call, Keep::Body).await
}

/// Walks to the middle of the listing and gives the marker there.
pub(super) async fn find_middle(stage: &Stage, connection: &mut Connection) -> Result<String, Failure> {
    let mut before = stage.furniture.prefill / 2;
    let mut marker = String::new();
    while before > 0 {
        let asked = before.min(PAGE_BLOBS_MAX);
        let reply = page(stage, connection, &marker, asked).await?;
        let listed = listed(&reply);
        expect_equal("blobs on the way to the middle", listed, asked)?;
        before -= listed;
        between(reply.text(), "<NextMarker>", "</NextMarker>").unwrap_or_default().clone_into(&mut marker);
        if marker.is_empty() {
            return Err(Failure::Wrong("the listing ends before its middle".to_owned()));
        }
    }
    Ok(marker)
}

fn listed(reply: &Reply) -> u64 {
    reply.text().matches("<Blob>").count() as u64
}

/// The first page of a flat listing.
pub(super) async fn list_start(seat: &mut Seat) -> Result<u64, Failure> {
    let reply = page(&seat.stage, &mut seat.connection, "", PAGE_BLOBS_MAX).await?;
    expect_equal("blobs", listed(&reply), seat.stage.furniture.prefill.min(PAGE_BLOBS_MAX))?;
    Ok(reply.length)
}

/// The page in the middle of a flat listing.
pub(super) async fn list_middle(seat: &mut Seat) -> Result<u64, Failure> {
    let marker = seat.stage.middle.get().map_or("", String::as_str);
    let reply = page(&seat.stage, &mut seat.connection, marker, PAGE_BLOBS_MAX).await?;
    let blobs = seat.stage.furniture.prefill;
    expect_equal("blobs", listed(&reply), (blobs - blobs / 2).min(PAGE_BLOBS_MAX))?;
    Ok(reply.length)
}

/// The ten folders that all blobs are in.
pub(super) async fn list_folders(seat: &mut Seat) -> Result<u64, Failure> {
    let path = format!("/{}", seat.stage.name);
    let query = &[("comp", "list"), ("delimiter", "/"), ("maxresults", "5000"), ("restype", "container")];
    let call = Call { method: Method::GET, path: &path, query, headers: &[], body: Bytes::new() };
    let reply = seat.send(&call, Keep::Body).await?;
    expect_equal("blobs beside the folders", listed(&reply), 0)?;
    let folders = reply.text().matches("<BlobPrefix>").count() as u64;
    expect_equal("folders", folders, seat.stage.furniture.prefill.min(FOLDERS))?;
    Ok(reply.length)
}

/// The blobs of one group, by their tag: page after page to the end.
pub(super) async fn find_tags(seat: &mut Seat) -> Result<u64, Failure> {
    let wanted = seat.random.below(groups(&seat.stage));
    let condition = format!("@container = '{}' AND \"group\" = '{}'", seat.stage.name, tag_value(wanted));
    let (mut found, mut moved, mut marker) = (0, 0, String::new());
    for _ in 0..SEARCH_PAGES_MAX {
        let with_marker = [("comp", "blobs"), ("marker", marker.as_str()), ("where", condition.as_str())];
        let without = [("comp", "blobs"), ("where", condition.as_str())];
        let query = if marker.is_empty() { &without[..] } else { &with_marker[..] };
        let call = Call { method: Method::GET, path: "/", query, headers: &[], body: Bytes::new() };
        let reply = seat.connection.send(&call, Keep::Body).await?;
        (found, moved) = (found + listed(&reply), moved + reply.length);
        let next = between(reply.text(), "<NextMarker>", "</NextMarker>").unwrap_or_default().to_owned();
        if next.is_empty() {
            expect_equal("blobs with the tag", found, group_blobs(&seat.stage, wanted))?;
            return Ok(moved);
        }
        marker = next;
    }
    Err(Failure::Wrong("a search by tags does not end".to_owned()))
}

/// Snapshot Blob of the volume.
pub(super) async fn snapshot(seat: &mut Seat) -> Result<u64, Failure> {
    let path = volume_path(&seat.stage);
    let query = &[("comp", "snapshot")];
    let call = Call { method: Method::PUT, path: &path, query, headers: &[], body: Bytes::new() };
    seat.send(&call, Keep::Length).await?;
    Ok(0)
}

#[cfg(test)]
mod tests {
    use super::super::tests::stage;
    use super::*;
    use std::collections::{HashMap, HashSet};

    fn room(order: &str, prefill: u64) -> Stage {
        let mut stage = stage(order);
        stage.furniture.prefill = prefill;
        stage
    }

    #[test]
    fn every_blob_has_its_own_name_in_one_of_ten_folders() {
        let names: HashSet<_> = (0..12_345).map(blob_name).collect();
        assert_eq!(names.len(), 12_345);
        let folders: HashSet<_> =
            names.iter().filter_map(|name| name.split_once('/')).map(|(folder, _)| folder).collect();
        assert_eq!(folders.len(), 10);
    }

    #[test]
    fn a_search_knows_how_many_it_must_find() {
        for blobs in [1, 7, 10, 25, 1_234] {
            let stage = room("find-tags", blobs);
            let mut counts = HashMap::new();
            for index in 0..blobs {
                *counts.entry(group(&stage, index)).or_insert(0_u64) += 1;
            }
            for number in 0..groups(&stage) {
                assert_eq!(counts[&number], group_blobs(&stage, number), "{blobs} {number}");
            }
        }
    }

    #[test]
    fn pages_of_the_volume_lie_apart_and_inside() {
        for pages in [1, 3, 10_000] {
            let stage = room("snapshot-pages", pages);
            let offsets: HashSet<_> = (0..pages).map(|index| page_offset(&stage, index)).collect();
            assert_eq!(offsets.len() as u64, pages);
            assert!(
                offsets.iter().all(|offset| offset % PAGE_BYTES == 0 && offset + PAGE_BYTES <= VOLUME_BYTES)
            );
        }
        assert_eq!(
            page_offset(&room("snapshot-pages", 10_000), 1),
            VOLUME_BYTES / PAGE_BYTES / 10_000 * PAGE_BYTES
        );
    }
}
