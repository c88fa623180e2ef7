//! The server's own small files: certificates that it is given, and what it keeps in `server/` of its data folder.
//!
//! The engine reaches its files through `Disk`, which counts, fails and syncs them; nothing here is the engine's.
//! These files are read at the start and written seldom, whole: under another name, synced, then renamed, so that
//! whoever reads one finds an old or a new one and never a part.
//!
//! # Who may read
//! The server's own user: contents, keys and the store's secret lie in the data folder. The process's mask
//! ([`keep_files_to_ourselves`]) makes everything that is made here and in the engine readable by its owner from the
//! moment it exists, and the folder itself is closed to others ([`close_to_others`]), also one that an earlier build or
//! somebody's `mkdir` has left open. Modes at each place that creates a file were the alternative; the store's
//! libraries create files too.

use std::fs::{self, File, OpenOptions};
use std::io::{self, ErrorKind, Write};
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};
use std::time::SystemTime;

/// Name of the folder inside the data folder.
const FOLDER: &str = "server";

/// Permissions of everybody but the owner.
const OTHERS: u32 = 0o077;

/// The folder of the server's own files.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ServerFolder(PathBuf);

impl ServerFolder {
    /// That of a data folder. Touches nothing.
    pub(crate) fn of(data: &Path) -> Self {
        Self(data.join(FOLDER))
    }

    /// Where a file of this name is.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.0.join(name)
    }

    /// The file's text; none if there is no such file.
    ///
    /// # Errors
    /// The device's; [`ErrorKind::InvalidData`] if it is no text.
    pub(crate) fn read(&self, name: &str) -> io::Result<Option<String>> {
        match fs::read_to_string(self.path(name)) {
            Ok(text) => Ok(Some(text)),
            Err(error) if error.kind() == ErrorKind::NotFound => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// Puts `text` in place of whatever the file held. It is durable when this returns.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn write(&self, name: &str, text: &str) -> io::Result<()> {
        fs::create_dir_all(&self.0)?;
        let new = self.path(&format!("{name}.new"));
        // What a crash has left must not lend the new file its readers.
        remove(&new)?;
        let mut file = create(&new)?;
        file.write_all(text.as_bytes())?;
        file.sync_all()?;
        fs::rename(&new, self.path(name))?;
        open(&self.0)?.sync_all()
    }

    /// Removes the file, if it is there.
    ///
    /// # Errors
    /// The device's.
    pub(crate) fn remove(&self, name: &str) -> io::Result<()> {
        remove(&self.path(name))
    }
}

/// What tells one state of a file from the next, as far as that can be seen without reading it; none if there is
/// no such file.
pub(crate) type Trace = Option<(SystemTime, u64)>;

/// The file's present trace.
pub(crate) fn trace(path: &Path) -> Trace {
    let found = fs::metadata(path).ok()?;
    Some((found.modified().ok()?, found.len()))
}

/// From now on, what this process creates is its owner's only.
pub(crate) fn keep_files_to_ourselves() {
    rustix::process::umask(rustix::fs::Mode::RWXG | rustix::fs::Mode::RWXO);
}

/// Takes other users' permissions from a data folder that is ours, and says so in the log. What cannot be taken is
/// said there too: the folder may be another user's, who has let us in.
pub(crate) fn close_to_others(data: &Path) {
    let Ok(found) = fs::metadata(data) else { return };
    let mode = found.permissions().mode();
    if mode & OTHERS == 0 {
        return;
    }
    let folder = data.display();
    match fs::set_permissions(data, fs::Permissions::from_mode(mode & !OTHERS)) {
        Ok(()) => {
            tracing::warn!(%folder, "the data folder was open to other users of this machine; it is closed now");
        }
        Err(error) => {
            tracing::warn!(%folder, %error, "the data folder is open to other users of this machine, and cannot be closed");
        }
    }
}

/// All of a file that the user has named.
///
/// # Errors
/// A sentence for the user.
pub(crate) fn read(path: &Path) -> Result<Vec<u8>, String> {
    fs::read(path).map_err(|error| format!("cannot read {}: {error}", path.display()))
}

fn remove(path: &Path) -> io::Result<()> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != ErrorKind::NotFound => Err(error),
        _ => Ok(()),
    }
}

#[expect(clippy::disallowed_methods, reason = "the home of the server's own files")]
fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new().write(true).create_new(true).mode(0o600).open(path)
}

#[expect(clippy::disallowed_methods, reason = "the home of the server's own files")]
fn open(path: &Path) -> io::Result<File> {
    File::open(path)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_secret_is_readable_by_its_owner_only_also_after_a_crash_in_between() {
        let data = tempfile::tempdir().unwrap();
        let folder = ServerFolder::of(data.path());
        assert_eq!(folder.read("secret").unwrap(), None);
        fs::create_dir_all(&folder.0).unwrap();
        fs::write(folder.path("secret.new"), "half").unwrap();
        folder.write("secret", "whole").unwrap();
        assert_eq!(folder.read("secret").unwrap().as_deref(), Some("whole"));
        let mode = fs::metadata(folder.path("secret")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        assert!(!folder.path("secret.new").exists());
        folder.remove("secret").unwrap();
        folder.remove("secret").unwrap();
        assert_eq!(folder.read("secret").unwrap(), None);
    }
}
