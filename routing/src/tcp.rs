//! TCP listeners to apps: by the name a client asks for, else the listener's own. HOT.

use std::collections::HashMap;

use windrose_model::{AppId, Model};

use crate::hosts::HostIndex;

/// The apps of each TCP listener, by its name.
#[derive(Default)]
pub(crate) struct TcpIndex(HashMap<Box<str>, TcpApps>);

/// The apps of a TCP listener.
#[derive(Default)]
pub struct TcpApps {
    by_name: HostIndex,
    /// Whose connections are those that no name gives to another.
    rest: Option<AppId>,
    reads_names: bool,
}

impl TcpIndex {
    pub(crate) fn build(model: &Model) -> Self {
        let mut index = Self::default();
        for (id, _, app) in model.app_ids() {
            let Some(tcp) = &app.tcp else { continue };
            let apps = index.0.entry(tcp.listener.as_str().into()).or_default();
            if tcp.sni {
                apps.reads_names = true;
                apps.by_name.add(id, app);
            } else {
                apps.rest = Some(id);
            }
        }
        index
    }

    #[inline]
    pub(crate) fn find(&self, listener: &str) -> Option<&TcpApps> {
        self.0.get(listener)
    }
}

impl TcpApps {
    /// Whether the ClientHello must be read before an app is known.
    #[inline]
    pub fn reads_names(&self) -> bool {
        self.reads_names
    }

    /// The app of a connection that asks for this name (lower-case, no final dot), or for none.
    #[inline]
    pub fn app(&self, name: Option<&str>) -> Option<AppId> {
        name.and_then(|name| self.by_name.find(name)).or(self.rest)
    }
}
