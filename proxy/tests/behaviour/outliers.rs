//! An endpoint that answers badly is left out, whatever the route, and others serve.

use windrose_model::{Outliers, Route, Split, Weight};
use windrose_telemetry::EJECTIONS;

use crate::support::backend::Backend;
use crate::support::{Node, app, name, run};

#[test]
fn an_endpoint_that_answers_5xx_on_one_route_is_left_out_on_all() {
    run(async {
        let bad = Backend::answers_with("bad", "500 Internal Server Error").await;
        let good = Backend::answers("good").await;
        let mut app = app(&[("c1", &[bad.address, good.address])]);
        app.outliers = Some(Outliers {
            success_rate: windrose_model::Percent::ZERO,
            ..Outliers::default()
        });
        let all = Split([(name("v1"), Weight::ONE)].into());
        app.routes = vec![Route::prefix("/a", all.clone()), Route::prefix("/b", all)];
        let node = Node::start(app);
        let mut client = node.client().await;
        let mut failed = 0;
        for n in 0..200 {
            let path = if n % 2 == 0 { "/a" } else { "/b" };
            failed += u32::from(client.get(path).await.status == 500);
        }
        assert_eq!(failed, 5, "the fifth in a row was the last");
        let out = node.shared.exclusions().list();
        let out: Vec<_> = out.values().collect();
        assert!(matches!(out[..], [one] if one.times == 1), "{out:?}");
        let counts: Vec<_> = (0..)
            .zip(EJECTIONS)
            .map(|(c, _)| node.metrics.ejections.sum(0, c))
            .collect();
        assert_eq!(counts, [1, 0, 0]);
        node.stop().await;
    });
}

#[test]
fn the_last_endpoint_of_all_is_tried_although_it_is_left_out() {
    run(async {
        let bad = Backend::answers_with("bad", "503 Service Unavailable").await;
        let mut app = app(&[("c1", &[bad.address])]);
        app.outliers = Some(Outliers::default());
        let node = Node::start(app);
        let mut client = node.client().await;
        for _ in 0..20 {
            let response = client.get("/").await;
            assert_eq!((response.status, response.field("x-backend")), (503, "bad"));
        }
        assert_eq!(node.shared.exclusions().list().len(), 1);
        node.stop().await;
    });
}
