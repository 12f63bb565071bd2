//! TLS: what the node serves, and what apps ask of it.

use std::path::PathBuf;

use windrose_model::{ClientAuth, Hsts, Secure};
use xxhash_rust::xxh3::xxh3_64;

use super::data::file;
use super::{Found, number, upstream, value};
use crate::node::{CertificateSource, ClientCaFile, TlsConfig};
use crate::problem::Problem;
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

const HTTPS: u16 = 443;

/// The node's part.
pub(super) fn node(root: &Node, sources: &mut Sources, found: &mut Found) -> TlsConfig {
    let defaults = TlsConfig::default();
    let tls = root.get("tls");
    let certificates = found.list(
        tls.and_then(|tls| tls.get("certificates")),
        |found, item| certificate(item, sources, found),
    );
    if certificates.is_empty()
        && let Some(written) = root.get("listeners").and_then(|l| l.get("https"))
        && !written.items().is_empty()
    {
        let message = "`https` listens, and `tls.certificates` names no certificate";
        let problem = Problem::error("https-without-certificate", written.span, message);
        let help = "for example tls: {certificates: [{cert: ./shop.pem, key: ./shop.key}]}";
        found.problems.push(problem.help(help));
    }
    if let Some(written) = tls.and_then(|tls| tls.get("handshake_timeout"))
        && value(tls.unwrap_or(root), "handshake_timeout", scalar::duration)
            .is_some_and(|timeout| timeout.is_zero())
    {
        let message = "no handshake ends in no time, so nobody could connect";
        let problem = Problem::error("handshake-timeout-zero", written.span, message);
        found.problems.push(problem.help("leave it out for 10s"));
    }
    TlsConfig {
        certificates,
        only_tls13: tls
            .and_then(|tls| tls.get("min_version"))
            .and_then(Node::text)
            == Some("1.3"),
        handshake_timeout: tls
            .and_then(|tls| value(tls, "handshake_timeout", scalar::duration))
            .unwrap_or(defaults.handshake_timeout),
        client_cas: client_cas(root, sources, found),
        upstreams: upstream::files(root, sources, found),
    }
}

fn certificate(node: &Node, sources: &mut Sources, found: &mut Found) -> Option<CertificateSource> {
    if let Some(path) = node.get("folder") {
        for key in ["default", "key"] {
            if let Some(beside) = node.get(key) {
                let message = format!("`{key}` is for a pair, and this is a folder");
                let help = "name the pair of its own by `cert` and `key`, a folder beside it";
                let problem = Problem::error("not-for-a-folder", beside.span, message);
                found.problems.push(problem.help(help));
            }
        }
        return folder(path, sources, found).map(CertificateSource::Folder);
    }
    let help = "`cert` and `key` are PEM files relative to this one";
    let cert = tls_file(node.get("cert")?, sources, found, help)?;
    let key = match node.get("key") {
        Some(key) => tls_file(key, sources, found, help)?,
        None => cert.clone(),
    };
    Some(CertificateSource::Pair {
        cert,
        key,
        default: value(node, "default", scalar::boolean).unwrap_or(false),
    })
}

/// A file, and where it is named: what is wrong with it is told there.
fn tls_file(node: &Node, sources: &mut Sources, found: &mut Found, help: &str) -> Option<PathBuf> {
    let path = file(node, sources, found, help)?;
    found.tls_files.push((path.clone(), node.span));
    Some(path)
}

fn folder(node: &Node, sources: &mut Sources, found: &mut Found) -> Option<PathBuf> {
    let folder = sources.resolve(node.span.source, node.text()?);
    sources.name_file(&folder);
    found.tls_files.push((folder.clone(), node.span));
    if !folder.is_dir() {
        let message = format!("there is no folder {}", folder.display());
        let problem = Problem::error("folder-not-found", node.span, message);
        found
            .problems
            .push(problem.help("`folder` is relative to this file"));
    }
    Some(folder)
}

/// The bundles of all apps, each policy once.
fn client_cas(root: &Node, sources: &mut Sources, found: &mut Found) -> Vec<ClientCaFile> {
    let apps = root.get("apps").map_or(&[][..], Node::entries);
    let mut cas: Vec<ClientCaFile> = Vec::new();
    for app in apps {
        let node = app.value.get("tls").and_then(|tls| tls.get("client_auth"));
        let Some((node, ClientAuth { policy, required })) =
            node.and_then(|node| Some((node, client_auth(node)?)))
        else {
            continue;
        };
        let help = "`ca` is a PEM file relative to this one";
        let ca = node
            .get("ca")
            .and_then(|ca| tls_file(ca, sources, found, help));
        if let Some(ca) = ca
            && cas.iter().all(|known| known.policy != policy)
        {
            cas.push(ClientCaFile {
                policy,
                ca,
                required,
            });
        }
    }
    cas
}

/// The part of an app.
pub(super) fn app(node: &Node) -> Secure {
    let redirects = value(node, "redirect_http", scalar::boolean).unwrap_or(false);
    Secure {
        client_auth: node.get("client_auth").and_then(client_auth),
        redirect_http: redirects.then(|| number(node, "redirect_port", HTTPS)),
        hsts: node.get("hsts").and_then(|hsts| {
            Some(Hsts {
                max_age: value(hsts, "max_age", scalar::duration)?,
                include_subdomains: value(hsts, "include_subdomains", scalar::boolean)
                    .unwrap_or(false),
            })
        }),
    }
}

/// The number of a policy comes from what was written, so that it is the same on every node.
fn client_auth(node: &Node) -> Option<ClientAuth> {
    let required = value(node, "required", scalar::boolean).unwrap_or(true);
    let ca = node.get("ca")?.text()?;
    Some(ClientAuth {
        policy: xxh3_64(format!("{required} {ca}").as_bytes()),
        required,
    })
}
