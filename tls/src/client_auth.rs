//! Certificates of clients: from a bundle of authorities to a verifier.

use std::sync::Arc;

use rustls::RootCertStore;
use rustls::crypto::CryptoProvider;
use rustls::server::WebPkiClientVerifier;
use rustls::server::danger::ClientCertVerifier;

use crate::error::{Fault, PairError};
use crate::pair::{certificates, octets};
use crate::source::ClientCa;

/// The octets of a bundle, and a verifier that trusts it.
pub(crate) fn verifier(
    wanted: &ClientCa,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<dyn ClientCertVerifier>, PairError> {
    let of = |fault| PairError::new(&wanted.ca, fault);
    let mut roots = RootCertStore::empty();
    let text = octets(&wanted.ca)?;
    let bundle = certificates(&text).map_err(of)?;
    if bundle.is_empty() {
        return Err(of(Fault::NoCertificate));
    }
    for authority in bundle {
        roots.add(authority).map_err(|_| of(Fault::NoAuthority))?;
    }
    let builder = WebPkiClientVerifier::builder_with_provider(roots.into(), Arc::clone(provider));
    let builder = if wanted.required {
        builder
    } else {
        builder.allow_unauthenticated()
    };
    builder.build().map_err(|_| of(Fault::NoAuthority))
}
