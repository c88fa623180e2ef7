//! What volumes must hold: for each page the act that wrote it, and what else a crash may show.

use crate::dice::Dice;
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use storage_engine::page::{AREA_BYTES, Epoch, PAGE_BYTES, PageRange};

/// Pages of an area.
pub(crate) const AREA: u64 = AREA_BYTES as u64 / PAGE_BYTES as u64;
/// Pages that the volume has at most.
pub(crate) const PAGES: u64 = AREA + 300;
/// Where acts happen: at the edges of units and areas.
pub(crate) const WINDOWS: [(u64, u64); 3] = [(0, 20), (120, 150), (AREA - 10, AREA + 140)];

/// Something done to the volume. Pages are numbered.
#[derive(Debug, Clone)]
pub(crate) enum Act {
    Write { from: u64, end: u64, now: bool },
    Clear { from: u64, end: u64, now: bool },
    Flush,
    Snapshot,
    DeleteSnapshot(Epoch),
    Resize(u64),
}

impl Act {
    pub(crate) fn draw(dice: &mut Dice, model: &Model) -> Self {
        let now = dice.once_in(2);
        let (from, end) = Self::range(dice);
        match dice.below(20) {
            0..10 => Self::Write { from, end, now },
            10..12 => Self::Clear { from, end, now },
            12 => Self::Clear { from: 0, end: model.latest.page_count.max(1), now },
            13..15 => Self::Flush,
            15..17 => Self::Snapshot,
            17 | 18 => {
                let epochs: Vec<Epoch> = model.snapshots.keys().copied().collect();
                if epochs.is_empty() { Self::Snapshot } else { Self::DeleteSnapshot(dice.pick(&epochs)) }
            }
            _ => Self::Resize(dice.pick(&[0, 5, 127, 130, AREA - 1, AREA, AREA + 2, PAGES, PAGES, PAGES])),
        }
    }

    fn range(dice: &mut Dice) -> (u64, u64) {
        let (first, end) = dice.pick(&WINDOWS);
        let from = first + dice.below(end - first);
        let longest = if dice.once_in(4) { 140 } else { 9 };
        let length = u64::try_from(dice.length(1..longest)).unwrap();
        (from, (from + length).min(end))
    }

    /// Whether the volume has the pages that it is about.
    pub(crate) fn fits(&self, model: &Model) -> bool {
        match self {
            Self::Write { end, .. } | Self::Clear { end, .. } => *end <= model.latest.page_count,
            _ => true,
        }
    }
}

/// A state of the volume.
#[derive(Debug, Clone)]
pub(crate) struct Image {
    /// The act that it is from.
    pub(crate) number: u32,
    pub(crate) page_count: u64,
    /// Valid pages, and the acts that wrote them.
    pub(crate) pages: BTreeMap<u64, u32>,
}

#[derive(Debug, Clone)]
pub(crate) struct Model {
    pub(crate) latest: Image,
    /// What else a crash may show of pages.
    pub(crate) older: BTreeMap<u64, BTreeSet<Option<u32>>>,
    pub(crate) snapshots: BTreeMap<Epoch, Image>,
    /// The last act before the last crash or refusal: from there on differences may tell of too much.
    pub(crate) crashed: Option<u32>,
}

impl Model {
    pub(crate) fn new() -> Self {
        let latest = Image { number: 0, page_count: PAGES, pages: BTreeMap::new() };
        Self { latest, older: BTreeMap::new(), snapshots: BTreeMap::new(), crashed: None }
    }

    pub(crate) fn set(&mut self, pages: std::ops::Range<u64>, value: Option<u32>, now: bool) {
        for page in pages {
            let old = match value {
                Some(value) => self.latest.pages.insert(page, value),
                None => self.latest.pages.remove(&page),
            };
            if now {
                self.older.remove(&page);
            } else {
                self.older.entry(page).or_default().insert(old);
            }
        }
    }

    /// It was done. `epoch` is a snapshot's.
    pub(crate) fn apply(&mut self, act: &Act, epoch: Option<Epoch>) {
        let number = self.latest.number;
        match act {
            Act::Write { from, end, now } => self.set(*from..*end, Some(number), *now),
            Act::Clear { from, end, now } => self.set(*from..*end, None, *now),
            Act::Flush => self.older.clear(),
            Act::Snapshot => {
                self.older.clear();
                assert!(self.snapshots.insert(epoch.unwrap(), self.latest.clone()).is_none());
            }
            Act::DeleteSnapshot(epoch) => drop(self.snapshots.remove(epoch)),
            Act::Resize(page_count) => {
                self.latest.page_count = *page_count;
                self.latest.pages.retain(|page, _| page < page_count);
                self.older.retain(|page, _| page < page_count);
            }
        }
    }

    /// Whether a crash may show this of a page.
    pub(crate) fn allows(&self, page: u64, value: Option<u32>) -> bool {
        self.latest.pages.get(&page).copied() == value
            || self.older.get(&page).is_some_and(|older| older.contains(&value))
    }

    /// What a crash shows is so from now on.
    pub(crate) fn adopt(&mut self, page: u64, value: Option<u32>) {
        self.older.remove(&page);
        match value {
            Some(value) => self.latest.pages.insert(page, value),
            None => self.latest.pages.remove(&page),
        };
    }
}

pub(crate) fn range(from: u64, end: u64) -> PageRange {
    let page = PAGE_BYTES as u64;
    PageRange::new(from * page, (end - from) * page).unwrap()
}

/// The bytes of a page that an act wrote.
pub(crate) fn fill(page: u64, number: u32) -> Vec<u8> {
    [&number.to_be_bytes()[..], &page.to_be_bytes()[4..]].concat().repeat(64)
}

pub(crate) fn fill_all(pages: std::ops::Range<u64>, number: u32) -> Bytes {
    pages.flat_map(|page| fill(page, number)).collect()
}

/// Which act wrote the bytes of a page.
pub(crate) fn value(page: u64, bytes: &[u8]) -> Option<u32> {
    if bytes.iter().all(|byte| *byte == 0) {
        return None;
    }
    let number = u32::from_be_bytes(*bytes.first_chunk().unwrap());
    assert!(bytes == fill(page, number), "page {page} is a mixture, or another one's");
    Some(number)
}
