//! From the configuration to how the DNS threads speak, at start and at each reload. Cookie secrets are
//! read here, and go nowhere but to those threads. Starts the query log, and waits for its end.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::watch;
use windrose_config::{DnsAny, DnsBadCookie, DnsCookies, DnsErrors, DnsTcpLimits, NodeConfig};
use windrose_dns::{
    AnyAnswer, BadCookie, Cookies, ExtendedErrors, Manners, QueryLog, Secret, SecretsError,
    TcpLimits,
};
use windrose_telemetry::{Metrics, Writing};

use super::defence;

/// Octets of a file of secrets: some thousand of them.
const SECRETS: u64 = 64 << 10;

/// Tells the threads; they look once a batch.
#[derive(Debug, Clone)]
pub(crate) struct DnsManners {
    told: Arc<watch::Sender<Arc<Manners>>>,
    /// Limits of the node are shared out over its listeners.
    listeners: usize,
    /// What signs cookies where no file says so; the same as long as the process lives, so that a
    /// reload leaves cookies valid.
    by_chance: Secret,
    metrics: Arc<Metrics>,
    /// The writer of the query log, to be waited for at the end.
    writing: Arc<Mutex<Option<Writing>>>,
}

/// Cookie secrets that cannot be used. What is in the file is not repeated.
#[derive(Debug, thiserror::Error)]
pub(crate) enum SecretsLoadError {
    #[error("cannot read the cookie secrets of {}: {source}", file.display())]
    Read { file: PathBuf, source: io::Error },
    #[error(
        "{}:{line}: not a cookie secret; a line must be 32 hexadecimal digits, blank, or a comment behind #",
        file.display()
    )]
    Line { file: PathBuf, line: usize },
    #[error("{} has no cookie secret; it must have at least one line of 32 hexadecimal digits", file.display())]
    Empty { file: PathBuf },
    #[error("the system gives no random octets for a cookie secret: {0}")]
    NoChance(getrandom::Error),
}

impl SecretsLoadError {
    /// Whether memory or descriptors to read them were lacking.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if windrose_config::is_passing(source))
    }
}

impl DnsManners {
    pub(crate) fn new(
        config: &NodeConfig,
        listeners: usize,
        metrics: Arc<Metrics>,
    ) -> Result<Self, SecretsLoadError> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(SecretsLoadError::NoChance)?;
        let manners = Self {
            told: Arc::new(watch::channel(Arc::default()).0),
            listeners,
            by_chance: Secret::new(octets),
            metrics,
            writing: Arc::default(),
        };
        manners.tell(manners.of(config)?, config);
        Ok(manners)
    }

    /// What a configuration means, not yet in force, but for its query log.
    pub(crate) fn of(&self, config: &NodeConfig) -> Result<Manners, SecretsLoadError> {
        let mut manners = manners(config, self.listeners, &self.by_chance)?;
        let old = self.told.borrow();
        manners.limiter = defence::limiter(&config.dns.limits, old.limiter.as_ref());
        Ok(manners)
    }

    /// These are in force from now on, with the query log of their configuration.
    pub(crate) fn tell(&self, mut new: Manners, config: &NodeConfig) {
        let old = Arc::clone(&self.told.borrow());
        new.log = self.log(config, old.log.as_ref());
        if *old != new {
            self.told.send_replace(Arc::new(new));
        }
    }

    /// Ends the query log; waits for what is not yet written, but not longer than `limit`. For when
    /// the threads have ended.
    pub(crate) fn end(&self, limit: Duration) {
        self.told.send_replace(Arc::default());
        let writing = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writing) = &*writing
            && !writing.wait(limit)
        {
            tracing::warn!("ended with records of the query log unwritten");
        }
    }

    /// The log that a configuration asks for: the old one if it is that one.
    fn log(&self, config: &NodeConfig, old: Option<&Arc<QueryLog>>) -> Option<Arc<QueryLog>> {
        let wanted = config.dns.log.as_ref()?;
        let settings = defence::log_settings(config.name.as_str(), wanted);
        if let Some(old) = old.filter(|old| *old.settings() == settings) {
            return Some(Arc::clone(old));
        }
        match QueryLog::start(settings, Arc::clone(&self.metrics)) {
            Ok((log, writing)) => {
                // The writer before it ends by itself when its last record is written.
                let mut last = self.writing.lock().unwrap_or_else(PoisonError::into_inner);
                *last = Some(writing);
                Some(log)
            }
            Err(error) => {
                tracing::error!(%error, "no thread for the query log: there is none");
                None
            }
        }
    }

    pub(crate) fn listen(&self) -> watch::Receiver<Arc<Manners>> {
        self.told.subscribe()
    }
}

fn manners(
    config: &NodeConfig,
    listeners: usize,
    by_chance: &Secret,
) -> Result<Manners, SecretsLoadError> {
    let wanted = &config.dns;
    Ok(Manners {
        udp_size: wanted.udp_size,
        unproven_size: wanted.cookies.unproven_size,
        cookies: cookies(&wanted.cookies, by_chance)?,
        any: match wanted.any {
            DnsAny::OneSet => AnyAnswer::OneSet,
            DnsAny::Hinfo => AnyAnswer::Hinfo,
        },
        extended_errors: match wanted.extended_errors {
            DnsErrors::Off => ExtendedErrors::Off,
            DnsErrors::Codes => ExtendedErrors::Codes,
            DnsErrors::Reasons => ExtendedErrors::Reasons,
        },
        nsid: wanted.nsid.as_slice().into(),
        chaos_id: wanted.chaos_id.as_slice().into(),
        chaos_version: wanted.chaos_version.as_slice().into(),
        zone_version: wanted.zone_version,
        tcp: tcp(&wanted.tcp, listeners),
        limiter: None,
        log: None,
    })
}

/// A listener's share of what the node allows. One client never has more than half of a share, so
/// that it cannot push out everybody else.
fn tcp(wanted: &DnsTcpLimits, listeners: usize) -> TcpLimits {
    let share = |limit: usize| (limit / listeners.max(1)).max(1);
    let connections = share(wanted.connections);
    TcpLimits {
        connections,
        per_client: share(wanted.per_client).min((connections / 2).max(1)),
        idle: wanted.idle_timeout,
    }
}

fn cookies(wanted: &DnsCookies, by_chance: &Secret) -> Result<Option<Cookies>, SecretsLoadError> {
    if !wanted.enabled {
        return Ok(None);
    }
    let secrets = match &wanted.secrets_file {
        Some(file) => read(file)?,
        None => vec![by_chance.clone()],
    };
    let badcookie = match wanted.badcookie {
        DnsBadCookie::Off => BadCookie::Off,
        DnsBadCookie::WhenLimited => BadCookie::WhenLimited,
        DnsBadCookie::Always => BadCookie::Always,
    };
    Ok(Cookies::new(secrets, badcookie))
}

fn read(file: &Path) -> Result<Vec<Secret>, SecretsLoadError> {
    let cannot = |source| SecretsLoadError::Read {
        file: file.to_owned(),
        source,
    };
    let mut text = String::new();
    let opened = std::fs::File::open(file).map_err(cannot)?;
    io::Read::read_to_string(&mut io::Read::take(opened, SECRETS), &mut text).map_err(cannot)?;
    Secret::read_all(&text).map_err(|e| match e {
        SecretsError::Line(line) => SecretsLoadError::Line {
            file: file.to_owned(),
            line,
        },
        SecretsError::Empty => SecretsLoadError::Empty {
            file: file.to_owned(),
        },
    })
}
