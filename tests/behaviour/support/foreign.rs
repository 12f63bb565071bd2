//! Clients and servers of others, by a script of Python, with a node between them.
//!
//! A script starts its server, prints the port, reads the node's address, and says what came of it. It
//! ends with [`ABSENT`] where the packages that it needs are not installed; `./test` fetches them.

use std::io::{BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};

use super::{Files, Node};

/// Says that a package is not there.
const ABSENT: i32 = 77;

/// What a script of `tests/data` says with a node of that configuration, and the node; `None` without
/// the packages or Python.
pub(crate) fn talk(
    script: &str,
    config: impl Fn(SocketAddr) -> String,
) -> Option<(Vec<String>, Node)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let child = Command::new("python3")
        .arg(root.join("tests/data").join(script))
        .env("PYTHONPATH", root.join("target/tools/python"))
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let Ok(mut child) = child else {
        eprintln!("python3 is not installed; this is skipped");
        return None;
    };
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let Some(Ok(port)) = lines.next() else {
        let output = child.wait_with_output().unwrap();
        let stderr = String::from_utf8_lossy(&output.stderr);
        assert_eq!(output.status.code(), Some(ABSENT), "{stderr}");
        eprintln!("packages of {script} are not installed; this is skipped");
        return None;
    };
    let backend = format!("127.0.0.1:{port}").parse().unwrap();
    let files = Files::new(backend, backend);
    files.write(&config(backend));
    let data = files.config.with_file_name("data");
    let node = Node::spawn(&files.config, &["--data-dir", data.to_str().unwrap()]);
    node.wait_ready();
    let told = format!("{}\n", node.http);
    let mut hears = child.stdin.take().unwrap();
    hears.write_all(told.as_bytes()).unwrap();
    let said = lines.map_while(Result::ok).collect();
    let output = child.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{stderr}\n{}", node.log());
    Some((said, node))
}
