//! Retries where little is left: no endpoint, no time, a response in hand.

use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::time::interval;
use windrose_model::{App, BackOff, Retry, RetryOn, StatusRange};
use windrose_telemetry::GroupEvent;

use crate::support::backend::{Backend, Blackhole, Peer, refusing};
use crate::support::{Node, app, run};

fn repeating(mut app: App, attempts: u8) -> App {
    app.retry = Retry {
        attempts,
        on: RetryOn {
            statuses: [StatusRange::new(503, 503).unwrap()].into(),
            ..RetryOn::default()
        },
        back_off: BackOff {
            base: Duration::from_millis(1),
            max: Duration::from_millis(1),
        },
        retry_after: Duration::from_secs(60),
    };
    app.retry_budget.min_per_second = 1_000;
    app
}

const BUSY: &[u8] =
    b"HTTP/1.1 503 Service Unavailable\r\nretry-after: 20\r\ncontent-length: 4\r\n\r\nbusy";

#[test]
fn nobody_waits_for_a_repetition_that_has_nowhere_to_go() {
    run(async {
        let busy = Backend::says(BUSY).await;
        let node = Node::start(repeating(app(&[("c1", &[busy.address])]), 3));
        let began = Instant::now();
        let response = node.get("/").await;
        assert_eq!((response.status, response.text()), (503, "busy"));
        assert!(began.elapsed() < Duration::from_secs(10));
        let count = |event| node.metrics.group_events.sum(0, event as u32);
        assert_eq!(
            (count(GroupEvent::Retry), count(GroupEvent::RetryRefused)),
            (0, 0)
        );
        node.stop().await;
    });
}

#[test]
fn the_response_that_was_to_be_repeated_is_given_when_the_next_endpoint_fails() {
    run(async {
        let busy = Backend::answers_with("busy", "503 Service Unavailable").await;
        let resets = Backend::resets().await;
        for next in [refusing(), resets.address] {
            let all = app(&[("c1", &[busy.address]), ("c2", &[next])]);
            let node = Node::start(repeating(all, 1));
            let response = node.get("/").await;
            assert_eq!(
                (response.status, response.field("x-backend")),
                (503, "busy")
            );
            node.stop().await;
        }
    });
}

#[test]
fn what_breaks_on_a_kept_connection_is_repeated_at_another_endpoint_first() {
    run(async {
        // Serves one request on its first connection; from then on it is as good as killed.
        let dying = Backend::start(|stream, number| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.request().await;
            if number == 0 {
                let answer = b"HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n";
                let _ = peer.stream.write_all(answer).await;
                let _ = peer.request().await;
            }
            let _ = peer.stream.set_zero_linger();
        })
        .await;
        let good = Backend::answers("good").await;
        for _ in 0..8 {
            dying.connections.set(0);
            let all = app(&[("c1", &[dying.address, good.address])]);
            let node = Node::start(repeating(all, 1));
            let mut client = node.client().await;
            for _ in 0..20 {
                assert_eq!(client.get("/").await.status, 200);
            }
            drop(client);
            node.stop().await;
        }
    });
}

#[test]
fn a_connection_that_takes_too_long_is_no_attempt_whatever_the_method() {
    run(async {
        let full = Blackhole::new();
        let good = Backend::answers("good").await;
        let mut all = app(&[("c1", &[full.address]), ("c2", &[good.address])]);
        all.timeouts.connect = Duration::from_secs(20);
        all.timeouts.per_try = Duration::from_millis(100);
        let node = Node::start(repeating(all, 1));
        let mut client = node.client().await;
        client
            .send("POST / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 0\r\n\r\n")
            .await;
        let response = client.response().await;
        assert_eq!(
            (response.status, response.field("x-backend")),
            (200, "good")
        );
        let failed = GroupEvent::ConnectFailure as u32;
        assert_eq!(node.metrics.group_events.sum(0, failed), 1);
        node.stop().await;
    });
}

#[test]
fn an_upload_that_moves_is_not_cut_off_by_the_time_of_an_attempt() {
    run(async {
        let good = Backend::answers("good").await;
        let mut all = app(&[("c1", &[good.address])]);
        all.timeouts.per_try = Duration::from_millis(100);
        let node = Node::start(repeating(all, 1));
        let mut client = node.client().await;
        let head = "PUT / HTTP/1.1\r\nHost: app.test\r\nContent-Length: 10\r\n\r\n";
        client.send(head).await;
        let mut pace = interval(Duration::from_millis(30));
        for _ in 0..10 {
            pace.tick().await;
            client.send("x").await;
        }
        assert_eq!(client.response().await.status, 200);
        node.stop().await;
    });
}
