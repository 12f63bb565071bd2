//! From a changed file to a Model in force, or to a refusal that says why; a bad configuration
//! never replaces a good one.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::watch as watch_channel;
use windrose_config::{Loaded, NodeConfig, Reader, Report};
use windrose_control::Handle;
use windrose_model::{Model, Revision};
use windrose_routing::Data;
use windrose_tls::Store;

use crate::node::certificates;
use crate::node::data::{DataError, Found, Loader};
use crate::node::{DnsManners, SecretsLoadError, Serials};

mod watch;

pub(crate) use watch::Watch;

/// What is in force, and where new ones come from.
pub(crate) struct Reloader {
    path: PathBuf,
    node: NodeConfig,
    reader: Reader,
    loader: Loader,
    data: Arc<Data>,
    model: Arc<Model>,
    serials: Serials,
    /// The last that was taken.
    revision: Revision,
    handle: Handle,
    /// The files that the configuration names, for whom it may concern.
    named: watch_channel::Sender<Vec<PathBuf>>,
    dns_manners: DnsManners,
    /// Memory or descriptors to read it were lacking the last time.
    is_unread: bool,
    certificates: Store,
}

/// How long to wait before what could not be read is tried again.
const AGAIN: Duration = Duration::from_secs(1);

/// Why a new configuration is not in force.
enum Refused {
    /// As the report of `check`.
    Wrong(Report),
    CookieSecrets(SecretsLoadError),
    /// These keys take effect at start only.
    RestartNeeded(Vec<&'static str>),
    Data(DataError),
}

impl Reloader {
    pub(crate) fn new(
        path: PathBuf,
        loaded: &Loaded,
        running: Running,
        named: watch_channel::Sender<Vec<PathBuf>>,
    ) -> Self {
        Self {
            path,
            node: loaded.node.clone(),
            reader: running.reader,
            loader: running.loader,
            revision: running.model.revision(),
            data: running.data,
            model: running.model,
            serials: running.serials,
            handle: running.handle,
            named,
            dns_manners: running.dns_manners,
            is_unread: false,
            certificates: running.certificates,
        }
    }

    /// Reads again what the path holds now. Told once, here: an INFO or an ERROR.
    pub(crate) fn reload(&mut self, why: &'static str) {
        let taken = self.take();
        let was_unread = std::mem::take(&mut self.is_unread);
        match taken {
            Ok(summary) => tracing::info!(
                file = %self.path.display(),
                revision = self.revision.0,
                why,
                "configuration taken: {summary}"
            ),
            Err(refused) if refused.is_passing() => {
                self.is_unread = true;
                if was_unread {
                    return;
                }
                let text = refused.to_string();
                tracing::error!(
                    file = %self.path.display(),
                    why,
                    "cannot read the configuration now, the old one serves on; trying again: {text}"
                );
                self.handle.reload_failed(text);
            }
            Err(refused) => {
                let text = refused.to_string();
                tracing::error!(
                    file = %self.path.display(),
                    why,
                    "configuration refused, the old one serves on: {text}"
                );
                self.handle.reload_failed(text);
            }
        }
    }

    /// Returns when what could not be read should be tried again; never if it was read.
    pub(crate) async fn due_again(&self) {
        if self.is_unread {
            tokio::time::sleep(AGAIN).await;
        } else {
            std::future::pending().await
        }
    }

    fn take(&mut self) -> Result<String, Refused> {
        let revision = Revision(self.revision.0 + 1);
        let loaded = (self.reader).load(&self.path, revision, Some(&self.model), SystemTime::now());
        // Of a refused one too: what it lacks may come.
        let (Ok(Loaded { sources, .. }) | Err(Report { sources, .. })) = &loaded;
        if !loaded.as_ref().is_err_and(Report::is_passing) {
            self.watch_also(sources.named());
        }
        let loaded = loaded
            .map_err(|report| certificates::beside(&self.certificates, report))
            .map_err(Refused::Wrong)?;
        let changed = changed_for_good(&self.node, &loaded.node);
        if !changed.is_empty() {
            return Err(Refused::RestartNeeded(changed));
        }
        let manners = (self.dns_manners.of(&loaded.node)).map_err(Refused::CookieSecrets)?;
        let certificates =
            certificates::prepare(&self.certificates, &loaded.node).map_err(|error| {
                Refused::Wrong(loaded.about_files(certificates::wrong_with(&error)))
            })?;
        let Found { data, warnings } = self.loader.load(&loaded).map_err(Refused::Data)?;
        self.data = data;
        let own = (!loaded.warnings.is_empty()).then(|| loaded.warning_report());
        for report in own.into_iter().chain(warnings) {
            tracing::warn!(file = %self.path.display(), "{}", report.brief());
        }
        let summary = windrose_config::summary(&loaded);
        self.revision = revision;
        // Before the Model that asks for them.
        certificates::publish(&self.certificates, certificates);
        self.dns_manners.tell(manners, &loaded.node);
        if loaded.node.resolvers != self.node.resolvers {
            self.handle.resolve_by(loaded.node.resolvers.clone());
        }
        self.node = loaded.node;
        self.model = (self.serials).give(loaded.model, &loaded.counted, Some(&self.model));
        self.handle
            .apply(Arc::clone(&self.model), Arc::clone(&self.data));
        Ok(summary)
    }
}

impl Refused {
    /// Whether it says nothing of the files: the next attempt may do better.
    fn is_passing(&self) -> bool {
        match self {
            Self::Wrong(report) => report.is_passing(),
            Self::CookieSecrets(error) => error.is_passing(),
            Self::RestartNeeded(_) => false,
            Self::Data(error) => error.is_passing(),
        }
    }
}

impl Reloader {
    fn watch_also(&self, files: &[PathBuf]) {
        self.named.send_if_modified(|named| {
            let differs = named != files;
            named.clear();
            named.extend_from_slice(files);
            differs
        });
    }
}

/// What a node runs with.
pub(crate) struct Running {
    pub(crate) model: Arc<Model>,
    pub(crate) serials: Serials,
    pub(crate) data: Arc<Data>,
    pub(crate) reader: Reader,
    pub(crate) loader: Loader,
    pub(crate) handle: Handle,
    pub(crate) dns_manners: DnsManners,
    pub(crate) certificates: Store,
}

/// The keys that differ and take effect at start only.
fn changed_for_good(old: &NodeConfig, new: &NodeConfig) -> Vec<&'static str> {
    let keys = [
        ("node.name", old.name != new.name),
        ("node.region", old.region != new.region),
        ("node.home", old.home != new.home),
        ("node.data_dir", old.data_dir != new.data_dir),
        ("node.threads", old.threads != new.threads),
        (
            "node.trusted_proxies",
            old.forwarded_trust != new.forwarded_trust,
        ),
        ("node.proxy_protocol", old.proxy_trust != new.proxy_trust),
        ("node.http", old.http_limits != new.http_limits),
        ("node.http.log", old.access_log != new.access_log),
        ("listeners.dns", old.listeners.dns != new.listeners.dns),
        ("listeners.http", old.listeners.http != new.listeners.http),
        ("listeners.tcp", old.listeners.tcp != new.listeners.tcp),
        (
            "tls.handshake_timeout",
            old.tls.handshake_timeout != new.tls.handshake_timeout,
        ),
        (
            "listeners.https",
            old.listeners.https != new.listeners.https,
        ),
        (
            "listeners.admin",
            old.listeners.admin != new.listeners.admin,
        ),
    ];
    let differ = keys.into_iter().filter(|(_, differs)| *differs);
    differ.map(|(key, _)| key).collect()
}

impl fmt::Display for Refused {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Wrong(report) => write!(f, "{report}"),
            Self::CookieSecrets(e) => write!(f, "cookie-secrets-unusable: {e}"),
            Self::RestartNeeded(keys) => write!(
                f,
                "restart-needed: {} changed and takes effect at start only; restart the node, or take the change back",
                keys.join(", ")
            ),
            Self::Data(e) => e.fmt(f),
        }
    }
}
