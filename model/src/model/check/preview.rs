//! What can be wrong with a preview.

use super::Checker;
use super::route::covers;
use crate::{App, Preview};

impl Checker<'_> {
    pub(super) fn preview(&mut self, app: &App, preview: &Preview) {
        self.under("version", |c| c.version(app, &preview.version));
        if preview.hosts.is_empty() && preview.headers.is_empty() {
            self.refuse(
                "preview-without-match",
                "a preview needs hosts or headers: whom should it be for?".to_owned(),
                None,
            );
        }
        self.under("hosts", |c| {
            for (i, host) in preview.hosts.iter().enumerate() {
                if !app.hosts.iter().any(|of| covers(of, host)) {
                    c.under(i, |c| c.foreign_host(app, host));
                }
            }
        });
        let names = preview.headers.iter().map(|(name, _)| name.as_str());
        self.named("headers", names);
        if app.tcp.is_some() {
            self.refuse(
                "preview-unreadable",
                "an app with `tcp` has no preview: nothing of its connections is read".to_owned(),
                None,
            );
        }
    }
}
