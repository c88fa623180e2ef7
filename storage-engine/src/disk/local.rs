//! The real disk: a folder of the machine.
//!
//! This is the one file that may name `std::fs`. What it adds to it:
//! - **One process per folder.** [`LocalDisk::open`] locks the folder itself (`flock` on its descriptor) until
//!   the disk is dropped. The folder and not a file in it, because a file can be replaced by a rename while
//!   somebody holds the old one's lock; and the kernel drops the lock with the process, so nothing is stale
//!   after a crash.
//! - **Whole writes.** `pwritev` may write less than it was given; [`DiskFile::write_at`] goes on until all
//!   is written or the device says why not.
//! - **Reads that do not sleep.** `preadv2` with `RWF_NOWAIT` answers from the page cache or says that it
//!   would have to wait, so that a hot read costs its caller no thread switch. File systems that do not know
//!   the flag are treated as if nothing were cached.

use super::{Disk, DiskFile, Space};
use bytes::Bytes;
use rustix::fs::{FallocateFlags, FlockOperation};
use rustix::io::{Errno, ReadWriteFlags};
use std::collections::HashMap;
use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, IoSlice, IoSliceMut};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};

/// Most parts that the kernel takes in one call (`IOV_MAX`).
const PARTS_MAX: usize = 1024;

/// A folder of this machine, locked against other processes.
#[derive(Debug)]
pub struct LocalDisk {
    root: PathBuf,
    /// Holds the lock.
    folder: File,
    /// Folders below it that were made or found with [`Disk::create_dir`]. Held open, so that syncing one never fails
    /// for want of a descriptor.
    folders: Mutex<HashMap<PathBuf, Arc<File>>>,
}

impl LocalDisk {
    /// Opens a folder, creating it where there is none, and keeps other processes out of it.
    ///
    /// # Errors
    /// [`ErrorKind::ResourceBusy`] with a sentence for people when another process has the folder; or the
    /// device's.
    pub fn open(root: &Path) -> io::Result<Self> {
        create_folders(Path::new(""), root)?;
        let folder = open_folder(root)?;
        match rustix::fs::flock(&folder, FlockOperation::NonBlockingLockExclusive) {
            Ok(()) => Ok(Self { root: root.to_path_buf(), folder, folders: Mutex::default() }),
            Err(Errno::WOULDBLOCK) => Err(io::Error::new(
                ErrorKind::ResourceBusy,
                format!("the folder {} is in use by another Linarite process", root.display()),
            )),
            Err(error) => Err(error.into()),
        }
    }

    #[expect(clippy::disallowed_methods, reason = "the implementation of Disk")]
    fn open_with(&self, options: &OpenOptions, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let file = options.open(self.root.join(path)).map_err(as_full)?;
        Ok(Box::new(LocalFile { file }))
    }
}

impl Disk for LocalDisk {
    fn root(&self) -> &Path {
        &self.root
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_with(OpenOptions::new().read(true).write(true).create_new(true), path)
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        self.open_with(OpenOptions::new().read(true).write(true), path)
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        fs::read(self.root.join(path))
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        create_folders(&self.root, path)?;
        let folder = Arc::new(open_folder(&self.root.join(path))?);
        self.folders.lock().unwrap_or_else(PoisonError::into_inner).insert(path.to_path_buf(), folder);
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        fs::read_dir(self.root.join(path))?.map(|entry| Ok(PathBuf::from(entry?.file_name()))).collect()
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        fs::rename(self.root.join(from), self.root.join(to)).map_err(as_full)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        fs::remove_file(self.root.join(path))
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        if path.as_os_str().is_empty() {
            return self.folder.sync_all();
        }
        let held = self.folders.lock().unwrap_or_else(PoisonError::into_inner).get(path).map(Arc::clone);
        match held {
            Some(folder) => folder.sync_all(),
            None => open_folder(&self.root.join(path))?.sync_all(),
        }
    }

    fn space(&self) -> io::Result<Space> {
        let found = rustix::fs::statvfs(&self.root)?;
        Ok(Space {
            free: found.f_bavail.saturating_mul(found.f_frsize),
            total: found.f_blocks.saturating_mul(found.f_frsize),
        })
    }
}

#[expect(clippy::disallowed_methods, reason = "the implementation of Disk")]
fn open_folder(path: &Path) -> io::Result<File> {
    File::open(path)
}

/// Creates `path` below `root` with its parents, each made durable in the folder that holds it.
fn create_folders(root: &Path, path: &Path) -> io::Result<()> {
    let mut folder = root.to_path_buf();
    for component in path.components() {
        let parent = if folder.as_os_str().is_empty() { PathBuf::from(".") } else { folder.clone() };
        folder.push(component);
        match fs::create_dir(&folder) {
            Ok(()) => open_folder(&parent)?.sync_all()?,
            Err(_) if folder.is_dir() => {}
            Err(error) => return Err(as_full(error)),
        }
    }
    Ok(())
}

/// A used-up quota is a full disk, as far as the engine goes.
fn as_full(error: io::Error) -> io::Error {
    if error.kind() == ErrorKind::QuotaExceeded {
        io::Error::new(ErrorKind::StorageFull, error)
    } else {
        error
    }
}

/// An open file of the machine.
#[derive(Debug)]
struct LocalFile {
    file: File,
}

impl DiskFile for LocalFile {
    fn write_at(&self, parts: &[Bytes], mut offset: u64) -> io::Result<()> {
        let mut slices: Vec<IoSlice<'_>> =
            parts.iter().filter(|part| !part.is_empty()).map(|part| IoSlice::new(part)).collect();
        let mut left = slices.as_mut_slice();
        while !left.is_empty() {
            let batch = left.get(..left.len().min(PARTS_MAX)).unwrap_or_default();
            match rustix::io::pwritev(&self.file, batch, offset) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(written) => {
                    offset += written as u64;
                    IoSlice::advance_slices(&mut left, written);
                }
                Err(Errno::INTR) => {}
                Err(error) => return Err(as_full(error.into())),
            }
        }
        Ok(())
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        std::os::unix::fs::FileExt::read_exact_at(&self.file, buffer, offset)
    }

    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let wanted = buffer.len();
        let mut slices = [IoSliceMut::new(buffer)];
        match rustix::io::preadv2(&self.file, &mut slices, offset, ReadWriteFlags::NOWAIT) {
            Ok(0) if wanted > 0 => Err(ErrorKind::UnexpectedEof.into()),
            // A part of it: the rest is not cached, or does not exist. A plain read tells the two apart.
            Ok(read) => Ok(read == wanted),
            Err(Errno::AGAIN | Errno::INTR | Errno::OPNOTSUPP | Errno::NOSYS | Errno::INVAL) => Ok(false),
            Err(error) => Err(error.into()),
        }
    }

    fn sync_data(&self) -> io::Result<()> {
        self.file.sync_data()
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.file.set_len(len).map_err(as_full)
    }

    fn len(&self) -> io::Result<u64> {
        Ok(self.file.metadata()?.len())
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        let flags = FallocateFlags::PUNCH_HOLE | FallocateFlags::KEEP_SIZE;
        rustix::fs::fallocate(&self.file, flags, offset, len).map_err(|error| as_full(error.into()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn disk() -> (tempfile::TempDir, LocalDisk) {
        let folder = tempfile::tempdir().unwrap();
        let disk = LocalDisk::open(&folder.path().join("one/two")).unwrap();
        (folder, disk)
    }

    #[test]
    fn parts_are_written_one_behind_the_other_however_many_they_are() {
        let (_folder, disk) = disk();
        let file = disk.create(Path::new("file")).unwrap();
        let parts: Vec<Bytes> = (0..3000_u32).map(|n| Bytes::from(n.to_le_bytes().to_vec())).collect();
        file.write_at(&parts, 10).unwrap();
        let mut read = vec![0; 12_000];
        file.read_at(&mut read, 10).unwrap();
        assert_eq!(read, parts.concat());
        assert_eq!(file.len().unwrap(), 12_010);
    }

    #[test]
    fn reading_behind_the_end_is_an_error_either_way() {
        let (_folder, disk) = disk();
        let file = disk.create(Path::new("file")).unwrap();
        file.write_at(&[Bytes::from_static(b"abc")], 0).unwrap();
        let mut read = [0; 4];
        assert_eq!(file.read_at(&mut read, 0).unwrap_err().kind(), ErrorKind::UnexpectedEof);
        assert!(!file.read_cached(&mut read, 0).unwrap_or(false));
        assert!(!file.read_cached(&mut read, 100).unwrap_or(false));
    }

    #[test]
    fn a_folder_has_one_process_at_a_time() {
        let (folder, disk) = disk();
        let root = folder.path().join("one/two");
        let error = LocalDisk::open(&root).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::ResourceBusy);
        assert!(error.to_string().contains("in use by another"));
        drop(disk);
        LocalDisk::open(&root).unwrap();
    }

    #[test]
    fn punched_bytes_read_as_zero_and_the_length_stays() {
        let (_folder, disk) = disk();
        let file = disk.create(Path::new("file")).unwrap();
        file.write_at(&[Bytes::from(vec![7; 12_288])], 0).unwrap();
        match file.punch(4096, 4096) {
            Err(error) if error.kind() == ErrorKind::Unsupported => return,
            other => other.unwrap(),
        }
        let mut read = vec![1; 12_288];
        file.read_at(&mut read, 0).unwrap();
        assert!(read[4096..8192].iter().all(|byte| *byte == 0));
        assert!(read[..4096].iter().chain(&read[8192..]).all(|byte| *byte == 7));
        assert_eq!(file.len().unwrap(), 12_288);
    }

    #[test]
    fn files_are_created_once_listed_renamed_and_removed() {
        let (_folder, disk) = disk();
        disk.create_dir(Path::new("a/b")).unwrap();
        disk.create_dir(Path::new("a/b")).unwrap();
        let (old, new) = (Path::new("a/b/old"), Path::new("a/b/new"));
        disk.create(old).unwrap();
        assert_eq!(disk.create(old).unwrap_err().kind(), ErrorKind::AlreadyExists);
        disk.rename(old, new).unwrap();
        disk.sync_dir(Path::new("a/b")).unwrap();
        assert_eq!(disk.list(Path::new("a/b")).unwrap(), [PathBuf::from("new")]);
        assert_eq!(disk.open(old).unwrap_err().kind(), ErrorKind::NotFound);
        disk.remove(new).unwrap();
        assert!(disk.list(Path::new("a/b")).unwrap().is_empty());
        let space = disk.space().unwrap();
        assert!(space.total >= space.free);
    }
}
