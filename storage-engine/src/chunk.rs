//! The chunk floor: bytes that never change.
//!
//! A chunk is written once, sequentially, into a segment that many uploads share, and named by a record only
//! when it is durable. Between the two it is *staged*: held by a [`Staged`] that gives it back when dropped.
//! Nothing here knows of blobs, and nothing is written twice.
//!
//! # Who may still be reading?
//! A reader takes a [`Pin`] before it reads the record that names its chunks. Chunks freed after that keep
//! their bytes until the pin is dropped, so a download that takes an hour is not cut short by an overwrite.

use crate::error::Result;
use crate::seal::EncryptionKey;
use bytes::Bytes;
use std::fmt;
use std::future::Future;
use std::pin::Pin as BoxPin;
use std::sync::Arc;

#[cfg(any(test, feature = "testing"))]
pub mod conformance;
pub mod format;
pub mod local;
pub mod reader;
pub mod upload;
pub use reader::ContentReader;
pub use upload::Upload;

/// Most payload bytes of one chunk: 1 MiB. Larger content is several chunks; what an upload holds in memory is
/// a small multiple of this.
pub const CHUNK_BYTES_MAX: usize = 1 << 20;

/// Payloads up to this many bytes ride inside the metadata batch: one sync instead of two.
pub const INLINE_BYTES_MAX: usize = 4 << 10;

/// Where a chunk is. Never changes, and its bytes are not reused while a record or a reader holds it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ChunkRef {
    /// The segment; a later one has a higher number.
    pub segment: u64,
    /// Where the chunk's header begins in the segment, in bytes.
    pub offset: u64,
    /// Payload bytes: 1 to [`CHUNK_BYTES_MAX`].
    pub len: u32,
}

impl ChunkRef {
    /// The chunk at this place, if there can be one: records read from disk are not believed.
    pub fn checked(segment: u64, offset: u64, len: u32) -> Option<Self> {
        let possible = (1..=CHUNK_BYTES_MAX).contains(&usize::try_from(len).ok()?) && offset < 1 << 48;
        possible.then_some(Self { segment, offset, len })
    }
}

/// What an upload has become.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Content {
    /// At most [`INLINE_BYTES_MAX`] bytes, to be put into a record.
    Inline(Bytes),
    /// Durable chunks, in order.
    Chunks(Vec<ChunkRef>),
}

/// A boxed future of a store.
pub type StoreFuture<T> = BoxPin<Box<dyn Future<Output = Result<T>> + Send>>;

/// Chunks of one store.
pub trait ChunkStore: fmt::Debug + Send + Sync + 'static {
    /// Writes a chunk of 1 to [`CHUNK_BYTES_MAX`] bytes. `parts` are its bytes in order; `sums` the CRC-64/NVME
    /// of each 64 KiB of them. The chunk is readable when the future is done, durable after [`ChunkStore::sync`].
    fn append(&self, parts: Vec<Bytes>, sums: Vec<u64>) -> StoreFuture<ChunkRef>;

    /// Makes everything durable that was appended before the call. Callers share syncs.
    fn sync(&self) -> StoreFuture<()>;

    /// Reads `len` payload bytes from `from` on. What is read is verified.
    fn read(&self, chunk: ChunkRef, from: u32, len: u32) -> StoreFuture<Bytes>;

    /// Gives chunks back that records named and no longer do. Their bytes stay readable for the pins that
    /// exist now.
    fn release(&self, chunks: &[ChunkRef]);

    /// Gives chunks back that were appended and that no record will ever name. Every chunk appended meets
    /// either this or [`ChunkStore::settle`], once.
    fn discard(&self, chunks: &[ChunkRef]) {
        self.release(chunks);
    }

    /// Says that records name these chunks from now on, or may do so.
    fn settle(&self, chunks: &[ChunkRef]) {
        let _ = chunks;
    }

    /// Holds all chunks that are named now, as far as reading them goes.
    fn pin(&self) -> Pin;
}

/// Keeps freed chunks readable until it is dropped.
pub struct Pin(Option<Box<dyn FnOnce() + Send + Sync>>);

impl Pin {
    /// A pin that calls `unpin` when dropped.
    pub fn new(unpin: impl FnOnce() + Send + Sync + 'static) -> Self {
        Self(Some(Box::new(unpin)))
    }
}

impl Drop for Pin {
    fn drop(&mut self) {
        if let Some(unpin) = self.0.take() {
            unpin();
        }
    }
}

impl fmt::Debug for Pin {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Pin")
    }
}

/// An upload that is complete and durable and that no record names yet.
///
/// Dropped, it gives its chunks back; [`Staged::adopted`] says that records name them now.
#[derive(Debug)]
pub struct Staged {
    /// What the records are to name.
    pub content: Content,
    /// Payload bytes.
    pub length: u64,
    /// CRC-64/NVME of the payload.
    pub crc64: u64,
    store: Arc<dyn ChunkStore>,
    sealed: Option<EncryptionKey>,
}

impl Staged {
    /// `content` of `store`, which nothing names yet.
    pub fn new(content: Content, length: u64, crc64: u64, store: Arc<dyn ChunkStore>) -> Self {
        Self { content, length, crc64, store, sealed: None }
    }

    /// The same, whose bytes are encrypted with this key.
    #[must_use]
    pub fn sealed_with(mut self, key: Option<EncryptionKey>) -> Self {
        self.sealed = key;
        self
    }

    /// With whose key the bytes are encrypted, if they are.
    pub const fn sealed(&self) -> Option<&EncryptionKey> {
        self.sealed.as_ref()
    }

    /// The records that name the chunks are committed, or may be.
    pub fn adopted(mut self) {
        if let Content::Chunks(chunks) = &mut self.content {
            self.store.settle(&std::mem::take(chunks));
        }
    }
}

impl Drop for Staged {
    fn drop(&mut self) {
        if let Content::Chunks(chunks) = &self.content
            && !chunks.is_empty()
        {
            self.store.discard(chunks);
        }
    }
}
