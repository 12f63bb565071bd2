//! What can be wrong with a fallback.

use super::Checker;
use crate::{App, Elsewhere, Fallback, Version};

impl Checker<'_> {
    pub(super) fn fallback(&mut self, app: &App, fallback: &Fallback) {
        let Fallback {
            on,
            elsewhere,
            respond,
        } = fallback;
        if app.tcp.is_some() {
            let message = "an app with `tcp` has no fallback: nothing of its connections is read";
            self.refuse("fallback-without-use", message.to_owned(), None);
        }
        let nowhere = elsewhere
            .as_ref()
            .is_none_or(|place| *place == Elsewhere::default());
        if nowhere && respond.is_none() {
            let message = "a fallback needs version, cluster or respond";
            self.refuse("fallback-without-use", message.to_owned(), None);
        }
        if let Some(range) = on.statuses.iter().find(|range| range.first < 400) {
            let message = format!("status {} is no failure, must be 400 to 599", range.first);
            self.under("on", |c| c.refuse("status-out-of-range", message, None));
        }
        if let Some(respond) = respond {
            self.under("respond", |c| c.respond(respond));
        }
        let Some(Elsewhere { version, cluster }) = elsewhere else {
            return;
        };
        if let Some(version) = version {
            self.under("version", |c| c.version(app, version));
        }
        let Some(cluster) = cluster else { return };
        let runs = |version: &Version| version.endpoints.contains_key(cluster);
        let message = match version
            .as_ref()
            .and_then(|name| app.versions.get_key_value(name))
        {
            Some((_, it)) if runs(it) => return,
            Some((name, _)) => format!("version `{name}` does not run in cluster `{cluster}`"),
            None if app.versions.values().any(runs) => return,
            None => format!("no version of this app runs in cluster `{cluster}`"),
        };
        self.under("cluster", |c| {
            c.refuse("cluster-not-in-app", message, None);
        });
    }
}
