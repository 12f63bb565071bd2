//! A paced HTTP/1.1 client: so many requests a second whatever the server does, and a record of what failed.
//!
//! For failover runs, not for saturation (wrk does that). Each connection is a thread with
//! its share of the rate; a request that is late because the one before it hung is
//! still counted from the moment it was due.

use std::collections::BTreeMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use crate::arguments::{Arguments, Refusal};
use crate::latency::Latency;

/// What to ask, how often, for how long.
pub(crate) struct Load {
    server: SocketAddr,
    request: Vec<u8>,
    rate: f64,
    duration: Duration,
    connections: u32,
    timeout: Duration,
}

impl Load {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let host: String = arguments.required("host")?;
        let path = arguments
            .optional("path")?
            .unwrap_or_else(|| "/".to_owned());
        let load = Self {
            server: arguments.required("server")?,
            request: format!("GET {path} HTTP/1.1\r\nhost: {host}\r\n\r\n").into_bytes(),
            rate: arguments.optional("rate")?.unwrap_or(2000.0),
            duration: Duration::from_secs_f64(arguments.optional("seconds")?.unwrap_or(10.0)),
            connections: arguments.optional("connections")?.unwrap_or(32),
            timeout: Duration::from_millis(arguments.optional("timeout-ms")?.unwrap_or(2000)),
        };
        arguments.finish()?;
        if load.rate <= 0.0 || load.connections == 0 {
            return Err(Refusal::Usage(
                "--rate and --connections must be above 0".to_owned(),
            ));
        }
        Ok(load)
    }
}

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let start = Instant::now();
    let parts = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..load.connections)
            .map(|index| scope.spawn(move || drive(load, index, start)))
            .collect();
        threads
            .into_iter()
            .map(|thread| thread.join().expect("drive does not panic"))
            .collect::<Vec<_>>()
    });
    let mut whole = Tally::new();
    for part in &parts {
        whole.add(part);
    }
    Ok(whole.json(start.elapsed()))
}

/// One connection's share, with its beats spread between those of the others.
fn drive(load: &Load, index: u32, start: Instant) -> Tally {
    let period = Duration::from_secs_f64(f64::from(load.connections) / load.rate);
    let mut due = start + period * index / load.connections;
    let mut client = Client {
        load,
        stream: None,
        buffer: Vec::with_capacity(4096),
    };
    let mut tally = Tally::new();
    while due.duration_since(start) < load.duration {
        std::thread::sleep(due.saturating_duration_since(Instant::now()));
        let outcome = client.ask();
        tally.count(outcome, due.elapsed(), due.duration_since(start));
        due += period;
    }
    tally
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
enum Failure {
    Connect,
    Timeout,
    Reset,
    Malformed,
}

struct Client<'a> {
    load: &'a Load,
    stream: Option<TcpStream>,
    buffer: Vec<u8>,
}

impl Client<'_> {
    /// One request; a connection that failed is not used again.
    fn ask(&mut self) -> Result<u16, Failure> {
        let mut stream = match self.stream.take() {
            Some(stream) => stream,
            None => self.connect()?,
        };
        stream
            .write_all(&self.load.request)
            .map_err(|error| blame(&error))?;
        self.buffer.clear();
        let mut chunk = [0; 8192];
        loop {
            let read = stream.read(&mut chunk).map_err(|error| blame(&error))?;
            if read == 0 {
                return Err(Failure::Reset);
            }
            self.buffer.extend_from_slice(&chunk[..read]);
            if let Some(reply) = parse(&self.buffer)? {
                if !reply.close {
                    self.stream = Some(stream);
                }
                return Ok(reply.status);
            }
        }
    }

    fn connect(&self) -> Result<TcpStream, Failure> {
        let stream = TcpStream::connect_timeout(&self.load.server, self.load.timeout)
            .map_err(|_| Failure::Connect)?;
        let timeout = Some(self.load.timeout);
        let prepared = stream
            .set_read_timeout(timeout)
            .and_then(|()| stream.set_write_timeout(timeout));
        prepared
            .and_then(|()| stream.set_nodelay(true))
            .map_err(|_| Failure::Connect)?;
        Ok(stream)
    }
}

fn blame(error: &std::io::Error) -> Failure {
    match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => Failure::Timeout,
        _ => Failure::Reset,
    }
}

struct Reply {
    status: u16,
    close: bool,
}

/// A whole reply with `content-length` or in chunks, or `None` when more must be read.
fn parse(bytes: &[u8]) -> Result<Option<Reply>, Failure> {
    let Some(head_end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") else {
        return Ok(None);
    };
    let head = std::str::from_utf8(&bytes[..head_end])
        .map_err(|_| Failure::Malformed)?
        .to_ascii_lowercase();
    let body = &bytes[head_end + 4..];
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|word| word.get(..3)?.parse().ok())
        .ok_or(Failure::Malformed)?;
    let field = |name: &str| {
        head.lines()
            .skip(1)
            .find_map(|line| Some(line.strip_prefix(name)?.strip_prefix(':')?.trim()))
    };
    let complete = match (field("content-length"), field("transfer-encoding")) {
        (Some(length), _) => body.len() >= length.parse().map_err(|_| Failure::Malformed)?,
        (None, Some("chunked")) => body.ends_with(b"0\r\n\r\n"),
        (None, _) => matches!(status, 204 | 304),
    };
    Ok(complete.then(|| Reply {
        status,
        close: field("connection") == Some("close"),
    }))
}

/// What became of the requests, and in which span of time they failed.
struct Tally {
    by_status: BTreeMap<u16, u64>,
    by_failure: BTreeMap<Failure, u64>,
    first_failure: Option<Duration>,
    last_failure: Option<Duration>,
    latency: Latency,
}

impl Tally {
    fn new() -> Self {
        let latency = Latency::new();
        Self {
            by_status: BTreeMap::new(),
            by_failure: BTreeMap::new(),
            first_failure: None,
            last_failure: None,
            latency,
        }
    }

    fn count(&mut self, outcome: Result<u16, Failure>, took: Duration, due: Duration) {
        match outcome {
            Ok(status) => *self.by_status.entry(status).or_default() += 1,
            Err(failure) => *self.by_failure.entry(failure).or_default() += 1,
        }
        self.latency.record(took);
        if outcome.map_or(true, |status| status >= 500) {
            self.first_failure.get_or_insert(due);
            self.last_failure = Some(due);
        }
    }

    fn add(&mut self, other: &Self) {
        for (status, count) in &other.by_status {
            *self.by_status.entry(*status).or_default() += count;
        }
        for (failure, count) in &other.by_failure {
            *self.by_failure.entry(*failure).or_default() += count;
        }
        self.first_failure = self
            .first_failure
            .into_iter()
            .chain(other.first_failure)
            .min();
        self.last_failure = self.last_failure.max(other.last_failure);
        self.latency.add(&other.latency);
    }

    fn json(&self, elapsed: Duration) -> String {
        let good: u64 = self
            .by_status
            .iter()
            .filter(|(status, _)| **status < 500)
            .map(|(_, count)| count)
            .sum();
        let sent: u64 = self
            .by_status
            .values()
            .chain(self.by_failure.values())
            .sum();
        let statuses: Vec<String> = self
            .by_status
            .iter()
            .map(|(status, count)| format!(r#""{status}":{count}"#))
            .collect();
        let failures: Vec<String> = self
            .by_failure
            .iter()
            .map(|(failure, count)| format!(r#""{}":{count}"#, failure_name(*failure)))
            .collect();
        let second = |at: Option<Duration>| {
            at.map_or_else(
                || "null".to_owned(),
                |at| format!("{:.3}", at.as_secs_f64()),
            )
        };
        format!(
            concat!(
                r#"{{"sent":{},"ok":{},"failed":{},"by_status":{{{}}},"by_failure":{{{}}},"#,
                r#""first_failure_s":{},"last_failure_s":{},"elapsed_s":{:.6},"latency_us":{}}}"#
            ),
            sent,
            good,
            sent - good,
            statuses.join(","),
            failures.join(","),
            second(self.first_failure),
            second(self.last_failure),
            elapsed.as_secs_f64(),
            self.latency.json(),
        )
    }
}

fn failure_name(failure: Failure) -> &'static str {
    match failure {
        Failure::Connect => "connect",
        Failure::Timeout => "timeout",
        Failure::Reset => "reset",
        Failure::Malformed => "malformed",
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reply_is_whole_when_its_length_or_its_last_chunk_has_come() {
        let whole =
            |text: &str| parse(text.as_bytes()).map(|reply| reply.map(|reply| reply.status));
        assert_eq!(
            whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nab"),
            Ok(None)
        );
        assert_eq!(
            whole("HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nabc"),
            Ok(Some(200))
        );
        assert_eq!(
            whole("HTTP/1.1 503 No\r\ntransfer-encoding: chunked\r\n\r\n0\r\n\r\n"),
            Ok(Some(503))
        );
        assert_eq!(whole("nonsense\r\n\r\n"), Err(Failure::Malformed));
    }

    #[test]
    fn the_span_of_failures_is_that_of_all_connections() {
        let mut whole = Tally::new();
        let mut part = Tally::new();
        part.count(Err(Failure::Reset), Duration::ZERO, Duration::from_secs(3));
        part.count(Ok(503), Duration::ZERO, Duration::from_secs(5));
        part.count(Ok(200), Duration::ZERO, Duration::from_secs(7));
        whole.add(&part);
        assert_eq!(
            (whole.first_failure, whole.last_failure),
            (Some(Duration::from_secs(3)), Some(Duration::from_secs(5)))
        );
    }
}
