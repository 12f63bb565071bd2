//! Who a client proved to be, as the header `X-Forwarded-Client-Cert` tells it (Envoy's form).

use rustls::pki_types::CertificateDer;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};
use x509_parser::x509::X509Name;

/// A verified certificate of a client.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClientIdentity {
    /// SHA-256 of the certificate, in hexadecimal.
    pub fingerprint: String,
    /// Its subject as RFC 4514 writes it: the most specific part first.
    pub subject: String,
    /// Its subjectAltName: URIs.
    pub uris: Vec<String>,
    /// Its subjectAltName: host names.
    pub names: Vec<String>,
}

impl ClientIdentity {
    /// Reads a certificate that was verified already.
    pub(crate) fn read(der: &CertificateDer<'_>) -> Option<Self> {
        let (_, x509) = X509Certificate::from_der(der).ok()?;
        let mut identity = Self {
            fingerprint: fingerprint(der),
            subject: subject(x509.subject()),
            uris: Vec::new(),
            names: Vec::new(),
        };
        if let Ok(Some(names)) = x509.subject_alternative_name() {
            for name in &names.value.general_names {
                match name {
                    GeneralName::URI(uri) => identity.uris.push((*uri).to_owned()),
                    GeneralName::DNSName(name) => identity.names.push((*name).to_owned()),
                    _ => {}
                }
            }
        }
        Some(identity)
    }

    /// One element of `X-Forwarded-Client-Cert`: `Hash=…;Subject="…";URI=…;DNS=…`. Printable ASCII
    /// only; what a certificate says cannot end an element or begin another.
    pub fn element(&self) -> String {
        let mut text = format!("Hash={};Subject=", self.fingerprint);
        quote(&mut text, &self.subject);
        for (key, values) in [("URI", &self.uris), ("DNS", &self.names)] {
            for value in values {
                text.push(';');
                text.push_str(key);
                text.push('=');
                if value.bytes().all(is_plain) {
                    text.push_str(value);
                } else {
                    quote(&mut text, value);
                }
            }
        }
        text
    }
}

/// What needs no quotes.
fn is_plain(octet: u8) -> bool {
    octet.is_ascii_graphic() && !matches!(octet, b'"' | b'\\' | b',' | b';' | b'=')
}

fn quote(text: &mut String, value: &str) {
    text.push('"');
    for c in value.chars() {
        match c {
            '"' | '\\' => text.extend(['\\', c]),
            ' '..='~' => text.push(c),
            _ => text.push('?'),
        }
    }
    text.push('"');
}

fn fingerprint(der: &[u8]) -> String {
    let provider = rustls::crypto::aws_lc_rs::default_provider();
    let sha256 = provider.cipher_suites.iter().find_map(|suite| {
        let hash = suite.tls13()?.common.hash_provider;
        (hash.algorithm() == rustls::crypto::hash::HashAlgorithm::SHA256).then_some(hash)
    });
    let digest = sha256.map(|hash| hash.hash(der));
    let octets = digest.as_ref().map_or(&[][..], |digest| digest.as_ref());
    octets.iter().map(|octet| format!("{octet:02x}")).collect()
}

/// RFC 4514 section 2: relative names from the last to the first, joined by commas.
fn subject(name: &X509Name<'_>) -> String {
    let mut parts: Vec<String> = name.iter_rdn().map(relative).collect();
    parts.reverse();
    parts.join(",")
}

fn relative(rdn: &x509_parser::x509::RelativeDistinguishedName<'_>) -> String {
    let attributes = rdn.iter().map(|attribute| {
        let oid = attribute.attr_type();
        let known = x509_parser::objects::oid2abbrev(oid, x509_parser::objects::oid_registry());
        let key = known.map_or_else(|_| oid.to_id_string(), str::to_owned);
        let value = attribute.as_str().unwrap_or("?");
        format!("{key}={}", escape(value))
    });
    attributes.collect::<Vec<_>>().join("+")
}

/// RFC 4514 section 2.4.
fn escape(value: &str) -> String {
    let mut text = String::with_capacity(value.len());
    let last = value.chars().count().saturating_sub(1);
    for (at, c) in value.chars().enumerate() {
        let special = matches!(c, '"' | '+' | ',' | ';' | '<' | '>' | '\\')
            || (at == 0 && matches!(c, ' ' | '#'))
            || (at == last && c == ' ');
        if special {
            text.push('\\');
        }
        if c.is_ascii() && !c.is_ascii_control() {
            text.push(c);
        } else {
            let mut octets = [0; 4];
            for octet in c.encode_utf8(&mut octets).bytes() {
                text.push_str(&format!("\\{octet:02X}"));
            }
        }
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_certificate_says_cannot_leave_its_quotes() {
        let identity = ClientIdentity {
            fingerprint: "ab".to_owned(),
            subject: r#"CN=x",Hash=forged;Subject="y"#.to_owned(),
            uris: vec!["spiffe://a/b".to_owned(), "urn:a,b;DNS=c".to_owned()],
            names: vec!["a.test".to_owned(), "b\r\nx: y".to_owned()],
        };
        assert_eq!(
            identity.element(),
            r#"Hash=ab;Subject="CN=x\",Hash=forged;Subject=\"y";URI=spiffe://a/b;URI="urn:a,b;DNS=c";DNS=a.test;DNS="b??x: y""#
        );
    }

    #[test]
    fn names_are_escaped_as_rfc_4514_says() {
        assert_eq!(escape("a,b+c"), r"a\,b\+c");
        assert_eq!(escape("#a "), r"\#a\ ");
        assert_eq!(escape("Lučić"), r"Lu\C4\8Di\C4\87");
    }
}
