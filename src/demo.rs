//! The demo: three clusters as child processes, a node in this one, and load over sockets, so that a
//! failover can be watched or measured in half a minute.
//!
//! Everything but the clusters is real: the node is assembled as `run` does it, probes and requests
//! go over loopback. Deliberately absent: any shortcut into the node's decisions.

pub(crate) mod backend;
mod cluster;
mod director;
mod http;
mod intro;
mod keys;
mod lines;
mod load;
mod person;
mod report;
mod stage;
mod story;
mod tally;
mod view;
mod wire;

use std::time::Duration;

pub(crate) use cluster::ClusterError;
pub(crate) use report::Report;
pub(crate) use stage::StageError;

use crate::cli::args::FailMode;

/// The embedded configuration.
pub(crate) const CONFIGURATION: &str = include_str!("demo/demo.yaml");
/// The host of the demo's only app.
pub(crate) const HOST: &str = "shop.example.com";

/// What is wanted of a demo.
#[derive(Debug, Clone)]
pub(crate) struct Wanted {
    /// None: until somebody ends it.
    pub(crate) length: Option<Duration>,
    /// Sorted by time.
    pub(crate) script: Vec<Action>,
    /// Requests, and queries, a second.
    pub(crate) rate: u32,
    /// Free ports instead of the configured ones.
    pub(crate) auto_ports: bool,
    pub(crate) show: Show,
}

/// What happens to a cluster, and when.
#[derive(Debug, Clone)]
pub(crate) struct Action {
    pub(crate) at: Duration,
    pub(crate) cluster: String,
    pub(crate) what: What,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum What {
    Fail(FailMode),
    Recover,
}

/// How people follow it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Show {
    /// A live view on a terminal.
    Live,
    /// Lines on stdout.
    Lines,
    /// Lines on stderr: stdout is for the object.
    Aside,
}

/// The names of the demo's clusters.
pub(crate) fn cluster_names() -> Vec<String> {
    stage::load(CONFIGURATION).map_or_else(
        |_| Vec::new(),
        |loaded| {
            let clusters = loaded.model.clusters().iter();
            clusters.map(|(name, _)| name.to_string()).collect()
        },
    )
}

/// Runs it to its end.
pub(crate) async fn run(wanted: Wanted) -> Result<Report, StageError> {
    let mut stage = stage::Stage::set(&wanted).await?;
    let report = director::direct(&wanted, &mut stage).await;
    stage.clear();
    report
}

/// A host name in wire form.
fn wire_name(host: &str) -> Vec<u8> {
    windrose_model::DnsName::parse(host).map_or_else(|_| vec![0], |name| name.wire().to_vec())
}

#[cfg(test)]
mod tests {
    use std::net::IpAddr;

    use windrose_routing::geo::GeoDb;

    use super::*;

    #[test]
    fn the_embedded_configuration_is_accepted() {
        let loaded = stage::load(CONFIGURATION).unwrap();
        assert!(loaded.warnings.is_empty(), "{}", loaded.warning_report());
        assert_eq!(cluster_names(), ["frankfurt", "singapore", "virginia"]);
    }

    #[test]
    fn the_people_live_where_the_database_says() {
        let geo = GeoDb::builtin();
        let wrong: Vec<_> = person::PEOPLE
            .iter()
            .filter_map(|p| {
                let found = geo
                    .country(IpAddr::from(p.address()))
                    .map(|c| c.to_string());
                (found.as_deref() != Some(p.country)).then(|| (p.address(), p.country, found))
            })
            .collect();
        assert!(wrong.is_empty(), "{wrong:?}");
    }
}
