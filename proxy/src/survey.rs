//! HOT
//!
//! One pass over a header map that notes which of the fields we care about are there, so that no
//! later step looks for what is not. What the fields say is judged elsewhere.

use http::{HeaderMap, HeaderName, header};

use crate::names;

/// Which fields a head has.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Survey {
    present: u32,
    repeated: u32,
}

/// Fields we act on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Field {
    Host,
    ContentLength,
    TransferEncoding,
    Connection,
    KeepAlive,
    ProxyConnection,
    ProxyAuthenticate,
    ProxyAuthorization,
    Te,
    Upgrade,
    Expect,
    Forwarded,
    ForwardedFor,
    ForwardedHost,
    ForwardedPort,
    ForwardedProto,
    RequestId,
    /// `X-Windrose-Flags`, or any other of our own.
    Flags,
    ClientCert,
    Trailer,
    /// Any whose name has an underscore.
    Underscore,
}

impl Survey {
    pub(crate) fn of(headers: &HeaderMap) -> Self {
        let mut survey = Self::default();
        for name in headers.iter().map(|(name, _)| name) {
            if let Some(field) = field(name) {
                let bit = 1 << field as u32;
                survey.repeated |= survey.present & bit;
                survey.present |= bit;
            }
        }
        survey
    }

    /// Whether the field is there.
    pub(crate) const fn has(self, field: Field) -> bool {
        self.present & (1 << field as u32) != 0
    }

    /// Whether the field is there on more than one line.
    pub(crate) const fn repeats(self, field: Field) -> bool {
        self.repeated & (1 << field as u32) != 0
    }
}

fn field(name: &HeaderName) -> Option<Field> {
    Some(match *name {
        header::HOST => Field::Host,
        header::CONTENT_LENGTH => Field::ContentLength,
        header::TRANSFER_ENCODING => Field::TransferEncoding,
        header::CONNECTION => Field::Connection,
        header::PROXY_AUTHENTICATE => Field::ProxyAuthenticate,
        header::PROXY_AUTHORIZATION => Field::ProxyAuthorization,
        header::TE => Field::Te,
        header::UPGRADE => Field::Upgrade,
        header::EXPECT => Field::Expect,
        header::FORWARDED => Field::Forwarded,
        header::TRAILER => Field::Trailer,
        _ => return uncommon(name.as_str()),
    })
}

fn uncommon(name: &str) -> Option<Field> {
    // By first letter, so that most names cost one comparison.
    let candidates: &[(&HeaderName, Field)] = match name.as_bytes().first()? {
        b'k' => &[(&names::KEEP_ALIVE, Field::KeepAlive)],
        b'p' => &[(&names::PROXY_CONNECTION, Field::ProxyConnection)],
        b'x' => &[
            (&names::X_FORWARDED_CLIENT_CERT, Field::ClientCert),
            (&names::X_FORWARDED_FOR, Field::ForwardedFor),
            (&names::X_FORWARDED_HOST, Field::ForwardedHost),
            (&names::X_FORWARDED_PORT, Field::ForwardedPort),
            (&names::X_FORWARDED_PROTO, Field::ForwardedProto),
            (&names::X_REQUEST_ID, Field::RequestId),
        ],
        _ => &[],
    };
    candidates
        .iter()
        .find(|(known, _)| known.as_str() == name)
        .map(|(_, field)| *field)
        .or_else(|| name.starts_with(names::OURS).then_some(Field::Flags))
        .or_else(|| name.as_bytes().contains(&b'_').then_some(Field::Underscore))
}
