//! Types of records, by their number on the wire.

use std::fmt;
use std::str::FromStr;

/// A record type. Every number is one; those without a mnemonic are written `TYPE` and the number
/// (RFC 3597 section 5).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RecordType(u16);

/// Declares the constants and the table of mnemonics together, so that neither lacks a type.
macro_rules! types {
    ($($name:ident $text:literal $code:literal $says:literal,)*) => {
        impl RecordType {
            $(#[doc = $says] pub const $name: Self = Self($code);)*
        }
        /// By number.
        static MNEMONICS: &[(u16, &str)] = &[$(($code, $text),)*];
    };
}

types! {
    A "A" 1 "IPv4 address (RFC 1035).",
    NS "NS" 2 "Name server (RFC 1035).",
    CNAME "CNAME" 5 "Alias (RFC 1035).",
    SOA "SOA" 6 "Start of authority (RFC 1035).",
    PTR "PTR" 12 "Pointer (RFC 1035).",
    HINFO "HINFO" 13 "Host information (RFC 1035; the answer to ANY in RFC 8482).",
    MX "MX" 15 "Mail exchange (RFC 1035).",
    TXT "TXT" 16 "Text (RFC 1035).",
    RP "RP" 17 "Responsible person (RFC 1183).",
    AFSDB "AFSDB" 18 "AFS data base (RFC 1183).",
    AAAA "AAAA" 28 "IPv6 address (RFC 3596).",
    LOC "LOC" 29 "Location (RFC 1876).",
    SRV "SRV" 33 "Service (RFC 2782).",
    NAPTR "NAPTR" 35 "Naming authority pointer (RFC 3403).",
    KX "KX" 36 "Key exchanger (RFC 2230).",
    CERT "CERT" 37 "Certificate (RFC 4398).",
    DNAME "DNAME" 39 "Alias of a subtree (RFC 6672).",
    OPT "OPT" 41 "EDNS (RFC 6891); never in a zone.",
    DS "DS" 43 "Delegation signer (RFC 4034).",
    SSHFP "SSHFP" 44 "SSH key fingerprint (RFC 4255).",
    RRSIG "RRSIG" 46 "Signature (RFC 4034).",
    NSEC "NSEC" 47 "Next name (RFC 4034).",
    DNSKEY "DNSKEY" 48 "Zone key (RFC 4034).",
    NSEC3 "NSEC3" 50 "Next hashed name (RFC 5155).",
    NSEC3PARAM "NSEC3PARAM" 51 "Parameters of NSEC3 (RFC 5155).",
    TLSA "TLSA" 52 "Certificate association (RFC 6698).",
    SMIMEA "SMIMEA" 53 "S/MIME certificate association (RFC 8162).",
    CDS "CDS" 59 "Child DS (RFC 7344).",
    CDNSKEY "CDNSKEY" 60 "Child DNSKEY (RFC 7344).",
    OPENPGPKEY "OPENPGPKEY" 61 "OpenPGP key (RFC 7929).",
    ZONEMD "ZONEMD" 63 "Digest of the zone (RFC 8976).",
    SVCB "SVCB" 64 "Service binding (RFC 9460).",
    HTTPS "HTTPS" 65 "Service binding for HTTPS (RFC 9460).",
    SPF "SPF" 99 "Sender policy (RFC 7208, obsolete).",
    AXFR "AXFR" 252 "Zone transfer; a question only.",
    ANY "ANY" 255 "Every type; a question only (RFC 8482).",
    URI "URI" 256 "Uniform resource identifier (RFC 7553).",
    CAA "CAA" 257 "Certification authority authorization (RFC 8659).",
    ALIAS "ALIAS" 65401 "Addresses of another name: in zones only, never in answers (the number is PowerDNS's).",
}

impl RecordType {
    /// The type of a number.
    pub const fn new(code: u16) -> Self {
        Self(code)
    }

    /// The type's number on the wire.
    pub const fn code(self) -> u16 {
        self.0
    }

    /// Whether no zone holds records of it: 0, OPT, and the question and meta types from 128 to 255
    /// (RFC 6895 section 3.1).
    pub const fn is_meta(self) -> bool {
        matches!(self.0, 0 | 41 | 128..=255)
    }

    /// Its mnemonic, if it has one here.
    pub fn mnemonic(self) -> Option<&'static str> {
        let at = MNEMONICS.binary_search_by_key(&self.0, |(code, _)| *code);
        at.ok().map(|at| MNEMONICS[at].1)
    }

    /// Every type with a mnemonic, by number.
    pub fn named() -> impl Iterator<Item = Self> {
        MNEMONICS.iter().map(|(code, _)| Self(*code))
    }
}

impl fmt::Display for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.mnemonic() {
            Some(mnemonic) => f.pad(mnemonic),
            None => f.pad(&format!("TYPE{}", self.0)),
        }
    }
}

impl fmt::Debug for RecordType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for RecordType {
    type Err = ();
    /// A mnemonic in any case, or `TYPE` and a number from 0 to 65535.
    fn from_str(text: &str) -> Result<Self, ()> {
        let named = MNEMONICS
            .iter()
            .find(|(_, mnemonic)| mnemonic.eq_ignore_ascii_case(text));
        if let Some((code, _)) = named {
            return Ok(Self(*code));
        }
        let (prefix, number) = text.split_at_checked(4).ok_or(())?;
        let digits = number.bytes().all(|b| b.is_ascii_digit());
        if !prefix.eq_ignore_ascii_case("TYPE") || !digits {
            return Err(());
        }
        number.parse().map(Self).map_err(drop)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn mnemonics_are_sorted_by_number_and_read_back() {
        assert!(MNEMONICS.is_sorted_by(|a, b| a.0 < b.0));
        for rtype in RecordType::named() {
            assert_eq!(rtype.to_string().to_lowercase().parse(), Ok(rtype));
        }
    }

    #[test]
    fn a_type_without_mnemonic_is_written_by_number() {
        assert_eq!(RecordType::new(65_280).to_string(), "TYPE65280");
        assert_eq!("type65280".parse(), Ok(RecordType::new(65_280)));
        assert_eq!("TYPE28".parse(), Ok(RecordType::AAAA));
        for wrong in [
            "",
            "TYPE",
            "TYPE-1",
            "TYPE+1",
            "TYPE65536",
            "TYP1",
            "ÄÖÜ",
            "X",
        ] {
            assert_eq!(wrong.parse::<RecordType>(), Err(()), "{wrong}");
        }
    }
}
