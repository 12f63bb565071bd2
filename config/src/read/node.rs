//! This node's own settings, and how they fit the draft.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::path::PathBuf;

use windrose_model::{Draft, Name};

use super::{Found, number, objects, refuse, single, tls, value};
use crate::node::{DnsManners, HeadLimits, Http2, Listeners, NodeConfig, ProxyTrust, Underscores};
use crate::problem::Problem;
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;
use windrose_model::meant;

mod access;
mod defence;
mod dns;
mod overload;

/// The name of a node that was given none.
const UNNAMED: &str = "n1";

pub(super) fn read(root: &Node, sources: &mut Sources, found: &mut Found) -> NodeConfig {
    let unnamed = Name::new(UNNAMED).expect("UNNAMED is a name");
    let tls = tls::node(root, sources, found);
    let written = root.get("listeners");
    let listeners = match written {
        Some(node) => listeners(node, found),
        None if tls.certificates.is_empty() => Listeners::default(),
        None => Listeners::with_https(),
    };
    let Some(node) = root.get("node") else {
        return NodeConfig {
            listeners,
            tls,
            ..NodeConfig::new(unnamed)
        };
    };
    let defaults = NodeConfig::new(value(node, "name", scalar::name).unwrap_or(unnamed));
    NodeConfig {
        region: value(node, "region", scalar::name),
        home: value(node, "home", scalar::name),
        data_dir: node
            .get("data_dir")
            .and_then(Node::text)
            .map_or(defaults.data_dir, PathBuf::from),
        threads: node.get("threads").map(|_| number(node, "threads", 1)),
        listeners,
        forwarded_trust: found.list(node.get("trusted_proxies"), |_, item| {
            single(item, scalar::cidr)
        }),
        proxy_trust: node
            .get("proxy_protocol")
            .map_or_else(ProxyTrust::default, |it| proxy_trust(it, found)),
        http_limits: node
            .get("http")
            .map_or_else(HeadLimits::default, head_limits),
        access_log: node
            .get("http")
            .and_then(|http| http.get("log"))
            .and_then(|log| access::log(log, found)),
        resolvers: found.list(node.get("resolvers"), |_, item| {
            single(item, scalar::socket)
        }),
        overload: node.get("overload").map(|node| overload::read(node, found)),
        dns: node
            .get("dns")
            .map_or_else(DnsManners::default, |dns| dns::read(dns, sources, found)),
        tls,
        name: defaults.name,
    }
}

fn proxy_trust(node: &Node, found: &mut Found) -> ProxyTrust {
    let list =
        |found: &mut Found, key| found.list(node.get(key), |_, item| single(item, scalar::cidr));
    ProxyTrust {
        http: list(found, "http"),
        https: list(found, "https"),
        tcp: objects(node, "tcp", |_, list| {
            found.list(Some(list), |_, item| single(item, scalar::cidr))
        }),
    }
}

/// What is not written is not opened.
fn listeners(node: &Node, found: &mut Found) -> Listeners {
    one_owner(node, found);
    let list =
        |found: &mut Found, key| found.list(node.get(key), |_, item| single(item, scalar::socket));
    Listeners {
        dns: list(found, "dns"),
        http: list(found, "http"),
        https: list(found, "https"),
        tcp: objects(node, "tcp", |_, list| {
            found.list(Some(list), |_, item| single(item, scalar::socket))
        }),
        admin: value(node, "admin", scalar::socket),
    }
}

/// Every listener accepts over TCP, DNS too: an address is opened once. Port 0 is another one each
/// time.
fn one_owner(listeners: &Node, found: &mut Found) {
    let lists = ["dns", "http", "https"]
        .into_iter()
        .filter_map(|k| listeners.get(k));
    let tcp = listeners.get("tcp").map_or(&[][..], Node::entries);
    let lists = lists.chain(tcp.iter().map(|entry| &entry.value));
    let written = lists.flat_map(Node::items).chain(listeners.get("admin"));
    let mut owners = HashMap::new();
    for node in written {
        let address = single(node, scalar::socket).filter(|a| a.port() != 0);
        let Some(address) = address else { continue };
        match owners.entry(address) {
            Entry::Vacant(free) => drop(free.insert(node.span)),
            Entry::Occupied(first) => found.problems.push(
                Problem::error(
                    "duplicate-listener",
                    node.span,
                    format!("a listener at {address} is there already"),
                )
                .related(*first.get(), "first written at"),
            ),
        }
    }
}

fn head_limits(node: &Node) -> HeadLimits {
    let defaults = HeadLimits::default();
    HeadLimits {
        max_head_bytes: value(node, "max_head", scalar::size)
            .and_then(|size| usize::try_from(size).ok())
            .unwrap_or(defaults.max_head_bytes),
        max_fields: number(node, "max_fields", defaults.max_fields),
        head_timeout: value(node, "head_timeout", scalar::duration)
            .unwrap_or(defaults.head_timeout),
        idle_timeout: value(node, "idle_timeout", scalar::duration)
            .unwrap_or(defaults.idle_timeout),
        http2: node.get("http2").map_or(defaults.http2, http2),
        send_timeout: value(node, "send_timeout", scalar::duration)
            .unwrap_or(defaults.send_timeout),
        underscores: match node.get("underscores").and_then(Node::text) {
            Some("allow") => Underscores::Allow,
            Some("refuse") => Underscores::Refuse,
            _ => defaults.underscores,
        },
    }
}

fn http2(node: &Node) -> Http2 {
    let defaults = Http2::default();
    Http2 {
        enabled: value(node, "enabled", scalar::boolean).unwrap_or(defaults.enabled),
        max_streams: number(node, "max_streams", defaults.max_streams),
        window_timeout: value(node, "window_timeout", scalar::duration)
            .unwrap_or(defaults.window_timeout),
    }
}

/// Whether the node's region and home exist.
pub(super) fn check(node: &NodeConfig, draft: &Draft, found: &mut Found) {
    let mut known = |key: &str, noun: &str, code, name: &Option<Name>, names: Vec<&str>| {
        if let Some(name) = name
            && !names.contains(&name.as_str())
        {
            let help = meant(name.as_str(), names).map(|near| format!("did you mean `{near}`?"));
            let message = format!("no {noun} is named `{name}`");
            found
                .invalid
                .push(refuse(code, &["node", key], message, help));
        }
    };
    let regions = draft.regions.keys().map(Name::as_str).collect();
    let clusters = draft.clusters.keys().map(Name::as_str).collect();
    known("region", "region", "unknown-region", &node.region, regions);
    known("home", "cluster", "unknown-cluster", &node.home, clusters);
    tcp_listeners(node, draft, found);
}

/// Whether the TCP listeners that apps and PROXY headers name exist.
fn tcp_listeners(node: &NodeConfig, draft: &Draft, found: &mut Found) {
    let listeners = &node.listeners.tcp;
    let of_apps = draft.apps.iter().filter_map(|(app, it)| {
        let name = &it.tcp.as_ref()?.listener;
        Some((vec!["apps", app.as_str(), "tcp", "listener"], name))
    });
    let of_headers = node.proxy_trust.tcp.keys();
    let of_headers =
        of_headers.map(|name| (vec!["node", "proxy_protocol", "tcp", name.as_str()], name));
    let named = of_apps.chain(of_headers);
    for (at, name) in named.filter(|(_, name)| !listeners.contains_key(*name)) {
        let help = match meant(name.as_str(), listeners.keys().map(Name::as_str)) {
            Some(near) => format!("did you mean `{near}`?"),
            None => format!("for example listeners: {{tcp: {{{name}: [\"127.0.0.1:5432\"]}}}}"),
        };
        let message = format!("no TCP listener is named `{name}`");
        let wrong = refuse("unknown-listener", &at, message, Some(help));
        found.invalid.push(wrong);
    }
}
