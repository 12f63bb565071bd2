//! A record as one line of JSON. Keys are added, never renamed and never given another meaning:
//! docs/access-log.md lists them.

use std::borrow::Cow;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::Version;
use serde::{Serialize, Serializer};
use windrose_model::{Stamp, WallTime};

use super::draft::{Protocol, Record, Text};
use crate::flags::Flags;

/// Appends the line with its end.
pub(super) fn line(out: &mut Vec<u8>, node: &str, record: &Record) {
    let begun = out.len();
    match serde_json::to_writer(&mut *out, &line_of(node, record)) {
        Ok(()) => out.push(b'\n'),
        // Cannot be: nothing in it fails to serialize, and memory does not fail to be written.
        Err(_) => out.truncate(begun),
    }
}

#[derive(Serialize)]
struct Line<'r> {
    time: Shown<WallTime>,
    node: &'r str,
    client: IpAddr,
    peer: SocketAddr,
    protocol: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    listener: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    sni: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    method: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    host: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    target: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<u16>,
    #[serde(skip_serializing_if = "Option::is_none")]
    grpc_status: Option<u8>,
    flags: Shown<Flags>,
    #[serde(skip_serializing_if = "Option::is_none")]
    ended: Option<&'static str>,
    #[serde(skip_serializing_if = "Option::is_none")]
    app: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    version: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    cluster: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    endpoint: Option<SocketAddr>,
    attempts: u8,
    received_bytes: u64,
    sent_bytes: u64,
    duration_s: Seconds,
    #[serde(skip_serializing_if = "Option::is_none")]
    first_byte_s: Option<Seconds>,
    #[serde(skip_serializing_if = "Option::is_none")]
    request_id: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    trace_id: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    user_agent: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    referer: Option<Cow<'r, str>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    stamp: Option<Shown<Stamp>>,
}

/// What is written as a JSON string without a String of its own.
struct Shown<T>(T);

/// As a number with microseconds.
struct Seconds(Duration);

impl Serialize for Shown<WallTime> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&format_args!("{:.6}", self.0))
    }
}

impl Serialize for Shown<Stamp> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Shown<Flags> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(&self.0)
    }
}

impl Serialize for Seconds {
    #[allow(
        clippy::cast_precision_loss,
        reason = "exact for durations below a century"
    )]
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_f64(self.0.as_micros() as f64 / 1e6)
    }
}

fn line_of<'r>(node: &'r str, record: &'r Record) -> Line<'r> {
    let (draft, outcome) = (&record.draft, &record.outcome);
    let text = |text| draft.text(text).map(String::from_utf8_lossy);
    let micros = u64::try_from(record.at.as_micros()).unwrap_or(u64::MAX);
    Line {
        time: Shown(WallTime(micros)),
        node,
        client: draft.client,
        peer: SocketAddr::new(draft.peer.ip().to_canonical(), draft.peer.port()),
        protocol: protocol(draft.protocol),
        listener: text(Text::Listener),
        sni: text(Text::Sni),
        method: text(Text::Method),
        host: text(Text::Host),
        target: text(Text::Target),
        status: outcome.status,
        grpc_status: outcome.grpc,
        flags: Shown(outcome.flags),
        ended: outcome.ended,
        app: text(Text::App),
        version: text(Text::Version),
        cluster: text(Text::Cluster),
        endpoint: draft.endpoint,
        attempts: draft.attempts,
        received_bytes: outcome.received,
        sent_bytes: outcome.sent,
        duration_s: Seconds(draft.took(outcome.now)),
        first_byte_s: draft.first_byte().map(Seconds),
        request_id: text(Text::RequestId),
        trace_id: text(Text::TraceId),
        user_agent: text(Text::UserAgent),
        referer: text(Text::Referer),
        stamp: draft.stamp.map(Shown),
    }
}

const fn protocol(protocol: Protocol) -> &'static str {
    match protocol {
        Protocol::Tcp => "TCP",
        Protocol::Tls => "TLS",
        Protocol::Http(Version::HTTP_10) => "HTTP/1.0",
        Protocol::Http(Version::HTTP_2) => "HTTP/2",
        Protocol::Http(Version::HTTP_3) => "HTTP/3",
        Protocol::Http(_) => "HTTP/1.1",
    }
}
