//! Faults that a route injects: where an endpoint would be, and marked as such.

use std::time::{Duration, Instant};

use http::StatusCode;
use windrose_model::{Abort, App, Breakers, Delay, Fault, Filters, Outliers, Percent, WallTime};
use windrose_model::{Route, TextMatch};
use windrose_telemetry::Injected;

use crate::support::backend::Backend;
use crate::support::{Node, app, name, run};

const LATER: WallTime = WallTime(u64::MAX);

fn fault(change: impl FnOnce(&mut Fault)) -> Fault {
    let mut fault = Fault {
        delay: None,
        abort: None,
        reset: Percent::ZERO,
        headers: Vec::new(),
        cluster: None,
        until: LATER,
    };
    change(&mut fault);
    fault
}

/// The fault on every request.
fn with(mut app: App, fault: Fault) -> App {
    app.routes = vec![Route {
        filters: Some(Box::new(Filters {
            fault: Some(Box::new(fault)),
            ..Filters::default()
        })),
        ..Route::default()
    }];
    app
}

fn injected(node: &Node, slot: u32) -> [u64; 3] {
    Injected::ALL.map(|what| node.metrics.faults.sum(slot, what as u32))
}

#[test]
fn an_abort_is_answered_here_and_marked() {
    run(async {
        let good = Backend::answers("good").await;
        let aborts = fault(|fault| {
            fault.abort = Some(Abort {
                status: StatusCode::BAD_GATEWAY,
                percent: Percent::FULL,
            });
        });
        let node = Node::start(with(app(&[("c1", &[good.address])]), aborts));
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (502, "FI"));
        assert_eq!(response.field("x-windrose-fault"), "fault");
        assert_eq!(response.text(), "this fault was injected on purpose\n");
        assert_eq!(good.seen.borrow().len(), 0);
        assert_eq!(injected(&node, 0), [0, 1, 0]);
        node.stop().await;
    });
}

#[test]
fn a_delay_is_marked_on_the_response_of_the_backend_and_counts_against_timeouts() {
    run(async {
        let good = Backend::answers("good").await;
        let delays = |millis| {
            fault(|fault| {
                fault.delay = Some(Delay {
                    fixed: Duration::from_millis(millis),
                    percent: Percent::FULL,
                });
            })
        };
        let all = app(&[("c1", &[good.address])]);
        let mut node = Node::start(with(all.clone(), delays(100)));
        let began = Instant::now();
        let response = node.get("/").await;
        assert!(began.elapsed() >= Duration::from_millis(100));
        assert_eq!(
            (response.status, response.field("x-windrose-fault")),
            (200, "delay")
        );
        // first_byte is 400 ms: it runs out at both attempts, and the endpoint is not to blame.
        node.publish(with(all.clone(), delays(60_000)), 2, |_| {});
        let response = node.get("/").await;
        assert_eq!(
            (response.status, response.field("x-windrose-fault")),
            (504, "delay")
        );
        assert!(response.flags().contains("DI"), "{}", response.flags());
        let mut limited = with(all, delays(60_000));
        limited.timeouts.request = Duration::from_millis(50);
        node.publish(limited, 3, |_| {});
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (504, "UT,DT,DI"));
        node.stop().await;
    });
}

#[test]
fn a_reset_is_retried_elsewhere_and_blames_no_endpoint() {
    run(async {
        let first = Backend::answers("first").await;
        let second = Backend::answers("second").await;
        let resets = fault(|fault| {
            fault.reset = Percent::FULL;
            fault.cluster = Some(name("c1"));
        });
        let all = app(&[("c1", &[first.address]), ("c2", &[second.address])]);
        let mut app = with(all, resets);
        app.outliers = Some(Outliers {
            consecutive: 1,
            ..Outliers::default()
        });
        app.breakers = Some(Breakers {
            failures: 1,
            ..Breakers::default()
        });
        let node = Node::start(app);
        for _ in 0..5 {
            let response = node.get("/").await;
            assert_eq!(
                (response.status, response.field("x-backend")),
                (200, "second")
            );
            assert_eq!(response.field("x-windrose-fault"), "fault");
        }
        assert_eq!(first.connections.get(), 0);
        assert_eq!(
            (injected(&node, 0), injected(&node, 1)),
            ([0, 0, 5], [0; 3])
        );
        assert!(node.shared.exclusions().is_empty());
        assert!(node.shared.live().breakers.open.is_empty());
        // A method that may not be repeated is not.
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!((response.status, response.flags()), (502, "UC,FI"));
        node.stop().await;
    });
}

#[test]
fn a_fault_that_is_over_or_for_other_requests_does_nothing() {
    run(async {
        let good = Backend::answers("good").await;
        let over = fault(|fault| {
            fault.reset = Percent::FULL;
            fault.until = WallTime(1);
        });
        let all = app(&[("c1", &[good.address])]);
        let mut node = Node::start(with(all.clone(), over));
        let response = node.get("/").await;
        assert_eq!(
            (response.status, response.field("x-windrose-fault")),
            (200, "")
        );
        let asked = fault(|fault| {
            fault.reset = Percent::FULL;
            let name = http::HeaderName::from_static("x-chaos");
            fault.headers = vec![(name, TextMatch::Exact("cut".into()))];
        });
        node.publish(with(all, asked), 2, |_| {});
        assert_eq!(node.get("/").await.status, 200);
        let mut client = node.client().await;
        client
            .send("GET / HTTP/1.1\r\nHost: app.test\r\nX-Chaos: cut\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!(response.status, 502);
        assert!(response.flags().contains("FI"), "{}", response.flags());
        node.stop().await;
    });
}
