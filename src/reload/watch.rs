//! Says when a configuration may have changed: a file or a directory, edited in place, replaced by
//! a rename, or swapped as Kubernetes does with the `..data` link of a ConfigMap.

use std::collections::hash_map::DefaultHasher;
use std::hash::{Hash, Hasher};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use notify::event::{AccessKind, AccessMode, EventKind};
use notify::{RecommendedWatcher, RecursiveMode, Watcher};
use tokio::sync::mpsc;
use tokio::time::{Instant, timeout_at};

/// Quiet for this long means that the writer is done …
const QUIET: Duration = Duration::from_millis(200);
/// … and this long is waited for quiet at most.
const LONGEST: Duration = Duration::from_secs(2);

/// Links that are followed on the way to the content.
const LINKS: usize = 8;

/// A watch on one path.
pub(crate) struct Watch {
    path: PathBuf,
    /// Files that the content names.
    named: Vec<PathBuf>,
    events: mpsc::Receiver<()>,
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
        let watcher = notify::recommended_watcher(move |event: notify::Result<notify::Event>| {
            if event.is_ok_and(|e| is_change(&e.kind)) {
                let _ = send.try_send(());
            }
        })?;
        let mut watch = Self {
            path: path.to_owned(),
            named: Vec::new(),
            events,
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
            while let Ok(Some(())) =
                timeout_at(last.min(Instant::now() + QUIET), self.events.recv()).await
            {}
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
