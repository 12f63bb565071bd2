//! Routes.

use std::sync::Arc;

use http::{HeaderName, HeaderValue, StatusCode};
use windrose_model::{
    Action, Conditions, Cors, Filters, GrpcMatch, HeaderEdits, Match, PathMatch, PathRewrite,
    Redirect, Respond, Retry, Rewrite, Route, Split, TextMatch, Timeouts, UserKey, UserMatch,
    Wildcard,
};

use super::{
    Found, app, data, fallback, fault, mirror, number, retry, single, split_by, steering, value,
};
use crate::scalar;
use crate::source::Sources;
use crate::tree::Node;

/// The routes of an app. Equal splits are one.
pub(super) fn read(
    node: Option<&Node>,
    usual: (Timeouts, &Retry),
    sources: &mut Sources,
    found: &mut Found,
) -> Vec<Route> {
    let mut splits: Vec<Arc<Split>> = Vec::new();
    found.list(node, |found, item| {
        let split = item.get("split").map(|node| {
            let split = app::split(node);
            let known = splits
                .iter()
                .find(|known| ***known == split)
                .map(Arc::clone);
            known.unwrap_or_else(|| {
                let split = Arc::new(split);
                splits.push(Arc::clone(&split));
                split
            })
        });
        let filters = filters(item, usual, sources, found);
        Some(Route {
            name: value(item, "name", scalar::name),
            matches: matches(item.get("match"), found),
            hosts: found.list(item.get("hosts"), |_, host| single(host, scalar::host)),
            split,
            split_by: item.get("split_by").map(|by| Box::new(split_by::read(by))),
            filters: (filters != Filters::default()).then(|| Box::new(filters)),
        })
    })
}

/// One, or a list.
fn matches(node: Option<&Node>, found: &mut Found) -> Vec<Match> {
    match node {
        Some(node) if !node.entries().is_empty() => vec![one_match(node, found)],
        node => found.list(node, |found, item| Some(one_match(item, found))),
    }
}

fn one_match(node: &Node, found: &mut Found) -> Match {
    let by_path = node.get("path").and_then(|path| {
        let text = |key| path.get(key).and_then(Node::text);
        let regex = || value(path, "regex", scalar::regex).map(PathMatch::Regex);
        text("exact")
            .map(|path| PathMatch::Exact(path.into()))
            .or_else(|| text("prefix").map(|path| PathMatch::Prefix(path.into())))
            .or_else(regex)
    });
    let by_call = node.get("grpc").map(|grpc| {
        let wanted = |key| grpc.get(key).and_then(text_match);
        PathMatch::Grpc(Box::new(GrpcMatch::new(
            wanted("service"),
            wanted("method"),
        )))
    });
    let texts = |key| -> Vec<(Box<str>, TextMatch)> {
        let entries = node.get(key).map_or(&[][..], Node::entries).iter();
        let read = entries.filter_map(|e| Some((Box::from(&*e.key), text_match(&e.value)?)));
        read.collect()
    };
    let conditions = Conditions {
        method: value(node, "method", scalar::method),
        headers: headers(node),
        query: texts("query"),
        cookies: texts("cookies"),
        clients: node
            .get("clients")
            .map(|node| steering::clients(node, found)),
        user: node.get("user").and_then(user),
    };
    Match {
        path: by_path.or(by_call),
        conditions: (conditions != Conditions::default()).then(|| Box::new(conditions)),
    }
}

fn user(node: &Node) -> Option<UserMatch> {
    let cookie = node.get("cookie").and_then(Node::text);
    let header = value(node, "header", scalar::header_name).map(UserKey::Header);
    Some(UserMatch {
        key: header.or_else(|| cookie.map(|name| UserKey::Cookie(name.into())))?,
        list: value(node, "list", scalar::name)?,
    })
}

/// Fields that are asked for.
pub(super) fn headers(node: &Node) -> Vec<(HeaderName, TextMatch)> {
    let entries = node.get("headers").map_or(&[][..], Node::entries).iter();
    let read = entries.filter_map(|e| {
        let name = scalar::header_name(&e.key).ok()?;
        Some((name, text_match(&e.value)?))
    });
    read.collect()
}

fn text_match(node: &Node) -> Option<TextMatch> {
    match node.text() {
        Some(text) => Some(TextMatch::Exact(text.into())),
        None => value(node, "regex", scalar::regex).map(TextMatch::Regex),
    }
}

fn filters(
    node: &Node,
    (usual, again): (Timeouts, &Retry),
    sources: &mut Sources,
    found: &mut Found,
) -> Filters {
    let redirect = node.get("redirect").map(|n| Action::Redirect(redirect(n)));
    let respond = node.get("respond");
    let respond = respond.map(|n| Action::Respond(self::respond(n, sources, found)));
    let rewrite = node.get("rewrite").map(|node| {
        Action::Forward(Rewrite {
            host: value(node, "host", scalar::header_value),
            path: node.get("path").and_then(path_rewrite),
        })
    });
    Filters {
        request_headers: edits(node.get("request_headers"), found),
        response_headers: edits(node.get("response_headers"), found),
        action: redirect.or(respond).or(rewrite).unwrap_or_default(),
        cors: node.get("cors").map(|node| cors(node, found)),
        max_body: value(node, "max_body", scalar::size),
        timeouts: node.get("timeouts").map(|node| app::timeouts(node, usual)),
        mirrors: mirror::read(node.get("mirror"), found),
        retry: (node.get("retry")).map(|node| Box::new(retry::read(node, again, found))),
        hedge: node.get("hedge").map(retry::hedge),
        fallback: (node.get("fallback")).map(|node| Box::new(fallback::read(node, sources, found))),
        fault: node.get("fault").and_then(fault::read).map(Box::new),
    }
}

fn fields(node: Option<&Node>) -> Vec<(HeaderName, HeaderValue)> {
    let entries = node.map_or(&[][..], Node::entries).iter();
    let read = entries.filter_map(|e| {
        let name = scalar::header_name(&e.key).ok()?;
        Some((name, single(&e.value, scalar::header_value)?))
    });
    read.collect()
}

fn edits(node: Option<&Node>, found: &mut Found) -> HeaderEdits {
    let get = |key| node.and_then(|node| node.get(key));
    HeaderEdits {
        set: fields(get("set")),
        add: fields(get("add")),
        remove: found.list(get("remove"), |_, name| single(name, scalar::header_name)),
    }
}

fn path_rewrite(node: &Node) -> Option<PathRewrite> {
    let text = |key| node.get(key).and_then(Node::text);
    text("full")
        .map(|path| PathRewrite::Full(path.into()))
        .or_else(|| text("prefix").map(|path| PathRewrite::Prefix(path.into())))
}

fn redirect(node: &Node) -> Redirect {
    let text = |key| node.get(key).and_then(Node::text).map(Box::from);
    let status = value(node, "status", |t| scalar::whole(t, 301, 308)).unwrap_or(302);
    Redirect {
        scheme: text("scheme"),
        host: text("host"),
        port: value(node, "port", |t| scalar::whole(t, 1, 65_535))
            .and_then(|port| u16::try_from(port).ok()),
        path: node.get("path").and_then(path_rewrite),
        status: code(status).unwrap_or(StatusCode::FOUND),
    }
}

pub(super) fn respond(node: &Node, sources: &mut Sources, found: &mut Found) -> Respond {
    let inline = node.get("body").and_then(Node::text).unwrap_or_default();
    let from_file = (node.get("body_file")).and_then(|file| data::body(file, sources, found));
    Respond {
        status: code(number(node, "status", 200)).unwrap_or(StatusCode::OK),
        headers: fields(node.get("headers")),
        body: match from_file {
            Some(octets) => octets.into(),
            None => inline.to_owned().into(),
        },
    }
}

pub(super) fn code(status: u32) -> Option<StatusCode> {
    StatusCode::from_u16(u16::try_from(status).ok()?).ok()
}

fn cors(node: &Node, found: &mut Found) -> Cors {
    Cors {
        origins: found.list(node.get("origins"), |_, o| single(o, scalar::origin)),
        credentials: value(node, "credentials", scalar::boolean).unwrap_or(false),
        methods: wildcard(node.get("methods"), |text| text.to_owned()),
        headers: wildcard(node.get("headers"), str::to_ascii_lowercase),
        expose: wildcard(node.get("expose"), str::to_ascii_lowercase),
        max_age: value(node, "max_age", scalar::seconds).map_or(5, |age| age.seconds()),
    }
}

/// `*` among others is all.
fn wildcard(node: Option<&Node>, written: impl Fn(&str) -> String) -> Wildcard {
    let items = node
        .map_or(&[][..], Node::items)
        .iter()
        .filter_map(Node::text);
    let items: Vec<String> = items.map(written).collect();
    match HeaderValue::from_str(&items.join(", ")) {
        _ if items.is_empty() => Wildcard::None,
        _ if items.iter().any(|item| item == "*") => Wildcard::Any,
        Ok(list) => Wildcard::List(list),
        Err(_) => Wildcard::None,
    }
}
