//! An engine with chunks and volumes on a faulty disk: verbs on the states of blobs, and all that can be seen of them.

use crate::dice::Dice;
use crate::records::Records;
use bytes::Bytes;
use futures_executor::block_on;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;
use storage_engine::Engine;
use storage_engine::blob::{
    Alteration, AppendConditions, BlobAddress, BlobEntry, BlobProperties, BlobStore, BlockChoice, Conditions,
    CopyEnd, CopyState, DeleteSnapshots, Include, ListBlobs, NewBlob, NewContainer, Protection,
    SequenceConditions, Tags, Which,
};
use storage_engine::chunk::Staged;
use storage_engine::chunk::local::LocalChunks;
use storage_engine::clock::ManualClock;
use storage_engine::disk::Disk;
use storage_engine::disk::faulty::FaultyDisk;
use storage_engine::error::{EngineError, Result};
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::meta::{Family, MetaStore, Step};
use storage_engine::name::{AccountName, BlobName, BlockId, ContainerName};
use storage_engine::page::local::{LocalPages, PageOptions};
use storage_engine::page::{PageRange, PageStore};
use storage_engine::seal::{CustomerKey, EncryptionWish};
use storage_engine::sweep::Sweep;

const NAMES: [&str; 2] = ["a", "b"];
const DAY: Duration = Duration::from_hours(24);
const PAGES: u64 = 40;
const SEGMENT_BYTES: u64 = 100 << 10;

/// What can be seen of a store, a line for each state of a blob.
pub(crate) type Seen = Vec<String>;

/// What is done, drawn without a look at what there is.
#[derive(Debug, Clone)]
pub(crate) enum Verb {
    Put {
        name: &'static str,
        bytes: Vec<u8>,
        sealed: bool,
    },
    Stage(&'static str, &'static str, Vec<u8>),
    /// Both of the blocks, whichever there are.
    Commit(&'static str),
    CreateAppend(&'static str),
    Append(&'static str, Vec<u8>),
    CreatePages(&'static str),
    WritePages {
        name: &'static str,
        from: u64,
        pages: u64,
        fill: u8,
    },
    ClearPages {
        name: &'static str,
        from: u64,
        pages: u64,
    },
    Resize(&'static str, u64),
    Snapshot(&'static str),
    /// The past state at this place, counted around.
    Promote(&'static str, usize),
    DeletePast(&'static str, usize),
    SetMetadata(&'static str, u64),
    Delete(&'static str, DeleteSnapshots),
    Undelete(&'static str),
    /// Begun by one verb, ended by another.
    BeginCopy(&'static str),
    EndCopy(&'static str, Vec<u8>),
    Protect(Protection),
    /// The background, after so many thirds of a day.
    Tidy(u32),
}

impl Verb {
    pub(crate) fn draw(dice: &mut Dice) -> Self {
        let name = dice.pick(&NAMES);
        let bytes = |dice: &mut Dice| {
            let length = if dice.once_in(3) { dice.length(1..4000) } else { dice.length(5000..40_000) };
            let fill = u8::try_from(dice.below(256)).unwrap();
            (0..length).map(|at| fill ^ u8::try_from(at % 251).unwrap()).collect::<Vec<u8>>()
        };
        let (from, pages) = (dice.below(PAGES), 1 + dice.below(8));
        match dice.below(32) {
            0..4 => Self::Put { name, bytes: bytes(dice), sealed: dice.once_in(2) },
            4..7 => Self::Stage(name, dice.pick(&["x", "y"]), bytes(dice)),
            7..9 => Self::Commit(name),
            9..11 => Self::CreateAppend(name),
            11..14 => Self::Append(name, bytes(dice)),
            14 => Self::CreatePages(name),
            15..18 => Self::WritePages { name, from, pages, fill: u8::try_from(dice.below(256)).unwrap() },
            18 => Self::ClearPages { name, from, pages },
            19 => Self::Resize(name, dice.below(PAGES) * 512),
            20..22 => Self::Snapshot(name),
            22 => Self::Promote(name, dice.length(0..8)),
            23 => Self::DeletePast(name, dice.length(0..8)),
            24 => Self::SetMetadata(name, dice.below(100)),
            25 => {
                let how = [DeleteSnapshots::Refuse, DeleteSnapshots::Include, DeleteSnapshots::Only];
                Self::Delete(name, dice.pick(&how))
            }
            26 => Self::Undelete(name),
            27 => Self::BeginCopy(name),
            28 => Self::EndCopy(name, bytes(dice)),
            29..31 => Self::Protect(Protection {
                versioning: dice.once_in(2),
                delete_retention_days: dice.once_in(2).then_some(1 + u32::try_from(dice.below(3)).unwrap()),
                permanent_delete_allowed: false,
                tracks_access: false,
            }),
            _ => Self::Tidy(u32::try_from(dice.below(3)).unwrap()),
        }
    }
}

/// An open engine.
pub(crate) struct Store {
    engine: Engine,
    chunks: Arc<LocalChunks>,
    pages: Arc<LocalPages>,
    meta: Arc<MemoryMeta>,
    clock: Arc<ManualClock>,
    disk: FaultyDisk,
    protection: std::sync::Mutex<Protection>,
}

impl Store {
    pub(crate) fn open(disk: &FaultyDisk, records: &Records, seed: u64) -> Result<Self> {
        let chunks = records.open_chunks(disk, SEGMENT_BYTES)?;
        let options = PageOptions { threads: 1, reserve_bytes: 0, ..PageOptions::default() };
        let meta = Arc::clone(&records.meta);
        let records_of_pages = Arc::clone(&meta) as Arc<dyn MetaStore>;
        let pages = LocalPages::open(records_of_pages, Arc::new(disk.clone()), &options)?;
        let engine = records.engine(&chunks, Arc::clone(&pages) as Arc<dyn PageStore>, seed);
        let (clock, disk) = (Arc::clone(&records.clock), disk.clone());
        Ok(Self { engine, chunks, pages, meta, clock, disk, protection: std::sync::Mutex::default() })
    }

    fn blobs(&self) -> &BlobStore {
        self.engine.blobs()
    }

    pub(crate) fn make_container(&self) -> Result<()> {
        block_on(self.blobs().create_container(&account(), &container(), NewContainer::default())).map(drop)
    }

    /// An error is the ground's, or a refusal.
    pub(crate) fn carry_out(&self, verb: &Verb) -> Result<()> {
        if let Verb::Tidy(thirds) = verb {
            self.clock.advance(DAY / 3 * *thirds);
        }
        let protection = *self.protection.lock().unwrap();
        block_on(self.carry(verb, protection))
    }

    async fn carry(&self, verb: &Verb, keep: Protection) -> Result<()> {
        let (blobs, any, new) = (self.blobs(), Conditions::default(), new_blob());
        match verb {
            Verb::Put { name, bytes, sealed } => {
                let staged = self.upload(&at(name), bytes, *sealed, false).await?;
                blobs.put_block_blob(&at(name), new, staged, any, keep).await.map(drop)
            }
            Verb::Stage(name, id, bytes) => {
                let staged = self.upload(&at(name), bytes, false, true).await?;
                blobs.stage_block(&at(name), block(id), staged, None).await
            }
            Verb::Commit(name) => {
                let list = blobs.block_list(&at(name), Which::Base, Conditions::default()).await?;
                let ids = list.committed.into_iter().chain(list.staged).map(|block| block.id);
                let list = ids.map(BlockChoice::Latest).collect();
                blobs.commit_block_list(&at(name), list, new, any, keep).await.map(drop)
            }
            Verb::CreateAppend(name) => blobs.create_append_blob(&at(name), new, any, keep).await.map(drop),
            Verb::Append(name, bytes) => {
                let staged = self.upload(&at(name), bytes, false, true).await?;
                let append = AppendConditions::default();
                blobs.append_block(&at(name), staged, append, any).await.map(drop)
            }
            Verb::Snapshot(name) => blobs.snapshot(&at(name), None, any, keep).await.map(drop),
            Verb::Promote(name, place) => match self.past(name, *place).await? {
                Some(which) => blobs.promote(&at(name), which.into(), new, any, keep).await.map(drop),
                None => Ok(()),
            },
            Verb::DeletePast(name, place) => match self.past(name, *place).await? {
                Some(which) => blobs.delete_past(&at(name), which, false, any, keep).await.map(drop),
                None => Ok(()),
            },
            Verb::SetMetadata(name, number) => {
                let metadata = vec![("n".to_owned(), number.to_string())];
                blobs.set_metadata(&at(name), metadata, any, keep).await.map(drop)
            }
            Verb::Delete(name, how) => blobs.delete(&at(name), *how, any, keep).await.map(drop),
            Verb::Undelete(name) => blobs.undelete(&at(name)).await,
            Verb::BeginCopy(name) => {
                let copy = CopyState { id: 7, total: 1, ..CopyState::default() };
                let nothing = self.upload(&at(name), &[], false, true).await?;
                let new = NewBlob { copy: Some(copy), ..new };
                blobs.put_block_blob(&at(name), new, nothing, any, keep).await.map(drop)
            }
            Verb::EndCopy(name, bytes) => {
                let staged = self.upload(&at(name), bytes, false, false).await?;
                blobs.finish_copy(&at(name), 7, Some((staged, Vec::new())), CopyEnd::Success).await.map(drop)
            }
            Verb::Protect(protection) => {
                *self.protection.lock().unwrap() = *protection;
                Ok(())
            }
            Verb::Tidy(_) => {
                while blobs.tidy_once(5).await? > 0 {}
                Ok(())
            }
            of_pages => self.carry_pages(of_pages, keep).await,
        }
    }

    async fn carry_pages(&self, verb: &Verb, keep: Protection) -> Result<()> {
        let (blobs, any, sequence) = (self.blobs(), Conditions::default(), SequenceConditions::default());
        match verb {
            Verb::CreatePages(name) => {
                blobs.create_page_blob(&at(name), new_blob(), (PAGES * 512, 0), any, keep).await.map(drop)
            }
            Verb::WritePages { name, from, pages, fill } => {
                let parts = vec![Bytes::from(vec![*fill; usize::try_from(pages * 512).unwrap()])];
                blobs.write_pages(&at(name), from * 512, parts, sequence, any).await.map(drop)
            }
            Verb::ClearPages { name, from, pages } => {
                let range = PageRange::new(from * 512, pages * 512)?;
                blobs.clear_pages(&at(name), range, sequence, any).await.map(drop)
            }
            Verb::Resize(name, length) => {
                let what = Alteration { length: Some(*length), ..Alteration::default() };
                blobs.alter(&at(name), what, any).await.map(drop)
            }
            other => panic!("{other:?} is not of pages"),
        }
    }

    async fn upload(&self, at: &BlobAddress, body: &[u8], sealed: bool, in_chunks: bool) -> Result<Staged> {
        let wish = EncryptionWish { customer: sealed.then(key), scope: None };
        let sealing = self.blobs().sealing(at, wish).await?;
        let mut upload = self.blobs().upload_sealed(&sealing);
        upload.write(Bytes::copy_from_slice(body)).await?;
        if in_chunks { upload.finish_in_chunks().await } else { upload.finish().await }
    }

    async fn past(&self, name: &str, place: usize) -> Result<Option<Which>> {
        let all = self.list().await?;
        let past: Vec<_> = all
            .into_iter()
            .filter_map(|entry| match entry {
                BlobEntry::Blob(blob, properties) if blob.as_str() == name => Some(which(&properties)),
                _ => None,
            })
            .filter(|which| *which != Which::Base)
            .collect();
        Ok(past.get(place % past.len().max(1)).copied())
    }

    async fn list(&self) -> Result<Vec<BlobEntry>> {
        let include = Include {
            uncommitted: true,
            snapshots: true,
            versions: true,
            deleted: true,
            ..Include::default()
        };
        let list = ListBlobs { include, limit: 1000, ..ListBlobs::default() };
        Ok(self.blobs().list(&account(), &container(), list).await?.entries)
    }

    /// All that can be seen, but the times and ids that the store makes.
    pub(crate) fn observe(&self) -> Seen {
        block_on(async {
            let mut seen = Seen::new();
            for entry in self.list().await.unwrap_or_default() {
                match entry {
                    BlobEntry::Blob(name, properties) => seen.push(self.line(&name, &properties).await),
                    other => seen.push(format!("{other:?}")),
                }
            }
            for name in NAMES {
                let list = self.blobs().block_list(&at(name), Which::Base, Conditions::default()).await;
                let staged = list.map(|list| list.staged).unwrap_or_default();
                seen.extend(staged.iter().map(|block| format!("{name} has staged {block:?}")));
            }
            seen
        })
    }

    async fn line(&self, name: &BlobName, properties: &BlobProperties) -> String {
        let BlobProperties { length, metadata, kind, deletion, copy, .. } = properties;
        let copy = copy.as_ref().map(|copy| copy.status);
        let mut line = format!("{name}: {length} bytes {kind:?} {metadata:?} copy {copy:?}");
        let which = which(properties);
        let state = match which {
            Which::Base => "blob",
            Which::Snapshot(_) => "snapshot",
            Which::Version(_) => "version",
        };
        write!(line, " {state}, has a version {}, ", properties.version.is_some()).unwrap();
        if deletion.is_some() {
            return line + "deleted";
        }
        let customer_key = properties.encryption.as_ref().map(|_| key());
        let conditions = Conditions { customer_key, ..Conditions::default() };
        let mut read = self.blobs().read(&at(name.as_str()), which, None, conditions).await.unwrap();
        let mut bytes = Vec::new();
        while let Some(piece) = read.reader.next().await.unwrap() {
            bytes.extend_from_slice(&piece);
        }
        write!(line, "{:016x}", crc_fast::crc64_nvme(&bytes)).unwrap();
        line
    }

    /// Deletes everything, lets the background do its work, and checks that nothing is left.
    pub(crate) fn check_nothing_is_left(&self) {
        let (account, container) = (account(), container());
        let gone = self.blobs().delete_container(&account, &container, Conditions::default(), None);
        match block_on(gone) {
            Ok(()) | Err(EngineError::ContainerNotFound) => {}
            Err(error) => panic!("{error:?}"),
        }
        let mut sweep = Sweep::default();
        while sweep.once(self.meta.as_ref(), 3).unwrap() > 0 {}
        self.clock.advance(DAY * 10);
        while block_on(self.blobs().tidy_once(50)).unwrap() > 0 {}
        // Volumes are removed by a thread of their store.
        for _ in 0..5000 {
            if self.records_of(Family::Volume) == 0 {
                break;
            }
            std::thread::sleep(Duration::from_millis(1));
        }
        for family in Family::ALL.into_iter().filter(|family| *family != Family::System) {
            assert_eq!(self.records_of(family), 0, "{family:?}");
        }
        assert_eq!(self.disk.list(Path::new("pages")).unwrap().len(), 0, "files of volumes");
        self.chunks.sweep();
        self.chunks.wait_for_reclaim();
        for file in self.disk.list(Path::new("segments")).unwrap() {
            let bytes = self.disk.read(&Path::new("segments").join(&file)).unwrap();
            assert!(bytes.iter().all(|byte| *byte == 0), "{} has bytes that nothing names", file.display());
        }
        self.pages.check().unwrap();
    }

    fn records_of(&self, family: Family) -> usize {
        let mut count = 0;
        let read = self.meta.read_now(|view| {
            view.scan(family, &[], None, &mut |_, _| {
                count += 1;
                Ok(Step::Next)
            })
        });
        read.unwrap();
        count
    }
}

fn which(properties: &BlobProperties) -> Which {
    match (properties.snapshot, properties.version) {
        (Some(id), _) => Which::Snapshot(id),
        (None, Some(id)) if !properties.current => Which::Version(id),
        _ => Which::Base,
    }
}

fn new_blob() -> NewBlob {
    NewBlob { tags: Tags::new(vec![("t".to_owned(), "1".to_owned())]).unwrap(), ..NewBlob::default() }
}

fn key() -> CustomerKey {
    CustomerKey::new([3; 32].into())
}

fn account() -> AccountName {
    AccountName::parse("account").unwrap()
}

fn container() -> ContainerName {
    ContainerName::parse("container").unwrap()
}

fn at(blob: &str) -> BlobAddress {
    BlobAddress { account: account(), container: container(), blob: BlobName::parse(blob).unwrap() }
}

fn block(id: &str) -> BlockId {
    BlockId::new(id.as_bytes()).unwrap()
}
