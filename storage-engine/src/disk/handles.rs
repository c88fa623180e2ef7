//! Files that are held open, a bounded number of them: when one more comes, the one used longest ago goes.
//!
//! One that goes is closed when nobody has it any more. Whoever has written to a file and not synced it yet has it, so
//! an error that the device reports late is still met by the sync.
//!
//! The bound is what keeps a server that has seen ten thousand volumes from running out of descriptors. It may run out
//! all the same, through connections; see [`is_out_of_handles`].

use super::DiskFile;
use rustix::io::Errno;
use std::collections::HashMap;
use std::hash::Hash;
use std::io;
use std::sync::Arc;

/// Most files that one set holds open.
pub(crate) const HANDLES_MAX: usize = 512;

/// Open files by what they are known by.
#[derive(Debug)]
pub(crate) struct Handles<K> {
    /// Each with the time it was used last.
    open: HashMap<K, (u64, Arc<dyn DiskFile>)>,
    uses: u64,
}

impl<K> Default for Handles<K> {
    fn default() -> Self {
        Self { open: HashMap::new(), uses: 0 }
    }
}

impl<K: Copy + Eq + Hash> Handles<K> {
    /// The file, if it is held.
    pub(crate) fn find(&mut self, key: K) -> Option<Arc<dyn DiskFile>> {
        self.uses += 1;
        let (used, file) = self.open.get_mut(&key)?;
        *used = self.uses;
        Some(Arc::clone(file))
    }

    /// Holds a file from now on.
    pub(crate) fn insert(&mut self, key: K, file: Arc<dyn DiskFile>) {
        if self.open.len() >= HANDLES_MAX {
            let oldest = self.open.iter().min_by_key(|(_, (used, _))| *used).map(|(key, _)| *key);
            if let Some(oldest) = oldest {
                self.open.remove(&oldest);
            }
        }
        self.uses += 1;
        self.open.insert(key, (self.uses, file));
    }

    /// Lets go of the files of which this holds.
    pub(crate) fn remove_if(&mut self, leaves: impl Fn(K) -> bool) {
        self.open.retain(|key, _| !leaves(*key));
    }

    /// Files that are held.
    #[cfg(test)]
    pub(crate) fn len(&self) -> usize {
        self.open.len()
    }
}

/// Whether a file could not be opened only because the process, or the machine, has too many open. Nothing was done
/// then, and the device is well: unlike all other errors of a disk it may go by.
pub(crate) fn is_out_of_handles(error: &io::Error) -> bool {
    let code = error.raw_os_error();
    code == Some(Errno::MFILE.raw_os_error()) || code == Some(Errno::NFILE.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::Disk as _;
    use crate::disk::faulty::{FaultyDisk, Plan};
    use std::path::Path;

    #[test]
    fn the_file_that_was_used_longest_ago_goes_and_whoever_has_it_goes_on() {
        let disk = FaultyDisk::new(Plan::none());
        let file: Arc<dyn DiskFile> = disk.create(Path::new("file")).unwrap().into();
        let mut handles = Handles::default();
        for key in 0..HANDLES_MAX {
            handles.insert(key, Arc::clone(&file));
        }
        let first = handles.find(0).unwrap();
        handles.insert(HANDLES_MAX, Arc::clone(&file));
        assert_eq!(handles.len(), HANDLES_MAX);
        assert!(handles.find(0).is_some() && handles.find(1).is_none() && handles.find(2).is_some());
        handles.remove_if(|key| key < 3);
        assert_eq!(handles.len(), HANDLES_MAX - 2);
        first.write_at(&[bytes::Bytes::from_static(b"x")], 0).unwrap();
    }

    #[test]
    fn only_the_lack_of_descriptors_goes_by() {
        for (errno, goes_by) in [(Errno::MFILE, true), (Errno::NFILE, true), (Errno::IO, false)] {
            assert_eq!(is_out_of_handles(&errno.into()), goes_by, "{errno:?}");
        }
        assert!(!is_out_of_handles(&io::Error::other("of no number")));
    }
}
