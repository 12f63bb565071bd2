//! Field names with an underscore. CGI and its heirs (WSGI, Rack, PHP) give fields to applications
//! under names in which a hyphen is an underscore, so that `X_Forwarded_For` reads there as the field
//! that only we may write (CWE-644).

use http::{HeaderMap, HeaderName};

use crate::refusal::Refusal;

/// What is done with fields of requests whose name has an underscore.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Underscores {
    /// They are left out.
    #[default]
    Drop,
    /// The request is refused.
    Refuse,
    /// They pass, but for those that could be taken for a field of ours, or for one that frames a
    /// message.
    Allow,
}

/// Treats the fields of a request; gives how many were left out.
#[cold]
#[inline(never)]
pub(crate) fn treat(headers: &mut HeaderMap, policy: Underscores) -> Result<u64, Refusal> {
    if policy == Underscores::Refuse {
        return Err(Refusal::Underscore);
    }
    let left_out: Vec<HeaderName> = headers
        .keys()
        .filter(|name| name.as_str().contains('_'))
        .filter(|name| policy == Underscores::Drop || is_forged(name.as_str()))
        .cloned()
        .collect();
    for name in &left_out {
        headers.remove(name);
    }
    Ok(left_out.len() as u64)
}

/// Whether a lower-case name reads as one that we write, remove, or tell the length of a body by.
fn is_forged(name: &str) -> bool {
    const WHOLE: [&str; 10] = [
        "connection",
        "content-length",
        "expect",
        "forwarded",
        "host",
        "keep-alive",
        "te",
        "trailer",
        "transfer-encoding",
        "upgrade",
    ];
    const BEGINNINGS: [&str; 4] = ["proxy-", "x-forwarded-", "x-request-id", "x-windrose-"];
    let folded = name.replace('_', "-");
    WHOLE.contains(&folded.as_str()) || BEGINNINGS.iter().any(|it| folded.starts_with(it))
}

#[cfg(test)]
mod tests {
    use super::*;
    use http::HeaderValue;

    fn check(policy: Underscores, fields: &[&'static str], left: Result<&[&str], Refusal>) {
        let mut headers = HeaderMap::new();
        for name in fields {
            headers.append(*name, HeaderValue::from_static("1"));
        }
        let treated = treat(&mut headers, policy);
        let names: Vec<_> = headers.keys().map(HeaderName::as_str).collect();
        match left {
            Ok(left) => {
                assert_eq!(names, left, "{policy:?}");
                assert_eq!(treated, Ok((fields.len() - left.len()) as u64));
            }
            Err(refusal) => assert_eq!(treated, Err(refusal)),
        }
    }

    #[test]
    fn fields_with_an_underscore_are_left_out_refused_or_passed() {
        let fields = ["accept", "x_a", "x-b_c"];
        check(Underscores::Drop, &fields, Ok(&["accept"]));
        check(Underscores::Refuse, &fields, Err(Refusal::Underscore));
        check(Underscores::Allow, &fields, Ok(&fields));
    }

    #[test]
    fn what_reads_as_a_field_of_ours_never_passes() {
        let forged = [
            "content_length",
            "transfer_encoding",
            "x_forwarded_for",
            "x-forwarded_for",
            "x_forwarded_client_cert",
            "x_request_id",
            "x_windrose_flags",
            "proxy_authorization",
        ];
        check(Underscores::Allow, &forged, Ok(&[]));
        check(Underscores::Drop, &forged, Ok(&[]));
    }
}
