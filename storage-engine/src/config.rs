//! What the engine is told at its opening.

use crate::meta::Durability;
use std::path::PathBuf;

/// The engine's configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EngineConfig {
    /// The folder, normally the mount point of a device. The first is used; keeping data on several is to come.
    pub disks: Vec<PathBuf>,
    /// When a write is acknowledged.
    pub durability: Durability,
    /// Bytes of memory for records read from disk. Default 64 MiB.
    pub cache_bytes: usize,
    /// Bytes after which a segment file is full. Default 256 MiB.
    pub segment_bytes: u64,
}

impl Default for EngineConfig {
    fn default() -> Self {
        Self {
            disks: vec![PathBuf::from("linarite-data")],
            durability: Durability::Sync,
            cache_bytes: 64 << 20,
            segment_bytes: 256 << 20,
        }
    }
}
