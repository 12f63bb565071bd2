//! The keys of connections to endpoints.

use super::Shape::Scalar;
use super::{Field, Mapping, S};

pub(super) static UPSTREAM: Mapping = Mapping::new(
    "`upstream`",
    &[Field::optional(
        "proxy_protocol",
        Scalar(S::Choice(&["v1", "v2"])),
        "Every connection begins with a PROXY header that names its client; HTTP connections are then not shared between clients.",
    )],
);
