//! The segment files of one disk: their names, and the ones held open.
//!
//! A segment is `<16 hex digits>.open` until it is full and every chunk in it has either been named by a record
//! or been given back; then it is renamed to `.sealed`. Only `.open` files have to be looked into when the
//! store opens: the name is the whole index of what is unfinished.

use crate::disk::handles::Handles;
use crate::disk::{Disk, DiskFile, layout};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

/// Whether a segment may hold chunks that nothing names.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Stage {
    Open,
    Sealed,
}

/// The folder of the segments.
pub(super) fn folder() -> &'static Path {
    Path::new(layout::SEGMENTS)
}

/// Where a segment is.
pub(super) fn path(segment: u64, stage: Stage) -> PathBuf {
    let stage = match stage {
        Stage::Open => "open",
        Stage::Sealed => "sealed",
    };
    folder().join(format!("{segment:016x}.{stage}"))
}

/// What a file name in the folder means.
pub(super) fn parse(name: &Path) -> Option<(u64, Stage)> {
    let (digits, stage) = name.to_str()?.split_once('.')?;
    let stage = match stage {
        "open" => Stage::Open,
        "sealed" => Stage::Sealed,
        _ => return None,
    };
    let segment = u64::from_str_radix(digits, 16).ok()?;
    (path(segment, stage).file_name()? == name).then_some((segment, stage))
}

/// The segment files, with a bounded number of open handles.
#[derive(Debug)]
pub(super) struct SegmentFiles {
    disk: Arc<dyn Disk>,
    handles: Mutex<Handles<u64>>,
}

impl SegmentFiles {
    pub(super) fn new(disk: Arc<dyn Disk>) -> Self {
        Self { disk, handles: Mutex::default() }
    }

    pub(super) fn disk(&self) -> &dyn Disk {
        self.disk.as_ref()
    }

    /// Segments on the disk; names that are not ours are left alone.
    pub(super) fn list(&self) -> io::Result<Vec<(u64, Stage)>> {
        let names = self.disk.list(folder())?;
        Ok(names.iter().filter_map(|name| parse(name)).collect())
    }

    pub(super) fn create(&self, segment: u64) -> io::Result<Arc<dyn DiskFile>> {
        let file: Arc<dyn DiskFile> = self.disk.create(&path(segment, Stage::Open))?.into();
        self.lock().insert(segment, Arc::clone(&file));
        Ok(file)
    }

    /// The file, if it is held open.
    pub(super) fn held(&self, segment: u64) -> Option<Arc<dyn DiskFile>> {
        self.lock().find(segment)
    }

    /// The file, opened if need be. It may be renamed while we look, hence the third attempt.
    pub(super) fn get(&self, segment: u64) -> io::Result<Arc<dyn DiskFile>> {
        if let Some(file) = self.held(segment) {
            return Ok(file);
        }
        let mut found = Err(ErrorKind::NotFound.into());
        for stage in [Stage::Sealed, Stage::Open, Stage::Sealed] {
            found = self.disk.open(&path(segment, stage));
            if !matches!(&found, Err(error) if error.kind() == ErrorKind::NotFound) {
                break;
            }
        }
        let file: Arc<dyn DiskFile> = found?.into();
        self.lock().insert(segment, Arc::clone(&file));
        Ok(file)
    }

    pub(super) fn seal(&self, segments: &[u64]) -> io::Result<()> {
        for segment in segments {
            self.disk.rename(&path(*segment, Stage::Open), &path(*segment, Stage::Sealed))?;
        }
        if segments.is_empty() { Ok(()) } else { self.sync_names() }
    }

    pub(super) fn remove(&self, segment: u64, stage: Stage) -> io::Result<()> {
        let removed = self.disk.remove(&path(segment, stage));
        self.lock().remove_if(|held| held == segment);
        removed
    }

    pub(super) fn sync_names(&self) -> io::Result<()> {
        self.disk.sync_dir(folder())
    }

    fn lock(&self) -> MutexGuard<'_, Handles<u64>> {
        self.handles.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::disk::faulty::{FaultyDisk, Plan};
    use crate::disk::handles::HANDLES_MAX;

    #[test]
    fn names_are_read_as_they_are_written_and_no_other_way() {
        for stage in [Stage::Open, Stage::Sealed] {
            let name = path(0xab, stage);
            assert_eq!(parse(Path::new(name.file_name().unwrap())), Some((0xab, stage)));
        }
        for other in
            ["ab.open", "00000000000000AB.open", "00000000000000ab", "00000000000000ab.old", "x.sealed"]
        {
            assert_eq!(parse(Path::new(other)), None, "{other}");
        }
    }

    #[test]
    fn a_file_is_found_under_either_name_and_few_are_held() {
        let files = SegmentFiles::new(Arc::new(FaultyDisk::new(Plan::none())));
        let many = HANDLES_MAX as u64 + 10;
        for segment in 0..many {
            files.create(segment).unwrap();
        }
        assert_eq!(files.lock().len(), HANDLES_MAX);
        assert!(files.held(0).is_none());
        files.seal(&[1]).unwrap();
        files.get(0).unwrap();
        files.get(1).unwrap();
        assert!(files.held(0).is_some());
        files.remove(0, Stage::Open).unwrap();
        assert_eq!(files.get(0).unwrap_err().kind(), ErrorKind::NotFound);
    }
}
