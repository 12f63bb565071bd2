//! TLS towards clients: which certificate a name gets, how a handshake goes, who a client proved to
//! be. And towards endpoints: whom we trust, under which name, what we show.
//!
//! Private keys live here and nowhere else: what leaves this crate is file names, host names, times
//! and fingerprints. All cryptography is aws-lc-rs, through rustls. Deliberately absent: HTTP, the
//! Table, names of metrics, and a clock: times are arguments.
#![warn(missing_docs)]

mod certificate;
mod client_auth;
mod error;
mod handshake;
mod identity;
mod index;
mod origin;
mod origin_error;
mod pair;
mod session;
mod source;
mod store;
mod trust;

pub use certificate::Expiry;
pub use error::{Fault, PairError, Remark, Trouble};
pub use handshake::{HandshakeError, Refusal, accept};
pub use identity::ClientIdentity;
pub use origin::{Handshake, Origin, OriginStream};
pub use origin_error::{OriginError, OriginFault};
pub use session::Session;
pub use source::{ClientCa, Inside, MinVersion, Source, ToEndpoints, Wanted};
pub use store::{Generation, Store};

/// A TLS connection of a client.
pub type Stream = tokio_rustls::server::TlsStream<tokio::net::TcpStream>;

/// Makes aws-lc-rs the one source of cryptography of this process; to be called first in `main`. A
/// second call changes nothing.
pub fn install() {
    // Err: somebody was first, with the only provider that is linked.
    let _ = rustls::crypto::aws_lc_rs::default_provider().install_default();
}
