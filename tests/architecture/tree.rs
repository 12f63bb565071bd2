//! The files of the project: what git tracks or would track; without git, what lies there.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The folder of the workspace.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

/// All files, relative to [`root`], sorted.
pub(crate) fn files() -> Vec<PathBuf> {
    let mut files = tracked().unwrap_or_else(|| {
        let mut found = Vec::new();
        walk(Path::new(""), &mut found);
        found
    });
    files.retain(|file| root().join(file).is_file());
    files.sort();
    assert!(
        files.len() > 50,
        "these are not the files of the project: {files:?}"
    );
    files
}

/// Files with this ending, with their text.
pub(crate) fn texts(ending: &str) -> Vec<(PathBuf, String)> {
    let mut texts = Vec::new();
    for file in files() {
        if file.extension().is_some_and(|e| e == ending) {
            texts.push((file.clone(), read(&file)));
        }
    }
    texts
}

/// The text of a file, relative to [`root`].
pub(crate) fn read(file: &Path) -> String {
    let text = std::fs::read_to_string(root().join(file));
    text.unwrap_or_else(|error| panic!("{}: {error}", file.display()))
}

/// Fails with all complaints at once.
pub(crate) fn none(rule: &str, complaints: &[String]) {
    assert!(
        complaints.is_empty(),
        "{rule}:\n  {}",
        complaints.join("\n  ")
    );
}

fn tracked() -> Option<Vec<PathBuf>> {
    let listed = Command::new("git")
        .args([
            "ls-files",
            "-z",
            "--cached",
            "--others",
            "--exclude-standard",
        ])
        .current_dir(root())
        .output()
        .ok()?;
    let names = String::from_utf8(listed.stdout).ok()?;
    let files: Vec<_> = names.split_terminator('\0').map(PathBuf::from).collect();
    (listed.status.success() && !files.is_empty()).then_some(files)
}

fn walk(folder: &Path, found: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(root().join(folder)).unwrap() {
        let entry = entry.unwrap();
        let name = entry.file_name();
        let path = folder.join(&name);
        let hidden = name.to_string_lossy().starts_with('.') && name != ".ci";
        if entry.file_type().unwrap().is_dir() {
            if !hidden && name != "target" && name != "windrose-data" {
                walk(&path, found);
            }
        } else {
            found.push(path);
        }
    }
}
