//! A body that is handed to the engine as a whole: pages, of which there are few.
//!
//! The pieces are kept as they came from the connection. Only very small ones are put together, because a client that
//! sends single bytes would otherwise have us keep many times what it sent.

use super::upload::{Received, Receiving};
use crate::checksum;
use crate::error::StorageError;
use crate::md5::Lanes;
use bytes::{Bytes, BytesMut};

/// Pieces below this are copied together.
const SMALL_BYTES: usize = 2 << 10;
/// How much is copied together before another piece is begun.
const JOINED_BYTES: usize = 64 << 10;

/// Takes a body whole.
///
/// # Errors
/// What the body fails.
pub(crate) async fn gather(
    mut body: Receiving,
    lanes: &Lanes,
) -> Result<(Vec<Bytes>, Received), StorageError> {
    body.share(lanes);
    let mut parts = Parts::default();
    let mut crc64 = checksum::crc64_digest();
    while let Some(piece) = body.next().await? {
        crc64.update(&piece);
        parts.push(piece);
    }
    let received = body.finish(crc64.finalize()).await?;
    Ok((parts.finish(), received))
}

#[derive(Default)]
struct Parts {
    done: Vec<Bytes>,
    small: BytesMut,
}

impl Parts {
    fn push(&mut self, piece: Bytes) {
        if piece.len() < SMALL_BYTES {
            self.small.extend_from_slice(&piece);
            if self.small.len() >= JOINED_BYTES {
                self.join();
            }
        } else {
            self.join();
            self.done.push(piece);
        }
    }

    fn join(&mut self) {
        if !self.small.is_empty() {
            self.done.push(self.small.split().freeze());
        }
    }

    fn finish(mut self) -> Vec<Bytes> {
        self.join();
        self.done
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_pieces_are_put_together_and_large_ones_kept_as_they_are() {
        let mut parts = Parts::default();
        let large = Bytes::from(vec![7; SMALL_BYTES]);
        parts.push(Bytes::from_static(b"a"));
        parts.push(Bytes::from_static(b"b"));
        parts.push(large.clone());
        parts.push(Bytes::from_static(b"c"));
        let done = parts.finish();
        assert_eq!(done, [Bytes::from_static(b"ab"), large.clone(), Bytes::from_static(b"c")]);
        assert_eq!(done.get(1).map(|part| part.as_ptr()), Some(large.as_ptr()));
    }

    #[test]
    fn single_bytes_become_few_pieces() {
        let mut parts = Parts::default();
        for _ in 0..200_000 {
            parts.push(Bytes::from_static(b"x"));
        }
        let done = parts.finish();
        assert_eq!(done.iter().map(Bytes::len).sum::<usize>(), 200_000);
        assert!(done.len() <= 4, "{}", done.len());
    }
}
