//! One bit for each page of an area.
//!
//! All sets of pages here are of one size, 8192 bits in 1 KiB, so that joining, cutting and comparing two of them
//! is a loop over 128 words. On disk a set is a list of run lengths, unless that is longer than the bits
//! themselves: an area that is written all over takes three bytes.

use super::place::AREA_PAGES;
use crate::error::Result;
use crate::meta::record::{Decoder, Encoder};
use std::ops::Range;

const WORD_BITS: u32 = u64::BITS;
const WORDS: usize = (AREA_PAGES / WORD_BITS) as usize;

/// How a set is written: as lengths of runs, in turn of absent and of present pages.
const AS_RUNS: u8 = 1;
/// How a set is written: as its bits.
const AS_BITS: u8 = 2;

/// A set of an area's pages.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Pages(Vec<u64>);

impl Pages {
    pub(super) fn none() -> Self {
        Self(vec![0; WORDS])
    }

    #[cfg(test)]
    fn of(range: Range<u32>) -> Self {
        let mut pages = Self::none();
        pages.insert(range);
        pages
    }

    pub(super) fn insert(&mut self, range: Range<u32>) {
        self.each(range, |word, mask| *word |= mask);
    }

    pub(super) fn remove(&mut self, range: Range<u32>) {
        self.each(range, |word, mask| *word &= !mask);
    }

    /// Whether all pages of `range` are in the set.
    pub(super) fn contains(&self, range: Range<u32>) -> bool {
        masks(range).all(|(word, mask)| self.0.get(word).is_some_and(|bits| bits & mask == mask))
    }

    /// Whether a page of `range` is in the set.
    pub(super) fn touches(&self, range: Range<u32>) -> bool {
        masks(range).any(|(word, mask)| self.0.get(word).is_some_and(|bits| bits & mask != 0))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.0.iter().all(|word| *word == 0)
    }

    /// Adds the pages of another set.
    pub(super) fn join(&mut self, other: &Self) {
        self.0.iter_mut().zip(&other.0).for_each(|(word, other)| *word |= other);
    }

    /// The pages that are in this set and not in the other.
    pub(super) fn without(&self, other: &Self) -> Self {
        Self(self.0.iter().zip(&other.0).map(|(word, other)| word & !other).collect())
    }

    /// The first page of `range` that is in the set (`present`) or not in it; the end if there is none.
    pub(super) fn next(&self, range: Range<u32>, present: bool) -> u32 {
        let flip = if present { 0 } else { u64::MAX };
        for (word, mask) in masks(range.clone()) {
            let bits = (self.0.get(word).copied().unwrap_or(0) ^ flip) & mask;
            if bits != 0 {
                return u32::try_from(word).unwrap_or(u32::MAX) * WORD_BITS + bits.trailing_zeros();
            }
        }
        range.end
    }

    /// The runs of neighbouring pages of `range` that are in the set.
    pub(super) fn runs(&self, range: Range<u32>) -> impl Iterator<Item = Range<u32>> + '_ {
        let mut from = range.start;
        std::iter::from_fn(move || {
            let first = self.next(from..range.end, true);
            let end = self.next(first..range.end, false);
            from = end;
            (first < end).then_some(first..end)
        })
    }

    pub(super) fn encode(&self, fields: &mut Encoder) {
        let lengths = self.lengths();
        if lengths.len() > WORDS * 4 {
            fields.u8(AS_BITS);
            for word in &self.0 {
                fields.u64(*word);
            }
        } else {
            fields.u8(AS_RUNS).count(lengths.len());
            for length in lengths {
                fields.varint(u64::from(length));
            }
        }
    }

    /// Lengths of the runs from the area's first page on: absent, present, absent and so on, up to the last page
    /// that is present.
    fn lengths(&self) -> Vec<u32> {
        let mut lengths = Vec::new();
        let mut end = 0;
        for run in self.runs(0..AREA_PAGES) {
            lengths.extend([run.start - end, run.end - run.start]);
            end = run.end;
        }
        lengths
    }

    pub(super) fn decode(fields: &mut Decoder<'_>) -> Result<Self> {
        match fields.u8()? {
            AS_BITS => Ok(Self((0..WORDS).map(|_| fields.u64()).collect::<Result<_>>()?)),
            AS_RUNS => {
                let mut pages = Self::none();
                let mut from = 0;
                for number in 0..fields.count()? {
                    let length = u32::try_from(fields.varint()?).map_err(|_| fields.damaged())?;
                    let end = length.checked_add(from).filter(|end| *end <= AREA_PAGES);
                    let end = end.ok_or_else(|| fields.damaged())?;
                    if !number.is_multiple_of(2) {
                        pages.insert(from..end);
                    }
                    from = end;
                }
                Ok(pages)
            }
            _ => Err(fields.damaged()),
        }
    }

    fn each(&mut self, range: Range<u32>, mut change: impl FnMut(&mut u64, u64)) {
        for (word, mask) in masks(range) {
            if let Some(word) = self.0.get_mut(word) {
                change(word, mask);
            }
        }
    }
}

/// The words in which the bits of `range` are, each with those bits.
fn masks(range: Range<u32>) -> impl Iterator<Item = (usize, u64)> {
    let words = range.start / WORD_BITS..range.end.div_ceil(WORD_BITS);
    let words = if range.is_empty() { 0..0 } else { words };
    words.map(move |word| {
        let first = word * WORD_BITS;
        let (from, end) = (range.start.max(first) - first, range.end.min(first + WORD_BITS) - first);
        (word as usize, (u64::MAX >> (WORD_BITS - (end - from))) << from)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use std::collections::BTreeSet;

    fn model(pages: &Pages) -> BTreeSet<u32> {
        (0..AREA_PAGES).filter(|page| pages.contains(*page..*page + 1)).collect()
    }

    fn range() -> impl Strategy<Value = Range<u32>> {
        (0..AREA_PAGES, 0..300_u32).prop_map(|(from, count)| from..(from + count).min(AREA_PAGES))
    }

    proptest! {
        #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]
        #[test]
        fn pages_do_what_a_set_does(changes in prop::collection::vec((range(), any::<bool>()), 0..20), asked in range()) {
            let (mut pages, mut set) = (Pages::none(), BTreeSet::new());
            for (range, inserted) in changes {
                if inserted {
                    pages.insert(range.clone());
                    set.extend(range);
                } else {
                    pages.remove(range.clone());
                    set.retain(|page| !range.contains(page));
                }
            }
            prop_assert_eq!(model(&pages), set.clone());
            prop_assert_eq!(pages.contains(asked.clone()), asked.clone().all(|page| set.contains(&page)));
            prop_assert_eq!(pages.touches(asked.clone()), asked.clone().any(|page| set.contains(&page)));
            let runs: Vec<_> = pages.runs(asked.clone()).collect();
            prop_assert!(runs.windows(2).all(|pair| pair[0].end < pair[1].start));
            let expected: Vec<_> = asked.filter(|page| set.contains(page)).collect();
            prop_assert_eq!(runs.into_iter().flatten().collect::<Vec<_>>(), expected);
            let mut fields = Encoder::new(1);
            pages.encode(&mut fields);
            let record = fields.finish();
            let (_, mut fields) = Decoder::versioned("test", 1, &record).unwrap();
            prop_assert_eq!(Pages::decode(&mut fields).unwrap(), pages);
            prop_assert!(fields.finish().is_ok());
        }

        #[test]
        fn damaged_sets_are_errors_and_never_panics(mut record: Vec<u8>) {
            record.insert(0, 1);
            let (_, mut fields) = Decoder::versioned("test", 1, &record).unwrap();
            let _ = Pages::decode(&mut fields);
        }
    }

    #[test]
    fn a_set_takes_no_more_than_its_bits() {
        for (pages, bytes_max) in [(Pages::none(), 3), (Pages::of(0..AREA_PAGES), 6)] {
            let mut fields = Encoder::new(1);
            pages.encode(&mut fields);
            assert!(fields.finish().len() <= bytes_max);
        }
        let mut alternate = Pages::none();
        (0..AREA_PAGES).step_by(2).for_each(|page| alternate.insert(page..page + 1));
        let mut fields = Encoder::new(1);
        alternate.encode(&mut fields);
        assert_eq!(fields.finish().len(), 2 + WORDS * 8);
        assert_eq!(alternate.without(&alternate), Pages::none());
    }
}
