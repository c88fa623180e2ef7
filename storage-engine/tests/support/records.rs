//! Records in memory and the chunks that they tell what is freed: what an engine stands on that crashes with its disk.
//!
//! Records outlive chunks. [`Records::reopen`] gives what is committed, on which new chunks are opened; the old ones,
//! which may still have threads, hear of nothing that the new records free.

use std::sync::{Arc, OnceLock, Weak};
use storage_engine::Engine;
use storage_engine::chunk::ChunkStore;
use storage_engine::chunk::local::{ChunkOptions, LocalChunks};
use storage_engine::clock::{Clock, ManualClock, SeededEntropy};
use storage_engine::disk::faulty::FaultyDisk;
use storage_engine::error::{EngineError, Result};
use storage_engine::meta::MetaStore;
use storage_engine::meta::chunk_index::{Freed, highest_chunk_segment, named_chunks};
use storage_engine::meta::memory::MemoryMeta;
use storage_engine::page::PageStore;

/// Records, and the chunks that they tell what is freed.
pub(crate) struct Records {
    pub(crate) meta: Arc<MemoryMeta>,
    pub(crate) clock: Arc<ManualClock>,
    reclaiming: Arc<OnceLock<Weak<LocalChunks>>>,
}

impl Records {
    pub(crate) fn new() -> Self {
        let clock = Arc::new(ManualClock::default());
        let reclaiming = Arc::default();
        let meta = MemoryMeta::with_freed(Arc::clone(&clock) as Arc<dyn Clock>, freed(&reclaiming));
        Self { meta, clock, reclaiming }
    }

    /// What is committed, as after the process has ended.
    pub(crate) fn reopen(&self) -> Self {
        let reclaiming = Arc::default();
        let meta = self.meta.reopen(freed(&reclaiming)).unwrap();
        Self { meta, clock: Arc::clone(&self.clock), reclaiming }
    }

    /// The chunks on the disk, opened as [`Engine::open`] does it. Once only.
    pub(crate) fn open_chunks(&self, disk: &FaultyDisk, segment_bytes: u64) -> Result<Arc<LocalChunks>> {
        let highest = self.meta.read_now(highest_chunk_segment)?;
        let options = ChunkOptions {
            segment_bytes,
            readers: 1,
            reserve_bytes: 0,
            next_segment_at_least: highest.map_or(1, |segment| segment + 1),
            ..ChunkOptions::default()
        };
        let asked = Arc::downgrade(&self.meta);
        let named = move |segment| {
            let meta = asked.upgrade().ok_or(EngineError::Closed)?;
            meta.read_now(|view| named_chunks(view, segment))
        };
        let chunks = LocalChunks::open(Arc::new(disk.clone()), &options, Arc::new(named))?;
        self.reclaiming.set(Arc::downgrade(&chunks)).expect("opened once");
        Ok(chunks)
    }

    /// An engine on these records.
    pub(crate) fn engine(&self, chunks: &Arc<LocalChunks>, pages: Arc<dyn PageStore>, seed: u64) -> Engine {
        Engine::on(
            Arc::clone(&self.meta) as Arc<dyn MetaStore>,
            Arc::clone(chunks) as Arc<dyn ChunkStore>,
            pages,
            Arc::clone(&self.clock) as Arc<dyn Clock>,
            Arc::new(SeededEntropy::new(seed)),
        )
    }
}

fn freed(reclaiming: &Arc<OnceLock<Weak<LocalChunks>>>) -> Freed {
    let reclaiming = Arc::clone(reclaiming);
    Box::new(move |chunks| {
        if let Some(store) = reclaiming.get().and_then(Weak::upgrade) {
            store.release(chunks);
        }
    })
}
