//! Matches of gRPC calls (Gateway API `GRPCMethodMatch`).

use super::TextMatch;

/// A call by service and method; what is absent matches any.
///
/// A call is a POST of the path `/service/method` whose content type is `application/grpc`, with
/// or without a suffix as in `application/grpc+proto` (gRPC over HTTP/2, "Requests").
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct GrpcMatch {
    service: Option<TextMatch>,
    method: Option<TextMatch>,
    /// `/service/method` or `/service` where they are plain texts.
    path: Box<str>,
}

impl GrpcMatch {
    /// Of what is named.
    pub fn new(service: Option<TextMatch>, method: Option<TextMatch>) -> Self {
        let path = match (&service, &method) {
            (Some(TextMatch::Exact(service)), Some(TextMatch::Exact(method))) => {
                format!("/{service}/{method}")
            }
            (Some(TextMatch::Exact(service)), _) => format!("/{service}"),
            _ => String::new(),
        };
        Self {
            service,
            method,
            path: path.into(),
        }
    }

    /// With its package, as `helloworld.Greeter`.
    pub const fn service(&self) -> Option<&TextMatch> {
        self.service.as_ref()
    }

    /// Without its service, as `SayHello`.
    pub const fn method(&self) -> Option<&TextMatch> {
        self.method.as_ref()
    }

    /// The path, or as much of it from the left as is known: `/service/method`, `/service` or nothing.
    pub fn known_path(&self) -> &str {
        &self.path
    }

    /// Whether it is exactly one path.
    pub const fn is_one_path(&self) -> bool {
        matches!(
            (&self.service, &self.method),
            (Some(TextMatch::Exact(_)), Some(TextMatch::Exact(_)))
        )
    }

    /// Whether a path is a call of it.
    pub fn is_match(&self, path: &str) -> bool {
        let Some((service, method)) = parts(path) else {
            return false;
        };
        let fits = |wanted: &Option<TextMatch>, text: &str| {
            wanted
                .as_ref()
                .is_none_or(|wanted| wanted.is_match(text.as_bytes()))
        };
        fits(&self.service, service) && fits(&self.method, method)
    }
}

/// Service and method of a path.
fn parts(path: &str) -> Option<(&str, &str)> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let whole = !service.is_empty() && !method.is_empty() && !method.contains('/');
    whole.then_some((service, method))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_call_is_service_and_method_and_nothing_else() {
        let exact = |text: &str| Some(TextMatch::Exact(text.into()));
        let check = |service, method, path: &str, expected: bool| {
            let wanted = GrpcMatch::new(service, method);
            assert_eq!(wanted.is_match(path), expected, "{path}");
        };
        check(exact("a.B"), exact("C"), "/a.B/C", true);
        check(exact("a.B"), exact("C"), "/a.B/D", false);
        check(exact("a.B"), None, "/a.B/C", true);
        check(exact("a.B"), None, "/a.B", false);
        check(exact("a.B"), None, "/a.B/C/D", false);
        check(None, exact("C"), "/x/C", true);
        check(None, None, "/x/", false);
        check(None, None, "/x/y", true);
    }
}
