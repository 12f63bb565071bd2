//! Rate limits of an app, as clients see them.

use std::time::Duration;

use windrose_model::{RateKey, RateLimit};
use windrose_proxy::Settings;

use crate::support::backend::Backend;
use crate::support::{Node, app, name, run};

/// So few in so long that no test lasts until there is one more.
fn limit(rate: u32, by: RateKey) -> RateLimit {
    RateLimit {
        rate,
        per: Duration::from_secs(3_600),
        burst: rate,
        by,
        enforced: true,
    }
}

async fn node(backend: &Backend, limits: &[(&str, RateLimit)]) -> Node {
    let mut app = app(&[("c1", &[backend.address])]);
    app.rate_limits = limits
        .iter()
        .map(|(n, limit)| (name(n), limit.clone()))
        .collect();
    let settings = Settings {
        forwarded_trust: vec!["127.0.0.0/8".parse().unwrap()],
        ..Settings::default()
    };
    Node::with(app, settings)
}

#[test]
fn a_request_beyond_the_limit_gets_429_and_when_to_come_again() {
    run(async {
        let backend = Backend::answers("b1").await;
        let node = node(&backend, &[("each", limit(2, RateKey::Client))]).await;
        let mut client = node.client().await;
        let first = client.get("/").await;
        assert_eq!(first.status, 200);
        assert_eq!(first.field("ratelimit-policy"), "\"each\";q=2;w=3600");
        assert_eq!(first.field("ratelimit"), "\"each\";r=1;t=1800");
        assert_eq!(first.field("retry-after"), "");
        assert_eq!(client.get("/").await.status, 200);
        let third = client.get("/").await;
        assert_eq!(third.status, 429);
        assert_eq!(third.flags(), "RL");
        assert_eq!(third.text(), "too many requests\n");
        let wait: u64 = third.field("retry-after").parse().unwrap();
        assert!((1_790..=1_800).contains(&wait), "{wait}");
        assert_eq!(third.field("ratelimit"), format!("\"each\";r=0;t={wait}"));
        assert_eq!(backend.seen.borrow().len(), 2, "no backend saw the third");
        node.stop().await;
    });
}

#[test]
fn the_connection_goes_on_after_a_429_also_with_a_body() {
    run(async {
        let backend = Backend::answers("b1").await;
        let key = RateKey::Header("x-key".to_owned());
        let node = node(&backend, &[("key", limit(1, key))]).await;
        let mut client = node.client().await;
        let request = |key: &str| {
            format!(
                "POST / HTTP/1.1\r\nhost: app.test\r\nx-key: {key}\r\ncontent-length: 3\r\n\r\nabc"
            )
        };
        for (key, status) in [("a", 200), ("a", 429), ("b", 200)] {
            client.send(request(key)).await;
            assert_eq!(client.response().await.status, status, "{key}");
        }
        node.stop().await;
    });
}

#[test]
fn behind_a_trusted_proxy_it_is_the_client_that_is_limited() {
    run(async {
        let backend = Backend::answers("b1").await;
        let node = node(&backend, &[("each", limit(1, RateKey::Client))]).await;
        let mut client = node.client().await;
        for (from, status) in [("192.0.2.1", 200), ("192.0.2.2", 200), ("192.0.2.1", 429)] {
            client
                .send(format!(
                    "GET / HTTP/1.1\r\nhost: app.test\r\nx-forwarded-for: {from}\r\n\r\n"
                ))
                .await;
            assert_eq!(client.response().await.status, status, "{from}");
        }
        node.stop().await;
    });
}

#[test]
fn a_dry_run_counts_and_refuses_nobody() {
    run(async {
        let backend = Backend::answers("b1").await;
        let dry = RateLimit {
            enforced: false,
            ..limit(1, RateKey::App)
        };
        let node = node(&backend, &[("dry", dry)]).await;
        for _ in 0..3 {
            assert_eq!(node.get("/").await.status, 200);
        }
        let counted = |cell| node.metrics.http_rate_limited.sum(0, cell);
        assert_eq!([counted(0), counted(1), counted(2)], [0, 2, 0]);
        node.stop().await;
    });
}
