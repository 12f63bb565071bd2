//! Where records go: a file that begins anew when it is full, or a socket. What does not work is
//! tried again after a second, told once, and told again when it works.

use std::fs::{File, Metadata, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::MetadataExt;
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use super::frames::{Control, control, expect};
use super::{Framing, LogPlan, LogTarget};
use crate::Log;

/// Between attempts.
const AGAIN: Duration = Duration::from_secs(1);
/// How long a socket may take nothing before it is given up.
const PATIENCE: Duration = Duration::from_secs(1);

pub(super) struct Sink {
    log: Log,
    framing: Framing,
    target: LogTarget,
    open: Option<Open>,
    /// When the last attempt failed; told when it did.
    failed: Option<Instant>,
    /// When it was last seen whether the file is still the one of that name.
    looked: Instant,
}

enum Open {
    File {
        file: File,
        /// Octets that are whole records.
        len: u64,
    },
    Socket(UnixStream),
}

impl Sink {
    pub(super) fn new(plan: LogPlan) -> Self {
        Self {
            log: plan.log,
            framing: plan.framing,
            target: plan.to,
            open: None,
            failed: None,
            looked: Instant::now(),
        }
    }

    /// Writes whole records at `now`; whether it did. Records are written whole or not at all, but for those
    /// that a socket took in part before it broke.
    pub(super) fn write(&mut self, records: &[u8], now: Instant) -> bool {
        if self
            .failed
            .is_some_and(|at| now.saturating_duration_since(at) < AGAIN)
        {
            return false;
        }
        match self.try_write(records, now) {
            Ok(()) => {
                if self.failed.take().is_some() {
                    tracing::info!(to = %self.name().display(), "the {} log is written again", self.log.as_str());
                }
                true
            }
            Err(error) => {
                if self.failed.replace(now).is_none() {
                    tracing::warn!(to = %self.name().display(), %error, "the {} log is not written; answers are not touched", self.log.as_str());
                }
                false
            }
        }
    }

    /// Ends the stream as its format asks.
    pub(super) fn finish(mut self) {
        // What is left open ends with the process.
        let _ = self.close();
    }

    fn try_write(&mut self, records: &[u8], now: Instant) -> io::Result<()> {
        if self.is_moved(now) {
            self.close()?;
        }
        if self.open.is_none() {
            self.open = Some(self.open()?);
            self.looked = now;
        }
        self.make_room(records.len() as u64)?;
        let open = match self.open.take() {
            Some(open) => open,
            None => self.open()?,
        };
        match open {
            Open::File { mut file, len } => match file.write_all(records) {
                Ok(()) => {
                    let len = len + records.len() as u64;
                    self.open = Some(Open::File { file, len });
                    Ok(())
                }
                Err(error) => {
                    // Half a record would spoil the next one.
                    if file.set_len(len).is_ok() {
                        self.open = Some(Open::File { file, len });
                    }
                    Err(error)
                }
            },
            Open::Socket(mut socket) => {
                socket.write_all(records)?;
                self.open = Some(Open::Socket(socket));
                Ok(())
            }
        }
    }

    /// Whether somebody moved the file away or took it out (logrotate does); looks once a second.
    /// One that was cut (`copytruncate`) goes on from where it ends.
    fn is_moved(&mut self, now: Instant) -> bool {
        let (Some(Open::File { file, len }), LogTarget::File { path, .. }) =
            (&mut self.open, &self.target)
        else {
            return false;
        };
        if now.saturating_duration_since(self.looked) < AGAIN {
            return false;
        }
        self.looked = now;
        let number = |of: &Metadata| (of.dev(), of.ino());
        let (opened, named) = (file.metadata().ok(), path.metadata().ok());
        if let Some(opened) = &opened {
            *len = opened.len().min(*len);
        }
        opened.as_ref().map(number) != named.as_ref().map(number)
    }

    /// Begins the next file if these records would make this one too long.
    fn make_room(&mut self, more: u64) -> io::Result<()> {
        if let (Some(Open::File { len, .. }), LogTarget::File { max_bytes, .. }) =
            (&self.open, &self.target)
            && len + more > *max_bytes
            && *len > 0
        {
            self.close()?;
            self.rotate()?;
        }
        Ok(())
    }

    fn open(&self) -> io::Result<Open> {
        match &self.target {
            LogTarget::File { path, .. } => self.open_file(path),
            LogTarget::Unix(path) => self.connect(path).map(Open::Socket),
        }
    }

    fn open_file(&self, path: &Path) -> io::Result<Open> {
        // To open a FIFO, or to write to one, waits for its reader, and a device must not be renamed.
        if path.metadata().is_ok_and(|it| !it.is_file()) {
            let why =
                "not a regular file; a log is written to one, or to `unix:` and a socket's path";
            return Err(io::Error::new(io::ErrorKind::InvalidInput, why));
        }
        // A stream that has ended cannot be continued.
        let ended =
            self.framing == Framing::Dnstap && path.metadata().is_ok_and(|file| file.len() > 0);
        if ended {
            self.rotate()?;
        }
        let mut file = OpenOptions::new().append(true).create(true).open(path)?;
        let mut len = file.metadata()?.len();
        if self.framing == Framing::Dnstap {
            let mut start = Vec::new();
            control(&mut start, Control::Start);
            file.write_all(&start).inspect_err(|_| {
                // So that the next attempt does not take it for a stream.
                let _ = file.set_len(0);
            })?;
            len += start.len() as u64;
        }
        Ok(Open::File { file, len })
    }

    fn connect(&self, path: &Path) -> io::Result<UnixStream> {
        let mut socket = UnixStream::connect(path)?;
        socket.set_write_timeout(Some(PATIENCE))?;
        socket.set_read_timeout(Some(PATIENCE))?;
        if self.framing == Framing::Dnstap {
            let mut frame = Vec::new();
            control(&mut frame, Control::Ready);
            socket.write_all(&frame)?;
            expect(&mut socket, Control::Accept)?;
            frame.clear();
            control(&mut frame, Control::Start);
            socket.write_all(&frame)?;
        }
        Ok(socket)
    }

    fn close(&mut self) -> io::Result<()> {
        let Some(open) = self.open.take() else {
            return Ok(());
        };
        if self.framing == Framing::Lines {
            return Ok(());
        }
        let mut stop = Vec::new();
        control(&mut stop, Control::Stop);
        match open {
            Open::File { mut file, .. } => file.write_all(&stop),
            Open::Socket(mut socket) => {
                socket.write_all(&stop)?;
                expect(&mut socket, Control::Finish)
            }
        }
    }

    /// Moves each file one number up; the oldest is gone.
    fn rotate(&self) -> io::Result<()> {
        let LogTarget::File { path, keep, .. } = &self.target else {
            return Ok(());
        };
        let numbered = |n: u32| {
            let mut name = path.clone().into_os_string();
            name.push(format!(".{n}"));
            PathBuf::from(name)
        };
        if *keep == 0 {
            return File::create(path).map(drop);
        }
        for n in (1..*keep).rev() {
            if numbered(n).exists() {
                std::fs::rename(numbered(n), numbered(n + 1))?;
            }
        }
        std::fs::rename(path, numbered(1))
    }

    fn name(&self) -> &Path {
        match &self.target {
            LogTarget::File { path, .. } | LogTarget::Unix(path) => path,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Of at most ten octets a file.
    fn sink(path: PathBuf) -> Sink {
        Sink::new(LogPlan {
            log: Log::Access,
            framing: Framing::Lines,
            to: LogTarget::File {
                path,
                max_bytes: 10,
                keep: 1,
            },
            waiting: 1,
        })
    }

    #[test]
    fn what_is_no_regular_file_is_neither_waited_for_nor_renamed() {
        let folder = tempfile::TempDir::new().unwrap();
        let fifo = folder.path().join("fifo");
        let mode = nix::sys::stat::Mode::from_bits_truncate(0o600);
        nix::unistd::mkfifo(&fifo, mode).unwrap();
        let now = Instant::now();
        assert!(!sink(fifo).write(b"one\n", now));
        assert!(!sink(folder.path().to_owned()).write(b"one\n", now));
        assert!(!sink("/dev/null".into()).write(b"one\n", now));
    }

    #[test]
    fn a_file_that_was_cut_is_not_taken_for_full() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let mut sink = sink(at("log"));
        let begun = Instant::now() + AGAIN;
        assert!(sink.write(b"1234567\n", begun));
        File::create(at("log")).unwrap();
        assert!(sink.write(b"7654321\n", begun + AGAIN * 2));
        assert_eq!(std::fs::read(at("log")).unwrap(), b"7654321\n");
        assert!(!at("log.1").exists());
    }

    #[test]
    fn a_file_that_was_moved_away_is_begun_anew_within_a_second() {
        let folder = tempfile::TempDir::new().unwrap();
        let at = |name: &str| folder.path().join(name);
        let read = |name: &str| std::fs::read_to_string(at(name)).unwrap();
        let mut sink = sink(at("log"));
        let begun = Instant::now() + AGAIN;
        assert!(sink.write(b"one\n", begun));
        std::fs::rename(at("log"), at("moved")).unwrap();
        assert!(sink.write(b"two\n", begun + AGAIN / 2));
        assert!(sink.write(b"three\n", begun + AGAIN * 2));
        assert_eq!(read("moved"), "one\ntwo\n");
        assert_eq!(read("log"), "three\n");
    }
}
