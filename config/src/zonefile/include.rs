//! The files of a zone: its own and those it includes, all inside one folder and within bounds.

use std::fs::File;
use std::io::{self, Read};
use std::path::{Component, Path, PathBuf};
use std::sync::Arc;

use super::Includes;
use crate::files;
use crate::source::Sources;

/// Octets of all master files together.
const OCTETS: u64 = 512 << 20;
/// Files inside files.
const DEPTH: usize = 8;
/// Files that one zone includes.
const FILES: usize = 1_000;

/// Why there is no text.
#[derive(Debug)]
pub(crate) struct Unopened {
    pub(crate) reason: String,
    /// The code to tell it by, where it is not the usual one.
    pub(crate) code: Option<&'static str>,
}

/// What all zones together have read.
#[derive(Debug, Default)]
pub(crate) struct Budget {
    read: u64,
    largest: Option<(PathBuf, u64)>,
}

/// The files of one zone.
pub(crate) struct Folder<'a> {
    sources: &'a mut Sources,
    budget: &'a mut Budget,
    /// Where the zone's file stands, links resolved.
    root: PathBuf,
    /// Those being read, links resolved: the zone's file, then includes in it.
    open: Vec<PathBuf>,
    included: usize,
}

impl<'a> Folder<'a> {
    /// Opens a zone's file. `path` may stand anywhere; what it includes may not.
    pub(crate) fn open(
        path: &Path,
        sources: &'a mut Sources,
        budget: &'a mut Budget,
    ) -> Result<(Self, u32, Arc<[u8]>), Unopened> {
        sources.name_file(path);
        let octets = budget.read(path)?;
        let parent = path.parent().filter(|p| !p.as_os_str().is_empty());
        let root = parent.unwrap_or_else(|| Path::new("."));
        let root = root.canonicalize().map_err(Unopened::from)?;
        let this = path.canonicalize().map_err(Unopened::from)?;
        let source = sources.add_octets(&path.to_string_lossy(), root_of(path), &octets);
        let folder = Self {
            sources,
            budget,
            root,
            open: vec![this],
            included: 0,
        };
        Ok((folder, source, octets))
    }
}

impl Includes for Folder<'_> {
    fn open(&mut self, from: u32, path: &str) -> Result<(u32, Arc<[u8]>), Unopened> {
        self.included += 1;
        if self.open.len() > DEPTH {
            return Err(format!("files are {} deep already", self.open.len()).into());
        }
        if self.included > FILES {
            return Err(format!("the zone has included {FILES} files already").into());
        }
        let file = self.sources.resolve(from, path);
        // Watched only when it may be read: outside of the folder nothing is looked at.
        let this = file.canonicalize().map_err(|e| {
            if !file.components().any(|c| c == Component::ParentDir) {
                self.sources.name_file(&file);
            }
            Unopened::from(e)
        })?;
        if !this.starts_with(&self.root) {
            return Err("it lies outside of the folder of the zone's file".into());
        }
        self.sources.name_file(&file);
        if self.open.contains(&this) {
            return Err("it is being read already, so it includes itself".into());
        }
        let octets = self.budget.read(&file)?;
        let name = file.to_string_lossy();
        let source = self.sources.add_octets(&name, root_of(&file), &octets);
        self.open.push(this);
        Ok((source, octets))
    }

    fn close(&mut self) {
        self.open.pop();
    }
}

fn root_of(file: &Path) -> &Path {
    file.parent().unwrap_or_else(|| Path::new(""))
}

impl Budget {
    fn read(&mut self, path: &Path) -> Result<Arc<[u8]>, Unopened> {
        // Before it is opened: a pipe without a writer would never open.
        if !path.metadata().map_err(Unopened::from)?.is_file() {
            return Err("it is no regular file".into());
        }
        let file = File::open(path).map_err(Unopened::from)?;
        let left = OCTETS.saturating_sub(self.read);
        let mut octets = Vec::new();
        let all = file.take(left + 1).read_to_end(&mut octets);
        all.map_err(Unopened::from)?;
        let len = octets.len() as u64;
        self.read += len;
        if self
            .largest
            .as_ref()
            .is_none_or(|(_, largest)| *largest < len)
        {
            self.largest = Some((path.to_owned(), len));
        }
        match &self.largest {
            Some((largest, of)) if self.read > OCTETS => Err(format!(
                "with it, zone files have more than {} MiB in all; {} has the most, at least {} MiB",
                OCTETS >> 20,
                largest.display(),
                of >> 20
            )
            .into()),
            _ => Ok(octets.into()),
        }
    }
}

/// A file that was read before within the budget, and has not grown beyond it alone. `None` when it
/// cannot be read.
pub(crate) fn octets(path: &Path) -> Option<Arc<[u8]>> {
    let known = path.metadata().ok().filter(std::fs::Metadata::is_file)?;
    let len = usize::try_from(known.len().min(OCTETS)).ok()?;
    // Read in place: the file may be large, and is kept.
    let mut octets: Arc<[u8]> = std::iter::repeat_n(0, len).collect();
    let mut file = File::open(path).ok()?;
    file.read_exact(Arc::get_mut(&mut octets)?).ok()?;
    (file.read(&mut [0]).ok()? == 0).then_some(octets)
}

impl From<io::Error> for Unopened {
    fn from(error: io::Error) -> Self {
        Self {
            reason: error.to_string(),
            code: files::is_passing(&error).then_some(files::UNREADABLE_NOW),
        }
    }
}

impl From<String> for Unopened {
    fn from(reason: String) -> Self {
        Self { reason, code: None }
    }
}

impl From<&str> for Unopened {
    fn from(reason: &str) -> Self {
        reason.to_owned().into()
    }
}
