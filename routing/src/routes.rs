//! Requests to routes to versions. HOT.
//!
//! What of a route can be looked up by host and path is in an index; the rest is asked of the few
//! candidates that are left, in the order of their precedence. Patterns, header names and values
//! are used as the Model has them: compiled.

use std::sync::Arc;

use http::HeaderMap;
use windrose_model::{App, DnsName, Filters, Match, Name, SplitBy};

use crate::data::Users;
use crate::hosts::TextMap;
use crate::table::Table;

mod candidate;
mod clients;
mod index;
mod previewed;
mod rank;
mod request;
mod shares;
mod sticky;

use candidate::Candidate;
pub(crate) use candidate::Miss;
pub(crate) use clients::ClientSets;
use clients::PlaceSet;
use index::Index;
use previewed::Previewed;
pub use request::{RequestHead, joined_field};
use shares::Shares;
pub(crate) use sticky::point;
pub use sticky::user;

/// A route of an app: 0 is the app's own split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub u16);

/// The route of a request.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RouteMatch {
    /// Which.
    pub route: RouteId,
    /// Octets of the path that a match by prefix took, without a slash at the end; 0 for others.
    pub prefix: u16,
}

impl RouteMatch {
    /// No route: the app's own split.
    pub const NONE: Self = Self {
        route: RouteId(0),
        prefix: 0,
    };
}

/// The routes of an app and their splits.
pub(crate) struct Routes {
    /// Different ones; the first is the app's own.
    splits: Box<[Shares]>,
    /// By route, the position of its split; empty when all have the app's.
    split_of: Box<[u16]>,
    /// Whether any split is sticky.
    is_sticky: bool,
    preview: Option<Box<Previewed>>,
    /// Routes for all hosts.
    index: Index,
    by_host: Option<Box<ByHost>>,
    /// The sets of clients that matches name.
    client_sets: Box<[Arc<PlaceSet>]>,
}

/// Routes for some hosts: the more of a host is written, the earlier they are asked.
struct ByHost {
    exact: TextMap<u16>,
    /// By what stands behind `*.`.
    below: TextMap<u16>,
    indices: Box<[Index]>,
}

impl Routes {
    pub(crate) fn build(app: &App, sets: &mut ClientSets<'_>) -> Self {
        let versions: Vec<&Name> = app.versions.keys().collect();
        let mut splits = vec![Shares::build(&app.split, &versions)];
        let mut known = vec![&app.split];
        let split_of: Vec<u16> = (app.routes.iter())
            .map(|route| {
                let split = route.split.as_deref().unwrap_or(&app.split);
                let at = known.iter().position(|known| *known == split);
                let at = at.unwrap_or_else(|| {
                    known.push(split);
                    splits.push(Shares::build(split, &versions));
                    known.len() - 1
                });
                u16::try_from(at).unwrap_or(0)
            })
            .collect();
        let mut client_sets = Vec::new();
        let mut set_of = |one: &Match| match one.clients() {
            None => 0,
            Some(set) => {
                let set = sets.get(set);
                let known = client_sets
                    .iter()
                    .position(|known| Arc::ptr_eq(known, &set));
                let at = known.unwrap_or_else(|| {
                    client_sets.push(set);
                    client_sets.len() - 1
                });
                u16::try_from(at + 1).unwrap_or(0)
            }
        };
        let candidates = candidate::of(app, &mut set_of);
        let everywhere = |c: &Candidate| app.routes[usize::from(c.route)].hosts.is_empty();
        Self {
            index: Index::build(app, candidates.iter().filter(|c| everywhere(c)).copied()),
            by_host: ByHost::build(app, &candidates),
            split_of: match splits.len() {
                1 => Box::default(),
                _ => split_of.into(),
            },
            splits: splits.into(),
            preview: (app.preview.as_ref())
                .and_then(|preview| Previewed::build(preview, &versions))
                .map(Box::new),
            is_sticky: app.split_by.is_some() || app.routes.iter().any(|r| r.split_by.is_some()),
            client_sets: client_sets.into(),
        }
    }

    /// The route of a request: of those that hold, the one that goes before.
    #[inline]
    pub(crate) fn find(&self, app: &App, table: &Table, head: &RequestHead<'_>) -> RouteMatch {
        if app.routes.is_empty() {
            return RouteMatch::NONE;
        }
        let asked = Asked {
            app,
            head,
            place: table.atlas.place_of(head.leaf),
            sets: &self.client_sets,
            users: &table.users,
        };
        let own = self.by_host.as_ref().and_then(|by_host| {
            let mut indices = by_host.of(head.host);
            indices.find_map(|index| index.find(&asked))
        });
        own.or_else(|| self.index.find(&asked))
            .unwrap_or(RouteMatch::NONE)
    }

    #[inline]
    pub(crate) fn version(&self, route: RouteId, draw: u64) -> u8 {
        self.split(route).pick(draw)
    }

    /// The version of a request that is a preview, where the app's split holds.
    #[inline]
    pub(crate) fn preview(
        &self,
        app: &App,
        route: RouteId,
        host: &str,
        headers: &HeaderMap,
    ) -> Option<u8> {
        let preview = self.preview.as_ref()?;
        let at = usize::from(route.0).checked_sub(1);
        let own = at.and_then(|at| app.routes.get(at)?.split.as_ref());
        match own {
            None => preview.find(app, host, headers),
            Some(_) => None,
        }
    }

    /// What makes the split of a route sticky; none where there is nothing to choose from.
    #[inline]
    pub(crate) fn split_by<'a>(&self, app: &'a App, route: RouteId) -> Option<&'a SplitBy> {
        if !self.is_sticky || !self.split(route).is_choice() {
            return None;
        }
        let at = usize::from(route.0).checked_sub(1);
        let own = at.and_then(|at| app.routes.get(at)?.split_by.as_deref());
        own.or(app.split_by.as_ref())
    }

    /// The versions of a route that can be drawn, with their shares of the total weight.
    pub(crate) fn weights(&self, route: RouteId) -> Vec<(u8, u64, u64)> {
        self.split(route).weights()
    }

    #[inline]
    fn split(&self, route: RouteId) -> &Shares {
        let at = usize::from(route.0).checked_sub(1);
        let at = at.and_then(|at| self.split_of.get(at)).copied();
        self.splits
            .get(usize::from(at.unwrap_or(0)))
            .unwrap_or(&self.splits[0])
    }

    /// Whether any match tells clients apart by their place.
    pub(crate) fn reads_place(&self) -> bool {
        !self.client_sets.is_empty()
    }

    /// All matches that are asked about a host, in their order: route and match by position, and why
    /// this request is not one of them.
    pub(crate) fn considered<'a>(
        &'a self,
        app: &'a App,
        table: &'a Table,
        head: &'a RequestHead<'a>,
    ) -> Vec<(u16, u16, Option<Miss<'a>>)> {
        let asked = Asked {
            app,
            head,
            place: table.atlas.place_of(head.leaf),
            sets: &self.client_sets,
            users: &table.users,
        };
        let own = self
            .by_host
            .iter()
            .flat_map(|by_host| by_host.of(head.host));
        own.chain([&self.index])
            .flat_map(|index| index.candidates())
            .map(|c| (c.route, c.at, c.whole_miss(&asked)))
            .collect()
    }
}

/// A request, and what it is held against.
#[derive(Clone, Copy)]
struct Asked<'a> {
    app: &'a App,
    head: &'a RequestHead<'a>,
    place: u32,
    sets: &'a [Arc<PlaceSet>],
    users: &'a Users,
}

impl ByHost {
    fn build(app: &App, candidates: &[Candidate]) -> Option<Box<Self>> {
        let mut hosts: Vec<&DnsName> = app.routes.iter().flat_map(|route| &route.hosts).collect();
        hosts.sort_unstable();
        hosts.dedup();
        if hosts.is_empty() {
            return None;
        }
        let (mut exact, mut below) = (TextMap::default(), TextMap::default());
        let mut indices = Vec::with_capacity(hosts.len());
        for (at, host) in (0u16..).zip(hosts) {
            let of_host = |c: &&Candidate| app.routes[usize::from(c.route)].hosts.contains(host);
            indices.push(Index::build(
                app,
                candidates.iter().filter(of_host).copied(),
            ));
            let text = host.to_string();
            match text.strip_prefix("*.") {
                Some(rest) => below.insert(rest.into(), at),
                None => exact.insert(text.into(), at),
            };
        }
        Some(Box::new(Self {
            exact,
            below,
            indices: indices.into(),
        }))
    }

    /// Of a host, the most specific first.
    fn of<'a>(&'a self, host: &'a str) -> impl Iterator<Item = &'a Index> {
        let mut rest = Some(host);
        let above = std::iter::from_fn(move || {
            let (_, parent) = rest?.split_once('.')?;
            rest = Some(parent);
            Some(parent)
        });
        let wildcards = above.filter_map(|parent| self.below.get(parent));
        let all = self.exact.get(host).into_iter().chain(wildcards);
        all.filter_map(|at| self.indices.get(usize::from(*at)))
    }
}

/// What a route does beside choosing a version.
pub(crate) fn filters(app: &App, route: RouteId) -> Option<&Filters> {
    let at = usize::from(route.0).checked_sub(1)?;
    app.routes.get(at)?.filters.as_deref()
}
