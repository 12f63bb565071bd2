//! The keys of connections to endpoints.

use super::{Field, Keys, List, Mapping, S, Scalar};

pub(super) static UPSTREAM: Mapping = Mapping::new(
    "`upstream`",
    &[
        Field::optional(
            "protocol",
            Scalar(S::Choice(&["http1", "http2"])),
            "The version of HTTP that endpoints are spoken to in; http2 over TLS by ALPN, in the clear by prior knowledge. gRPC wants http2.",
        )
        .or("http1"),
        Field::optional(
            "proxy_protocol",
            Scalar(S::Choice(&["v1", "v2"])),
            "Every connection begins with a PROXY header that names its client; HTTP connections are then not shared between clients.",
        ),
        Field::optional(
            "tls",
            Keys(&UPSTREAM_TLS),
            "Endpoints are spoken to over TLS; written, even as {}, it is on.",
        ),
    ],
);

static UPSTREAM_TLS: Mapping = Mapping::new(
    "`tls` of an upstream",
    &[
        Field::optional(
            "server_name",
            Scalar(S::Text),
            "The name sent (SNI), and that certificates must have; the app's first host when absent.",
        ),
        Field::optional(
            "ca",
            Scalar(S::Path),
            "A PEM file with the authorities to be trusted, relative to this one; those of the system when absent.",
        ),
        Field::optional(
            "subject_alt_names",
            List(&Scalar(S::Text)),
            "Certificates must have one of these names or addresses, in place of `server_name`.",
        )
        .or("[]"),
        Field::optional(
            "client_certificate",
            Keys(&CLIENT_CERTIFICATE),
            "Shown to endpoints that ask for one.",
        ),
        Field::optional(
            "min_version",
            Scalar(S::Choice(&["1.2", "1.3"])),
            "The oldest version spoken.",
        )
        .or("\"1.2\""),
        Field::optional(
            "insecure_skip_verify",
            Scalar(S::Bool),
            "Takes any certificate: who can be in between can read and change everything.",
        )
        .or("false"),
    ],
);

static CLIENT_CERTIFICATE: Mapping = Mapping::new(
    "`client_certificate`",
    &[
        Field::required(
            "cert",
            Scalar(S::Path),
            "A PEM file with the certificate and what leads to its root, relative to this one.",
        ),
        Field::optional(
            "key",
            Scalar(S::Path),
            "A PEM file with its private key; without it the key is in `cert`.",
        ),
    ],
);
