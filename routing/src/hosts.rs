//! Hosts to apps. HOT.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use windrose_model::{App, AppId, Model};
use xxhash_rust::xxh3::xxh3_64;

/// One pass of xxh3 over the text; keys come from the configuration, so no seed is needed.
#[derive(Default)]
pub(crate) struct TextHasher(u64);

impl Hasher for TextHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ xxh3_64(bytes);
    }
    fn write_u8(&mut self, _: u8) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

pub(crate) type TextMap<V> = HashMap<Box<str>, V, BuildHasherDefault<TextHasher>>;

/// Host to app: exact names first, then the longest wildcard.
#[derive(Default)]
pub(crate) struct HostIndex {
    exact: TextMap<AppId>,
    /// By what stands behind `*.`.
    below: TextMap<AppId>,
}

impl HostIndex {
    pub(crate) fn build(model: &Model) -> Self {
        let mut index = Self::default();
        for (id, _, app) in model.app_ids() {
            if app.tcp.is_none() {
                index.add(id, app);
            }
        }
        index
    }

    pub(crate) fn add(&mut self, id: AppId, app: &App) {
        for host in &app.hosts {
            let text = host.to_string();
            match text.strip_prefix("*.") {
                Some(below) => self.below.insert(below.into(), id),
                None => self.exact.insert(text.into(), id),
            };
        }
    }

    #[inline]
    pub(crate) fn find(&self, host: &str) -> Option<AppId> {
        if let Some(id) = self.exact.get(host) {
            return Some(*id);
        }
        if self.below.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(id) = self.below.get(parent) {
                return Some(*id);
            }
            rest = parent;
        }
        None
    }
}
