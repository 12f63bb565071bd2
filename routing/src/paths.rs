//! Hosts to apps, paths to routes, draws to versions. HOT.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};

use windrose_model::{App, AppId, Model, Name, Split};
use xxhash_rust::xxh3::xxh3_64;

/// A route of an app: 0 is the app's own split.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub struct RouteId(pub u16);

/// One pass of xxh3 over the text; keys come from the configuration, so no seed is needed.
#[derive(Default)]
pub(crate) struct TextHasher(u64);

impl Hasher for TextHasher {
    #[inline]
    fn write(&mut self, bytes: &[u8]) {
        self.0 = self.0.rotate_left(5) ^ xxh3_64(bytes);
    }
    fn write_u8(&mut self, _: u8) {}
    fn finish(&self) -> u64 {
        self.0
    }
}

type TextMap<V> = HashMap<Box<str>, V, BuildHasherDefault<TextHasher>>;

/// Host to app: exact names first, then the longest wildcard.
#[derive(Default)]
pub(crate) struct HostIndex {
    exact: TextMap<AppId>,
    /// By what stands behind `*.`.
    below: TextMap<AppId>,
}

impl HostIndex {
    pub(crate) fn build(model: &Model) -> Self {
        let mut index = Self::default();
        for (id, _, app) in model.app_ids() {
            for host in &app.hosts {
                let text = host.to_string();
                match text.strip_prefix("*.") {
                    Some(below) => index.below.insert(below.into(), id),
                    None => index.exact.insert(text.into(), id),
                };
            }
        }
        index
    }

    #[inline]
    pub(crate) fn find(&self, host: &str) -> Option<AppId> {
        if let Some(id) = self.exact.get(host) {
            return Some(*id);
        }
        if self.below.is_empty() {
            return None;
        }
        let mut rest = host;
        while let Some((_, parent)) = rest.split_once('.') {
            if let Some(id) = self.below.get(parent) {
                return Some(*id);
            }
            rest = parent;
        }
        None
    }
}

/// The routes of an app and their splits.
pub(crate) struct Routes {
    prefixes: TextMap<RouteId>,
    splits: Box<[Shares]>,
}

/// Versions with running sums of weights.
struct Shares {
    sums: Box<[(u64, u8)]>,
    total: u64,
}

impl Routes {
    pub(crate) fn build(app: &App) -> Self {
        let versions: Vec<&Name> = app.versions.keys().collect();
        let mut splits = vec![Shares::build(&app.split, &versions)];
        let mut prefixes = TextMap::default();
        for (i, route) in (1u16..).zip(&app.routes) {
            prefixes.insert(route.path_prefix.trim_end_matches('/').into(), RouteId(i));
            splits.push(Shares::build(&route.split, &versions));
        }
        Self {
            prefixes,
            splits: splits.into(),
        }
    }

    /// The longest prefix by whole segments (Gateway API `PathPrefix`).
    #[inline]
    pub(crate) fn route(&self, path: &str) -> RouteId {
        if self.prefixes.is_empty() {
            return RouteId(0);
        }
        let mut rest = path.trim_end_matches('/');
        loop {
            if let Some(route) = self.prefixes.get(rest) {
                return *route;
            }
            match rest.rfind('/') {
                Some(cut) => rest = &rest[..cut],
                None => return RouteId(0),
            }
        }
    }

    #[inline]
    pub(crate) fn version(&self, route: RouteId, draw: u64) -> u8 {
        self.splits
            .get(usize::from(route.0))
            .unwrap_or(&self.splits[0])
            .pick(draw)
    }

    /// The versions of a route that can be drawn, with their shares of the total weight.
    pub(crate) fn weights(&self, route: RouteId) -> Vec<(u8, u64, u64)> {
        let shares = &self.splits[usize::from(route.0)];
        let mut before = 0;
        let weight = |sum: u64, before: &mut u64| std::mem::replace(before, sum).abs_diff(sum);
        shares
            .sums
            .iter()
            .map(|&(sum, version)| (version, weight(sum, &mut before), shares.total))
            .collect()
    }
}

impl Shares {
    fn build(split: &Split, versions: &[&Name]) -> Self {
        let mut total = 0;
        let sums = split
            .0
            .iter()
            .filter(|(_, weight)| weight.value() > 0)
            .filter_map(|(name, weight)| {
                let version = versions.iter().position(|v| *v == name)?;
                total += u64::from(weight.value());
                Some((total, u8::try_from(version).ok()?))
            })
            .collect();
        Self { sums, total }
    }

    #[inline]
    fn pick(&self, draw: u64) -> u8 {
        let [(_, only)] = *self.sums else {
            #[allow(clippy::cast_possible_truncation, reason = "below the total")]
            let point = ((u128::from(draw) * u128::from(self.total)) >> 64) as u64;
            return self
                .sums
                .iter()
                .find(|(sum, _)| point < *sum)
                .map_or(0, |(_, version)| *version);
        };
        only
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use windrose_model::{DnsName, Route, Weight};

    fn app(prefixes: &[&str]) -> App {
        let split = |v: &str| Split([(Name::new(v).unwrap(), Weight::ONE)].into());
        let version = windrose_model::Version {
            endpoints: std::collections::BTreeMap::new(),
        };
        let mut app = App::new(
            vec![DnsName::parse("a.b").unwrap()],
            [
                (Name::new("v1").unwrap(), version.clone()),
                (Name::new("v2").unwrap(), version),
            ]
            .into(),
            split("v1"),
        );
        app.routes = prefixes
            .iter()
            .map(|p| Route {
                path_prefix: (*p).to_owned(),
                split: split("v2"),
            })
            .collect();
        app
    }

    #[test]
    fn the_longest_prefix_of_whole_segments_wins() {
        let routes = Routes::build(&app(&["/api", "/api/v2/", "/static"]));
        for (path, route) in [
            ("/", 0),
            ("/api", 1),
            ("/api/", 1),
            ("/apix", 0),
            ("/api/v1", 1),
            ("/api/v2", 2),
            ("/api/v2/x/y", 2),
            ("/static/", 3),
        ] {
            assert_eq!(routes.route(path), RouteId(route), "{path}");
        }
        assert_eq!(Routes::build(&app(&["/"])).route("/any"), RouteId(1));
    }

    #[test]
    fn a_split_keeps_its_weights() {
        let mut wanted = app(&[]);
        wanted.split = Split(
            [("v1", 90), ("v2", 10)]
                .map(|(n, w)| (Name::new(n).unwrap(), Weight::new(w).unwrap()))
                .into(),
        );
        let routes = Routes::build(&wanted);
        let second = (0..100_000u64)
            .filter(|i| routes.version(RouteId(0), crate::digest::mix(*i)) == 1)
            .count();
        assert!((9_500..10_500).contains(&second), "{second}");
    }
}
