//! A disk in memory that fails when told to, and forgets as a real one does.
//!
//! Every operation that changes something is a numbered step (from 1). A [`Plan`] says at which steps the
//! device fails: with an I/O error, with "no space", or by losing its power. After a power cut everything
//! fails, until [`FaultyDisk::reopen`] gives a disk of what survived, which is where a real device's promises
//! end:
//! - bytes written and not synced are kept or lost *sector by sector*, so a write can be torn anywhere;
//! - a file's new length is kept or lost, independent of its bytes;
//! - names created, renamed or removed and not synced with their folder are kept or undone, one by one;
//! - punched bytes are zero or what they were.
//!
//! What is kept is drawn from the plan's seed, so a failure replays. In memory and not over a real folder,
//! because a power cut there could only be imitated by copying files, and because thousands of cuts should take
//! a second.

use super::{Disk, DiskFile, Space};
use bytes::Bytes;
use std::collections::{BTreeMap, BTreeSet};
use std::io::{self, ErrorKind};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

mod image;
use image::Image;

/// What goes wrong at a step.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Power is lost: this step and all later ones fail, and what was not synced may be lost.
    Crash,
    /// The step fails with an I/O error, half done; later ones work, as they would on a device that lies.
    Io,
    /// The step fails for want of space, half done; later ones work.
    Full,
}

/// Which steps fail, and how.
#[derive(Debug, Clone, Default)]
pub struct Plan {
    faults: BTreeMap<u64, Fault>,
    seed: u64,
}

impl Plan {
    /// Nothing fails.
    pub fn none() -> Self {
        Self::default()
    }

    /// `fault` happens at `step`; `seed` decides what a crash leaves.
    pub fn at(step: u64, fault: Fault, seed: u64) -> Self {
        Self { faults: BTreeMap::from([(step, fault)]), seed }
    }

    /// One fault at one of the steps 1 to `steps_max`, both drawn from `seed`.
    pub fn seeded(seed: u64, steps_max: u64) -> Self {
        let mut state = seed;
        let step = 1 + random(&mut state) % steps_max.max(1);
        let fault = match random(&mut state) % 4 {
            0 => Fault::Io,
            1 => Fault::Full,
            _ => Fault::Crash,
        };
        Self::at(step, fault, seed)
    }
}

/// The next number of a `SplitMix64` sequence.
fn random(state: &mut u64) -> u64 {
    *state = state.wrapping_add(0x9E37_79B9_7F4A_7C15);
    let mut z = *state;
    z = (z ^ (z >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
    z = (z ^ (z >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
    z ^ (z >> 31)
}

/// A disk in memory with a plan of faults.
#[derive(Debug, Clone)]
pub struct FaultyDisk {
    state: Arc<Mutex<State>>,
}

/// A change of names that its folder's sync has not covered.
#[derive(Debug, Clone)]
enum NameChange {
    Created(PathBuf, u64),
    Renamed(PathBuf, PathBuf, u64),
    Removed(PathBuf),
}

impl NameChange {
    fn folder(&self) -> &Path {
        let (Self::Created(path, _) | Self::Renamed(_, path, _) | Self::Removed(path)) = self;
        path.parent().unwrap_or(Path::new(""))
    }

    fn apply(self, names: &mut BTreeMap<PathBuf, u64>) {
        match self {
            Self::Created(path, file) => {
                names.insert(path, file);
            }
            Self::Renamed(from, to, file) => {
                if names.get(&from) == Some(&file) {
                    names.remove(&from);
                }
                names.insert(to, file);
            }
            Self::Removed(path) => {
                names.remove(&path);
            }
        }
    }
}

#[derive(Debug, Default)]
struct State {
    plan: Plan,
    steps: u64,
    crashed: bool,
    out_of_handles: bool,
    reads: u64,
    files: BTreeMap<u64, Image>,
    folders: BTreeSet<PathBuf>,
    names: BTreeMap<PathBuf, u64>,
    names_durable: BTreeMap<PathBuf, u64>,
    names_changed: Vec<NameChange>,
}

impl State {
    /// Counts a step. An error says how it fails.
    fn step(&mut self) -> io::Result<()> {
        self.alive()?;
        self.steps += 1;
        match self.plan.faults.get(&self.steps) {
            None => Ok(()),
            Some(Fault::Io) => Err(io::Error::other("planned I/O error")),
            Some(Fault::Full) => Err(ErrorKind::StorageFull.into()),
            Some(Fault::Crash) => {
                self.crashed = true;
                self.alive()
            }
        }
    }

    fn alive(&self) -> io::Result<()> {
        if self.crashed { Err(io::Error::other("the power is off")) } else { Ok(()) }
    }

    /// Whether a file can be opened.
    fn handle(&self) -> io::Result<()> {
        if self.out_of_handles { Err(rustix::io::Errno::MFILE.into()) } else { Ok(()) }
    }

    fn named(&self, path: &Path) -> io::Result<u64> {
        self.alive()?;
        self.names.get(path).copied().ok_or_else(|| ErrorKind::NotFound.into())
    }

    fn change(&mut self, change: NameChange) {
        change.clone().apply(&mut self.names);
        self.names_changed.push(change);
    }

    /// What is left after a power cut.
    fn survivors(&self, plan: Plan) -> Self {
        let mut dice = self.plan.seed;
        let mut keep = move || random(&mut dice).is_multiple_of(2);
        let mut names = self.names_durable.clone();
        for change in &self.names_changed {
            if keep() {
                change.clone().apply(&mut names);
            }
        }
        let kept: BTreeSet<u64> = names.values().copied().collect();
        let files = self.files.iter().filter(|(id, _)| kept.contains(*id));
        let files = files.map(|(id, image)| (*id, image.survivor(&mut keep))).collect();
        Self {
            plan,
            files,
            folders: self.folders.clone(),
            names_durable: names.clone(),
            names,
            ..Self::default()
        }
    }
}

impl FaultyDisk {
    /// An empty disk.
    pub fn new(plan: Plan) -> Self {
        Self { state: Arc::new(Mutex::new(State { plan, ..State::default() })) }
    }

    /// Steps so far.
    pub fn steps(&self) -> u64 {
        self.lock().steps
    }

    /// Whether the power is off.
    pub fn crashed(&self) -> bool {
        self.lock().crashed
    }

    /// Says whether the process has as many files open as it may.
    pub fn run_out_of_handles(&self, out: bool) {
        self.lock().out_of_handles = out;
    }

    /// Cuts the power if it is still on, and gives what survived, on a disk without faults.
    #[must_use]
    pub fn reopen(&self) -> Self {
        self.reopen_with(Plan::none())
    }

    /// As [`FaultyDisk::reopen`], with faults to come.
    #[must_use]
    pub fn reopen_with(&self, plan: Plan) -> Self {
        let mut state = self.lock();
        state.crashed = true;
        Self { state: Arc::new(Mutex::new(state.survivors(plan))) }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn file(&self, id: u64) -> Box<dyn DiskFile> {
        Box::new(FaultyFile { disk: self.clone(), id })
    }
}

impl Disk for FaultyDisk {
    fn root(&self) -> &Path {
        Path::new("faulty-disk")
    }

    fn create(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let mut state = self.lock();
        if state.named(path).is_ok() {
            return Err(ErrorKind::AlreadyExists.into());
        }
        state.handle()?;
        state.step()?;
        let id = state.files.last_key_value().map_or(0, |(id, _)| id + 1);
        state.files.insert(id, Image::default());
        state.change(NameChange::Created(path.to_path_buf(), id));
        drop(state);
        Ok(self.file(id))
    }

    fn open(&self, path: &Path) -> io::Result<Box<dyn DiskFile>> {
        let state = self.lock();
        let id = state.named(path)?;
        state.handle()?;
        drop(state);
        Ok(self.file(id))
    }

    fn read(&self, path: &Path) -> io::Result<Vec<u8>> {
        let state = self.lock();
        let id = state.named(path)?;
        Ok(state.files.get(&id).map(|image| image.bytes().to_vec()).unwrap_or_default())
    }

    fn create_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        if state.folders.contains(path) {
            return state.alive();
        }
        state.step()?;
        state.folders.extend(path.ancestors().map(Path::to_path_buf));
        Ok(())
    }

    fn list(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        let state = self.lock();
        state.alive()?;
        if !state.folders.contains(path) && !path.as_os_str().is_empty() {
            return Err(ErrorKind::NotFound.into());
        }
        let all = state.names.keys().chain(&state.folders);
        let inside = all.filter(|name| name.parent() == Some(path));
        Ok(inside.filter_map(|name| name.file_name().map(PathBuf::from)).collect())
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        let mut state = self.lock();
        let id = state.named(from)?;
        state.step()?;
        state.change(NameChange::Renamed(from.to_path_buf(), to.to_path_buf(), id));
        Ok(())
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.named(path)?;
        state.step()?;
        state.change(NameChange::Removed(path.to_path_buf()));
        Ok(())
    }

    fn sync_dir(&self, path: &Path) -> io::Result<()> {
        let mut state = self.lock();
        state.step()?;
        for change in std::mem::take(&mut state.names_changed) {
            if change.folder() == path {
                change.apply(&mut state.names_durable);
            } else {
                state.names_changed.push(change);
            }
        }
        Ok(())
    }

    fn space(&self) -> io::Result<Space> {
        self.lock().alive()?;
        Ok(Space { free: 1 << 40, total: 1 << 40 })
    }
}

/// An open file of a faulty disk.
#[derive(Debug)]
struct FaultyFile {
    disk: FaultyDisk,
    id: u64,
}

impl FaultyFile {
    /// Does `work` as a step; where the step is planned to fail, `half` is done before the error is given.
    fn step(&self, work: impl FnOnce(&mut Image), half: impl FnOnce(&mut Image)) -> io::Result<()> {
        let mut state = self.disk.lock();
        state.alive()?;
        let outcome = state.step();
        if let Some(image) = state.files.get_mut(&self.id) {
            if outcome.is_ok() { work(image) } else { half(image) }
        }
        outcome
    }
}

impl DiskFile for FaultyFile {
    fn write_at(&self, parts: &[Bytes], offset: u64) -> io::Result<()> {
        let bytes = parts.concat();
        let (half, _) = bytes.split_at(image::half(offset, bytes.len()));
        self.step(|image| image.write(&bytes, offset), |image| image.write(half, offset))
    }

    fn read_at(&self, buffer: &mut [u8], offset: u64) -> io::Result<()> {
        let state = self.disk.lock();
        state.alive()?;
        let image = state.files.get(&self.id).ok_or(ErrorKind::NotFound)?;
        image.read(buffer, offset)
    }

    /// Every other read finds nothing cached, so that callers take both of their ways.
    fn read_cached(&self, buffer: &mut [u8], offset: u64) -> io::Result<bool> {
        let mut state = self.disk.lock();
        state.reads += 1;
        if state.reads.is_multiple_of(2) {
            return Ok(false);
        }
        drop(state);
        self.read_at(buffer, offset).map(|()| true)
    }

    fn sync_data(&self) -> io::Result<()> {
        self.step(Image::sync, |_| {})
    }

    fn set_len(&self, len: u64) -> io::Result<()> {
        self.step(|image| image.set_len(len), |_| {})
    }

    fn len(&self) -> io::Result<u64> {
        let state = self.disk.lock();
        state.alive()?;
        state.files.get(&self.id).map(|image| image.bytes().len() as u64).ok_or(ErrorKind::NotFound.into())
    }

    fn punch(&self, offset: u64, len: u64) -> io::Result<()> {
        self.step(|image| image.punch(offset, len), |image| image.punch(offset, len / 2))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(disk: &FaultyDisk, name: &str, bytes: &[u8]) -> Box<dyn DiskFile> {
        let file = disk.create(Path::new(name)).unwrap();
        file.write_at(&[Bytes::copy_from_slice(bytes)], 0).unwrap();
        file
    }

    #[test]
    fn what_was_synced_survives_and_only_that_surely() {
        let mut kept = BTreeSet::new();
        for seed in 0..32 {
            let disk = FaultyDisk::new(Plan { seed, ..Plan::none() });
            let file = written(&disk, "safe", b"safe");
            file.sync_data().unwrap();
            disk.sync_dir(Path::new("")).unwrap();
            let _risky = written(&disk, "risky", b"risky");
            let after = disk.reopen();
            assert_eq!(after.read(Path::new("safe")).unwrap(), b"safe");
            kept.insert(after.read(Path::new("risky")).ok());
            assert!(file.read_at(&mut [0], 0).is_err());
        }
        let none: Option<Vec<u8>> = None;
        assert!(kept.contains(&none) && kept.contains(&Some(b"risky".to_vec())));
        assert!(kept.contains(&Some(Vec::new())) && kept.contains(&Some(vec![0; 5])));
    }

    #[test]
    fn writes_are_torn_between_sectors() {
        let torn = (0..32).any(|seed| {
            let disk = FaultyDisk::new(Plan { seed, ..Plan::none() });
            let file = written(&disk, "file", &[1; 4096]);
            file.sync_data().unwrap();
            disk.sync_dir(Path::new("")).unwrap();
            file.write_at(&[Bytes::from(vec![2; 4096])], 0).unwrap();
            let after = disk.reopen().read(Path::new("file")).unwrap();
            assert!(after.chunks(512).all(|sector| sector.iter().all(|byte| *byte == sector[0])));
            after.contains(&1) && after.contains(&2)
        });
        assert!(torn);
    }

    #[test]
    fn a_planned_fault_hits_its_step_alone() {
        let disk = FaultyDisk::new(Plan::at(2, Fault::Full, 0));
        let file = disk.create(Path::new("file")).unwrap();
        let error = file.write_at(&[Bytes::from_static(b"abcd")], 0).unwrap_err();
        assert_eq!(error.kind(), ErrorKind::StorageFull);
        assert_eq!(disk.read(Path::new("file")).unwrap(), b"ab");
        file.write_at(&[Bytes::from_static(b"abcd")], 0).unwrap();
        assert_eq!(disk.steps(), 3);
    }

    #[test]
    fn a_rename_is_undone_or_done_but_never_loses_the_file() {
        let mut seen = BTreeSet::new();
        for seed in 0..16 {
            let disk = FaultyDisk::new(Plan { seed, ..Plan::none() });
            written(&disk, "old", b"x").sync_data().unwrap();
            disk.sync_dir(Path::new("")).unwrap();
            disk.rename(Path::new("old"), Path::new("new")).unwrap();
            seen.extend(disk.reopen().list(Path::new("")).unwrap());
        }
        assert_eq!(seen, BTreeSet::from([PathBuf::from("old"), PathBuf::from("new")]));
    }
}
