//! Second tries beside the first: who wins, who is reset, and when there is none.

use std::rc::Rc;
use std::time::Duration;

use tokio::sync::Notify;
use windrose_model::{App, Hedge, Percent};
use windrose_telemetry::{GroupEvent, Hedged};

use crate::support::backend::Backend;
use crate::support::{Node, app, eventually, run};

fn hedging(mut app: App, after: u64) -> App {
    app.hedge = Some(Hedge {
        after: Duration::from_millis(after),
    });
    app.retry_budget.min_per_second = 1_000;
    app.timeouts.first_byte = Duration::from_secs(20);
    app
}

fn counted(node: &Node) -> [u64; 4] {
    Hedged::ALL.map(|what| node.metrics.hedges.sum(0, what as u32))
}

#[test]
fn a_request_that_takes_long_is_answered_by_a_second_endpoint_and_the_first_hears_no_blame() {
    run(async {
        let (slow, good) = (Backend::stalls().await, Backend::answers("good").await);
        let two = app(&[("c1", &[slow.address]), ("c2", &[good.address])]);
        let mut node = Node::start(hedging(two, 30));
        for _ in 0..3 {
            let response = node.get("/").await;
            assert_eq!(
                (response.status, response.field("x-backend")),
                (200, "good")
            );
        }
        // Each time the slow one is asked first: nothing was held against it.
        assert_eq!(slow.connections.get(), 3);
        assert_eq!(counted(&node), [3, 0, 0, 0]);
        let failures = GroupEvent::ConnectFailure as u32;
        assert_eq!(node.metrics.group_events.sum(0, failures), 0);
        assert!(node.reports.try_recv().is_err(), "control hears nothing");
        node.stop().await;
    });
}

#[test]
fn a_body_that_was_sent_whole_is_sent_again_and_a_post_is_not() {
    run(async {
        let (slow, good) = (Backend::stalls().await, Backend::answers("good").await);
        let two = app(&[("c1", &[slow.address]), ("c2", &[good.address])]);
        let mut app = hedging(two, 30);
        let node = Node::start(app.clone());
        let mut client = node.client().await;
        client
            .send("PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc")
            .await;
        let response = client.response().await;
        assert_eq!(
            (response.status, response.field("x-backend")),
            (200, "good")
        );
        assert!(response.text().contains("content-length: 3"));
        node.stop().await;
        app.timeouts.first_byte = Duration::from_millis(300);
        let node = Node::start(app);
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 3\r\n\r\nabc")
            .await;
        assert_eq!(client.response().await.status, 504);
        assert_eq!(counted(&node), [0, 0, 0, 0]);
        node.stop().await;
    });
}

#[test]
fn the_first_response_wins_if_it_comes_first_and_the_second_try_is_reset() {
    run(async {
        let now = Rc::new(Notify::new());
        let late = Backend::answers_when("late", Rc::clone(&now)).await;
        let slow = Backend::stalls().await;
        let two = app(&[("c1", &[late.address]), ("c2", &[slow.address])]);
        let node = Node::start(hedging(two, 20));
        let second = async {
            eventually("the second try", || slow.connections.get() == 1).await;
            now.notify_one();
        };
        let (response, ()) = tokio::join!(node.get("/"), second);
        assert_eq!(response.field("x-backend"), "late");
        assert_eq!(counted(&node), [0, 1, 0, 0]);
        node.stop().await;
    });
}

#[test]
fn never_more_than_one_extra_and_none_without_another_endpoint_or_beyond_the_budget() {
    run(async {
        let one = Backend::stalls().await;
        let (two, three) = (Backend::stalls().await, Backend::stalls().await);
        let all = [one.address, two.address, three.address];
        let mut many = hedging(app(&[("c1", &all)]), 20);
        many.timeouts.first_byte = Duration::from_millis(200);
        many.retry.attempts = 0;
        let mut node = Node::start(many.clone());
        assert_eq!(node.get("/").await.status, 504);
        let tried = || one.connections.get() + two.connections.get() + three.connections.get();
        assert_eq!(tried(), 2);
        many.retry_budget.min_per_second = 0;
        many.retry_budget.share = Percent::ZERO;
        node.publish(many.clone(), 2, |_| {});
        (0..3).for_each(|slot| node.shared.forget_endpoint(slot));
        assert_eq!(node.get("/").await.status, 504);
        assert_eq!((tried(), counted(&node)), (3, [0, 0, 1, 1]));
        node.stop().await;
        let mut alone = hedging(app(&[("c1", &[one.address])]), 20);
        alone.timeouts.first_byte = Duration::from_millis(200);
        alone.retry.attempts = 0;
        let node = Node::start(alone);
        assert_eq!(node.get("/").await.status, 504);
        assert_eq!((tried(), counted(&node)), (4, [0; 4]));
        node.stop().await;
    });
}

#[test]
fn a_bad_response_does_not_win_against_one_that_may_be_good() {
    run(async {
        let now = Rc::new(Notify::new());
        let late = Backend::answers_when("late", Rc::clone(&now)).await;
        let bad = Backend::answers_with("bad", "500 Internal Server Error").await;
        let two = app(&[("c1", &[late.address]), ("c2", &[bad.address])]);
        let node = Node::start(hedging(two, 20));
        let second = async {
            eventually("the second try", || bad.seen.borrow().len() == 1).await;
            now.notify_one();
        };
        let (response, ()) = tokio::join!(node.get("/"), second);
        assert_eq!(response.field("x-backend"), "late");
        node.stop().await;
    });
}

#[test]
fn when_the_first_breaks_the_second_goes_on() {
    run(async {
        let (breaks, now) = (Rc::new(Notify::new()), Rc::new(Notify::new()));
        let first = Backend::resets_when(Rc::clone(&breaks)).await;
        let late = Backend::answers_when("late", Rc::clone(&now)).await;
        let two = app(&[("c1", &[first.address]), ("c2", &[late.address])]);
        let mut app = hedging(two, 20);
        app.retry.attempts = 0;
        let node = Node::start(app);
        let second = async {
            eventually("the second try", || late.connections.get() == 1).await;
            breaks.notify_one();
            now.notify_one();
        };
        let (response, ()) = tokio::join!(node.get("/"), second);
        assert_eq!(response.field("x-backend"), "late");
        assert_eq!(counted(&node), [1, 0, 0, 0]);
        node.stop().await;
    });
}
