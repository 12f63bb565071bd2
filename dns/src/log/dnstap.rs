//! A record as dnstap messages (dnstap.proto of dnstap.info): AUTH_QUERY, and AUTH_RESPONSE if there
//! was an answer that went out.
//!
//! Protocol Buffers by hand: thirteen fields of three wire types, where a generator would bring
//! three crates and a build step.

use std::net::IpAddr;

use windrose_telemetry::data_frame;

use super::json;
use super::record::Record;
use crate::answer::Transport;
use crate::limit::Action;

/// `Dnstap.Type.MESSAGE`.
const MESSAGE: u64 = 1;
/// `Message.Type`.
const AUTH_QUERY: u64 = 1;
const AUTH_RESPONSE: u64 = 2;

/// Fields of `Dnstap`.
mod frame {
    pub(super) const IDENTITY: u32 = 1;
    pub(super) const VERSION: u32 = 2;
    pub(super) const EXTRA: u32 = 3;
    pub(super) const MESSAGE: u32 = 14;
    pub(super) const TYPE: u32 = 15;
}

/// Fields of `Message`.
mod message {
    pub(super) const TYPE: u32 = 1;
    pub(super) const SOCKET_FAMILY: u32 = 2;
    pub(super) const SOCKET_PROTOCOL: u32 = 3;
    pub(super) const QUERY_ADDRESS: u32 = 4;
    pub(super) const QUERY_PORT: u32 = 6;
    pub(super) const QUERY_TIME_SEC: u32 = 8;
    pub(super) const QUERY_TIME_NSEC: u32 = 9;
    pub(super) const QUERY_MESSAGE: u32 = 10;
    pub(super) const RESPONSE_TIME_SEC: u32 = 12;
    pub(super) const RESPONSE_TIME_NSEC: u32 = 13;
    pub(super) const RESPONSE_MESSAGE: u32 = 14;
}

/// Appends the data frames of a record.
pub(super) fn frames(out: &mut Vec<u8>, node: &str, version: &str, record: &Record) {
    let mut payload = Vec::new();
    one(&mut payload, node, version, record, AUTH_QUERY);
    data_frame(out, &payload);
    if record.told.is_some() && record.judgement.action != Action::Drop {
        payload.clear();
        one(&mut payload, node, version, record, AUTH_RESPONSE);
        data_frame(out, &payload);
    }
}

fn one(out: &mut Vec<u8>, node: &str, version: &str, record: &Record, kind: u64) {
    octets(out, frame::IDENTITY, node.as_bytes());
    octets(out, frame::VERSION, version.as_bytes());
    if kind == AUTH_RESPONSE {
        let mut extra = Vec::new();
        json::extra(&mut extra, record);
        octets(out, frame::EXTRA, &extra);
    }
    let mut body = Vec::new();
    fill(&mut body, record, kind);
    octets(out, frame::MESSAGE, &body);
    varint(out, frame::TYPE, MESSAGE);
}

fn fill(out: &mut Vec<u8>, record: &Record, kind: u64) {
    varint(out, message::TYPE, kind);
    // INET is 1, INET6 2; UDP is 1, TCP 2.
    match record.source.ip().to_canonical() {
        IpAddr::V4(ip) => {
            varint(out, message::SOCKET_FAMILY, 1);
            protocol(out, record.transport);
            octets(out, message::QUERY_ADDRESS, &ip.octets());
        }
        IpAddr::V6(ip) => {
            varint(out, message::SOCKET_FAMILY, 2);
            protocol(out, record.transport);
            octets(out, message::QUERY_ADDRESS, &ip.octets());
        }
    }
    varint(out, message::QUERY_PORT, record.source.port().into());
    varint(out, message::QUERY_TIME_SEC, record.at.as_secs());
    fixed32(out, message::QUERY_TIME_NSEC, record.at.subsec_nanos());
    if kind == AUTH_QUERY {
        // A message that was cut is no message.
        if let Some(query) = record.query.whole() {
            octets(out, message::QUERY_MESSAGE, query);
        }
        return;
    }
    // Answers are made within microseconds of the query; the clock is read once for both.
    varint(out, message::RESPONSE_TIME_SEC, record.at.as_secs());
    fixed32(out, message::RESPONSE_TIME_NSEC, record.at.subsec_nanos());
    if let Some(answer) = record.answer.whole() {
        octets(out, message::RESPONSE_MESSAGE, answer);
    }
}

fn protocol(out: &mut Vec<u8>, transport: Transport) {
    let number = match transport {
        Transport::Udp => 1,
        Transport::Tcp => 2,
    };
    varint(out, message::SOCKET_PROTOCOL, number);
}

/// A field of wire type 0.
fn varint(out: &mut Vec<u8>, field: u32, value: u64) {
    number(out, u64::from(field) << 3);
    number(out, value);
}

/// A field of wire type 5.
fn fixed32(out: &mut Vec<u8>, field: u32, value: u32) {
    number(out, u64::from(field) << 3 | 5);
    out.extend(value.to_le_bytes());
}

/// A field of wire type 2.
fn octets(out: &mut Vec<u8>, field: u32, value: &[u8]) {
    number(out, u64::from(field) << 3 | 2);
    number(out, value.len() as u64);
    out.extend(value);
}

/// A base-128 number, low bits first.
fn number(out: &mut Vec<u8>, mut value: u64) {
    while value > 0x7f {
        #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
        out.push(value as u8 | 0x80);
        value >>= 7;
    }
    #[allow(clippy::cast_possible_truncation, reason = "seven bits")]
    out.push(value as u8);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_are_as_the_encoding_guide_writes_them() {
        let mut out = Vec::new();
        varint(&mut out, 1, 150);
        octets(&mut out, 2, b"testing");
        fixed32(&mut out, 9, 1);
        varint(&mut out, 15, 1);
        octets(&mut out, 14, b"");
        let wanted = b"\x08\x96\x01\x12\x07testing\x4d\x01\0\0\0\x78\x01\x72\0";
        assert_eq!(out, wanted);
    }
}
