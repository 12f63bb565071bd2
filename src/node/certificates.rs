//! Certificates of a node: from the configuration to what is in force, told apart from what is not,
//! and watched for their end.

use std::fmt;
use std::time::{Duration, SystemTime};

use windrose_config::{AboutFile, CertificateSource, NodeConfig, Report, Severity, TlsConfig};
use windrose_model::HttpVersion;
use windrose_tls::{
    ClientCa, Fault, Generation, Inside, MinVersion, PairError, Source, Store, ToEndpoints, Wanted,
};

/// A certificate that ends within this is told once a day.
const SOON: Duration = Duration::from_secs(14 * 24 * 3_600);
/// At most so many are told one by one.
const TOLD: usize = 20;
/// How often that is looked at.
pub(crate) const LOOK_EVERY: Duration = Duration::from_secs(24 * 3_600);

/// Stable, for tools.
pub(crate) const CODE: &str = "certificates-unusable";

/// Of what is left out, in `check`.
const LEFT_OUT: &str = "certificate-left-out";
/// Of what looks wrong.
const SUSPICIOUS: &str = "certificate-unused";

/// Why certificates cannot be used: each with its file.
#[derive(Debug)]
pub(crate) struct CertificatesError(Vec<PairError>);

/// Reads what the configuration names; nothing is in force yet.
pub(crate) fn prepare(store: &Store, config: &NodeConfig) -> Result<Generation, CertificatesError> {
    read(store, &config.tls, config.http_limits.http2.enabled)
}

fn read(store: &Store, config: &TlsConfig, http2: bool) -> Result<Generation, CertificatesError> {
    store
        .prepare(&wanted(config, http2), SystemTime::now())
        .map_err(CertificatesError)
}

/// What is wrong with files of TLS, as diagnostics.
pub(crate) fn wrong_with(error: &CertificatesError) -> impl Iterator<Item = AboutFile<'_>> {
    error.0.iter().map(|error| AboutFile {
        severity: Severity::Error,
        code: match &error.fault {
            Fault::Unreadable(source) if windrose_config::is_passing(source) => {
                windrose_config::UNREADABLE_NOW
            }
            _ => CODE,
        },
        file: &error.file,
        message: error.to_string(),
    })
}

/// A refusal with what is wrong with certificates, too, as far as TLS could be read.
pub(crate) fn beside(store: &Store, report: Report) -> Report {
    // What is offered by ALPN is of no account here.
    let wrong = report.tls().map(|tls| read(store, tls, true));
    match wrong {
        Some(Err(error)) => report.and_about_files(wrong_with(&error)),
        _ => report,
    }
}

/// What of a generation looks wrong, or is left out.
pub(crate) fn remarks(generation: &Generation) -> impl Iterator<Item = AboutFile<'_>> {
    let left_out = generation.troubles.iter().map(|trouble| AboutFile {
        severity: Severity::Warning,
        code: LEFT_OUT,
        file: &trouble.error.file,
        message: trouble.error.to_string(),
    });
    let remarks = generation.remarks.iter();
    let remarks = remarks.map(|(file, remark)| AboutFile {
        severity: Severity::Warning,
        code: SUSPICIOUS,
        file,
        message: format!("{}: {remark}", file.display()),
    });
    left_out.chain(remarks)
}

/// Puts it in force; tells what was left out, and what ends soon.
pub(crate) fn publish(store: &Store, generation: Generation) {
    for trouble in &generation.troubles {
        let so = if trouble.kept {
            "the one before goes on"
        } else {
            "it is left out"
        };
        tracing::error!("certificate refused, {so}: {}", trouble.error);
    }
    for (file, remark) in &generation.remarks {
        tracing::warn!(file = %file.display(), "{remark}");
    }
    store.publish(generation);
    warn_of_ends(store);
}

/// Warns of each certificate that ends soon.
pub(crate) fn warn_of_ends(store: &Store) {
    let now = SystemTime::now();
    let mut ending = store.expiries();
    ending.retain(|expiry| {
        expiry.at.duration_since(now).is_ok_and(|left| left <= SOON) || expiry.at <= now
    });
    ending.sort_by_key(|expiry| expiry.at);
    if ending.len() > TOLD {
        tracing::warn!(
            certificates = ending.len(),
            "certificates end soon; the first follow"
        );
    }
    for expiry in ending.iter().take(TOLD) {
        let file = expiry.file.display();
        match expiry.at.duration_since(now) {
            Ok(left) => tracing::warn!(
                file = %file,
                days = left.as_secs() / 86_400,
                "a certificate ends soon"
            ),
            Err(_) => {
                tracing::error!(file = %file, "a certificate has expired and is still served")
            }
        }
    }
}

fn wanted(config: &TlsConfig, http2: bool) -> Wanted {
    let source = |source: &CertificateSource| match source.clone() {
        CertificateSource::Pair { cert, key, default } => Source::Pair { cert, key, default },
        CertificateSource::Folder(folder) => Source::Folder(folder),
    };
    let client_ca = |file: &windrose_config::ClientCaFile| ClientCa {
        policy: file.policy,
        ca: file.ca.clone(),
        required: file.required,
    };
    let version = |only_tls13| match only_tls13 {
        true => MinVersion::Tls13,
        false => MinVersion::Tls12,
    };
    let to_endpoints = |files: &windrose_config::UpstreamTlsFiles| ToEndpoints {
        policy: files.policy,
        server_name: files.server_name.clone(),
        names: files.names.clone(),
        ca: files.ca.clone(),
        verified: files.verified,
        identity: files.client.clone(),
        min_version: version(files.only_tls13),
        inside: match files.http {
            None => Inside::Octets,
            Some(HttpVersion::Http1) => Inside::Http1,
            Some(HttpVersion::Http2) => Inside::Http2,
        },
    };
    Wanted {
        certificates: config.certificates.iter().map(source).collect(),
        min_version: version(config.only_tls13),
        http2,
        client_cas: config.client_cas.iter().map(client_ca).collect(),
        to_endpoints: config.upstreams.iter().map(to_endpoints).collect(),
    }
}

impl fmt::Display for CertificatesError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (n, error) in self.0.iter().enumerate() {
            if n > 0 {
                f.write_str("\n")?;
            }
            write!(f, "{error}")?;
        }
        Ok(())
    }
}

impl std::error::Error for CertificatesError {}
