//! Says when a configuration may have changed: a file or a directory, edited in place, replaced by
//! a rename, or swapped as Kubernetes does with the `..data` link of a ConfigMap.

use std::collections::BTreeSet;
use std::collections::hash_map::DefaultHasher;
use std::ffi::OsString;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind, ModifyKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Quiet for this long means that the writer is done …
const QUIET: Duration = Duration::from_millis(200);
/// … this long after a whole configuration took the place of another by one rename, …
const AFTER_SWAP: Duration = Duration::from_millis(2);
/// … and this long is waited for quiet at most.
const LONGEST: Duration = Duration::from_secs(2);

/// Links that are followed on the way to the content.
const LINKS: usize = 8;

/// What events are about: by names alone, so that an event may be taken for more than it is, never
/// for less.
#[derive(Default)]
struct Concern {
    names: Mutex<Names>,
    /// What happened last was that a whole configuration took the place of another.
    is_swapped: AtomicBool,
}

#[derive(Default)]
struct Names {
    /// By which all of the configuration is replaced: of the file, and of links on the way to it.
    swapped: BTreeSet<OsString>,
    /// Of everything that is read, and of links on the way to it.
    read: BTreeSet<OsString>,
    /// Of folders in which everything counts.
    folders: BTreeSet<OsString>,
    /// The configuration is a directory: any `*.yaml` may be of it.
    is_directory: bool,
}

/// A watch on one path.
pub(crate) struct Watch {
    path: PathBuf,
    /// Files that the content names.
    named: Vec<PathBuf>,
    events: mpsc::Receiver<()>,
    concern: Arc<Concern>,
    /// Of the content that was seen last.
    fingerprint: u64,
    /// Something happened that was not looked at yet. It outlives a wait that is given up.
    is_due: bool,
    // Watches as long as it lives.
    watcher: RecommendedWatcher,
}

impl Watch {
    /// Watches the folders in which the path and what it links to stand; a file itself cannot be
    /// watched across a rename. To be made before the content is read: what changes in between is
    /// then seen.
    pub(crate) fn new(path: &Path) -> notify::Result<Self> {
        // One place is enough: what is told is that something happened.
        let (send, events) = mpsc::channel(1);
        let concern = Arc::<Concern>::default();
        let told = Arc::clone(&concern);
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if let Ok(event) = event
                && is_change(&event.kind)
                && told.note(&event)
            {
                let _ = send.try_send(());
            }
        })?;
        let mut watch = Self {
            path: path.to_owned(),
            named: Vec::new(),
            events,
            concern,
            fingerprint: 0,
            is_due: false,
            watcher,
        };
        watch.follow()?;
        watch.fingerprint = fingerprint(path, &[]);
        Ok(watch)
    }

    /// Watches these files too, from now on and instead of those it was told before. What changes
    /// before this call is not seen.
    pub(crate) fn also(&mut self, named: Vec<PathBuf>) {
        let unseen = fingerprint(&self.path, &self.named) != self.fingerprint;
        self.named = named;
        // A folder that is not there yet cannot be watched; that it is missing was told already.
        let _ = self.follow();
        if unseen {
            self.is_due = true;
        } else {
            self.fingerprint = fingerprint(&self.path, &self.named);
        }
    }

    /// Watches where the links lead now; a folder that is watched already stays so.
    fn follow(&mut self) -> notify::Result<()> {
        self.concern.is_with(&self.path, &self.named);
        for folder in folders(&self.path) {
            self.watcher.watch(&folder, RecursiveMode::NonRecursive)?;
        }
        for folder in self.named.iter().flat_map(|file| folders(file)) {
            let _ = self.watcher.watch(&folder, RecursiveMode::NonRecursive);
        }
        Ok(())
    }

    /// Returns when the content differs from what was seen last and nobody writes any more. Safe to
    /// drop and call again.
    pub(crate) async fn changed(&mut self) {
        loop {
            if !self.is_due && self.events.recv().await.is_none() {
                return std::future::pending().await;
            }
            self.is_due = true;
            let last = Instant::now() + LONGEST;
            loop {
                let quiet = match self.concern.is_swapped.load(Ordering::Relaxed) {
                    true => AFTER_SWAP,
                    false => QUIET,
                };
                let until = last.min(Instant::now() + quiet);
                if !matches!(timeout_at(until, self.events.recv()).await, Ok(Some(()))) {
                    break;
                }
            }
            // While a link is being replaced it may lead nowhere; the next event comes back here.
            let _ = self.follow();
            self.is_due = false;
            let now = fingerprint(&self.path, &self.named);
            if now != self.fingerprint {
                self.fingerprint = now;
                return;
            }
        }
    }
}

impl Concern {
    /// From now on, with what these lead to. Files of a directory are no swap: who replaces one may
    /// go on with the next.
    fn is_with(&self, path: &Path, named: &[PathBuf]) {
        let mut swapped = links(path);
        let inside = if path.is_dir() {
            files(path)
        } else {
            Vec::new()
        };
        if inside.is_empty() {
            swapped.push(path.to_owned());
        }
        // A mount's files lead through a link of the folder, which is replaced once for all.
        swapped.extend(
            inside
                .iter()
                .flat_map(|file| links(file))
                .filter(|at| at.is_dir()),
        );
        let all = || [path].into_iter().chain(named.iter().map(PathBuf::as_path));
        let ways = |of: &Path| {
            let mut ways = links(of);
            ways.extend([of.to_owned()]);
            ways.extend(of.canonicalize().ok());
            ways
        };
        let read = all()
            .chain(inside.iter().map(PathBuf::as_path))
            .flat_map(ways);
        let folders = named.iter().filter(|at| at.is_dir());
        let folders = folders.flat_map(|at| ways(at));
        let names = Names {
            swapped: names(swapped),
            read: names(read),
            folders: names(folders),
            is_directory: path.is_dir(),
        };
        *self.names.lock().unwrap_or_else(PoisonError::into_inner) = names;
    }

    /// Whether the event concerns anything that is read.
    fn note(&self, event: &notify::Event) -> bool {
        let names = self.names.lock().unwrap_or_else(PoisonError::into_inner);
        let has = |set: &BTreeSet<OsString>, of: Option<&Path>| {
            (of.and_then(Path::file_name)).is_none_or(|name| set.contains(name))
        };
        let concerns = |path: &PathBuf| {
            let is_yaml = || path.extension().is_some_and(|e| e == "yaml");
            has(&names.read, Some(path))
                || has(&names.folders, path.parent())
                || names.is_directory && is_yaml()
        };
        if !event.paths.is_empty() && !event.paths.iter().any(concerns) {
            return false;
        }
        let is_rename = matches!(event.kind, EventKind::Modify(ModifyKind::Name(_)));
        let to = event.paths.last().filter(|_| is_rename);
        let is_swap = to.is_some_and(|to| has(&names.swapped, Some(to)));
        self.is_swapped.store(is_swap, Ordering::Relaxed);
        true
    }
}

fn names(of: impl IntoIterator<Item = PathBuf>) -> BTreeSet<OsString> {
    let names = of.into_iter();
    names
        .filter_map(|at| Some(at.file_name()?.to_owned()))
        .collect()
}

/// Reading counts for nothing: we read ourselves.
fn is_change(kind: &EventKind) -> bool {
    match kind {
        EventKind::Access(access) => *access == AccessKind::Close(AccessMode::Write),
        _ => true,
    }
}

/// Where something may happen to the path, or, if it is a directory, to a file in it.
fn folders(path: &Path) -> Vec<PathBuf> {
    let mut folders = Vec::new();
    follow(path, &mut folders);
    for file in files(path).iter().filter(|file| file.is_symlink()) {
        follow(file, &mut folders);
    }
    folders.sort();
    folders.dedup();
    folders
}

/// The folder of the path, and of every link that stands on its way: each may be replaced.
fn follow(path: &Path, folders: &mut Vec<PathBuf>) {
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        if at.is_dir() {
            folders.push(at.clone());
        }
        let above = at.ancestors().skip(1);
        // Of folders further up only those that are links count: they may lead elsewhere later.
        let links = above.filter(|p| p.is_symlink()).filter_map(parent);
        folders.extend(parent(&at).into_iter().chain(links));
        let Ok(target) = at.read_link() else { break };
        // An absolute target replaces all.
        at.set_file_name(target);
    }
    // Where all links lead in the end, for edits in place.
    if let Ok(target) = path.canonicalize() {
        folders.extend(target.is_dir().then(|| target.clone()));
        folders.extend(parent(&target));
    }
}

/// The links on the way to what a path names, wherever they stand.
fn links(path: &Path) -> Vec<PathBuf> {
    let mut links = Vec::new();
    let mut at = path.to_owned();
    for _ in 0..LINKS {
        links.extend(
            at.ancestors()
                .filter(|p| p.is_symlink())
                .map(Path::to_owned),
        );
        let Ok(target) = at.read_link() else { break };
        at.set_file_name(target);
    }
    links
}

fn parent(path: &Path) -> Option<PathBuf> {
    let parent = path.parent()?;
    Some(match parent.as_os_str().is_empty() {
        true => PathBuf::from("."),
        false => parent.to_owned(),
    })
}

/// The file, or those of the directory that may be read, sorted.
fn files(path: &Path) -> Vec<PathBuf> {
    if !path.is_dir() {
        return vec![path.to_owned()];
    }
    let entries = std::fs::read_dir(path).into_iter().flatten().flatten();
    let yaml = |p: &PathBuf| p.extension().is_some_and(|e| e == "yaml");
    let mut files: Vec<_> = entries.map(|e| e.path()).filter(yaml).collect();
    files.sort();
    files
}

/// Names and contents of all that would be read. The files that the content names may be large: of
/// them only what the system knows.
fn fingerprint(path: &Path, named: &[PathBuf]) -> u64 {
    let mut hasher = DefaultHasher::new();
    for file in named {
        mark(file, &mut hasher);
        // Of a folder the files in it count, edited in place or not.
        let inside = file
            .is_dir()
            .then(|| std::fs::read_dir(file).ok())
            .flatten();
        let mut inside: Vec<_> = inside
            .into_iter()
            .flatten()
            .flatten()
            .map(|e| e.path())
            .collect();
        inside.sort();
        inside.iter().for_each(|file| mark(file, &mut hasher));
    }
    for file in files(path) {
        file.hash(&mut hasher);
        // A pipe is read once, and not by us; unreadable is a state like any other.
        let octets = file.is_file().then(|| std::fs::read(&file).ok());
        octets.hash(&mut hasher);
    }
    hasher.finish()
}

fn mark(file: &Path, hasher: &mut impl Hasher) {
    file.hash(hasher);
    let known = std::fs::metadata(file).map(|m| (m.ino(), m.len(), m.mtime(), m.mtime_nsec()));
    known.ok().hash(hasher);
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::os::unix::fs::symlink;

    use super::*;

    async fn sees(watch: &mut Watch) -> bool {
        tokio::time::timeout(Duration::from_secs(10), watch.changed())
            .await
            .is_ok()
    }

    #[tokio::test]
    async fn an_edit_a_rename_and_a_config_map_swap_are_seen() {
        let folder = tempfile::tempdir().unwrap();
        let mount = folder.path();
        for (name, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(mount.join(name)).unwrap();
            fs::write(mount.join(name).join("windrose.yaml"), text).unwrap();
        }
        symlink("..1", mount.join("..data")).unwrap();
        let file = mount.join("windrose.yaml");
        symlink("..data/windrose.yaml", &file).unwrap();

        let mut watch = Watch::new(&file).unwrap();
        symlink("..2", mount.join("..data_tmp")).unwrap();
        fs::rename(mount.join("..data_tmp"), mount.join("..data")).unwrap();
        assert!(sees(&mut watch).await, "swap of ..data");

        let plain = mount.join("plain.yaml");
        fs::write(&plain, "a").unwrap();
        let mut watch = Watch::new(&plain).unwrap();
        fs::write(&plain, "b").unwrap();
        assert!(sees(&mut watch).await, "edit");
        fs::write(mount.join("new"), "c").unwrap();
        fs::rename(mount.join("new"), &plain).unwrap();
        assert!(sees(&mut watch).await, "rename");
    }

    #[test]
    fn what_is_replaced_by_one_rename_is_not_waited_out() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        for (version, text) in [("..1", "a"), ("..2", "b")] {
            fs::create_dir(at(version)).unwrap();
            fs::write(at(version).join("edge.yaml"), text).unwrap();
        }
        symlink("..1", at("..data")).unwrap();
        symlink("..data/edge.yaml", at("edge.yaml")).unwrap();
        fs::write(at("plain.yaml"), "a").unwrap();
        let rename = |from: &str, to: &str| {
            let event = ModifyKind::Name(notify::event::RenameMode::Both);
            let event = notify::Event::new(EventKind::Modify(event));
            event.add_path(at(from)).add_path(at(to))
        };
        let is_swap = |watched: &Path, event: &notify::Event| {
            let concern = Concern::default();
            concern.is_with(watched, &[at("zone")]);
            concern.note(event) && concern.is_swapped.load(Ordering::Relaxed)
        };
        let (file, whole) = (at("plain.yaml"), folder.path());
        assert!(is_swap(&file, &rename("new", "plain.yaml")));
        assert!(!is_swap(&file, &rename("new", "zone")), "another file");
        assert!(is_swap(&at("edge.yaml"), &rename("..data_tmp", "..data")));
        assert!(is_swap(whole, &rename("..data_tmp", "..data")));
        assert!(
            !is_swap(whole, &rename("new", "plain.yaml")),
            "one of several files"
        );
        let written = notify::Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write)));
        assert!(
            !is_swap(&file, &written.add_path(file.clone())),
            "more may be written"
        );
    }

    #[test]
    fn what_else_happens_beside_the_files_does_not_count() {
        let folder = tempfile::tempdir().unwrap();
        let at = |name: &str| folder.path().join(name);
        fs::write(at("edge.yaml"), "a").unwrap();
        fs::create_dir(at("certificates")).unwrap();
        let concern = Concern::default();
        let counts = |path: &str| {
            let event = notify::Event::new(EventKind::Access(AccessKind::Close(AccessMode::Write)));
            concern.note(&event.add_path(at(path)))
        };
        concern.is_with(&at("edge.yaml"), &[at("zone"), at("certificates")]);
        assert!(
            ["edge.yaml", "zone", "certificates/new.pem"]
                .into_iter()
                .all(counts)
        );
        assert!(
            !["access.log", "other.yaml", "edge.yaml.swp"]
                .into_iter()
                .any(counts)
        );
        concern.is_with(folder.path(), &[]);
        assert!(["edge.yaml", "other.yaml"].into_iter().all(counts));
        assert!(!["access.log"].into_iter().any(counts));
    }

    #[tokio::test]
    async fn a_change_is_seen_although_waits_for_it_were_given_up() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("windrose.yaml");
        fs::write(&file, "a").unwrap();
        let mut watch = Watch::new(&file).unwrap();
        fs::write(&file, "b").unwrap();
        // Each shorter than the quiet that a change is waited out with.
        for _ in 0..20 {
            let wait = tokio::time::timeout(QUIET / 4, watch.changed());
            assert!(wait.await.is_err());
        }
        watch.also(vec![folder.path().join("zone")]);
        assert!(sees(&mut watch).await);
    }

    #[tokio::test]
    async fn a_link_to_a_release_may_lead_to_another_one() {
        let place = tempfile::tempdir().unwrap();
        let at = |name: &str| place.path().join(name);
        for (release, text) in [("1", "a"), ("2", "b"), ("3", "c")] {
            fs::create_dir(at(release)).unwrap();
            fs::write(at(release).join("windrose.yaml"), text).unwrap();
        }
        let lead = |to: &str| {
            symlink(to, at("fresh")).unwrap();
            fs::rename(at("fresh"), at("current")).unwrap();
        };
        lead("1");
        for path in [at("current"), at("current").join("windrose.yaml")] {
            lead("1");
            let mut watch = Watch::new(&path).unwrap();
            lead("2");
            assert!(sees(&mut watch).await, "swap of {}", path.display());
            fs::write(
                at("2").join("windrose.yaml"),
                path.as_os_str().as_encoded_bytes(),
            )
            .unwrap();
            assert!(sees(&mut watch).await, "edit behind {}", path.display());
            lead("3");
            assert!(sees(&mut watch).await, "second swap of {}", path.display());
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn a_pipe_is_left_to_its_reader() {
        use std::io::Write;
        use std::os::fd::AsRawFd;

        let (reader, mut writer) = std::io::pipe().unwrap();
        writer.write_all(b"schema: 1").unwrap();
        drop(writer);
        let path = PathBuf::from(format!("/proc/self/fd/{}", reader.as_raw_fd()));
        let _watch = Watch::new(&path);
        assert_eq!(fs::read_to_string(path).unwrap(), "schema: 1");
    }

    #[tokio::test]
    async fn files_that_the_content_names_are_watched_wherever_they_stand() {
        let (folder, elsewhere) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let path = folder.path().join("windrose.yaml");
        let list = elsewhere.path().join("partners.txt");
        fs::write(&path, "a").unwrap();
        let mut watch = Watch::new(&path).unwrap();
        fs::write(&path, "b").unwrap();
        watch.also(vec![list.clone()]);
        assert!(sees(&mut watch).await, "what happened before");
        fs::write(&list, "a").unwrap();
        assert!(sees(&mut watch).await, "a file that was missing");
        fs::write(&list, "bb").unwrap();
        assert!(sees(&mut watch).await, "an edit");
        fs::remove_file(&list).unwrap();
        assert!(sees(&mut watch).await, "its end");
    }

    #[tokio::test]
    async fn a_directory_is_watched_for_its_yaml_files() {
        let folder = tempfile::tempdir().unwrap();
        let mut watch = Watch::new(folder.path()).unwrap();
        fs::write(folder.path().join("apps.yaml"), "a").unwrap();
        assert!(sees(&mut watch).await);

        let elsewhere = tempfile::tempdir().unwrap();
        let target = elsewhere.path().join("zones");
        fs::write(&target, "a").unwrap();
        symlink(&target, folder.path().join("zones.yaml")).unwrap();
        assert!(sees(&mut watch).await, "a link");
        fs::write(&target, "b").unwrap();
        assert!(sees(&mut watch).await, "an edit of what it leads to");
    }
}
