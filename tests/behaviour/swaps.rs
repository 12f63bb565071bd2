//! Tables swapped many times a second under full query load: nothing is lost, nothing is wrong.

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use crate::support::{Node, PATIENCE, eventually};

/// Publications that are waited for, at 20 a second or more.
const SWAPS: u64 = 60;
/// Queries under way at a time, per socket.
const WINDOW: u16 = 16;

/// A backend that is healthy except for every tenth probe.
fn flapper() -> SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    std::thread::spawn(move || {
        for (count, stream) in listener.incoming().flatten().enumerate() {
            let mut reader = BufReader::new(stream);
            let mut line = String::new();
            while reader.read_line(&mut line).is_ok_and(|n| n > 2) {
                line.clear();
            }
            let code = if count % 10 == 9 { 503 } else { 200 };
            let _ = write!(
                reader.get_mut(),
                "HTTP/1.1 {code} X\r\ncontent-length: 0\r\n\r\n"
            );
        }
    });
    address
}

#[test]
fn twenty_tables_a_second_under_load_lose_and_misanswer_nothing() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("windrose.yaml");
    let mut apps = String::new();
    for (n, flaps) in [flapper(), flapper(), flapper()].iter().enumerate() {
        apps.push_str(&format!(
            "  app{n}:
    hosts: [app{n}.example.com]
    versions: {{v1: {{endpoints: {{a: [\"{flaps}\"], b: [\"127.0.0.1:9\"]}}}}}}
    steering: [{{failover: [a, b]}}]
    when_all_down: {{fallback: b}}
    health: {{http: {{}}, interval: 10ms, timeout: 1s, fall: 1, rise: 1}}
    ttl: 5s
    failback: {{hold_down: 0s, ramp_step: 100}}
"
        ));
    }
    let text = format!(
        "schema: 1
node: {{name: test, threads: 2, data_dir: {data}}}
listeners: {{dns: [\"127.0.0.1:0\"], http: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\"}}
data: {{geo: none}}
regions: {{here: {{lat: 0, lon: 0}}}}
clusters:
  a: {{region: here, addresses: [192.0.2.1]}}
  b: {{region: here, addresses: [192.0.2.2]}}
apps:
{apps}zones:
  example.com: {{soa: {{mname: ns1, rname: hostmaster}}, records: [{{name: \"@\", type: NS, value: ns1}}, {{name: ns1, type: A, value: 127.0.0.1}}]}}
",
        data = folder.path().join("data").display()
    );
    std::fs::write(&config, text).unwrap();
    let node = Node::start(&config);
    let stop = Arc::new(AtomicBool::new(false));
    let answered = Arc::new(AtomicU64::new(0));
    let askers: Vec<_> = (0..3)
        .map(|n| {
            let (dns, stop, answered) = (node.dns, Arc::clone(&stop), Arc::clone(&answered));
            std::thread::spawn(move || hammer(dns, n, &stop, &answered))
        })
        .collect();
    let publishes = || -> u64 {
        let (_, metrics) = node.get("/metrics");
        let line = (metrics.lines()).find(|l| l.starts_with("windrose_table_publishes_total"));
        line.unwrap().rsplit(' ').next().unwrap().parse().unwrap()
    };
    let (from, began) = (publishes(), Instant::now());
    eventually("the tables are swapped", || {
        (publishes() >= from + SWAPS).then_some(())
    });
    let (swaps, took) = (publishes() - from, began.elapsed());
    stop.store(true, Ordering::Relaxed);
    for asker in askers {
        asker.join().expect("every query is answered rightly");
    }
    let answered = answered.load(Ordering::Relaxed);
    println!("{answered} answers under {swaps} swaps in {took:?}");
    assert!(answered > 1_000, "{answered}");
    let rate = swaps as f64 / took.as_secs_f64();
    assert!(
        rate >= 5.0,
        "only {rate:.1} swaps a second: no test of anything"
    );
}

/// Asks for an app that flaps and for a name that does not, until it is told to stop. Each answer is
/// that of the old or of the new table: one of two addresses, or always the same.
fn hammer(dns: SocketAddr, n: u16, stop: &AtomicBool, answered: &AtomicU64) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(dns).unwrap();
    socket.set_read_timeout(Some(PATIENCE)).unwrap();
    let flapping = query(&format!("app{n}"));
    let steady = query("ns1");
    let mut packet = [0; 512];
    let mut seen = [0u64; 2];
    while !stop.load(Ordering::Relaxed) {
        for id in 0..WINDOW {
            let mut question = if id % 4 == 0 { &steady } else { &flapping }.clone();
            question[..2].copy_from_slice(&id.to_be_bytes());
            socket.send(&question).unwrap();
        }
        let mut missing = (1u32 << WINDOW) - 1;
        while missing != 0 {
            let len = socket.recv(&mut packet).expect("no query is lost");
            let id = u16::from_be_bytes([packet[0], packet[1]]);
            assert!(
                id < WINDOW && missing >> id & 1 == 1,
                "answered twice: {id}"
            );
            missing &= !(1 << id);
            // NOERROR, one answer; the address is at the end.
            assert_eq!((packet[3] & 15, packet[7]), (0, 1));
            match (id % 4, &packet[len - 4..len]) {
                (0, [127, 0, 0, 1]) => {}
                (1.., [192, 0, 2, last @ (1 | 2)]) => seen[usize::from(*last) - 1] += 1,
                (_, other) => panic!("{other:?} is of no table"),
            }
        }
        answered.fetch_add(u64::from(WINDOW), Ordering::Relaxed);
    }
    assert!(
        seen.iter().all(|n| *n > 0),
        "both tables were seen: {seen:?}"
    );
}

/// A query without EDNS for the A records of a name in example.com.
fn query(label: &str) -> Vec<u8> {
    let mut packet = vec![0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in [label, "example", "com"] {
        packet.push(u8::try_from(label.len()).unwrap());
        packet.extend_from_slice(label.as_bytes());
    }
    packet.extend_from_slice(&[0, 0, 1, 0, 1]);
    packet
}
