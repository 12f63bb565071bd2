//! What a node that is overloaded does, step by step, and that it ends.

use std::time::Duration;

use windrose_proxy::{Bounds, Settings};
use windrose_telemetry::{Actions, HttpEvent};

use crate::support::backend::Backend;
use crate::support::{Node, app, eventually, run};

async fn watched(backend: &Backend) -> Node {
    let bounds = Bounds {
        memory: None,
        connections: Some(100),
        lag: Duration::from_secs(1),
        steps: [80, 90, 95],
    };
    let settings = Settings {
        overload: Some(bounds),
        ..Settings::default()
    };
    Node::with(app(&[("c1", &[backend.address])]), settings)
}

fn act(node: &Node, actions: Actions) {
    node.shared.live().overload.conclude([0; 3], actions);
}

#[test]
fn requests_are_refused_with_a_flag_while_it_refuses_and_no_longer() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = watched(&backend).await;
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.status, 200);
        act(&node, Actions::REFUSE);
        let refused = client.get("/").await;
        assert_eq!((refused.status, refused.flags()), (503, "OM"));
        assert_eq!(refused.field("retry-after"), "1");
        assert_eq!(refused.text(), "this node is overloaded\n");
        act(&node, Actions::default());
        assert_eq!(client.get("/").await.status, 200, "the connection was kept");
        let counted = node
            .metrics
            .http_events
            .sum(0, HttpEvent::Overloaded as u32);
        assert_eq!((counted, backend.seen.borrow().len()), (1, 2));
        node.stop().await;
    });
}

#[test]
fn without_keep_alive_a_connection_ends_behind_its_response() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = watched(&backend).await;
        act(&node, Actions::CLOSE);
        let mut client = node.client().await;
        let response = client.get("/").await;
        assert_eq!(
            (response.status, response.field("connection")),
            (200, "close")
        );
        let open = || node.shared.live().overload.open();
        eventually("the connection has ended", || open() == 0).await;
        act(&node, Actions::default());
        let mut client = node.client().await;
        assert_eq!(client.get("/").await.field("connection"), "");
        assert_eq!(open(), 1);
        node.stop().await;
    });
}

#[test]
fn what_is_not_accepted_waits_until_it_may() {
    run(async {
        let backend = Backend::answers("a").await;
        let node = watched(&backend).await;
        let mut first = node.client().await;
        assert_eq!(first.get("/").await.status, 200);
        act(&node, Actions::SHUT);
        // It was waiting for one already: that one gets through.
        let mut through = node.client().await;
        assert_eq!(through.get("/").await.status, 200);
        let mut second = node.client().await;
        second
            .send("GET / HTTP/1.1\r\nHost: app.test\r\n\r\n")
            .await;
        assert_eq!(first.get("/").await.status, 200);
        assert_eq!(node.shared.live().overload.open(), 2);
        act(&node, Actions::default());
        assert_eq!(second.response().await.status, 200);
        node.stop().await;
    });
}
