//! What keeps a node from starting is told with the next move, and with exit code 2.

use std::io::{BufRead, BufReader};
use std::net::{TcpListener, UdpSocket};
use std::process::{Command, Stdio};

use crate::support::{self, Backend, Files, Node, verb};

#[test]
fn a_busy_port_names_listener_address_key_and_flag() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let config = files.config.to_str().unwrap();

    let udp = UdpSocket::bind("127.0.0.1:0").unwrap();
    let at = udp.local_addr().unwrap().to_string();
    let output = verb(&["run", "-c", config, "--listen-dns", &at]);
    assert_eq!(output.status.code(), Some(2));
    let text = support::stderr(&output);
    assert!(
        text.contains(&format!(
            "error[port-in-use]: dns listener: {at} (udp) is in use by another process"
        )),
        "{text}"
    );
    assert!(text.contains("`listeners.dns` or `--listen-dns`"), "{text}");

    let tcp = TcpListener::bind("127.0.0.1:0").unwrap();
    let at = tcp.local_addr().unwrap().to_string();
    for (flag, key) in [
        ("--listen-http", "listeners.http"),
        ("--listen-admin", "listeners.admin"),
    ] {
        let output = verb(&["run", "-c", config, flag, &at]);
        assert_eq!(output.status.code(), Some(2));
        let text = support::stderr(&output);
        assert!(text.contains("error[port-in-use]"), "{text}");
        assert!(text.contains(&format!("`{key}` or `{flag}`")), "{text}");
    }
}

#[test]
fn a_second_windrose_on_the_same_ports_is_refused() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let node = Node::start(&files.config);
    let config = files.config.to_str().unwrap();
    let other = files.folder.path().join("other");
    for (flag, at) in [("--listen-dns", node.dns), ("--listen-http", node.http)] {
        let at = at.to_string();
        let output = verb(&[
            "run",
            "-c",
            config,
            "--data-dir",
            other.to_str().unwrap(),
            flag,
            &at,
        ]);
        assert_eq!(output.status.code(), Some(2));
        assert!(support::stderr(&output).contains("error[port-in-use]"));
    }
}

#[test]
fn a_second_instance_on_one_data_dir_is_refused() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let _node = Node::start(&files.config);
    let output = verb(&["run", "-c", files.config.to_str().unwrap()]);
    assert_eq!(output.status.code(), Some(2));
    let text = support::stderr(&output);
    assert!(text.contains("error[data-dir-locked]"), "{text}");
    assert!(
        text.contains("belongs to another running Windrose (process "),
        "{text}"
    );
}

#[test]
fn more_threads_than_the_shell_allows_descriptors_are_no_hindrance() {
    let backend = Backend::start("a");
    let files = Files::new(backend.address, backend.address);
    let text = files.text(backend.address, backend.address);
    files.write(&text.replace("threads: 2", "threads: 100"));
    let limited = format!(
        "ulimit -S -n 64 && exec {} run -c {}",
        env!("CARGO_BIN_EXE_windrose"),
        files.config.display()
    );
    let mut child = Command::new("sh")
        .args(["-c", &limited])
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    BufReader::new(child.stdout.take().unwrap())
        .read_line(&mut line)
        .unwrap();
    child.kill().unwrap();
    child.wait().unwrap();
    assert!(line.starts_with("listening dns"), "{line}");
}
