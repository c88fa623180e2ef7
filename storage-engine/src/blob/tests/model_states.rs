//! All states of blobs against a model: thousands of random verbs of every kind on a few names, with versioning and
//! soft deletion switched on and off, and the clock running. After each, what is listed, read and found by tags is
//! what plain maps hold, and no chunk is leaked or freed too early. In the end nothing is left of anything.
//!
//! `LINARITE_SEED=<seed> cargo test -p storage-engine --lib model_states` repeats a failing run.

use crate::blob::fixture::{Fixture, block_id};
use crate::blob::{
    Alteration, AppendConditions, BlockChoice, Conditions, DeleteSnapshots, NewBlob, Protection,
    SequenceConditions, TagComparison, TagExpression, Tags, Which,
};
use crate::clock::{Clock, Timestamp};
use crate::error::EngineError;
use crate::meta::Family;
use crate::page::PageRange;
use futures_executor::block_on;
use std::collections::BTreeMap;
use std::time::Duration;

const NAMES: [&str; 3] = ["a", "a/b", "b"];
const DAY: Duration = Duration::from_hours(24);
const PAGES: u64 = 4;

mod check;

struct Dice(u64);

impl Dice {
    fn roll(&mut self, sides: u64) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mut z = self.0;
        z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        (z ^ (z >> 31)) % sides
    }

    fn bytes(&mut self) -> Vec<u8> {
        (0..self.roll(12)).map(|_| u8::try_from(self.roll(256)).unwrap()).collect()
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Kind {
    Block,
    Append,
    Page,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Blob {
    kind: Kind,
    bytes: Vec<u8>,
    blocks: Vec<(String, Vec<u8>)>,
    metadata: String,
    tag: Option<String>,
    version: Option<Timestamp>,
    etag: u64,
    sealed: bool,
}

/// When it was deleted, and until when it is kept.
type Deleted = Option<(Timestamp, Timestamp)>;

#[derive(Debug, Default)]
struct Name {
    base: Option<Blob>,
    deleted: Option<(Blob, Deleted)>,
    /// By id; `false` for snapshots.
    past: BTreeMap<(Timestamp, bool), (Blob, Deleted)>,
    staged: BTreeMap<String, Vec<u8>>,
}

impl Name {
    fn has_snapshots(&self) -> bool {
        self.past.iter().any(|((_, version), (_, deleted))| !version && deleted.is_none())
    }

    /// Puts away what is there when a blob is made at `now`.
    fn retire(&mut self, kind: Kind, protection: Protection, now: Timestamp) {
        if let Some((blob, deleted)) = self.deleted.take()
            && blob.kind == kind
        {
            self.past.insert((deleted.unwrap().0, false), (blob, deleted));
        }
        let Some(mut former) = self.base.take() else { return };
        if protection.versioning || former.version.is_some() {
            let id = self.version_id(&former);
            former.version = Some(id);
            self.past.insert((id, true), (former, None));
        } else if let Some(days) = protection.delete_retention_days {
            self.past.insert((now, false), (former, Some((now, now.after(DAY * days)))));
        }
    }

    /// By what the blob is known as a former version.
    fn version_id(&self, blob: &Blob) -> Timestamp {
        let mut id = blob.version.unwrap_or(Timestamp::from_ticks(blob.etag));
        while self.past.contains_key(&(id, true)) {
            id = Timestamp::from_ticks(id.ticks() - 1);
        }
        id
    }

    fn forget(&mut self, now: Timestamp) {
        let kept = |deleted: &Deleted| deleted.is_none_or(|(_, purge)| now < purge);
        self.past.retain(|_, (_, deleted)| kept(deleted));
        self.deleted.take_if(|(_, deleted)| !kept(deleted));
    }
}

struct Run {
    store: Fixture,
    dice: Dice,
    names: BTreeMap<&'static str, Name>,
    protection: Protection,
}

fn tag_expression(value: &str) -> TagExpression {
    TagExpression::Compare { key: "t".to_owned(), comparison: TagComparison::Equal, value: value.to_owned() }
}

impl Run {
    fn new(seed: u64) -> Self {
        let names = NAMES.into_iter().map(|name| (name, Name::default())).collect();
        Self { store: Fixture::new(), dice: Dice(seed), names, protection: Protection::default() }
    }

    fn new_blob(&mut self) -> (NewBlob, String, Option<String>) {
        let metadata = self.dice.roll(10).to_string();
        let tag = (self.dice.roll(2) == 0).then(|| self.dice.roll(3).to_string());
        let tags = tag.iter().map(|tag| ("t".to_owned(), tag.clone())).collect();
        let new = NewBlob {
            metadata: vec![("m".to_owned(), metadata.clone())],
            tags: Tags::new(tags).unwrap(),
            ..NewBlob::default()
        };
        (new, metadata, tag)
    }

    /// What a verb that makes a blob of this kind is to say.
    fn replaceable(&self, name: &str, kind: Kind) -> bool {
        let name = &self.names[name];
        name.base.as_ref().is_none_or(|base| base.kind == kind || !name.has_snapshots())
    }

    fn made(&mut self, name: &'static str, outcome: Result<crate::blob::Stamp, EngineError>, mut blob: Blob) {
        if !self.replaceable(name, blob.kind) {
            assert!(matches!(outcome, Err(EngineError::SnapshotsPresent)), "{outcome:?}");
            return;
        }
        let stamp = outcome.unwrap();
        let now = Timestamp::from_ticks(stamp.etag.0);
        let entry = self.names.get_mut(name).unwrap();
        entry.retire(blob.kind, self.protection, now);
        entry.staged.clear();
        blob.etag = stamp.etag.0;
        blob.version = self.protection.versioning.then_some(now);
        assert_eq!(stamp.version, blob.version);
        entry.base = Some(blob);
    }

    fn put(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let (new, metadata, tag) = self.new_blob();
        let bytes = self.dice.bytes();
        let content =
            if self.dice.roll(2) == 0 { self.store.inline(&bytes) } else { self.store.chunked(&bytes, 4) };
        let put = self.store.blobs.put_block_blob(&at, new, content, Conditions::default(), self.protection);
        let outcome = block_on(put);
        let blob = Blob {
            kind: Kind::Block,
            bytes,
            blocks: Vec::new(),
            metadata,
            tag,
            version: None,
            etag: 0,
            sealed: false,
        };
        self.made(name, outcome, blob);
    }

    fn create(&mut self, name: &'static str, kind: Kind) {
        let (new, metadata, tag) = self.new_blob();
        let (at, any) = (self.store.at(name), Conditions::default());
        let (outcome, length) = if kind == Kind::Append {
            (block_on(self.store.blobs.create_append_blob(&at, new, any, self.protection)), 0)
        } else {
            let size = PAGES * 512;
            (block_on(self.store.blobs.create_page_blob(&at, new, (size, 0), any, self.protection)), size)
        };
        let bytes = vec![0; usize::try_from(length).unwrap()];
        self.made(
            name,
            outcome,
            Blob { kind, bytes, blocks: Vec::new(), metadata, tag, version: None, etag: 0, sealed: false },
        );
    }

    fn stage(&mut self, name: &'static str) {
        let (id, bytes) = (self.dice.roll(4).to_string(), self.dice.bytes());
        let outcome = self.store.stage(name, &id, &bytes);
        let entry = self.names.get_mut(name).unwrap();
        if entry.base.as_ref().is_some_and(|base| base.kind != Kind::Block) {
            assert!(matches!(outcome, Err(EngineError::BlobKindMismatch)));
            return;
        }
        outcome.unwrap();
        entry.staged.insert(id, bytes);
    }

    fn commit(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let entry = &self.names[name];
        let committed: Vec<_> = entry.base.iter().flat_map(|base| base.blocks.clone()).collect();
        let mut known: BTreeMap<String, Vec<u8>> = committed.into_iter().collect();
        known.extend(entry.staged.clone());
        let mut blocks = Vec::new();
        for _ in 0..self.dice.roll(5) {
            let ids: Vec<_> = known.keys().cloned().collect();
            let Some(id) = ids.get(usize::try_from(self.dice.roll(4)).unwrap()) else { continue };
            blocks.push((id.clone(), known[id].clone()));
        }
        let (new, metadata, tag) = self.new_blob();
        let choices = blocks.iter().map(|(id, _)| BlockChoice::Latest(block_id(id))).collect();
        let commit =
            self.store.blobs.commit_block_list(&at, choices, new, Conditions::default(), self.protection);
        let outcome = block_on(commit);
        if self.names[name].base.as_ref().is_some_and(|base| base.kind != Kind::Block) {
            let refused =
                matches!(outcome, Err(EngineError::BlobKindMismatch | EngineError::SnapshotsPresent));
            assert!(refused, "{outcome:?}");
            return;
        }
        let bytes = blocks.iter().flat_map(|(_, bytes)| bytes.clone()).collect();
        self.made(
            name,
            outcome,
            Blob { kind: Kind::Block, bytes, blocks, metadata, tag, version: None, etag: 0, sealed: false },
        );
    }

    fn append(&mut self, name: &'static str) {
        let bytes = self.dice.bytes();
        let content = self.store.chunked(&bytes, 3);
        let at = self.store.at(name);
        let append =
            self.store.blobs.append_block(&at, content, AppendConditions::default(), Conditions::default());
        let outcome = block_on(append);
        let entry = self.names.get_mut(name).unwrap();
        match &mut entry.base {
            None => assert!(matches!(outcome, Err(EngineError::BlobNotFound))),
            Some(base) if base.kind != Kind::Append => {
                assert!(matches!(outcome, Err(EngineError::BlobKindMismatch)));
            }
            Some(base) if base.sealed => assert!(matches!(outcome, Err(EngineError::BlobSealed))),
            Some(base) => {
                let appended = outcome.unwrap();
                assert_eq!(appended.offset, base.bytes.len() as u64);
                base.bytes.extend(bytes);
                base.etag = appended.stamp.etag.0;
            }
        }
    }

    fn write_pages(&mut self, name: &'static str) {
        let (page, clear, fill) =
            (self.dice.roll(PAGES), self.dice.roll(3) == 0, u8::try_from(self.dice.roll(256)).unwrap());
        let (at, any, offset) = (self.store.at(name), Conditions::default(), page * 512);
        let sequence = SequenceConditions::default();
        let outcome = if clear {
            let range = PageRange::new(offset, 512).unwrap();
            block_on(self.store.blobs.clear_pages(&at, range, sequence, any))
        } else {
            let parts = vec![bytes::Bytes::from(vec![fill; 512])];
            block_on(self.store.blobs.write_pages(&at, offset, parts, sequence, any))
        };
        match &mut self.names.get_mut(name).unwrap().base {
            None => assert!(matches!(outcome, Err(EngineError::BlobNotFound))),
            Some(base) if base.kind != Kind::Page => {
                assert!(matches!(outcome, Err(EngineError::BlobKindMismatch)));
            }
            Some(base) if base.bytes.len() < usize::try_from(offset).unwrap() + 512 => {
                assert!(matches!(outcome, Err(EngineError::InvalidPageRange)));
            }
            Some(base) => {
                base.etag = outcome.unwrap().stamp.etag.0;
                let from = usize::try_from(offset).unwrap();
                base.bytes[from..from + 512].fill(if clear { 0 } else { fill });
            }
        }
    }

    fn resize(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let length = self.dice.roll(PAGES + 1) * 512;
        let outcome = {
            let what = Alteration { length: Some(length), ..Alteration::default() };
            block_on(self.store.blobs.alter(&at, what, Conditions::default()))
        };
        match &mut self.names.get_mut(name).unwrap().base {
            None => assert!(matches!(outcome, Err(EngineError::BlobNotFound))),
            Some(base) if base.kind != Kind::Page => {
                assert!(matches!(outcome, Err(EngineError::BlobKindMismatch)));
            }
            Some(base) => {
                base.etag = outcome.unwrap().stamp.etag.0;
                base.bytes.resize(usize::try_from(length).unwrap(), 0);
            }
        }
    }

    fn seal(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let sealed = self.store.blobs.seal(&at, AppendConditions::default(), Conditions::default());
        let outcome = block_on(sealed);
        match &mut self.names.get_mut(name).unwrap().base {
            Some(base) if base.kind == Kind::Append => {
                base.etag = outcome.unwrap().etag.0;
                base.sealed = true;
            }
            _ => assert!(outcome.is_err()),
        }
    }

    fn set_metadata(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let metadata = self.dice.roll(10).to_string();
        let given = vec![("m".to_owned(), metadata.clone())];
        let set = self.store.blobs.set_metadata(&at, given, Conditions::default(), self.protection);
        let outcome = block_on(set);
        let entry = self.names.get_mut(name).unwrap();
        let Some(base) = &entry.base else {
            assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
            return;
        };
        let stamp = outcome.unwrap();
        let mut made = Blob { metadata, etag: stamp.etag.0, ..base.clone() };
        if self.protection.versioning {
            let former = base.clone();
            let id = entry.version_id(&former);
            entry.past.insert((id, true), (Blob { version: Some(id), ..former }, None));
            made.version = Some(Timestamp::from_ticks(stamp.etag.0));
        }
        entry.base = Some(made);
    }

    fn snapshot(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let taken = self.store.blobs.snapshot(&at, None, Conditions::default(), self.protection);
        let outcome = block_on(taken);
        let entry = self.names.get_mut(name).unwrap();
        let Some(base) = &mut entry.base else {
            assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
            return;
        };
        let snapshot = outcome.unwrap();
        assert_eq!(snapshot.stamp.etag.0, base.etag);
        let former = base.clone();
        entry.past.insert((snapshot.id, false), (Blob { version: None, ..former.clone() }, None));
        if self.protection.versioning {
            base.version = Some(snapshot.id);
            let id = entry.version_id(&former);
            entry.past.insert((id, true), (Blob { version: Some(id), ..former }, None));
        }
    }

    fn promote(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let Some((id, source)) = self.any_past(name) else { return };
        let (new, metadata, tag) = self.new_blob();
        let promoted = self.store.blobs.promote(&at, id.into(), new, Conditions::default(), self.protection);
        let outcome = block_on(promoted);
        let base = self.names[name].base.as_ref();
        if source.1.is_some() {
            assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
        } else if source.0.kind == Kind::Page || base.is_some_and(|base| base.kind != source.0.kind) {
            let refused =
                matches!(outcome, Err(EngineError::BlobKindMismatch | EngineError::SnapshotsPresent));
            assert!(refused, "{outcome:?}");
        } else {
            self.made(name, outcome, Blob { metadata, tag, ..source.0 });
        }
    }

    fn any_past(&mut self, name: &str) -> Option<(Which, (Blob, Deleted))> {
        let past: Vec<_> = self.names[name].past.iter().map(|(id, state)| (*id, state.clone())).collect();
        let at = self.dice.roll(u64::try_from(past.len().max(1)).unwrap());
        let ((id, version), state) = past.get(usize::try_from(at).unwrap())?.clone();
        Some((if version { Which::Version(id) } else { Which::Snapshot(id) }, state))
    }

    fn delete(&mut self, name: &'static str, now: Timestamp) {
        let at = self.store.at(name);
        let how = [DeleteSnapshots::Refuse, DeleteSnapshots::Include, DeleteSnapshots::Only]
            [usize::try_from(self.dice.roll(3)).unwrap()];
        let deleted = self.store.blobs.delete(&at, how, Conditions::default(), self.protection);
        let outcome = block_on(deleted);
        let protection = self.protection;
        let entry = self.names.get_mut(name).unwrap();
        if entry.base.is_none() {
            assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
            return;
        }
        if how == DeleteSnapshots::Refuse && entry.has_snapshots() {
            assert!(matches!(outcome, Err(EngineError::SnapshotsPresent)));
            return;
        }
        outcome.unwrap();
        let kept = protection.delete_retention_days.map(|days| (now, now.after(DAY * days)));
        if how != DeleteSnapshots::Refuse {
            entry.past.retain(|(_, version), (_, deleted)| *version || deleted.is_some() || kept.is_some());
            let live =
                entry.past.iter_mut().filter(|((_, version), (_, deleted))| !version && deleted.is_none());
            live.for_each(|(_, (_, deleted))| *deleted = kept);
        }
        if how == DeleteSnapshots::Only {
            return;
        }
        entry.staged.clear();
        let kind = entry.base.as_ref().unwrap().kind;
        if protection.versioning {
            let mut former = entry.base.take().unwrap();
            let id = entry.version_id(&former);
            former.version = Some(id);
            entry.past.insert((id, true), (former, None));
        } else if kept.is_some() {
            let former = entry.base.take();
            entry.retire(kind, Protection::default(), now);
            entry.deleted = former.map(|former| (Blob { version: None, ..former }, kept));
        } else {
            entry.base = None;
        }
    }

    fn delete_past(&mut self, name: &'static str, now: Timestamp) {
        let Some((which, (_, deleted))) = self.any_past(name) else { return };
        let permanently = self.dice.roll(3) == 0;
        let protection = Protection { permanent_delete_allowed: true, ..self.protection };
        let at = self.store.at(name);
        let gone = self.store.blobs.delete_past(&at, which, permanently, Conditions::default(), protection);
        let outcome = block_on(gone);
        let id = match which {
            Which::Snapshot(id) => (id, false),
            Which::Version(id) => (id, true),
            Which::Base => unreachable!(),
        };
        let past = &mut self.names.get_mut(name).unwrap().past;
        match (permanently, deleted.is_some()) {
            (true, true) => {
                assert!(outcome.unwrap().permanent);
                past.remove(&id);
            }
            (true, false) => assert!(matches!(outcome, Err(EngineError::PermanentDeleteRefused))),
            (false, true) => assert!(matches!(outcome, Err(EngineError::BlobNotFound))),
            (false, false) => {
                outcome.unwrap();
                match protection.delete_retention_days {
                    Some(days) => past.get_mut(&id).unwrap().1 = Some((now, now.after(DAY * days))),
                    None => drop(past.remove(&id)),
                }
            }
        }
    }

    fn undelete(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let outcome = block_on(self.store.blobs.undelete(&at));
        let entry = self.names.get_mut(name).unwrap();
        if entry.base.is_none() && entry.deleted.is_none() && entry.past.is_empty() {
            assert!(matches!(outcome, Err(EngineError::BlobNotFound)));
            return;
        }
        outcome.unwrap();
        if entry.base.is_none() {
            entry.base = entry.deleted.take().map(|(blob, _)| blob);
        }
        entry.past.values_mut().for_each(|(_, deleted)| *deleted = None);
    }

    fn set_tag(&mut self, name: &'static str) {
        let at = self.store.at(name);
        let value = self.dice.roll(3).to_string();
        let tags = Tags::new(vec![("t".to_owned(), value.clone())]).unwrap();
        let set = self.store.blobs.set_tags(&at, Which::Base, tags, Conditions::default());
        let outcome = block_on(set);
        match &mut self.names.get_mut(name).unwrap().base {
            None => assert!(matches!(outcome, Err(EngineError::BlobNotFound))),
            Some(base) => {
                outcome.unwrap();
                base.tag = Some(value);
            }
        }
    }

    fn step(&mut self) {
        self.store.clock.advance(Duration::from_millis(1 + self.dice.roll(3)));
        let now = self.store.clock.now();
        self.names.values_mut().for_each(|name| name.forget(now));
        let name = NAMES[usize::try_from(self.dice.roll(3)).unwrap()];
        match self.dice.roll(34) {
            0..3 => self.put(name),
            3..8 => self.stage(name),
            8..12 => self.commit(name),
            12 => self.create(name, Kind::Append),
            13..16 => self.append(name),
            16 => self.create(name, Kind::Page),
            17..19 => self.write_pages(name),
            19 => self.resize(name),
            20 => self.set_metadata(name),
            21..24 => self.snapshot(name),
            24 => self.promote(name),
            25 => self.delete(name, now),
            26..29 => self.delete_past(name, now),
            29 => self.undelete(name),
            30 => self.set_tag(name),
            31 => self.protection.versioning = self.dice.roll(2) == 0,
            32 => {
                let days = u32::try_from(1 + self.dice.roll(3)).unwrap();
                self.protection.delete_retention_days = (self.dice.roll(2) == 0).then_some(days);
                if self.dice.roll(8) == 0 {
                    self.seal(name);
                }
            }
            _ => {
                if self.dice.roll(2) == 0 {
                    self.store.clock.advance(DAY / 3);
                }
                block_on(self.store.blobs.tidy_once(5)).unwrap();
            }
        }
        let now = self.store.clock.now();
        self.names.values_mut().for_each(|name| name.forget(now));
    }

    /// Deletes the container with all that has gathered, and makes it anew.
    fn renew(&mut self) {
        self.store.delete_container();
        self.store.create_container();
        self.names.values_mut().for_each(|name| *name = Name::default());
        self.store.sweep();
        self.check();
    }

    /// Deletes the container and lets the background do what there is to do.
    fn end(self) {
        self.store.delete_container();
        self.store.sweep();
        self.store.clock.advance(DAY * 10);
        while block_on(self.store.blobs.tidy_once(50)).unwrap() > 0 {}
        self.store.check_chunks();
        for family in Family::ALL {
            let left = self.store.records(family);
            assert!(left == 0 || family == Family::System, "{left} of {family:?}");
        }
        assert_eq!(self.store.pages.count(), 0, "no volume is left");
        assert!(self.store.chunks.alive().is_empty());
    }
}

#[test]
fn all_states_of_blobs_are_those_of_a_model() {
    let asked = std::env::var("LINARITE_SEED").ok().and_then(|seed| seed.parse().ok());
    let seeds = asked.map_or(0..4, |seed: u64| seed..seed + 1);
    for seed in seeds {
        println!("seed {seed}");
        let mut run = Run::new(seed);
        for step in 1..=2000 {
            run.step();
            // Looking at everything costs more than all verbs, so not after each.
            if step % 5 == 0 {
                run.check();
            }
            if step % 100 == 0 {
                run.renew();
            }
        }
        run.end();
    }
}
