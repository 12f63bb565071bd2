//! `journal.jsonl`: one line per decision, written by a thread of its own so that a slow disk slows
//! nobody down. Rotated and bounded; a disk that fails is logged once and counted, never fatal.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Read, Seek, SeekFrom, Write};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, AtomicUsize, Ordering::Relaxed};
use std::sync::mpsc::{Receiver, SyncSender, sync_channel};
use std::thread::{self, JoinHandle};

use serde::Serialize;

use crate::{Decision, Decisions};

/// A file is put aside when it has this size.
const FILE_OCTETS: u64 = 16 << 20;
/// Files in all.
const FILES: u32 = 4;
/// While so many lines wait for the disk, more are lost, and counted. What was decided in one go is
/// kept or lost in one go.
const WAITING: usize = 65_536;
/// Lines of one write.
const LINES: u64 = 1_024;

/// The writing end.
pub(super) struct Journal {
    lines: Option<SyncSender<Arc<Decisions>>>,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
    full: bool,
    thread: Option<JoinHandle<()>>,
}

impl Journal {
    /// Opens the journal in a directory, which is made if it is not there.
    pub(super) fn open(dir: &Path) -> io::Result<Self> {
        fs::create_dir_all(dir)?;
        let writer = Writer::open(dir.join("journal.jsonl"), FILE_OCTETS)?;
        let (lost, waiting) = (Arc::clone(&writer.lost), Arc::clone(&writer.waiting));
        let (lines, inbox) = sync_channel(WAITING);
        let thread = thread::Builder::new()
            .name(String::from("windrose-journal"))
            .spawn(move || writer.run(&inbox))?;
        Ok(Self {
            lines: Some(lines),
            waiting,
            lost,
            full: false,
            thread: Some(thread),
        })
    }

    pub(super) fn write(&mut self, decisions: Arc<Decisions>) {
        let count = decisions.len();
        let has_room = self.waiting.fetch_add(count, Relaxed) < WAITING;
        let lines = self.lines.as_ref().filter(|_| has_room);
        let taken = lines.is_some_and(|lines| lines.try_send(decisions).is_ok());
        if !taken {
            self.waiting.fetch_sub(count, Relaxed);
            self.lost
                .fetch_add(u64::try_from(count).unwrap_or(u64::MAX), Relaxed);
            if !self.full {
                tracing::error!("the journal's disk is too slow: lines are lost");
            }
        }
        self.full = !taken;
    }

    /// Lines that were not written.
    pub(super) fn lost(&self) -> u64 {
        self.lost.load(Relaxed)
    }
}

impl Drop for Journal {
    /// Writes out what waits.
    fn drop(&mut self) {
        self.lines = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

struct Writer {
    path: PathBuf,
    file: File,
    size: u64,
    most: u64,
    failing: bool,
    /// The file may end in half a line.
    torn: bool,
    waiting: Arc<AtomicUsize>,
    lost: Arc<AtomicU64>,
}

impl Writer {
    fn open(path: PathBuf, most: u64) -> io::Result<Self> {
        let file = append_to(&path)?;
        let size = file.metadata()?.len();
        let torn = size > 0 && !ends_a_line(&path)?;
        Ok(Self {
            path,
            file,
            size,
            most,
            failing: false,
            torn,
            waiting: Arc::default(),
            lost: Arc::default(),
        })
    }

    /// Writes batches of what waits, until the other end is gone.
    fn run(mut self, inbox: &Receiver<Arc<Decisions>>) {
        let mut batch = Vec::new();
        let mut lines = 0;
        while let Ok(first) = inbox.recv() {
            for decisions in std::iter::once(first).chain(inbox.try_iter()) {
                for decision in decisions.iter() {
                    put_line(&mut batch, &decision);
                    lines += 1;
                    if lines == LINES {
                        self.write(&batch, std::mem::take(&mut lines));
                        batch.clear();
                    }
                }
                self.waiting.fetch_sub(decisions.len(), Relaxed);
            }
            if lines > 0 {
                self.write(&batch, std::mem::take(&mut lines));
                batch.clear();
            }
        }
    }

    fn write(&mut self, batch: &[u8], lines: u64) {
        match self.try_write(batch) {
            Ok(()) => self.failing = false,
            Err(error) => {
                self.lost.fetch_add(lines, Relaxed);
                if !self.failing {
                    let path = self.path.display();
                    tracing::error!("cannot write {path}: {error}; decisions are lost");
                }
                self.failing = true;
            }
        }
    }

    fn try_write(&mut self, batch: &[u8]) -> io::Result<()> {
        if self.size > 0 && self.size + octets(batch) > self.most {
            self.rotate()?;
        }
        if std::mem::replace(&mut self.torn, true) {
            self.file.write_all(b"\n")?;
        }
        self.file.write_all(batch)?;
        self.torn = false;
        self.size += octets(batch);
        Ok(())
    }

    fn rotate(&mut self) -> io::Result<()> {
        for n in (1..FILES - 1).rev() {
            let _ = fs::rename(self.aside(n), self.aside(n + 1));
        }
        match fs::rename(&self.path, self.aside(1)) {
            // Somebody else has taken it away.
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            moved => moved?,
        }
        self.file = append_to(&self.path)?;
        self.size = 0;
        self.torn = false;
        Ok(())
    }

    fn aside(&self, n: u32) -> PathBuf {
        self.path.with_extension(format!("jsonl.{n}"))
    }
}

fn append_to(path: &Path) -> io::Result<File> {
    OpenOptions::new().create(true).append(true).open(path)
}

fn ends_a_line(path: &Path) -> io::Result<bool> {
    let mut file = File::open(path)?;
    file.seek(SeekFrom::End(-1))?;
    let mut last = [0];
    file.read_exact(&mut last)?;
    Ok(last == *b"\n")
}

fn octets(batch: &[u8]) -> u64 {
    u64::try_from(batch.len()).unwrap_or(u64::MAX)
}

#[derive(Serialize)]
struct Line<'a> {
    at: String,
    stamp: String,
    app: &'a str,
    cluster: Option<&'a str>,
    from: &'a str,
    to: &'a str,
    usable: bool,
    share_percent: f64,
    cause: String,
}

fn put_line(batch: &mut Vec<u8>, decision: &Decision) {
    let line = Line {
        at: format!("{:.6}", decision.at),
        stamp: decision.stamp.to_string(),
        app: decision.app.as_str(),
        cluster: decision.cluster.as_ref().map(|name| name.as_str()),
        from: decision.from.as_str(),
        to: decision.to.as_str(),
        usable: decision.usable,
        share_percent: f64::from(decision.share.hundredths()) / 100.0,
        cause: decision.cause.to_string(),
    };
    // Writing to memory, from strings and numbers, does not fail.
    if serde_json::to_writer(&mut *batch, &line).is_ok() {
        batch.push(b'\n');
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Why;
    use windrose_model::{Cause, Name, Percent, ProbeFailure, Stamp, Verdict, WallTime};

    fn decision() -> Decision {
        Decision {
            at: WallTime(1_700_000_000_250_000),
            stamp: Stamp::default(),
            app: Name::new("web").unwrap(),
            cluster: Some(Name::new("eu").unwrap()),
            from: Verdict::Up,
            to: Verdict::Down,
            usable: false,
            share: Percent::ZERO,
            cause: Why::Cluster(Cause::EndpointsDown {
                of: 2,
                last: ProbeFailure::Timeout,
            }),
        }
    }

    #[test]
    fn a_line_is_json_with_its_cause() {
        let mut batch = Vec::new();
        put_line(&mut batch, &decision());
        assert_eq!(
            String::from_utf8(batch).unwrap(),
            "{\"at\":\"2023-11-14T22:13:20.250000Z\",\"stamp\":\"0.0.0\",\"app\":\"web\",\
             \"cluster\":\"eu\",\"from\":\"up\",\"to\":\"down\",\"usable\":false,\
             \"share_percent\":0.0,\
             \"cause\":\"0 of 2 endpoints up, last failure: timeout\"}\n"
        );
    }

    #[test]
    fn a_journal_is_rotated_and_bounded() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        let mut writer = Writer::open(path, 10).unwrap();
        for line in [
            "one1\n", "two2\n", "three\n", "four4\n", "five5\n", "six66\n",
        ] {
            writer.write(line.as_bytes(), 1);
        }
        let names = ["", ".1", ".2", ".3", ".4"];
        let read = |n: &str| fs::read_to_string(dir.path().join(format!("journal.jsonl{n}"))).ok();
        let files: Vec<_> = names.into_iter().map(read).collect();
        let expected = ["six66\n", "five5\n", "four4\n", "three\n"];
        assert_eq!(files[..4], expected.map(|text| Some(text.to_owned())));
        assert_eq!(files[4], None);
        assert_eq!(writer.lost.load(Relaxed), 0);
    }

    #[test]
    fn a_journal_goes_on_when_its_file_was_taken_away() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path().join("journal.jsonl"), 10).unwrap();
        writer.write(b"one\n", 1);
        fs::remove_file(&writer.path).unwrap();
        writer.write(b"two, longer\n", 1);
        let text = fs::read_to_string(&writer.path).unwrap();
        assert_eq!(
            (text.as_str(), writer.lost.load(Relaxed)),
            ("two, longer\n", 0)
        );
    }

    #[test]
    fn half_a_line_of_an_earlier_life_is_closed() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("journal.jsonl");
        fs::write(&path, "{\"at\":").unwrap();
        let mut writer = Writer::open(path, 100).unwrap();
        writer.write(b"one\n", 1);
        writer.write(b"two\n", 1);
        let text = fs::read_to_string(&writer.path).unwrap();
        assert_eq!(text, "{\"at\":\none\ntwo\n");
    }

    #[test]
    fn a_disk_that_fails_is_counted_and_not_fatal() {
        let dir = tempfile::tempdir().unwrap();
        let mut writer = Writer::open(dir.path().join("journal.jsonl"), 10).unwrap();
        writer.file = File::open(dir.path().join("journal.jsonl")).unwrap(); // read-only
        writer.write(b"one\n", 1);
        writer.write(b"two\n", 1);
        assert_eq!(writer.lost.load(Relaxed), 2);
        writer.file = append_to(&writer.path).unwrap();
        writer.write(b"three\n", 1);
        let text = fs::read_to_string(&writer.path).unwrap();
        assert_eq!(text, "\nthree\n");
    }
}
