//! Limits and the query log of DNS, in a whole node.

use std::net::UdpSocket;
use std::time::Duration;

use crate::support::{Backend, Files, Node, ask, eventually};

/// A query for the TXT records of a name that is not there.
const QUERY: &[u8] = b"\x12\x34\x01\0\0\x01\0\0\0\0\0\0\x04none\x07example\x03com\0\0\x10\0\x01";

/// Answers and truncated answers to so many queries at once.
fn flood(node: &Node, times: usize) -> (usize, usize) {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.connect(node.dns).unwrap();
    for _ in 0..times {
        socket.send(QUERY).unwrap();
    }
    // An answer to another question, which has a bucket of its own, comes after all of these.
    let last = b"\xff\xff\x01\0\0\x01\0\0\0\0\0\0\x04shop\x07example\x03com\0\0\x01\0\x01";
    socket.send(last).unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(10)))
        .unwrap();
    let (mut whole, mut cut) = (0, 0);
    loop {
        let mut answer = [0; 1_500];
        let len = socket.recv(&mut answer).unwrap();
        assert!(len >= 12);
        if answer[..2] == [0xff, 0xff] {
            return (whole, cut);
        }
        match answer[2] & 0x02 {
            0 => whole += 1,
            _ => cut += 1,
        }
    }
}

#[test]
fn a_flood_is_held_to_the_rate_after_a_dry_run_and_the_log_says_whose_it_was() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let log = files.config.with_file_name("dns.json");
    let text = files.text(a.address, b.address);
    let text = |mode: &str| {
        let limits = format!(
            "{{responses: {{mode: {mode}, rates: {{nxdomain: 1}}, window: 10s, slip: 2}}}}"
        );
        let log = format!("{{to: {}, sample: 1, per_second: 100000}}", log.display());
        let dns = format!("node: {{dns: {{limits: {limits}, log: {log}}}, ");
        text.replacen("node: {", &dns, 1)
    };
    files.write(&text("dry_run"));
    let node = Node::start(&files.config);
    assert_eq!(flood(&node, 40), (40, 0), "a dry run answers");
    let limited = |mode: &str, action: &str| {
        let (_, page) = node.get("/metrics");
        let name = format!(
            "windrose_dns_limited_total{{limiter=\"responses\",class=\"nxdomain\",mode=\"{mode}\",action=\"{action}\"}} "
        );
        let line = page.lines().find_map(|line| line.strip_prefix(&name));
        line.unwrap().parse::<u64>().unwrap()
    };
    assert_eq!(
        (limited("dry_run", "drop"), limited("dry_run", "slip")),
        (15, 15)
    );

    files.write(&text("on"));
    node.signal(nix::sys::signal::Signal::SIGHUP);
    node.await_log("configuration taken");
    // A thread looks for new limits once a batch; the first of them may still be the old one.
    let (whole, cut) = eventually("the limit acts", || {
        let told = flood(&node, 40);
        (told.0 < 40).then_some(told)
    });
    assert!((10..20).contains(&whole), "{whole} answered");
    assert_eq!(cut, (40 - whole) / 2);
    assert!(
        ask(node.dns, "shop.example.com.").is_some(),
        "others are answered"
    );

    eventually("the log is written", || {
        let text = std::fs::read_to_string(&log).ok()?;
        let has = |word: &str| text.lines().any(|line| line.contains(word));
        (has("\"limited\":\"would_drop\"") && has("\"limited\":\"dropped\"")).then_some(())
    });
    let (_, page) = node.get("/metrics");
    for name in [
        "windrose_dns_query_types_total{type=\"TXT\"} ",
        "windrose_dns_transport_queries_total{transport=\"udp\",family=\"ipv4\"} ",
        "windrose_dns_response_bytes_bucket{transport=\"udp\",le=\"128\"} ",
        "windrose_dns_log_records_total{result=\"written\"} ",
    ] {
        assert!(page.contains(name), "{name} is missing in:\n{page}");
    }
}

#[test]
fn a_node_that_cannot_write_its_log_answers_all_the_same() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let text = files.text(a.address, b.address);
    let dns = "node: {dns: {log: {to: /nowhere/at/all/dns.json, sample: 1}}, ";
    files.write(&text.replacen("node: {", dns, 1));
    let mut node = Node::start(&files.config);
    assert!(ask(node.dns, "shop.example.com.").is_some());
    node.await_log("the query log is not written");
    node.signal(nix::sys::signal::Signal::SIGTERM);
    assert_eq!(node.end(), 0);
}
