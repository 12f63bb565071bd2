//! What a configuration expects of geo data: what is missing from the start is refused here; what
//! only the file can tell is left to whoever opens it.

use std::collections::HashMap;

use windrose_model::{
    City, ClientSet, DnsName, Draft, GeoField, GeoRules, Invalid, LatencyMatrix, Segment, Step,
};

use super::{Found, path, refuse};
use crate::node::{DataSources, GeoSource};
use crate::problem::SHOWN;

/// What geo data must hold for a configuration to mean what it says.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum GeoNeed {
    /// This field, of at least one address; without it the configuration is refused.
    Field(GeoField),
    /// This city; without it a rule binds nobody, and a warning says so.
    City(City),
}

/// What needs expect, each different one once, with what is to be said if it is not met: at as many
/// places as are shown, and how many more there are.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    numbers: HashMap<GeoNeed, usize>,
    pub(crate) list: Vec<Needed<Invalid>>,
}

/// One need.
#[derive(Debug, Clone)]
pub(crate) struct Needed<S> {
    pub(crate) need: GeoNeed,
    pub(crate) said: Vec<S>,
    pub(crate) more: usize,
}

impl Needs {
    fn add(&mut self, need: GeoNeed, say: impl FnOnce() -> Invalid) {
        let number = match self.numbers.get(&need) {
            Some(number) => *number,
            None => {
                self.numbers.insert(need.clone(), self.list.len());
                self.list.push(Needed {
                    need,
                    said: Vec::new(),
                    more: 0,
                });
                self.list.len() - 1
            }
        };
        let needed = &mut self.list[number];
        if needed.said.len() < SHOWN {
            needed.said.push(say());
        } else {
            needed.more += 1;
        }
    }
}

/// The needs of all steering.
pub(super) fn check(data: &DataSources, latency: &LatencyMatrix, draft: &Draft, found: &mut Found) {
    // By round trip clients are known by their country, unless the matrix knows prefixes; one that
    // could not be read may do so.
    let unread = draft.latency.is_some() && latency.pairs().next().is_none();
    let by_prefix = unread || latency.cidrs().next().is_some();
    let by_country = |step: &Step| !(by_prefix && matches!(step, Step::Latency(_)));
    let mut check = |at: &[Segment], wanted: &[Step]| {
        let wanted = wanted.iter().enumerate();
        steps(data, at, wanted.filter(|(_, step)| by_country(step)), found);
    };
    for (app, wanted) in &draft.apps {
        let at = path(&["apps", app.as_str(), "steering"]);
        check(&at, &wanted.steering);
    }
    for ((owner, rtype), record) in &draft.steered {
        let mut above = std::iter::successors(Some(owner.clone()), DnsName::parent);
        let apex = above.find(|name| draft.zones.contains_key(name));
        if let (Some(own), Some(apex)) = (&record.steering, apex) {
            let (apex, owner, rtype) = (apex.to_string(), owner.to_string(), rtype.to_string());
            check(&path(&["zones", &apex, "records", &owner, &rtype]), own);
        }
    }
    routes(data, draft, found);
}

/// The needs of all routes.
fn routes(data: &DataSources, draft: &Draft, found: &mut Found) {
    for (app, wanted) in &draft.apps {
        for (i, route) in wanted.routes.iter().enumerate() {
            let mut at = path(&["apps", app.as_str(), "routes"]);
            at.extend([i.into(), "match".into()]);
            for (k, one) in route.matches.iter().enumerate() {
                if let Some(clients) = one.clients() {
                    let mut at = at.clone();
                    at.extend((route.matches.len() > 1).then(|| k.into()));
                    at.push("clients".into());
                    route_clients(data, &at, clients, found);
                }
            }
        }
    }
}

/// The needs of a set of clients that a route is for.
fn route_clients(data: &DataSources, at: &[Segment], clients: &ClientSet, found: &mut Found) {
    for (field, key) in fields_of(clients) {
        let refusal = || {
            let mut refusal = unavailable(field, ("match", "routes"), data);
            refusal.at = at.iter().cloned().chain([key.into()]).collect();
            refusal
        };
        match available(field, data) {
            Some(true) => {}
            Some(false) => found.invalid.push(refusal()),
            None => found.needs.add(GeoNeed::Field(field), refusal),
        }
    }
    if let GeoSource::File(_) = data.geo {
        for (j, city) in clients.cities.iter().enumerate() {
            let inside = [Segment::from("cities"), j.into()];
            need_city(city, at.iter().cloned().chain(inside), found);
        }
    }
}

/// What a set of clients reads, each with its key.
fn fields_of(clients: &ClientSet) -> impl Iterator<Item = (GeoField, &'static str)> {
    [
        (!clients.asns.is_empty(), GeoField::Asn, "asns"),
        (!clients.cities.is_empty(), GeoField::City, "cities"),
        (
            !clients.subdivisions.is_empty(),
            GeoField::Subdivision,
            "subdivisions",
        ),
        (
            !clients.countries.is_empty(),
            GeoField::Country,
            "countries",
        ),
        (
            !clients.continents.is_empty(),
            GeoField::Country,
            "continents",
        ),
    ]
    .into_iter()
    .filter(|(is_read, ..)| *is_read)
    .map(|(_, field, key)| (field, key))
}

fn need_city(city: &City, at: impl Iterator<Item = Segment>, found: &mut Found) {
    let say = || {
        let help = "write the country or subdivision and the English name as in the database";
        let message = format!("no address of the database lies in {city}, so it matches no client");
        let mut warning = refuse("unknown-city", &[], message, Some(help.to_owned()));
        warning.at = at.collect();
        warning
    };
    found.needs.add(GeoNeed::City(city.clone()), say);
}

fn steps<'s>(
    data: &DataSources,
    at: &[Segment],
    steps: impl Iterator<Item = (usize, &'s Step)>,
    found: &mut Found,
) {
    for (i, step) in steps {
        for (field, keys) in fields(step) {
            let refusal = || {
                let mut refusal = unavailable(field, ("step", name_of(step)), data);
                let inside = keys.iter().map(|key| Segment::from(*key));
                refusal.at = at.iter().cloned().chain([i.into()]).chain(inside).collect();
                refusal
            };
            match available(field, data) {
                Some(true) => {}
                Some(false) => found.invalid.push(refusal()),
                None => found.needs.add(GeoNeed::Field(field), refusal),
            }
        }
        // Of a database without cities that is said already.
        if let GeoSource::File(_) = data.geo {
            cities(at, i, step, found);
        }
    }
}

/// Whether the data tells this; `None` when only the file knows.
fn available(field: GeoField, data: &DataSources) -> Option<bool> {
    match (field, &data.geo) {
        (GeoField::Asn, _) if data.asn.is_some() => Some(true),
        (_, GeoSource::None) => Some(false),
        (GeoField::Country, _) => Some(true),
        (_, GeoSource::Builtin) => Some(false),
        (_, GeoSource::File(_)) => None,
    }
}

fn unavailable(field: GeoField, (what_for, name): (&str, &str), data: &DataSources) -> Invalid {
    let (what, help) = match field {
        GeoField::Country => (
            "countries",
            "write `geo: builtin` below `data`, or name a file",
        ),
        GeoField::Subdivision => (
            "subdivisions",
            "name a city database below `data`, for example `geo: GeoLite2-City.mmdb`",
        ),
        GeoField::City => (
            "cities",
            "name a city database below `data`, for example `geo: GeoLite2-City.mmdb`",
        ),
        GeoField::Asn => (
            "autonomous systems",
            "name a database of autonomous systems below `data`, for example `asn: GeoLite2-ASN.mmdb`",
        ),
    };
    let lacks = match &data.geo {
        GeoSource::None => "`data.geo` is none".to_owned(),
        GeoSource::Builtin => "the built-in database does not tell them".to_owned(),
        GeoSource::File(file) => format!("{} does not tell them", file.display()),
    };
    let message = format!("this {what_for} needs the {what} of clients, and {lacks} ({name})");
    refuse("geo-field-unavailable", &[], message, Some(help.to_owned()))
}

/// What a step reads, each with the keys where it is said.
fn fields(step: &Step) -> Vec<(GeoField, Vec<&'static str>)> {
    let mut needs = Vec::new();
    match step {
        Step::Nearest(_) => needs.push((GeoField::Country, vec!["nearest"])),
        Step::Latency(_) => needs.push((GeoField::Country, vec!["latency"])),
        Step::Weighted(_) | Step::Failover(_) => {}
        Step::Geo(GeoRules {
            asns,
            cities,
            subdivisions,
            countries,
            continents,
            ..
        }) => {
            let mut need = |is_read: bool, field, key| {
                if is_read {
                    needs.push((field, vec!["geo", key]));
                }
            };
            need(!asns.is_empty(), GeoField::Asn, "asns");
            need(!cities.is_empty(), GeoField::City, "cities");
            need(
                !subdivisions.is_empty(),
                GeoField::Subdivision,
                "subdivisions",
            );
            need(!countries.is_empty(), GeoField::Country, "countries");
            need(
                countries.is_empty() && !continents.is_empty(),
                GeoField::Country,
                "continents",
            );
        }
        Step::Fence(rules) => {
            let any = |reads: fn(&ClientSet) -> bool| rules.iter().any(|r| reads(&r.clients));
            let mut need = |is_read: bool, field| {
                if is_read {
                    needs.push((field, vec!["fence"]));
                }
            };
            need(any(|c| !c.asns.is_empty()), GeoField::Asn);
            need(any(|c| !c.cities.is_empty()), GeoField::City);
            need(any(|c| !c.subdivisions.is_empty()), GeoField::Subdivision);
            let by_country = |c: &ClientSet| !c.countries.is_empty() || !c.continents.is_empty();
            need(any(by_country), GeoField::Country);
        }
    }
    needs
}

fn cities(at: &[Segment], step_at: usize, step: &Step, found: &mut Found) {
    let mut need = |city: &City, inside: &dyn Fn() -> Vec<Segment>| {
        let at = at.iter().cloned().chain([step_at.into()]);
        need_city(city, at.chain(inside()), found);
    };
    match step {
        Step::Geo(rules) => {
            for city in rules.cities.keys() {
                need(city, &|| path(&["geo", "cities", &city.to_string()]));
            }
        }
        Step::Fence(rules) => {
            for (i, rule) in rules.iter().enumerate() {
                for (j, city) in rule.clients.cities.iter().enumerate() {
                    need(city, &|| {
                        let mut inside = path(&["fence"]);
                        inside.extend([i.into(), "clients".into(), "cities".into(), j.into()]);
                        inside
                    });
                }
            }
        }
        Step::Nearest(_) | Step::Latency(_) | Step::Weighted(_) | Step::Failover(_) => {}
    }
}

fn name_of(step: &Step) -> &'static str {
    match step {
        Step::Fence(_) => "fence",
        Step::Geo(_) => "geo",
        Step::Nearest(_) => "nearest",
        Step::Latency(_) => "latency",
        Step::Weighted(_) => "weighted",
        Step::Failover(_) => "failover",
    }
}
