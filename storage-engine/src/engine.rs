//! Opening and closing: disk, floors and stores put together, in the order of recovery.
//!
//! The records are opened first, because they say which chunks are named; then the chunks, which cut off what is not;
//! then the pages; then the stores on top, and last the [`keeper`](crate::keeper), which tidies up behind deletions.
//! Closing goes the other way: nothing new, then what was submitted, then a mark that the end was orderly.

use crate::account::AccountStore;
use crate::assignment::AssignmentStore;
use crate::blob::BlobStore;
use crate::chunk::local::{ChunkOptions, LocalChunks, NamedChunks};
use crate::chunk::{ChunkRef, ChunkStore};
use crate::clock::{Clock, Entropy};
use crate::config::EngineConfig;
use crate::disk::Disk;
use crate::disk::layout::{self, META};
use crate::disk::local::LocalDisk;
use crate::encryption_scope::EncryptionScopeStore;
use crate::error::{EngineError, Result};
use crate::keeper::{Keeper, Tasks};
use crate::lifecycle::LifecycleStore;
use crate::lifecycle::walk::LifecycleWalk;
use crate::meta::rocks::{RocksMeta, RocksOptions};
use crate::meta::{self, MetaStore};
use crate::newest::Newest;
use crate::page::PageStore;
use crate::page::local::{LocalPages, PageOptions};
use crate::queue::QueueStore;
use crate::secret::{self, Secret};
use crate::settings::SettingsStore;
use crate::table::TableStore;
use crate::wait::wait;
use std::io::{self, ErrorKind};
use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, OnceLock, Weak};

/// Present exactly when the last process that had the folder closed it in order.
const CLOSED_MARK: &str = "closed";

/// An open store.
#[derive(Debug)]
pub struct Engine {
    accounts: AccountStore,
    blobs: BlobStore,
    queues: QueueStore,
    tables: TableStore,
    assignments: AssignmentStore,
    encryption_scopes: EncryptionScopeStore,
    meta: Arc<dyn MetaStore>,
    entropy: Arc<dyn Entropy>,
    settings: SettingsStore,
    lifecycle: LifecycleStore,
    pages: Arc<dyn PageStore>,
    ground: Option<Ground>,
}

/// What an engine on a disk of this machine closes at its end.
#[derive(Debug)]
struct Ground {
    keeper: Keeper,
    meta: Arc<RocksMeta>,
    chunks: Arc<LocalChunks>,
    pages: Arc<LocalPages>,
    disk: Arc<dyn Disk>,
    newest: Arc<Newest>,
    closing: AtomicBool,
}

impl Engine {
    /// Opens the store on the configured disk, creating it where there is none.
    ///
    /// # Errors
    /// [`EngineError::Disk`] with a sentence for people if the folder is somebody else's, in use, or made by a
    /// newer version; [`EngineError::Corrupt`] if the records are damaged.
    pub fn open(config: &EngineConfig, clock: Arc<dyn Clock>, entropy: Arc<dyn Entropy>) -> Result<Self> {
        let Some(root) = config.disks.first() else {
            return Err(io::Error::new(ErrorKind::InvalidInput, "no disk is configured").into());
        };
        let named = |error: io::Error| io::Error::new(error.kind(), format!("{}: {error}", root.display()));
        let disk: Arc<dyn Disk> = Arc::new(LocalDisk::open(root).map_err(named)?);
        layout::open_or_create(&*disk, &*entropy, None)?;
        let (meta, chunks, newest) = open_floors(&disk, config, Arc::clone(&clock))?;
        if !take_closed_mark(&*disk)? {
            chunks.sweep();
        }
        let pages = open_pages(&meta, &disk, config)?;
        let mut engine = Self::on(
            Arc::<RocksMeta>::clone(&meta),
            Arc::<LocalChunks>::clone(&chunks),
            Arc::<LocalPages>::clone(&pages),
            Arc::clone(&clock),
            entropy,
        );
        wait(engine.blobs.fail_interrupted_copies())?;
        let (blobs, queues) = (engine.blobs.clone(), engine.queues.clone());
        let (rules, settings) = (engine.lifecycle.clone(), engine.settings.clone());
        let lifecycle = LifecycleWalk::new(rules, blobs.clone(), settings, Arc::clone(&clock));
        let keeper = Keeper::start(
            Tasks::new(Arc::<RocksMeta>::clone(&meta), blobs, queues, lifecycle, clock).noting(&newest),
        )?;
        let closing = AtomicBool::new(false);
        engine.ground = Some(Ground { keeper, meta, chunks, pages, disk, newest, closing });
        Ok(engine)
    }

    /// The stores on floors that are open already. Nothing is tidied up in the background.
    pub fn on(
        meta: Arc<dyn MetaStore>,
        chunks: Arc<dyn ChunkStore>,
        pages: Arc<dyn PageStore>,
        clock: Arc<dyn Clock>,
        entropy: Arc<dyn Entropy>,
    ) -> Self {
        let settings = SettingsStore::new(Arc::clone(&meta));
        let lifecycle = LifecycleStore::new(Arc::clone(&meta));
        Self {
            accounts: AccountStore::new(Arc::clone(&meta), settings.clone(), lifecycle.clone()),
            blobs: BlobStore::new(Arc::clone(&meta), chunks, clock)
                .with_pages(Arc::clone(&pages), Arc::clone(&entropy)),
            queues: QueueStore::new(Arc::clone(&meta), Arc::clone(&entropy)),
            settings,
            lifecycle,
            tables: TableStore::new(Arc::clone(&meta)),
            assignments: AssignmentStore::new(Arc::clone(&meta)),
            encryption_scopes: EncryptionScopeStore::new(Arc::clone(&meta), Arc::clone(&entropy)),
            pages,
            meta,
            entropy,
            ground: None,
        }
    }

    /// Finishes what was submitted, and closes. Later verbs are answered with [`EngineError::Closed`].
    /// Closing again does nothing.
    ///
    /// # Errors
    /// If the last sync fails; nothing that was acknowledged is lost by that.
    pub fn close(&self) -> Result<()> {
        let Some(ground) = &self.ground else { return Ok(()) };
        if ground.closing.swap(true, Ordering::SeqCst) {
            return Ok(());
        }
        ground.keeper.stop();
        // Before the records, to which it writes its last.
        let pages = ground.pages.close();
        ground.meta.close()?;
        ground.newest.note(ground.meta.read_now(meta::newest_stamp)?);
        ground.newest.sync()?;
        ground.chunks.wait_for_reclaim();
        // A floor that has failed has left something behind, which the next opening is to look for.
        ground.chunks.check()?;
        pages?;
        let mark = Path::new(CLOSED_MARK);
        match ground.disk.create(mark) {
            Ok(_) => ground.disk.sync_dir(Path::new("")).map_err(EngineError::from),
            Err(error) if error.kind() == ErrorKind::AlreadyExists => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    /// Accounts and their keys.
    pub fn accounts(&self) -> &AccountStore {
        &self.accounts
    }

    /// Containers and blobs.
    pub fn blobs(&self) -> &BlobStore {
        &self.blobs
    }

    /// Queues and messages.
    pub fn queues(&self) -> &QueueStore {
        &self.queues
    }

    /// Volumes: what page blobs and disks of virtual machines consist of.
    pub fn pages(&self) -> Arc<dyn PageStore> {
        Arc::clone(&self.pages)
    }

    /// Tables and entities.
    pub fn tables(&self) -> &TableStore {
        &self.tables
    }

    /// Who holds which role.
    pub fn assignments(&self) -> &AssignmentStore {
        &self.assignments
    }

    /// Encryption scopes of accounts.
    pub fn encryption_scopes(&self) -> &EncryptionScopeStore {
        &self.encryption_scopes
    }

    /// The store's own secret, the same as long as the store lives.
    ///
    /// # Errors
    /// When it is made: if there is no randomness. Else the store's.
    pub async fn secret(&self) -> Result<Secret> {
        secret::get_or_make(&*self.meta, &*self.entropy).await
    }

    /// Rules by which blobs go to cheaper tiers, and go.
    pub fn lifecycle(&self) -> &LifecycleStore {
        &self.lifecycle
    }

    /// Settings of accounts' services.
    pub fn settings(&self) -> &SettingsStore {
        &self.settings
    }
}

impl Drop for Engine {
    fn drop(&mut self) {
        if let Err(error) = self.close() {
            tracing::error!(%error, "closing the store failed");
        }
    }
}

/// Records and chunks know of each other: chunks ask which of them are named, records say which are freed.
fn open_floors(
    disk: &Arc<dyn Disk>,
    config: &EngineConfig,
    clock: Arc<dyn Clock>,
) -> Result<(Arc<RocksMeta>, Arc<LocalChunks>, Arc<Newest>)> {
    // Set once the chunks are open; no verb runs before that. Weak, or the two would keep each other alive.
    let reclaiming: Arc<OnceLock<Weak<LocalChunks>>> = Arc::default();
    let freed = {
        let reclaiming = Arc::clone(&reclaiming);
        move |chunks: &[ChunkRef]| {
            if let Some(store) = reclaiming.get().and_then(Weak::upgrade) {
                store.release(chunks);
            }
        }
    };
    let options = RocksOptions {
        durability: config.durability,
        cache_bytes: config.cache_bytes,
        ..RocksOptions::default()
    };
    let meta = RocksMeta::open(&disk.root().join(META), options, clock, Box::new(freed))?;
    // Before anything goes by what the records say, and cuts off what they do not name.
    let newest = Newest::open(&**disk, meta.read_now(meta::newest_stamp)?, config.durability)?;
    let named: NamedChunks = {
        let meta = Arc::downgrade(&meta);
        Arc::new(move |segment| meta.upgrade().ok_or(EngineError::Closed)?.named_chunks(segment))
    };
    let options = ChunkOptions {
        segment_bytes: config.segment_bytes,
        durability: config.durability,
        // More than records keep free, so that on a device that fills up blobs can still be deleted.
        reserve_bytes: 2 * RocksOptions::default().reserve_bytes,
        next_segment_at_least: meta.highest_chunk_segment()?.map_or(1, |segment| segment.saturating_add(1)),
        ..ChunkOptions::default()
    };
    let chunks = LocalChunks::open(Arc::clone(disk), &options, named)?;
    // The lock is new, so setting it cannot fail.
    let _ = reclaiming.set(Arc::downgrade(&chunks));
    Ok((meta, chunks, Arc::new(newest)))
}

fn open_pages(meta: &Arc<RocksMeta>, disk: &Arc<dyn Disk>, config: &EngineConfig) -> Result<Arc<LocalPages>> {
    let options = PageOptions {
        durability: config.durability,
        reserve_bytes: 2 * RocksOptions::default().reserve_bytes,
        ..PageOptions::default()
    };
    LocalPages::open(Arc::<RocksMeta>::clone(meta), Arc::clone(disk), &options)
}

/// Whether the folder was closed in order, and takes the mark away, so that a crash from now on is noticed.
fn take_closed_mark(disk: &dyn Disk) -> Result<bool> {
    match disk.remove(Path::new(CLOSED_MARK)) {
        Ok(()) => {
            disk.sync_dir(Path::new(""))?;
            Ok(true)
        }
        Err(error) if error.kind() == ErrorKind::NotFound => Ok(false),
        Err(error) => Err(error.into()),
    }
}
