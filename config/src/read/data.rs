//! Large inputs: where geo data comes from, and the lists of prefixes, which are read here.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::Read;
use std::net::IpAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use ipnet::IpNet;
use windrose_model::budget::RESPONSE_OCTETS;
use windrose_model::{Name, PrefixList, UserList, inner_ipv4};

use super::Found;
use crate::files;
use crate::node::{DataSources, GeoSource};
use crate::problem::{Problem, SHOWN};
use crate::scalar::{self, Reason};
use crate::source::{Sources, Span, offset};
use crate::tree::Node;

/// Octets of one list of prefixes.
const OCTETS: u64 = 32 << 20;
/// Octets of one list of users.
const USER_OCTETS: u64 = 128 << 20;

pub(super) fn read(root: &Node, sources: &mut Sources, found: &mut Found) -> DataSources {
    let data = root.get("data");
    let of = |key| data.and_then(|data| data.get(key));
    DataSources {
        geo: of("geo").map_or(GeoSource::Builtin, |node| geo(node, sources, found)),
        asn: of("asn")
            .and_then(|node| file(node, sources, found, "`asn` is a file relative to this one")),
        lists: lists(of("lists"), sources, found, prefixes),
        users: lists(of("users"), sources, found, users),
    }
}

fn geo(node: &Node, sources: &mut Sources, found: &mut Found) -> GeoSource {
    match node.text() {
        Some("none") => GeoSource::None,
        None | Some("builtin") => GeoSource::Builtin,
        Some(_) => {
            let help = "`geo` is builtin, none, or a file relative to this one";
            file(node, sources, found, help).map_or(GeoSource::Builtin, GeoSource::File)
        }
    }
}

/// A file that must be there.
pub(super) fn file(
    node: &Node,
    sources: &mut Sources,
    found: &mut Found,
    help: &str,
) -> Option<PathBuf> {
    let file = sources.resolve(node.span.source, node.text()?);
    sources.name_file(&file);
    if !file.is_file() {
        let message = format!("there is no file {}", file.display());
        let problem = Problem::error("file-not-found", node.span, message);
        found.problems.push(problem.help(help));
    }
    Some(file)
}

const BODY: &str = "a body is a file relative to this one";
const LIST_TOO_LARGE: &str = "list-too-large";
const LIST: &str = "a list is a file relative to this one";

/// Reads the file of a list, which was named at that place.
type ReadList<T> = fn(&Path, Span, &mut Sources, &mut Found) -> Option<T>;

fn lists<T: Default>(
    node: Option<&Node>,
    sources: &mut Sources,
    found: &mut Found,
    read: ReadList<T>,
) -> BTreeMap<Name, T> {
    let entries = node.map_or(&[][..], Node::entries);
    let mut lists = BTreeMap::new();
    for entry in entries {
        let Ok(name) = Name::new(&entry.key) else {
            continue;
        };
        let node = &entry.value;
        let Some(path) = file(node, sources, found, LIST) else {
            continue;
        };
        // A list that cannot be read is empty, so that its name goes on naming something.
        let list = read(&path, node.span, sources, found);
        lists.insert(name, list.unwrap_or_default());
    }
    lists
}

fn prefixes(
    path: &Path,
    named_at: Span,
    sources: &mut Sources,
    found: &mut Found,
) -> Option<PrefixList> {
    let octets = octets(path, named_at, (OCTETS, LIST_TOO_LARGE), found)?;
    let Ok(text) = std::str::from_utf8(&octets) else {
        let message = format!("{} is not UTF-8", path.display());
        let problem = Problem::error("not-utf8", named_at, message);
        found.problems.push(problem);
        return None;
    };
    let (list, wrong) = parse(text);
    if wrong.is_empty() {
        return Some(list);
    }
    let base = path.parent().unwrap_or_else(|| Path::new(""));
    let source = sources.add(&path.to_string_lossy(), base, text);
    found.problems.extend(wrong.into_iter().map(|mut problem| {
        problem.span.source = source;
        problem
    }));
    None
}

/// One user a line, without the space around it; lines that begin with a `#` are comments.
fn users(path: &Path, named_at: Span, _: &mut Sources, found: &mut Found) -> Option<Arc<UserList>> {
    let octets = octets(path, named_at, (USER_OCTETS, LIST_TOO_LARGE), found)?;
    let lines = octets.split(|b| *b == b'\n').map(<[u8]>::trim_ascii);
    let users = lines.filter(|line| !line.is_empty() && !line.starts_with(b"#"));
    Some(Arc::new(UserList::new(users)))
}

/// The file of a response's body.
pub(super) fn body(node: &Node, sources: &mut Sources, found: &mut Found) -> Option<Vec<u8>> {
    let path = file(node, sources, found, BODY)?;
    octets(
        &path,
        node.span,
        (RESPONSE_OCTETS as u64, "body-too-large"),
        found,
    )
}

/// What a file holds, if it can be read and is not too large.
fn octets(
    path: &Path,
    named_at: Span,
    (most, too_large): (u64, &'static str),
    found: &mut Found,
) -> Option<Vec<u8>> {
    let mut octets = Vec::new();
    let read = File::open(path).and_then(|file| file.take(most + 1).read_to_end(&mut octets));
    let mut refuse = |code, message| found.problems.push(Problem::error(code, named_at, message));
    match read {
        // That there is none was told already.
        Err(_) if !path.is_file() => None,
        Err(error) => {
            let message = format!("cannot read {}: {error}", path.display());
            refuse(files::code_of(&error, "unreadable-file"), message);
            None
        }
        Ok(_) if octets.len() as u64 > most => {
            let most = match most >> 20 {
                0 => format!("{} KiB", most >> 10),
                most => format!("{most} MiB"),
            };
            refuse(
                too_large,
                format!("{} has more than {most}", path.display()),
            );
            None
        }
        Ok(_) => Some(octets),
    }
}

/// One prefix or address a line; what follows a `#` is a comment. Gives what is wrong with places in
/// the text.
fn parse(text: &str) -> (PrefixList, Vec<Problem>) {
    let mut prefixes = Vec::new();
    let mut wrong = Vec::new();
    let mut at = 0;
    for line in text.split('\n') {
        let written = line.split('#').next().unwrap_or_default();
        let entry = written.trim();
        if !entry.is_empty() {
            let start = at + (written.len() - written.trim_start().len());
            let span = Span {
                source: 0,
                start: offset(start),
                end: offset(start + entry.len()),
            };
            match prefix(entry, span) {
                Ok(net) => prefixes.push(net),
                Err(problem) if wrong.len() < SHOWN => wrong.push(problem),
                Err(_) => break,
            }
        }
        at += line.len() + 1;
    }
    (PrefixList::new(prefixes), wrong)
}

fn prefix(text: &str, span: Span) -> Result<IpNet, Problem> {
    let net = match text.parse::<IpAddr>() {
        Ok(ip) => IpNet::from(ip),
        Err(_) => scalar::cidr(text).map_err(|bad| {
            let shown: String = text.chars().take(60).collect();
            let message = match bad.reason {
                Reason::Because(reason) => format!("\"{shown}\": {reason}"),
                Reason::Kind => {
                    format!("\"{shown}\" is neither an address nor a prefix such as 192.0.2.0/24")
                }
            };
            Problem::error(bad.code, span, message).maybe_help(bad.help)
        })?,
    };
    match inner_ipv4(&net) {
        None => Ok(net),
        Some(inner) => {
            let message = format!(
                "{net} is IPv4 written as IPv6, and clients are known by their IPv4 address"
            );
            let help = inner.map(|inner| format!("write {inner}"));
            Err(Problem::error("cidr-mapped", span, message).maybe_help(help))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_list_has_a_prefix_or_an_address_a_line() {
        let text = "# partners\n192.0.2.0/24\n\n  198.51.100.7 # one host\r\n2001:db8::/32";
        let (list, wrong) = parse(text);
        assert_eq!(wrong, []);
        let shown: Vec<_> = list.prefixes().iter().map(ToString::to_string).collect();
        assert_eq!(shown, ["192.0.2.0/24", "198.51.100.7/32", "2001:db8::/32"]);
    }

    #[test]
    fn what_is_wrong_is_told_at_its_place() {
        let text = "192.0.2.0/24\n 192.0.2.1/24\nexample.com\n::ffff:10.0.0.0/104\n";
        let (_, wrong) = parse(text);
        let told: Vec<_> = wrong
            .iter()
            .map(|p| (p.code, &text[p.span.start as usize..p.span.end as usize]))
            .collect();
        assert_eq!(
            told,
            [
                ("bad-cidr", "192.0.2.1/24"),
                ("bad-cidr", "example.com"),
                ("cidr-mapped", "::ffff:10.0.0.0/104")
            ]
        );
        let (_, wrong) = parse(&"x\n".repeat(1_000));
        assert_eq!(wrong.len(), SHOWN);
    }
}
