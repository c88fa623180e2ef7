//! A blob as libraries want it that know no futures: read from its beginning to its end, or anywhere.
//!
//! Reading anywhere reads the same content every time: each part asks for the version that was opened, and fails if
//! the blob is another one by then.

use bytes::{Buf, Bytes};
use futures_util::TryFutureExt;
use parquet::errors::ParquetError;
use parquet::file::reader::{ChunkReader, Length};
use std::io::{self, Read};
use storage_engine::EngineError;
use storage_engine::blob::{
    BlobAddress, BlobRead, BlobReader, BlobStore, ByteRange, Conditions, EtagMatch, Which,
};
use storage_engine::clock::Etag;
use tokio::runtime::Handle;

/// Most bytes that a library may ask for at once.
const PART_BYTES_MAX: usize = 512 << 20;
/// Bytes that reading in order from some place asks for at once.
const STRIDE_BYTES: u64 = 1 << 20;

/// A blob, opened.
pub(super) struct Source {
    store: BlobStore,
    at: (BlobAddress, Which),
    etag: Etag,
    length: u64,
    reader: BlobReader,
    runtime: Handle,
}

impl Source {
    /// The blob that was opened by `read`. To be made where a runtime is.
    pub(super) fn new(store: BlobStore, at: (BlobAddress, Which), read: BlobRead) -> Self {
        let BlobRead { properties, length, reader, .. } = read;
        Self { store, at, etag: properties.etag, length, reader, runtime: Handle::current() }
    }

    /// Bytes of the blob.
    pub(super) fn length(&self) -> u64 {
        self.length
    }

    /// The bytes in order.
    pub(super) fn in_order(self) -> InOrder {
        InOrder { reader: self.reader, piece: Bytes::new(), runtime: self.runtime }
    }

    /// The bytes anywhere.
    pub(super) fn anywhere(self) -> Anywhere {
        let Self { store, at, etag, length, runtime, .. } = self;
        Anywhere { store, at, etag, length, runtime }
    }
}

/// A blob read in order.
pub(super) struct InOrder {
    reader: BlobReader,
    piece: Bytes,
    runtime: Handle,
}

impl Read for InOrder {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        while self.piece.is_empty() {
            match self.runtime.block_on(self.reader.next()).map_err(io::Error::other)? {
                Some(piece) => self.piece = piece,
                None => return Ok(0),
            }
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(buffer.split_at_mut(count).0);
        Ok(count)
    }
}

/// A blob read anywhere.
#[derive(Clone)]
pub(super) struct Anywhere {
    store: BlobStore,
    at: (BlobAddress, Which),
    etag: Etag,
    length: u64,
    runtime: Handle,
}

impl Anywhere {
    fn part(&self, first: u64, bytes: u64) -> Result<Bytes, EngineError> {
        let Some(last) = first.checked_add(bytes).and_then(|end| end.min(self.length).checked_sub(1)) else {
            return Ok(Bytes::new());
        };
        if first > last {
            return Ok(Bytes::new());
        }
        let range = ByteRange { first, last: Some(last) };
        let conditions =
            Conditions { if_match: vec![EtagMatch::Exactly(self.etag)], ..Conditions::default() };
        let read = self.store.read(&self.at.0, self.at.1, Some(range), conditions);
        let pieces = read.and_then(|read| crate::content::collect(read.reader));
        Ok(self.runtime.block_on(pieces)?.concat().into())
    }
}

impl Length for Anywhere {
    fn len(&self) -> u64 {
        self.length
    }
}

impl ChunkReader for Anywhere {
    type T = From;

    fn get_read(&self, start: u64) -> parquet::errors::Result<From> {
        Ok(From { blob: self.clone(), next: start, piece: Bytes::new() })
    }

    fn get_bytes(&self, start: u64, length: usize) -> parquet::errors::Result<Bytes> {
        if length > PART_BYTES_MAX {
            return Err(ParquetError::General(format!("A part has more than {PART_BYTES_MAX} bytes.")));
        }
        let part =
            self.part(start, length as u64).map_err(|error| ParquetError::External(Box::new(error)))?;
        if part.len() == length {
            Ok(part)
        } else {
            Err(ParquetError::EOF("The file is cut off.".to_owned()))
        }
    }
}

/// A blob read in order from some place.
pub(super) struct From {
    blob: Anywhere,
    next: u64,
    piece: Bytes,
}

impl Read for From {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        if self.piece.is_empty() {
            self.piece = self.blob.part(self.next, STRIDE_BYTES).map_err(io::Error::other)?;
            self.next += self.piece.len() as u64;
        }
        let count = buffer.len().min(self.piece.len());
        self.piece.copy_to_slice(buffer.split_at_mut(count).0);
        Ok(count)
    }
}
