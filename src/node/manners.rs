//! From the configuration to how the DNS threads speak, at start and at each reload. Cookie secrets are
//! read here, and go nowhere but to those threads.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use tokio::sync::watch;
use windrose_config::{DnsAny, DnsBadCookie, DnsCookies, DnsErrors, NodeConfig};
use windrose_dns::{
    AnyAnswer, BadCookie, Cookies, ExtendedErrors, Manners, Secret, SecretsError, TcpLimits,
};

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

impl DnsManners {
    pub(crate) fn new(config: &NodeConfig, listeners: usize) -> Result<Self, SecretsLoadError> {
        let mut octets = [0; 16];
        getrandom::fill(&mut octets).map_err(SecretsLoadError::NoChance)?;
        let by_chance = Secret::new(octets);
        let manners = manners(config, listeners, &by_chance)?;
        Ok(Self {
            told: Arc::new(watch::channel(Arc::new(manners)).0),
            listeners,
            by_chance,
        })
    }

    /// What a configuration means, not yet in force.
    pub(crate) fn of(&self, config: &NodeConfig) -> Result<Manners, SecretsLoadError> {
        manners(config, self.listeners, &self.by_chance)
    }

    /// These are in force from now on.
    pub(crate) fn tell(&self, new: Manners) {
        self.told.send_if_modified(|old| {
            let differs = **old != new;
            if differs {
                *old = Arc::new(new);
            }
            differs
        });
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
        tcp: TcpLimits {
            connections: (wanted.tcp.connections / listeners.max(1)).max(1),
            per_client: wanted.tcp.per_client,
            idle: wanted.tcp.idle_timeout,
        },
    })
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
