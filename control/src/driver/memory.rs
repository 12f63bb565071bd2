//! `remembered.json`: what outlives a restart, written by a thread of its own at most every few
//! seconds. A file that cannot be read is told and left aside: the node learns anew.

use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::net::{Ipv4Addr, Ipv6Addr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TrySendError, sync_channel};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use serde::{Deserialize, Serialize};
use windrose_model::{
    AliasCause, AliasStatus, DnsName, MeasuredRtt, Name, Now, Rtt, RttCause, Ttl, WallTime,
};

use crate::Remembered;

/// The least time between two writes.
const EVERY: Duration = Duration::from_secs(5);
/// A file beyond this is none of ours: 1,000 targets of 64 addresses are 3 MB.
const MOST_OCTETS: u64 = 16 << 20;
/// The form of the file.
const SCHEMA: u32 = 1;

/// The writing end.
pub(super) struct Memory {
    texts: Option<SyncSender<String>>,
    thread: Option<JoinHandle<()>>,
    /// What was given to the writer last.
    last: Remembered,
    not_before: Option<Instant>,
}

#[derive(Serialize, Deserialize)]
struct File {
    schema: u32,
    at_us: u64,
    aliases: BTreeMap<String, Alias>,
    /// By region, then by cluster.
    round_trips: BTreeMap<String, BTreeMap<String, RoundTrip>>,
}

#[derive(Serialize, Deserialize)]
struct Alias {
    v4: Vec<Ipv4Addr>,
    v6: Vec<Ipv6Addr>,
    ttl_s: u32,
    confirmed_us: u64,
}

#[derive(Serialize, Deserialize)]
struct RoundTrip {
    rtt_us: u32,
    since_us: u64,
}

impl Memory {
    /// What the folder remembers, and the end that writes there.
    pub(super) fn open(dir: &Path) -> io::Result<(Remembered, Self)> {
        let path = dir.join("remembered.json");
        let remembered = match read(&path) {
            Ok(remembered) => remembered,
            Err(e) => {
                tracing::warn!("{} is left aside: {e}", path.display());
                Remembered::default()
            }
        };
        let (texts, waiting) = sync_channel(1);
        let thread = thread::Builder::new()
            .name(String::from("windrose-memory"))
            .spawn(move || write_all(&path, &waiting))?;
        let memory = Self {
            texts: Some(texts),
            thread: Some(thread),
            last: Remembered::default(),
            not_before: None,
        };
        Ok((remembered, memory))
    }

    /// Puts down what is known, if that is new and the last time is long enough ago.
    pub(super) fn keep(&mut self, now: Now, known: Remembered) {
        let too_early = self.not_before.is_some_and(|at| now.mono < at);
        if too_early || !self.is_news(&known) {
            return;
        }
        // A disk that takes longer than that gets the next one.
        self.not_before = Some(now.mono + EVERY);
        if let Some(texts) = &self.texts
            && !matches!(texts.try_send(text(&known)), Err(TrySendError::Full(_)))
        {
            self.last = known;
        }
    }

    /// Puts down the last of it, however early, and waits until it is written.
    pub(super) fn end(&mut self, known: &Remembered) {
        if self.is_news(known)
            && let Some(texts) = &self.texts
        {
            let _ = texts.send(text(known));
        }
        self.texts = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }

    fn is_news(&self, known: &Remembered) -> bool {
        !(Arc::ptr_eq(&self.last.aliases, &known.aliases)
            && Arc::ptr_eq(&self.last.latency, &known.latency))
    }
}

fn write_all(path: &Path, texts: &Receiver<String>) {
    let mut told = false;
    while let Ok(text) = texts.recv() {
        let fresh: PathBuf = path.with_extension("new");
        let written = fs::write(&fresh, text).and_then(|()| fs::rename(&fresh, path));
        if let Err(e) = written
            && !told
        {
            told = true;
            tracing::error!(
                "{} cannot be written ({e}); the node serves, and its next start begins without it",
                path.display()
            );
        }
    }
}

fn text(known: &Remembered) -> String {
    let aliases = known.aliases.iter().filter(|(_, known)| known.is_known());
    let aliases = aliases.map(|(target, known)| {
        let alias = Alias {
            v4: known.v4.clone(),
            v6: known.v6.clone(),
            ttl_s: known.ttl.seconds(),
            confirmed_us: known.confirmed.0,
        };
        (target.to_string(), alias)
    });
    let round_trips = known.latency.iter().map(|(region, to)| {
        let to = to.iter().map(|(cluster, entry)| {
            let trip = RoundTrip {
                rtt_us: entry.rtt.micros(),
                since_us: entry.since.0,
            };
            (cluster.to_string(), trip)
        });
        (region.to_string(), to.collect())
    });
    let file = File {
        schema: SCHEMA,
        at_us: known.at.0,
        aliases: aliases.collect(),
        round_trips: round_trips.collect(),
    };
    serde_json::to_string(&file).unwrap_or_default()
}

/// Nothing, if there is no file.
fn read(path: &Path) -> io::Result<Remembered> {
    match fs::metadata(path) {
        Ok(about) if about.len() > MOST_OCTETS => {
            return Err(io::Error::other("it is larger than 16 MiB"));
        }
        Ok(_) => {}
        Err(e) if e.kind() == io::ErrorKind::NotFound => return Ok(Remembered::default()),
        Err(e) => return Err(e),
    }
    let file: File = serde_json::from_str(&fs::read_to_string(path)?)?;
    if file.schema != SCHEMA {
        return Err(io::Error::other(format!(
            "its schema is {}, {SCHEMA} is known",
            file.schema
        )));
    }
    let aliases = file.aliases.into_iter().filter_map(|(target, alias)| {
        let status = AliasStatus {
            v4: alias.v4,
            v6: alias.v6,
            ttl: Ttl::new(alias.ttl_s)?,
            cause: AliasCause::Remembered,
            confirmed: WallTime(alias.confirmed_us),
        };
        Some((DnsName::parse(&target).ok()?, Arc::new(status)))
    });
    let trips = file.round_trips.into_iter().filter_map(|(region, to)| {
        let to = to.into_iter().filter_map(|(cluster, trip)| {
            let entry = MeasuredRtt {
                rtt: Rtt::from_micros(trip.rtt_us)?,
                cause: RttCause::Remembered,
                since: WallTime(trip.since_us),
            };
            Some((Name::new(&cluster).ok()?, entry))
        });
        Some((Name::new(&region).ok()?, to.collect()))
    });
    Ok(Remembered {
        aliases: Arc::new(aliases.collect()),
        latency: Arc::new(trips.collect()),
        at: WallTime(file.at_us),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn known() -> Remembered {
        let alias = AliasStatus {
            v4: vec![Ipv4Addr::new(192, 0, 2, 1)],
            v6: vec!["2001:db8::1".parse().unwrap()],
            ttl: Ttl::new(60).unwrap(),
            cause: AliasCause::Remembered,
            confirmed: WallTime(5),
        };
        let entry = MeasuredRtt {
            rtt: Rtt::from_millis(12.5).unwrap(),
            cause: RttCause::Remembered,
            since: WallTime(7),
        };
        let name = |text| Name::new(text).unwrap();
        let to = BTreeMap::from([(name("frankfurt"), entry)]);
        let target = DnsName::parse("cdn.example.net").unwrap();
        Remembered {
            aliases: Arc::new([(target, Arc::new(alias))].into()),
            latency: Arc::new(BTreeMap::from([(name("eu"), to)])),
            at: WallTime(9),
        }
    }

    #[test]
    fn what_is_put_down_is_read_again() {
        let folder = tempfile::tempdir().unwrap();
        let (nothing, mut memory) = Memory::open(folder.path()).unwrap();
        assert_eq!(nothing, Remembered::default());
        memory.end(&known());
        let (again, _) = Memory::open(folder.path()).unwrap();
        assert_eq!(again, known());
    }

    #[test]
    fn a_broken_file_is_left_aside() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("remembered.json");
        for text in [
            "",
            "{}",
            "[1]",
            r#"{"schema":2,"at_us":0,"aliases":{},"round_trips":{}}"#,
        ] {
            fs::write(&path, text).unwrap();
            let (remembered, _) = Memory::open(folder.path()).unwrap();
            assert_eq!(remembered, Remembered::default(), "{text}");
        }
        // What is wrong in it is left out, the rest counts.
        let text = r#"{"schema":1,"at_us":1,"aliases":{"a..b":{"v4":[],"v6":[],"ttl_s":1,"confirmed_us":1}},
            "round_trips":{"eu":{"x":{"rtt_us":4000000000,"since_us":1}}}}"#;
        fs::write(&path, text).unwrap();
        let (remembered, _) = Memory::open(folder.path()).unwrap();
        assert!(remembered.aliases.is_empty() && remembered.at == WallTime(1));
    }

    #[test]
    fn old_memories_do_not_count() {
        let day = Duration::from_secs(24 * 3_600);
        let at = |age: Duration| WallTime(9).0 + u64::try_from(age.as_micros()).unwrap();
        let region = Name::new("eu").unwrap();
        let left = |age, region: Option<&Name>| {
            let fresh = known().fresh(WallTime(at(age)), region, Duration::from_secs(3_600));
            (fresh.aliases.len(), fresh.latency.len())
        };
        assert_eq!(left(Duration::ZERO, Some(&region)), (1, 1));
        assert_eq!(left(Duration::ZERO, None), (1, 0));
        assert_eq!(left(day, Some(&region)), (1, 0));
        assert_eq!(left(7 * day, Some(&region)), (0, 0));
        let earlier = known().fresh(WallTime(0), Some(&region), day);
        assert_eq!(earlier.aliases.len(), 1, "a clock that went back");
    }
}
