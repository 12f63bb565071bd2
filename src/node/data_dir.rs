//! A node's own folder: created, locked for one process, and the place of its term counter.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, Write};
use std::path::{Path, PathBuf};

use nix::errno::Errno;
use nix::fcntl::{Flock, FlockArg};

/// Held as long as the node runs; the kernel lets go of the lock with the process.
#[derive(Debug)]
pub(crate) struct DataDir {
    path: PathBuf,
    _lock: Flock<File>,
}

/// Why a folder cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataDirError {
    #[error("data_dir {path} belongs to another running Windrose{holder}")]
    Locked { path: PathBuf, holder: String },
    #[error("data_dir {path} cannot be used: {source}")]
    Io { path: PathBuf, source: io::Error },
}

impl DataDir {
    pub(crate) fn open(path: &Path) -> Result<Self, DataDirError> {
        let failed = |source| DataDirError::Io {
            path: path.to_owned(),
            source,
        };
        fs::create_dir_all(path).map_err(failed)?;
        let file = OpenOptions::new()
            .read(true)
            .write(true)
            .create(true)
            .truncate(false)
            .open(path.join("lock"))
            .map_err(failed)?;
        let mut lock = match Flock::lock(file, FlockArg::LockExclusiveNonblock) {
            Ok(lock) => lock,
            Err((mut file, Errno::EWOULDBLOCK)) => {
                let mut pid = String::new();
                let _ = file.read_to_string(&mut pid);
                return Err(DataDirError::Locked {
                    path: path.to_owned(),
                    holder: match pid.trim() {
                        "" => String::new(),
                        pid => format!(" (process {pid})"),
                    },
                });
            }
            Err((_, errno)) => return Err(failed(errno.into())),
        };
        // For people who look who holds it; a missing number harms nobody.
        let _ = lock
            .set_len(0)
            .and_then(|()| lock.rewind())
            .and_then(|()| writeln!(lock, "{}", std::process::id()));
        Ok(Self {
            path: path.to_owned(),
            _lock: lock,
        })
    }

    pub(crate) fn path(&self) -> &Path {
        &self.path
    }

    /// The next term: one more than the last run of this node wrote down, so that what it publishes
    /// is newer than all it published before. A term that cannot be written, on a full disk say, is
    /// told and used all the same: a restart must not take the edge down.
    pub(crate) fn next_term(&self) -> Result<u64, DataDirError> {
        let file = self.path.join("term");
        let failed = |source| DataDirError::Io {
            path: file.clone(),
            source,
        };
        let last: u64 = match fs::read_to_string(&file) {
            Ok(text) => text.trim().parse().unwrap_or(0),
            Err(e) if e.kind() == io::ErrorKind::NotFound => 0,
            Err(e) => return Err(failed(e)),
        };
        let term = last.saturating_add(1);
        let fresh = self.path.join("term.new");
        let written =
            fs::write(&fresh, format!("{term}\n")).and_then(|()| fs::rename(&fresh, &file));
        if let Err(e) = written {
            tracing::error!(
                term,
                "{} cannot be written ({e}); the node serves, and its next start uses this term again",
                file.display()
            );
        }
        Ok(term)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_folder_has_one_owner_and_terms_grow() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("new/data");
        let first = DataDir::open(&path).unwrap();
        assert_eq!(first.next_term().unwrap(), 1);
        assert_eq!(first.next_term().unwrap(), 2);
        let refused = DataDir::open(&path).unwrap_err().to_string();
        assert!(
            refused.contains(&format!("process {}", std::process::id())),
            "{refused}"
        );
        fs::create_dir(path.join("term.new")).unwrap();
        assert_eq!(first.next_term().unwrap(), 3, "unwritten, but used");
        fs::remove_dir(path.join("term.new")).unwrap();
        drop(first);
        assert_eq!(DataDir::open(&path).unwrap().next_term().unwrap(), 3);
    }
}
