//! Which messages of one queue can be got, in memory.
//!
//! On disk a message stays in its row, at the place of its id, whatever happens to its visibility. This index
//! is what finds the next one to give: `O(log n)` for each change, however many messages have passed
//! through the queue, and nothing on disk that would have to be skipped.
//!
//! The index is a **hint**; the rows are the truth. A verb that takes a message from here reads its row, and
//! corrects the index where the two differ. What must hold is only that no message that has a row is missing
//! here once the index is loaded, or nobody would ever find it.
//!
//! # A message's way
//! ```text
//!   put with a delay, got, updated ──► hidden ──(its time comes)──► ready ──► got: hidden again
//!                                         └──────(it expires)──────────┴────► dead ──► row deleted: gone
//! ```
//! A message moves on by [`Index::advance`], once for each step, so that time costs nothing when it passes.
//!
//! # Loading
//! An index begins to follow the verbs' changes as soon as one touches the queue, and then knows only the
//! messages that they changed. The rows that were there before are added by [`Index::add_scanned`]; what a
//! verb has said about a message in the meantime is newer than what the scan saw of it, so it wins. That
//! needs the memory of removals until the index is complete: `gone`.
//!
//! # Memory
//! A million messages may wait, so each costs as little as it can: about 100 bytes, whatever its text. Keys are
//! only the upper half of an id, its *place*, which no two messages of a store share (see [`crate::queue`]);
//! the lower half is kept once. Ordered maps were preferred to hashed ones where order means nothing, too: they
//! grow by a node at a time, while a table of a million entries that doubles holds up the thread on
//! which all verbs run.
//!
//! What the index is told goes straight to where it belongs at the time of the last [`Index::advance`]. So
//! loading leaves no heap of messages to be made ready by the first verb that comes afterwards.

use super::MessageId;
use crate::clock::Timestamp;
use std::collections::{BTreeMap, BTreeSet};

/// When a message can be got, and when it goes away.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Times {
    /// From when on it can be got.
    pub(super) visible: Timestamp,
    /// When it goes away by itself.
    pub(super) expires: Timestamp,
}

/// A message's new place, or none if it is no more. What a verb tells the index once it has succeeded.
pub(super) type Move = (MessageId, Option<Times>);

/// What is known of a message that can be got. Since when means nothing any more.
#[derive(Debug, Clone, Copy)]
struct Ready {
    tail: u64,
    expires: Timestamp,
}

/// What is known of a message that cannot be got yet.
#[derive(Debug, Clone, Copy)]
struct Hidden {
    tail: u64,
    times: Times,
}

/// See the module. The sets are of places.
#[derive(Debug)]
pub(super) struct Index {
    now: Timestamp,
    ready: BTreeMap<u64, Ready>,
    hidden: BTreeMap<u64, Hidden>,
    waking: BTreeSet<(Timestamp, u64)>,
    expiring: BTreeSet<(Timestamp, u64)>,
    dead: BTreeSet<MessageId>,
    gone: BTreeSet<u64>,
    complete: bool,
}

impl Default for Index {
    fn default() -> Self {
        Self {
            now: Timestamp::from_ticks(0),
            ready: BTreeMap::new(),
            hidden: BTreeMap::new(),
            waking: BTreeSet::new(),
            expiring: BTreeSet::new(),
            dead: BTreeSet::new(),
            gone: BTreeSet::new(),
            complete: false,
        }
    }
}

impl Index {
    /// Whether all of the queue's messages are known.
    pub(super) fn is_complete(&self) -> bool {
        self.complete
    }

    /// Notes what a verb has made of a message. Doing so twice is doing so once.
    pub(super) fn apply(&mut self, (id, times): Move) {
        self.forget(id.place());
        self.dead.remove(&id);
        match times {
            Some(times) => self.insert(id, times),
            None if !self.complete => {
                self.gone.insert(id.place());
            }
            None => {}
        }
    }

    /// Notes what a verb has made of several messages.
    pub(super) fn apply_all(&mut self, moves: Vec<Move>) {
        for moved in moves {
            self.apply(moved);
        }
    }

    /// Adds a message that a scan of the rows has found, unless a verb has said something newer.
    pub(super) fn add_scanned(&mut self, id: MessageId, times: Times) {
        let known = self.ready.contains_key(&id.place())
            || self.hidden.contains_key(&id.place())
            || self.dead.contains(&id)
            || self.gone.contains(&id.place());
        if !known && !self.complete {
            self.insert(id, times);
        }
    }

    /// Says that all rows have been scanned.
    pub(super) fn set_complete(&mut self) {
        self.complete = true;
        self.gone = BTreeSet::new();
    }

    /// Lets time pass: messages become ready, and expire.
    pub(super) fn advance(&mut self, now: Timestamp) {
        self.now = self.now.max(now);
        while let Some(&(expires, place)) = self.expiring.first() {
            if expires > now {
                break;
            }
            match self.forget(place) {
                Some(tail) => self.dead.insert(MessageId::at(place, tail)),
                // The sets hold what the maps hold; were that ever untrue, this must still come to an end.
                None => self.expiring.remove(&(expires, place)),
            };
        }
        while let Some(&(visible, place)) = self.waking.first() {
            if visible > now {
                break;
            }
            self.waking.remove(&(visible, place));
            if let Some(Hidden { tail, times }) = self.hidden.remove(&place) {
                self.ready.insert(place, Ready { tail, expires: times.expires });
            }
        }
    }

    /// Messages that can be got, in the order in which they were put.
    pub(super) fn ready(&self) -> impl Iterator<Item = MessageId> {
        self.ready.iter().map(|(place, ready)| MessageId::at(*place, ready.tail))
    }

    /// Messages that have expired and whose rows are still to be deleted.
    pub(super) fn dead(&self) -> impl Iterator<Item = MessageId> {
        self.dead.iter().copied()
    }

    /// Whether a message has expired by `now` and its row is still to be deleted.
    pub(super) fn has_dead(&self, now: Timestamp) -> bool {
        !self.dead.is_empty() || self.expiring.first().is_some_and(|&(expires, _)| expires <= now)
    }

    /// Messages that have not expired, as of the last [`Self::advance`].
    pub(super) fn len(&self) -> usize {
        self.ready.len() + self.hidden.len()
    }

    fn insert(&mut self, id: MessageId, times: Times) {
        let place = id.place();
        self.gone.remove(&place);
        if times.expires <= self.now {
            self.dead.insert(id);
            return;
        }
        let tail = id.tail();
        if times.visible <= self.now {
            self.ready.insert(place, Ready { tail, expires: times.expires });
        } else {
            self.hidden.insert(place, Hidden { tail, times });
            self.waking.insert((times.visible, place));
        }
        if times.expires < Timestamp::MAX {
            self.expiring.insert((times.expires, place));
        }
    }

    /// Takes the message at this place out of all but the dead; gives the tail of its id.
    fn forget(&mut self, place: u64) -> Option<u64> {
        let (tail, expires) = if let Some(Ready { tail, expires }) = self.ready.remove(&place) {
            (tail, expires)
        } else {
            let Hidden { tail, times } = self.hidden.remove(&place)?;
            self.waking.remove(&(times.visible, place));
            (tail, times.expires)
        };
        self.expiring.remove(&(expires, place));
        Some(tail)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::{any, proptest};
    use proptest::{collection, option, prop_assert_eq};
    use std::collections::BTreeMap;

    fn at(ticks: u64) -> Timestamp {
        Timestamp::from_ticks(ticks)
    }

    fn id(place: u64) -> MessageId {
        MessageId::at(place, !place)
    }

    fn times(visible: u64, expires: u64) -> Times {
        Times { visible: at(visible), expires: at(expires) }
    }

    fn ready(index: &Index) -> Vec<u64> {
        index.ready().map(MessageId::place).collect()
    }

    #[test]
    fn messages_become_ready_when_their_time_comes_and_stand_in_the_order_of_their_ids() {
        let mut index = Index::default();
        index.apply((id(2), Some(times(5, 100))));
        index.apply((id(1), Some(times(9, 100))));
        index.apply((id(3), Some(times(5, 100))));
        index.advance(at(4));
        assert_eq!(ready(&index), Vec::<u64>::new());
        index.advance(at(5));
        assert_eq!(ready(&index), [2, 3]);
        index.advance(at(9));
        assert_eq!(ready(&index), [1, 2, 3]);
    }

    #[test]
    fn what_expires_is_neither_ready_nor_counted_but_waits_for_its_row_to_be_deleted() {
        let mut index = Index::default();
        index.apply((id(1), Some(times(0, 10))));
        index.apply((id(2), Some(times(20, 10))));
        index.apply((id(3), Some(Times { visible: at(0), expires: Timestamp::MAX })));
        assert!(!index.has_dead(at(9)) && index.has_dead(at(10)));
        index.advance(at(10));
        assert_eq!((ready(&index), index.len()), (vec![3], 1));
        assert_eq!(index.dead().collect::<Vec<_>>(), [id(1), id(2)]);
        index.apply((id(1), None));
        index.apply((id(2), None));
        assert!(!index.has_dead(at(50)));
    }

    #[test]
    fn a_scan_does_not_undo_what_verbs_did_meanwhile() {
        let mut index = Index::default();
        index.apply((id(1), None));
        index.apply((id(2), Some(times(50, 100))));
        for place in 1..=3 {
            index.add_scanned(id(place), times(0, 100));
        }
        index.set_complete();
        index.advance(at(1));
        assert_eq!((ready(&index), index.len()), (vec![3], 2));
    }

    #[test]
    fn what_a_scan_finds_goes_straight_to_its_place() {
        let mut index = Index::default();
        index.advance(at(50));
        index.add_scanned(id(1), times(10, 100));
        index.add_scanned(id(2), times(60, 100));
        index.add_scanned(id(3), times(10, 50));
        assert_eq!((ready(&index), index.hidden.len(), index.len()), (vec![1], 1, 2));
        assert_eq!(index.dead().collect::<Vec<_>>(), [id(3)]);
    }

    #[test]
    fn a_scan_that_comes_late_adds_nothing_to_a_complete_index() {
        let mut index = Index::default();
        index.set_complete();
        index.apply((id(1), None));
        index.add_scanned(id(1), times(0, 100));
        assert_eq!(index.len(), 0);
    }

    proptest! {
        #[test]
        fn any_history_leaves_what_a_plain_map_would(
            moves in collection::vec((0_u64..12, option::of((0_u64..40, 0_u64..40)), 0_u64..3, any::<bool>()), 0..80),
        ) {
            let mut index = Index::default();
            let mut model = BTreeMap::new();
            let mut now = 0;
            for (place, change, passing, twice) in moves {
                now += passing;
                for _ in 0..=u8::from(twice) {
                    index.apply((id(place), change.map(|(visible, expires)| times(visible, expires))));
                }
                model.remove(&place);
                if let Some(change) = change {
                    model.insert(place, change);
                }
                index.advance(at(now));
                let alive = model.iter().filter(|(_, (_, expires))| *expires > now);
                prop_assert_eq!(index.len(), alive.clone().count());
                let visible: Vec<u64> =
                    alive.filter(|(_, (visible, _))| *visible <= now).map(|(id, _)| *id).collect();
                prop_assert_eq!(ready(&index), visible);
                let dead: Vec<MessageId> =
                    model.iter().filter(|(_, (_, expires))| *expires <= now).map(|(place, _)| id(*place)).collect();
                prop_assert_eq!(index.dead().collect::<Vec<_>>(), dead);
            }
        }
    }
}
