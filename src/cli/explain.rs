//! `explain`: a trace of the code that answers, on a Table compiled from a file, with no node.
//! Everything counts as usable but what `--down` names.

use std::net::IpAddr;
use std::time::SystemTime;

use http::{HeaderMap, Method};
use serde_json::json;
use windrose_config::NodeConfig;
use windrose_model::{DnsName, Name, RecordType, WallTime, meant};
use windrose_routing::{Table, explain};

use super::args::{Explain, ExplainDns, ExplainHttp, ExplainTcp, Output, World};
use super::failure::{Exit, Failure};
use super::values::{Client, Header};
use super::{check, limited, print};
use crate::node::data::Loader;
use crate::what_if;

pub(super) fn run(args: &Explain, output: Output) -> Result<(), Failure> {
    match args {
        Explain::Dns(args) => dns(args, output),
        Explain::Http(args) => http(args, output),
        Explain::Tcp(args) => tcp(args, output),
    }
}

fn now() -> WallTime {
    let since = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallTime::after_epoch(since.unwrap_or_default())
}

fn dns(args: &ExplainDns, output: Output) -> Result<(), Failure> {
    let name = DnsName::parse(&args.name)
        .map_err(|e| Failure::new(Exit::Usage, "bad-name", format!("{}: {e}", args.name)))?;
    let rtype: RecordType = args.rtype.parse().map_err(|()| {
        Failure::new(
            Exit::Usage,
            "bad-type",
            format!("{} is no type", args.rtype),
        )
        .help("write it as in a zone file: A, AAAA, MX, HTTPS, …, or TYPE65280")
    })?;
    let (table, node) = imagine(&args.world, output)?;
    let mut trace = explain::dns(
        &table,
        &name,
        rtype,
        masked(args.world.client),
        args.world.draw,
    );
    let limits = limited::told(&node.dns.limits, &trace);
    trace.steps.extend(limits);
    match output {
        Output::Text => print::text(&trace),
        Output::Json => print::json(&json!({
            "schema": 1,
            "name": trace.question.0.to_string(),
            "type": trace.question.1,
            "client": trace.client,
            "client_prefix": args.world.client.prefix,
            "draw": args.world.draw,
            "down": args.world.down,
            "steps": trace.steps,
            "rcode": trace.rcode,
            "clusters": trace.clusters,
            "records": trace.records,
            "scope_prefix": trace.scope,
        })),
    }
    Ok(())
}

fn http(args: &ExplainHttp, output: Output) -> Result<(), Failure> {
    let url = Url::parse(&args.url).ok_or_else(|| {
        Failure::new(Exit::Usage, "bad-url", format!("{} is no URL", args.url))
            .help("write it like http://shop.example.com/cart")
    })?;
    let method = Method::from_bytes(args.method.as_bytes()).map_err(|_| {
        let message = format!("{} is no method", args.method);
        Failure::new(Exit::Usage, "bad-method", message).help("write it like GET")
    })?;
    let mut headers = HeaderMap::new();
    for Header { name, value } in &args.header {
        headers.append(name, value.clone());
    }
    let query: Vec<&str> = (url.query.iter())
        .chain(&args.query)
        .map(String::as_str)
        .collect();
    let query = query.join("&");
    let (table, node) = imagine(&args.world, output)?;
    let request = explain::HttpRequest {
        host: &url.host,
        path: &url.path,
        query: (!query.is_empty()).then_some(&*query),
        method: &method,
        headers: &headers,
        tls: url.tls,
        port: url.port,
    };
    let client = args.world.client.ip;
    let trace = explain::http(
        &table,
        &request,
        client,
        args.world.draw,
        node.home.as_ref(),
        now(),
    );
    match output {
        Output::Text => print::text(&trace),
        Output::Json => print::json(&json!({
            "schema": 1,
            "host": trace.request.0,
            "path": trace.request.1,
            "client": trace.client,
            "draw": args.world.draw,
            "down": args.world.down,
            "steps": trace.steps,
            "app": trace.app,
            "route": trace.route,
            "version": trace.version,
            "cluster": trace.cluster,
            "endpoints": trace.endpoints,
            "status": trace.status,
        })),
    }
    Ok(())
}

fn tcp(args: &ExplainTcp, output: Output) -> Result<(), Failure> {
    let (table, node) = imagine(&args.world, output)?;
    let listeners = node.listeners.tcp.keys().map(Name::as_str);
    if !node
        .listeners
        .tcp
        .keys()
        .any(|name| name.as_str() == args.listener)
    {
        let wrong = format!("there is no TCP listener {}", args.listener);
        let failure = Failure::new(Exit::Usage, "unknown-listener", wrong);
        let names: Vec<_> = listeners.collect();
        return Err(match meant(&args.listener, names.iter().copied()) {
            Some(name) => failure.help(format!("did you mean {name}?")),
            None if names.is_empty() => failure.help("listeners.tcp has none"),
            None => failure.help(format!("there are {}", names.join(", "))),
        });
    }
    let sni = args.sni.as_ref();
    let sni = sni.map(|name| name.trim_end_matches('.').to_ascii_lowercase());
    let trace = explain::tcp(
        &table,
        &args.listener,
        sni.as_deref(),
        args.world.client.ip,
        args.world.draw,
        node.home.as_ref(),
    );
    match output {
        Output::Text => print::text(&trace),
        Output::Json => print::json(&json!({
            "schema": 1,
            "listener": trace.connection.0,
            "sni": trace.connection.1,
            "client": trace.client,
            "draw": args.world.draw,
            "down": args.world.down,
            "steps": trace.steps,
            "app": trace.app,
            "version": trace.version,
            "cluster": trace.cluster,
            "endpoints": trace.endpoints,
        })),
    }
    Ok(())
}

/// The Table of the question's world, and the node that has it.
fn imagine(world: &World, output: Output) -> Result<(Table, NodeConfig), Failure> {
    let loaded = check::load(&world.config, output)?;
    for down in &world.down {
        if loaded.model.cluster_id(down).is_none() {
            return Err(unknown_cluster(
                down,
                loaded
                    .model
                    .clusters()
                    .iter()
                    .map(|(name, _)| name.as_str()),
            ));
        }
    }
    let data = check::data(&mut Loader::default(), &loaded, output)?;
    let table = what_if::table(&loaded.model, &data, &world.down);
    Ok((table, loaded.node))
}

/// For every verb that takes the name of a cluster.
pub(super) fn unknown_cluster<'a>(
    wrong: &str,
    names: impl IntoIterator<Item = &'a str>,
) -> Failure {
    let names: Vec<_> = names.into_iter().collect();
    let failure = Failure::new(
        Exit::Usage,
        "unknown-cluster",
        format!("there is no cluster {wrong}"),
    );
    match meant(wrong, names.iter().copied()) {
        Some(name) => failure.help(format!("did you mean {name}?")),
        None => failure.help(format!("there are {}", names.join(", "))),
    }
}

/// What a resolver tells of a client is its prefix; the rest is zero.
pub(super) fn masked(client: Client) -> IpAddr {
    match client.ip {
        IpAddr::V4(ip) => {
            let mask = u32::MAX
                .checked_shl(32 - u32::from(client.prefix))
                .unwrap_or(0);
            IpAddr::from((u32::from(ip) & mask).to_be_bytes())
        }
        IpAddr::V6(ip) => {
            let mask = u128::MAX
                .checked_shl(128 - u32::from(client.prefix))
                .unwrap_or(0);
            IpAddr::from((u128::from(ip) & mask).to_be_bytes())
        }
    }
}

/// What a URL says; without a scheme it is `http`.
struct Url {
    tls: bool,
    port: u16,
    /// Without port, in lower case.
    host: String,
    path: String,
    query: Option<String>,
}

impl Url {
    fn parse(url: &str) -> Option<Self> {
        let (tls, rest) = match url.split_once("://") {
            Some(("http", rest)) => (false, rest),
            Some(("https", rest)) => (true, rest),
            Some(_) => return None,
            None => (false, url),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (rest, query) = match rest.split_once('?') {
            Some((rest, query)) => (rest, Some(query.to_owned())),
            None => (rest, None),
        };
        let (authority, path) = match rest.find('/') {
            Some(at) => rest.split_at(at),
            None => (rest, "/"),
        };
        let (host, port) = match authority.split_once(':') {
            Some((host, port)) => (host, port.parse().ok()?),
            None => (authority, if tls { 443 } else { 80 }),
        };
        let host = host.trim_end_matches('.').to_ascii_lowercase();
        let path = path.to_owned();
        let url = Self {
            tls,
            port,
            host,
            path,
            query,
        };
        (!url.host.is_empty()).then_some(url)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_url_is_a_host_a_path_and_a_query() {
        for (url, host, path, query) in [
            (
                "http://Shop.example.com:8080/a/b?c=d",
                "shop.example.com",
                "/a/b",
                Some("c=d"),
            ),
            ("https://shop.example.com", "shop.example.com", "/", None),
            ("shop.example.com/a#x", "shop.example.com", "/a", None),
            ("http://a.example?b=/c", "a.example", "/", Some("b=/c")),
        ] {
            let read = Url::parse(url).unwrap();
            let got = (&*read.host, &*read.path, read.query.as_deref());
            assert_eq!(got, (host, path, query), "{url}");
        }
        let port = |url| Url::parse(url).map(|url| (url.tls, url.port));
        assert_eq!(port("https://a.example/"), Some((true, 443)));
        assert_eq!(port("a.example:8080/x"), Some((false, 8080)));
        assert_eq!(port("http://a.example:x/"), None);
        assert!(Url::parse("ftp://a/").is_none());
        assert!(Url::parse("http:///a").is_none());
    }

    #[test]
    fn a_prefix_hides_the_rest_of_an_address() {
        let at = |text| masked(super::super::values::client(text).unwrap()).to_string();
        assert_eq!(at("192.0.2.77/24"), "192.0.2.0");
        assert_eq!(at("192.0.2.77"), "192.0.2.77");
        assert_eq!(at("192.0.2.77/0"), "0.0.0.0");
        assert_eq!(at("2001:db8:1:2ff::1/56"), "2001:db8:1:200::");
    }
}
