//! The demo's clusters as child processes: start, fail and recover them.

use std::io::{self, BufRead, BufReader, Write};
use std::net::SocketAddr;
use std::os::unix::process::CommandExt;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::cli::args::FailMode;

/// How long a child may take to bind its ports.
const START_LIMIT: Duration = Duration::from_secs(10);

/// A cluster and its process.
#[derive(Debug)]
pub(crate) struct Cluster {
    pub(crate) name: String,
    /// Version and address of each endpoint.
    pub(crate) endpoints: Vec<(String, SocketAddr)>,
    child: Child,
    stdin: Option<ChildStdin>,
    /// How it fails just now.
    pub(crate) failed: Option<FailMode>,
}

/// Why a cluster's process is not there.
#[derive(Debug, thiserror::Error)]
pub(crate) enum ClusterError {
    #[error("cannot start the process of cluster {cluster}: {source}")]
    Start { cluster: String, source: io::Error },
    #[error("the process of cluster {cluster} {why}")]
    Ports { cluster: String, why: String },
    #[error("cannot signal the process of cluster {cluster}: {source}")]
    Signal { cluster: String, source: io::Error },
}

impl Cluster {
    /// Starts the process and waits until it listens. Endpoints with port 0 get a free one.
    ///
    /// To be called on a thread that lives as long as the demo: on Linux a child is told to end with
    /// the *thread* that started it.
    pub(crate) fn start(
        name: &str,
        endpoints: Vec<(String, SocketAddr)>,
    ) -> Result<Self, ClusterError> {
        let (child, stdin, bound) = spawn(name, &endpoints)?;
        let endpoints = endpoints
            .into_iter()
            .zip(bound)
            .map(|((version, _), address)| (version, address))
            .collect();
        Ok(Self {
            name: name.to_owned(),
            endpoints,
            child,
            stdin: Some(stdin),
            failed: None,
        })
    }

    pub(crate) fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Makes it fail. A cluster that fails already is recovered first.
    pub(crate) fn fail(&mut self, mode: FailMode) -> Result<(), ClusterError> {
        if self.failed.is_some() {
            self.recover()?;
        }
        match mode {
            FailMode::Kill => {
                self.child.kill().map_err(|e| self.refused(e))?;
                self.stdin = None;
                // Reaped at once; it has been killed and cannot stay.
                let _ = self.child.wait();
            }
            FailMode::Stop => self.signal(Signal::SIGSTOP)?,
            FailMode::Blackhole => self.tell("blackhole")?,
        }
        self.failed = Some(mode);
        Ok(())
    }

    /// Ends the failure: a killed process is started again on the same ports.
    pub(crate) fn recover(&mut self) -> Result<(), ClusterError> {
        match self.failed {
            None => {}
            Some(FailMode::Kill) => {
                let (child, stdin, _) = spawn(&self.name, &self.endpoints)?;
                self.child = child;
                self.stdin = Some(stdin);
            }
            Some(FailMode::Stop) => self.signal(Signal::SIGCONT)?,
            Some(FailMode::Blackhole) => self.tell("serve")?,
        }
        self.failed = None;
        Ok(())
    }

    fn signal(&self, signal: Signal) -> Result<(), ClusterError> {
        let pid = i32::try_from(self.child.id()).unwrap_or(i32::MAX);
        kill(Pid::from_raw(pid), signal).map_err(|e| self.refused(e.into()))
    }

    fn tell(&mut self, word: &str) -> Result<(), ClusterError> {
        let told = match &mut self.stdin {
            Some(stdin) => writeln!(stdin, "{word}").and_then(|()| stdin.flush()),
            None => Err(io::ErrorKind::BrokenPipe.into()),
        };
        told.map_err(|e| self.refused(e))
    }

    fn refused(&self, source: io::Error) -> ClusterError {
        ClusterError::Signal {
            cluster: self.name.clone(),
            source,
        }
    }
}

impl Drop for Cluster {
    fn drop(&mut self) {
        // It may be gone already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn spawn(
    name: &str,
    endpoints: &[(String, SocketAddr)],
) -> Result<(Child, ChildStdin, Vec<SocketAddr>), ClusterError> {
    let failed = |source| ClusterError::Start {
        cluster: name.to_owned(),
        source,
    };
    let listen: Vec<_> = endpoints.iter().map(|(v, a)| format!("{v}={a}")).collect();
    let mut child = Command::new(std::env::current_exe().map_err(failed)?)
        .args(["demo-backend", "--cluster", name])
        .args(&listen)
        // Ctrl-c is for the parent, which then ends this one.
        .process_group(0)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .spawn()
        .map_err(failed)?;
    let (Some(stdin), Some(stdout)) = (child.stdin.take(), child.stdout.take()) else {
        return Err(failed(io::ErrorKind::BrokenPipe.into()));
    };
    // On a thread of its own: a child that says nothing must not hold up the demo.
    let (send, first_line) = mpsc::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let _ = BufReader::new(stdout).read_line(&mut line);
        let _ = send.send(line);
    });
    let line = first_line.recv_timeout(START_LIMIT).unwrap_or_default();
    let bound: Vec<SocketAddr> = line
        .split_whitespace()
        .filter_map(|a| a.parse().ok())
        .collect();
    if bound.len() != endpoints.len() {
        let _ = child.kill();
        let _ = child.wait();
        let why = match line.trim() {
            "" => "said nothing".to_owned(),
            why => why.to_owned(),
        };
        return Err(ClusterError::Ports {
            cluster: name.to_owned(),
            why,
        });
    }
    Ok((child, stdin, bound))
}
