//! The client, against a node and against what is none.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::time::Duration;

use windrose_admin::client::{self, ClientError};

use crate::scene::Scene;

const PLENTY: Duration = Duration::from_secs(20);

#[test]
fn a_node_tells_its_status() {
    let scene = Scene::start();
    let status = client::status(&scene.url(), PLENTY).unwrap();
    assert_eq!(status.node, "n1");
    assert_eq!(status.apps[0].clusters.len(), 3);
    assert!(windrose_admin::render(&status).contains("shop  virginia"));
}

#[test]
fn nobody_there_is_unreachable() {
    let free = TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap();
    let error = client::status(&format!("http://{free}"), PLENTY).expect_err("closed port");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("refused"), "{error}");
}

#[test]
fn something_else_is_not_windrose() {
    for answer in [
        "SSH-2.0-OpenSSH_9.2\r\n",
        "HTTP/1.1 404 Not Found\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: 2\r\n\r\nhi",
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 2\r\n\r\n{}",
    ] {
        let error = client::status(&answering(answer), PLENTY).expect_err(answer);
        assert!(
            matches!(error, ClientError::NotWindrose { .. }),
            "{answer}: {error}"
        );
    }
}

#[test]
fn an_answer_that_breaks_off_is_unreachable() {
    let answer =
        "HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 99\r\n\r\n{}";
    let error = client::status(&answering(answer), PLENTY).expect_err("half a body");
    assert!(matches!(error, ClientError::Unreachable { .. }), "{error}");
}

#[test]
fn silence_is_a_timeout() {
    // Connections wait in the backlog, nobody accepts.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", silent.local_addr().unwrap());
    let error = client::status(&url, Duration::from_millis(50)).expect_err("silence");
    assert_eq!(
        error.to_string(),
        format!("node at {url} did not answer within 0.05 s")
    );
}

/// Says the same to everyone, once.
fn answering(answer: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut stream, _) = listener.accept().unwrap();
        let _ = stream.read(&mut [0; 4096]);
        let _ = stream.write_all(answer.as_bytes());
    });
    url
}
