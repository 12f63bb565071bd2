//! The query log: what it writes, and that nothing on its side touches answers.

use std::io::{Read, Write};
use std::net::UdpSocket;
use std::os::unix::net::UnixListener;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use crate::world::{self, Ask, ip, table};
use serde_json::Value;
use tempfile::TempDir;
use windrose_dns::{
    Counters, LogFormat, LogSettings, Manners, QueryLog, Scratch, Transport, respond, serve_udp,
};
use windrose_routing::Publisher;
use windrose_telemetry::{Log, LogTarget, Logged, Metrics};

const PATIENCE: Duration = Duration::from_secs(20);

fn settings(format: LogFormat, to: LogTarget) -> LogSettings {
    LogSettings {
        node: "ns1".to_owned(),
        version: "windrose test".to_owned(),
        sample: 1.0,
        per_second: 1_000_000,
        format,
        to,
    }
}

fn file(path: &Path) -> LogTarget {
    LogTarget::File {
        path: path.to_owned(),
        max_bytes: 1 << 20,
        keep: 2,
    }
}

/// Asks a UDP thread that logs; gives the answers, and the numbers when all is written.
fn logged(settings: LogSettings, asks: &[Ask]) -> (Vec<Vec<u8>>, Arc<Metrics>) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    let address = socket.local_addr().unwrap();
    let (_publisher, source) = Publisher::new(table());
    let stop = Arc::new(AtomicBool::new(false));
    let metrics = Metrics::new();
    let (log, writing) = QueryLog::start(settings, Arc::clone(&metrics)).unwrap();
    let answers = std::thread::scope(|scope| {
        let counters = Counters::new(&metrics);
        let manners = world::manners(Manners {
            log: Some(log),
            ..Manners::default()
        });
        let (socket, source, flag) = (&socket, &source, &stop);
        let server =
            scope.spawn(move || serve_udp(socket, source.reader(), manners, &counters, 7, flag));
        let client = UdpSocket::bind("127.0.0.1:0").unwrap();
        client.connect(address).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        let answers = asks
            .iter()
            .map(|ask| {
                client.send(&ask.wire()).unwrap();
                let mut answer = [0; 2_000];
                let len = client.recv(&mut answer).unwrap();
                answer[..len].to_vec()
            })
            .collect();
        stop.store(true, Ordering::Relaxed);
        server.join().unwrap().unwrap();
        answers
    });
    assert!(writing.wait(PATIENCE), "the writer ends with the log");
    (answers, metrics)
}

fn count(metrics: &Metrics, what: Logged) -> u64 {
    metrics.scalars.logged(Log::Query, what).get()
}

fn lines(path: &Path) -> Vec<Value> {
    let text = std::fs::read_to_string(path).unwrap();
    let line = |line| serde_json::from_str(line).unwrap();
    text.lines().map(line).collect()
}

#[test]
fn a_record_says_what_was_asked_and_answered() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dns.json");
    let asks = [
        Ask::new("Shop.Example.com", 1).subnet("10.9.9.0/24"),
        Ask::new("nothing\".example.com", 65),
        Ask::new("www.example.org", 4_711),
    ];
    let (answers, metrics) = logged(settings(LogFormat::Json, file(&path)), &asks);
    assert_eq!(count(&metrics, Logged::Written), 3);
    let lines = lines(&path);
    let [steered, missing, refused] = lines.as_slice() else {
        panic!("three lines, not {lines:?}");
    };
    for (field, value) in [
        ("node", "ns1"),
        ("client", "127.0.0.1"),
        ("transport", "udp"),
        ("name", "shop.example.com."),
        ("type", "A"),
        ("ecs", "10.9.9.0/24"),
        ("rcode", "NOERROR"),
        ("class", "positive"),
        ("app", "shop"),
        ("cluster", "a"),
        ("stamp", "1.1.1"),
    ] {
        assert_eq!(steered[field], value, "{field}");
    }
    assert_eq!(steered["scope"], 13);
    assert_eq!(steered["size"], answers[0].len());
    assert!(steered["ttl"].as_u64().unwrap() > 0);
    assert!(steered["time"].as_str().unwrap().ends_with('Z'));
    assert_eq!(missing["rcode"], "NXDOMAIN");
    assert_eq!(
        (&missing["type"], &missing["class"]),
        (&"HTTPS".into(), &"nxdomain".into())
    );
    assert_eq!(
        (&refused["type"], &refused["rcode"]),
        (&"TYPE4711".into(), &"REFUSED".into())
    );
    for absent in ["app", "cluster", "ecs", "scope", "ttl", "limited"] {
        assert!(refused.get(absent).is_none(), "{absent}");
    }
}

#[test]
fn a_record_replays_to_the_same_answer_bit_by_bit() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dns.json");
    // Answered by chance: two clusters are usable everywhere.
    let asks: Vec<_> = (0..50)
        .map(|id| Ask {
            id,
            ..Ask::new("plain.example.com", 1).edns(1232)
        })
        .collect();
    let (answers, _) = logged(settings(LogFormat::Json, file(&path)), &asks);
    let lines = lines(&path);
    let table = table();
    assert_eq!(lines.len(), answers.len());
    for (line, answer) in lines.iter().zip(&answers) {
        assert_eq!(line["stamp"], table.stamp().to_string());
        let hex = line["query"].as_str().unwrap();
        let octet = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
        let query: Vec<u8> = (0..hex.len()).step_by(2).map(octet).collect();
        let draw = line["draw"].as_str().unwrap().parse().unwrap();
        let mut asked = world::asked(ip(line["client"].as_str().unwrap()), draw, Transport::Udp);
        asked.now = u32::try_from(line["now"].as_u64().unwrap()).unwrap();
        let mut out = [0; 1232];
        let reply = respond(&table, &query, &mut Scratch::new(), &asked, &mut out).unwrap();
        assert_eq!(&out[..reply.len], answer);
    }
}

#[test]
fn a_full_file_begins_anew_and_old_ones_go() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dns.json");
    let to = LogTarget::File {
        path,
        max_bytes: 1_000,
        keep: 2,
    };
    // Each node's life writes one file beyond 1,000 octets, or begins it anew.
    for _ in 0..5 {
        let asks = vec![Ask::new("www.example.com", 1); 3];
        let (_, metrics) = logged(settings(LogFormat::Json, to.clone()), &asks);
        assert_eq!(count(&metrics, Logged::Written), 3);
    }
    let mut names: Vec<_> = std::fs::read_dir(folder.path())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort_unstable();
    assert_eq!(names, ["dns.json", "dns.json.1", "dns.json.2"]);
    for name in names {
        assert!(!lines(&folder.path().join(name)).is_empty());
    }
}

#[test]
fn a_disk_without_room_costs_records_and_no_answer() {
    let asks = vec![Ask::new("www.example.com", 1); 20];
    let (answers, metrics) = logged(
        settings(LogFormat::Json, file(Path::new("/dev/full"))),
        &asks,
    );
    assert_eq!(answers.len(), 20);
    assert_eq!(count(&metrics, Logged::WriteFailed), 20);
}

#[test]
fn a_socket_that_nobody_reads_costs_records_and_no_answer() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dnstap.sock");
    // Accepts nothing and says nothing.
    let _listener = UnixListener::bind(&path).unwrap();
    let asks = vec![Ask::new("www.example.com", 1); 20];
    let (answers, metrics) = logged(settings(LogFormat::Dnstap, LogTarget::Unix(path)), &asks);
    assert_eq!(answers.len(), 20);
    assert_eq!(count(&metrics, Logged::WriteFailed), 20);
}

#[test]
fn a_second_has_a_bound_of_records() {
    let folder = TempDir::new().unwrap();
    let settings = LogSettings {
        per_second: 1,
        ..settings(LogFormat::Json, file(&folder.path().join("dns.json")))
    };
    let (_, metrics) = logged(settings, &vec![Ask::new("www.example.com", 1); 200]);
    let (written, over) = (
        count(&metrics, Logged::Written),
        count(&metrics, Logged::OverRate),
    );
    assert_eq!(written + over, 200);
    // One at once, one for each second that a busy machine takes.
    assert!((1..=30).contains(&written), "{written}");
}

/// Data frames of a stream, and the kinds of its control frames.
fn frames(mut octets: &[u8]) -> (Vec<Vec<u8>>, Vec<u32>) {
    let (mut data, mut control) = (Vec::new(), Vec::new());
    let word = |octets: &mut &[u8]| {
        let (word, rest) = octets.split_first_chunk().unwrap();
        *octets = rest;
        u32::from_be_bytes(*word)
    };
    while !octets.is_empty() {
        let len = word(&mut octets);
        let is_control = len == 0;
        let len = if is_control { word(&mut octets) } else { len };
        let (frame, rest) = octets.split_at(len as usize);
        octets = rest;
        if is_control {
            control.push(word(&mut &frame[..4]));
        } else {
            data.push(frame.to_vec());
        }
    }
    (data, control)
}

/// Fields of a Protocol Buffers message: number, and number or octets.
fn fields(mut octets: &[u8]) -> Vec<(u64, Field)> {
    fn varint(octets: &mut &[u8]) -> u64 {
        let mut value = 0;
        for shift in (0..64).step_by(7) {
            let (first, rest) = octets.split_first().unwrap();
            *octets = rest;
            value |= u64::from(first & 0x7f) << shift;
            if first & 0x80 == 0 {
                break;
            }
        }
        value
    }
    let mut fields = Vec::new();
    while !octets.is_empty() {
        let key = varint(&mut octets);
        let field = match key & 7 {
            0 => Field::Number(varint(&mut octets)),
            2 => {
                let len = usize::try_from(varint(&mut octets)).unwrap();
                let (value, rest) = octets.split_at(len);
                octets = rest;
                Field::Octets(value.to_vec())
            }
            5 => {
                let (value, rest) = octets.split_first_chunk().unwrap();
                octets = rest;
                Field::Number(u32::from_le_bytes(*value).into())
            }
            other => panic!("wire type {other}"),
        };
        fields.push((key >> 3, field));
    }
    fields
}

#[derive(Debug, PartialEq)]
enum Field {
    Number(u64),
    Octets(Vec<u8>),
}

fn field(fields: &[(u64, Field)], number: u64) -> &Field {
    &fields.iter().find(|(n, _)| *n == number).unwrap().1
}

fn octets(fields: &[(u64, Field)], number: u64) -> &[u8] {
    let Field::Octets(octets) = field(fields, number) else {
        panic!("field {number} is a number");
    };
    octets
}

#[test]
fn dnstap_says_it_in_frame_streams() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dns.dnstap");
    let ask = Ask::new("shop.example.com", 1).subnet("10.9.9.0/24");
    for _ in 0..2 {
        // The second one moves the first one's file away: a stream that ended cannot go on.
        let to = file(&path);
        let (answers, metrics) =
            logged(settings(LogFormat::Dnstap, to), std::slice::from_ref(&ask));
        assert_eq!(count(&metrics, Logged::Written), 1);
        let (data, control) = frames(&std::fs::read(&path).unwrap());
        assert_eq!(control, [2, 3], "START, STOP");
        assert_eq!(data.len(), 2);
        for (frame, kind) in data.iter().zip([1, 2]) {
            let outer = fields(frame);
            assert_eq!(octets(&outer, 1), b"ns1");
            assert_eq!(octets(&outer, 2), b"windrose test");
            assert_eq!(field(&outer, 15), &Field::Number(1), "MESSAGE");
            let message = fields(octets(&outer, 14));
            assert_eq!(field(&message, 1), &Field::Number(kind));
            assert_eq!(field(&message, 2), &Field::Number(1), "INET");
            assert_eq!(field(&message, 3), &Field::Number(1), "UDP");
            assert_eq!(octets(&message, 4), [127, 0, 0, 1]);
            if kind == 1 {
                assert_eq!(octets(&message, 10), ask.wire());
            } else {
                assert_eq!(octets(&message, 14), answers[0]);
                let extra: Value = serde_json::from_slice(octets(&outer, 3)).unwrap();
                assert_eq!(
                    (&extra["app"], &extra["cluster"]),
                    (&"shop".into(), &"a".into())
                );
                assert_eq!(extra["stamp"], "1.1.1");
            }
        }
    }
    assert!(folder.path().join("dns.dnstap.1").exists());
    // What others read is what we meant; where their reader is not installed, this is skipped.
    let read = std::process::Command::new("dnstap-read")
        .arg("-p")
        .arg(&path)
        .output();
    if let Ok(read) = read {
        let text = String::from_utf8_lossy(&read.stdout);
        assert!(
            read.status.success(),
            "{}",
            String::from_utf8_lossy(&read.stderr)
        );
        assert!(text.contains("shop.example.com"), "{text}");
        assert!(text.contains("CLIENT-SUBNET: 10.9.9.0/24/13"), "{text}");
    }
}

#[test]
fn dnstap_goes_to_a_socket_after_the_handshake() {
    let folder = TempDir::new().unwrap();
    let path = folder.path().join("dnstap.sock");
    let listener = UnixListener::bind(&path).unwrap();
    let reader = std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        stream.set_read_timeout(Some(PATIENCE)).unwrap();
        let content = b"\0\0\0\x01\0\0\0\x16protobuf:dnstap.Dnstap".as_slice();
        let mut ready = [0; 42];
        stream.read_exact(&mut ready).unwrap();
        assert_eq!(
            ready[..],
            [b"\0\0\0\0\0\0\0\x22\0\0\0\x04", content].concat()
        );
        let accept = [b"\0\0\0\0\0\0\0\x22\0\0\0\x01", content].concat();
        stream.write_all(&accept).unwrap();
        let mut all = Vec::new();
        // Until STOP, which is the last thing a writer says.
        while !all.ends_with(b"\0\0\0\0\0\0\0\x04\0\0\0\x03") {
            let mut some = [0; 4_096];
            let len = stream.read(&mut some).unwrap();
            assert!(len > 0, "the end without STOP");
            all.extend(&some[..len]);
        }
        stream.write_all(b"\0\0\0\0\0\0\0\x04\0\0\0\x05").unwrap();
        all
    });
    let asks = vec![Ask::new("www.example.com", 1); 10];
    let (_, metrics) = logged(settings(LogFormat::Dnstap, LogTarget::Unix(path)), &asks);
    assert_eq!(count(&metrics, Logged::Written), 10);
    let (data, control) = frames(&reader.join().unwrap());
    assert_eq!((data.len(), control), (20, vec![2, 3]));
}
