//! A changed file takes effect without losing a query or a request; a wrong one never does.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};

use crate::support::{Backend, Files, Node, ask, eventually, get};
use nix::sys::signal::Signal;

#[test]
fn reloads_under_load_lose_no_query_and_no_request() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    let (dns, http) = (node.dns, node.http);
    let stop = Arc::new(AtomicBool::new(false));
    let (asked, fetched) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
    let asker = std::thread::spawn({
        let (stop, asked) = (Arc::clone(&stop), Arc::clone(&asked));
        move || {
            while !stop.load(Ordering::Relaxed) {
                let (rcode, addresses) = ask(dns, "shop.example.com.").expect("an answer");
                assert_eq!((rcode, addresses.len()), (0, 1));
                asked.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let fetcher = std::thread::spawn({
        let (stop, fetched) = (Arc::clone(&stop), Arc::clone(&fetched));
        move || {
            while !stop.load(Ordering::Relaxed) {
                let (status, _) = get(http, "shop.example.com", "/").expect("an answer");
                assert_eq!(status, 200);
                fetched.fetch_add(1, Ordering::Relaxed);
            }
        }
    });
    let text = files.text(a.address, b.address);
    for round in 2..=6 {
        // Traffic between any two reloads.
        let seen = (
            asked.load(Ordering::Relaxed),
            fetched.load(Ordering::Relaxed),
        );
        eventually("traffic flows", || {
            (asked.load(Ordering::Relaxed) > seen.0 + 20
                && fetched.load(Ordering::Relaxed) > seen.1 + 5)
                .then_some(())
        });
        files.write(&text.replace("ttl: 5s", &format!("ttl: {round}s")));
        node.await_log(&format!("revision={round}"));
    }
    stop.store(true, Ordering::Relaxed);
    asker.join().expect("no query was lost");
    fetcher.join().expect("no request was lost");
}

#[test]
fn a_wrong_file_is_told_and_the_old_state_serves() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    let text = files.text(a.address, b.address);

    files.write(&text.replace("hosts:", "hots:"));
    node.await_log("configuration refused");
    // All of it is on stderr once the state is known.
    node.await_log("app has no key `hots`");
    let log = node.log();
    assert_eq!(log.matches(" ERROR ").count(), 1, "{log}");
    assert_eq!(
        ask(node.dns, "shop.example.com."),
        Some((0, vec!["192.0.2.1".to_owned()]))
    );
    assert_eq!(get(node.http, "shop.example.com", "/").unwrap().0, 200);
    assert_eq!(node.get("/readyz").0, 200);
    eventually("the metric says so", || {
        node.get("/metrics")
            .1
            .contains("windrose_config_reload_success 0")
            .then_some(())
    });
    assert!(node.get("/status?format=text").1.contains("hots"));

    files.write(&text);
    eventually("a good file is taken again", || {
        node.get("/metrics")
            .1
            .contains("windrose_config_reload_success 1")
            .then_some(())
    });
}

#[test]
#[cfg(target_os = "linux")]
fn a_node_without_descriptors_keeps_the_old_state_says_so_and_reads_when_it_can() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    let text = files.text(a.address, b.address);

    node.limit_descriptors(3);
    files.write(&text.replace("ttl: 5s", "ttl: 7s"));
    node.await_log("cannot read the configuration now");
    node.await_log("error[unreadable-now]");
    assert!(ask(node.dns, "shop.example.com.").is_some());
    node.limit_descriptors(1_024);
    // Nothing happens to the file any more.
    node.await_log("configuration taken");
    assert!(!node.log().contains("configuration refused"));
    let metrics = node.get("/metrics").1;
    assert!(metrics.contains("windrose_config_reload_success 1"));
}

#[test]
fn what_looks_wrong_in_a_new_file_is_told() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);
    let text = files.text(backend.address, backend.address);
    files.write(&text.replace("timeout: 80ms", "timeout: 120ms"));
    node.await_log("revision=2");
    assert!(node.log().contains("timeout-above-interval at "));
}

#[test]
fn changed_listeners_are_refused_by_name_and_sighup_reloads() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    let text = files.text(a.address, b.address);
    files.write(&text.replace("dns: [\"127.0.0.1:0\"]", "dns: [\"127.0.0.2:0\"]"));
    node.await_log("restart-needed: listeners.dns");
    node.signal(Signal::SIGHUP);
    node.await_log("SIGHUP");
    assert_eq!(
        ask(node.dns, "shop.example.com."),
        Some((0, vec!["192.0.2.1".to_owned()]))
    );
}

#[test]
fn who_is_added_to_a_list_of_users_is_known_without_another_edit() {
    let (a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let list = files.config.with_file_name("beta.txt");
    std::fs::write(&list, "ann\n").unwrap();
    let text = files.text(a.address, b.address);
    let text = text.replace("{geo: none}", "{geo: none, users: {beta: beta.txt}}");
    let route =
        "    routes: [{match: {user: {header: x-user, list: beta}}, respond: {status: 204}}]\n";
    let at = text.find("    hosts:").unwrap();
    files.write(&format!("{}{route}{}", &text[..at], &text[at..]));
    let node = Node::start(&files.config);
    let ben = || {
        let head =
            "GET / HTTP/1.1\r\nHost: shop.example.com\r\nx-user: ben\r\nConnection: close\r\n\r\n";
        let mut stream = std::net::TcpStream::connect(node.http).unwrap();
        std::io::Write::write_all(&mut stream, head.as_bytes()).unwrap();
        let mut said = String::new();
        std::io::Read::read_to_string(&mut stream, &mut said).unwrap();
        said
    };
    assert!(ben().starts_with("HTTP/1.1 200"), "not in the list yet");
    std::fs::write(&list, "ann\nben\n").unwrap();
    eventually("ben is in the list", || {
        ben().starts_with("HTTP/1.1 204").then_some(())
    });
}

#[test]
fn switches_between_blue_and_green_under_load_fail_no_request_and_mix_nothing() {
    let (blue, green) = (Backend::start("blue"), Backend::start("green"));
    let files = Files::new(blue.address, green.address);
    let text = files.text(blue.address, green.address);
    let one = format!(
        "{{v1: {{endpoints: {{a: [\"{}\"], b: [\"{}\"]}}}}}}",
        blue.address, green.address
    );
    let two = format!(
        "{{blue: {{endpoints: {{a: [\"{}\"]}}}}, green: {{endpoints: {{b: [\"{}\"]}}}}}}\n    preview: {{headers: {{x-preview: \"yes\"}}}}\n    active: ",
        blue.address, green.address
    );
    assert!(text.contains(&one));
    let active = |version: &str| text.replace(&one, &format!("{two}{version}"));
    files.write(&active("blue"));
    let node = Node::start(&files.config);
    let http = node.http;
    let stop = Arc::new(AtomicBool::new(false));
    let fetched = Arc::new(AtomicU64::new(0));
    let fetchers: Vec<_> = (0..2)
        .map(|_| {
            let (stop, fetched) = (Arc::clone(&stop), Arc::clone(&fetched));
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let (status, _) = get(http, "shop.example.com", "/").expect("an answer");
                    assert_eq!(status, 200);
                    fetched.fetch_add(1, Ordering::Relaxed);
                }
            })
        })
        .collect();
    for round in 2..=9 {
        let version = ["green", "blue"][round % 2];
        let before = fetched.load(Ordering::Relaxed);
        files.write(&active(version));
        node.await_log(&format!("revision={round}"));
        eventually("the active version answers", || {
            let (_, body) = get(http, "shop.example.com", "/").expect("an answer");
            body.contains(version).then_some(())
        });
        let (_, body) = get(http, "shop.example.com", "/").expect("an answer");
        assert!(body.contains(version), "round {round}: {body}");
        assert!(fetched.load(Ordering::Relaxed) > before);
    }
    stop.store(true, Ordering::Relaxed);
    for fetcher in fetchers {
        fetcher.join().expect("no request failed");
    }
}
