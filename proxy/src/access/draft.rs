//! HOT. What an exchange or a TCP connection takes down for the access log: copies, cut to a bound,
//! so that a record pins neither a read buffer nor a Table.

use std::net::{IpAddr, SocketAddr};
use std::time::{Duration, Instant, SystemTime, UNIX_EPOCH};

use http::request::Parts;
use http::{HeaderMap, HeaderName, Version, header};
use windrose_model::Stamp;

use crate::flags::Flags;
use crate::grpc;
use crate::names;

/// The most octets of each text that are kept.
const MOST: [usize; Text::COUNT] = [32, 253, 4_096, 256, 512, 128, 32, 63, 254, 63, 63, 63];

/// Texts of a record, in the order in which they are taken down.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Text {
    Method,
    Host,
    Target,
    UserAgent,
    Referer,
    RequestId,
    /// Of `traceparent` (W3C Trace Context, section 3.2).
    TraceId,
    /// Of TCP; an exchange leaves this one and the next out.
    Listener,
    /// The name in the ClientHello.
    Sni,
    App,
    Version,
    Cluster,
}

impl Text {
    const COUNT: usize = 12;
}

/// What is spoken on a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Protocol {
    Http(Version),
    /// Octets that nobody reads.
    Tcp,
    /// The same, behind a ClientHello that was read.
    Tls,
}

/// A request or a connection as it came, until it ends.
#[derive(Debug)]
pub(crate) struct Draft {
    /// It is written whatever becomes of it.
    pub(super) sampled: bool,
    pub(super) peer: SocketAddr,
    /// Who asked, behind trusted proxies.
    pub(crate) client: IpAddr,
    pub(crate) protocol: Protocol,
    began: Instant,
    /// When the head of the response that was passed on was here.
    first_byte: Option<Instant>,
    /// Endpoints tried.
    pub(crate) attempts: u8,
    /// The last one tried.
    pub(crate) endpoint: Option<SocketAddr>,
    /// Of the Table that routed it; `None` before that.
    pub(crate) stamp: Option<Stamp>,
    octets: Vec<u8>,
    /// Where each text ends, as far as they are taken down.
    ends: [u16; Text::COUNT],
    taken: usize,
}

/// How an exchange or a connection ended.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Outcome {
    pub(crate) now: Instant,
    /// None of TCP.
    pub(crate) status: Option<u16>,
    pub(crate) flags: Flags,
    /// Octets of the request body, or of TCP, that came from the client.
    pub(crate) received: u64,
    /// Octets of the response body, or of TCP, that went to the client's connection.
    pub(crate) sent: u64,
    /// How a stream ended, as in its metric.
    pub(crate) ended: Option<&'static str>,
    /// The status of a call of gRPC.
    pub(crate) grpc: Option<u8>,
}

impl Outcome {
    /// What everybody wants to know of, sampled or not.
    pub(super) fn is_wrong(&self) -> bool {
        let call = self.grpc.map_or(200, grpc::as_http);
        let status = self.status.map_or(call, |status| status.max(call));
        status >= 500 || self.flags != Flags::NONE
    }
}

/// A draft and its outcome.
pub(super) struct Record {
    pub(super) draft: Box<Draft>,
    pub(super) outcome: Outcome,
    /// Since 1970: when the request began.
    pub(super) at: Duration,
}

impl Draft {
    /// Takes down what a head says; `client` is the peer, or whom its PROXY header names.
    pub(crate) fn new(
        sampled: bool,
        (peer, client): (SocketAddr, IpAddr),
        parts: &Parts,
        with_query: bool,
        began: Instant,
    ) -> Box<Self> {
        let mut draft = Self::begun(
            sampled,
            (peer, client),
            Protocol::Http(parts.version),
            began,
        );
        let headers = &parts.headers;
        draft.take(Text::Method, parts.method.as_str().as_bytes());
        let authority = parts.uri.authority().map(|a| a.as_str().as_bytes());
        let host = field(headers, &header::HOST).or(authority);
        draft.take(Text::Host, host.unwrap_or_default());
        let target = match parts.uri.path_and_query() {
            Some(whole) if with_query => whole.as_str(),
            _ => parts.uri.path(),
        };
        draft.take(Text::Target, target.as_bytes());
        let agent = field(headers, &header::USER_AGENT);
        draft.take(Text::UserAgent, agent.unwrap_or_default());
        let referer = field(headers, &header::REFERER);
        draft.take(Text::Referer, referer.unwrap_or_default());
        draft
    }

    /// Takes down what is known of a TCP connection when it was accepted.
    pub(crate) fn of_stream(
        sampled: bool,
        ends: (SocketAddr, IpAddr),
        listener: &str,
        began: Instant,
    ) -> Box<Self> {
        let mut draft = Self::begun(sampled, ends, Protocol::Tcp, began);
        draft.take(Text::Listener, listener.as_bytes());
        draft
    }

    /// For a request whose head could not be read.
    pub(crate) fn unread(sampled: bool, ends: (SocketAddr, IpAddr), began: Instant) -> Box<Self> {
        Self::begun(sampled, ends, Protocol::Http(Version::HTTP_11), began)
    }

    fn begun(
        sampled: bool,
        (peer, client): (SocketAddr, IpAddr),
        protocol: Protocol,
        began: Instant,
    ) -> Box<Self> {
        Box::new(Self {
            sampled,
            peer,
            client: client.to_canonical(),
            protocol,
            began,
            first_byte: None,
            attempts: 0,
            endpoint: None,
            stamp: None,
            octets: Vec::with_capacity(192),
            ends: [0; Text::COUNT],
            taken: 0,
        })
    }

    /// A ClientHello came, with this name.
    pub(crate) fn greeted(&mut self, name: Option<&str>) {
        self.protocol = Protocol::Tls;
        self.take(Text::Sni, name.unwrap_or_default().as_bytes());
    }

    /// An endpoint is tried.
    pub(crate) fn tries(&mut self, endpoint: SocketAddr) {
        self.attempts = self.attempts.saturating_add(1);
        self.endpoint = Some(endpoint);
    }

    /// Of several endpoints, the one that counts.
    pub(crate) fn stays_with(&mut self, endpoint: SocketAddr) {
        self.endpoint = Some(endpoint);
    }

    /// The request goes on: under which id, and as part of which trace.
    pub(crate) fn identify(&mut self, id: &[u8], headers: &HeaderMap) {
        self.take(Text::RequestId, id);
        let trace = field(headers, &names::TRACEPARENT).and_then(trace_id);
        self.take(Text::TraceId, trace.unwrap_or_default());
    }

    /// Where it was sent, or was to be sent, in the end.
    pub(crate) fn lead(&mut self, app: &str, version: &str, cluster: &str) {
        self.take(Text::App, app.as_bytes());
        self.take(Text::Version, version.as_bytes());
        self.take(Text::Cluster, cluster.as_bytes());
    }

    /// The head of the response that is passed on is here.
    pub(crate) fn answered(&mut self, now: Instant) {
        self.first_byte = Some(now);
    }

    /// Appends a text. Those of its order that were left out are empty.
    fn take(&mut self, text: Text, octets: &[u8]) {
        let at = text as usize;
        let kept = octets.len().min(MOST[at]);
        let begin = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        for skipped in self.ends.iter_mut().take(at).skip(self.taken) {
            *skipped = begin;
        }
        self.octets.extend_from_slice(&octets[..kept]);
        self.ends[at] = u16::try_from(self.octets.len()).unwrap_or(u16::MAX);
        self.taken = at + 1;
    }

    /// A text; `None` if it is empty or was not taken down.
    pub(super) fn text(&self, text: Text) -> Option<&[u8]> {
        let at = text as usize;
        if at >= self.taken {
            return None;
        }
        let begin = at.checked_sub(1).map_or(0, |before| self.ends[before]);
        let octets = self
            .octets
            .get(usize::from(begin)..usize::from(self.ends[at]))?;
        (!octets.is_empty()).then_some(octets)
    }

    /// From the request head to now.
    pub(super) fn took(&self, now: Instant) -> Duration {
        now.saturating_duration_since(self.began)
    }

    /// From the request head to the head of the response.
    pub(super) fn first_byte(&self) -> Option<Duration> {
        self.first_byte.map(|at| self.took(at))
    }
}

impl Record {
    pub(super) fn new(draft: Box<Draft>, outcome: Outcome) -> Self {
        let now = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        Self {
            at: now.saturating_sub(draft.took(outcome.now)),
            draft,
            outcome,
        }
    }
}

fn field<'h>(headers: &'h HeaderMap, name: &HeaderName) -> Option<&'h [u8]> {
    headers.get(name).map(http::HeaderValue::as_bytes)
}

/// The second field of `traceparent`, if it has the form of one.
fn trace_id(traceparent: &[u8]) -> Option<&[u8]> {
    let id = traceparent.get(3..35)?;
    let framed = traceparent[2] == b'-' && traceparent.get(35) == Some(&b'-');
    let hexadecimal = id.iter().all(|b| matches!(b, b'0'..=b'9' | b'a'..=b'f'));
    (framed && hexadecimal).then_some(id)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn draft_of(target: &str, fields: &[(&'static str, &str)], with_query: bool) -> Box<Draft> {
        let mut request = http::Request::builder().uri(target);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (parts, ()) = request.body(()).unwrap().into_parts();
        let peer: SocketAddr = "192.0.2.1:1234".parse().unwrap();
        Draft::new(true, (peer, peer.ip()), &parts, with_query, Instant::now())
    }

    fn text(draft: &Draft, text: Text) -> &str {
        draft
            .text(text)
            .map_or("", |octets| std::str::from_utf8(octets).unwrap())
    }

    #[test]
    fn texts_are_told_apart_also_where_some_are_missing() {
        let mut draft = draft_of("/a?b=1", &[("host", "h.example")], true);
        assert_eq!(text(&draft, Text::Method), "GET");
        assert_eq!(text(&draft, Text::Host), "h.example");
        assert_eq!(text(&draft, Text::Target), "/a?b=1");
        assert_eq!(draft.text(Text::UserAgent), None);
        assert_eq!(draft.text(Text::App), None);
        draft.lead("shop", "v1", "c1");
        assert_eq!(draft.text(Text::RequestId), None);
        assert_eq!(text(&draft, Text::App), "shop");
        assert_eq!(text(&draft, Text::Cluster), "c1");
    }

    #[test]
    fn a_query_may_be_left_out_and_long_texts_are_cut() {
        let long = "x".repeat(10_000);
        let agent = [("user-agent", long.as_str())];
        let draft = draft_of(&format!("/{long}?secret"), &agent, false);
        assert_eq!(text(&draft, Text::Target).len(), 4_096);
        assert_eq!(text(&draft, Text::UserAgent).len(), 256);
        let short = draft_of("/a?secret", &[], false);
        assert_eq!(text(&short, Text::Target), "/a");
    }

    #[test]
    fn a_trace_is_known_by_its_id() {
        let of = |value: &str| trace_id(value.as_bytes()).map(<[u8]>::to_vec);
        let id = "4bf92f3577b34da6a3ce929d0e0e4736";
        assert_eq!(
            of(&format!("00-{id}-00f067aa0ba902b7-01")),
            Some(id.as_bytes().to_vec())
        );
        for wrong in [
            "",
            "00-4bf92f",
            &format!("00-{}-00f067aa0ba902b7-01", id.to_uppercase()),
            &format!("000{id}-00f067aa0ba902b7-01"),
        ] {
            assert_eq!(of(wrong), None, "{wrong}");
        }
    }
}
