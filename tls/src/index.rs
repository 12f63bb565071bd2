//! Names to certificates: one hash lookup for an exact name, one more for a wildcard, however many
//! there are.

use std::collections::HashMap;
use std::sync::Arc;

use rustls::SignatureScheme;
use rustls::sign::CertifiedKey;

use crate::certificate::Certificate;

/// The certificates of one name, best first: RSA and ECDSA, say. Usually one or two.
pub(crate) type Candidates = Vec<Arc<Certificate>>;

/// Who is served what.
#[derive(Debug, Default)]
pub(crate) struct Index {
    exact: HashMap<Box<str>, Candidates>,
    /// By the name behind `*.`.
    wildcards: HashMap<Box<str>, Candidates>,
    default: Candidates,
    /// All, in the order they were wanted.
    all: Vec<Arc<Certificate>>,
}

impl Index {
    pub(crate) fn new(all: Vec<Arc<Certificate>>) -> Self {
        let mut index = Self::default();
        for certificate in &all {
            for name in &certificate.facts.names {
                let (names, name) = match name.strip_prefix("*.") {
                    Some(parent) => (&mut index.wildcards, parent),
                    None => (&mut index.exact, &**name),
                };
                let candidates = names.entry(name.into()).or_default();
                candidates.push(Arc::clone(certificate));
            }
            if certificate.default {
                index.default.push(Arc::clone(certificate));
            }
        }
        let lists = index.exact.values_mut().chain(index.wildcards.values_mut());
        for list in lists.chain([&mut index.default]) {
            list.sort_by_key(|certificate| certificate.rank());
            list.shrink_to_fit();
        }
        index.all = all;
        index
    }

    /// The certificates for a lower-case name, or for none: the exact name, then the wildcard one
    /// label up, then the default. Empty: nothing is to be served.
    pub(crate) fn candidates(&self, name: Option<&str>) -> &[Arc<Certificate>] {
        let named = name.and_then(|name| {
            let wildcard = || {
                let (_, parent) = name.split_once('.')?;
                self.wildcards.get(parent)
            };
            self.exact.get(name).or_else(wildcard)
        });
        named.unwrap_or(&self.default)
    }

    /// The best that the client can verify; with no common scheme the best, so that the client is
    /// told what is wrong.
    pub(crate) fn choose(
        &self,
        name: Option<&str>,
        schemes: &[SignatureScheme],
    ) -> Option<Arc<CertifiedKey>> {
        let candidates = self.candidates(name);
        candidates
            .iter()
            .find(|certificate| certificate.key.key.choose_scheme(schemes).is_some())
            .or_else(|| candidates.first())
            .map(|certificate| Arc::clone(&certificate.key))
    }

    pub(crate) fn all(&self) -> &[Arc<Certificate>] {
        &self.all
    }
}
