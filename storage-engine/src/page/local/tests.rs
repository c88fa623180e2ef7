//! Volumes on a faulty disk and on a real one: the contract, and what is this store's own.

use super::place::{AREA, UNIT_BYTES};
use super::*;
use crate::clock::ManualClock;
use crate::disk::faulty::{FaultyDisk, Plan};
use crate::disk::handles::HANDLES_MAX;
use crate::disk::local::LocalDisk;
use crate::meta::memory::MemoryMeta;
use crate::page::PAGE_BYTES;
use crate::page::conformance::{Fixture, conforms};
use futures_executor::block_on;

const VOLUME: VolumeId = VolumeId(7);

fn options() -> PageOptions {
    PageOptions { threads: 3, reserve_bytes: 0, ..PageOptions::default() }
}

/// A store on a disk and records whose power can be cut together.
struct OnFaulty {
    disk: FaultyDisk,
    meta: Arc<MemoryMeta>,
    options: PageOptions,
    store: Option<Arc<LocalPages>>,
}

impl OnFaulty {
    fn new(options: PageOptions) -> Self {
        let meta = MemoryMeta::new(Arc::new(ManualClock::default()));
        let mut fixture = Self { disk: FaultyDisk::new(Plan::none()), meta, options, store: None };
        fixture.open();
        fixture
    }

    fn open(&mut self) {
        let disk = Arc::new(self.disk.clone());
        let meta = Arc::clone(&self.meta) as Arc<dyn MetaStore>;
        self.store = Some(LocalPages::open(meta, disk, &self.options).unwrap());
    }

    fn pages(&self) -> &LocalPages {
        self.store.as_ref().unwrap()
    }

    fn close(&mut self) {
        self.store.take().unwrap().close().unwrap();
        self.open();
    }
}

impl Fixture for OnFaulty {
    fn store(&self) -> Arc<dyn PageStore> {
        Arc::clone(self.store.as_ref().unwrap()) as Arc<dyn PageStore>
    }

    fn crash(&mut self) {
        // What is committed after the bytes are cut off named bytes that were synced before.
        self.disk = self.disk.reopen();
        self.meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        self.open();
    }
}

/// A store on a folder, opened again without having been closed.
struct OnFolder {
    folder: tempfile::TempDir,
    meta: Arc<MemoryMeta>,
    store: Option<Arc<LocalPages>>,
}

impl OnFolder {
    fn new() -> Self {
        let meta = MemoryMeta::new(Arc::new(ManualClock::default()));
        let mut fixture = Self { folder: tempfile::tempdir().unwrap(), meta, store: None };
        fixture.open();
        fixture
    }

    fn open(&mut self) {
        let disk = Arc::new(LocalDisk::open(self.folder.path()).unwrap());
        let meta = Arc::clone(&self.meta) as Arc<dyn MetaStore>;
        self.store = Some(LocalPages::open(meta, disk, &options()).unwrap());
    }
}

impl Fixture for OnFolder {
    fn store(&self) -> Arc<dyn PageStore> {
        Arc::clone(self.store.as_ref().unwrap()) as Arc<dyn PageStore>
    }

    fn crash(&mut self) {
        self.store = None;
        self.meta = self.meta.reopen(Box::new(|_| ())).unwrap();
        self.open();
    }
}

fn bytes(pages: usize, fill: u8) -> Bytes {
    vec![fill; pages * PAGE_BYTES].into()
}

fn put(store: &LocalPages, offset: u64, pages: usize, fill: u8, durable: Durable) {
    block_on(store.write(VOLUME, offset, vec![bytes(pages, fill)], durable)).unwrap();
}

fn get(store: &LocalPages, at: Moment, offset: u64, pages: u64) -> Result<Bytes> {
    block_on(store.read(VOLUME, at, PageRange::new(offset, pages * 512)?))
}

fn slots_used(disk: &FaultyDisk) -> usize {
    let names = disk.list(files::folder()).unwrap();
    let all = names.iter().map(|name| disk.read(&files::folder().join(name)).unwrap());
    all.map(|file| file.chunks(UNIT_BYTES).filter(|slot| slot.iter().any(|byte| *byte != 0)).count()).sum()
}

#[test]
fn volumes_on_a_faulty_disk_do_what_every_store_must() {
    conforms(|| OnFaulty::new(options()));
}

#[test]
fn volumes_on_a_faulty_disk_do_so_too_with_a_checkpoint_after_nearly_every_write() {
    conforms(|| OnFaulty::new(PageOptions { marks_max: 0, areas_max: 1, ..options() }));
}

#[test]
fn volumes_on_a_real_disk_do_what_every_store_must() {
    conforms(OnFolder::new);
}

#[test]
fn in_steady_state_nothing_is_committed() {
    let fixture = OnFaulty::new(options());
    let store = fixture.pages();
    block_on(store.create(VOLUME, 64 << 20)).unwrap();
    for page in 0..64_u64 {
        put(store, page * (1 << 20), 8, 1, Durable::AtFlush);
    }
    block_on(store.flush(VOLUME)).unwrap();
    let (commits, steps) = (fixture.meta.commits(), fixture.disk.steps());
    for round in 0..10_u8 {
        for page in 0..64_u64 {
            put(store, page * (1 << 20), 8, round, Durable::AtFlush);
        }
        block_on(store.flush(VOLUME)).unwrap();
        put(store, 512, 1, round, Durable::Now);
    }
    assert_eq!(fixture.meta.commits(), commits, "overwriting commits nothing");
    assert_eq!(fixture.disk.steps() - steps, 10 * (64 + 1 + 2), "one write each, and one sync a flush");
}

#[test]
fn a_snapshot_of_a_large_volume_is_one_commit_of_one_record() {
    let fixture = OnFolder::new();
    let store = fixture.store.as_ref().unwrap();
    block_on(store.create(VOLUME, 100 << 30)).unwrap();
    for gigabyte in 0..100_u64 {
        put(store, gigabyte << 30, 8, 1, Durable::AtFlush);
    }
    block_on(store.flush(VOLUME)).unwrap();
    let records = |meta: &MemoryMeta| {
        meta.read_now(|view| {
            let mut all = std::collections::BTreeMap::new();
            view.scan(record::FAMILY, &[], None, &mut |key, value| {
                all.insert(key.to_vec(), value.to_vec());
                Ok(crate::meta::Step::Next)
            })?;
            Ok(all)
        })
        .unwrap()
    };
    let (commits, before) = (fixture.meta.commits(), records(&fixture.meta));
    let epoch = block_on(store.snapshot(VOLUME)).unwrap();
    assert_eq!(fixture.meta.commits(), commits + 1);
    let after = records(&fixture.meta);
    assert_eq!(after.iter().filter(|(key, value)| before.get(*key) != Some(*value)).count(), 1);
    put(store, 5 << 30, 1, 2, Durable::Now);
    assert_eq!(get(store, Moment::Snapshot(epoch), 5 << 30, 8).unwrap(), bytes(8, 1));
    assert_eq!(get(store, Moment::Latest, 5 << 30, 1).unwrap(), bytes(1, 2));
}

#[test]
fn space_is_given_back_when_pages_are_cleared_and_snapshots_deleted() {
    let fixture = OnFaulty::new(options());
    let store = fixture.pages();
    block_on(store.create(VOLUME, 4 * AREA)).unwrap();
    put(store, 0, 1024, 1, Durable::Now);
    assert_eq!(slots_used(&fixture.disk), 8);
    let all = PageRange::new(0, 4 * AREA).unwrap();
    block_on(store.clear(VOLUME, PageRange::new(0, 4 * UNIT_BYTES as u64).unwrap(), Durable::Now)).unwrap();
    assert_eq!(slots_used(&fixture.disk), 4);
    let epoch = block_on(store.snapshot(VOLUME)).unwrap();
    block_on(store.clear(VOLUME, all, Durable::Now)).unwrap();
    assert_eq!(slots_used(&fixture.disk), 4, "the snapshot has them");
    block_on(store.delete_snapshot(VOLUME, epoch)).unwrap();
    store.wait_for_tidying();
    assert_eq!(slots_used(&fixture.disk), 0);
    put(store, 0, 1024, 1, Durable::Now);
    block_on(store.delete(VOLUME)).unwrap();
    while lock(&store.shared.volumes).contains_key(&VOLUME) {
        std::thread::yield_now();
    }
    assert_eq!(fixture.disk.list(files::folder()).unwrap(), Vec::<std::path::PathBuf>::new());
}

#[test]
fn damaged_bytes_are_an_error_and_never_read() {
    for closed in [false, true] {
        let mut fixture = OnFaulty::new(options());
        block_on(fixture.pages().create(VOLUME, AREA)).unwrap();
        put(fixture.pages(), 0, 128, 3, Durable::Now);
        if closed {
            fixture.close();
        }
        let name = fixture.disk.list(files::folder()).unwrap().remove(0);
        let file = fixture.disk.open(&files::folder().join(name)).unwrap();
        file.write_at(&[Bytes::from_static(b"x")], 5000).unwrap();
        let damaged = |outcome: Result<Bytes>| matches!(outcome, Err(EngineError::Corrupt { .. }));
        for _ in 0..4 {
            assert!(damaged(get(fixture.pages(), Moment::Latest, 4608, 1)));
            assert!(damaged(get(fixture.pages(), Moment::Latest, 0, 128)));
            assert_eq!(get(fixture.pages(), Moment::Latest, 0, 9).unwrap(), bytes(9, 3));
        }
        // Neither is the damage copied to where it would look sound.
        block_on(fixture.pages().snapshot(VOLUME)).unwrap();
        let copied = block_on(fixture.pages().write(VOLUME, 0, vec![bytes(1, 4)], Durable::AtFlush));
        assert!(matches!(copied, Err(EngineError::Corrupt { .. })));
    }
}

#[test]
fn after_closing_no_mark_is_left_and_damage_is_found() {
    let mut fixture = OnFaulty::new(options());
    block_on(fixture.pages().create(VOLUME, 8 * AREA)).unwrap();
    for area in 0..8 {
        put(fixture.pages(), area * AREA, 8, 1, Durable::AtFlush);
    }
    let volume = fixture.pages().shared.volume(VOLUME).unwrap();
    assert_eq!(lock(&volume.marks).len(), 8);
    drop(volume);
    fixture.close();
    let volume = fixture.pages().shared.volume(VOLUME).unwrap();
    assert!(lock(&volume.inherited).is_empty());
    assert_eq!(get(fixture.pages(), Moment::Latest, 7 * AREA, 8).unwrap(), bytes(8, 1));
}

#[test]
fn a_volume_deleted_just_before_the_end_is_gone_afterwards() {
    let mut fixture = OnFaulty::new(options());
    for round in 0..20 {
        let volume = VolumeId(100 + round);
        let store = fixture.pages();
        block_on(store.create(volume, AREA)).unwrap();
        block_on(store.write(volume, 0, vec![bytes(1, 1)], Durable::Now)).unwrap();
        block_on(store.delete(volume)).unwrap();
        fixture.close();
        assert!(matches!(block_on(fixture.pages().inspect(volume)), Err(EngineError::VolumeNotFound)));
    }
    fixture.close();
    fixture.close();
    assert_eq!(open::heads(&fixture.pages().shared.ground).unwrap().len(), 0);
    assert!(fixture.disk.list(files::folder()).unwrap().is_empty());
}

#[test]
fn bytes_that_a_crash_leaves_in_nobodys_slots_are_given_back() {
    let mut fixture = OnFaulty::new(options());
    let store = fixture.pages();
    block_on(store.create(VOLUME, AREA)).unwrap();
    put(store, 0, 128, 1, Durable::Now);
    block_on(store.snapshot(VOLUME)).unwrap();
    // Into a spare slot and into homes, with their bytes on the disk and no record that names them.
    put(store, 0, 1, 2, Durable::AtFlush);
    put(store, 1 << 20, 256, 2, Durable::AtFlush);
    store.shared.volume(VOLUME).unwrap().files.sync().unwrap();
    assert_eq!(slots_used(&fixture.disk), 4);
    fixture.crash();
    assert_eq!(get(fixture.pages(), Moment::Latest, 0, 128).unwrap(), bytes(128, 1));
    assert_eq!(get(fixture.pages(), Moment::Latest, 1 << 20, 128).unwrap(), bytes(128, 0));
    assert_eq!(slots_used(&fixture.disk), 1);
}

#[test]
fn a_durable_write_that_would_tear_goes_to_another_slot_and_gives_the_old_one_back() {
    let fixture = OnFaulty::new(options());
    let store = fixture.pages();
    block_on(store.create(VOLUME, AREA)).unwrap();
    for round in 1..20 {
        put(store, 4096, 8, round, Durable::Now);
        assert_eq!(get(store, Moment::Latest, 4096, 8).unwrap(), bytes(8, round));
    }
    assert!(slots_used(&fixture.disk) <= 3, "the unit, and what is kept warm for the next ones");
}

#[test]
fn a_failed_sync_is_never_tried_again() {
    let mut fixture = OnFaulty::new(options());
    block_on(fixture.pages().create(VOLUME, AREA)).unwrap();
    put(fixture.pages(), 0, 8, 1, Durable::Now);
    let steps = fixture.disk.steps();
    fixture.store = None;
    fixture.disk = fixture.disk.reopen_with(Plan::at(3, crate::disk::faulty::Fault::Io, 1));
    fixture.meta = fixture.meta.reopen(Box::new(|_| ())).unwrap();
    fixture.open();
    let store = fixture.pages();
    assert!(steps > 0);
    let failed = |outcome: Result<()>| matches!(outcome, Err(EngineError::Disk(_)));
    let write = || block_on(store.write(VOLUME, 0, vec![bytes(1, 2)], Durable::Now));
    let outcomes: Vec<bool> = (0..8).map(|_| failed(write())).collect();
    assert!(outcomes.ends_with(&[true, true, true]), "{outcomes:?}");
    let steps = fixture.disk.steps();
    assert!(failed(write()) && failed(block_on(store.flush(VOLUME))) && failed(store.check()));
    assert_eq!(fixture.disk.steps(), steps, "nothing is written or synced after that");
}

#[test]
fn after_closing_operations_are_refused() {
    let fixture = OnFaulty::new(options());
    let store = fixture.pages();
    block_on(store.create(VOLUME, AREA)).unwrap();
    put(store, 0, 8, 1, Durable::AtFlush);
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(get(store, Moment::Latest, 0, 8), Err(EngineError::Closed)));
    assert!(matches!(block_on(store.flush(VOLUME)), Err(EngineError::Closed)));
    let write = block_on(store.write(VOLUME, 0, vec![bytes(8, 2)], Durable::Now));
    assert!(matches!(write, Err(EngineError::Closed)));
}

#[test]
fn a_full_disk_refuses_new_pages_and_takes_those_that_have_a_place() {
    let mut fixture = OnFaulty::new(options());
    block_on(fixture.pages().create(VOLUME, AREA)).unwrap();
    put(fixture.pages(), 0, 8, 1, Durable::Now);
    fixture.options.reserve_bytes = u64::MAX;
    fixture.close();
    let store = fixture.pages();
    let write = block_on(store.write(VOLUME, 1 << 20, vec![bytes(8, 2)], Durable::AtFlush));
    assert!(matches!(write, Err(EngineError::NoSpace)));
    put(store, 0, 8, 2, Durable::AtFlush);
    assert_eq!(get(store, Moment::Latest, 0, 8).unwrap(), bytes(8, 2));
    assert_eq!(get(store, Moment::Latest, 1 << 20, 8).unwrap(), bytes(8, 0));
}

#[test]
fn running_out_of_descriptors_refuses_and_goes_by_and_few_files_are_held() {
    let fixture = OnFaulty::new(options());
    let pages = fixture.pages();
    let volumes = HANDLES_MAX as u128 + 10;
    let write = |volume: u128, byte| {
        let parts = vec![Bytes::from(vec![byte; PAGE_BYTES])];
        block_on(pages.write(VolumeId(volume), 0, parts, Durable::Now))
    };
    for volume in 0..volumes {
        block_on(pages.create(VolumeId(volume), AREA)).unwrap();
        write(volume, 1).unwrap();
    }
    assert_eq!(lock(&pages.shared.ground.open_files).len(), HANDLES_MAX);
    fixture.disk.run_out_of_handles(true);
    assert!(matches!(write(0, 2), Err(EngineError::Disk(_))));
    pages.check().unwrap();
    write(volumes - 1, 2).unwrap();
    fixture.disk.run_out_of_handles(false);
    let read = |volume| {
        let range = PageRange::new(0, PAGE_BYTES as u64).unwrap();
        block_on(pages.read(VolumeId(volume), Moment::Latest, range)).unwrap()
    };
    assert_eq!((read(0)[0], read(volumes - 1)[0]), (1, 2));
    write(0, 2).unwrap();
    assert_eq!(read(0)[0], 2);
}
