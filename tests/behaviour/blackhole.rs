//! The demo's black hole is one: connects time out, without root and without a packet filter.
#![cfg(target_os = "linux")]

use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::process::Stdio;
use std::time::Duration;

use crate::support::{eventually, get, windrose};

#[test]
fn a_black_hole_swallows_connects_until_it_ends() {
    let mut child = windrose()
        .args(["demo-backend", "--cluster", "here", "v1=127.0.0.1:0"])
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut line = String::new();
    let mut stdout = BufReader::new(child.stdout.take().unwrap());
    stdout.read_line(&mut line).unwrap();
    let at: SocketAddr = line.trim().parse().unwrap();
    let mut stdin = child.stdin.take().unwrap();
    assert_eq!(get(at, "h", "/").unwrap(), (200, "here v1\n".to_owned()));

    writeln!(stdin, "blackhole").unwrap();
    let connect = || TcpStream::connect_timeout(&at, Duration::from_millis(200));
    eventually("connects time out", || {
        let refused = connect().err()?;
        (refused.kind() == std::io::ErrorKind::TimedOut).then_some(())
    });

    writeln!(stdin, "serve").unwrap();
    eventually("it answers again", || {
        connect().ok()?;
        get(at, "h", "/").ok()
    });
    // It ends with its parent's end of the pipe.
    drop(stdin);
    eventually("it ends", || child.try_wait().unwrap());
}
