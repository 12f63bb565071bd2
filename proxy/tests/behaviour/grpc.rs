//! Calls of gRPC: errors of our own as statuses, deadlines, and what is seen of the statuses of others.

use std::rc::Rc;
use std::time::Duration;

use bytes::Bytes;
use h2::server::Builder;
use http::{HeaderValue, Request, Response};
use windrose_model::Outliers;
use windrose_telemetry::grpc_cell;

use crate::support::backend::{Backend, refusing};
use crate::support::http2::{Http2, get, whole};
use crate::support::streams::{fields, ok, over_http2, push, streams};
use crate::support::{Node, app, eventually, run};

/// A message of five octets of frame and no more.
const MESSAGE: &[u8] = &[0, 0, 0, 0, 0];

fn call(path: &str) -> Request<()> {
    let mut request = get(path);
    *request.method_mut() = http::Method::POST;
    let headers = request.headers_mut();
    headers.insert(
        "content-type",
        HeaderValue::from_static("application/grpc+proto"),
    );
    headers.insert("te", HeaderValue::from_static("trailers"));
    request
}

fn within(time: &'static str) -> Request<()> {
    let mut request = call("/a.B/C");
    let headers = request.headers_mut();
    headers.insert("grpc-timeout", HeaderValue::from_static(time));
    request
}

/// Answers each call with a message and a status, in trailers or alone, and the timeout it was given.
async fn ending(status: &'static str, alone: bool) -> Backend {
    streams(
        Builder::new(),
        move |(request, mut respond), _| async move {
            let mut response = Response::new(());
            let headers = response.headers_mut();
            headers.insert("content-type", HeaderValue::from_static("application/grpc"));
            if let Some(timeout) = request.headers().get("grpc-timeout") {
                headers.insert("x-timeout", timeout.clone());
            }
            if alone {
                headers.insert("grpc-status", HeaderValue::from_static(status));
                let _ = respond.send_response(response, true);
                return;
            }
            let mut send = respond.send_response(response, false).unwrap();
            let _ = push(&mut send, Bytes::from_static(MESSAGE)).await;
            let _ = send.send_trailers(fields(&[("grpc-status", status)]));
        },
    )
    .await
}

fn counted(node: &Node, status: Option<u8>) -> u64 {
    (0..8)
        .map(|group| node.metrics.grpc_calls.sum(group, grpc_cell(status)))
        .sum()
}

#[test]
fn errors_of_our_own_are_responses_without_messages() {
    run(async {
        let node = Node::start(over_http2(app(&[("c1", &[refusing()])])));
        let mut client = Http2::connect(node.address).await;
        let response = client.fetch(call("/a.B/C")).await;
        assert_eq!(response.status, 200);
        assert_eq!(response.field("content-type"), "application/grpc");
        assert_eq!(response.field("grpc-status"), "14");
        assert_eq!(
            response.field("grpc-message"),
            "no endpoint could be reached"
        );
        assert_eq!(response.flags(), "UF");
        assert!(!response.field("x-request-id").is_empty());
        assert!(response.body.is_empty());
        assert_eq!(counted(&node, Some(14)), 1);
        let nowhere = Request::post("http://other.test/a.B/C");
        let nowhere = nowhere.header("content-type", "application/grpc");
        let response = client.fetch(nowhere.body(()).unwrap()).await;
        assert_eq!(
            (response.status, response.field("grpc-status")),
            (200, "12")
        );
        // What is no call has an answer of HTTP.
        for content in ["application/grpc-web", "application/json"] {
            let mut request = call("/");
            let value = HeaderValue::from_static(content);
            request.headers_mut().insert("content-type", value);
            assert_eq!(client.fetch(request).await.status, 503, "{content}");
        }
    });
}

#[test]
fn statuses_of_backends_pass_and_are_counted() {
    run(async {
        for alone in [true, false] {
            let backend = ending("5", alone).await;
            let node = Node::start(over_http2(app(&[("c1", &[backend.address])])));
            let mut client = Http2::connect(node.address).await;
            let response = client.fetch(call("/a.B/C")).await;
            assert_eq!(response.status, 200);
            if alone {
                assert_eq!(response.field("grpc-status"), "5");
            } else {
                assert_eq!(response.trailers, "grpc-status: 5");
                assert_eq!(response.body, MESSAGE);
            }
            eventually("it is counted", || counted(&node, Some(5)) == 1).await;
            assert_eq!(client.get("/").await.status, 200, "no call");
            assert_eq!(counted(&node, None), 0);
        }
    });
}

#[test]
fn a_deadline_is_bounded_by_the_route_and_what_is_left_is_passed_on() {
    run(async {
        let backend = ending("0", true).await;
        let mut app = over_http2(app(&[("c1", &[backend.address])]));
        app.timeouts.request = Duration::from_secs(5);
        let node = Node::start(app);
        let mut client = Http2::connect(node.address).await;
        let mut left = async |time| {
            let response = client.fetch(within(time)).await;
            let text = response.field("x-timeout").to_owned();
            text.strip_suffix('u').unwrap().parse::<u64>().unwrap()
        };
        let two = left("2S").await;
        assert!((1_000_000..2_000_000).contains(&two), "{two}");
        let five = left("1H").await;
        assert!((4_000_000..5_000_000).contains(&five), "{five}");
        let response = client.fetch(call("/a.B/C")).await;
        assert_eq!(response.field("x-timeout"), "", "none was set");
        for wrong in ["", "1", "1s", "-1S", "123456789S"] {
            let response = client.fetch(within(wrong)).await;
            assert_eq!(response.field("grpc-status"), "13", "{wrong}");
        }
    });
}

#[test]
fn a_deadline_ends_a_call_with_its_own_status_before_and_behind_the_response() {
    run(async {
        let reset = Rc::new(std::cell::Cell::new(0));
        let seen = Rc::clone(&reset);
        let backend = streams(Builder::new(), move |(request, mut respond), _| {
            let seen = Rc::clone(&seen);
            async move {
                let begins = request.uri().path() == "/a.B/Begun";
                let waited = if begins {
                    let mut send = respond.send_response(Response::new(()), false).unwrap();
                    let _ = push(&mut send, Bytes::from_static(MESSAGE)).await;
                    std::future::poll_fn(|cx| send.poll_reset(cx)).await
                } else {
                    std::future::poll_fn(|cx| respond.poll_reset(cx)).await
                };
                seen.set(seen.get() + i32::from(waited.is_ok()));
            }
        })
        .await;
        let node = Node::start(over_http2(app(&[("c1", &[backend.address])])));
        let mut client = Http2::connect(node.address).await;
        let response = client.fetch(within("50m")).await;
        assert_eq!((response.status, response.field("grpc-status")), (200, "4"));
        assert_eq!(response.flags(), "UT,DT");
        let mut begun = within("50m");
        *begun.uri_mut() = "http://app.test/a.B/Begun".parse().unwrap();
        let response = client.fetch(begun).await;
        assert_eq!((response.status, &response.body[..]), (200, MESSAGE));
        assert!(
            response.trailers.starts_with("grpc-status: 4,"),
            "{}",
            response.trailers
        );
        assert_eq!(counted(&node, Some(4)), 2);
        eventually("both streams are reset", || reset.get() == 2).await;
    });
}

#[test]
fn a_call_that_is_cancelled_is_counted_without_a_status() {
    run(async {
        let backend = streams(Builder::new(), |(_, mut respond), _| async move {
            let send = respond.send_response(Response::new(()), false);
            std::future::pending::<()>().await;
            drop(send);
        })
        .await;
        let node = Node::start(over_http2(app(&[("c1", &[backend.address])])));
        let mut client = Http2::connect(node.address).await;
        let (response, mut send) = client.send.send_request(call("/a.B/C"), false).unwrap();
        response.await.unwrap();
        send.send_reset(h2::Reason::CANCEL);
        eventually("it is counted", || counted(&node, None) == 1).await;
    });
}

#[test]
fn an_endpoint_that_is_unavailable_by_its_own_word_is_an_outlier() {
    run(async {
        let (ill, well) = (ending("14", true).await, ending("0", true).await);
        let mut app = over_http2(app(&[("c1", &[ill.address, well.address])]));
        app.outliers = Some(Outliers {
            consecutive: 2,
            ..Outliers::default()
        });
        let node = Node::start(app);
        let mut client = Http2::connect(node.address).await;
        let mut statuses = Vec::new();
        for _ in 0..40 {
            let response = client.fetch(call("/a.B/C")).await;
            statuses.push(response.field("grpc-status").to_owned());
        }
        let ill = statuses.iter().filter(|status| *status == "14").count();
        assert_eq!(ill, 2, "{statuses:?}");
    });
}

#[test]
fn requests_that_are_no_calls_keep_their_time() {
    run(async {
        let backend = streams(Builder::new(), |(request, respond), _| async move {
            let passed = request.headers().get("grpc-timeout").cloned();
            assert_eq!(passed, Some(HeaderValue::from_static("50m")));
            ok(respond);
        })
        .await;
        let node = Node::start(over_http2(app(&[("c1", &[backend.address])])));
        let mut client = Http2::connect(node.address).await;
        let mut request = within("50m");
        *request.method_mut() = http::Method::PUT;
        let response = client.begin(request).await;
        assert_eq!(whole(response).await.unwrap().status, 200);
    });
}
