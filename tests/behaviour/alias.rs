//! ALIAS records: an apex that leads to a foreign name, resolved in the background; the last good
//! answer is kept, and a resolver that hangs delays nobody.

use std::net::{Ipv4Addr, SocketAddr, UdpSocket};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use crate::support::{Backend, Node, ask, eventually};
use hickory_proto::op::{Message, ResponseCode};
use hickory_proto::rr::{RData, Record, RecordType, rdata};
use nix::sys::signal::Signal;

/// What the stub resolver says.
#[derive(Clone, Copy, PartialEq)]
enum Says {
    Nothing,
    Address(Ipv4Addr),
    Failure,
    NoName,
}

/// A resolver on loopback that says the same to every question for A, and nothing for AAAA.
struct Stub {
    address: SocketAddr,
    says: Arc<Mutex<Says>>,
}

impl Stub {
    fn start(says: Says) -> Self {
        let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
        let address = socket.local_addr().unwrap();
        let says = Arc::new(Mutex::new(says));
        let now = Arc::clone(&says);
        std::thread::spawn(move || {
            let mut packet = [0; 1500];
            while let Ok((len, peer)) = socket.recv_from(&mut packet) {
                let Ok(query) = Message::from_vec(&packet[..len]) else {
                    continue;
                };
                let says = *now.lock().unwrap();
                if let Some(answer) = answer(&query, says) {
                    let _ = socket.send_to(&answer.to_vec().unwrap(), peer);
                }
            }
        });
        Self { address, says }
    }

    fn say(&self, says: Says) {
        *self.says.lock().unwrap() = says;
    }
}

fn answer(query: &Message, says: Says) -> Option<Message> {
    let question = query.queries.first()?.clone();
    let mut answer = Message::response(query.metadata.id, query.metadata.op_code);
    answer.metadata.recursion_available = true;
    let name = question.name().clone();
    match (says, question.query_type()) {
        (Says::Nothing, _) => return None,
        (Says::Failure, _) => answer.metadata.response_code = ResponseCode::ServFail,
        (Says::NoName, _) => answer.metadata.response_code = ResponseCode::NXDomain,
        (Says::Address(ip), RecordType::A) => {
            answer.add_answer(Record::from_rdata(name, 1, RData::A(rdata::A(ip))));
        }
        (Says::Address(_), _) => {}
    }
    answer.add_query(question);
    Some(answer)
}

fn node(stub: &Stub, backend: &Backend) -> (tempfile::TempDir, Node) {
    let folder = tempfile::tempdir().unwrap();
    let config = configure(folder.path(), stub, backend);
    let node = Node::start(&config);
    (folder, node)
}

fn configure(folder: &Path, stub: &Stub, backend: &Backend) -> PathBuf {
    let config = folder.join("windrose.yaml");
    let text = format!(
        "schema: 1
node: {{name: test, threads: 1, data_dir: {data}, resolvers: [\"{stub}\"]}}
listeners: {{dns: [\"127.0.0.1:0\"], http: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\"}}
data: {{geo: none}}
regions: {{here: {{lat: 0, lon: 0}}}}
clusters:
  a: {{region: here, addresses: [192.0.2.1]}}
apps:
  shop:
    hosts: [shop.example.com]
    versions: {{v1: {{endpoints: {{a: [\"{backend}\"]}}}}}}
zones:
  example.com:
    soa: {{mname: ns1, rname: hostmaster}}
    records:
      - {{name: \"@\", type: NS, value: ns1}}
      - {{name: ns1, type: A, value: 127.0.0.1}}
      - {{name: \"@\", type: ALIAS, value: cdn.example.net.}}
      - {{name: \"*.wild\", type: CNAME, value: cdn.example.net.}}
      - {{name: behind, type: ALIAS, value: any.wild}}
      - {{name: to-shop, type: CNAME, value: shop}}
      - {{name: inside, type: ALIAS, value: to-shop}}
      - {{name: round, type: ALIAS, value: about}}
      - {{name: about, type: ALIAS, value: round}}
",
        data = folder.join("data").display(),
        stub = stub.address,
        backend = backend.address,
    );
    std::fs::write(&config, text).unwrap();
    config
}

const NOERROR: u8 = 0;
const SERVFAIL: u8 = 2;

fn addresses(node: &Node, name: &str) -> (u8, Vec<String>) {
    ask(node.dns, name).expect("an answer")
}

fn await_address(node: &Node, ip: Ipv4Addr) {
    eventually(&format!("the apex leads to {ip}"), || {
        (addresses(node, "example.com.") == (NOERROR, vec![ip.to_string()])).then_some(())
    });
}

#[test]
fn an_apex_follows_a_foreign_name_and_keeps_the_last_good_answer() {
    let (one, two) = (
        Ipv4Addr::new(198, 51, 100, 1),
        Ipv4Addr::new(198, 51, 100, 2),
    );
    let (stub, backend) = (Stub::start(Says::Address(one)), Backend::start("a"));
    let (_folder, node) = node(&stub, &backend);
    await_address(&node, one);
    // A second alias to the same name, through a wildcard of ours.
    let there = (NOERROR, vec![one.to_string()]);
    assert_eq!(addresses(&node, "behind.example.com."), there);
    // It is asked again after 5 s at the soonest.
    stub.say(Says::Address(two));
    await_address(&node, two);
    for says in [Says::NoName, Says::Failure] {
        stub.say(says);
        let expected = match says {
            Says::NoName => "no address",
            _ => "code 2",
        };
        eventually("the failure is told", || {
            node.get("/status").1.contains(expected).then_some(())
        });
        await_address(&node, two);
    }
    let (_, metrics) = node.get("/metrics");
    let line = "windrose_alias_resolved{target=\"cdn.example.net\"} 0";
    assert!(metrics.contains(line), "{metrics}");
}

#[test]
fn before_the_first_success_it_is_a_failure_and_nobody_waits() {
    let (stub, backend) = (Stub::start(Says::Nothing), Backend::start("a"));
    let (_folder, node) = node(&stub, &backend);
    let began = Instant::now();
    for _ in 0..20 {
        assert_eq!(addresses(&node, "example.com."), (SERVFAIL, vec![]));
        assert_eq!(
            addresses(&node, "shop.example.com."),
            (NOERROR, vec!["192.0.2.1".to_owned()])
        );
    }
    assert!(
        began.elapsed() < Duration::from_secs(2),
        "nobody waits for a resolver"
    );
    // It comes alive: no restart is needed.
    let one = Ipv4Addr::new(198, 51, 100, 1);
    stub.say(Says::Address(one));
    await_address(&node, one);
}

#[test]
fn an_alias_inside_our_zones_needs_no_resolver_and_a_circle_is_a_failure() {
    let (stub, backend) = (Stub::start(Says::Nothing), Backend::start("a"));
    let (_folder, node) = node(&stub, &backend);
    let steered = (NOERROR, vec!["192.0.2.1".to_owned()]);
    assert_eq!(addresses(&node, "inside.example.com."), steered);
    assert_eq!(addresses(&node, "round.example.com."), (SERVFAIL, vec![]));
}

#[test]
fn a_restart_with_dead_resolvers_answers_what_was_good_last() {
    let one = Ipv4Addr::new(198, 51, 100, 1);
    let (stub, backend) = (Stub::start(Says::Address(one)), Backend::start("a"));
    let (folder, mut node) = node(&stub, &backend);
    await_address(&node, one);
    node.signal(Signal::SIGTERM);
    assert_eq!(node.end(), 0);
    stub.say(Says::Nothing);
    let node = Node::start(&folder.path().join("windrose.yaml"));
    let there = (NOERROR, vec![one.to_string()]);
    assert_eq!(addresses(&node, "example.com."), there);
    let (_, status) = node.get("/status");
    assert!(status.contains("kept over a restart"), "{status}");
    let two = Ipv4Addr::new(198, 51, 100, 2);
    stub.say(Says::Address(two));
    await_address(&node, two);
}

#[test]
fn other_resolvers_are_asked_after_a_reload() {
    let (one, two) = (
        Ipv4Addr::new(198, 51, 100, 1),
        Ipv4Addr::new(198, 51, 100, 2),
    );
    let (dead, backend) = (Stub::start(Says::Nothing), Backend::start("a"));
    let (folder, node) = node(&dead, &backend);
    assert_eq!(addresses(&node, "example.com."), (SERVFAIL, vec![]));
    let live = Stub::start(Says::Address(one));
    configure(folder.path(), &live, &backend);
    node.signal(Signal::SIGHUP);
    await_address(&node, one);
    let third = Stub::start(Says::Address(two));
    configure(folder.path(), &third, &backend);
    node.signal(Signal::SIGHUP);
    await_address(&node, two);
}
