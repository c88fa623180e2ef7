//! Slots that are nobody's home: which of them are free.
//!
//! Nothing of this is on disk. What is taken is what maps name, so it is found out when the volume is opened.

use super::place::SPARES;
use std::collections::BTreeSet;

/// Free slots that keep their space, so that the next to take one writes into allocated blocks: a sync of these
/// costs half of one that must allocate, too. 4 MiB of a volume at most.
const WARM_MAX: usize = 64;

/// The free spare slots of a volume.
#[derive(Debug)]
pub(super) struct Spares {
    warm: Vec<u64>,
    cold: BTreeSet<u64>,
    /// All behind it are free, too.
    next: u64,
}

impl Spares {
    /// The ones that are left when these are taken; `taken` rises.
    pub(super) fn without(taken: &[u64]) -> Self {
        let mut spares = Self { warm: Vec::new(), cold: BTreeSet::new(), next: SPARES };
        for slot in taken.iter().copied().filter(|slot| *slot >= SPARES) {
            spares.cold.extend(spares.next..slot);
            spares.next = slot + 1;
        }
        spares
    }

    pub(super) fn take(&mut self) -> u64 {
        self.warm.pop().or_else(|| self.cold.pop_first()).unwrap_or_else(|| {
            self.next += 1;
            self.next - 1
        })
    }

    /// Takes a slot back with its space, if it may keep that.
    pub(super) fn keep_warm(&mut self, slot: u64) -> bool {
        let room = self.warm.len() < WARM_MAX;
        if room {
            self.warm.push(slot);
        }
        room
    }

    /// Takes slots back whose space is given back.
    pub(super) fn release(&mut self, slots: &[u64]) {
        self.cold.extend(slots.iter().filter(|slot| **slot >= SPARES));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_slot_is_given_once_until_it_comes_back() {
        let mut spares = Spares::without(&[5, SPARES + 1, SPARES + 3]);
        let taken: Vec<u64> = (0..4).map(|_| spares.take() - SPARES).collect();
        assert_eq!(taken, [0, 2, 4, 5]);
        assert!(spares.keep_warm(SPARES + 4));
        spares.release(&[SPARES + 2, 9]);
        let taken: Vec<u64> = (0..3).map(|_| spares.take() - SPARES).collect();
        assert_eq!(taken, [4, 2, 6]);
    }

    #[test]
    fn only_some_keep_their_space() {
        let mut spares = Spares::without(&[]);
        let warm = (0..100).filter(|slot| spares.keep_warm(SPARES + slot)).count();
        assert_eq!(warm, WARM_MAX);
    }
}
