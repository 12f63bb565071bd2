//! Master files (RFC 1035 section 5): text to records, with everything that is wrong in it at its
//! place. Says nothing about what records mean together; that is the Model's.
//!
//! A library's parser was no choice: `domain` must not be asked again after its first error and has no
//! LOC, hickory's stops at its first error too.

use std::collections::HashMap;

use windrose_model::{DnsName, RData, RecordType, Soa, Ttl};

use crate::problem::Problem;
use crate::rdata::{self, Words};
use crate::source::Span;

mod alone;
mod directive;
mod include;
mod kept;
mod scan;
mod sets;

pub use alone::zone_text;
pub(crate) use include::{Budget, Folder, Unopened, octets};
pub(crate) use kept::Kept;
use kept::{Mark, Marks, NoIncludes, State};
pub(crate) use scan::{Entry, Grammar, Scanner, Token};
pub(crate) use sets::{Places, Written};

/// A zone with more mistakes is read no further.
const MISTAKES: usize = 1_000;

/// A record as it was written.
#[derive(Debug)]
pub(crate) struct Record {
    pub(crate) owner: DnsName,
    pub(crate) ttl: Ttl,
    pub(crate) data: RData,
    /// Of its type in a master file, of its name in YAML.
    pub(crate) at: Span,
}

/// What a master file and those it includes say.
#[derive(Debug, Default)]
pub(crate) struct ZoneFile {
    /// With its place.
    pub(crate) soa: Option<(Soa, Span)>,
    /// In the order of the text; no SOA among them.
    pub(crate) records: Vec<Record>,
    pub(crate) problems: Vec<Problem>,
    /// Where it can be taken up again; none if it includes others.
    pub(crate) marks: Option<Marks>,
}

/// Where the texts of `$INCLUDE` come from.
pub(crate) trait Includes {
    /// The number and octets of a text; to be told the including one and the path written there.
    fn open(&mut self, from: u32, path: &str) -> Result<(u32, std::sync::Arc<[u8]>), Unopened>;
    /// The text that was opened last is read.
    fn close(&mut self);
}

/// Reads a master file. `ttl` is for records that state none before any did.
pub(crate) fn read(
    source: u32,
    text: &[u8],
    apex: &DnsName,
    ttl: Ttl,
    includes: &mut dyn Includes,
) -> ZoneFile {
    let mut reader = Reader::new(apex, ttl, includes);
    reader.marks = Some(Marks::default());
    reader.text(source, text, apex.clone());
    reader.found.marks = reader.marks;
    reader.found
}

/// What a part of a master file says.
struct Part {
    file: ZoneFile,
    marks: Marks,
    /// Where it ends.
    end: usize,
}

/// Reads from a mark until `ends`, which is asked before each entry and may ask in turn what holds
/// there, or to the end of the text.
fn part(
    text: &[u8],
    apex: &DnsName,
    from: Mark,
    mut ends: impl FnMut(usize, &dyn Fn(&State) -> bool) -> bool,
) -> Part {
    let mut includes = NoIncludes;
    let mut reader = Reader::new(apex, from.state.ttl, &mut includes);
    reader.default_ttl = from.state.default_ttl;
    reader.last_owner.clone_from(&from.state.last_owner);
    let mut page = Page {
        source: 0,
        text,
        origin: from.state.origin.clone(),
        owner: b"",
    };
    let mut scanner = Scanner::from(text, from.at);
    let mut entry = Entry::default();
    let mut marks = Marks::default();
    marks.push(from);
    loop {
        let at = scanner.at();
        if ends(at, &|state| reader.is_in(state, &page.origin)) {
            break;
        }
        if marks.want(at) {
            marks.push(reader.mark(at, &page.origin));
        }
        match scanner.next(&mut entry) {
            Ok(false) => break,
            Ok(true) => reader.entry(&mut page, &entry),
            Err(torn) => {
                let at = page.span(torn.token());
                reader.mistake(Problem::error("zone-file-syntax", at, torn.to_string()));
                break;
            }
        }
    }
    Part {
        end: scanner.at(),
        file: reader.found,
        marks,
    }
}

struct Reader<'a> {
    apex: &'a DnsName,
    apex_text: String,
    includes: &'a mut dyn Includes,
    found: ZoneFile,
    /// The TTL that was stated last.
    ttl: Ttl,
    /// Of `$TTL`.
    default_ttl: Option<Ttl>,
    last_owner: Option<DnsName>,
    /// Types by the texts that were seen, to spare the search.
    types: HashMap<Vec<u8>, RecordType>,
    mistakes: usize,
    /// None when they are not wanted, or of no use.
    marks: Option<Marks>,
}

/// One text while it is read.
struct Page<'t> {
    source: u32,
    text: &'t [u8],
    origin: DnsName,
    /// The owner that was written last in this text, as it was written.
    owner: &'t [u8],
}

impl Page<'_> {
    const fn span(&self, token: Token) -> Span {
        Span {
            source: self.source,
            start: token.start,
            end: token.end,
        }
    }

    fn show(&self, token: Token) -> String {
        let octets = token.of(self.text);
        String::from_utf8_lossy(&octets[..octets.len().min(80)]).into_owned()
    }
}

impl<'a> Reader<'a> {
    fn new(apex: &'a DnsName, ttl: Ttl, includes: &'a mut dyn Includes) -> Self {
        Self {
            apex,
            apex_text: apex.to_string(),
            includes,
            found: ZoneFile::default(),
            ttl,
            default_ttl: None,
            last_owner: None,
            types: HashMap::new(),
            mistakes: 0,
            marks: None,
        }
    }

    fn mark(&self, at: usize, origin: &DnsName) -> Mark {
        let state = State {
            origin: origin.clone(),
            ttl: self.ttl,
            default_ttl: self.default_ttl,
            last_owner: self.last_owner.clone(),
        };
        Mark { at, state }
    }

    fn is_in(&self, state: &State, origin: &DnsName) -> bool {
        let here = (self.ttl, self.default_ttl, &self.last_owner);
        here == (state.ttl, state.default_ttl, &state.last_owner) && *origin == state.origin
    }

    fn text(&mut self, source: u32, text: &[u8], origin: DnsName) {
        let mut page = Page {
            source,
            text,
            origin,
            owner: b"",
        };
        let mut scanner = Scanner::new(text, Grammar::File);
        let mut entry = Entry::default();
        loop {
            if self
                .marks
                .as_ref()
                .is_some_and(|marks| marks.want(scanner.at()))
            {
                let mark = self.mark(scanner.at(), &page.origin);
                self.marks
                    .iter_mut()
                    .for_each(|marks| marks.push(mark.clone()));
            }
            match scanner.next(&mut entry) {
                Ok(false) => return,
                Ok(true) => self.entry(&mut page, &entry),
                Err(torn) => {
                    let at = page.span(torn.token());
                    self.mistake(Problem::error("zone-file-syntax", at, torn.to_string()));
                }
            }
            if self.mistakes > MISTAKES {
                return;
            }
        }
    }

    fn mistake(&mut self, problem: Problem) {
        self.mistakes += 1;
        if self.mistakes <= MISTAKES {
            self.found.problems.push(problem);
        }
    }

    fn entry(&mut self, page: &mut Page<'_>, entry: &Entry) {
        let tokens = &entry.tokens[..];
        let Some((&first, rest)) = tokens.split_first() else {
            return;
        };
        if !first.quoted && !entry.is_indented && first.of(page.text).starts_with(b"$") {
            return self.directive(page, first, rest);
        }
        let (owner, rest) = match entry.is_indented {
            true => (self.last_owner.clone(), tokens),
            false => (self.owner(page, first), rest),
        };
        let Some(owner) = owner else {
            if entry.is_indented {
                let message =
                    "a line that begins with a blank belongs to the name before, and there is none";
                self.mistake(Problem::error("missing-owner", page.span(first), message));
            }
            return;
        };
        self.last_owner = Some(owner.clone());
        self.record(page, owner, first, rest);
    }

    /// A name in the first column. The same text again is the same name, and shares its octets.
    fn owner(&mut self, page: &mut Page<'_>, token: Token) -> Option<DnsName> {
        let text = token.of(page.text);
        if let Some(owner) = self.last_owner.as_ref().filter(|_| page.owner == text) {
            return Some(owner.clone());
        }
        let name = self.name(page, token);
        page.owner = if name.is_some() { text } else { b"" };
        if name.is_none() {
            self.last_owner = None;
        }
        name
    }

    fn name(&mut self, page: &Page<'_>, token: Token) -> Option<DnsName> {
        match DnsName::relative_octets(token.of(page.text), &page.origin) {
            Ok(name) => {
                self.doubled(page, token);
                Some(name)
            }
            Err(error) => {
                let message = format!("\"{}\" is no name here: {error}", page.show(token));
                self.mistake(Problem::error("bad-domain", page.span(token), message));
                None
            }
        }
    }

    /// A relative name that ends in the zone's own name probably lacks its final dot.
    fn doubled(&mut self, page: &Page<'_>, token: Token) {
        let text = token.of(page.text);
        if ends_in(text, self.apex_text.as_bytes()) && self.found.problems.len() < MISTAKES {
            self.found.problems.push(relative_name(
                page.span(token),
                &page.show(token),
                &page.origin,
            ));
        }
    }

    /// TTL and class in any order, then the type and its data.
    fn record(&mut self, page: &Page<'_>, owner: DnsName, first: Token, rest: &[Token]) {
        let mut rest = rest;
        let (mut ttl, mut class) = (None, None);
        let (rtype, at) = loop {
            let Some((&token, after)) = rest.split_first() else {
                let message = format!("{owner} has neither type nor data here");
                return self.mistake(Problem::error("bad-record-type", page.span(first), message));
            };
            rest = after;
            let word = token.of(page.text);
            if ttl.is_none() && word.first().is_some_and(u8::is_ascii_digit) {
                match self.seconds(page, token) {
                    Some(seconds) => ttl = Some(seconds),
                    None => return,
                }
            } else if class.is_none() && is_class(word) {
                class = Some(token);
            } else {
                match self.rtype(word) {
                    Some(rtype) => break (rtype, token),
                    None => {
                        let message = format!("\"{}\" is no record type", page.show(token));
                        let problem = Problem::error("bad-record-type", page.span(token), message)
                            .help("a type is a mnemonic such as AAAA, or TYPE and its number (RFC 3597)");
                        return self.mistake(problem);
                    }
                }
            }
        };
        if let Some(class) = class.filter(|c| !is_internet(c.of(page.text))) {
            let message = format!("{} is not served, the class is IN", page.show(class));
            return self.mistake(Problem::error("bad-class", page.span(class), message));
        }
        if let Some((reason, help)) = not_here(rtype) {
            let message = format!("{owner} {rtype} {reason}");
            let problem = Problem::error("bad-record-type", page.span(at), message);
            return self.mistake(problem.maybe_help(help));
        }
        // RFC 2308 section 4 over RFC 1035 section 5.1.
        let ttl = match ttl {
            Some(ttl) => {
                self.ttl = ttl;
                ttl
            }
            None => self.default_ttl.unwrap_or(self.ttl),
        };
        let mut words = Words::new(rtype, page.text, rest, &page.origin);
        let data = words.data();
        for token in std::mem::take(&mut words.names) {
            self.doubled(page, token);
        }
        match data {
            Ok(data) => self.add(page, owner, ttl, data, at),
            Err(bad) => {
                let token = bad.token.unwrap_or(at);
                let problem = Problem::error("bad-record-value", page.span(token), bad.message);
                self.mistake(problem);
            }
        }
    }

    fn add(&mut self, page: &Page<'_>, owner: DnsName, ttl: Ttl, data: RData, at: Token) {
        let at = page.span(at);
        if !owner.is_within(self.apex) {
            let rtype = data.record_type();
            let message = format!("{owner} {rtype} lies outside zone {}", self.apex);
            return self.mistake(Problem::error("record-outside-zone", at, message));
        }
        if data.record_type() != RecordType::SOA {
            return self.found.records.push(Record {
                owner,
                ttl,
                data,
                at,
            });
        }
        if owner != *self.apex {
            let message = format!(
                "{owner} SOA does not stand at the zone's apex {}",
                self.apex
            );
            return self.mistake(Problem::error("soa-not-at-apex", at, message));
        }
        if let Some((_, before)) = self.found.soa {
            let problem = Problem::error("duplicate-soa", at, "a zone has one SOA record");
            return self.mistake(problem.related(before, "the first is at"));
        }
        self.found.soa = soa(&data, ttl).map(|soa| (soa, at));
    }

    fn rtype(&mut self, word: &[u8]) -> Option<RecordType> {
        if let Some(rtype) = self.types.get(word) {
            return Some(*rtype);
        }
        let rtype = std::str::from_utf8(word).ok()?.parse().ok()?;
        // A file may write 65,536 types in many ways; these few are what files are full of.
        if self.types.len() < 64 {
            self.types.insert(word.to_vec(), rtype);
        }
        Some(rtype)
    }

    /// A TTL, with or without units (RFC 2181 section 8: at most 2^31 - 1).
    fn seconds(&mut self, page: &Page<'_>, token: Token) -> Option<Ttl> {
        let text = std::str::from_utf8(token.of(page.text)).ok();
        let ttl = text.and_then(rdata::seconds).and_then(Ttl::new);
        if ttl.is_none() {
            let message = format!(
                "\"{}\" is no TTL, must be seconds up to 2147483647 or a time such as 1h30m",
                page.show(token)
            );
            self.mistake(Problem::error("bad-duration", page.span(token), message));
        }
        ttl
    }
}

/// Why a type cannot stand in a zone here, and what to do.
pub(crate) fn not_here(rtype: RecordType) -> Option<(&'static str, Option<String>)> {
    match rtype {
        RecordType::RRSIG | RecordType::NSEC | RecordType::NSEC3 | RecordType::NSEC3PARAM => Some((
            "belongs to a signed zone, and zones are not signed yet",
            Some("load the zone as it is before it is signed, and take its DS record out of the parent".to_owned()),
        )),
        _ if rtype.is_meta() => Some(("is a question or a protocol element, never a record of a zone", None)),
        _ => None,
    }
}

/// The warning about a name that repeats its zone.
pub(crate) fn relative_name(at: Span, text: &str, origin: &DnsName) -> Problem {
    let origin = origin.to_string();
    let dot = if origin == "." { "" } else { "." };
    let message = format!("`{text}` is relative to the zone and stands for {text}.{origin}{dot}");
    Problem::warning("relative-name", at, message).help(format!(
        "if {text} itself is meant, end it with a dot: {text}."
    ))
}

/// Whether a relative name of several labels is the zone's name or lies below a name like it.
pub(crate) fn ends_in(text: &[u8], apex: &[u8]) -> bool {
    if apex == b"." || text.len() < apex.len() || !text.contains(&b'.') {
        return false;
    }
    let (before, end) = text.split_at(text.len() - apex.len());
    end.eq_ignore_ascii_case(apex) && matches!(before.last(), None | Some(b'.'))
}

fn is_class(word: &[u8]) -> bool {
    let named = [&b"IN"[..], b"CH", b"HS", b"CS", b"ANY", b"NONE"];
    let by_number = word.len() > 5
        && word[..5].eq_ignore_ascii_case(b"CLASS")
        && word[5..].iter().all(u8::is_ascii_digit);
    // ANY is a type too, and no record has either.
    by_number || named.iter().any(|class| word.eq_ignore_ascii_case(class))
}

fn is_internet(word: &[u8]) -> bool {
    word.eq_ignore_ascii_case(b"IN") || word.eq_ignore_ascii_case(b"CLASS1")
}

/// The fields of SOA data.
fn soa(data: &RData, ttl: Ttl) -> Option<Soa> {
    let numbers = data.wire().len().checked_sub(20)?;
    let (names, numbers) = data.wire().split_at(numbers);
    let mut end = 0;
    while let Some(len @ 1..) = names.get(end).copied() {
        end += usize::from(len) + 1;
    }
    let (mname, rname) = names.split_at_checked(end + 1)?;
    let mut numbers = numbers.as_chunks().0.iter().map(|n| u32::from_be_bytes(*n));
    let mut next = || numbers.next();
    Some(Soa {
        mname: DnsName::from_wire(mname)?,
        rname: DnsName::from_wire(rname)?,
        serial: next()?,
        refresh: next()?,
        retry: next()?,
        expire: next()?,
        minimum: next()?,
        ttl,
    })
}

#[cfg(test)]
mod tests;
