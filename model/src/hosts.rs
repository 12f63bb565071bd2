//! Which app a host belongs to.

use std::collections::HashMap;

use crate::{App, DnsName, Name};

/// The hosts of all apps.
#[derive(Debug)]
pub struct Hosts<'a>(HashMap<&'a DnsName, &'a Name>);

impl<'a> Hosts<'a> {
    /// Of apps by name. Of a host that two of them have it is the first one's.
    pub fn of(apps: impl IntoIterator<Item = (&'a Name, &'a App)>) -> Self {
        let mut hosts = HashMap::new();
        for (name, app) in apps {
            for host in &app.hosts {
                hosts.entry(host).or_insert(name);
            }
        }
        Self(hosts)
    }

    /// The app of a name: the one whose host it is, else the one with the nearest wildcard above it.
    pub fn app(&self, name: &DnsName) -> Option<&'a Name> {
        let above = std::iter::successors(name.parent(), DnsName::parent);
        let wildcards = above.filter_map(|name| {
            let wire = [&[1, b'*'], name.wire()].concat();
            self.0.get(&DnsName::from_wire(&wire)?)
        });
        self.0
            .get(name)
            .into_iter()
            .chain(wildcards)
            .next()
            .copied()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::Split;

    #[test]
    fn a_name_belongs_to_its_own_host_before_the_nearest_wildcard() {
        let dns = |text: &str| DnsName::parse(text).unwrap();
        let app = |hosts: &[&str]| {
            let hosts = hosts.iter().map(|host| dns(host)).collect();
            App::new(hosts, [].into(), Split([].into()))
        };
        let apps = [
            ("all", app(&["*.example.com"])),
            ("shop", app(&["shop.example.com", "*.eu.example.com"])),
        ]
        .map(|(name, app)| (Name::new(name).unwrap(), app));
        let hosts = Hosts::of(apps.iter().map(|(name, app)| (name, app)));
        let of = |name: &str| hosts.app(&dns(name)).map(Name::as_str);
        assert_eq!(of("shop.example.com"), Some("shop"));
        assert_eq!(of("a.shop.example.com"), Some("all"));
        assert_eq!(of("a.b.eu.example.com"), Some("shop"));
        assert_eq!(of("*.example.com"), Some("all"));
        assert_eq!(of("example.com"), None);
        assert_eq!(of("example.org"), None);
    }
}
