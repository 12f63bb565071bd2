//! The latency matrix: `from,to,rtt_ms` in lines, as RFC 4180 has them. Every mistake is told at its
//! line. Lines that begin with `#` and empty ones count for nothing.

use std::collections::btree_map::Entry;
use std::collections::{BTreeMap, BTreeSet};
use std::fs::File;
use std::io::{self, Read as _};
use std::path::{Path, PathBuf};

use ipnet::IpNet;
use windrose_model::{Country, Draft, LatencyMatrix, Name, Rtt, RttFrom, budget, meant};

use super::Found;
use crate::country;
use crate::files;
use crate::problem::{Problem, SHOWN};
use crate::scalar::{self, Bad, Reason, Scalar};
use crate::source::{Sources, Span, offset};
use crate::tree::Node;

/// Octets of a file.
const OCTETS: u64 = 64 << 20;
const HEADER: [&str; 3] = ["from", "to", "rtt_ms"];

/// The matrix that `data.latency` names, an empty one when it names none or what it names is wrong.
pub(super) fn read(
    root: &Node,
    draft: &Draft,
    sources: &mut Sources,
    found: &mut Found,
) -> LatencyMatrix {
    let node = root.get("data").and_then(|data| data.get("latency"));
    let Some((node, text)) = node.and_then(|node| Some((node, node.text()?))) else {
        return LatencyMatrix::empty();
    };
    let path: PathBuf = sources.resolve(node.span.source, text);
    sources.name_file(&path);
    let text = match text_of(&path) {
        Ok(text) => text,
        Err(error) => {
            let (code, help) = match error.kind() {
                io::ErrorKind::NotFound => (
                    "file-not-found",
                    "`latency` is a file of lines `from,to,rtt_ms`, relative to this one",
                ),
                _ => (
                    files::code_of(&error, "unreadable-file"),
                    "it must be UTF-8, of at most 64 MiB",
                ),
            };
            let message = format!("cannot read {}: {error}", path.display());
            let problem = Problem::error(code, node.span, message).help(help);
            found.problems.push(problem);
            return LatencyMatrix::empty();
        }
    };
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let source = sources.add(&path.to_string_lossy(), base, &text);
    let mut reader = Reader {
        draft,
        pairs: BTreeMap::new(),
        lines: BTreeMap::new(),
        unknown: BTreeSet::new(),
        cidrs: 0,
        problems: Vec::new(),
        errors: 0,
        warnings: 0,
    };
    reader.text(source, &text);
    found.problems.append(&mut reader.problems);
    LatencyMatrix::new(reader.pairs)
}

fn text_of(path: &Path) -> io::Result<String> {
    let mut text = String::new();
    File::open(path)?
        .take(OCTETS + 1)
        .read_to_string(&mut text)?;
    if text.len() as u64 > OCTETS {
        return Err(io::Error::other("it is too large"));
    }
    Ok(text)
}

struct Reader<'a> {
    draft: &'a Draft,
    pairs: BTreeMap<RttFrom, BTreeMap<Name, Rtt>>,
    /// Where a pair was first written.
    lines: BTreeMap<(RttFrom, Name), Span>,
    /// Names that were told to be unknown.
    unknown: BTreeSet<(&'static str, String)>,
    cidrs: usize,
    problems: Vec<Problem>,
    errors: usize,
    warnings: usize,
}

/// A field with its place.
#[derive(Clone, Copy)]
struct Field<'t> {
    text: &'t str,
    span: Span,
}

impl Reader<'_> {
    fn text(&mut self, source: u32, text: &str) {
        let mut has_header = false;
        let mut start = 0;
        for line in text.split_inclusive('\n') {
            let at = start;
            start += line.len();
            // A byte order mark is no part of the first name.
            let plain = line.trim_start_matches('\u{feff}').trim();
            if plain.is_empty() || plain.starts_with('#') {
                continue;
            }
            let fields = fields(source, at, line);
            if has_header {
                self.row(&fields, whole(source, at, line));
            } else {
                has_header = true;
                self.header(&fields, whole(source, at, line));
            }
            // What follows from so many mistakes would not be shown anyway.
            if self.errors > SHOWN {
                return;
            }
        }
        if !has_header {
            self.header(&[], whole(source, 0, ""));
        }
    }

    /// Warnings beyond those that are shown are dropped; errors end the reading soon.
    fn tell(&mut self, problem: Problem) {
        if problem.is_error() {
            self.errors += 1;
        } else {
            self.warnings += 1;
        }
        if problem.is_error() || self.warnings <= SHOWN {
            self.problems.push(problem);
        }
    }

    fn header(&mut self, fields: &[Field<'_>], line: Span) {
        let texts = fields.iter().map(|field| field.text.to_ascii_lowercase());
        if !texts.eq(HEADER) {
            let message = "the first line must name the columns";
            let problem = Problem::error("latency-header", line, message);
            self.tell(problem.help("write from,to,rtt_ms"));
        }
    }

    fn row(&mut self, fields: &[Field<'_>], line: Span) {
        let [from, to, rtt] = fields else {
            let message = format!(
                "a line has the 3 columns from,to,rtt_ms, this one has {}",
                fields.len()
            );
            return self.tell(Problem::error("latency-columns", line, message));
        };
        // All that is wrong with a line is told.
        let (from, to, rtt) = (self.from(*from), self.to(*to), self.rtt(*rtt));
        if let (Some(from), Some(to), Some(rtt)) = (from, to, rtt) {
            self.pair(from, to, rtt, line);
        }
    }

    fn pair(&mut self, from: RttFrom, to: Name, rtt: Rtt, line: Span) {
        match self.lines.entry((from.clone(), to.clone())) {
            Entry::Occupied(first) => {
                let message = format!("the round trip from {from} to {to} is written twice");
                let problem = Problem::error("duplicate-pair", line, message);
                let problem = problem.related(*first.get(), "first written at");
                return self.tell(problem);
            }
            Entry::Vacant(free) => drop(free.insert(line)),
        }
        let is_new = !self.pairs.contains_key(&from);
        self.cidrs += usize::from(is_new && matches!(from, RttFrom::Cidr(_)));
        self.pairs.entry(from).or_default().insert(to, rtt);
        for (what, count, most) in [
            ("pairs", self.lines.len(), budget::LATENCY_PAIRS),
            ("prefixes", self.cidrs, budget::LATENCY_CIDRS),
        ] {
            if count == most + 1 {
                let message = format!("more {what} of a latency matrix than the {most} allowed");
                self.tell(Problem::error("budget-exceeded", line, message));
            }
        }
    }

    /// A region of the configuration, a country in capitals, or a prefix.
    fn from(&mut self, field: Field<'_>) -> Option<RttFrom> {
        let text = field.text;
        if let Some((region, _)) = self.draft.regions.get_key_value(text) {
            return Some(RttFrom::Region(region.clone()));
        }
        if text.contains(['/', ':']) || text.parse::<std::net::IpAddr>().is_ok() {
            return self.cidr(field).map(RttFrom::Cidr);
        }
        if text.len() == 2 && text.bytes().all(|b| b.is_ascii_uppercase()) {
            return self.country(field).map(RttFrom::Country);
        }
        let name = self.name(field)?;
        if self.is_news("region", text) {
            let regions = self.draft.regions.keys().map(Name::as_str);
            let help = match meant(text, regions) {
                _ if text.len() == 2 => {
                    Some(format!("a country is written {}", text.to_uppercase()))
                }
                near => near.map(|near| format!("did you mean `{near}`?")),
            };
            self.nobody(field, "region", help);
        }
        Some(RttFrom::Region(name))
    }

    fn cidr(&mut self, field: Field<'_>) -> Option<IpNet> {
        let net = scalar::cidr(field.text)
            .map_err(|bad| self.bad(field, "from", bad, Scalar::Cidr))
            .ok()?;
        if let IpNet::V6(v6) = net
            && let Some(ip) = v6.network().to_ipv4_mapped()
            && v6.prefix_len() >= 96
        {
            let message = format!(
                "{net} is IPv4 written as IPv6, and clients are known by their IPv4 address"
            );
            let help = format!("write {ip}/{}", v6.prefix_len() - 96);
            let problem = Problem::error("cidr-mapped", field.span, message);
            self.tell(problem.help(help));
            return None;
        }
        Some(net)
    }

    fn country(&mut self, field: Field<'_>) -> Option<Country> {
        if !country::is_assigned(field.text) {
            let message = format!(
                "`{}` is no country of ISO 3166-1, so it matches no client",
                field.text
            );
            let help =
                country::usual_slip(field.text).map(|meant| format!("did you mean `{meant}`?"));
            self.tell(Problem::warning("unknown-country", field.span, message).maybe_help(help));
        }
        scalar::country(field.text).ok()
    }

    fn to(&mut self, field: Field<'_>) -> Option<Name> {
        let name = self.name(field)?;
        let draft = self.draft;
        let is_known = draft.clusters.contains_key(&name) || draft.regions.contains_key(&name);
        if !is_known && self.is_news("cluster or region", field.text) {
            let known = draft.clusters.keys().chain(draft.regions.keys());
            let help = meant(field.text, known.map(Name::as_str))
                .map(|near| format!("did you mean `{near}`?"));
            self.nobody(field, "cluster or region", help);
        }
        Some(name)
    }

    fn name(&mut self, field: Field<'_>) -> Option<Name> {
        scalar::name(field.text)
            .map_err(|bad| self.bad(field, "this name", bad, Scalar::Name))
            .ok()
    }

    /// Whether this unknown name is to be told: once, and not when more are than anybody reads.
    fn is_news(&mut self, noun: &'static str, text: &str) -> bool {
        self.unknown.len() < SHOWN && self.unknown.insert((noun, text.to_owned()))
    }

    /// A matrix may know more than the configuration; a slip looks the same, so it is told.
    fn nobody(&mut self, field: Field<'_>, noun: &str, help: Option<String>) {
        let message = format!(
            "no {noun} is named `{}`, so its lines count for nothing",
            field.text
        );
        let problem = Problem::warning("latency-unknown-name", field.span, message);
        self.tell(problem.maybe_help(help));
    }

    fn rtt(&mut self, field: Field<'_>) -> Option<Rtt> {
        scalar::number(field.text, 0, 60_000)
            .map_err(|bad| self.bad(field, "`rtt_ms`", bad, Scalar::Number(0, 60_000)))
            .ok()
            .and_then(Rtt::from_millis)
    }

    fn bad(&mut self, field: Field<'_>, subject: &str, bad: Bad, kind: Scalar) {
        let text = field.text;
        let message = match bad.reason {
            Reason::Kind => format!("{subject} is \"{text}\", must be {}", kind.description()),
            Reason::Because(reason) => format!("{subject} is \"{text}\": {reason}"),
        };
        self.tell(Problem::error(bad.code, field.span, message).maybe_help(bad.help));
    }
}

/// The fields of a line; names and numbers hold no comma, so that quotes may only stand around them.
fn fields(source: u32, start: usize, line: &str) -> Vec<Field<'_>> {
    let mut at = start;
    line.split(',')
        .map(|field| {
            let begins = at;
            at += field.len() + 1;
            let marked = field.trim_start_matches('\u{feff}').trim();
            let quoted = marked.strip_prefix('"').and_then(|f| f.strip_suffix('"'));
            let text = quoted.unwrap_or(marked);
            let inside = field.find(text).unwrap_or(0);
            Field {
                text,
                span: Span {
                    source,
                    start: offset(begins + inside),
                    end: offset(begins + inside + text.len()),
                },
            }
        })
        .collect()
}

fn whole(source: u32, start: usize, line: &str) -> Span {
    Span {
        source,
        start: offset(start),
        end: offset(start + line.trim_end().len()),
    }
}
