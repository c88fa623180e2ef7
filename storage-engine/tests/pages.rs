//! Volumes of a whole engine, on a real folder and `RocksDB`: written, closed, opened and found again.
#![expect(clippy::unwrap_used, reason = "tests, with functions beside them")]

use bytes::Bytes;
use futures_executor::block_on;
use std::num::NonZeroUsize;
use std::path::Path;
use std::sync::Arc;
use storage_engine::Engine;
use storage_engine::clock::{SystemClock, SystemEntropy};
use storage_engine::config::EngineConfig;
use storage_engine::page::{Durable, Moment, PageRange, VolumeId};

const VOLUME: VolumeId = VolumeId(0xfeed);

fn open(folder: &Path) -> Engine {
    let config = EngineConfig { disks: vec![folder.to_path_buf()], ..EngineConfig::default() };
    Engine::open(&config, Arc::new(SystemClock), Arc::new(SystemEntropy)).unwrap()
}

fn bytes(fill: u8) -> Bytes {
    vec![fill; 8192].into()
}

#[test]
fn volumes_and_their_snapshots_are_there_after_the_engine_was_closed() {
    let folder = tempfile::tempdir().unwrap();
    let engine = open(folder.path());
    let pages = engine.pages();
    block_on(pages.create(VOLUME, 1 << 40)).unwrap();
    let far = (1 << 40) - 8192;
    block_on(pages.write(VOLUME, far, vec![bytes(1)], Durable::Now)).unwrap();
    let epoch = block_on(pages.snapshot(VOLUME)).unwrap();
    block_on(pages.write(VOLUME, far, vec![bytes(2)], Durable::AtFlush)).unwrap();
    engine.close().unwrap();
    drop((pages, engine));
    for _ in 0..2 {
        let engine = open(folder.path());
        let pages = engine.pages();
        let range = PageRange::new(far, 8192).unwrap();
        let read = |at| block_on(pages.read(VOLUME, at, range)).unwrap();
        assert_eq!(read(Moment::Snapshot(epoch)), bytes(1));
        assert_eq!(read(Moment::Latest), bytes(2));
        let all = PageRange::new(0, 1 << 40).unwrap();
        let max = NonZeroUsize::new(10).unwrap();
        let runs = block_on(pages.runs(VOLUME, Some(epoch), Moment::Latest, all, max)).unwrap();
        assert_eq!(runs.runs.iter().map(|run| run.range).collect::<Vec<_>>(), [range]);
    }
    assert!(folder.path().join("pages").exists());
}
