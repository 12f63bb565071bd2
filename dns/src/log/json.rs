//! A record as one line of JSON. Fields are added at the end, never renamed: docs/dns.md lists them.

use std::fmt::{self, Write};

use serde::{Serialize, Serializer};
use windrose_model::{DnsName, RecordType, WallTime};
use windrose_telemetry::{rcode_cell, rcode_label};

use super::record::{Record, Told};
use crate::answer::Transport;
use crate::limit::{Action, Judgement, Limited};
use crate::query::{HEADER, Parsed, Query, Scratch, parse, question};

/// Appends the line with its end.
pub(super) fn line(out: &mut Vec<u8>, node: &str, record: &Record) {
    let begun = out.len();
    match serde_json::to_writer(&mut *out, &line_of(node, record)) {
        Ok(()) => out.push(b'\n'),
        // Cannot be: nothing in it fails to serialize, and memory does not fail to be written.
        Err(_) => out.truncate(begun),
    }
}

/// Appends what dnstap has no field for.
pub(super) fn extra(out: &mut Vec<u8>, record: &Record) {
    let line = line_of("", record);
    let extra = Extra {
        app: line.app,
        cluster: line.cluster,
        class: line.class,
        limited: line.limited,
        stamp: line.stamp,
        draw: line.draw,
        now: line.now,
    };
    // As above.
    let _ = serde_json::to_writer(out, &extra);
}

#[derive(Serialize)]
struct Line<'r> {
    time: Text<'r>,
    node: &'r str,
    client: std::net::IpAddr,
    port: u16,
    transport: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    name: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    r#type: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ecs: Option<String>,
    #[serde(skip_serializing_if = "Option::is_none")]
    scope: Option<u8>,
    #[serde(skip_serializing_if = "Option::is_none")]
    rcode: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ttl: Option<u32>,
    size: usize,
    #[serde(skip_serializing_if = "is_false")]
    truncated: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    limited: Option<&'static str>,
    stamp: Text<'r>,
    draw: Text<'r>,
    now: u32,
    query: Text<'r>,
    #[serde(skip_serializing_if = "is_false")]
    over: bool,
}

#[derive(Serialize)]
struct Extra<'r> {
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<&'r str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    class: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    limited: Option<&'static str>,
    stamp: Text<'r>,
    draw: Text<'r>,
    now: u32,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "as serde asks")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// What is written as a JSON string without a String of its own.
enum Text<'r> {
    Time(WallTime),
    Stamp(windrose_model::Stamp),
    /// As a string: most readers of JSON keep 53 bits of a number.
    Draw(u64),
    Hex(&'r [u8]),
}

impl Serialize for Text<'_> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl fmt::Display for Text<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Time(time) => write!(f, "{time:.6}"),
            Self::Stamp(stamp) => stamp.fmt(f),
            Self::Draw(draw) => draw.fmt(f),
            Self::Hex(octets) => octets.iter().try_for_each(|octet| write!(f, "{octet:02x}")),
        }
    }
}

fn line_of<'r>(node: &'r str, record: &'r Record) -> Line<'r> {
    let told = record.told.as_ref();
    let (name, qtype) = record.asked().unzip();
    let ecs = record.subnet();
    let micros = u64::try_from(record.at.as_micros()).unwrap_or(u64::MAX);
    Line {
        time: Text::Time(WallTime(micros)),
        node,
        client: record.source.ip().to_canonical(),
        port: record.source.port(),
        transport: match record.transport {
            Transport::Udp => "udp",
            Transport::Tcp => "tcp",
        },
        name,
        r#type: qtype.map(|qtype| RecordType::new(qtype).to_string()),
        scope: told.filter(|_| ecs.is_some()).map(|told| told.scope),
        ecs,
        rcode: told.map(|told| rcode_label(rcode_cell(told.rcode as u8))),
        class: told.map(|told| told.class.as_str()),
        app: told
            .map(|told| told.app.text())
            .filter(|text| !text.is_empty()),
        cluster: told
            .map(|told| told.cluster.text())
            .filter(|text| !text.is_empty()),
        ttl: told.and_then(|told| ttl(told, record.answer.kept())),
        size: record.answer.len(),
        truncated: told.is_some_and(|told| told.truncated),
        limited: decisive(&record.judgement).map(word),
        stamp: Text::Stamp(record.stamp),
        draw: Text::Draw(record.draw),
        now: record.now,
        query: Text::Hex(record.query.kept()),
        over: record.over,
    }
}

/// What decided: the limiter of queries where it acted, else the other one, which was asked then.
fn decisive(judgement: &Judgement) -> Option<Limited> {
    let acted = judgement.queries.filter(|limited| !limited.dry_run);
    acted.or(judgement.responses).or(judgement.queries)
}

const fn word(limited: Limited) -> &'static str {
    match (limited.action, limited.dry_run) {
        (Action::Answer, _) => "no",
        (Action::Slip, false) => "slipped",
        (Action::Drop, false) => "dropped",
        (Action::Slip, true) => "would_slip",
        (Action::Drop, true) => "would_drop",
    }
}

/// TTL of the first record of the answer section: its owner is a pointer, as we write them.
fn ttl(told: &Told, message: &[u8]) -> Option<u32> {
    let answers = message.get(6..8)?;
    let at = HEADER + told.question + 6;
    let ttl = message.get(at..)?.first_chunk()?;
    (answers != [0, 0]).then(|| u32::from_be_bytes(*ttl))
}

impl Record {
    /// Name and type of the first question.
    fn asked(&self) -> Option<(String, u16)> {
        let body = self.query.kept().get(HEADER..)?;
        let (name, qtype, _) = question(body)?;
        let name = DnsName::from_wire(name)?.to_string();
        let dot = if name.ends_with('.') { "" } else { "." };
        Some((name + dot, qtype))
    }

    /// The client subnet, as `prefix/length`.
    fn subnet(&self) -> Option<String> {
        let mut scratch = Scratch::new();
        let Parsed::Query(Query {
            edns: Some(edns), ..
        }) = parse(self.query.kept(), &mut scratch)
        else {
            return None;
        };
        let subnet = edns.subnet?;
        let mut text = String::new();
        match subnet.address() {
            Some(address) => write!(text, "{address}/{}", subnet.source()).ok()?,
            None => text.push_str("0/0"),
        }
        Some(text)
    }
}
