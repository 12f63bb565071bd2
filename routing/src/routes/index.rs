//! Candidates by path: one hash table for whole paths and prefixes. HOT.
//!
//! The texts stay in the Model; the table holds positions. So a route costs some ten octets here.

use regex::bytes::{RegexSet, RegexSetBuilder};
use windrose_model::{App, PathMatch, budget};
use xxhash_rust::xxh3::xxh3_64;

use super::candidate::Candidate;
use super::rank::Class;
use super::{Asked, RouteId, RouteMatch};

#[derive(Default)]
pub(super) struct Index {
    /// The strongest first: whole paths, patterns, prefixes; equal paths stand together.
    candidates: Box<[Candidate]>,
    /// Positions of the first candidates of each path, by hash; a power of two, at most half full.
    slots: Box<[u16]>,
    /// Whether there are whole paths.
    exact: bool,
    /// Octets of the longest prefix.
    longest: usize,
    patterns: Option<Box<Patterns>>,
}

/// Where the patterns stand among the candidates, and one automaton over all of them.
struct Patterns {
    first: usize,
    end: usize,
    /// None when there is one only.
    any: Option<RegexSet>,
}

const EMPTY: u16 = u16::MAX;

impl Index {
    /// `candidates`: the strongest first.
    pub(super) fn build(app: &App, candidates: impl Iterator<Item = Candidate>) -> Self {
        let mut candidates: Box<[Candidate]> = candidates.collect();
        let mut groups = Vec::new();
        for at in 0..candidates.len() {
            let here = candidates[at];
            let same =
                |other: &Candidate| other.class == here.class && other.text(app) == here.text(app);
            candidates[at].ends_group = !candidates.get(at + 1).is_some_and(same);
            let starts = at == 0 || candidates[at - 1].ends_group;
            if starts && here.class != Class::Regex {
                groups.push(at);
            }
        }
        let mut slots = vec![EMPTY; (2 * groups.len()).next_power_of_two()];
        for at in groups {
            let here = candidates[at];
            let mut slot = start(here.text(app), here.class, slots.len());
            while slots[slot] != EMPTY {
                slot = (slot + 1) & (slots.len() - 1);
            }
            slots[slot] = u16::try_from(at).unwrap_or(EMPTY);
        }
        let of_class = |class| candidates.iter().filter(move |c| c.class == class);
        Self {
            exact: of_class(Class::Exact).next().is_some(),
            longest: of_class(Class::Prefix)
                .map(|c| c.text(app).len())
                .max()
                .unwrap_or(0),
            patterns: Patterns::build(app, &candidates),
            slots: slots.into(),
            candidates,
        }
    }

    pub(super) fn candidates(&self) -> impl Iterator<Item = Candidate> {
        self.candidates.iter().copied()
    }

    /// The strongest candidate that a request fits.
    #[inline]
    pub(super) fn find(&self, asked: &Asked<'_>) -> Option<RouteMatch> {
        let path = asked.head.path;
        if self.exact
            && let Some(found) = self.fitting(asked, path, Class::Exact)
        {
            return Some(found.without_prefix());
        }
        if let Some(patterns) = &self.patterns
            && let Some(found) = patterns.find(&self.candidates, asked)
        {
            return Some(found.without_prefix());
        }
        let mut rest = path.trim_end_matches('/');
        if rest.len() > self.longest {
            // No prefix is longer: begin at the last slash that one could end at.
            let cut = rest.as_bytes()[..=self.longest].iter();
            rest = &rest[..cut
                .rev()
                .position(|b| *b == b'/')
                .map_or(0, |at| self.longest - at)];
        }
        loop {
            if let Some(found) = self.fitting(asked, rest, Class::Prefix) {
                return Some(RouteMatch {
                    route: found.id(),
                    prefix: u16::try_from(rest.len()).unwrap_or(0),
                });
            }
            if rest.is_empty() {
                return None;
            }
            rest = &rest[..rest.rfind('/').unwrap_or(0)];
        }
    }

    /// The strongest candidate of a path that a request fits.
    #[inline]
    fn fitting(&self, asked: &Asked<'_>, text: &str, class: Class) -> Option<Candidate> {
        let mut slot = start(text, class, self.slots.len());
        let first = loop {
            let at = *self.slots.get(slot)?;
            let candidate = *self.candidates.get(usize::from(at))?;
            if candidate.class == class && candidate.text(asked.app) == text {
                break usize::from(at);
            }
            slot = (slot + 1) & (self.slots.len() - 1);
        };
        for candidate in &self.candidates[first..] {
            if candidate.fits(asked) {
                return Some(*candidate);
            }
            if candidate.ends_group {
                break;
            }
        }
        None
    }
}

/// Where the search for a text begins.
#[inline]
#[allow(clippy::cast_possible_truncation, reason = "the low bits are meant")]
fn start(text: &str, class: Class, slots: usize) -> usize {
    let hash = xxh3_64(text.as_bytes()) ^ class as u64;
    hash as usize & slots.wrapping_sub(1)
}

impl Patterns {
    fn build(app: &App, candidates: &[Candidate]) -> Option<Box<Self>> {
        let first = candidates.iter().position(|c| c.class == Class::Regex)?;
        let behind = candidates[first..]
            .iter()
            .position(|c| c.class != Class::Regex);
        let end = behind.map_or(candidates.len(), |at| first + at);
        let texts: Option<Vec<String>> = (candidates[first..end].iter())
            .map(|c| match &c.one(app)?.path {
                Some(PathMatch::Regex(pattern)) => Some(pattern.anchored()),
                _ => None,
            })
            .collect();
        let any = texts.filter(|texts| texts.len() > 1).and_then(|texts| {
            let limit = 2 * texts.len() * budget::PATTERN_OCTETS;
            // Each was built within its budget. Should all together not be, each is asked alone.
            RegexSetBuilder::new(texts)
                .unicode(false)
                .size_limit(limit)
                .dfa_size_limit(limit)
                .build()
                .ok()
        });
        Some(Box::new(Self { first, end, any }))
    }

    fn find(&self, candidates: &[Candidate], asked: &Asked<'_>) -> Option<Candidate> {
        let path = asked.head.path.as_bytes();
        if self.any.as_ref().is_some_and(|any| !any.is_match(path)) {
            return None;
        }
        let mut list = candidates[self.first..self.end].iter();
        list.find(
            |c| match c.one(asked.app).and_then(|one| one.path.as_ref()) {
                Some(PathMatch::Regex(pattern)) => pattern.is_match(path) && c.fits(asked),
                _ => c.fits(asked),
            },
        )
        .copied()
    }
}

impl Candidate {
    #[inline]
    const fn id(self) -> RouteId {
        RouteId(self.route + 1)
    }

    #[inline]
    const fn without_prefix(self) -> RouteMatch {
        RouteMatch {
            route: self.id(),
            prefix: 0,
        }
    }
}
