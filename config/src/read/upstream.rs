//! How connections to an app's endpoints begin: a number and names for the Model, paths for the node.

use windrose_model::{DnsName, HttpVersion, ProxyProtocol, Upstream, UpstreamTls};
use xxhash_rust::xxh3::xxh3_64;

use super::data::file;
use super::{Found, single, value};
use crate::node::UpstreamTlsFiles;
use crate::problem::Problem;
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

/// The part of the Model. `app` is the whole app.
pub(super) fn read(app: &Node) -> Upstream {
    let Some(node) = app.get("upstream") else {
        return Upstream::default();
    };
    Upstream {
        proxy_protocol: match node.get("proxy_protocol").and_then(Node::text) {
            Some("v1") => Some(ProxyProtocol::V1),
            Some("v2") => Some(ProxyProtocol::V2),
            _ => None,
        },
        tls: node.get("tls").map(|tls| {
            let written = Written::of(app, tls);
            UpstreamTls {
                policy: written.policy(),
                server_name: written.server_name.into(),
                verified: written.verified,
            }
        }),
        http: http(node),
    }
}

fn http(upstream: &Node) -> HttpVersion {
    match upstream.get("protocol").and_then(Node::text) {
        Some("http2") => HttpVersion::Http2,
        _ => HttpVersion::Http1,
    }
}

/// What the node needs for all apps, each policy once.
pub(super) fn files(
    root: &Node,
    sources: &mut Sources,
    found: &mut Found,
) -> Vec<UpstreamTlsFiles> {
    let mut all: Vec<UpstreamTlsFiles> = Vec::new();
    for entry in root.get("apps").map_or(&[][..], Node::entries) {
        let app = &entry.value;
        let Some(upstream) = app.get("upstream") else {
            continue;
        };
        if let (Some(tcp), Some(protocol)) = (app.entry("tcp"), upstream.entry("protocol")) {
            let message = "nothing of HTTP is spoken to the endpoints of an app with `tcp`";
            let problem = Problem::error("protocol-of-tcp-app", protocol.key_span, message);
            found.problems.push(problem.related(tcp.key_span, "it is"));
        }
        let Some(tls) = upstream.get("tls") else {
            continue;
        };
        let written = Written::of(app, tls);
        written.judge(app, tls, found);
        let files = written.files(tls, sources, found);
        if all.iter().all(|known| known.policy != files.policy) {
            all.push(files);
        }
    }
    all
}

/// What was written of TLS to endpoints, defaults filled in.
struct Written<'n> {
    server_name: String,
    ca: Option<&'n str>,
    names: Vec<&'n str>,
    cert: Option<&'n str>,
    key: Option<&'n str>,
    only_tls13: bool,
    verified: bool,
    /// What HTTP is spoken in, if it is.
    http: Option<HttpVersion>,
}

impl<'n> Written<'n> {
    fn of(app: &'n Node, tls: &'n Node) -> Self {
        let text = |key| tls.get(key).and_then(Node::text);
        let client = tls.get("client_certificate");
        let of_client = |key| client?.get(key).and_then(Node::text);
        let skips = value(tls, "insecure_skip_verify", scalar::boolean).unwrap_or(false);
        let names = tls.get("subject_alt_names").map_or(&[][..], Node::items);
        Self {
            server_name: match text("server_name") {
                Some(name) => name.to_ascii_lowercase(),
                None => first_host(app).unwrap_or_default(),
            },
            ca: text("ca"),
            names: names.iter().filter_map(Node::text).collect(),
            cert: of_client("cert"),
            key: of_client("key"),
            only_tls13: text("min_version") == Some("1.3"),
            verified: !skips,
            http: match (app.get("tcp"), app.get("upstream")) {
                (None, Some(upstream)) => Some(http(upstream)),
                _ => None,
            },
        }
    }

    /// Of what was written, so that it is the same on every node.
    fn policy(&self) -> u64 {
        let Self {
            server_name,
            ca,
            names,
            cert,
            key,
            only_tls13,
            verified,
            http,
        } = self;
        let whole = format!(
            "{server_name:?} {ca:?} {names:?} {cert:?} {key:?} {only_tls13} {verified} {http:?}"
        );
        xxh3_64(whole.as_bytes())
    }

    fn judge(&self, app: &Node, tls: &Node, found: &mut Found) {
        match tls.get("server_name") {
            Some(written) if !is_name(&self.server_name) => {
                let message = format!(
                    "server_name is {:?}, must be a host name or an address",
                    self.server_name
                );
                found
                    .problems
                    .push(Problem::error("bad-server-name", written.span, message));
            }
            None if self.server_name.is_empty() => {
                let message = "no host of the app can be the name that endpoints are asked for";
                let problem = Problem::error("server-name-needed", tls.span, message);
                let help = "write tls: {server_name: backend.example.com}";
                found.problems.push(problem.help(help));
            }
            _ => {}
        }
        let names = tls.get("subject_alt_names").map_or(&[][..], Node::items);
        for item in names {
            if let Some(name) = item.text().filter(|name| !is_name(name)) {
                let message = format!("{name:?} is neither a host name nor an address");
                found
                    .problems
                    .push(Problem::error("bad-server-name", item.span, message));
            }
        }
        if !self.verified
            && let Some(skips) = tls.get("insecure_skip_verify")
        {
            let of = ["ca", "subject_alt_names"];
            if let Some(entry) = of.iter().find_map(|key| tls.entry(key)) {
                let message = format!(
                    "`{}` says what to verify, and nothing is verified",
                    entry.key
                );
                let problem = Problem::error("verification-skipped", entry.key_span, message);
                let problem = problem.related(skips.span, "switched off at");
                found.problems.push(problem);
            } else {
                let message = "certificates of endpoints are not verified: whoever can be in between can read and change everything";
                let problem = Problem::warning("unverified-endpoints", skips.span, message);
                found
                    .problems
                    .push(problem.help("name their authority as `ca` instead"));
            }
        }
        let passes_tls = app
            .get("tcp")
            .and_then(|tcp| value(tcp, "sni", scalar::boolean));
        if passes_tls == Some(true) {
            let message =
                "clients speak TLS already and it is passed through: endpoints get TLS inside TLS";
            found
                .problems
                .push(Problem::warning("tls-inside-tls", tls.span, message));
        }
    }

    fn files(&self, tls: &Node, sources: &mut Sources, found: &mut Found) -> UpstreamTlsFiles {
        let help = "files of `tls` are relative to this one";
        let ca = tls.get("ca").and_then(|ca| file(ca, sources, found, help));
        let client = tls.get("client_certificate");
        let mut of_client = |key| file(client?.get(key)?, sources, found, help);
        let cert = of_client("cert");
        let key = of_client("key").or_else(|| cert.clone());
        UpstreamTlsFiles {
            policy: self.policy(),
            server_name: self.server_name.clone(),
            names: self
                .names
                .iter()
                .map(|name| name.to_ascii_lowercase())
                .collect(),
            ca,
            client: cert.zip(key),
            only_tls13: self.only_tls13,
            verified: self.verified,
            http: self.http,
        }
    }
}

/// The app's first host that is no wildcard.
fn first_host(app: &Node) -> Option<String> {
    let hosts = app.get("hosts").map_or(&[][..], Node::items);
    let hosts = hosts.iter().filter_map(|item| single(item, scalar::host));
    hosts
        .filter(|host| !host.is_wildcard())
        .map(|host| host.to_string())
        .next()
}

fn is_name(name: &str) -> bool {
    let is_address = name.parse::<std::net::IpAddr>().is_ok();
    let plain = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'-' | b'.' | b'_');
    let is_host = || !name.ends_with('.') && DnsName::parse(name).is_ok();
    is_address || (!name.is_empty() && name.bytes().all(plain) && is_host())
}
