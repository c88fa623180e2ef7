//! `RocksDB`'s own tests: what the conformance suite cannot ask of every store.

use super::*;
use crate::clock::{ManualClock, Timestamp};
use crate::meta::{Bytes, Family, Step, commit, conformance, read};
use futures_executor::block_on;
use std::sync::mpsc::channel;
use std::time::Duration;
use tempfile::{TempDir, tempdir};

fn open(folder: &TempDir, clock: Arc<dyn Clock>) -> Arc<RocksMeta> {
    let options = RocksOptions { cache_bytes: 8 << 20, ..RocksOptions::default() };
    RocksMeta::open(folder.path(), options, clock, Box::new(|_| ())).unwrap()
}

fn scope() -> Scope {
    Scope(Bytes::from_static(b"s"))
}

fn put(store: &RocksMeta, value: &'static [u8]) -> Result<Timestamp> {
    block_on(commit(store, scope(), None, move |transaction| {
        transaction.put(Family::Blob, b"s", value);
        Ok(transaction.now())
    }))
}

fn get(store: &RocksMeta, weight: Weight) -> Result<Option<Bytes>> {
    block_on(read(store, weight, |view| view.get(Family::Blob, b"s")))
}

#[test]
fn rocksdb_conforms() {
    let folders = Mutex::new(Vec::new());
    conformance::conforms(|| {
        let folder = tempdir().unwrap();
        let options = RocksOptions {
            durability: crate::meta::Durability::Os,
            cache_bytes: 8 << 20,
            ..RocksOptions::default()
        };
        let store =
            RocksMeta::open(folder.path(), options, Arc::new(ManualClock::default()), Box::new(|_| ()))
                .unwrap();
        folders.lock().unwrap().push(folder);
        store
    });
}

#[test]
fn records_and_stamps_outlive_the_store() {
    let folder = tempdir().unwrap();
    let clock = Arc::new(ManualClock::default());
    clock.advance(Duration::from_mins(1));
    let store = open(&folder, clock);
    let stamp = put(&store, b"kept").unwrap();
    store.close().unwrap();
    drop(store);

    let earlier = Arc::new(ManualClock::default());
    let store = open(&folder, earlier);
    assert_eq!(get(&store, Weight::Point).unwrap().unwrap(), "kept");
    assert!(put(&store, b"again").unwrap() > stamp, "though the clock was set back");
}

#[test]
fn a_store_dropped_without_closing_keeps_what_it_acknowledged() {
    let folder = tempdir().unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    let waiting = commit(store.as_ref(), scope(), None, |transaction| {
        transaction.put(Family::Blob, b"s", b"queued");
        Ok(())
    });
    drop(store);
    block_on(waiting).unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    assert_eq!(get(&store, Weight::Scan).unwrap().unwrap(), "queued");
}

#[test]
fn a_closed_store_refuses() {
    let folder = tempdir().unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    put(&store, b"value").unwrap();
    store.close().unwrap();
    store.close().unwrap();
    assert!(matches!(put(&store, b"other"), Err(EngineError::Closed)));
    assert!(matches!(get(&store, Weight::Point), Err(EngineError::Closed)));
    assert!(matches!(get(&store, Weight::Scan), Err(EngineError::Closed)));
}

#[test]
fn a_point_read_of_cold_data_goes_to_disk() {
    let folder = tempdir().unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    put(&store, b"cold").unwrap();
    let family = view::handle(&store.database.rocks, Family::Blob).unwrap();
    store.database.rocks.flush_cf(family).unwrap();
    store.close().unwrap();
    drop(store);

    let store = open(&folder, Arc::new(ManualClock::default()));
    let hot = RocksView::snapshot(&store.database, Tier::Memory);
    assert!(hot.get(Family::Blob, b"s").is_err());
    assert!(hot.has_met_disk(), "the case this test is about");
    drop(hot);
    assert_eq!(get(&store, Weight::Point).unwrap().unwrap(), "cold");
    let hot = RocksView::snapshot(&store.database, Tier::Memory);
    assert_eq!(hot.get(Family::Blob, b"s").unwrap().unwrap(), "cold", "it is in memory now");

    let (ran, runs) = channel();
    let scanned = block_on(read(store.as_ref(), Weight::Point, move |view| {
        ran.send(()).unwrap();
        let mut values = Vec::new();
        view.scan(Family::Blob, b"", None, &mut |_, value| {
            values.push(value.to_vec());
            Ok(Step::Next)
        })?;
        Ok(values)
    }));
    assert_eq!(scanned.unwrap(), [b"cold"]);
    assert_eq!(runs.iter().count(), 1, "what is in memory is read on this thread");
}

#[test]
fn freed_chunks_are_told_after_the_record_is_gone() {
    let folder = tempdir().unwrap();
    let (told, freed) = channel();
    let store = RocksMeta::open(
        folder.path(),
        RocksOptions::default(),
        Arc::new(ManualClock::default()),
        Box::new(move |chunks| told.send(chunks.to_vec()).unwrap()),
    )
    .unwrap();
    let chunk = ChunkRef { segment: 1, offset: 2, len: 3 };
    block_on(commit(store.as_ref(), scope(), None, move |transaction| {
        transaction.keep(chunk);
        Ok(())
    }))
    .unwrap();
    assert_eq!(store.named_chunks(1).unwrap(), [chunk]);
    let failed: Result<()> = block_on(commit(store.as_ref(), scope(), None, move |transaction| {
        transaction.free(chunk);
        Err(EngineError::BlobNotFound)
    }));
    assert!(failed.is_err());
    assert!(freed.try_recv().is_err(), "a failed verb frees nothing");
    block_on(commit(store.as_ref(), scope(), None, move |transaction| {
        transaction.free(chunk);
        Ok(())
    }))
    .unwrap();
    assert_eq!(freed.try_recv().unwrap(), [chunk], "before the verb is answered");
    assert_eq!(store.highest_chunk_segment().unwrap(), None);
}

#[test]
fn a_record_is_read_back_after_its_family_was_flushed_and_removed_again() {
    let folder = tempdir().unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    put(&store, b"value").unwrap();
    let family = view::handle(&store.database.rocks, Family::Blob).unwrap();
    store.database.rocks.flush_cf(family).unwrap();
    block_on(commit(store.as_ref(), scope(), None, |transaction| {
        transaction.delete(Family::Blob, b"s");
        assert_eq!(transaction.last_at_or_before(Family::Blob, b"", b"t")?, None);
        Ok(())
    }))
    .unwrap();
    assert_eq!(get(&store, Weight::Scan).unwrap(), None);
}

#[test]
fn errors_of_rocksdb_mean_what_they_say() {
    let folder = tempdir().unwrap();
    let _store = open(&folder, Arc::new(ManualClock::default()));
    let second = RocksMeta::open(
        folder.path(),
        RocksOptions::default(),
        Arc::new(ManualClock::default()),
        Box::new(|_| ()),
    );
    assert!(matches!(second, Err(EngineError::Disk(_))), "the folder is locked");
}

#[test]
fn a_long_scan_holds_up_neither_verbs_nor_other_reads() {
    let folder = tempdir().unwrap();
    let store = open(&folder, Arc::new(ManualClock::default()));
    put(&store, b"before").unwrap();
    let (reached, at_row) = channel();
    let (go_on, gate) = channel::<()>();
    let gate = Mutex::new(gate);
    let scan = read(store.as_ref(), Weight::Scan, move |view| {
        let mut seen = Vec::new();
        view.scan(Family::Blob, b"", None, &mut |_, value| {
            reached.send(()).unwrap();
            gate.lock().unwrap().recv().unwrap();
            seen.push(value.to_vec());
            Ok(Step::Next)
        })?;
        Ok(seen)
    });
    at_row.recv().unwrap();
    // The scan stands in the middle of a row now, and stays there until it is let go on.
    put(&store, b"after").unwrap();
    assert_eq!(get(&store, Weight::Point).unwrap().unwrap(), "after");
    assert_eq!(get(&store, Weight::Scan).unwrap().unwrap(), "after", "another reader thread takes it");
    go_on.send(()).unwrap();
    assert_eq!(block_on(scan).unwrap(), [b"before"], "it sees what was there when it began");
}

#[test]
fn memory_is_bounded_by_the_cache_and_the_buffers_and_not_by_what_is_stored() {
    let folder = tempdir().unwrap();
    let options = RocksOptions {
        durability: crate::meta::Durability::Os,
        cache_bytes: 2 << 20,
        ..RocksOptions::default()
    };
    let store =
        RocksMeta::open(folder.path(), options, Arc::new(ManualClock::default()), Box::new(|_| ())).unwrap();
    let rocks = &store.database.rocks;
    let family = view::handle(rocks, Family::Entity).unwrap();
    let number = |name: &str| rocks.property_int_value_cf(family, name).unwrap().unwrap();
    for round in 0_u64..12 {
        let written: Vec<_> = (0_u64..50)
            .map(|part| {
                commit(store.as_ref(), scope(), None, move |transaction| {
                    for row in 0_u64..20 {
                        let number = round << 32 | part << 16 | row;
                        let key = [b"s".as_slice(), &number.to_be_bytes()].concat();
                        // Not to be compressed, so that what is stored is larger than the cache many times.
                        let mut state = number;
                        let value: Vec<u8> = (0..1024).map(|_| scrambled(&mut state)).collect();
                        transaction.put(Family::Entity, &key, &value);
                    }
                    Ok(())
                })
            })
            .collect();
        for verb in written {
            block_on(verb).unwrap();
        }
        rocks.flush_cf(family).unwrap();
    }
    let rows = block_on(read(store.as_ref(), Weight::Scan, |view| {
        let mut rows = 0;
        view.scan(Family::Entity, b"", None, &mut |_, _| {
            rows += 1;
            Ok(Step::Next)
        })?;
        Ok(rows)
    }));
    assert_eq!(rows.unwrap(), 12 * 50 * 20);
    assert!(number("rocksdb.total-sst-files-size") > 5 * (2 << 20), "the case this test is about");
    assert_eq!(number("rocksdb.block-cache-capacity"), 2 << 20);
    // A block that is being read counts though there is no room for it.
    assert!(number("rocksdb.block-cache-usage") <= (2 << 20) + (256 << 10));
    // Indexes and filters are in the cache as well; what is left outside is a few fields for each open file.
    assert!(number("rocksdb.estimate-table-readers-mem") < 256 << 10);
    let buffers = u64::try_from(options::BUFFER_BYTES_MAX).unwrap();
    assert!(number("rocksdb.cur-size-all-mem-tables") <= buffers);
}

/// The next byte of a sequence in which nothing repeats that a compressor would find.
fn scrambled(state: &mut u64) -> u8 {
    *state = state.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
    state.to_be_bytes()[0]
}
