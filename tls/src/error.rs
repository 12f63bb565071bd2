//! What can be wrong with the files that TLS is made of. Texts name the file, never what is in it.

use std::io;
use std::path::PathBuf;

/// Why a certificate with its key, or a bundle, is not used.
#[derive(Debug, thiserror::Error)]
#[error("{}: {fault}", file.display())]
pub struct PairError {
    /// The file to look at.
    pub file: PathBuf,
    /// What is wrong with it.
    pub fault: Fault,
}

/// What is wrong with a file.
#[derive(Debug, thiserror::Error)]
pub enum Fault {
    /// The system does not give it.
    #[error("cannot be read: {0}")]
    Unreadable(#[source] io::Error),
    /// Larger than any chain of certificates.
    #[error("is larger than 1 MiB, which no chain or key is")]
    TooLarge,
    /// PEM, but broken.
    #[error("is no valid PEM")]
    NotPem,
    /// There is no certificate in it.
    #[error("holds no certificate (`-----BEGIN CERTIFICATE-----`)")]
    NoCertificate,
    /// There is no private key in it.
    #[error("holds no private key (`-----BEGIN PRIVATE KEY-----`)")]
    NoKey,
    /// There is one behind a passphrase.
    #[error(
        "the private key is encrypted, and there is nobody to ask for its passphrase: decrypt it (`openssl pkey -in FILE -out NEW`) and keep it from others by its permissions"
    )]
    KeyEncrypted,
    /// More than one private key.
    #[error("holds more than one private key, and one is expected")]
    KeyRepeated,
    /// The certificate cannot be parsed.
    #[error("the certificate is no valid X.509")]
    NotX509,
    /// The key is of a kind, or a size, that is not supported.
    #[error(
        "the private key is unusable: RSA from 2,048 bits, ECDSA P-256, P-384 or P-521, or Ed25519 is expected"
    )]
    KeyUnusable,
    /// Key and certificate do not belong together.
    #[error("the private key is not that of the certificate in {}", .0.display())]
    Mismatch(PathBuf),
    /// Nothing to serve it for.
    #[error("the certificate names no host (subjectAltName)")]
    NoNames,
    /// Too late.
    #[error("the certificate expired at {0}")]
    Expired(String),
    /// Too early.
    #[error("the certificate is not valid before {0}")]
    NotYet(String),
    /// No authority in a bundle can be used.
    #[error("no certificate in it can be an authority for clients")]
    NoAuthority,
    /// Nobody to trust.
    #[error("the system has no authorities to verify endpoints by: name some as `ca`")]
    NoSystemAuthority,
    /// Nothing to be asked for.
    #[error("{0:?} is neither a host name nor an address")]
    NoName(String),
    /// The library refuses what it was given.
    #[error("TLS cannot be set up with it: {0}")]
    Setup(#[source] rustls::Error),
}

/// What looks wrong, and stops nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum Remark {
    /// A folder without a pair.
    #[error("the folder has no certificate: no NAME.crt, NAME.pem or NAME.cer")]
    EmptyFolder,
    /// A certificate for addresses or a bare `*` only, and not the default.
    #[error(
        "the certificate is for no host that a client could name (addresses and `*` are none): without `default: true` nobody gets it"
    )]
    NamesNoHost,
}

/// A pair that is not served as its files are now.
#[derive(Debug)]
pub struct Trouble {
    /// Why.
    pub error: PairError,
    /// Whether the pair that was in force before goes on.
    pub kept: bool,
}

impl PairError {
    pub(crate) fn new(file: impl Into<PathBuf>, fault: Fault) -> Self {
        Self {
            file: file.into(),
            fault,
        }
    }
}
