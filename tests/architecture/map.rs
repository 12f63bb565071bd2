//! Links and file pointers in the documentation lead somewhere.

use std::path::{Component, Path, PathBuf};

use crate::tree::{none, read, root, texts};

#[test]
fn links_lead_somewhere() {
    let mut broken = Vec::new();
    for (file, text) in texts("md") {
        let folder = file.parent().unwrap();
        for (number, target) in links(&text) {
            if target.contains("://") || target.starts_with("mailto:") {
                continue;
            }
            let (path, heading) = target.split_once('#').unwrap_or((&target, ""));
            let path = if path.is_empty() {
                file.clone()
            } else {
                tidy(&folder.join(path))
            };
            if !root().join(&path).exists() {
                broken.push(format!("{}:{number}: {target}", file.display()));
            } else if !heading.is_empty() && !headings(&path).iter().any(|h| h == heading) {
                broken.push(format!("{}:{number}: no heading {target}", file.display()));
            }
        }
    }
    none("broken links", &broken);
}

#[test]
fn the_map_points_to_what_exists() {
    let text = read(Path::new("ARCHITECTURE.md"));
    let (map, _) = text
        .split_once("\n## Not yet")
        .expect("a list of what is not there yet");
    let mut missing = Vec::new();
    for (number, line) in (1..).zip(map.lines()) {
        for word in line.split('`').skip(1).step_by(2) {
            let is_path = word.contains('/') || word.ends_with(".rs") || word.ends_with(".toml");
            let plain = word
                .chars()
                .all(|c| c.is_ascii_alphanumeric() || "/._-".contains(c));
            let is_page = word.starts_with('/');
            if is_path && plain && !is_page && !root().join(word).exists() {
                missing.push(format!("ARCHITECTURE.md:{number}: {word}"));
            }
        }
    }
    none("the map names what is not there", &missing);
}

/// Targets of inline links, code blocks left out.
fn links(text: &str) -> Vec<(usize, String)> {
    let mut found = Vec::new();
    let mut code = false;
    for (number, line) in (1..).zip(text.lines()) {
        if line.trim_start().starts_with("```") {
            code = !code;
        }
        if code {
            continue;
        }
        // Every second piece between back quotes is code.
        for prose in line.split('`').step_by(2) {
            let mut rest = prose;
            while let Some((_, after)) = rest.split_once("](") {
                let Some((target, after)) = after.split_once(')') else {
                    break;
                };
                let target = target.split(' ').next().unwrap_or_default();
                found.push((number, target.to_owned()));
                rest = after;
            }
        }
    }
    found
}

/// Anchors of a page, by the rules of GitHub for plain headings.
fn headings(file: &Path) -> Vec<String> {
    let text = read(file);
    let lines = text.lines().filter(|line| line.starts_with('#'));
    lines
        .map(|line| {
            let title = line.trim_start_matches('#').trim().to_lowercase();
            title
                .chars()
                .filter(|c| c.is_alphanumeric() || matches!(c, ' ' | '-' | '_'))
                .map(|c| if c == ' ' { '-' } else { c })
                .collect()
        })
        .collect()
}

/// Without `.` and `..`.
fn tidy(path: &Path) -> PathBuf {
    let mut tidy = PathBuf::new();
    for part in path.components() {
        match part {
            Component::ParentDir => {
                tidy.pop();
            }
            Component::CurDir => {}
            part => tidy.push(part),
        }
    }
    tidy
}
