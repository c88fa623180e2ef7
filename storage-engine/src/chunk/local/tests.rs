//! The store on a real folder and on a disk that fails.

use super::files::{Stage, folder, parse};
use super::*;
use crate::chunk::conformance::{self, append, pattern, read_all, reader, upload};
use crate::chunk::{CHUNK_BYTES_MAX, Content, ContentReader, Staged, Upload};
use crate::disk::faulty::{Fault, FaultyDisk, Plan};
use crate::disk::local::LocalDisk;
use futures_executor::block_on;
use proptest::prelude::{Strategy, any, proptest};
use std::collections::BTreeSet;
use std::sync::{Mutex, PoisonError};

/// Stands in for the metadata: which chunks records name.
#[derive(Debug, Clone, Default)]
struct Names(Arc<Mutex<BTreeSet<ChunkRef>>>);

impl Names {
    fn add(&self, chunks: &[ChunkRef]) {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).extend(chunks);
    }

    fn remove(&self, chunks: &[ChunkRef]) {
        self.0.lock().unwrap().retain(|chunk| !chunks.contains(chunk));
    }

    fn lookup(&self) -> NamedChunks {
        let names = Arc::clone(&self.0);
        Arc::new(move |segment| {
            let names = names.lock().unwrap_or_else(PoisonError::into_inner);
            Ok(names.iter().filter(|chunk| chunk.segment == segment).copied().collect())
        })
    }
}

fn options() -> ChunkOptions {
    ChunkOptions { segment_bytes: 256 << 10, readers: 1, reserve_bytes: 0, ..ChunkOptions::default() }
}

fn open(disk: impl Disk, names: &Names) -> Result<Arc<LocalChunks>> {
    LocalChunks::open(Arc::new(disk), &options(), names.lookup())
}

fn as_store(store: &Arc<LocalChunks>) -> Arc<dyn ChunkStore> {
    Arc::clone(store) as Arc<dyn ChunkStore>
}

fn chunks_of(staged: &Staged) -> Vec<ChunkRef> {
    match &staged.content {
        Content::Chunks(chunks) => chunks.clone(),
        Content::Inline(_) => Vec::new(),
    }
}

/// Uploads, names and adopts.
fn put(store: &Arc<LocalChunks>, names: &Names, payload: &[u8]) -> Result<Vec<ChunkRef>> {
    block_on(async {
        let mut upload = Upload::new(as_store(store));
        upload.write(Bytes::copy_from_slice(payload)).await?;
        let staged = upload.finish_in_chunks().await?;
        let chunks = chunks_of(&staged);
        names.add(&chunks);
        staged.adopted();
        Ok(chunks)
    })
}

fn delete(store: &LocalChunks, names: &Names, chunks: &[ChunkRef]) {
    names.remove(chunks);
    store.release(chunks);
}

fn content(store: &Arc<LocalChunks>, chunks: &[ChunkRef]) -> Result<Vec<u8>> {
    block_on(async {
        let mut read = Vec::new();
        let length = chunks.iter().map(|chunk| u64::from(chunk.len)).sum();
        let store = as_store(store);
        let pin = store.pin();
        let mut reader = ContentReader::new(store, pin, chunks.to_vec(), 0, length);
        while let Some(piece) = reader.next().await? {
            read.extend_from_slice(&piece);
        }
        Ok(read)
    })
}

fn segments(disk: &dyn Disk) -> Vec<(u64, Stage)> {
    let mut found: Vec<_> = disk.list(folder()).unwrap().iter().map(|name| parse(name).unwrap()).collect();
    found.sort_unstable();
    found
}

fn bytes_on(disk: &FaultyDisk, segment: u64) -> u64 {
    let path = files::path(segment, Stage::Open);
    disk.open(&path).unwrap().len().unwrap()
}

#[test]
fn a_folder_conforms() {
    let folder = tempfile::tempdir().unwrap();
    let options = ChunkOptions { segment_bytes: 4 << 20, reserve_bytes: 0, ..ChunkOptions::default() };
    let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
    for durability in [Durability::Sync, Durability::Os] {
        let options = ChunkOptions { durability, ..options.clone() };
        let disk = Arc::clone(&disk) as Arc<dyn Disk>;
        let store = LocalChunks::open(disk, &options, Names::default().lookup()).unwrap();
        block_on(conformance::check(as_store(&store)));
        store.wait_for_reclaim();
        let left = segments(store.shared.files.disk());
        assert!(left.len() <= 1 && left.iter().all(|(_, stage)| *stage == Stage::Open), "{left:?}");
    }
}

#[test]
fn a_disk_without_faults_conforms() {
    let store = open(FaultyDisk::new(Plan::none()), &Names::default()).unwrap();
    block_on(conformance::check(as_store(&store)));
}

#[test]
fn the_folder_is_free_when_the_store_is_gone() {
    let folder = tempfile::tempdir().unwrap();
    let store = open(LocalDisk::open(folder.path()).unwrap(), &Names::default()).unwrap();
    let pin = store.pin();
    drop(store);
    LocalDisk::open(folder.path()).unwrap();
    drop(pin);
}

/// A few uploads, drops and deletes, with everything that was acknowledged and not deleted.
fn scenario(disk: &FaultyDisk, names: &Names, kept: &mut Vec<(Vec<ChunkRef>, Vec<u8>)>) -> Result<()> {
    let store = open(disk.clone(), names)?;
    for (n, len) in
        [10_000, 70_000, 150_000, 300_000, 20_000, 1_200_000, 90_000, 30_000].into_iter().enumerate()
    {
        let payload = pattern(u8::try_from(n).unwrap(), len);
        let chunks = put(&store, names, &payload)?;
        kept.push((chunks, payload));
        if n % 3 == 2 {
            drop(block_on(store.append(vec![pattern(0, 9).into()], vec![1])));
            let (chunks, _) = kept.remove(n / 3);
            delete(&store, names, &chunks);
            store.wait_for_reclaim();
        }
    }
    Ok(())
}

fn survives(plan: Plan) {
    let what = format!("{plan:?}");
    let disk = FaultyDisk::new(plan);
    let names = Names::default();
    let mut kept = Vec::new();
    let _ = scenario(&disk, &names, &mut kept);
    let mut after = disk.reopen();
    for _ in 0..2 {
        let store = open(after.clone(), &names).expect(&what);
        assert!(segments(&after).iter().all(|(_, stage)| *stage == Stage::Sealed), "{what}");
        for (chunks, payload) in &kept {
            assert!(content(&store, chunks).expect(&what) == *payload, "{what}");
        }
        let (chunks, _) = kept.pop().unwrap_or_default();
        delete(&store, &names, &chunks);
        let payload = pattern(99, 100_000);
        kept.push((put(&store, &names, &payload).expect(&what), payload));
        store.sweep();
        store.wait_for_reclaim();
        drop(store);
        after = after.reopen();
    }
}

#[test]
fn whatever_step_the_power_fails_at_all_that_was_acknowledged_is_there() {
    let clean = FaultyDisk::new(Plan::none());
    scenario(&clean, &Names::default(), &mut Vec::new()).unwrap();
    for step in 1..=clean.steps() + 2 {
        for seed in 0..2 {
            survives(Plan::at(step, Fault::Crash, seed));
        }
    }
}

#[test]
fn errors_of_the_device_lose_nothing_that_was_acknowledged() {
    for seed in 0..60 {
        survives(Plan::seeded(seed, 60));
    }
}

#[test]
fn bytes_that_were_never_synced_read_as_written_or_not_at_all() {
    let mut lost = 0;
    for seed in 0..40 {
        let disk = FaultyDisk::new(Plan::at(u64::MAX, Fault::Crash, seed));
        let names = Names::default();
        let options = ChunkOptions { durability: Durability::Os, ..options() };
        let store = LocalChunks::open(Arc::new(disk.clone()), &options, names.lookup()).unwrap();
        disk.create_dir(folder()).unwrap();
        let payload = pattern(1, 100_000);
        let chunks = put(&store, &names, &payload).unwrap();
        disk.sync_dir(folder()).unwrap();
        let after = open(disk.reopen(), &names).unwrap();
        match content(&after, &chunks) {
            Ok(read) => assert_eq!(read, payload),
            Err(EngineError::Corrupt { .. }) => lost += 1,
            Err(other) => panic!("{other}"),
        }
    }
    assert!(lost > 0);
}

#[test]
fn a_full_disk_refuses_and_works_again_when_there_is_room() {
    let names = Names::default();
    // Steps: the folder, the segment, the first chunk, its sync, the folder's; the sixth is the second chunk.
    let disk = FaultyDisk::new(Plan::at(6, Fault::Full, 0));
    let store = open(disk.clone(), &names).unwrap();
    let first = put(&store, &names, &pattern(1, 50_000)).unwrap();
    let before = bytes_on(&disk, 1);
    assert!(matches!(put(&store, &names, &pattern(2, 50_000)), Err(EngineError::NoSpace)));
    assert_eq!(bytes_on(&disk, 1).next_multiple_of(4096), before.next_multiple_of(4096));
    let second = put(&store, &names, &pattern(3, 50_000)).unwrap();
    assert_eq!(content(&store, &first).unwrap(), pattern(1, 50_000));
    assert_eq!(content(&store, &second).unwrap(), pattern(3, 50_000));
    assert_eq!(second.first().unwrap().offset, format::extent_bytes(50_000));
}

#[test]
fn the_reserve_is_left_to_the_records() {
    let options = ChunkOptions { reserve_bytes: 1 << 50, ..options() };
    let disk = Arc::new(FaultyDisk::new(Plan::none()));
    let store = LocalChunks::open(disk, &options, Names::default().lookup()).unwrap();
    assert!(matches!(put(&store, &Names::default(), &[1; 10]), Err(EngineError::NoSpace)));
}

#[test]
fn after_a_failed_write_or_sync_nothing_is_written_any_more() {
    let names = Names::default();
    for step in 2..=5 {
        let disk = FaultyDisk::new(Plan::at(step, Fault::Io, 0));
        let store = open(disk.clone(), &names).unwrap();
        for _ in 0..3 {
            let refused = put(&store, &names, &[1; 10_000]);
            assert!(matches!(refused, Err(EngineError::Disk(_))), "step {step}: {refused:?}");
        }
        assert!(matches!(block_on(store.sync()), Err(EngineError::Disk(_))));
        store.wait_for_reclaim();
        assert_eq!(disk.steps(), step, "nothing was tried again");
    }
}

#[test]
fn a_failed_sync_is_final_even_if_it_says_no_space() {
    let disk = FaultyDisk::new(Plan::at(4, Fault::Full, 0));
    let store = open(disk, &Names::default()).unwrap();
    for _ in 0..2 {
        assert!(matches!(put(&store, &Names::default(), &[1; 10_000]), Err(EngineError::Disk(_))));
    }
}

#[test]
fn a_full_segment_is_sealed_when_its_chunks_are_named_and_removed_when_they_are_dead() {
    let disk = FaultyDisk::new(Plan::none());
    let names = Names::default();
    let store = open(disk.clone(), &names).unwrap();
    let staged = block_on(upload(&as_store(&store), &pattern(1, 200_000), 200_000));
    let chunks = chunks_of(&staged);
    let next = put(&store, &names, &pattern(2, 200_000)).unwrap();
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(1, Stage::Open), (2, Stage::Open)]);
    names.add(&chunks);
    staged.adopted();
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(1, Stage::Sealed), (2, Stage::Open)]);
    let pin = store.pin();
    delete(&store, &names, &chunks);
    store.wait_for_reclaim();
    assert_eq!(content(&store, &chunks).unwrap(), pattern(1, 200_000));
    drop(pin);
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(2, Stage::Open)]);
    assert!(matches!(content(&store, &chunks), Err(EngineError::Corrupt { .. })));
    assert_eq!(content(&store, &next).unwrap(), pattern(2, 200_000));
}

#[test]
fn a_segment_of_an_earlier_process_is_removed_with_its_last_chunk() {
    let disk = FaultyDisk::new(Plan::none());
    let names = Names::default();
    let store = open(disk.clone(), &names).unwrap();
    let all: Vec<_> = (0..5).map(|n| put(&store, &names, &pattern(n, 100_000)).unwrap()).collect();
    store.wait_for_reclaim();
    drop(store);
    let store = open(disk.clone(), &names).unwrap();
    assert_eq!(segments(&disk), [(1, Stage::Sealed), (2, Stage::Sealed), (3, Stage::Sealed)]);
    delete(&store, &names, &all[0]);
    store.wait_for_reclaim();
    assert_eq!(content(&store, &all[1]).unwrap(), pattern(1, 100_000));
    delete(&store, &names, &all[1]);
    delete(&store, &names, &all[4]);
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(2, Stage::Sealed)]);
}

#[test]
fn chunks_that_died_just_before_a_crash_are_found_by_a_sweep() {
    let disk = FaultyDisk::new(Plan::none());
    let names = Names::default();
    let store = open(disk.clone(), &names).unwrap();
    let all: Vec<_> = (0..5).map(|n| put(&store, &names, &pattern(n, 100_000)).unwrap()).collect();
    store.wait_for_reclaim();
    drop(store);
    // Their deletes are committed, but nobody came to release them.
    names.remove(&[all[0].clone(), all[1].clone(), all[2].clone()].concat());
    let store = open(disk.clone(), &names).unwrap();
    store.sweep();
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(2, Stage::Sealed), (3, Stage::Sealed)]);
    assert!(content(&store, &all[2]).is_err());
    assert_eq!(content(&store, &all[3]).unwrap(), pattern(3, 100_000));
}

#[test]
fn a_removed_segment_that_a_crash_brings_back_does_not_keep_the_store_from_opening() {
    let disk = FaultyDisk::new(Plan::none());
    disk.create_dir(folder()).unwrap();
    for stage in [Stage::Open, Stage::Sealed] {
        disk.create(&files::path(1, stage)).unwrap();
    }
    let names = Names::default();
    let store = open(disk.clone(), &names).unwrap();
    assert_eq!(put(&store, &names, &[3; 9]).unwrap().first().unwrap().segment, 2);
    store.sweep();
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(2, Stage::Open)]);
}

#[test]
fn without_syncs_no_files_are_held_for_one() {
    let options = ChunkOptions { durability: Durability::Os, ..options() };
    let disk = Arc::new(FaultyDisk::new(Plan::none()));
    let store = LocalChunks::open(disk, &options, Names::default().lookup()).unwrap();
    put(&store, &Names::default(), &[1; 10]).unwrap();
    assert!(store.shared.unsynced.is_empty());
}

#[test]
fn new_segments_are_newer_than_any_that_were() {
    let disk = FaultyDisk::new(Plan::none());
    let names = Names::default();
    put(&open(disk.clone(), &names).unwrap(), &names, &[1; 9]).unwrap();
    let options = ChunkOptions { next_segment_at_least: 0x50, ..options() };
    let store = LocalChunks::open(Arc::new(disk.clone()), &options, names.lookup()).unwrap();
    assert_eq!(put(&store, &names, &[2; 9]).unwrap().first().unwrap().segment, 0x50);
    drop(store);
    let store = open(disk, &names).unwrap();
    assert_eq!(put(&store, &names, &[3; 9]).unwrap().first().unwrap().segment, 0x51);
}

#[test]
fn an_append_that_nobody_waits_for_is_given_back() {
    let disk = FaultyDisk::new(Plan::none());
    let names = Names::default();
    let store = open(disk.clone(), &names).unwrap();
    let payload = pattern(1, 200_000);
    let sums: Vec<u64> = payload.chunks(64 << 10).map(crc_fast::crc64_nvme).collect();
    drop(store.append(vec![payload.into()], sums));
    put(&store, &names, &pattern(2, 200_000)).unwrap();
    store.wait_for_reclaim();
    assert_eq!(segments(&disk), [(2, Stage::Open)]);
}

#[test]
fn what_happened_to_a_segment_outside_is_an_error_that_names_it() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::default();
    let store = open(LocalDisk::open(folder.path()).unwrap(), &names).unwrap();
    let chunks = put(&store, &names, &pattern(1, 100_000)).unwrap();
    let file = store.shared.files.get(1).unwrap();
    file.write_at(&[Bytes::from_static(b"x")], 70_000).unwrap();
    let error = content(&store, &chunks).unwrap_err();
    assert!(error.to_string().contains("segment 0000000000000001 at 0: unit"), "{error}");
}

#[test]
fn space_comes_back() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::default();
    let options = ChunkOptions { segment_bytes: 64 << 20, reserve_bytes: 0, ..ChunkOptions::default() };
    let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
    let store = LocalChunks::open(disk, &options, names.lookup()).unwrap();
    let path = folder.path().join(files::path(1, Stage::Open));
    let taken = || {
        block_on(store.sync()).unwrap();
        u64::try_from(rustix::fs::stat(&path).unwrap().st_blocks).unwrap() * 512
    };
    let kept = put(&store, &names, &pattern(1, 100_000)).unwrap();
    let large = put(&store, &names, &pattern(2, 8 << 20)).unwrap();
    let last = put(&store, &names, &pattern(3, 100_000)).unwrap();
    let full = taken();
    assert!(full >= 8 << 20, "{full}");
    match store.shared.files.get(1).unwrap().punch(0, 0).map_err(|error| error.kind()) {
        Err(io::ErrorKind::Unsupported) => return,
        _ => delete(&store, &names, &large),
    }
    store.wait_for_reclaim();
    let left = taken();
    assert!(left < 1 << 20, "{left} of {full}");
    assert_eq!(content(&store, &kept).unwrap(), pattern(1, 100_000));
    assert_eq!(content(&store, &last).unwrap(), pattern(3, 100_000));
}

#[test]
fn opening_gives_back_what_nobody_names() {
    let folder = tempfile::tempdir().unwrap();
    let names = Names::default();
    let options = ChunkOptions { segment_bytes: 64 << 20, reserve_bytes: 0, ..ChunkOptions::default() };
    let open = || {
        let disk = Arc::new(LocalDisk::open(folder.path()).unwrap());
        LocalChunks::open(disk, &options, names.lookup()).unwrap()
    };
    let store = open();
    let gap = put(&store, &names, &pattern(1, 100_000)).unwrap();
    let kept = put(&store, &names, &pattern(2, 100_000)).unwrap();
    let tail = put(&store, &names, &pattern(3, 4 << 20)).unwrap();
    names.remove(&[gap, tail].concat());
    drop(store);
    let store = open();
    let path = folder.path().join(files::path(1, Stage::Sealed));
    let found = rustix::fs::stat(&path).unwrap();
    assert_eq!(u64::try_from(found.st_size).unwrap(), 2 * format::extent_bytes(100_000));
    assert_eq!(content(&store, &kept).unwrap(), pattern(2, 100_000));
}

fn pieces() -> impl Strategy<Value = Vec<usize>> {
    let piece = proptest::prop_oneof![0..200_usize, 3_000..70_000_usize, 900_000..1_300_000_usize];
    proptest::collection::vec(piece, 0..12)
}

proptest! {
    #![proptest_config(proptest::test_runner::Config { cases: 12, ..Default::default() })]
    #[test]
    fn what_is_uploaded_in_any_pieces_reads_in_any_range(pieces in pieces(), a in any::<usize>(), b in any::<usize>()) {
        let store = open(FaultyDisk::new(Plan::none()), &Names::default()).unwrap();
        let store = as_store(&store);
        let payload = pattern(1, pieces.iter().sum());
        let (first, second) = (a % (payload.len() + 1), b % (payload.len() + 1));
        let (first, end) = (first.min(second), first.max(second));
        block_on(async {
            let mut upload = Upload::new(Arc::clone(&store));
            let mut rest = payload.as_slice();
            for piece in pieces {
                let (now, later) = rest.split_at(piece);
                upload.write(Bytes::copy_from_slice(now)).await.unwrap();
                rest = later;
            }
            let staged = upload.finish_in_chunks().await.unwrap();
            assert_eq!(chunks_of(&staged).len(), payload.len().div_ceil(CHUNK_BYTES_MAX));
            assert_eq!(staged.crc64, crc_fast::crc64_nvme(&payload));
            let read = read_all(reader(&store, &staged.content, first, end - first)).await;
            assert!(read == payload[first..end]);
        });
    }
}

#[test]
fn a_chunk_whose_sums_are_wrong_is_never_given_out() {
    let store = open(FaultyDisk::new(Plan::none()), &Names::default()).unwrap();
    block_on(async {
        let sound = append(&as_store(&store), &[1; 100]).await;
        let unsound = store.append(vec![Bytes::from_static(b"abc")], vec![7]).await.unwrap();
        assert!(store.read(sound, 0, 100).await.is_ok());
        assert!(matches!(store.read(unsound, 0, 1).await, Err(EngineError::Corrupt { .. })));
    });
}

#[test]
fn uploads_and_readers_may_move_between_threads() {
    fn may_move<T: Send>(thing: T) -> T {
        thing
    }
    let store = as_store(&open(FaultyDisk::new(Plan::none()), &Names::default()).unwrap());
    let mut upload = may_move(Upload::new(Arc::clone(&store)));
    block_on(may_move(upload.write(Bytes::from_static(b"abc")))).unwrap();
    let staged = may_move(block_on(may_move(upload.finish())).unwrap());
    let mut reader = may_move(reader(&store, &staged.content, 0, 3));
    assert_eq!(block_on(may_move(reader.next())).unwrap(), Some(Bytes::from_static(b"abc")));
}

#[test]
fn running_out_of_descriptors_refuses_and_goes_by() {
    let (disk, names) = (FaultyDisk::new(Plan::none()), Names::default());
    let store = open(disk.clone(), &names).unwrap();
    let first = put(&store, &names, &pattern(1, 200_000)).unwrap();
    disk.run_out_of_handles(true);
    // It does not fit into the open segment.
    assert!(matches!(put(&store, &names, &pattern(2, 200_000)), Err(EngineError::Disk(_))));
    store.check().unwrap();
    disk.run_out_of_handles(false);
    let second = put(&store, &names, &pattern(2, 200_000)).unwrap();
    store.wait_for_reclaim();
    // Nobody holds the files any more.
    drop(store);
    let store = open(disk.clone(), &names).unwrap();
    disk.run_out_of_handles(true);
    delete(&store, &names, &first);
    store.wait_for_reclaim();
    store.check().unwrap();
    disk.run_out_of_handles(false);
    let content = Content::Chunks(second);
    assert_eq!(block_on(read_all(reader(&as_store(&store), &content, 0, 200_000))), pattern(2, 200_000));
}
