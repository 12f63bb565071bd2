//! What a retry policy repeats, and what it does not.

use std::time::Duration;

use windrose_model::{App, BackOff, Filters, Retry, RetryOn, Route, StatusRange};
use windrose_telemetry::GroupEvent;

use crate::support::backend::Backend;
use crate::support::{Node, app, run};

fn on_503() -> RetryOn {
    RetryOn {
        statuses: [StatusRange::new(503, 503).unwrap()].into(),
        ..RetryOn::default()
    }
}

fn policy(attempts: u8, on: RetryOn) -> Retry {
    Retry {
        attempts,
        on,
        back_off: BackOff {
            base: Duration::from_millis(1),
            max: Duration::from_millis(1),
        },
        ..Retry::default()
    }
}

fn repeating(mut app: App, retry: Retry) -> App {
    app.retry = retry;
    app.retry_budget.min_per_second = 1_000;
    app
}

#[test]
fn a_status_of_the_policy_is_repeated_at_another_endpoint_and_counted() {
    run(async {
        let bad = Backend::answers_with("bad", "503 Service Unavailable").await;
        let good = Backend::answers("good").await;
        let all = app(&[("c1", &[bad.address, good.address])]);
        let node = Node::start(repeating(all.clone(), policy(1, on_503())));
        let mut client = node.client().await;
        for _ in 0..40 {
            assert_eq!(client.get("/").await.field("x-backend"), "good");
        }
        let met = bad.seen.borrow().len();
        assert!((1..40).contains(&met), "{met}");
        let retries = node.metrics.group_events.sum(0, GroupEvent::Retry as u32);
        assert_eq!(retries, met as u64);
        // What may not be repeated is passed on.
        let mut statuses = Vec::new();
        for _ in 0..40 {
            client
                .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n")
                .await;
            statuses.push(client.response().await.status);
        }
        assert!(
            statuses.contains(&503) && statuses.contains(&200),
            "{statuses:?}"
        );
        node.stop().await;
    });
}

#[test]
fn when_every_endpoint_says_so_the_client_hears_it_from_one_of_them() {
    run(async {
        let one = Backend::answers_with("one", "503 Service Unavailable").await;
        let two = Backend::answers_with("two", "503 Service Unavailable").await;
        let all = app(&[("c1", &[one.address, two.address])]);
        let node = Node::start(repeating(all, policy(5, on_503())));
        let response = node.get("/").await;
        assert_eq!(response.status, 503);
        assert!(["one", "two"].contains(&response.field("x-backend")));
        let seen = (one.seen.borrow().len(), two.seen.borrow().len());
        assert_eq!(seen, (1, 1), "never the same endpoint twice");
        node.stop().await;
    });
}

#[test]
fn a_response_that_wants_more_time_than_the_policy_gives_is_passed_on() {
    run(async {
        let busy = "503 Service Unavailable\r\nRetry-After: 30";
        let bad = Backend::answers_with("bad", busy).await;
        let other = Backend::answers_with("bad", busy).await;
        let all = app(&[("c1", &[bad.address, other.address])]);
        let node = Node::start(repeating(all, policy(1, on_503())));
        let response = node.get("/").await;
        assert_eq!(
            (response.status, response.field("retry-after")),
            (503, "30")
        );
        assert_eq!(bad.seen.borrow().len() + other.seen.borrow().len(), 1);
        node.stop().await;
    });
}

#[test]
fn an_attempt_has_a_time_of_its_own() {
    run(async {
        let slow = Backend::stalls().await;
        let good = Backend::answers("good").await;
        let all = app(&[("c1", &[slow.address]), ("c2", &[good.address])]);
        let mut app = repeating(all, policy(1, RetryOn::default()));
        app.timeouts.first_byte = Duration::from_secs(20);
        app.timeouts.per_try = Duration::from_millis(50);
        let mut node = Node::start(app.clone());
        let response = node.get("/").await;
        assert_eq!(
            (response.status, response.field("x-backend")),
            (200, "good")
        );
        assert_eq!(slow.connections.get(), 1);
        // Unless timeouts are not repeated.
        app.retry.on.timeout = false;
        node.publish(app, 2, |_| {});
        node.shared.forget_endpoint(0);
        let response = node.get("/").await;
        assert_eq!((response.status, response.flags()), (504, "UT"));
        node.stop().await;
    });
}

#[test]
fn a_route_has_a_policy_of_its_own() {
    run(async {
        let bad = Backend::resets().await;
        let good = Backend::answers("good").await;
        let mut app = app(&[("c1", &[bad.address]), ("c2", &[good.address])]);
        let never = RetryOn {
            reset: false,
            ..RetryOn::default()
        };
        let split = app.split.clone();
        app.routes = vec![Route {
            filters: Some(Box::new(Filters {
                retry: Some(Box::new(policy(1, never))),
                ..Filters::default()
            })),
            ..Route::prefix("/once", split)
        }];
        let node = Node::start(app);
        let response = node.get("/once").await;
        assert_eq!((response.status, response.flags()), (502, "UC"));
        node.shared.forget_endpoint(0);
        assert_eq!(node.get("/").await.field("x-backend"), "good");
        node.stop().await;
    });
}
