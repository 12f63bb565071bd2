//! Starts the built binary with free ports, reads the addresses it prints, and ends it.

pub(crate) mod foreign;

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, mpsc};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// Nothing here takes that long; a test that waits longer has failed.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

/// The built binary.
pub(crate) fn windrose() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_windrose"));
    command
        .env_remove("WINDROSE_CONFIG")
        .env_remove("WINDROSE_ADMIN");
    command
}

/// Runs a verb to its end.
pub(crate) fn verb(args: &[&str]) -> Output {
    windrose().args(args).output().unwrap()
}

pub(crate) fn stdout(output: &Output) -> String {
    String::from_utf8(output.stdout.clone()).unwrap()
}

pub(crate) fn stderr(output: &Output) -> String {
    String::from_utf8(output.stderr.clone()).unwrap()
}

/// Looks again and again until it holds, at most [`PATIENCE`] long.
pub(crate) fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let until = Instant::now() + PATIENCE;
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(Instant::now() < until, "not within {PATIENCE:?}: {what}");
        std::thread::park_timeout(Duration::from_millis(10));
    }
}

/// A node that runs from a file; killed when dropped.
pub(crate) struct Node {
    child: Child,
    pub(crate) dns: SocketAddr,
    pub(crate) http: SocketAddr,
    https: Option<SocketAddr>,
    pub(crate) admin: SocketAddr,
    log: Arc<Mutex<String>>,
}

impl Node {
    /// Starts a node and waits until it is ready.
    pub(crate) fn start(config: &Path) -> Self {
        let node = Self::spawn(config, &[]);
        node.wait_ready();
        node
    }

    /// Starts a node and reads what it listens on.
    pub(crate) fn spawn(config: &Path, more: &[&str]) -> Self {
        let mut child = windrose()
            .args(["run", "-c"])
            .arg(config)
            .args(more)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        let log = Arc::new(Mutex::new(String::new()));
        let (stderr, lines) = (child.stderr.take().unwrap(), Arc::clone(&log));
        std::thread::spawn(move || {
            for line in BufReader::new(stderr).lines().map_while(Result::ok) {
                let mut log = lines.lock().unwrap();
                log.push_str(&line);
                log.push('\n');
            }
        });
        let stdout = child.stdout.take().unwrap();
        let (send, listeners) = mpsc::channel();
        std::thread::spawn(move || {
            for line in BufReader::new(stdout).lines().map_while(Result::ok) {
                let _ = send.send(line);
            }
        });
        let (mut found, mut https) = ([None; 3], None);
        while found.iter().any(Option::is_none) {
            let Ok(line) = listeners.recv_timeout(PATIENCE) else {
                panic!("no listeners; log: {}", log.lock().unwrap());
            };
            let words: Vec<_> = line.split(' ').collect();
            if words[1] == "https" {
                https = Some(words[2].parse().unwrap());
                continue;
            }
            let at = ["dns", "http", "admin"].iter().position(|k| *k == words[1]);
            found[at.unwrap()].get_or_insert_with(|| words[2].parse().unwrap());
        }
        Self {
            child,
            dns: found[0].unwrap(),
            http: found[1].unwrap(),
            https,
            admin: found[2].unwrap(),
            log,
        }
    }

    /// Where it speaks HTTPS.
    pub(crate) fn https(&self) -> SocketAddr {
        self.https.unwrap()
    }

    pub(crate) fn wait_ready(&self) {
        self.await_log("ready");
    }

    /// Waits for a text in the log.
    pub(crate) fn await_log(&self, text: &str) {
        eventually(&format!("log says {text:?}"), || {
            self.log.lock().unwrap().contains(text).then_some(())
        });
    }

    pub(crate) fn log(&self) -> String {
        self.log.lock().unwrap().clone()
    }

    /// Lets the node open no file beyond this number from now on.
    #[cfg(target_os = "linux")]
    pub(crate) fn limit_descriptors(&self, number: usize) {
        let status = Command::new("prlimit")
            .arg(format!("--pid={}", self.child.id()))
            .arg(format!("--nofile={number}:"))
            .status();
        assert!(status.unwrap().success());
    }

    pub(crate) fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Waits for its end; gives the exit code.
    pub(crate) fn end(&mut self) -> i32 {
        let status = eventually("the node ends", || self.child.try_wait().unwrap());
        status.code().unwrap_or(-1)
    }

    pub(crate) fn get(&self, path: &str) -> (u16, String) {
        get(self.admin, "admin", path).unwrap()
    }
}

impl Drop for Node {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
        if std::thread::panicking() {
            eprintln!("the node's log:\n{}", self.log());
        }
    }
}

/// A GET on a connection of its own.
pub(crate) fn get(to: SocketAddr, host: &str, path: &str) -> std::io::Result<(u16, String)> {
    let mut stream = TcpStream::connect(to)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    write!(
        stream,
        "GET {path} HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n"
    )?;
    let mut text = String::new();
    stream.read_to_string(&mut text)?;
    let status = text.get(9..12).and_then(|code| code.parse().ok());
    let status = status.ok_or(std::io::ErrorKind::InvalidData)?;
    let body = text.split_once("\r\n\r\n").map_or("", |(_, body)| body);
    Ok((status, body.to_owned()))
}

/// Asks for the A records of a name; gives rcode and addresses.
pub(crate) fn ask(to: SocketAddr, name: &str) -> Option<(u8, Vec<String>)> {
    use hickory_proto::op::{Message, MessageType, OpCode, Query};
    use hickory_proto::rr::{Name, RData, RecordType};

    let mut message = Message::new(7, MessageType::Query, OpCode::Query);
    message.add_query(Query::query(Name::from_ascii(name).unwrap(), RecordType::A));
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket
        .set_read_timeout(Some(Duration::from_secs(2)))
        .unwrap();
    socket.send_to(&message.to_vec().unwrap(), to).unwrap();
    let mut packet = [0; 1500];
    let (length, _) = socket.recv_from(&mut packet).ok()?;
    let answer = Message::from_vec(&packet[..length]).unwrap();
    let addresses = answer
        .answers
        .iter()
        .filter_map(|record| match record.data {
            RData::A(a) => Some(a.to_string()),
            _ => None,
        });
    let rcode = answer.metadata.response_code.low();
    Some((rcode, addresses.collect()))
}

/// An HTTP backend on a free port that says its name; stops when dropped.
pub(crate) struct Backend {
    pub(crate) address: SocketAddr,
    /// Requests that were begun.
    pub(crate) requests: Arc<AtomicU64>,
    /// While set, answers wait.
    pub(crate) hold: Arc<AtomicBool>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Backend {
    pub(crate) fn start(name: &'static str) -> Self {
        Self::start_at(name, SocketAddr::from(([127, 0, 0, 1], 0)))
    }

    /// The same where one was stopped.
    pub(crate) fn start_at(name: &'static str, address: SocketAddr) -> Self {
        let listener = TcpListener::bind(address).unwrap();
        let address = listener.local_addr().unwrap();
        let (stop, hold) = (
            Arc::new(AtomicBool::new(false)),
            Arc::new(AtomicBool::new(false)),
        );
        let requests = Arc::new(AtomicU64::new(0));
        let thread = std::thread::spawn({
            let (stop, hold, requests) =
                (Arc::clone(&stop), Arc::clone(&hold), Arc::clone(&requests));
            move || {
                for stream in listener.incoming() {
                    if stop.load(Ordering::Relaxed) {
                        return;
                    }
                    let (stop, hold, requests) =
                        (Arc::clone(&stop), Arc::clone(&hold), Arc::clone(&requests));
                    let Ok(stream) = stream else { continue };
                    std::thread::spawn(move || speak(stream, name, &stop, &hold, &requests));
                }
            }
        });
        Self {
            address,
            requests,
            hold,
            stop,
            thread: Some(thread),
        }
    }

    /// Refuses connections from now on and resets those that stand.
    pub(crate) fn stop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        // Wakes the accept.
        let _ = TcpStream::connect(self.address);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.hold.store(false, Ordering::Relaxed);
        self.stop();
    }
}

/// Keep-alive HTTP/1.1, requests without bodies.
fn speak(
    mut stream: TcpStream,
    name: &str,
    stop: &AtomicBool,
    hold: &AtomicBool,
    requests: &AtomicU64,
) {
    let _ = stream.set_read_timeout(Some(Duration::from_millis(50)));
    let mut head = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        match stream.read(&mut chunk) {
            Ok(0) => return,
            Ok(n) => head.extend_from_slice(&chunk[..n]),
            Err(e) if e.kind() == std::io::ErrorKind::WouldBlock => {}
            Err(_) => return,
        }
        if stop.load(Ordering::Relaxed) {
            return;
        }
        while let Some(end) = head.windows(4).position(|w| w == b"\r\n\r\n") {
            let probe = head.starts_with(b"GET /healthz");
            head.drain(..end + 4);
            if !probe {
                requests.fetch_add(1, Ordering::Relaxed);
                while hold.load(Ordering::Relaxed) && !stop.load(Ordering::Relaxed) {
                    std::thread::park_timeout(Duration::from_millis(5));
                }
            }
            let body = format!("{name}\n");
            let answer = format!(
                "HTTP/1.1 200 OK\r\nContent-Length: {}\r\n\r\n{body}",
                body.len()
            );
            if stream.write_all(answer.as_bytes()).is_err() {
                return;
            }
        }
    }
}

/// A folder with a configuration of one app in two clusters, `a` preferred to `b`.
pub(crate) struct Files {
    pub(crate) folder: tempfile::TempDir,
    pub(crate) config: PathBuf,
}

impl Files {
    pub(crate) fn new(a: SocketAddr, b: SocketAddr) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("windrose.yaml");
        let files = Self { folder, config };
        files.write(&files.text(a, b));
        files
    }

    pub(crate) fn write(&self, text: &str) {
        let fresh = self.folder.path().join("fresh");
        std::fs::write(&fresh, text).unwrap();
        std::fs::rename(fresh, &self.config).unwrap();
    }

    pub(crate) fn text(&self, a: SocketAddr, b: SocketAddr) -> String {
        format!(
            "schema: 1
node: {{name: test, threads: 2, data_dir: {data}}}
listeners: {{dns: [\"127.0.0.1:0\"], http: [\"127.0.0.1:0\"], admin: \"127.0.0.1:0\"}}
data: {{geo: none}}
regions: {{here: {{lat: 0, lon: 0}}}}
clusters:
  a: {{region: here, addresses: [192.0.2.1]}}
  b: {{region: here, addresses: [192.0.2.2]}}
apps:
  shop:
    hosts: [shop.example.com]
    versions: {{v1: {{endpoints: {{a: [\"{a}\"], b: [\"{b}\"]}}}}}}
    steering: [{{failover: [a, b]}}]
    health: {{http: {{path: /healthz}}, interval: 100ms, timeout: 80ms, fall: 2, rise: 2}}
    ttl: 5s
    failback: {{hold_down: 200ms, ramp_step: 100, ramp_every: 100ms}}
zones:
  example.com:
    soa: {{mname: ns1, rname: hostmaster}}
    records:
      - {{name: \"@\", type: NS, value: ns1}}
      - {{name: ns1, type: A, value: 127.0.0.1}}
",
            data = self.folder.path().join("data").display(),
        )
    }
}
