//! The ground: one folder on one device, as the engine sees it.
//!
//! All file access of the engine's own goes through [`Disk`] (`RocksDB` opens its files itself, below a folder
//! that the disk names). The real one is [`local::LocalDisk`]; tests wrap it in [`faulty::FaultyDisk`], which
//! fails, tears and loses writes at chosen points, so that no production type carries a switch for faults.
//!
//! # Errors are final
//! An error of a write, a sync or a rename other than "no space" means that the device is done: what the page
//! cache holds and what the device holds may differ from then on, and a second sync may report success
//! without having written anything. Callers never retry; they mark the disk and stop writing. That no more files may be
//! open is no such error ([`handles`]).

use bytes::Bytes;
use std::fmt;
use std::io;
use std::path::{Path, PathBuf};

#[cfg(any(test, feature = "testing"))]
pub mod faulty;
pub(crate) mod handles;
pub mod layout;
pub mod local;

/// A folder tree on one device. Paths are relative to the folder.
pub trait Disk: fmt::Debug + Send + Sync + 'static {
    /// Where the folder is, for what cannot go through this trait (`RocksDB`).
    fn root(&self) -> &Path;

    /// Creates a file for reading and writing. It is durable only after [`Disk::sync_dir`] of its folder.
    ///
    /// # Errors
    /// [`io::ErrorKind::AlreadyExists`], or the device's.
    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Opens a file for reading and writing.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the device's.
    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>>;

    /// Reads a whole small file.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the device's.
    fn read(&self, path: &Path) -> io::Result<Vec<u8>>;

    /// Creates a folder and its parents, and makes them durable.
    ///
    /// # Errors
    /// The device's.
    fn create_dir(&self, path: &Path) -> io::Result<()>;

    /// Names of the files in a folder, in no order.
    ///
    /// # Errors
    /// [`io::ErrorKind::NotFound`], or the device's.
    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>>;

    /// Renames a file over whatever is there. Durable only after [`Disk::sync_dir`].
    ///
    /// # Errors
    /// The device's.
    fn rename(&self, from: &Path, to: &Path) -> io::Result<()>;

    /// Removes a file.
    ///
    /// # Errors
    /// The device's.
    fn remove(&self, path: &Path) -> io::Result<()>;

    /// Makes the folder's entries durable.
    ///
    /// # Errors
    /// The device's; final.
    fn sync_dir(&self, path: &Path) -> io::Result<()>;

    /// Bytes of the device: free for us, and in all.
    ///
    /// # Errors
    /// The device's.
    fn space(&self) -> io::Result<Space>;
}

/// How full a device is, in bytes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Space {
    /// Bytes that can still be written.
    pub free: u64,
    /// Bytes that the device has.
    pub total: u64,
}

/// An open file. Reads and writes name their offset, so threads share it without a lock.
#[expect(clippy::len_without_is_empty, reason = "asks the device, and nobody wants to know")]
pub trait DiskFile: fmt::Debug + Send + Sync {
    /// Writes all of `parts`, one behind the other, from `offset` on.
    ///
    /// # Errors
    /// The device's; final unless it is [`io::ErrorKind::StorageFull`].
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()>;

    /// Fills `buffer` from `offset` on.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`], or the device's.
    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()>;

    /// As [`DiskFile::read_at`], but only if the bytes are in memory: `false` means that they are not.
    ///
    /// # Errors
    /// [`io::ErrorKind::UnexpectedEof`], or the device's.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool>;

    /// Makes the file's bytes and length durable.
    ///
    /// # Errors
    /// The device's; final.
    fn sync_data(&self) -> io::Result<()>;

    /// Cuts or extends the file.
    ///
    /// # Errors
    /// The device's.
    fn set_len(&self, len: u64) -> io::Result<()>;

    /// The file's length in bytes.
    ///
    /// # Errors
    /// The device's.
    fn len(&self) -> io::Result<u64>;

    /// Gives the space of these bytes back to the file system; they read as zero from then on.
    ///
    /// # Errors
    /// The device's; [`io::ErrorKind::Unsupported`] where the file system cannot.
    fn punch(&self, offset: u64, len: u64) -> io::Result<()>;
}
