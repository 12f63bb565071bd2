//! A master file that was read before: of its next text only those parts are read that are new.
//!
//! A text is a row of chunks that begin at entries, each with what holds there ([`State`]). A chunk
//! whose octets are those of before, and where the same holds, says the same. What it says apart from
//! others is left to whoever knows the whole zone.

use std::path::PathBuf;
use std::sync::Arc;

use windrose_model::{DnsName, RecordEdit, Records, Soa, Ttl};

use super::{Includes, Record, Unopened, Written, ZoneFile, part};

/// Octets of a chunk, up to the end of an entry. Tests have many in a small text.
const CHUNK: usize = if cfg!(test) { 512 } else { 32 << 10 };
/// How many chunks may be gone before a text goes on as before.
const AHEAD: usize = 4;
/// The start of a chunk that is compared before all of it is.
const START: usize = 64;

/// What entries before a place say about those after it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct State {
    pub(crate) origin: DnsName,
    pub(crate) ttl: Ttl,
    pub(crate) default_ttl: Option<Ttl>,
    pub(crate) last_owner: Option<DnsName>,
}

/// A place between two entries.
#[derive(Debug, Clone)]
pub(crate) struct Mark {
    pub(crate) at: usize,
    pub(crate) state: State,
}

/// Places in a text, a chunk apart.
#[derive(Debug, Clone, Default)]
pub(crate) struct Marks(Vec<Mark>);

impl Marks {
    /// Whether a mark is wanted here.
    pub(crate) fn want(&self, at: usize) -> bool {
        self.0.last().is_none_or(|last| at >= last.at + CHUNK)
    }

    pub(crate) fn push(&mut self, mark: Mark) {
        self.0.push(mark);
    }
}

/// A text of a zone that includes no other, and about which nothing was to be said.
#[derive(Debug, Clone)]
pub(crate) struct Kept {
    pub(crate) apex: DnsName,
    pub(crate) path: PathBuf,
    pub(crate) text: Arc<[u8]>,
    pub(crate) marks: Marks,
}

/// What another text says differently.
#[derive(Debug, Default)]
pub(crate) struct Difference {
    gone: Vec<Record>,
    come: Vec<Record>,
    /// Before and now, where it was written in parts that differ.
    soa: (Option<Soa>, Option<Soa>),
}

impl Kept {
    /// Takes over another text. `None` when something is to be said about it, or when so much is new
    /// that all of it may as well be read.
    pub(crate) fn renew(&mut self, text: Arc<[u8]>) -> Option<Difference> {
        let mut difference = Difference::default();
        let mut marks = Marks::default();
        let mut left = text.len() / 8 + AHEAD * CHUNK;
        let mut at = self.marks.0.first()?.at;
        let mut chunk = 0;
        while let Some(mark) = self.marks.0.get(chunk) {
            let state = mark.state.clone();
            if self.goes_on(chunk, &text, at) {
                marks.push(Mark { at, state });
                at += self.chunk(chunk).len();
                chunk += 1;
                continue;
            }
            let start = at;
            let mut next = self.marks.0.len();
            let mut is_long = false;
            let ahead = chunk + 1..(chunk + 1 + AHEAD).min(next);
            let new = part(&text, &self.apex, Mark { at, state }, |at, is| {
                let mut ahead = ahead.clone();
                let goes_on = ahead.find(|chunk| {
                    self.goes_on(*chunk, &text, at) && is(&self.marks.0[*chunk].state)
                });
                next = goes_on.unwrap_or(next);
                is_long = at - start > left;
                goes_on.is_some() || is_long
            });
            let end = self.marks.0.get(next).map(|mark| mark.at);
            if is_long || !new.file.problems.is_empty() {
                return None;
            }
            let old = part(&self.text, &self.apex, mark.clone(), |at, _| {
                Some(at) == end
            });
            left = left.saturating_sub(new.end - start);
            difference.add(old.file, new.file)?;
            if new.end > start {
                marks.0.extend(new.marks.0);
            }
            (at, chunk) = (new.end, next);
        }
        (self.text, self.marks) = (text, marks);
        Some(difference)
    }

    fn chunk(&self, chunk: usize) -> &[u8] {
        let end = self.marks.0.get(chunk + 1);
        &self.text[self.marks.0[chunk].at..end.map_or(self.text.len(), |mark| mark.at)]
    }

    /// Whether a text goes on with a chunk. The last one has no entry behind it, and ends where its
    /// text ends.
    fn goes_on(&self, chunk: usize, text: &[u8], at: usize) -> bool {
        let (expected, rest) = (self.chunk(chunk), &text[at..]);
        let is_last = chunk + 1 == self.marks.0.len();
        let start = expected.len().min(START);
        rest.starts_with(&expected[..start])
            && rest.starts_with(expected)
            && (!is_last || rest.len() == expected.len())
    }
}

impl Difference {
    fn add(&mut self, old: ZoneFile, new: ZoneFile) -> Option<()> {
        self.gone.extend(old.records);
        self.come.extend(new.records);
        for (known, (soa, _)) in [(&mut self.soa.0, old.soa), (&mut self.soa.1, new.soa)]
            .into_iter()
            .filter_map(|(known, soa)| Some((known, soa?)))
        {
            if known.replace(soa).is_some() {
                return None;
            }
        }
        Some(())
    }

    /// What is to be done to the records of the zone. `None` when an RRset has records in other parts
    /// too, or something is to be said.
    pub(crate) fn edits(self, records: &Records) -> Option<Vec<RecordEdit>> {
        let mut edits = Vec::new();
        match self.soa {
            (None, None) => {}
            (Some(old), Some(new)) if old == new => {}
            (Some(_), Some(new)) => edits.push(RecordEdit::Start(new)),
            _ => return None,
        }
        let mut problems = Vec::new();
        let mut sets = |list| {
            let mut written = Written::default();
            written.in_file(list);
            written.sets(&mut problems).0
        };
        let (old, new) = (sets(self.gone), sets(self.come));
        for change in old.diff(&new) {
            if records.get(change.owner, change.rtype) != change.old {
                return None;
            }
            edits.push(match change.new {
                Some(set) => RecordEdit::Put(change.owner.clone(), set.clone()),
                None => RecordEdit::Remove(change.owner.clone(), change.rtype),
            });
        }
        problems.is_empty().then_some(edits)
    }
}

/// For texts that were read before without it.
pub(super) struct NoIncludes;

impl Includes for NoIncludes {
    fn open(&mut self, _: u32, _: &str) -> Result<(u32, Arc<[u8]>), Unopened> {
        Err("it was not there before".into())
    }

    fn close(&mut self) {}
}
