//! An engine on a disk and records that can crash: its verbs, and all that can be seen of it.

use crate::model::{Fact, Facts, Told, content, ranges};
use crate::records::Records;
use crate::verb::{BlobAt, CONTAINERS, Choice, Edit, Part, QUEUES, TABLE, Verb};
use bytes::Bytes;
use futures_executor::block_on;
use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage_engine::Engine;
use storage_engine::blob::{
    BlobAddress, BlobEntry, BlockChoice, ByteRange, Conditions, DeleteSnapshots, Include, ListBlobs,
    ListContainers, NewBlob, NewContainer, Protection, Which,
};
use storage_engine::chunk::local::LocalChunks;
use storage_engine::chunk::{ChunkRef, Staged, format};
use storage_engine::clock::ManualClock;
use storage_engine::disk::Disk;
use storage_engine::disk::faulty::FaultyDisk;
use storage_engine::error::Result;
use storage_engine::meta::chunk_index::named_chunks;
use storage_engine::meta::key::KeyReader;
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::meta::{Family, Step};
use storage_engine::name::{AccountName, BlobName, BlockId, ContainerName, QueueName, TableName};
use storage_engine::page::memory::MemoryPages;
use storage_engine::queue::{NewMessage, QueueAddress};
use storage_engine::sweep::{Sweep, sweep_once};
use storage_engine::table::{Change, EntityKey, Expected, Query, TableAddress, Value};

const SEGMENT_BYTES: u64 = 200 << 10;

/// An open engine.
pub(crate) struct Store {
    engine: Engine,
    chunks: Arc<LocalChunks>,
    meta: Arc<MemoryMeta>,
    clock: Arc<ManualClock>,
    disk: FaultyDisk,
}

impl Store {
    pub(crate) fn open(disk: &FaultyDisk, records: &Records, seed: u64) -> Result<Self> {
        let chunks = records.open_chunks(disk, SEGMENT_BYTES)?;
        let engine = records.engine(&chunks, MemoryPages::new(), seed);
        let (meta, clock) = (Arc::clone(&records.meta), Arc::clone(&records.clock));
        Ok(Self { engine, chunks, meta, clock, disk: disk.clone() })
    }

    pub(crate) fn wait_for_reclaim(&self) {
        self.chunks.wait_for_reclaim();
    }

    /// Carries out a verb. `held` says which message one is about.
    pub(crate) fn carry_out(&self, verb: &Verb, held: Option<Held>) -> Result<Told> {
        block_on(async {
            match verb {
                Verb::Sweep => sweep_once(self.meta.as_ref(), 2).map(|_| Told::default()),
                Verb::CreateContainer(_)
                | Verb::DeleteContainer(_)
                | Verb::PutBlob(..)
                | Verb::StageBlock(..)
                | Verb::CommitBlocks(..)
                | Verb::DeleteBlob(_) => self.carry_out_on_blobs(verb).await,
                Verb::CreateTable | Verb::DeleteTable | Verb::ChangeEntity(..) | Verb::ChangeEntities(..) => {
                    self.carry_out_on_table(verb).await
                }
                of_queues => self.carry_out_on_queue(of_queues, held).await,
            }
        })
    }

    /// Uploads something that does not fit into a record, and lets it go.
    pub(crate) fn try_disk(&self) -> Result<()> {
        block_on(self.upload(&Bytes::from(vec![7; 9000]), true)).map(drop)
    }

    async fn upload(&self, body: &Bytes, in_chunks: bool) -> Result<Staged> {
        let mut upload = self.engine.blobs().upload();
        for from in (0..body.len()).step_by(50_000) {
            upload.write(body.slice(from..body.len().min(from + 50_000))).await?;
        }
        if in_chunks { upload.finish_in_chunks().await } else { upload.finish().await }
    }

    async fn carry_out_on_blobs(&self, verb: &Verb) -> Result<Told> {
        let (blobs, any, new) = (self.engine.blobs(), Conditions::default(), NewBlob::default());
        let keep = Protection::default();
        let stamp = match verb {
            Verb::CreateContainer(name) => {
                blobs.create_container(&account(), &container(name), NewContainer::default()).await?;
                return Ok(Told::default());
            }
            Verb::DeleteContainer(name) => {
                blobs.delete_container(&account(), &container(name), any, None).await?;
                return Ok(Told::default());
            }
            Verb::PutBlob(at, part) => {
                let staged = self.upload(&part.body, false).await?;
                blobs.put_block_blob(&blob(*at), new, staged, any, keep).await?
            }
            Verb::StageBlock(at, part) => return self.stage(*at, part).await,
            Verb::CommitBlocks(at, list) => {
                let list = list.iter().map(|(choice, id)| match choice {
                    Choice::Committed => BlockChoice::Committed(block(id)),
                    Choice::Staged => BlockChoice::Uncommitted(block(id)),
                    Choice::Latest => BlockChoice::Latest(block(id)),
                });
                blobs.commit_block_list(&blob(*at), list.collect(), new, any, keep).await?
            }
            Verb::DeleteBlob(at) => {
                blobs.delete(&blob(*at), DeleteSnapshots::Refuse, any, keep).await?;
                return Ok(Told::default());
            }
            other => panic!("{other:?} is not of blobs"),
        };
        Ok(Told { versions: vec![stamp.etag.0.into()], ..Told::default() })
    }

    async fn stage(&self, at: BlobAt, part: &Part) -> Result<Told> {
        let staged = self.upload(&part.body, true).await?;
        self.engine.blobs().stage_block(&blob(at), block(part.id), staged, None).await?;
        Ok(Told::default())
    }

    async fn carry_out_on_queue(&self, verb: &Verb, held: Option<Held>) -> Result<Told> {
        let queues = self.engine.queues();
        let mut told = Told::default();
        match verb {
            Verb::CreateQueue(name) => drop(queues.create(&queue(name), Vec::new()).await?),
            Verb::DeleteQueue(name) => queues.delete(&queue(name)).await?,
            Verb::ClearQueue(name) => queues.clear(&queue(name)).await?,
            Verb::PutMessage { queue: name, text, delay_seconds } => {
                let (text, delay) = (Bytes::from(text.clone()), Duration::from_secs(*delay_seconds));
                let new = NewMessage { text, delay, time_to_live: None };
                told.put = Some(queues.put(&queue(name), new).await?);
            }
            Verb::GetMessages { queue: name, count, seconds } => {
                told.got = Some(queues.get(&queue(name), *count, Duration::from_secs(*seconds)).await?);
            }
            Verb::UpdateMessage { queue: name, text, .. } => {
                let (id, receipt) = held.expect("there is a message");
                let text = text.clone().map(Bytes::from);
                let minute = Duration::from_mins(1);
                told.updated = Some(queues.update(&queue(name), id, receipt, minute, text).await?);
            }
            Verb::DeleteMessage { queue: name, .. } => {
                let (id, receipt) = held.expect("there is a message");
                queues.delete_message(&queue(name), id, receipt).await?;
            }
            other => panic!("{other:?} is not of queues"),
        }
        Ok(told)
    }

    async fn carry_out_on_table(&self, verb: &Verb) -> Result<Told> {
        let tables = self.engine.tables();
        let stamps = match verb {
            Verb::CreateTable => tables.create(&table()).await.map(|()| Vec::new())?,
            Verb::DeleteTable => tables.delete(&table()).await.map(|()| Vec::new())?,
            Verb::ChangeEntity(partition, row, edit) => {
                let key = EntityKey { partition: (*partition).into(), row: (*row).into() };
                vec![tables.change(&table(), key, change(edit)).await?]
            }
            Verb::ChangeEntities(partition, edits) => {
                let edits = edits.iter().map(|(row, edit)| ((*row).to_owned(), change(edit)));
                tables.batch(&table(), (*partition).into(), edits.collect()).await?
            }
            other => panic!("{other:?} is not of tables"),
        };
        Ok(Told {
            versions: stamps.into_iter().map(|stamp| stamp.ticks().into()).collect(),
            ..Told::default()
        })
    }

    /// All that can be seen. Time passes, so that no message is hidden any more.
    pub(crate) fn observe(&self) -> Facts {
        self.clock.advance(Duration::from_hours(1));
        let mut facts = Facts::new();
        block_on(self.see_blobs(&mut facts));
        block_on(self.see_queues(&mut facts));
        block_on(self.see_table(&mut facts));
        facts
    }

    async fn see_blobs(&self, facts: &mut Facts) {
        let blobs = self.engine.blobs();
        let list = ListContainers { limit: 10, ..ListContainers::default() };
        for found in blobs.list_containers(&account(), list).await.unwrap().entries {
            let name = CONTAINERS.into_iter().find(|name| *name == found.name.as_str()).expect("one of ours");
            facts.insert(format!("container {name}"), Fact::new(String::new(), Vec::new()));
            let include = Include { uncommitted: true, ..Include::default() };
            let mut after = None;
            loop {
                let list = ListBlobs { after, limit: 2, include, ..ListBlobs::default() };
                let page = blobs.list(&account(), &found.name, list).await.unwrap();
                for entry in page.entries {
                    let (blob, version) = match entry {
                        BlobEntry::Blob(blob, properties) => (blob, Some(properties.etag)),
                        BlobEntry::Uncommitted(blob) => (blob, None),
                        BlobEntry::VersionsOnly(blob, _) => panic!("{blob} has versions"),
                        BlobEntry::Prefix(prefix) => panic!("{prefix} without a delimiter"),
                    };
                    let at = BlobAddress { account: account(), container: found.name.clone(), blob };
                    self.see_blob(&at, version.map(|etag| etag.0.into()), facts).await;
                }
                after = page.next;
                if after.is_none() {
                    break;
                }
            }
        }
    }

    async fn see_blob(&self, at: &BlobAddress, version: Option<u128>, facts: &mut Facts) {
        let place = format!("{}/{}", at.container, at.blob);
        let list = self.engine.blobs().block_list(at, Which::Base, Conditions::default()).await.unwrap();
        let id = |id: &BlockId| String::from_utf8(id.as_bytes().to_vec()).unwrap();
        for staged in &list.staged {
            let fact = Fact::new(staged.length.to_string(), Vec::new());
            facts.insert(format!("staged {place} {}", id(&staged.id)), fact);
        }
        assert_eq!(version, list.blob.map(|(stamp, _)| stamp.etag.0.into()), "{place} is listed as it is");
        if version.is_none() {
            return;
        }
        let whole = self.read(at, None).await;
        for (first, last) in ranges(whole.len()) {
            let range = ByteRange { first: number(first), last: Some(number(last)) };
            assert!(self.read(at, Some(range)).await == whole[first..=last], "a range of {place}");
        }
        let blocks: Vec<_> = list
            .committed
            .iter()
            .map(|block| (id(&block.id), usize::try_from(block.length).unwrap()))
            .collect();
        facts.insert(format!("blob {place}"), Fact::new(content(&whole, &blocks), vec![version]));
    }

    async fn read(&self, at: &BlobAddress, range: Option<ByteRange>) -> Vec<u8> {
        let mut read = self.engine.blobs().read(at, Which::Base, range, Conditions::default()).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = read.reader.next().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        bytes
    }

    async fn see_queues(&self, facts: &mut Facts) {
        let queues = self.engine.queues();
        for found in queues.list(&account(), String::new(), None, 10).await.unwrap().entries {
            let name = QUEUES.into_iter().find(|name| *name == found.name.as_str()).expect("one of ours");
            let (_, count) = queues.queue(&queue(name)).await.unwrap();
            facts.insert(format!("queue {name}"), Fact::new(count.to_string(), Vec::new()));
            for (n, message) in queues.peek(&queue(name), 1000).await.unwrap().into_iter().enumerate() {
                let text = String::from_utf8(message.text.to_vec()).unwrap();
                let made = [message.id.0, message.receipt.0.into(), message.visible.ticks().into()];
                let what = format!("{text}, taken {} times", message.dequeued);
                facts.insert(format!("message {name} {n:04}"), Fact::new(what, made.map(Some).to_vec()));
            }
        }
    }

    async fn see_table(&self, facts: &mut Facts) {
        let tables = self.engine.tables();
        if tables.list(&account(), None, None, 10).await.unwrap().entries.is_empty() {
            return;
        }
        facts.insert("table".to_owned(), Fact::new(String::new(), Vec::new()));
        let mut from = None;
        loop {
            let query = Query { from, limit: 2, ..Query::default() };
            let page = tables.query(&table(), query).await.unwrap();
            for entity in page.entities {
                assert_eq!(tables.get(&table(), entity.key.clone()).await.unwrap(), entity);
                let properties: Vec<_> = entity
                    .properties
                    .into_iter()
                    .map(|(name, value)| match value {
                        Value::Int64(value) => (name, value),
                        other => panic!("{other:?} was never written"),
                    })
                    .collect();
                let place = format!("entity {} {}", entity.key.partition, entity.key.row);
                let version = u128::from(entity.timestamp.ticks());
                facts.insert(place, Fact::new(format!("{properties:?}"), vec![Some(version)]));
            }
            from = page.next;
            if from.is_none() {
                break;
            }
        }
    }

    /// Tidies up all there is, and checks that the chunks that are named are those of the content that is
    /// there, and that nothing else takes space.
    pub(crate) fn check_space(&self, chunk_bytes: usize) {
        let mut sweep = Sweep::default();
        while sweep.once(self.meta.as_ref(), 3).unwrap() > 0 {}
        for family in [Family::Remains, Family::Message, Family::Entity, Family::Staged] {
            self.check_ids(family);
        }
        self.chunks.sweep();
        self.chunks.wait_for_reclaim();
        let named = named(&self.meta);
        let bytes: u64 = named.iter().map(|chunk| u64::from(chunk.len)).sum();
        assert_eq!(bytes, number(chunk_bytes), "chunks are named as long as content consists of them");
        for file in self.disk.list(Path::new("segments")).unwrap() {
            let segment = u64::from_str_radix(file.to_str().unwrap().split_once('.').unwrap().0, 16).unwrap();
            let inside: Vec<_> = named.iter().filter(|chunk| chunk.segment == segment).collect();
            let mut bytes = self.disk.read(&Path::new("segments").join(&file)).unwrap();
            let sealed = file.to_str().unwrap().ends_with(".sealed");
            assert!(!inside.is_empty() || !sealed, "{} is sealed and has nothing in it", file.display());
            for chunk in inside {
                let first = usize::try_from(chunk.offset).unwrap();
                let end = first + usize::try_from(format::extent_bytes(chunk.len)).unwrap();
                let end = end.min(bytes.len());
                bytes[first..end].fill(0);
            }
            let zeros = vec![0; bytes.len()];
            assert!(bytes == zeros, "{} has bytes that nothing names", file.display());
        }
    }

    /// Nothing is left of what was deleted: every record is under the id of a name.
    fn check_ids(&self, family: Family) {
        let (mut alive, mut stray) = (BTreeSet::new(), Vec::new());
        let read = self.meta.read_now(|view| {
            view.scan(Family::Catalog, &[], None, &mut |_, value| {
                alive.insert(value[1..9].to_vec());
                Ok(Step::Next)
            })?;
            view.scan(family, &[], None, &mut |key, _| {
                if !alive.contains(&key[..8]) {
                    stray.push(key.to_vec());
                }
                Ok(Step::Next)
            })
        });
        read.unwrap();
        assert!(stray.is_empty(), "{family:?} has records under ids that no name has");
    }
}

/// A message's id and newest receipt.
pub(crate) type Held = (storage_engine::queue::MessageId, storage_engine::queue::PopReceipt);

fn number(count: usize) -> u64 {
    u64::try_from(count).unwrap()
}

fn account() -> AccountName {
    AccountName::parse("account").unwrap()
}

fn container(name: &str) -> ContainerName {
    ContainerName::parse(name).unwrap()
}

fn blob((name, blob): BlobAt) -> BlobAddress {
    BlobAddress { account: account(), container: container(name), blob: BlobName::parse(blob).unwrap() }
}

fn block(id: &str) -> BlockId {
    BlockId::new(id.as_bytes()).unwrap()
}

fn queue(name: &str) -> QueueAddress {
    QueueAddress { account: account(), queue: QueueName::parse(name).unwrap() }
}

fn table() -> TableAddress {
    TableAddress { account: account(), table: TableName::parse(TABLE).unwrap() }
}

fn change(edit: &Edit) -> Change {
    let values = |properties: &Vec<(String, i64)>| {
        properties.iter().map(|(name, value)| (name.clone(), Value::Int64(*value))).collect()
    };
    match edit {
        Edit::Insert(properties) => Change::Insert(values(properties)),
        Edit::Replace(properties) => Change::Replace(Expected::Whatever, values(properties)),
        Edit::Merge(properties) => Change::Merge(Expected::Whatever, values(properties)),
        Edit::Delete => Change::Delete(Expected::Existing),
    }
}

/// All chunks that records name.
fn named(meta: &MemoryMeta) -> Vec<ChunkRef> {
    let all = meta.read_now(|view| {
        let mut segments = BTreeSet::new();
        view.scan(Family::Chunk, &[], None, &mut |key, _| {
            segments.insert(KeyReader::new(key).u64()?);
            Ok(Step::Next)
        })?;
        segments.into_iter().map(|segment| named_chunks(view, segment)).collect::<Result<Vec<_>>>()
    });
    all.unwrap().concat()
}
