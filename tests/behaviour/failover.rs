//! A cluster whose endpoint goes away leaves DNS and the proxy, and comes back.

use crate::support::{Backend, Files, Node, ask, eventually, get};

#[test]
fn dns_and_http_leave_a_dead_cluster_and_return_to_it() {
    let (mut a, b) = (Backend::start("a"), Backend::start("b"));
    let files = Files::new(a.address, b.address);
    let node = Node::start(&files.config);
    let one = |ip: &str| Some((0, vec![ip.to_owned()]));

    eventually("DNS answers the preferred cluster", || {
        (ask(node.dns, "shop.example.com.") == one("192.0.2.1")).then_some(())
    });
    assert_eq!(
        get(node.http, "shop.example.com", "/").unwrap(),
        (200, "a\n".to_owned())
    );

    a.stop();
    // At once, before any verdict.
    assert_eq!(
        get(node.http, "shop.example.com", "/").unwrap(),
        (200, "b\n".to_owned())
    );
    eventually("DNS leaves the dead cluster", || {
        (ask(node.dns, "shop.example.com.") == one("192.0.2.2")).then_some(())
    });
    let (_, status) = node.get("/status?format=text");
    // Whichever came last: a probe, or the request above.
    let causes = ["connection refused", "live traffic: connect failed"];
    assert!(
        causes.iter().any(|cause| status.contains(cause)),
        "the cause is told: {status}"
    );

    let again = Backend::start("a2");
    files.write(&files.text(again.address, b.address));
    eventually("DNS returns", || {
        (ask(node.dns, "shop.example.com.") == one("192.0.2.1")).then_some(())
    });
    eventually("HTTP returns", || {
        (get(node.http, "shop.example.com", "/").ok()? == (200, "a2\n".to_owned())).then_some(())
    });
}

#[test]
fn a_name_outside_all_zones_is_refused_and_an_unknown_host_is_not_found() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);
    assert_eq!(ask(node.dns, "example.org."), Some((5, vec![])));
    assert_eq!(ask(node.dns, "nobody.example.com."), Some((3, vec![])));
    assert_eq!(get(node.http, "example.org", "/").unwrap().0, 404);
}
