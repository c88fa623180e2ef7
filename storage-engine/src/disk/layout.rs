//! What a disk's folder holds, and the marker that says whose it is.
//!
//! ```text
//! linarite.disk        the marker: the first thing made when a folder is set up, and the first one read
//! meta/                records (RocksDB's own files)
//! segments/            chunks (see `chunk::format`)
//! server/              not the engine's: certificates and the admin token of the program around it
//! pages/               volumes (see `page::local`)
//! closed               present when the last process closed the folder in order (see `engine`)
//! newest               up to when records were durable when somebody last looked (see `newest`)
//! ```
//!
//! A folder without a marker is set up only if it is empty: pointing the program at somebody's home by mistake
//! must not scatter files there. What counts as empty is what a crash in the middle of setting up can leave
//! (the marker's temporary file) and `lost+found`, which a fresh file system has.
//!
//! # The marker, byte by byte
//! 64 bytes, numbers little-endian. Later versions keep these 64 bytes' shape and may add bytes behind them, so
//! that an old program can always tell "newer" from "damaged".
//!
//! | bytes | content |
//! | --- | --- |
//! | 0..8 | magic, `LINARITE` |
//! | 8..12 | format version of the folder, [`VERSION`] |
//! | 12..16 | zero |
//! | 16..32 | node id: the same on all disks of a node |
//! | 32..48 | disk id |
//! | 48..56 | zero |
//! | 56..64 | CRC-64/NVME of bytes 0..56 |

use super::Disk;
use crate::clock::Entropy;
use crate::error::EngineError;
use bytes::Bytes;
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};

/// The marker's name.
pub const MARKER: &str = "linarite.disk";
/// Folder of the records.
pub const META: &str = "meta";
/// Folder of the volumes.
pub const PAGES: &str = "pages";
/// Folder of the chunks.
pub const SEGMENTS: &str = "segments";
/// Format version of folders that this program sets up, and the newest that it opens.
pub const VERSION: u32 = 1;

const MARKER_TEMPORARY: &str = "linarite.disk.new";
const LOST_AND_FOUND: &str = "lost+found";
const MAGIC: [u8; 8] = *b"LINARITE";
const MARKER_BYTES: usize = 64;

/// A node: all disks that were set up together.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct NodeId(pub u128);

/// A disk.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct DiskId(pub u128);

/// Whose a folder is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct DiskIdentity {
    /// The node that it belongs to.
    pub node: NodeId,
    /// The disk itself.
    pub disk: DiskId,
}

/// Why a folder cannot be used. The texts are for the person who started the program.
#[derive(Debug, thiserror::Error)]
pub enum FolderError {
    /// A later version of the program made it.
    #[error(
        "the folder {folder} was made by a newer version of Linarite (format {found}, this program knows {VERSION}): \
         start that version, or choose another folder"
    )]
    Newer {
        /// The folder.
        folder: PathBuf,
        /// Its format version.
        found: u32,
    },
    /// It has other things in it.
    #[error(
        "the folder {folder} is not a Linarite folder and is not empty (it has {example}): choose an empty or a new one"
    )]
    NotOurs {
        /// The folder.
        folder: PathBuf,
        /// Something in it.
        example: PathBuf,
    },
    /// The marker is not what was written.
    #[error("the marker file of the folder {folder} is damaged: {what}")]
    Damaged {
        /// The folder.
        folder: PathBuf,
        /// What is wrong with it.
        what: &'static str,
    },
    /// The device failed.
    #[error("the folder {folder} cannot be used")]
    Device {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
}

impl From<FolderError> for EngineError {
    fn from(error: FolderError) -> Self {
        let kind = match &error {
            FolderError::Device { source, .. } => source.kind(),
            FolderError::Newer { .. } | FolderError::NotOurs { .. } | FolderError::Damaged { .. } => {
                ErrorKind::InvalidData
            }
        };
        Self::from(io::Error::new(kind, error))
    }
}

/// Says whose a folder is; an empty one is set up first, as a disk of `node` or of a new node.
///
/// # Errors
/// See [`FolderError`].
pub fn open_or_create(
    disk: &dyn Disk,
    entropy: &dyn Entropy,
    node: Option<NodeId>,
) -> Result<DiskIdentity, FolderError> {
    let identity = match disk.read(Path::new(MARKER)) {
        Ok(marker) => decode(&marker, disk.root())?,
        Err(error) if error.kind() == ErrorKind::NotFound => create(disk, entropy, node)?,
        Err(error) => return Err(device(disk, error)),
    };
    for folder in [META, SEGMENTS] {
        disk.create_dir(Path::new(folder)).map_err(|error| device(disk, error))?;
    }
    Ok(identity)
}

fn device(disk: &dyn Disk, source: io::Error) -> FolderError {
    FolderError::Device { folder: disk.root().to_path_buf(), source }
}

fn create(disk: &dyn Disk, entropy: &dyn Entropy, node: Option<NodeId>) -> Result<DiskIdentity, FolderError> {
    let found = disk.list(Path::new("")).map_err(|error| device(disk, error))?;
    let ours = [Path::new(MARKER_TEMPORARY), Path::new(LOST_AND_FOUND)];
    if let Some(example) = found.iter().find(|name| !ours.contains(&name.as_path())) {
        return Err(FolderError::NotOurs { folder: disk.root().to_path_buf(), example: example.clone() });
    }
    let node = node.unwrap_or_else(|| NodeId(entropy.bits()));
    let identity = DiskIdentity { node, disk: DiskId(entropy.bits()) };
    let temporary = Path::new(MARKER_TEMPORARY);
    if found.iter().any(|name| name == temporary) {
        disk.remove(temporary).map_err(|error| device(disk, error))?;
    }
    write_marker(disk, temporary, identity).map_err(|error| device(disk, error))?;
    Ok(identity)
}

/// Temporary file, sync, rename, sync of the folder: the marker is there whole or not at all.
fn write_marker(disk: &dyn Disk, temporary: &Path, identity: DiskIdentity) -> io::Result<()> {
    let file = disk.create(temporary)?;
    file.write_at(&[encode(VERSION, identity)], 0)?;
    file.sync_data()?;
    disk.rename(temporary, Path::new(MARKER))?;
    disk.sync_dir(Path::new(""))
}

fn encode(version: u32, identity: DiskIdentity) -> Bytes {
    let mut marker = Vec::with_capacity(MARKER_BYTES);
    marker.extend_from_slice(&MAGIC);
    marker.extend_from_slice(&version.to_le_bytes());
    marker.extend_from_slice(&[0; 4]);
    marker.extend_from_slice(&identity.node.0.to_le_bytes());
    marker.extend_from_slice(&identity.disk.0.to_le_bytes());
    marker.extend_from_slice(&[0; 8]);
    marker.extend_from_slice(&crc_fast::crc64_nvme(&marker).to_le_bytes());
    marker.into()
}

fn decode(marker: &[u8], folder: &Path) -> Result<DiskIdentity, FolderError> {
    let damaged = |what| FolderError::Damaged { folder: folder.to_path_buf(), what };
    let (shape, _) = marker.split_first_chunk::<MARKER_BYTES>().ok_or_else(|| damaged("it is too short"))?;
    let (fields, crc) = shape.split_last_chunk::<8>().ok_or_else(|| damaged("it is too short"))?;
    if crc_fast::crc64_nvme(fields) != u64::from_le_bytes(*crc) {
        return Err(damaged("its checksum is wrong"));
    }
    let parsed = (|| {
        let (magic, rest) = fields.split_first_chunk::<8>()?;
        let (version, rest) = rest.split_first_chunk::<4>()?;
        let (_, rest) = rest.split_first_chunk::<4>()?;
        let (node, rest) = rest.split_first_chunk::<16>()?;
        let (disk, _) = rest.split_first_chunk::<16>()?;
        let identity = DiskIdentity {
            node: NodeId(u128::from_le_bytes(*node)),
            disk: DiskId(u128::from_le_bytes(*disk)),
        };
        Some((*magic, u32::from_le_bytes(*version), identity))
    })();
    match parsed {
        Some((MAGIC, VERSION, identity)) => Ok(identity),
        Some((MAGIC, found, _)) if found > VERSION => {
            Err(FolderError::Newer { folder: folder.to_path_buf(), found })
        }
        _ => Err(damaged("it does not begin as a marker does")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::clock::SeededEntropy;
    use crate::disk::faulty::{Fault, FaultyDisk, Plan};

    fn put_marker(disk: &dyn Disk, bytes: Bytes) {
        disk.create(Path::new(MARKER)).unwrap().write_at(&[bytes], 0).unwrap();
    }

    const SOMEONE: DiskIdentity = DiskIdentity { node: NodeId(1), disk: DiskId(2) };

    #[test]
    fn a_folder_keeps_its_identity() {
        let disk = FaultyDisk::new(Plan::none());
        let entropy = SeededEntropy::new(1);
        let made = open_or_create(&disk, &entropy, Some(NodeId(7))).unwrap();
        assert_eq!(made.node, NodeId(7));
        assert_eq!(open_or_create(&disk, &entropy, None).unwrap(), made);
        assert_eq!(open_or_create(&disk.reopen(), &entropy, None).unwrap(), made);
    }

    #[test]
    fn a_folder_with_other_things_in_it_is_left_alone() {
        let disk = FaultyDisk::new(Plan::none());
        disk.create_dir(Path::new("lost+found")).unwrap();
        disk.create(Path::new("thesis.tex")).unwrap();
        let error = open_or_create(&disk, &SeededEntropy::new(1), None).unwrap_err();
        assert!(error.to_string().contains("not empty (it has thesis.tex)"), "{error}");
        disk.remove(Path::new("thesis.tex")).unwrap();
        open_or_create(&disk, &SeededEntropy::new(1), None).unwrap();
    }

    #[test]
    fn a_newer_folder_is_named_as_such() {
        let disk = FaultyDisk::new(Plan::none());
        let mut marker = encode(VERSION + 1, SOMEONE).to_vec();
        marker.extend_from_slice(b"something that version two knows");
        put_marker(&disk, marker.into());
        let error = open_or_create(&disk, &SeededEntropy::new(1), None).unwrap_err();
        assert!(error.to_string().contains("newer version of Linarite (format 2"), "{error}");
        assert!(matches!(EngineError::from(error), EngineError::Disk(_)));
    }

    #[test]
    fn every_flipped_bit_of_the_marker_is_noticed() {
        let marker = encode(VERSION, SOMEONE);
        assert_eq!(decode(&marker, Path::new("x")).unwrap(), SOMEONE);
        for bit in 0..marker.len() * 8 {
            let mut flipped = marker.to_vec();
            flipped[bit / 8] ^= 1 << (bit % 8);
            assert!(
                matches!(decode(&flipped, Path::new("x")), Err(FolderError::Damaged { .. })),
                "bit {bit}"
            );
        }
        assert!(decode(&marker[..63], Path::new("x")).is_err());
    }

    #[test]
    fn setting_up_can_be_interrupted_anywhere() {
        let clean = FaultyDisk::new(Plan::none());
        open_or_create(&clean, &SeededEntropy::new(1), None).unwrap();
        for step in 1..=clean.steps() {
            for seed in 0..8 {
                let disk = FaultyDisk::new(Plan::at(step, Fault::Crash, seed));
                open_or_create(&disk, &SeededEntropy::new(1), None).unwrap_err();
                open_or_create(&disk.reopen(), &SeededEntropy::new(2), None).unwrap();
            }
        }
    }
}
