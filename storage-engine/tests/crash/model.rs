//! What the store must hold: plain maps, changed as the verbs promise.
//!
//! Versions, ids and receipts are made by the store, so a model knows only those that it was told. It can
//! therefore also say what a verb would have done whose answer never came: its versions are open then, and all
//! else is not.

use crate::dice::Dice;
use crate::verb::{BlobAt, Choice, Edit, Part, Verb};
use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;
use storage_engine::chunk::INLINE_BYTES_MAX;
use storage_engine::clock::Timestamp;
use storage_engine::queue::{Message, MessageId, PopReceipt};

/// Something that can be seen of a store.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Fact {
    pub(crate) what: String,
    /// What the store made; none where it was not told.
    pub(crate) made: Vec<Option<u128>>,
}

impl Fact {
    pub(crate) fn new(what: String, made: Vec<Option<u128>>) -> Self {
        Self { what, made }
    }

    fn fits(&self, seen: &Self) -> bool {
        let mut made = self.made.iter().zip(&seen.made);
        self.what == seen.what && made.all(|(told, seen)| told.is_none() || told == seen)
    }
}

/// All that can be seen, by where it is.
pub(crate) type Facts = BTreeMap<String, Fact>;

/// What a verb answered.
#[derive(Debug, Default)]
pub(crate) struct Told {
    pub(crate) versions: Vec<u128>,
    pub(crate) put: Option<Message>,
    pub(crate) got: Option<Vec<Message>>,
    pub(crate) updated: Option<(PopReceipt, Timestamp)>,
}

#[derive(Debug, Clone, Default)]
pub(crate) struct Blob {
    pub(crate) committed: Option<Committed>,
    pub(crate) staged: BTreeMap<&'static str, Part>,
}

#[derive(Debug, Clone)]
pub(crate) struct Committed {
    version: Option<u128>,
    /// By a block list.
    listed: bool,
    parts: Vec<Part>,
}

#[derive(Debug, Clone)]
pub(crate) struct Letter {
    pub(crate) text: String,
    pub(crate) id: Option<MessageId>,
    /// Receipt, and when it is visible.
    pub(crate) held: Option<(PopReceipt, Timestamp)>,
    dequeued: u32,
}

#[derive(Debug, Clone)]
pub(crate) struct Row {
    version: Option<u128>,
    properties: Vec<(String, i64)>,
}

type Rows = BTreeMap<(&'static str, &'static str), Row>;

/// What a store must hold.
#[derive(Debug, Clone, Default)]
pub(crate) struct Model {
    pub(crate) containers: BTreeMap<&'static str, BTreeMap<&'static str, Blob>>,
    pub(crate) queues: BTreeMap<&'static str, Vec<Letter>>,
    table: Option<Rows>,
}

/// The name of the error that a verb must meet.
pub(crate) type Refusal = &'static str;

impl Model {
    /// Does what `verb` promises. `now` is when.
    pub(crate) fn apply(&mut self, verb: &Verb, told: &Told, now: Timestamp) -> Result<(), Refusal> {
        match verb {
            Verb::CreateContainer(name) if self.containers.contains_key(name) => Err("ContainerExists"),
            Verb::CreateContainer(name) => {
                self.containers.insert(name, BTreeMap::new());
                Ok(())
            }
            Verb::DeleteContainer(name) => self.containers.remove(name).map(drop).ok_or("ContainerNotFound"),
            Verb::PutBlob(at, part) => {
                let (version, parts) = (told.versions.first().copied(), vec![part.clone()]);
                let committed = Some(Committed { version, listed: false, parts });
                *self.blob(*at)? = Blob { committed, staged: BTreeMap::new() };
                Ok(())
            }
            Verb::StageBlock(at, part) => {
                self.blob(*at)?.staged.insert(part.id, part.clone());
                Ok(())
            }
            Verb::CommitBlocks(at, list) => self.commit(*at, list, told),
            Verb::DeleteBlob((container, name)) => {
                let blobs = self.containers.get_mut(container).ok_or("ContainerNotFound")?;
                let there = blobs.get(name).is_some_and(|blob| blob.committed.is_some());
                blobs.remove(name).filter(|_| there).map(drop).ok_or("BlobNotFound")
            }
            Verb::Sweep => Ok(()),
            Verb::CreateTable if self.table.is_some() => Err("TableExists"),
            Verb::CreateTable => {
                self.table = Some(Rows::new());
                Ok(())
            }
            Verb::DeleteTable => self.table.take().map(drop).ok_or("TableNotFound"),
            Verb::ChangeEntity(partition, row, edit) => {
                let rows = self.table.as_mut().ok_or("TableNotFound")?;
                change(rows, (partition, row), edit, told.versions.first().copied())
            }
            Verb::ChangeEntities(partition, edits) => {
                let rows = self.table.as_mut().ok_or("TableNotFound")?;
                for (n, (row, edit)) in edits.iter().enumerate() {
                    change(rows, (partition, row), edit, told.versions.get(n).copied())
                        .map_err(|_| "Batch")?;
                }
                Ok(())
            }
            of_queues => self.apply_to_queue(of_queues, told, now),
        }
    }

    fn blob(&mut self, (container, name): BlobAt) -> Result<&mut Blob, Refusal> {
        Ok(self.containers.get_mut(container).ok_or("ContainerNotFound")?.entry(name).or_default())
    }

    fn commit(&mut self, at: BlobAt, list: &[(Choice, &str)], told: &Told) -> Result<(), Refusal> {
        let blob = self.blob(at)?;
        let listed = blob.committed.iter().filter(|former| former.listed);
        let former: BTreeMap<_, _> =
            listed.flat_map(|former| &former.parts).map(|part| (part.id, part)).collect();
        let mut parts = Vec::new();
        for (choice, id) in list {
            let (staged, committed) = (blob.staged.get(id), former.get(id).copied());
            let part = match choice {
                Choice::Committed => committed,
                Choice::Staged => staged,
                Choice::Latest => staged.or(committed),
            };
            parts.push(part.cloned().ok_or("BlockMissing")?);
        }
        let committed = Some(Committed { version: told.versions.first().copied(), listed: true, parts });
        *blob = Blob { committed, staged: BTreeMap::new() };
        Ok(())
    }

    fn apply_to_queue(&mut self, verb: &Verb, told: &Told, now: Timestamp) -> Result<(), Refusal> {
        if let Verb::CreateQueue(name) = verb {
            self.queues.entry(name).or_default();
            return Ok(());
        }
        if let Verb::DeleteQueue(name) = verb {
            return self.queues.remove(name).map(drop).ok_or("QueueNotFound");
        }
        let (Verb::ClearQueue(queue)
        | Verb::PutMessage { queue, .. }
        | Verb::GetMessages { queue, .. }
        | Verb::UpdateMessage { queue, .. }
        | Verb::DeleteMessage { queue, .. }) = verb
        else {
            panic!("{verb:?} is not of queues");
        };
        let letters = self.queues.get_mut(queue).ok_or("QueueNotFound")?;
        match verb {
            Verb::PutMessage { text, .. } => {
                let put = told.put.as_ref();
                let (id, held) = (put.map(|put| put.id), put.map(|put| (put.receipt, put.visible)));
                letters.push(Letter { text: text.clone(), id, held, dequeued: 0 });
            }
            Verb::GetMessages { count, .. } => get(letters, *count, told, now),
            Verb::UpdateMessage { place, text, .. } => {
                letters[*place].held = told.updated;
                if let Some(text) = text {
                    letters[*place].text.clone_from(text);
                }
            }
            Verb::DeleteMessage { place, .. } => drop(letters.remove(*place)),
            _ => letters.clear(),
        }
        Ok(())
    }

    /// Bytes that the chunks of all blobs and blocks have.
    pub(crate) fn chunk_bytes(&self) -> usize {
        let blobs = self.containers.values().flat_map(BTreeMap::values);
        let mut seen = BTreeSet::new();
        let mut bytes = 0;
        for blob in blobs {
            let inline =
                blob.committed.iter().filter(|committed| committed.listed).flat_map(|one| &one.parts);
            let whole =
                blob.committed.iter().filter(|committed| !committed.listed).flat_map(|one| &one.parts);
            let whole = whole.filter(|part| part.body.len() > INLINE_BYTES_MAX);
            for part in blob.staged.values().chain(inline).chain(whole) {
                if seen.insert(part.serial) {
                    bytes += part.body.len();
                }
            }
        }
        bytes
    }

    /// What can be seen of a store that holds this.
    pub(crate) fn facts(&self) -> Facts {
        let mut facts = Facts::new();
        for (container, blobs) in &self.containers {
            facts.insert(format!("container {container}"), Fact::new(String::new(), Vec::new()));
            for (name, blob) in blobs {
                facts.extend(blob.facts(&format!("{container}/{name}")));
            }
        }
        for (queue, letters) in &self.queues {
            facts.insert(format!("queue {queue}"), Fact::new(letters.len().to_string(), Vec::new()));
            for (n, letter) in letters.iter().enumerate() {
                facts.insert(format!("message {queue} {n:04}"), letter.fact());
            }
        }
        if let Some(rows) = &self.table {
            facts.insert("table".to_owned(), Fact::new(String::new(), Vec::new()));
            for ((partition, row), held) in rows {
                let fact = Fact::new(format!("{:?}", held.properties), vec![held.version]);
                facts.insert(format!("entity {partition} {row}"), fact);
            }
        }
        facts
    }

    /// Where `seen` is not what a store with this must show.
    pub(crate) fn differences(&self, seen: &Facts) -> Vec<String> {
        let expected = self.facts();
        let places: BTreeSet<_> = expected.keys().chain(seen.keys()).collect();
        let differs = places.into_iter().filter_map(|place| match (expected.get(place), seen.get(place)) {
            (Some(expected), Some(seen)) if expected.fits(seen) => None,
            (expected, seen) => Some(format!("{place}:\n  must be {expected:?}\n  and is {seen:?}")),
        });
        differs.collect()
    }

    /// Takes over what the store has made and not told.
    pub(crate) fn learn(&mut self, seen: &Facts) {
        let made = |place: String, n: usize| seen.get(&place).and_then(|fact| fact.made[n]);
        for (container, blobs) in &mut self.containers {
            for (name, blob) in blobs {
                if let Some(committed) = &mut blob.committed {
                    committed.version = made(format!("blob {container}/{name}"), 0);
                }
            }
        }
        for (queue, letters) in &mut self.queues {
            for (n, letter) in letters.iter_mut().enumerate() {
                let made = |which| made(format!("message {queue} {n:04}"), which);
                letter.id = made(0).map(MessageId);
                let small = |number: u128| u64::try_from(number).unwrap();
                letter.held = made(1)
                    .zip(made(2))
                    .map(|(receipt, at)| (PopReceipt(small(receipt)), Timestamp::from_ticks(small(at))));
            }
        }
        for ((partition, row), held) in self.table.iter_mut().flatten() {
            held.version = made(format!("entity {partition} {row}"), 0);
        }
    }

    /// The verbs that commit all that is staged.
    pub(crate) fn commit_all(&self) -> Vec<Verb> {
        let blobs = self.containers.iter().flat_map(|(container, blobs)| {
            blobs.iter().map(move |(name, blob)| ((*container, *name), &blob.staged))
        });
        let staged = blobs.filter(|(_, staged)| !staged.is_empty());
        staged
            .map(|(at, staged)| {
                Verb::CommitBlocks(at, staged.keys().map(|id| (Choice::Staged, *id)).collect())
            })
            .collect()
    }
}

impl Blob {
    fn facts(&self, at: &str) -> Facts {
        let mut facts = Facts::new();
        if let Some(committed) = &self.committed {
            let bodies: Vec<_> = committed.parts.iter().map(|part| part.body.as_ref()).collect();
            let whole: Vec<u8> = bodies.concat();
            let blocks = committed.parts.iter().filter(|_| committed.listed);
            let blocks: Vec<_> = blocks.map(|part| (part.id.to_owned(), part.body.len())).collect();
            facts.insert(format!("blob {at}"), Fact::new(content(&whole, &blocks), vec![committed.version]));
        }
        for (id, part) in &self.staged {
            facts.insert(format!("staged {at} {id}"), Fact::new(part.body.len().to_string(), Vec::new()));
        }
        facts
    }
}

/// How a blob's bytes and blocks are told.
pub(crate) fn content(bytes: &[u8], blocks: &[(String, usize)]) -> String {
    let sum = crc_fast::crc64_nvme(bytes);
    format!("{} bytes with sum {sum:016x}, blocks {blocks:?}", bytes.len())
}

impl Letter {
    fn fact(&self) -> Fact {
        let receipt = self.held.map(|(receipt, _)| u128::from(receipt.0));
        let visible = self.held.map(|(_, visible)| u128::from(visible.ticks()));
        let what = format!("{}, taken {} times", self.text, self.dequeued);
        Fact::new(what, vec![self.id.map(|id| id.0), receipt, visible])
    }
}

fn get(letters: &mut [Letter], count: usize, told: &Told, now: Timestamp) {
    // The store's own time is a little ahead of the clock, for no two verbs have the same.
    let now = now.after(Duration::from_millis(1));
    let visible = letters.iter_mut().filter(|letter| letter.held.is_some_and(|(_, at)| at <= now));
    let mut taken = 0;
    for (n, letter) in visible.take(count).enumerate() {
        let message = told.got.as_ref().map(|got| got.get(n).expect("as many as are visible"));
        assert!(message.is_none_or(|message| message.text == letter.text && Some(message.id) == letter.id));
        letter.held = message.map(|message| (message.receipt, message.visible));
        letter.dequeued += 1;
        taken += 1;
    }
    assert!(told.got.as_ref().is_none_or(|got| got.len() == taken), "no more than are visible");
}

fn change(
    rows: &mut Rows,
    key: (&'static str, &'static str),
    edit: &Edit,
    version: Option<u128>,
) -> Result<(), Refusal> {
    let held = rows.get(&key).map(|row| row.properties.clone());
    let properties = match edit {
        Edit::Insert(_) if held.is_some() => return Err("EntityExists"),
        Edit::Insert(new) | Edit::Replace(new) => new.clone(),
        Edit::Merge(new) => {
            let mut held = held.unwrap_or_default();
            for (name, value) in new {
                match held.iter_mut().find(|(known, _)| known == name) {
                    Some((_, old)) => *old = *value,
                    None => held.push((name.clone(), *value)),
                }
            }
            held
        }
        Edit::Delete => return rows.remove(&key).map(drop).ok_or("EntityNotFound"),
    };
    rows.insert(key, Row { version, properties });
    Ok(())
}

/// A few ranges of content with this length.
pub(crate) fn ranges(length: usize) -> Vec<(usize, usize)> {
    let mut dice = Dice::new(u64::try_from(length).unwrap());
    let some = (0..3).filter(|_| length > 0).map(|_| {
        let (one, other) = (dice.length(0..length), dice.length(0..length));
        (one.min(other), one.max(other))
    });
    some.collect()
}
