//! From the path that a [`Model`](windrose_model::Model) names back to the place in the text.

use std::cell::RefCell;
use std::collections::{HashMap, HashSet};

use ipnet::IpNet;
use windrose_model::{DnsName, Invalid, RecordType, Segment};

use crate::diagnostic::Severity;
use crate::problem::Problem;
use crate::source::Span;
use crate::tree::{Entry, Node, Value};
use crate::zonefile::Places as RecordPlaces;

/// A document with what is known about it after reading.
pub(crate) struct Places<'a> {
    pub(crate) root: &'a Node,
    /// Items of lists that could not be read, so that positions in a draft are positions among the rest.
    pub(crate) dropped: &'a HashSet<Span>,
    /// Paths at which something could not be read.
    pub(crate) tainted: &'a [Vec<Segment>],
    /// Where RRsets were written, by zone.
    pub(crate) records: &'a HashMap<DnsName, RecordPlaces>,
    /// Keys of large mappings, by where their entries lie; empty at first.
    pub(crate) keys: RefCell<HashMap<usize, Keys<'a>>>,
}

/// Entries of a mapping beyond which its keys are worth an index.
const FEW: usize = 32;

/// The keys of a mapping, with the position of the first such.
#[derive(Debug, Default)]
pub(crate) struct Keys<'a> {
    written: HashMap<&'a str, usize>,
    folded: HashMap<String, usize>,
    nets: HashMap<IpNet, usize>,
}

impl<'a> Keys<'a> {
    fn of(entries: &'a [Entry]) -> Self {
        let mut keys = Self::default();
        for (at, entry) in entries.iter().enumerate() {
            keys.written.entry(&*entry.key).or_insert(at);
            keys.folded.entry(folded(&entry.key)).or_insert(at);
            if let Ok(net) = entry.key.parse() {
                keys.nets.entry(net).or_insert(at);
            }
        }
        keys
    }

    /// The key as it is written, else the first that means the same: case, a final dot and the form
    /// of a prefix do not count.
    fn find(&self, wanted: &str) -> Option<usize> {
        let alike = || {
            let net = wanted
                .parse()
                .ok()
                .and_then(|net: IpNet| self.nets.get(&net));
            let found = self.folded.get(&folded(wanted)).into_iter().chain(net);
            found.min().copied()
        };
        self.written.get(wanted).copied().or_else(alike)
    }
}

fn folded(key: &str) -> String {
    key.trim_end_matches('.').to_ascii_lowercase()
}

impl<'a> Places<'a> {
    /// A refusal at its place; `None` when it only follows from something that was told already.
    pub(crate) fn problem(&self, severity: Severity, invalid: Invalid) -> Option<Problem> {
        let about_key = matches!(invalid.code, "unknown-version" | "cluster-not-in-app")
            && invalid.at.last() != Some(&"fallback".into());
        let (span, path) = self.find(&invalid.at, about_key);
        let related = |tainted: &Vec<Segment>| {
            let common = tainted.len().min(path.len());
            tainted[..common] == path[..common]
        };
        if self.tainted.iter().any(related) || self.depends_on_tainted(&invalid, &path) {
            return None;
        }
        let Invalid {
            code,
            message,
            help,
            ..
        } = invalid;
        Some(Problem {
            severity,
            ..Problem::error(code, span, message).maybe_help(help)
        })
    }

    /// Names that name nothing may do so because what they name could not be read.
    fn depends_on_tainted(&self, invalid: &Invalid, path: &[Segment]) -> bool {
        let key = |text: &str| Segment::from(text);
        match (invalid.code, path) {
            ("unknown-region", _) => self.tainted.contains(&vec![key("regions")]),
            ("unknown-cluster", _) => self.tainted.contains(&vec![key("clusters")]),
            ("cluster-without-address", [.., cluster]) => {
                let addresses = [key("clusters"), cluster.clone(), key("addresses")];
                self.tainted.iter().any(|t| t.starts_with(&addresses))
            }
            (
                "cluster-not-in-app"
                | "unknown-version"
                | "weights-all-zero"
                | "split-without-weight",
                [apps, app, ..],
            ) => {
                let versions = [apps.clone(), app.clone(), key("versions")];
                self.tainted.iter().any(|t| t.starts_with(&versions))
            }
            _ => false,
        }
    }

    /// The place of a path or of its nearest existing ancestor, and the path as the text has it. The
    /// place is a value, or a key where the key is what is wrong.
    fn find(&self, at: &[Segment], about_key: bool) -> (Span, Vec<Segment>) {
        let mut node = self.root;
        let mut span = Span {
            end: self.root.span.start,
            ..self.root.span
        };
        let mut path = Vec::new();
        if let [zones, Segment::Key(apex), records, record @ ..] = at
            && (zones, records) == (&"zones".into(), &"records".into())
            && let Some(span) = self.record(apex, record)
        {
            return (span, at.to_vec());
        }
        for segment in at {
            match (segment, &node.value) {
                (Segment::Key(wanted), Value::Mapping(entries)) => {
                    let Some(entry) = self.entry(entries, wanted) else {
                        break;
                    };
                    (node, span) = (&entry.value, entry.key_span);
                    path.push(Segment::from(&*entry.key));
                }
                (Segment::Index(wanted), Value::List(items)) => {
                    let mut kept = items
                        .iter()
                        .enumerate()
                        .filter(|(_, item)| !self.dropped.contains(&item.span));
                    let Some((i, item)) = kept.nth(*wanted) else {
                        break;
                    };
                    (node, span) = (item, item.span);
                    path.push(Segment::from(i));
                }
                _ => break,
            }
        }
        if at.last() == Some(&"match".into())
            && let Some(prefix) = node.get("path").and_then(|p| p.get("prefix"))
        {
            node = prefix;
        }
        if let Value::Scalar { .. } = node.value
            && !node.is_null()
            && !about_key
        {
            span = node.span;
        }
        // What the text lacks keeps the path that the draft gave it.
        path.extend(at.iter().skip(path.len()).cloned());
        (span, path)
    }

    fn entry(&self, entries: &'a [Entry], wanted: &str) -> Option<&'a Entry> {
        if entries.len() <= FEW {
            let mut written = entries.iter().filter(|entry| &*entry.key == wanted);
            return (written.next()).or_else(|| entries.get(Keys::of(entries).find(wanted)?));
        }
        let mut all = self.keys.borrow_mut();
        let keys = all.entry(entries.as_ptr().addr());
        let keys = keys.or_insert_with(|| Keys::of(entries));
        entries.get(keys.find(wanted)?)
    }

    /// Where the first record of an owner and type was written.
    fn record(&self, apex: &str, at: &[Segment]) -> Option<Span> {
        let [Segment::Key(owner), Segment::Key(rtype), ..] = at else {
            return None;
        };
        let places = self.records.get(&DnsName::parse(apex).ok()?)?;
        let (owner, rtype) = (
            DnsName::parse(owner).ok()?,
            rtype.parse::<RecordType>().ok()?,
        );
        let at = places.binary_search_by(|(name, of, _)| name.cmp(&owner).then(of.cmp(&rtype)));
        Some(places[at.ok()?].2)
    }
}
