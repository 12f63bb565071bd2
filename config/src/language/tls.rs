//! The keys of TLS: of the node, and of an app.

use super::{Field, Keys, List, Mapping, Rule, S, Scalar, Shape};

pub(super) static TLS: Mapping = Mapping::new(
    "`tls`",
    &[
        Field::optional(
            "certificates",
            List(&CERTIFICATE),
            "Chains and keys; which one a client gets is decided by the host it names.",
        )
        .or("[]"),
        Field::optional(
            "min_version",
            Scalar(S::Choice(&["1.2", "1.3"])),
            "The oldest version spoken.",
        )
        .or("\"1.2\""),
        Field::optional(
            "handshake_timeout",
            Scalar(S::Duration),
            "For a whole handshake.",
        )
        .or("\"10s\""),
    ],
);

static CERTIFICATE: Shape = Keys(&Mapping {
    noun: "a certificate",
    rule: Rule::ExactlyOne(&["cert", "folder"]),
    fields: &[
        Field::optional(
            "cert",
            Scalar(S::Path),
            "A PEM file with the certificate and what leads to its root, relative to this one.",
        ),
        Field::optional(
            "key",
            Scalar(S::Path),
            "A PEM file with its private key; without it the key is in `cert`.",
        ),
        Field::optional(
            "default",
            Scalar(S::Bool),
            "Served to clients that name no host, or one that no certificate covers; without a default these are refused.",
        )
        .or("false"),
        Field::optional(
            "folder",
            Scalar(S::Path),
            "Every NAME.crt, NAME.pem or NAME.cer in it, with NAME.key or the key in the same file.",
        ),
    ],
});

pub(super) static APP_TLS: Mapping = Mapping::new(
    "`tls` of an app",
    &[
        Field::optional(
            "client_auth",
            Keys(&CLIENT_AUTH),
            "Asks clients of these hosts for a certificate.",
        ),
        Field::optional(
            "redirect_http",
            Scalar(S::Bool),
            "Requests over plain HTTP are sent to HTTPS, with 308.",
        )
        .or("false"),
        Field::optional(
            "redirect_port",
            Scalar(S::Whole(1, 65_535)),
            "The port that clients reach HTTPS at.",
        )
        .or("443"),
        Field::optional(
            "hsts",
            Keys(&HSTS),
            "Strict-Transport-Security in responses over HTTPS.",
        ),
    ],
);

static CLIENT_AUTH: Mapping = Mapping::new(
    "`client_auth`",
    &[
        Field::required(
            "ca",
            Scalar(S::Path),
            "A PEM file with the authorities that sign certificates of clients, relative to this one.",
        ),
        Field::optional(
            "required",
            Scalar(S::Bool),
            "Refuse clients without a certificate.",
        )
        .or("true"),
    ],
);

static HSTS: Mapping = Mapping::new(
    "`hsts`",
    &[
        Field::required(
            "max_age",
            Scalar(S::Duration),
            "How long browsers remember to use HTTPS only.",
        ),
        Field::optional(
            "include_subdomains",
            Scalar(S::Bool),
            "For all names below the host, too.",
        )
        .or("false"),
    ],
);
