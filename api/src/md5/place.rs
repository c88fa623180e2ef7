//! Where an upload and a lane meet: pieces go in at one side and out at the other, and so does the hash.
//!
//! A stream's [`Progress`] has one owner at any time: this place (it is *home*), or the [`Lane`] that was made
//! of it. So there is nothing to agree on: whoever has it may hash, and a lane that is lost (its thread
//! panicked, the service ended) is seen because it never came home.

use super::lockstep::Run;
use super::progress::Progress;
use bytes::{Buf as _, Bytes};
use std::collections::VecDeque;
use std::fmt;
use std::future::poll_fn;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Poll, Waker};

/// A stream holds at most so many bytes that are not hashed yet; then the upload waits.
pub(super) const PENDING_BYTES_MAX: usize = 2 << 20;
/// Pieces are cut to this, because room is made by whole pieces.
pub(super) const PIECE_BYTES_MAX: usize = PENDING_BYTES_MAX / 8;
/// A stream is handed over from so many bytes on, or at its end. Streams meet in the lanes by waiting a little;
/// this is what a lone upload pays for that at its end, in well below a millisecond.
pub(super) const HAND_OVER_BYTES: usize = 256 << 10;
/// After so many blocks lanes look around: for a stream that wants to join, for an upload that waits.
const RUN_BLOCKS_MAX: usize = 1024;

const _: () = assert!(
    PENDING_BYTES_MAX >= HAND_OVER_BYTES + PIECE_BYTES_MAX,
    "an upload would wait for room in a stream that nobody hashes"
);

/// The hash cannot be had: what computed it broke, or the service ended.
#[derive(Debug)]
pub(crate) struct Lost;

impl fmt::Display for Lost {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("the MD5 of a body was lost on the way")
    }
}

impl std::error::Error for Lost {}

/// What an upload waits for.
#[derive(Debug, Clone, Copy)]
pub(super) enum Need {
    /// Room for so many bytes.
    Room(usize),
    /// Everything hashed.
    Home,
}

#[derive(Debug)]
struct Slot {
    pieces: VecDeque<Bytes>,
    /// Of `pieces`, and of the piece that a lane has.
    pending_bytes: usize,
    home: Option<Progress>,
    lost: bool,
    waiting: Option<(Need, Waker)>,
}

impl Slot {
    fn has(&self, need: Need) -> bool {
        self.lost
            || match need {
                Need::Room(bytes) => self.pending_bytes + bytes <= PENDING_BYTES_MAX,
                Need::Home => self.home.is_some(),
            }
    }

    /// Whom to wake.
    fn due(&mut self) -> Option<Waker> {
        let (need, _) = self.waiting.as_ref()?;
        if self.has(*need) { self.waiting.take().map(|(_, waker)| waker) } else { None }
    }
}

/// A stream's meeting place.
#[derive(Debug)]
pub(super) struct Place(Mutex<Slot>);

impl Place {
    /// With the hash at home and nothing pending.
    pub(super) fn new(progress: Progress) -> Arc<Self> {
        Arc::new(Self(Mutex::new(Slot {
            pieces: VecDeque::new(),
            pending_bytes: 0,
            home: Some(progress),
            lost: false,
            waiting: None,
        })))
    }

    fn slot(&self) -> MutexGuard<'_, Slot> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits. Only one may wait at a time.
    pub(super) async fn until(&self, need: Need) -> Result<(), Lost> {
        poll_fn(|context| {
            let mut slot = self.slot();
            if slot.lost {
                return Poll::Ready(Err(Lost));
            }
            if slot.has(need) {
                return Poll::Ready(Ok(()));
            }
            slot.waiting = Some((need, context.waker().clone()));
            Poll::Pending
        })
        .await
    }

    /// Puts a piece for which there is room; the lane, if it is time for one.
    pub(super) fn put(self: &Arc<Self>, piece: Bytes) -> Option<Lane> {
        let mut slot = self.slot();
        slot.pending_bytes += piece.len();
        slot.pieces.push_back(piece);
        if slot.pending_bytes < HAND_OVER_BYTES {
            return None;
        }
        slot.home.take().map(|progress| Lane::new(Arc::clone(self), progress))
    }

    /// The lane for what is left, if there is any.
    pub(super) fn flush(self: &Arc<Self>) -> Option<Lane> {
        let mut slot = self.slot();
        if slot.pieces.is_empty() {
            return None;
        }
        slot.home.take().map(|progress| Lane::new(Arc::clone(self), progress))
    }

    /// Takes the hash; none unless it is home.
    pub(super) fn take(&self) -> Option<Progress> {
        self.slot().home.take()
    }

    /// Lets go of what is pending; a lane that is under way ends with the piece that it has.
    pub(super) fn abandon(&self) {
        let mut slot = self.slot();
        let pieces = std::mem::take(&mut slot.pieces);
        slot.pending_bytes -= pieces.iter().map(Bytes::len).sum::<usize>();
        slot.waiting = None;
    }

    /// The piece after one of `done_bytes`. At the end `progress` stays here.
    fn next(&self, done_bytes: usize, progress: &Progress) -> Option<Bytes> {
        let mut slot = self.slot();
        slot.pending_bytes -= done_bytes;
        let next = slot.pieces.pop_front();
        if next.is_none() {
            slot.home = Some(progress.clone());
        }
        let due = slot.due();
        drop(slot);
        if let Some(waker) = due {
            waker.wake();
        }
        next
    }

    fn lose(&self) {
        let mut slot = self.slot();
        slot.lost = true;
        slot.pieces.clear();
        let due = slot.due();
        drop(slot);
        if let Some(waker) = due {
            waker.wake();
        }
    }

    #[cfg(test)]
    pub(super) fn pending_bytes(&self) -> usize {
        self.slot().pending_bytes
    }
}

/// A stream's hash on its way through the pieces.
#[derive(Debug)]
pub(super) struct Lane {
    place: Arc<Place>,
    progress: Progress,
    piece: Bytes,
    /// Of the piece before any of it was hashed.
    piece_bytes: usize,
    came_home: bool,
}

impl Lane {
    fn new(place: Arc<Place>, progress: Progress) -> Self {
        Self { place, progress, piece: Bytes::new(), piece_bytes: 0, came_home: false }
    }

    /// Goes to the next whole block. If there is none, the hash goes home and this lane is done.
    pub(super) fn prepare(&mut self) -> bool {
        while !self.progress.align(&mut self.piece) {
            self.piece = Bytes::new();
            let done_bytes = std::mem::take(&mut self.piece_bytes);
            let Some(piece) = self.place.next(done_bytes, &self.progress) else {
                self.came_home = true;
                return false;
            };
            self.piece_bytes = piece.len();
            self.piece = piece;
        }
        true
    }

    /// The blocks at hand.
    pub(super) fn run(&mut self) -> Run<'_> {
        let (blocks, _) = self.piece.as_chunks();
        let blocks = blocks.get(..RUN_BLOCKS_MAX).unwrap_or(blocks);
        Run { state: &mut self.progress.state, blocks }
    }

    /// So many blocks were hashed.
    pub(super) fn skip(&mut self, blocks: usize) {
        self.piece.advance(blocks * size_of::<super::lockstep::Block>());
    }
}

impl Drop for Lane {
    fn drop(&mut self) {
        if !self.came_home {
            self.place.lose();
        }
    }
}
