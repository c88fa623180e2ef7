//! How `RocksDB` is set up, and why.
//!
//! Families share one block cache and one bound on unwritten data, so that memory is set by two numbers and
//! not by how many families there are.

use super::super::{Durability, Family};
use rocksdb::{
    BlockBasedIndexType, BlockBasedOptions, Cache, ColumnFamilyDescriptor, DBCompressionType, DBRecoveryMode,
    LogLevel, Options, WriteOptions,
};

/// Log files kept for reuse: a sync that overwrites costs half of one that also grows the file. Works only
/// with point-in-time recovery.
const LOG_FILES_RECYCLED: usize = 8;
/// Most bytes of log that an opening has to replay.
const LOG_BYTES_MAX: u64 = 256 << 20;
/// Bytes of one family's writes in memory before they go to a file.
const FAMILY_BUFFER_BYTES: usize = 32 << 20;
/// Buffers of one family that may wait for their files before its writes are held up.
const FAMILY_BUFFERS_MAX: i32 = 4;
/// Bytes of a part of an index or a filter.
const METADATA_BLOCK_BYTES: usize = 4 << 10;
/// Bytes of all families' writes in memory.
pub(super) const BUFFER_BYTES_MAX: usize = 96 << 20;
const BLOCK_BYTES: usize = 16 << 10;
const BLOOM_BITS_PER_KEY: f64 = 10.0;
/// Written data goes to the device in portions of this size, so that a sync never finds gigabytes.
const BYTES_PER_SYNC: u64 = 1 << 20;
const OPEN_FILES_MAX: i32 = 512;
const MANIFEST_BYTES_MAX: usize = 16 << 20;
/// `RocksDB`'s own text log, which is only for whoever looks into a damaged store.
const TEXT_LOG_BYTES_MAX: usize = 1 << 20;
const TEXT_LOGS_KEPT: usize = 2;
/// A file in which this many of so many neighbouring entries are deletions is compacted soon: where records
/// come and go, a scan must not wade through what is gone.
const DELETIONS_WINDOW: usize = 8 << 10;
const DELETIONS_TRIGGER: usize = 2 << 10;
const DELETIONS_RATIO: f64 = 0.5;

/// What the records' owner decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RocksOptions {
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Bytes of memory for blocks read from disk, with their indexes and filters.
    pub cache_bytes: usize,
    /// Bytes of the device below which verbs are refused: `RocksDB` needs room for its own work.
    pub reserve_bytes: u64,
}

impl Default for RocksOptions {
    fn default() -> Self {
        Self { durability: Durability::default(), cache_bytes: 64 << 20, reserve_bytes: 128 << 20 }
    }
}

impl RocksOptions {
    pub(super) fn of_database() -> Options {
        let mut options = Options::default();
        options.create_if_missing(true);
        options.create_missing_column_families(true);
        options.set_paranoid_checks(true);
        options.set_wal_recovery_mode(DBRecoveryMode::PointInTime);
        options.set_recycle_log_file_num(LOG_FILES_RECYCLED);
        options.set_max_total_wal_size(LOG_BYTES_MAX);
        options.set_db_write_buffer_size(BUFFER_BYTES_MAX);
        options.set_bytes_per_sync(BYTES_PER_SYNC);
        options.set_max_open_files(OPEN_FILES_MAX);
        options.set_max_manifest_file_size(MANIFEST_BYTES_MAX);
        options.set_max_log_file_size(TEXT_LOG_BYTES_MAX);
        options.set_keep_log_file_num(TEXT_LOGS_KEPT);
        options.set_log_level(LogLevel::Warn);
        options.set_stats_dump_period_sec(0);
        options
    }

    pub(super) fn of_families(&self) -> Vec<ColumnFamilyDescriptor> {
        let cache = Cache::new_lru_cache(self.cache_bytes);
        let descriptor = |family| ColumnFamilyDescriptor::new(name(family), of_family(family, &cache));
        Family::ALL.into_iter().map(descriptor).collect()
    }

    pub(super) fn of_writes(&self) -> WriteOptions {
        let mut options = WriteOptions::default();
        options.set_sync(self.durability == Durability::Sync);
        options
    }
}

fn of_family(family: Family, cache: &Cache) -> Options {
    let mut blocks = BlockBasedOptions::default();
    blocks.set_block_cache(cache);
    blocks.set_block_size(BLOCK_BYTES);
    blocks.set_bloom_filter(BLOOM_BITS_PER_KEY, false);
    // In parts: a filter of millions of keys is larger than a share of the cache, and would be read whole for every
    // look-up.
    blocks.set_index_type(BlockBasedIndexType::TwoLevelIndexSearch);
    blocks.set_partition_filters(true);
    blocks.set_metadata_block_size(METADATA_BLOCK_BYTES);
    blocks.set_pin_top_level_index_and_filter(true);
    blocks.set_cache_index_and_filter_blocks(true);
    blocks.set_cache_index_and_filter_blocks_with_high_priority(true);
    blocks.set_pin_l0_filter_and_index_blocks_in_cache(true);

    let mut options = Options::default();
    options.set_block_based_table_factory(&blocks);
    options.set_write_buffer_size(FAMILY_BUFFER_BYTES);
    options.set_max_write_buffer_number(FAMILY_BUFFERS_MAX);
    options.set_level_compaction_dynamic_level_bytes(true);
    options.set_compression_type(DBCompressionType::Lz4);
    if matches!(
        family,
        Family::Message
            | Family::Entity
            | Family::Blob
            | Family::Staged
            | Family::Volume
            | Family::Due
            | Family::Change
    ) {
        options.add_compact_on_deletion_collector_factory(
            DELETIONS_WINDOW,
            DELETIONS_TRIGGER,
            DELETIONS_RATIO,
        );
    }
    options
}

/// The column family of a family. Part of the on-disk format. `RocksDB` has a `default` one at all times, so
/// that is the engine's own.
pub(super) const fn name(family: Family) -> &'static str {
    match family {
        Family::System => "default",
        Family::Account => "account",
        Family::Catalog => "catalog",
        Family::Remains => "remains",
        Family::Blob => "blob",
        Family::Content => "content",
        Family::Staged => "staged",
        Family::VolumeOwner => "volume_owner",
        Family::Tag => "tag",
        Family::Due => "due",
        Family::Held => "held",
        Family::Message => "message",
        Family::Entity => "entity",
        Family::Volume => "volume",
        Family::Access => "access",
        Family::Chunk => "chunk",
        Family::Settings => "settings",
        Family::Change => "change",
    }
}
