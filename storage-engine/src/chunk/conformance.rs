//! What every store of chunks must do, as one suite to run on each of them.
//!
//! Nothing here knows how a store keeps its bytes; durability and recovery are tested beside each store, because
//! only there is it known what a crash can take.

use super::format::UNIT_BYTES;
use super::{
    CHUNK_BYTES_MAX, ChunkRef, ChunkStore, Content, ContentReader, INLINE_BYTES_MAX, Staged, Upload,
};
use bytes::Bytes;
use std::collections::BTreeSet;
use std::sync::Arc;

/// Runs the whole suite.
///
/// # Panics
/// Where the store does not do what it must.
pub async fn check(store: Arc<dyn ChunkStore>) {
    any_range_of_a_chunk_reads_back(&store).await;
    appends_at_once_get_places_of_their_own(&store).await;
    chunks_that_cannot_be_are_refused(&store).await;
    what_is_released_stays_readable_for_the_pins_of_before(&store).await;
    uploads_of_any_size_read_back(&store).await;
    content_is_read_page_by_page(&store).await;
    dropped_uploads_leave_the_store_usable(&store).await;
}

/// Bytes that tell their place.
///
/// # Panics
/// Never.
pub fn pattern(seed: u8, len: usize) -> Vec<u8> {
    (0_u32..)
        .map(|n| n.wrapping_mul(2_654_435_761).to_be_bytes())
        .map(|[a, b, ..]| a ^ b ^ seed)
        .take(len)
        .collect()
}

/// Appends one chunk.
///
/// # Panics
/// If the store does not take it.
pub async fn append(store: &Arc<dyn ChunkStore>, payload: &[u8]) -> ChunkRef {
    let sums = payload.chunks(UNIT_BYTES as usize).map(crc_fast::crc64_nvme).collect();
    store.append(vec![Bytes::copy_from_slice(payload)], sums).await.expect("the store takes a chunk")
}

/// Uploads some content in pieces of `piece_bytes`, not inline unless it is small.
///
/// # Panics
/// If the store does not take it.
pub async fn upload(store: &Arc<dyn ChunkStore>, payload: &[u8], piece_bytes: usize) -> Staged {
    let mut upload = Upload::new(Arc::clone(store));
    for piece in payload.chunks(piece_bytes) {
        upload.write(Bytes::copy_from_slice(piece)).await.expect("the store takes a piece");
    }
    assert_eq!(upload.written(), payload.len() as u64);
    assert_eq!(upload.crc64(), crc_fast::crc64_nvme(payload));
    upload.finish().await.expect("the store makes an upload durable")
}

/// All that a reader gives.
///
/// # Panics
/// If it gives an error.
pub async fn read_all(mut reader: ContentReader) -> Vec<u8> {
    let mut read = Vec::new();
    while let Some(piece) = reader.next().await.expect("a piece reads") {
        assert!(!piece.is_empty(), "a piece has bytes");
        read.extend_from_slice(&piece);
    }
    read
}

/// A reader of `length` bytes from `first` on.
pub fn reader(store: &Arc<dyn ChunkStore>, content: &Content, first: usize, length: usize) -> ContentReader {
    match content {
        Content::Inline(bytes) => ContentReader::inline(bytes.slice(first..first + length)),
        Content::Chunks(chunks) => {
            let pin = store.pin();
            ContentReader::new(Arc::clone(store), pin, chunks.clone(), first as u64, length as u64)
        }
    }
}

async fn any_range_of_a_chunk_reads_back(store: &Arc<dyn ChunkStore>) {
    let payload = pattern(1, 2 * UNIT_BYTES as usize + 100);
    let chunk = append(store, &payload).await;
    let edges = [0, 1, UNIT_BYTES, UNIT_BYTES + 1, 2 * UNIT_BYTES + 99, 2 * UNIT_BYTES + 100];
    for from in edges {
        for end in edges.into_iter().filter(|end| *end >= from) {
            let read = store.read(chunk, from, end - from).await.expect("a range reads");
            assert_eq!(Some(&read[..]), payload.get(from as usize..end as usize), "{from}..{end}");
        }
    }
    assert!(store.read(chunk, chunk.len, 1).await.is_err(), "there is nothing behind the end");
    store.sync().await.expect("a sync");
    store.discard(&[chunk]);
}

async fn appends_at_once_get_places_of_their_own(store: &Arc<dyn ChunkStore>) {
    let payloads: Vec<Vec<u8>> = (0..20).map(|n| pattern(n, 1000 * (1 + usize::from(n)))).collect();
    let begun: Vec<_> = payloads
        .iter()
        .map(|payload| store.append(vec![payload.clone().into()], vec![crc_fast::crc64_nvme(payload)]))
        .collect();
    let mut chunks = Vec::new();
    for append in begun {
        chunks.push(append.await.expect("an append"));
    }
    let distinct: BTreeSet<&ChunkRef> = chunks.iter().collect();
    assert_eq!(distinct.len(), payloads.len());
    for (chunk, payload) in chunks.iter().zip(&payloads) {
        let read = store.read(*chunk, 0, chunk.len).await.expect("a chunk reads");
        assert_eq!(&read, payload);
    }
    store.settle(&chunks);
    store.release(&chunks);
}

async fn chunks_that_cannot_be_are_refused(store: &Arc<dyn ChunkStore>) {
    assert!(store.append(Vec::new(), Vec::new()).await.is_err(), "an empty chunk");
    let bytes = Bytes::from(pattern(1, 100));
    assert!(store.append(vec![bytes.clone()], Vec::new()).await.is_err(), "too few sums");
    assert!(store.append(vec![bytes.clone()], vec![1, 2]).await.is_err(), "too many sums");
    let large = Bytes::from(vec![0; CHUNK_BYTES_MAX]);
    assert!(store.append(vec![large, bytes], vec![0; 17]).await.is_err(), "too large a chunk");
}

async fn what_is_released_stays_readable_for_the_pins_of_before(store: &Arc<dyn ChunkStore>) {
    let payload = pattern(9, 50_000);
    let staged = upload(store, &payload, 50_000).await;
    let content = staged.content.clone();
    staged.adopted();
    let held = reader(store, &content, 0, payload.len());
    if let Content::Chunks(chunks) = &content {
        store.release(chunks);
    }
    let other = append(store, &payload).await;
    assert_eq!(read_all(held).await, payload);
    store.discard(&[other]);
}

async fn uploads_of_any_size_read_back(store: &Arc<dyn ChunkStore>) {
    let units = UNIT_BYTES as usize;
    for len in [0, 1, INLINE_BYTES_MAX, INLINE_BYTES_MAX + 1, units, CHUNK_BYTES_MAX, 2 * CHUNK_BYTES_MAX + 5]
    {
        let payload = pattern(7, len);
        for piece_bytes in [1000, 100_000, 3 * CHUNK_BYTES_MAX] {
            let staged = upload(store, &payload, piece_bytes).await;
            assert_eq!((staged.length, staged.crc64), (len as u64, crc_fast::crc64_nvme(&payload)));
            assert_eq!(matches!(staged.content, Content::Inline(_)), len <= INLINE_BYTES_MAX);
            assert_eq!(read_all(reader(store, &staged.content, 0, len)).await, payload);
            let (first, part) = (len / 3, len / 2);
            let read = read_all(reader(store, &staged.content, first, part)).await;
            assert_eq!(Some(read.as_slice()), payload.get(first..first + part));
        }
    }
}

async fn content_is_read_page_by_page(store: &Arc<dyn ChunkStore>) {
    let payload = pattern(5, 3 * CHUNK_BYTES_MAX);
    let staged = upload(store, &payload, CHUNK_BYTES_MAX).await;
    let Content::Chunks(chunks) = staged.content.clone() else { panic!("too large to be inline") };
    let pages = Box::new(move |at: u64| {
        let number = usize::try_from(at).unwrap_or(usize::MAX) / CHUNK_BYTES_MAX;
        let page = chunks.get(number).copied().into_iter().collect();
        Ok(((number * CHUNK_BYTES_MAX) as u64, page))
    });
    let first = CHUNK_BYTES_MAX - 10;
    let length = payload.len() - first;
    let pin = store.pin();
    let mut reader = ContentReader::paged(Arc::clone(store), pin, first as u64, length as u64 + 1, pages);
    let mut read = Vec::new();
    while read.len() < length {
        read.extend_from_slice(&reader.next().await.expect("a piece reads").expect("more is left"));
    }
    assert_eq!(Some(read.as_slice()), payload.get(first..));
    assert!(reader.next().await.is_err(), "content that is shorter than it should be does not just end");
    assert!(reader.next().await.is_err(), "nor does it at the second attempt");
}

async fn dropped_uploads_leave_the_store_usable(store: &Arc<dyn ChunkStore>) {
    for pieces in 0..4 {
        let mut dropped = Upload::new(Arc::clone(store));
        for _ in 0..pieces {
            dropped.write(pattern(3, CHUNK_BYTES_MAX - 1).into()).await.expect("a piece");
        }
    }
    let payload = pattern(4, 100_000);
    let staged = upload(store, &payload, 10_000).await;
    assert_eq!(read_all(reader(store, &staged.content, 0, payload.len())).await, payload);
}
