//! MD5 of bodies that are being received, several at a time.
//!
//! The protocol has every *Put Blob* carry the MD5 of its body, and one core computes MD5 at about half a GB/s:
//! each step waits for the one before. That was two thirds of all that a server did under large uploads. But
//! what one stream leaves idle of a core others can use: [`lockstep`] hashes eight streams in the lanes of a
//! vector in hardly more time than one, so under concurrency the bound is gone.
//!
//! This is code of our own because there is no maintained crate that hashes several streams at a time, and it
//! is on the path that the product exists for. It is as little as it can be: the compression of a lone stream is
//! the `md-5` crate's, whose state is the same four words, so a stream changes between the two at any block; the
//! tests compare with that crate everywhere. What remains bounded: a *lone* upload is still as fast as MD5's
//! chain of steps, and only two or more at a time gain. Clients that want one upload to be fast send blocks.
//!
//! - [`progress`]: one stream's hash, and how pieces of any length become blocks.
//! - [`place`]: where upload and thread meet; back-pressure.
//! - [`lanes`]: the threads.
//!
//! Bytes are never copied on the way but for blocks that lie in two pieces. A body of at most
//! [`INLINE_BYTES_MAX`] is hashed where it is received: handing it over would cost more than it takes.

mod lanes;
mod lockstep;
mod place;
mod progress;

pub(crate) use lanes::Lanes;
pub(crate) use place::Lost;

use bytes::Bytes;
use lanes::Line;
use place::{Need, PIECE_BYTES_MAX, Place};
use progress::Progress;
use std::sync::Arc;

/// Bodies up to this are hashed by whoever receives them, and so are the first bytes of one whose length is
/// not known.
const INLINE_BYTES_MAX: u64 = 64 << 10;

/// The MD5 of a body to come.
#[derive(Debug)]
pub(crate) struct Md5Stream {
    bytes: u64,
    inline_bytes_max: u64,
    line: Option<Arc<Line>>,
    hash: Hash,
}

#[derive(Debug)]
enum Hash {
    Here(Progress),
    There(Handed),
}

/// A hash that was handed over. Dropping it leaves nothing behind.
#[derive(Debug)]
struct Handed {
    line: Arc<Line>,
    place: Arc<Place>,
}

impl Drop for Handed {
    fn drop(&mut self) {
        self.place.abandon();
    }
}

impl Handed {
    async fn update(&self, mut piece: Bytes) -> Result<(), Lost> {
        while !piece.is_empty() {
            let part = piece.split_to(piece.len().min(PIECE_BYTES_MAX));
            self.place.until(Need::Room(part.len())).await?;
            if let Some(lane) = self.place.put(part) {
                self.line.join(lane);
            }
        }
        Ok(())
    }

    fn flush(&self) {
        if let Some(lane) = self.place.flush() {
            self.line.join(lane);
        }
    }
}

impl Md5Stream {
    /// Of a body that is said to have so many bytes. Hashed where it is received, unless [`Self::share`]d.
    pub(crate) fn new(announced: Option<u64>) -> Self {
        let small = announced.is_none_or(|bytes| bytes <= INLINE_BYTES_MAX);
        let inline_bytes_max = if small { INLINE_BYTES_MAX } else { 0 };
        Self { bytes: 0, inline_bytes_max, line: None, hash: Hash::Here(Progress::new()) }
    }

    /// From here on hashed by these lanes, if it is worth it.
    pub(crate) fn share(&mut self, lanes: &Lanes) {
        self.line = Some(Arc::clone(lanes.line()));
    }

    /// Takes the next piece; waits while too much is pending.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) async fn update(&mut self, piece: Bytes) -> Result<(), Lost> {
        self.bytes += piece.len() as u64;
        if let (Hash::Here(progress), Some(line)) = (&self.hash, &self.line)
            && self.bytes > self.inline_bytes_max
        {
            let place = Place::new(progress.clone());
            self.hash = Hash::There(Handed { line: Arc::clone(line), place });
        }
        match &mut self.hash {
            Hash::There(handed) => handed.update(piece).await,
            Hash::Here(progress) => {
                progress.update(piece);
                Ok(())
            }
        }
    }

    /// Nothing comes any more: what is left can be hashed while the caller does something else.
    pub(crate) fn flush(&self) {
        if let Hash::There(handed) = &self.hash {
            handed.flush();
        }
    }

    /// The MD5.
    ///
    /// # Errors
    /// [`Lost`].
    pub(crate) async fn finish(self) -> Result<[u8; 16], Lost> {
        let progress = match self.hash {
            Hash::Here(progress) => progress,
            Hash::There(handed) => {
                handed.flush();
                handed.place.until(Need::Home).await?;
                handed.place.take().ok_or(Lost)?
            }
        };
        Ok(progress.finish(self.bytes))
    }
}

#[cfg(test)]
mod tests;
