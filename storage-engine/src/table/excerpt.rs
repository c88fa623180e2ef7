//! Excerpts: of the entities of a partition only what a filter looks at, kept in memory from one query to the next.
//!
//! A filter on a property has to be asked of every entity in its range. Going from one to the next costs `RocksDB` more
//! than a thousand instructions, and an entity that does not pass is some hundreds of bytes of which the filter reads
//! five. So a scan that had to look at many entities, and is not the first of its kind, leaves behind what it looked
//! at: for each block of [`BLOCK_ROWS`] entities the values of the named properties ([`Column`]) and the key of the
//! first. The next query that names the same properties, with whatever constants, reads the excerpt, and of the
//! partition only those blocks in which something passes or was written since.
//!
//! # Why it cannot be wrong
//! - **An excerpt only says where nothing is.** Blocks in which something passes are read from the view and evaluated
//!   as if there were no excerpt, so what a query answers always comes from the records.
//! - **It is believed only as far as the partition stands as it did.** It is kept with the partition's [`View::state`],
//!   and used by a view of that state, or of a later one that can tell all keys that were written between
//!   ([`View::changed`]). A block reaches to where the next begins, the first from where the excerpt begins and the
//!   last to where it ends, so every key that could be written lies in one. A store that cannot tell states has no
//!   excerpts.
//! - **There is one set of rules for comparing.** Columns of numbers and moments have a shorter way to the same
//!   answers, which tests hold against those rules, value by value.
//!
//! # What it costs
//! At most [`BYTES_MAX`] for all tables together; what was not used for longest goes first. The scan that makes one
//! takes a tenth longer, so filters that are asked once make none. After writes in more than [`WRITTEN_MAX`] blocks, or
//! more writes than the store remembers, a scan makes it anew. An index of properties would be faster still, but every
//! write would pay for it, and clients of this service expect none.
//!
//! Keeping whole entities in memory was the alternative. It serves fewer of them by a factor of fifty, and what is not
//! looked at would still be walked over.

use super::bounds::KeyRange;
use super::column::{self, Column, Columns, MISSING};
use super::condition::{Condition, Field};
use super::record::{encoded_at, encoded_timestamp};
use crate::clock::Timestamp;
use crate::error::Result;
use crate::meta::View;
use crate::meta::key::{KeyReader, successor};
use std::collections::{BTreeSet, HashMap, VecDeque};
use std::fmt;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Entities of a block. Tests have tiny ones, so that few entities make many.
const BLOCK_ROWS: usize = if cfg!(test) { 3 } else { column::ROWS_MAX };
/// Fewer entities than this are not worth an excerpt.
const ROWS_MIN: usize = if cfg!(test) { 4 } else { 256 };
/// Blocks of an excerpt in which something was written since, after which it is made anew.
const WRITTEN_MAX: usize = 64;
/// Topics without an excerpt that are remembered as asked of.
const ASKED_MAX: usize = 1024;
/// Bytes of all excerpts.
const BYTES_MAX: usize = 32 << 20;
/// Bytes of one excerpt: with larger values a filter's time goes into comparing them.
const EXCERPT_BYTES_MAX: usize = 4 << 20;

/// Which excerpt.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Topic {
    /// The key from which on it is; all the rest of a partition, and nothing behind it, is its range.
    from: Vec<u8>,
    names: Vec<String>,
    timestamps: bool,
}

/// A partition that a view can tell the state of.
#[derive(Debug, Clone)]
pub(super) struct Ground {
    /// How its keys begin.
    scope: Vec<u8>,
    state: u64,
}

impl Topic {
    /// What an excerpt for this condition would be about that begins with the range, and on which ground.
    ///
    /// None if there can be none: the range is not all the rest of one partition, the condition is on row keys, which
    /// already bound the range, or on no property, or the view cannot tell states.
    pub(super) fn of(view: &dyn View, range: &KeyRange, condition: &Condition<'_>) -> Option<(Self, Ground)> {
        let timestamps = condition.looks_at(Field::Timestamp);
        let on_nothing = condition.names().is_empty() && !timestamps;
        if on_nothing || condition.looks_at(Field::RowKey) || range.rows.is_some() {
            return None;
        }
        let mut pieces = KeyReader::new(&range.from);
        pieces.u64().ok()?;
        pieces.text().ok()?;
        let scope = range.from.strip_suffix(pieces.rest())?.to_vec();
        if range.end != successor(&scope) {
            return None;
        }
        let state = view.state(&scope)?;
        let names = condition.names().iter().map(|name| (*name).to_owned()).collect();
        Some((Self { from: range.from.clone(), names, timestamps }, Ground { scope, state }))
    }
}

/// What some entities, behind one another, hold under some names.
#[derive(Debug, Default)]
pub(super) struct Excerpt {
    blocks: Vec<Block>,
    /// The key of the first entity behind; none at the partition's end.
    behind: Option<Vec<u8>>,
}

/// Some entities of an excerpt.
#[derive(Debug)]
pub(super) struct Block {
    /// Where it begins: the first one's key, or where the excerpt begins.
    pub(super) first: Vec<u8>,
    /// How many there are.
    pub(super) rows: usize,
    columns: Box<[Column]>,
}

impl Excerpt {
    /// Its blocks, in key order.
    pub(super) fn blocks(&self) -> &[Block] {
        &self.blocks
    }

    /// The key of the first entity behind it; none at the partition's end.
    pub(super) fn behind(&self) -> Option<&[u8]> {
        self.behind.as_deref()
    }

    /// The places of the blocks in which these keys lie, in order and each once.
    fn places(&self, keys: &[Vec<u8>]) -> Vec<usize> {
        let here = keys.iter().filter(|key| self.behind.as_ref().is_none_or(|behind| *key < behind));
        let place = |key: &Vec<u8>| self.blocks.partition_point(|block| block.first <= *key).checked_sub(1);
        let places: BTreeSet<usize> = here.filter_map(place).collect();
        places.into_iter().collect()
    }
}

impl Block {
    /// What the entities hold, which are of this partition.
    pub(super) fn columns<'a>(&'a self, partition: &'a str) -> Columns<'a> {
        Columns { rows: self.rows, partition, held: &self.columns }
    }

    fn bytes(&self) -> usize {
        size_of::<Self>() + self.first.len() + self.columns.iter().map(Column::bytes).sum::<usize>()
    }
}

/// An excerpt in the making, as a scan goes through the entities.
#[derive(Debug)]
pub(super) struct Making {
    topic: Topic,
    ground: Ground,
    excerpt: Excerpt,
    bytes: usize,
    rows: usize,
    /// The last block: the key of its first entity, how many it has, and the encoded values of each column.
    first: Vec<u8>,
    rows_here: usize,
    encoded: Vec<Vec<u8>>,
}

impl Making {
    /// Begins an excerpt.
    pub(super) fn new(topic: Topic, ground: Ground) -> Self {
        let encoded = vec![Vec::new(); topic.names.len() + usize::from(topic.timestamps)];
        // The first block begins where the excerpt does: entities may come before its first.
        let (excerpt, first) = (Excerpt::default(), topic.from.clone());
        Self { topic, ground, excerpt, bytes: 0, rows: 0, first, rows_here: 0, encoded }
    }

    /// Takes the next entity: its values are in `record`, at `places`.
    pub(super) fn add(
        &mut self,
        key: &[u8],
        timestamp: Timestamp,
        record: &[u8],
        places: &[Option<usize>],
    ) -> Result<()> {
        // One that grew too large is given up, but the scan may still be long.
        if self.is_too_large() {
            return Ok(());
        }
        if self.rows_here == BLOCK_ROWS {
            self.end_block();
        }
        if self.first.is_empty() {
            self.first = key.to_vec();
        }
        self.rows_here += 1;
        let mut columns = self.encoded.iter_mut();
        for (place, column) in places.iter().zip(&mut columns) {
            match place {
                Some(place) => column.extend_from_slice(encoded_at(record, *place)?),
                None => column.push(MISSING),
            }
        }
        if let Some(column) = columns.next() {
            column.extend_from_slice(&encoded_timestamp(timestamp));
        }
        Ok(())
    }

    fn end_block(&mut self) {
        let columns = self.encoded.iter_mut().map(|encoded| {
            let column = Column::of(encoded);
            encoded.clear();
            column
        });
        let columns = columns.collect();
        let block = Block { first: std::mem::take(&mut self.first), rows: self.rows_here, columns };
        self.bytes += block.bytes();
        self.rows += self.rows_here;
        self.rows_here = 0;
        self.excerpt.blocks.push(block);
    }

    /// Ends it before the entity `behind`, or at the partition's end.
    pub(super) fn finish(mut self, behind: Option<Vec<u8>>, excerpts: &Excerpts) {
        if self.is_too_large() {
            return;
        }
        if self.rows_here > 0 {
            self.end_block();
        }
        if self.rows >= ROWS_MIN {
            self.excerpt.behind = behind;
            excerpts.keep(self.topic, self.ground.state, self.excerpt, self.bytes);
        }
    }

    fn is_too_large(&self) -> bool {
        self.bytes + self.encoded.iter().map(Vec::len).sum::<usize>() > EXCERPT_BYTES_MAX
    }
}

/// The excerpts of all tables.
#[derive(Default)]
pub(super) struct Excerpts {
    held: Mutex<Held>,
}

#[derive(Default)]
struct Held {
    kept: HashMap<Topic, Kept>,
    bytes: usize,
    /// The hashes of topics that were asked of last and had no excerpt. Of two with one hash the second is taken for
    /// asked again.
    asked: VecDeque<u64>,
    /// Counts uses.
    uses: u64,
}

struct Kept {
    excerpt: Arc<Excerpt>,
    bytes: usize,
    state: u64,
    used: u64,
}

impl fmt::Debug for Excerpts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let held = self.held();
        f.debug_struct("Excerpts").field("count", &held.kept.len()).field("bytes", &held.bytes).finish()
    }
}

impl Excerpts {
    /// Whether an excerpt on this topic was missed before: then it is worth making.
    pub(super) fn is_asked_again(&self, topic: &Topic) -> bool {
        let mut hasher = DefaultHasher::new();
        topic.hash(&mut hasher);
        let hash = hasher.finish();
        let asked = &mut self.held().asked;
        if asked.contains(&hash) {
            return true;
        }
        asked.truncate(ASKED_MAX - 1);
        asked.push_front(hash);
        false
    }

    /// The excerpt on this topic, if there is one that can be used on this ground; and the places of its blocks in
    /// which something was written since, in order.
    pub(super) fn find(
        &self,
        view: &dyn View,
        topic: &Topic,
        ground: &Ground,
    ) -> Option<(Arc<Excerpt>, Vec<usize>)> {
        let (excerpt, state) = self.use_one(topic)?;
        if state == ground.state {
            return Some((excerpt, Vec::new()));
        }
        let written = excerpt.places(&view.changed(&ground.scope, state)?);
        (written.len() <= WRITTEN_MAX).then_some((excerpt, written))
    }

    fn use_one(&self, topic: &Topic) -> Option<(Arc<Excerpt>, u64)> {
        let mut held = self.held();
        held.uses += 1;
        let uses = held.uses;
        let kept = held.kept.get_mut(topic)?;
        kept.used = uses;
        Some((Arc::clone(&kept.excerpt), kept.state))
    }

    fn keep(&self, topic: Topic, state: u64, excerpt: Excerpt, bytes: usize) {
        let mut held = self.held();
        held.uses += 1;
        let kept = Kept { excerpt: Arc::new(excerpt), bytes, state, used: held.uses };
        held.bytes += bytes;
        let before = held.kept.insert(topic, kept);
        held.bytes -= before.map_or(0, |before| before.bytes);
        while held.bytes > BYTES_MAX {
            held.drop_oldest();
        }
    }

    fn held(&self) -> MutexGuard<'_, Held> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Held {
    fn drop_oldest(&mut self) {
        let oldest = self.kept.iter().min_by_key(|(_, kept)| kept.used).map(|(topic, _)| topic.clone());
        let dropped = oldest.and_then(|topic| self.kept.remove(&topic));
        // With nothing left to drop there are no bytes either.
        self.bytes = dropped.map_or(0, |dropped| self.bytes - dropped.bytes);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::table::tests::{Bench, any_comparison, any_filter, any_properties, any_value, holds, key};
    use crate::table::{Change, Comparison, Expected, Filter, Operand, Properties, Value};
    use proptest::prelude::{ProptestConfig, Strategy, proptest};
    use proptest::{collection, option, prop_assert_eq, prop_oneof, sample};

    /// One row is written or removed, or a filter is asked of the partition, so many entities a page.
    #[derive(Debug, Clone)]
    enum Step {
        Write(u8, Option<Properties>),
        Ask(Filter, usize),
    }

    fn any_step() -> impl Strategy<Value = Step> {
        prop_oneof![
            1 => (0_u8..40, option::weighted(0.8, any_properties())).prop_map(|(row, properties)| Step::Write(row, properties)),
            2 => (any_question(), 1_usize..30).prop_map(|(filter, limit)| Step::Ask(filter, limit)),
        ]
    }

    /// Mostly on one of few fields, so that one excerpt serves many questions.
    fn any_question() -> impl Strategy<Value = Filter> {
        let field =
            sample::select(vec!["A", "B", "Timestamp"]).prop_map(|name| Operand::Property(name.to_owned()));
        let compared = (field, any_comparison(), any_value())
            .prop_map(|(field, by, value)| Filter::Compare(field, by, Operand::Literal(value)));
        prop_oneof![3 => compared, 1 => any_filter()]
    }

    fn here(filter: Filter) -> Filter {
        let partition = Operand::Property("PartitionKey".to_owned());
        let name = Operand::Literal(Value::String("a".to_owned()));
        Filter::And(Box::new(Filter::Compare(partition, Comparison::Equal, name)), Box::new(filter))
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(300))]

        #[test]
        fn filters_asked_between_writes_answer_what_looking_at_everything_would(
            rows in collection::vec(any_properties(), 0..40),
            steps in collection::vec(any_step(), 1..30),
        ) {
            let bench = Bench::new();
            let write = |row: u8, properties: Option<Properties>| {
                let change = properties.map_or(Change::Delete(Expected::Whatever), |properties| {
                    Change::Replace(Expected::Whatever, properties)
                });
                // To remove what is not there is refused, and changes nothing.
                let _ = bench.change(&key("a", &format!("{row:02}")), change);
            };
            for (row, properties) in (0..).zip(rows) {
                write(row, Some(properties));
            }
            for step in steps {
                match step {
                    Step::Write(row, properties) => write(row, properties),
                    Step::Ask(filter, limit) => {
                        let filter = here(filter);
                        let mut expected = bench.query(None, 1000);
                        expected.retain(|entity| holds(&filter, entity));
                        let found = bench.query(Some(filter), limit);
                        // By their text, because NaN is not equal to itself.
                        prop_assert_eq!(format!("{found:?}"), format!("{expected:?}"));
                    }
                }
            }
        }
    }

    #[test]
    fn what_was_not_used_for_longest_is_dropped_when_there_is_no_room() {
        let excerpts = Excerpts::default();
        let topic = |number: u8| Topic { from: vec![number], names: Vec::new(), timestamps: true };
        for number in 0..4 {
            excerpts.keep(topic(number), 1, Excerpt::default(), BYTES_MAX / 4);
        }
        assert!(excerpts.use_one(&topic(0)).is_some());
        excerpts.keep(topic(4), 1, Excerpt::default(), BYTES_MAX / 4);
        let held: Vec<_> = (0..5).map(|number| excerpts.use_one(&topic(number)).is_some()).collect();
        assert_eq!(held, [true, false, true, true, true]);
        excerpts.keep(topic(4), 2, Excerpt::default(), 1);
        assert_eq!(excerpts.held().bytes, BYTES_MAX / 4 * 3 + 1, "what is replaced is given back");
    }
}
