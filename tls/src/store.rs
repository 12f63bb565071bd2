//! What is in force: certificates by name and the settings of handshakes. One writer replaces it as
//! a whole; every handshake reads it once.

use std::collections::HashMap;
use std::fmt;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::SystemTime;

use arc_swap::ArcSwap;
use rustls::crypto::CryptoProvider;
use rustls::server::{ClientHello, NoServerSessionStorage, ProducesTickets, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use rustls::{ServerConfig, SupportedProtocolVersion};

use crate::certificate::{Certificate, Expiry};
use crate::client_auth;
use crate::error::{Fault, PairError, Remark, Trouble};
use crate::index::Index;
use crate::origin::{Origin, Workshop};
use crate::origin_error::{OriginError, OriginFault};
use crate::pair::{self, Place};
use crate::source::{ClientCa, MinVersion, Source, Wanted};

/// The certificates and settings in force, shared by all threads of a node.
#[derive(Debug, Clone)]
pub struct Store(Arc<ArcSwap<Generation>>);

/// One state of it; made by [`Store::prepare`], put in force by [`Store::publish`].
pub struct Generation {
    pub(crate) index: Arc<Index>,
    /// For hosts that ask for no certificate.
    open: Option<Arc<ServerConfig>>,
    policies: HashMap<u64, Policy>,
    /// To endpoints; not in force for new Tables if retired.
    origins: HashMap<u64, Dated>,
    tickets: Option<Arc<dyn ProducesTickets>>,
    min_version: MinVersion,
    http2: bool,
    /// Pairs of folders that are left out.
    pub troubles: Vec<Trouble>,
    /// What looks wrong, by file or folder.
    pub remarks: Vec<(PathBuf, Remark)>,
}

/// Settings for hosts that ask clients for a certificate.
#[derive(Clone)]
struct Policy {
    wanted: ClientCa,
    /// Digest of the bundle.
    digest: u128,
    config: Arc<ServerConfig>,
    /// Left from the generation before, for who still reads its Table.
    retired: bool,
}

/// Settings for connections to endpoints.
struct Dated {
    origin: Arc<Origin>,
    /// Left from the generation before, for who still reads its Table.
    retired: bool,
}

impl Default for Store {
    fn default() -> Self {
        Self::new()
    }
}

impl Store {
    /// Without any certificate.
    pub fn new() -> Self {
        Self(Arc::new(ArcSwap::from_pointee(Generation {
            index: Arc::default(),
            open: None,
            policies: HashMap::new(),
            origins: HashMap::new(),
            tickets: None,
            min_version: MinVersion::default(),
            http2: false,
            troubles: Vec::new(),
            remarks: Vec::new(),
        })))
    }

    /// Reads all files. What did not change is not parsed again, and goes on although it may have
    /// expired meanwhile.
    ///
    /// # Errors
    /// Everything that is wrong with pairs and bundles named one by one that are not in force; those
    /// in force go on, and pairs of folders are left out ([`Generation::troubles`]).
    pub fn prepare(&self, wanted: &Wanted, now: SystemTime) -> Result<Generation, Vec<PairError>> {
        let before = self.load();
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let mut gathered = Gathered::new(&before.index, &provider, now);
        for source in &wanted.certificates {
            gathered.add(source);
        }
        gathered.look();
        let Gathered {
            certificates,
            mut troubles,
            remarks,
            mut errors,
            ..
        } = gathered;
        let resolver = Arc::new(Resolver(self.clone()));
        let make = Make {
            provider: &provider,
            min_version: wanted.min_version,
            http2: wanted.http2,
            resolver,
        };
        let same = before.min_version == wanted.min_version && before.http2 == wanted.http2;
        let policies = make.policies(wanted, &before, same, &mut errors);
        let workshop = Workshop::new(&provider, now);
        let origins = origins(wanted, &before, workshop, &mut troubles, &mut errors);
        let tickets = before.tickets.clone().map_or_else(new_tickets, Ok);
        let open = match (&before.open, &tickets) {
            (Some(open), _) if same => Ok(Arc::clone(open)),
            (_, Ok(tickets)) => make.config(None, Arc::clone(tickets)),
            (_, Err(error)) => Err(error.clone()),
        };
        match (open, tickets) {
            (Ok(open), Ok(tickets)) if errors.is_empty() => Ok(Generation {
                index: Arc::new(Index::new(certificates)),
                open: Some(open),
                policies,
                origins,
                tickets: Some(tickets),
                min_version: wanted.min_version,
                http2: wanted.http2,
                troubles,
                remarks,
            }),
            (open, _) => {
                let setup = |e| PairError::new("tls", Fault::Setup(e));
                errors.extend(open.err().map(setup));
                Err(errors)
            }
        }
    }

    /// Puts a generation in force for all handshakes that begin from now on.
    pub fn publish(&self, generation: Generation) {
        self.0.store(Arc::new(generation));
    }

    /// When each certificate in force ends, in the order they were wanted; then those that endpoints
    /// are shown.
    pub fn expiries(&self) -> Vec<Expiry> {
        let expiry = |certificate: &Arc<Certificate>| Expiry {
            file: certificate.file.clone(),
            at: certificate.facts.not_after,
        };
        let generation = self.load();
        let mut all: Vec<_> = generation.index.all().iter().map(expiry).collect();
        let of_dated = |dated: &Dated| dated.origin.identity.as_ref().map(expiry);
        let current = generation.origins.values().filter(|dated| !dated.retired);
        let mut shown: Vec<_> = current.filter_map(of_dated).collect();
        shown.sort_by(|a, b| a.file.cmp(&b.file));
        shown.dedup();
        all.append(&mut shown);
        all
    }

    /// The settings for connections to endpoints under a policy.
    ///
    /// # Errors
    /// They are not in force any more.
    pub fn origin(&self, policy: u64) -> Result<Arc<Origin>, OriginError> {
        let dated = self.0.load();
        let dated = dated.origins.get(&policy);
        dated.map_or_else(
            || Err(OriginFault::no_policy()),
            |dated| Ok(Arc::clone(&dated.origin)),
        )
    }

    /// Certificates in force.
    pub fn count(&self) -> usize {
        self.load().index.all().len()
    }

    pub(crate) fn load(&self) -> Arc<Generation> {
        self.0.load_full()
    }
}

impl Generation {
    /// The settings for a policy, or for none; nothing where the policy is not known.
    pub(crate) fn config(&self, policy: Option<u64>) -> Option<Arc<ServerConfig>> {
        match policy {
            None => self.open.clone(),
            Some(policy) => Some(Arc::clone(&self.policies.get(&policy)?.config)),
        }
    }
}

impl fmt::Debug for Generation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Generation")
            .field("certificates", &self.index.all().len())
            .field("policies", &self.policies.len())
            .finish_non_exhaustive()
    }
}

/// Settings for all connections to endpoints that are wanted, and those that were until now.
fn origins(
    wanted: &Wanted,
    before: &Generation,
    mut workshop: Workshop<'_>,
    troubles: &mut Vec<Trouble>,
    errors: &mut Vec<PairError>,
) -> HashMap<u64, Dated> {
    let until_now = before.origins.iter().filter(|(_, dated)| !dated.retired);
    let retired = |(policy, dated): (&u64, &Dated)| {
        let (origin, retired) = (Arc::clone(&dated.origin), true);
        (*policy, Dated { origin, retired })
    };
    let mut origins: HashMap<_, _> = until_now.map(retired).collect();
    for wanted in &wanted.to_endpoints {
        let known = before
            .origins
            .get(&wanted.policy)
            .map(|dated| &dated.origin);
        let origin = match (workshop.make(wanted, known), known) {
            (Ok(origin), _) => origin,
            (Err(error), Some(known)) if known.is_of(wanted) => {
                troubles.push(Trouble { error, kept: true });
                Arc::clone(known)
            }
            (Err(error), _) => {
                errors.push(error);
                continue;
            }
        };
        let retired = false;
        origins.insert(wanted.policy, Dated { origin, retired });
    }
    origins
}

/// Certificates on their way into a generation.
struct Gathered<'g> {
    provider: &'g CryptoProvider,
    now: SystemTime,
    before: HashMap<&'g Path, &'g Arc<Certificate>>,
    certificates: Vec<Arc<Certificate>>,
    troubles: Vec<Trouble>,
    remarks: Vec<(PathBuf, Remark)>,
    errors: Vec<PairError>,
}

impl<'g> Gathered<'g> {
    fn new(before: &'g Index, provider: &'g CryptoProvider, now: SystemTime) -> Self {
        let before = before.all().iter().map(|c| (c.file.as_path(), c));
        Self {
            provider,
            now,
            before: before.collect(),
            certificates: Vec::new(),
            troubles: Vec::new(),
            remarks: Vec::new(),
            errors: Vec::new(),
        }
    }

    fn add(&mut self, source: &Source) {
        match source {
            Source::Pair { cert, key, default } => {
                let place = Place {
                    cert,
                    key: Some(key),
                    default: *default,
                };
                match self.read(place) {
                    Ok(certificate) => self.certificates.push(certificate),
                    Err(error) => match self.kept(place) {
                        Some(kept) => self.keep(kept, error),
                        None => self.errors.push(error),
                    },
                }
            }
            Source::Folder(folder) => match pairs_of(folder) {
                Ok(pairs) => {
                    if pairs.is_empty() {
                        self.remark(folder, Remark::EmptyFolder);
                    }
                    pairs.iter().for_each(|pair| self.add_found(pair));
                }
                Err(error) => self.errors.push(error),
            },
        }
    }

    fn add_found(&mut self, (cert, key): &(PathBuf, Option<PathBuf>)) {
        let place = Place {
            cert,
            key: key.as_deref(),
            default: false,
        };
        match self.read(place) {
            Ok(certificate) => self.certificates.push(certificate),
            Err(error) => match self.kept(place) {
                Some(kept) => self.keep(kept, error),
                None => self.troubles.push(Trouble { error, kept: false }),
            },
        }
    }

    /// What is in force of this pair.
    fn kept(&self, place: Place<'_>) -> Option<Arc<Certificate>> {
        let kept = *self.before.get(place.cert)?;
        (kept.default == place.default).then(|| Arc::clone(kept))
    }

    /// One that is in force goes on: what is wrong with its files now holds up no other.
    fn keep(&mut self, kept: Arc<Certificate>, error: PairError) {
        self.certificates.push(kept);
        self.troubles.push(Trouble { error, kept: true });
    }

    /// Finds certificates that no client gets.
    fn look(&mut self) {
        let named = |c: &&Arc<Certificate>| c.default || c.facts.names_a_host();
        let idle = self.certificates.iter().filter(|c| !named(c));
        let idle: Vec<_> = idle.map(|c| c.file.clone()).collect();
        for file in idle {
            self.remark(&file, Remark::NamesNoHost);
        }
    }

    fn remark(&mut self, file: &Path, remark: Remark) {
        let file = file.to_owned();
        self.remarks.push((file, remark));
    }

    fn read(&self, place: Place<'_>) -> Result<Arc<Certificate>, PairError> {
        let texts = pair::read(place)?;
        match self.before.get(place.cert) {
            Some(same) if same.digest == texts.digest && same.default == place.default => {
                Ok(Arc::clone(same))
            }
            _ => pair::parse(place, &texts, self.provider, self.now).map(Arc::new),
        }
    }
}

/// The pairs of a folder, by name.
fn pairs_of(folder: &Path) -> Result<Vec<(PathBuf, Option<PathBuf>)>, PairError> {
    let unreadable = |e| PairError::new(folder, Fault::Unreadable(e));
    let mut pairs = Vec::new();
    for entry in folder.read_dir().map_err(unreadable)? {
        let cert = entry.map_err(unreadable)?.path();
        let is_chain = cert
            .extension()
            .is_some_and(|e| ["crt", "pem", "cer"].iter().any(|known| e == *known));
        // Mounted Secrets keep their versions in folders that begin with dots.
        let hidden = cert
            .file_name()
            .is_none_or(|n| n.as_encoded_bytes().starts_with(b"."));
        if is_chain && !hidden && cert.is_file() {
            let key = cert.with_extension("key");
            let key = key.is_file().then_some(key);
            pairs.push((cert, key));
        }
    }
    pairs.sort();
    Ok(pairs)
}

/// Makes settings of handshakes.
struct Make<'m> {
    provider: &'m Arc<CryptoProvider>,
    min_version: MinVersion,
    http2: bool,
    resolver: Arc<Resolver>,
}

impl Make<'_> {
    /// One for each policy. What is as it was keeps its tickets; a policy that changed does not, so
    /// that no ticket outlives the trust it was given under.
    fn policies(
        &self,
        wanted: &Wanted,
        before: &Generation,
        same: bool,
        errors: &mut Vec<PairError>,
    ) -> HashMap<u64, Policy> {
        let retired = before.policies.iter().filter(|(_, policy)| !policy.retired);
        let mut policies: HashMap<u64, Policy> = retired
            .map(|(id, policy)| {
                let retired = true;
                (
                    *id,
                    Policy {
                        retired,
                        ..policy.clone()
                    },
                )
            })
            .collect();
        for wanted in &wanted.client_cas {
            match self.policy(wanted, before.policies.get(&wanted.policy), same) {
                Ok(policy) => drop(policies.insert(wanted.policy, policy)),
                Err(error) => errors.push(error),
            }
        }
        policies
    }

    fn policy(
        &self,
        wanted: &ClientCa,
        before: Option<&Policy>,
        same: bool,
    ) -> Result<Policy, PairError> {
        let digest = xxhash_rust::xxh3::xxh3_128(&pair::octets(&wanted.ca)?);
        if let Some(before) = before
            && same
            && before.digest == digest
            && before.wanted == *wanted
        {
            let retired = false;
            return Ok(Policy {
                retired,
                ..before.clone()
            });
        }
        let verifier = client_auth::verifier(wanted, self.provider)?;
        let config = new_tickets().and_then(|tickets| self.config(Some(verifier), tickets));
        Ok(Policy {
            wanted: wanted.clone(),
            digest,
            config: config.map_err(|e| PairError::new(&wanted.ca, Fault::Setup(e)))?,
            retired: false,
        })
    }

    fn config(
        &self,
        verifier: Option<Arc<dyn rustls::server::danger::ClientCertVerifier>>,
        tickets: Arc<dyn ProducesTickets>,
    ) -> Result<Arc<ServerConfig>, rustls::Error> {
        let versions: &[&SupportedProtocolVersion] = match self.min_version {
            MinVersion::Tls12 => &[&TLS13, &TLS12],
            MinVersion::Tls13 => &[&TLS13],
        };
        let builder = ServerConfig::builder_with_provider(Arc::clone(self.provider))
            .with_protocol_versions(versions)?;
        let builder = match verifier {
            Some(verifier) => builder.with_client_cert_verifier(verifier),
            None => builder.with_no_client_auth(),
        };
        let mut config = builder.with_cert_resolver(Arc::<Resolver>::clone(&self.resolver));
        // The client keeps sessions, in tickets that every thread can read; nothing is kept here.
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.ticketer = tickets;
        // The better first.
        let offered = self.http2.then_some(HTTP2).into_iter().chain([HTTP1]);
        config.alpn_protocols = offered.map(<[u8]>::to_vec).collect();
        Ok(Arc::new(config))
    }
}

/// What is spoken inside (RFC 7301).
const HTTP1: &[u8] = b"http/1.1";
pub(crate) const HTTP2: &[u8] = b"h2";

/// Keys for tickets that replace themselves every 6 hours; a ticket is good for at most 12.
fn new_tickets() -> Result<Arc<dyn ProducesTickets>, rustls::Error> {
    rustls::crypto::aws_lc_rs::Ticketer::new()
}

/// Looks certificates up in what is in force.
#[derive(Debug)]
struct Resolver(Store);

impl ResolvesServerCert for Resolver {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let generation = self.0.0.load();
        let schemes = hello.signature_schemes();
        match hello.server_name() {
            Some(name) if name.bytes().any(|b| b.is_ascii_uppercase()) => {
                let name = name.to_ascii_lowercase();
                generation.index.choose(Some(&name), schemes)
            }
            name => generation.index.choose(name, schemes),
        }
    }
}
