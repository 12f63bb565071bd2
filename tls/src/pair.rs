//! From two PEM files to a certificate with its key, or to what is wrong with them.

use std::fs::File;
use std::io::Read;
use std::path::Path;
use std::time::SystemTime;

use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::{self, PemObject, SectionKind};
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use rustls::{Error, InconsistentKeys};
use xxhash_rust::xxh3::Xxh3;

use crate::certificate::{Certificate, Facts};
use crate::error::{Fault, PairError};

/// More than any chain or key has.
const MOST: u64 = 1 << 20;

/// The octets of a pair; equal digests are equal pairs.
pub(crate) struct Texts {
    cert: Vec<u8>,
    /// `None`: the key is in the file of the chain.
    key: Option<Vec<u8>>,
    pub(crate) digest: u128,
}

/// Where a pair lies.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Place<'p> {
    pub(crate) cert: &'p Path,
    pub(crate) key: Option<&'p Path>,
    pub(crate) default: bool,
}

impl Place<'_> {
    fn key_file(&self) -> &Path {
        self.key.unwrap_or(self.cert)
    }
}

/// Reads the files.
pub(crate) fn read(place: Place<'_>) -> Result<Texts, PairError> {
    let cert = octets(place.cert)?;
    let key = place.key.map(octets).transpose()?;
    let mut digest = Xxh3::new();
    digest.update(&cert);
    // Not of equal length in all cases, so that octets cannot change sides.
    digest.update(&(cert.len() as u64).to_be_bytes());
    digest.update(key.as_deref().unwrap_or_default());
    Ok(Texts {
        digest: digest.digest128(),
        cert,
        key,
    })
}

/// Judges the texts of a pair at a time.
pub(crate) fn parse(
    place: Place<'_>,
    texts: &Texts,
    provider: &CryptoProvider,
    now: SystemTime,
) -> Result<Certificate, PairError> {
    let of_cert = |fault| PairError::new(place.cert, fault);
    let of_key = |fault| PairError::new(place.key_file(), fault);
    let chain = certificates(&texts.cert).map_err(of_cert)?;
    let leaf = chain.first().ok_or_else(|| of_cert(Fault::NoCertificate))?;
    let facts = Facts::read(leaf).map_err(of_cert)?;
    let key = private_key(texts.key.as_ref().unwrap_or(&texts.cert)).map_err(of_key)?;
    let key =
        (provider.key_provider.load_private_key(key)).map_err(|_| of_key(Fault::KeyUnusable))?;
    let pair = CertifiedKey::new(chain, key);
    match pair.keys_match() {
        Ok(()) | Err(Error::InconsistentKeys(InconsistentKeys::Unknown)) => {}
        Err(Error::InconsistentKeys(_)) => {
            return Err(of_key(Fault::Mismatch(place.cert.to_owned())));
        }
        Err(_) => return Err(of_cert(Fault::NotX509)),
    }
    if facts.names.is_empty() && facts.addresses.is_empty() && !place.default {
        return Err(of_cert(Fault::NoNames));
    }
    Ok(Certificate {
        file: place.cert.to_owned(),
        digest: texts.digest,
        key: pair.into(),
        facts,
        default: place.default,
    })
    .and_then(|certificate| {
        in_time(&certificate.facts, now)
            .map_err(of_cert)
            .map(|()| certificate)
    })
}

fn in_time(facts: &Facts, now: SystemTime) -> Result<(), Fault> {
    if now >= facts.not_after {
        Err(Fault::Expired(date(facts.not_after)))
    } else if now < facts.not_before {
        Err(Fault::NotYet(date(facts.not_before)))
    } else {
        Ok(())
    }
}

/// All certificates of a text, in order.
pub(crate) fn certificates(text: &[u8]) -> Result<Vec<CertificateDer<'static>>, Fault> {
    let chain: Result<Vec<_>, _> = CertificateDer::pem_slice_iter(text).collect();
    chain.map_err(|_| Fault::NotPem)
}

/// How an encrypted key begins (RFC 7468 section 11).
const ENCRYPTED: &[u8] = b"-----BEGIN ENCRYPTED PRIVATE KEY-----";
/// How one in the older form goes on (RFC 1421 section 4.6.1.1).
const PROC_TYPE: &[u8] = b"Proc-Type: 4,ENCRYPTED";

/// The one private key of a text.
fn private_key(text: &[u8]) -> Result<PrivateKeyDer<'static>, Fault> {
    if text.windows(ENCRYPTED.len()).any(|it| it == ENCRYPTED)
        || text.windows(PROC_TYPE.len()).any(|it| it == PROC_TYPE)
    {
        return Err(Fault::KeyEncrypted);
    }
    let mut key = None;
    let sections = pem::SliceIter::<'_, (SectionKind, Vec<u8>)>::new(text);
    for section in sections {
        let (kind, der) = section.map_err(|_| Fault::NotPem)?;
        let one = match kind {
            SectionKind::PrivateKey => PrivateKeyDer::Pkcs8(der.into()),
            SectionKind::RsaPrivateKey => PrivateKeyDer::Pkcs1(der.into()),
            SectionKind::EcPrivateKey => PrivateKeyDer::Sec1(der.into()),
            _ => continue,
        };
        if key.replace(one).is_some() {
            return Err(Fault::KeyRepeated);
        }
    }
    key.ok_or(Fault::NoKey)
}

pub(crate) fn octets(file: &Path) -> Result<Vec<u8>, PairError> {
    let mut octets = Vec::new();
    File::open(file)
        .and_then(|opened| opened.take(MOST + 1).read_to_end(&mut octets))
        .map_err(|e| PairError::new(file, Fault::Unreadable(e)))?;
    if octets.len() as u64 > MOST {
        return Err(PairError::new(file, Fault::TooLarge));
    }
    Ok(octets)
}

/// As RFC 3339, in UTC.
fn date(at: SystemTime) -> String {
    let seconds = at
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |d| i64::try_from(d.as_secs()).unwrap_or(i64::MAX));
    x509_parser::time::ASN1Time::from_timestamp(seconds).map_or_else(
        |_| "a time out of range".to_owned(),
        |time| {
            let time = time.to_datetime();
            format!(
                "{:04}-{:02}-{:02}T{:02}:{:02}:{:02}Z",
                time.year(),
                u8::from(time.month()),
                time.day(),
                time.hour(),
                time.minute(),
                time.second()
            )
        },
    )
}
