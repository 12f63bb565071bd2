//! Reading a configuration again: of large zones that stand in files of their own only what is new is
//! read, when nothing else has changed.
//!
//! Whenever anything is in doubt, everything is read: another file has changed, something is wrong or
//! looks wrong, the new text differs in too much. So what is told, and what comes of it, is the same.

use std::collections::BTreeSet;
use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use windrose_model::{Model, RecordEdit, RecordType, Revision};

use crate::diagnostic::Report;
use crate::files;
use crate::load::{Loaded, load_all};
use crate::source::Sources;
use crate::warn::{self, Pointer};
use crate::zonefile::{self, Kept};

/// A file that was written within this time before it was read may have been written since within the
/// same tick of the file system's clock.
const TICK: Duration = Duration::from_millis(100);

/// Reads a configuration again and again.
#[derive(Debug, Default)]
pub struct Reader {
    last: Option<Last>,
}

/// The latest reading, when nothing looked wrong.
#[derive(Debug, Clone)]
struct Last {
    loaded: Loaded,
    /// How many of its texts are YAML.
    texts: u32,
    zones: Vec<Kept>,
    /// The files that texts name.
    files: Vec<(PathBuf, Option<Seen>)>,
    pointers: BTreeSet<Pointer>,
}

/// What tells that a file is the same: device, inode, octets, times of its content and of itself.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Seen([i128; 5]);

impl Reader {
    /// As [`load`](crate::load()). Where `previous` is the Model of the latest reading and only master
    /// files have changed, the cost is that of comparing their octets, and of what is new in them.
    /// `now` is by the clock of the file system.
    ///
    /// # Errors
    /// Everything that is wrong.
    pub fn load(
        &mut self,
        path: &Path,
        revision: Revision,
        previous: Option<&Model>,
        now: SystemTime,
    ) -> Result<Loaded, Report> {
        if let Some(mut last) = self.last.take()
            && let Some(previous) = previous
            && let Some(loaded) = last.again(path, revision, previous, now)
        {
            self.last = Some(last);
            return Ok(loaded);
        }
        let (loaded, zones) = load_all(path, revision, previous)?;
        self.last = Last::of(path, &loaded, zones, now);
        Ok(loaded)
    }
}

impl Last {
    fn of(path: &Path, loaded: &Loaded, zones: Vec<Kept>, now: SystemTime) -> Option<Self> {
        let pointers = warn::pointers(&loaded.model);
        let worthy = !zones.is_empty() && loaded.warnings.is_empty();
        if !worthy || pointers.len() > warn::POINTERS {
            return None;
        }
        let named = loaded.sources.named().iter();
        Some(Self {
            texts: yaml(path)?.len(),
            files: named
                .map(|file| (file.clone(), Seen::before(file, now)))
                .collect(),
            loaded: loaded.clone(),
            zones,
            pointers,
        })
    }

    fn again(
        &mut self,
        path: &Path,
        revision: Revision,
        previous: &Model,
        now: SystemTime,
    ) -> Option<Loaded> {
        if previous.revision() != self.loaded.model.revision() || !self.has_texts_of(path) {
            return None;
        }
        let mut model: Option<Model> = None;
        for (file, seen) in &mut self.files {
            if seen.is_some() && *seen == Seen::of(file) {
                continue;
            }
            // One file may be that of several zones.
            let mut zones = self.zones.iter_mut().filter(|zone| zone.path == *file);
            let (zone, None) = (zones.next()?, zones.next()) else {
                return None;
            };
            *seen = Seen::before(file, now);
            let base = model.as_ref().unwrap_or(previous);
            let difference = zone.renew(zonefile::octets(file)?)?;
            let edits = difference.edits(&base.zone(&zone.apex)?.records)?;
            let changed: Vec<_> = edits.iter().filter_map(changed).collect();
            if changed.iter().any(|(_, rtype)| shapes(*rtype)) {
                return None;
            }
            let next = base.with_records(revision, &zone.apex, edits).ok()?;
            if warn::is_suspicious(&next, &zone.apex, &changed, &self.pointers) {
                return None;
            }
            let leads = changed.into_iter().filter(|(_, rtype)| warn::leads(*rtype));
            for (owner, rtype) in leads {
                self.pointers.insert((zone.apex.clone(), owner, rtype));
            }
            model = Some(next);
        }
        if self.pointers.len() > warn::POINTERS {
            return None;
        }
        self.loaded.model = match model {
            Some(model) => model,
            None => {
                let zone = self.zones.first()?;
                previous.with_records(revision, &zone.apex, []).ok()?
            }
        };
        Some(self.loaded.clone())
    }

    fn has_texts_of(&self, path: &Path) -> bool {
        let known = &self.loaded.sources;
        yaml(path).is_some_and(|texts| {
            texts.len() == self.texts
                && (0..self.texts)
                    .all(|at| texts.name(at) == known.name(at) && texts.text(at) == known.text(at))
        })
    }
}

fn yaml(path: &Path) -> Option<Sources> {
    let mut texts = Sources::default();
    files::read(path, &mut texts).ok()?;
    Some(texts)
}

fn changed(edit: &RecordEdit) -> Option<(windrose_model::DnsName, RecordType)> {
    match edit {
        RecordEdit::Put(owner, set) => Some((owner.clone(), set.record_type())),
        RecordEdit::Remove(owner, rtype) => Some((owner.clone(), *rtype)),
        RecordEdit::Start(_) => None,
    }
}

/// Whether records of a type say where a zone ends, so that others may look wrong by it.
const fn shapes(rtype: RecordType) -> bool {
    matches!(rtype, RecordType::NS | RecordType::DNAME | RecordType::DS)
}

impl Seen {
    fn of(file: &Path) -> Option<Self> {
        let known = fs::metadata(file).ok()?;
        let nanos = |s: i64, ns: i64| i128::from(s) * 1_000_000_000 + i128::from(ns);
        Some(Self([
            i128::from(known.dev()),
            i128::from(known.ino()),
            i128::from(known.size()),
            nanos(known.mtime(), known.mtime_nsec()),
            nanos(known.ctime(), known.ctime_nsec()),
        ]))
    }

    /// `None` unless it was written well before.
    fn before(file: &Path, now: SystemTime) -> Option<Self> {
        let seen = Self::of(file)?;
        let limit = now.checked_sub(TICK)?.duration_since(UNIX_EPOCH).ok()?;
        (seen.0[4] < i128::try_from(limit.as_nanos()).ok()?).then_some(seen)
    }
}

#[cfg(test)]
mod tests;
