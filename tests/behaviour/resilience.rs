//! What a whole node answers while clusters are down, half alive, drained, dialed, kept warm, and on
//! their way back.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use crate::support::{Backend, Node, ask, eventually, get};
use serde_json::Value;

/// Clusters `a`, `b` and `c` at 127.0.0.1, 192.0.2.2 and 192.0.2.3: what comes in over loopback came
/// in at the edge of `a`.
struct Site {
    folder: tempfile::TempDir,
    backends: [Backend; 3],
}

impl Site {
    fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            backends: ["a", "b", "c"].map(Backend::start),
        }
    }

    fn start(&self, app: &str) -> Node {
        self.write(["", "", ""], app);
        Node::start(&self.folder.path().join("windrose.yaml"))
    }

    /// Writes the file with more keys for each cluster and for the app.
    fn write(&self, clusters: [&str; 3], app: &str) {
        let [a, b, c] = clusters;
        let endpoints: Vec<String> = (["a", "b", "c"].iter().zip(&self.backends))
            .map(|(name, backend)| format!("{name}: [\"{}\"]", backend.address))
            .collect();
        let text = format!(
            "schema: 1
node: {{name: test, threads: 2, data_dir: {data}}}
listeners: {{dns: [\"127.0.0.1:0\"], http: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\"}}
data: {{geo: none}}
regions: {{here: {{lat: 0, lon: 0}}}}
clusters:
  a: {{region: here, addresses: [127.0.0.1]{a}}}
  b: {{region: here, addresses: [192.0.2.2]{b}}}
  c: {{region: here, addresses: [192.0.2.3]{c}}}
apps:
  shop:
    hosts: [shop.example.com]
    versions: {{v1: {{endpoints: {{{endpoints}}}}}}}
    health: {{http: {{path: /healthz}}, interval: 100ms, timeout: 80ms, fall: 2, rise: 2}}
    ttl: 5s
{app}
zones:
  example.com: {{soa: {{mname: ns1, rname: hostmaster}}, records: [{{name: \"@\", type: NS, value: ns1}}, {{name: ns1, type: A, value: 127.0.0.1}}]}}
",
            data = self.folder.path().join("data").display(),
            endpoints = endpoints.join(", "),
        );
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, self.folder.path().join("windrose.yaml")).unwrap();
    }
}

const A: &str = "127.0.0.1";
const B: &str = "192.0.2.2";
const C: &str = "192.0.2.3";
const IN_ORDER: &str = "    steering: [{failover: [a, b, c]}]\n";

fn answer(node: &Node) -> (u8, Vec<String>) {
    ask(node.dns, "shop.example.com.").expect("an answer")
}

fn await_answer(node: &Node, ip: &str) {
    eventually(&format!("DNS answers {ip}"), || {
        (answer(node) == (0, vec![ip.to_owned()])).then_some(())
    });
}

/// How often each address leads among so many answers.
fn answers(dns: SocketAddr, queries: u32) -> BTreeMap<String, u32> {
    let mut counts = BTreeMap::new();
    for _ in 0..queries {
        let (rcode, addresses) = ask(dns, "shop.example.com.").expect("an answer");
        assert_eq!((rcode, addresses.len()), (0, 1));
        *counts.entry(addresses[0].clone()).or_default() += 1;
    }
    counts
}

fn status(node: &Node) -> Value {
    serde_json::from_str(&node.get("/status").1).unwrap()
}

fn cluster(node: &Node, at: usize) -> Value {
    status(node)["apps"][0]["clusters"][at].clone()
}

#[test]
fn when_all_are_down_the_policy_answers_and_the_proxy_says_so() {
    let mut site = Site::new();
    let node = site.start(IN_ORDER);
    await_answer(&node, A);
    for (at, next) in [(2, A), (0, B)] {
        site.backends[at].stop();
        let verdict = || cluster(&node, at)["verdict"] == "down";
        eventually("the verdict", || verdict().then_some(()));
        await_answer(&node, next);
    }
    // What falls within `interval` × `fall` + `timeout` of each other falls together.
    let fell = Instant::now();
    eventually("an outage of its own", || {
        (fell.elapsed() > Duration::from_millis(600)).then_some(())
    });
    site.backends[1].stop();
    eventually("the last verdict", || {
        (cluster(&node, 1)["verdict"] == "down").then_some(())
    });
    // b was usable last.
    assert_eq!(answer(&node), (0, vec![B.to_owned()]));
    assert_eq!(get(node.http, "shop.example.com", "/").unwrap().0, 503);
    site.write(
        ["", "", ""],
        &format!("{IN_ORDER}    when_all_down: servfail\n"),
    );
    eventually("the new policy", || (answer(&node).0 == 2).then_some(()));
    site.write(["", "", ""], &format!("{IN_ORDER}    when_all_down: all\n"));
    await_answer(&node, A);
}

#[test]
fn a_half_alive_tier_is_left_by_dns_and_used_up_by_the_proxy() {
    let mut site = Site::new();
    let app = "    steering: [{failover: [[a, b], c]}]\n    min_up_fraction: 0.6\n";
    let node = site.start(app);
    eventually("both are answered", || {
        let counts = answers(node.dns, 40);
        (counts.len() == 2 && !counts.contains_key(C)).then_some(())
    });
    site.backends[0].stop();
    await_answer(&node, C);
    for _ in 0..20 {
        let (code, body) = get(node.http, "shop.example.com", "/").unwrap();
        assert_eq!((code, body.as_str()), (200, "b\n"));
    }
}

#[test]
fn a_drain_is_seen_to_its_end() {
    let site = Site::new();
    let node = site.start(IN_ORDER);
    await_answer(&node, A);
    let visit = || assert_eq!(get(node.http, "shop.example.com", "/").unwrap().0, 200);
    // Some traffic for a second or two, so that there is something to move.
    let since = Instant::now();
    while since.elapsed() < Duration::from_secs(3) {
        visit();
        answer(&node);
        std::thread::park_timeout(Duration::from_millis(10));
    }
    site.write([", drain: true", "", ""], IN_ORDER);
    await_answer(&node, B);
    let still = eventually("what still arrives is shown", || {
        visit();
        let drain = cluster(&node, 0)["drain"].clone();
        (drain["arriving_per_s"].as_f64()? > 1.0).then_some(drain)
    });
    assert_eq!(still["state"], "draining");
    let shift = eventually("who still comes is told", || {
        visit();
        let shift = status(&node)["shifts"].as_array()?.last()?.clone();
        (!shift["http"]["still"].as_array()?.is_empty()).then_some(shift)
    });
    assert_eq!(
        (&shift["app"], &shift["cluster"]),
        (&"shop".into(), &"a".into())
    );
    assert_eq!(shift["http"]["still"][0]["prefix"], "127.0.0.0/24");
    assert!(shift["http"]["former_per_s"].as_f64().unwrap() > 1.0);
    let (_, text) = node.get("/status?format=text");
    assert!(
        text.contains("draining, ") && text.contains("latest moves"),
        "{text}"
    );
    // Nobody comes any more: the drain is over, and says when.
    let drained = eventually("drained", || {
        let drain = cluster(&node, 0)["drain"].clone();
        (drain["state"] == "drained").then_some(drain)
    });
    assert_eq!(drained["arriving_per_s"], 0.0);
    let shift = status(&node)["shifts"]
        .as_array()
        .unwrap()
        .last()
        .unwrap()
        .clone();
    for side in ["dns", "http"] {
        assert!(
            shift[side]["moved_99_after_s"].as_f64().is_some(),
            "{shift}"
        );
        assert_eq!(shift[side]["remaining_percent"], 0.0);
    }
    let (_, metrics) = node.get("/metrics");
    for line in [
        "windrose_http_convergence_seconds{app=\"shop\",cluster=\"a\",quantile=\"0.95\"}",
        "windrose_dns_convergence_seconds{app=\"shop\",cluster=\"a\",quantile=\"0.99\"}",
        "windrose_http_remaining_ratio{app=\"shop\",cluster=\"a\"} 0",
        "windrose_http_arrivals_total{app=\"shop\",cluster=\"a\"}",
        "windrose_cluster_moves_total{direction=\"out\"} 1",
    ] {
        assert!(metrics.contains(line), "{line} in\n{metrics}");
    }
}

#[test]
fn a_dial_and_a_trickle_are_exact_over_queries() {
    let site = Site::new();
    let node = site.start(&format!("{IN_ORDER}    trickle: 10\n"));
    let near = |counts: &BTreeMap<String, u32>, ip: &str, wanted: u32| {
        counts.get(ip).copied().unwrap_or(0).abs_diff(wanted) <= 60
    };
    let counts = answers(node.dns, 1_000);
    assert!(near(&counts, A, 900) && near(&counts, B, 100), "{counts:?}");
    assert_eq!(counts.len(), 2);
    // A drained standby is left in peace; the next one is kept warm.
    site.write(
        ["", ", drain: true", ""],
        &format!("{IN_ORDER}    trickle: 10\n"),
    );
    eventually("b is left", || {
        (!answers(node.dns, 100).contains_key(B)).then_some(())
    });
    let counts = answers(node.dns, 1_000);
    assert!(near(&counts, A, 900) && near(&counts, C, 100), "{counts:?}");
    // A dial sends the rest on.
    site.write([", dial: 30", "", ""], IN_ORDER);
    eventually("the dial holds", || {
        let counts = answers(node.dns, 1_000);
        (near(&counts, A, 300) && near(&counts, B, 700)).then_some(())
    });
}

#[test]
fn a_failback_waits_and_then_takes_steps() {
    let mut site = Site::new();
    let app =
        format!("{IN_ORDER}    failback: {{hold_down: 1s, ramp_step: 25, ramp_every: 500ms}}\n");
    let node = site.start(&app);
    await_answer(&node, A);
    site.backends[0].stop();
    await_answer(&node, B);
    let address = site.backends[0].address;
    site.backends[0] = Backend::start_at("a", address);
    let mut seen = Vec::new();
    eventually("a is back in full", || {
        let cluster = cluster(&node, 0);
        let share = cluster["share_percent"].as_f64()?;
        let up = cluster["verdict"] == "up";
        if up && seen.last() != Some(&share) {
            seen.push(share);
        }
        (share >= 100.0 && up).then_some(())
    });
    assert_eq!(seen.first(), Some(&0.0), "held down at first: {seen:?}");
    assert!(seen.len() >= 3 && seen.is_sorted(), "by steps: {seen:?}");
    await_answer(&node, A);
}
