//! Writes that are not committed yet, and reading through them.
//!
//! A batch of verbs shares one [`Writes`]: each verb sees what the verbs before it wrote, before any of it is
//! durable. A verb writes straight into it and notes what it displaced; a verb that fails puts that back. A
//! layer per verb, merged on success, was the alternative: it makes every read of every verb merge three
//! layers, to spare the rare failing verb an undo of mostly nothing.
//!
//! The engines only give [`Base`]: what is committed. All else of a transaction is here, once, so that two
//! engines cannot disagree about what a verb sees.

use super::chunk_index;
use super::stamp::Times;
use super::{EngineError, Family, Result, Scope, Step, Timestamp, Transaction, Verb, View, Visit};
use crate::chunk::ChunkRef;
use bytes::Bytes;
use std::collections::{BTreeMap, btree_map};
use std::iter::Peekable;
use std::ops::Bound;
use std::panic::{AssertUnwindSafe, catch_unwind};

/// Committed records, as an engine gives them.
pub(super) trait Base: View {
    /// The last record from `from` on, up to `to`.
    fn last(&self, family: Family, from: &[u8], to: Bound<&[u8]>) -> Result<Option<(Bytes, Bytes)>>;
}

/// Written records of one family; `None` is a removed one.
type Written = BTreeMap<Vec<u8>, Option<Bytes>>;

/// Writes of a batch, in key order.
#[derive(Debug, Default)]
pub(super) struct Writes {
    families: BTreeMap<Family, Written>,
    freed: Vec<ChunkRef>,
    scopes: Vec<Scope>,
    bytes: usize,
}

impl Writes {
    /// Whether there is nothing to commit.
    pub(super) fn is_empty(&self) -> bool {
        self.families.values().all(BTreeMap::is_empty)
    }

    /// About how many bytes of keys and values were written.
    pub(super) const fn bytes(&self) -> usize {
        self.bytes
    }

    /// Chunks that no record names once this is committed.
    pub(super) fn freed(&self) -> &[ChunkRef] {
        &self.freed
    }

    /// The scopes of the verbs that wrote.
    pub(super) fn scopes(&self) -> &[Scope] {
        &self.scopes
    }

    /// All writes; `None` removes.
    pub(super) fn iter(&self) -> impl Iterator<Item = (Family, &[u8], Option<&Bytes>)> {
        self.families.iter().flat_map(|(family, written)| {
            written.iter().map(|(key, value)| (*family, key.as_slice(), value.as_ref()))
        })
    }

    /// Writes or removes a record. Gives the write of the same record that it displaces.
    #[expect(clippy::option_option, reason = "whether there was a write, and whether that was a removal")]
    pub(super) fn set(&mut self, family: Family, key: &[u8], value: Option<Bytes>) -> Option<Option<Bytes>> {
        self.bytes += key.len() + value.as_ref().map_or(0, Bytes::len);
        self.families.entry(family).or_default().insert(key.to_vec(), value)
    }

    fn written(&self, family: Family) -> Option<&Written> {
        self.families.get(&family).filter(|written| !written.is_empty())
    }

    fn put_back(&mut self, displaced: Displaced) {
        let written = self.families.entry(displaced.family).or_default();
        match displaced.value {
            Some(value) => written.insert(displaced.key, value),
            None => written.remove(&displaced.key),
        };
    }
}

/// What a write of a verb displaced from the batch's writes.
#[derive(Debug)]
struct Displaced {
    family: Family,
    key: Vec<u8>,
    #[expect(clippy::option_option, reason = "whether there was a write, and whether that was a removal")]
    value: Option<Option<Bytes>>,
}

/// Runs `verb` on `base` as `writes` change it. Its writes are then in `writes`, unless it failed.
///
/// # Errors
/// What the verb's `finish` is to be given in place of the batch's outcome, its writes being dropped: it
/// panicked, or wrote outside its scope. Both are mistakes in the verb, and neither may end the thread that
/// all other verbs need.
pub(super) fn run_verb(
    base: &dyn Base,
    writes: &mut Writes,
    scope: &Scope,
    times: Times,
    verb: &mut dyn Verb,
) -> Result<()> {
    let freed_before = writes.freed.len();
    let mut pending = Pending { base, writes, scope, times, displaced: Vec::new(), strayed: false };
    // What a panic may leave half done is the verb's own, which is not run again, and the writes, which are
    // taken back.
    let ran = catch_unwind(AssertUnwindSafe(|| verb.run(&mut pending)));
    let Pending { displaced, strayed, .. } = pending;
    if !matches!(ran, Ok(true)) || strayed {
        displaced.into_iter().rev().for_each(|write| writes.put_back(write));
        writes.freed.truncate(freed_before);
    } else if !displaced.is_empty() {
        writes.scopes.push(scope.clone());
    }
    match ran {
        Err(_) => Err(panicked("a verb panicked")),
        Ok(_) if strayed => Err(EngineError::corrupt("a verb wrote outside its scope")),
        Ok(_) => Ok(()),
    }
}

/// What a verb or an inquiry that panicked is answered. The panic itself has been reported by its hook.
pub(super) fn panicked(what: &'static str) -> EngineError {
    tracing::error!(what);
    EngineError::Meta(std::sync::Arc::new(std::io::Error::other(what)))
}

/// A verb's transaction.
struct Pending<'a> {
    base: &'a dyn Base,
    writes: &'a mut Writes,
    scope: &'a Scope,
    times: Times,
    displaced: Vec<Displaced>,
    strayed: bool,
}

impl Pending<'_> {
    const fn layered(&self) -> Layered<'_> {
        Layered { base: self.base, writes: self.writes }
    }

    fn write(&mut self, family: Family, key: &[u8], value: Option<Bytes>) {
        let value = self.writes.set(family, key, value);
        self.displaced.push(Displaced { family, key: key.to_vec(), value });
    }

    fn write_in_scope(&mut self, family: Family, key: &[u8], value: Option<Bytes>) {
        let own = family.is_unscoped() || key.starts_with(&self.scope.0);
        if matches!(family, Family::System | Family::Chunk) || !own {
            self.strayed = true;
            return;
        }
        self.write(family, key, value);
    }
}

impl View for Pending<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        self.layered().get(family, key)
    }

    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        self.layered().scan(family, from, end, visit)
    }

    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        self.layered().last(family, from, Bound::Included(at))
    }
}

impl Transaction for Pending<'_> {
    fn now(&self) -> Timestamp {
        self.times.stamp
    }

    fn clock(&self) -> Timestamp {
        self.times.clock
    }

    fn put(&mut self, family: Family, key: &[u8], value: &[u8]) {
        self.write_in_scope(family, key, Some(Bytes::copy_from_slice(value)));
    }

    fn delete(&mut self, family: Family, key: &[u8]) {
        self.write_in_scope(family, key, None);
    }

    fn keep(&mut self, chunk: ChunkRef) {
        self.write(Family::Chunk, &chunk_index::key(chunk), Some(chunk_index::value(chunk).into()));
    }

    fn free(&mut self, chunk: ChunkRef) {
        self.write(Family::Chunk, &chunk_index::key(chunk), None);
        self.writes.freed.push(chunk);
    }
}

/// Committed records as some writes change them.
pub(super) struct Layered<'a> {
    base: &'a dyn Base,
    writes: &'a Writes,
}

impl View for Layered<'_> {
    fn get(&self, family: Family, key: &[u8]) -> Result<Option<Bytes>> {
        match self.writes.written(family).and_then(|written| written.get(key)) {
            Some(value) => Ok(value.clone()),
            None => self.base.get(family, key),
        }
    }

    fn scan(&self, family: Family, from: &[u8], end: Option<&[u8]>, visit: &mut Visit<'_>) -> Result<()> {
        let Some(written) = self.writes.written(family) else {
            return self.base.scan(family, from, end, visit);
        };
        let ahead = between(written, from, end).peekable();
        let mut merge = Merge { written, end, ahead, visit, sought: None, stopped: false };
        self.base.scan(family, from, end, &mut |key, value| merge.meet(key, value))?;
        merge.visit_written(None)
    }

    fn last_at_or_before(&self, family: Family, from: &[u8], at: &[u8]) -> Result<Option<(Bytes, Bytes)>> {
        self.last(family, from, Bound::Included(at))
    }
}

impl Base for Layered<'_> {
    fn last(&self, family: Family, from: &[u8], to: Bound<&[u8]>) -> Result<Option<(Bytes, Bytes)>> {
        let Some(written) = self.writes.written(family) else { return self.base.last(family, from, to) };
        if is_empty(from, to) {
            return Ok(None);
        }
        let mut newest = written.range::<[u8], _>((Bound::Included(from), to)).rev();
        let newest = newest.find_map(|(key, value)| value.as_ref().map(|value| (key.as_slice(), value)));
        let mut committed = self.base.last(family, from, to)?;
        while let Some((key, value)) = committed {
            if newest.is_some_and(|(written, _)| written >= key.as_ref()) {
                break;
            }
            if !written.contains_key(key.as_ref()) {
                return Ok(Some((key, value)));
            }
            committed = self.base.last(family, from, Bound::Excluded(&key))?;
        }
        Ok(newest.map(|(key, value)| (Bytes::copy_from_slice(key), value.clone())))
    }
}

/// Whether nothing can be from `from` to `to`.
pub(super) fn is_empty(from: &[u8], to: Bound<&[u8]>) -> bool {
    match to {
        Bound::Included(to) => to < from,
        Bound::Excluded(to) => to <= from,
        Bound::Unbounded => false,
    }
}

/// The entries from `from` on, below `end`; none if `end` is not behind `from`.
pub(super) fn between<'a, V>(
    entries: &'a BTreeMap<Vec<u8>, V>,
    from: &[u8],
    end: Option<&[u8]>,
) -> btree_map::Range<'a, Vec<u8>, V> {
    let end = end.map_or(Bound::Unbounded, |end| Bound::Excluded(end.max(from)));
    entries.range::<[u8], _>((Bound::Included(from), end))
}

/// A scan of committed records into which written ones are mixed.
struct Merge<'a, 'v> {
    written: &'a Written,
    end: Option<&'a [u8]>,
    /// Written records that the scan has not reached.
    ahead: Peekable<btree_map::Range<'a, Vec<u8>, Option<Bytes>>>,
    visit: &'a mut Visit<'v>,
    /// Where the visitor wants to go on, if the committed records are not known to be there.
    sought: Option<Vec<u8>>,
    stopped: bool,
}

impl Merge<'_, '_> {
    /// Takes the next committed record.
    fn meet(&mut self, key: &[u8], value: &[u8]) -> Result<Step> {
        self.visit_written(Some(key))?;
        if self.stopped {
            return Ok(Step::Stop);
        }
        if let Some(sought) = self.sought.take_if(|sought| sought.as_slice() > key) {
            return Ok(Step::Seek(sought));
        }
        self.sought = None;
        let step = match self.ahead.next_if(|(written, _)| written.as_slice() == key) {
            Some((_, Some(written))) => (self.visit)(key, written)?,
            Some((_, None)) => Step::Next,
            None => (self.visit)(key, value)?,
        };
        Ok(self.take(key, step))
    }

    /// Visits the written records before `limit`, or all.
    fn visit_written(&mut self, limit: Option<&[u8]>) -> Result<()> {
        while !self.stopped {
            let before = |key: &[u8]| limit.is_none_or(|limit| key < limit);
            let Some((key, value)) = self.ahead.next_if(|(key, _)| before(key)) else { break };
            if let Some(value) = value {
                let step = (self.visit)(key, value)?;
                if let Step::Seek(target) = self.take(key, step) {
                    self.sought = Some(target);
                }
            }
        }
        Ok(())
    }

    /// Does with the written records what the visitor of `key` asked for.
    fn take(&mut self, key: &[u8], step: Step) -> Step {
        match step {
            Step::Seek(target) if target.as_slice() <= key => Step::Next,
            Step::Seek(target) => {
                self.ahead = between(self.written, &target, self.end).peekable();
                Step::Seek(target)
            }
            Step::Stop => {
                self.stopped = true;
                Step::Stop
            }
            Step::Next => Step::Next,
        }
    }
}
