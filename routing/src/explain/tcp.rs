//! Where a TCP connection would go.

use std::fmt;
use std::net::IpAddr;

use ::http::HeaderMap;
use windrose_model::{Name, Stamp, WhenEndpointDown};

use super::placed::{Placed, placed};
use super::{begins, place, split};
use crate::routes::RouteId;
use crate::table::Table;

/// Where a TCP connection would go.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TcpTrace {
    /// Of the Table that was asked.
    pub stamp: Stamp,
    /// The listener's name, and the name the client asks for by TLS.
    pub connection: (String, Option<String>),
    /// Whose connection it is.
    pub client: IpAddr,
    /// In order, one line each.
    pub steps: Vec<String>,
    /// App, version and cluster, as far as the connection got.
    pub app: Option<String>,
    /// See `app`.
    pub version: Option<String>,
    /// See `app`.
    pub cluster: Option<String>,
    /// The endpoints that one of is picked from, by load: those that are up, or all if none is.
    pub endpoints: Vec<String>,
}

/// Traces a connection, as if `draw` had been thrown. `sni`: lower-case, without a final dot.
pub fn tcp(
    table: &Table,
    listener: &str,
    sni: Option<&str>,
    client: IpAddr,
    draw: u64,
    home: Option<&Name>,
) -> TcpTrace {
    let mut trace = TcpTrace {
        stamp: table.stamp(),
        connection: (listener.to_owned(), sni.map(str::to_owned)),
        client,
        steps: Vec::new(),
        app: None,
        version: None,
        cluster: None,
        endpoints: Vec::new(),
    };
    let Some(apps) = table.tcp(listener) else {
        let none = format!("no app takes connections of the listener {listener}: closed");
        trace.steps.push(none);
        return trace;
    };
    trace.steps.push(match (apps.reads_names(), sni) {
        (false, _) => "no app of the listener goes by name: nothing is read first".to_owned(),
        (true, Some(name)) => format!("the ClientHello is read: it asks for {name}"),
        (true, None) => "what comes first is read: it names nobody".to_owned(),
    });
    let by_name = apps.reads_names().then_some(sni).flatten();
    let Some(id) = apps.app(by_name) else {
        trace.steps.push(match by_name {
            Some(name) => format!(
                "no app of the listener has the host {name}, and none takes the rest: closed with the alert unrecognized_name"
            ),
            None => "no app of the listener takes connections that name nobody: closed".to_owned(),
        });
        return trace;
    };
    let entry = table.app(id);
    let plan = &entry.plan;
    trace.app = Some(plan.name.to_string());
    let by_its_host = plan.app.tcp.as_ref().is_some_and(|tcp| tcp.sni);
    trace.steps.push(if by_its_host {
        format!("that is a host of app {}", plan.name)
    } else {
        format!("app {} takes all that is no other app's", plan.name)
    });
    let none = HeaderMap::new();
    let version = split::tell(entry, RouteId(0), &none, client, draw, &mut trace.steps);
    let name = &plan.versions[usize::from(version)].name;
    trace.version = Some(name.to_string());
    let steering = (entry.steering(), &*plan.app.steering);
    let (view, key) = place(table, entry, steering, client, draw, &mut trace.steps);
    let keys = (key, entry.balance_key(&none, client));
    let Placed { cluster, endpoints } = placed(entry, view, version, keys, home, &mut trace.steps);
    if cluster.is_none() {
        let none = format!("no cluster may take version {name}: closed");
        trace.steps.push(none);
    }
    trace.cluster = cluster;
    trace.endpoints = endpoints;
    if let Some(begins) = begins(&plan.app.upstream) {
        trace.steps.push(begins);
    }
    if let Some(tcp) = plan.app.tcp.as_ref().filter(|_| trace.cluster.is_some()) {
        trace.steps.push(match tcp.when_endpoint_down {
            WhenEndpointDown::Keep => {
                "once it stands it stays, whatever becomes of the endpoint".to_owned()
            }
            WhenEndpointDown::Close => {
                "it is closed when its endpoint is called down or is removed".to_owned()
            }
        });
    }
    trace
}

impl fmt::Display for TcpTrace {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (listener, sni) = &self.connection;
        write!(f, "listener {listener}")?;
        if let Some(sni) = sni {
            write!(f, ", {sni}")?;
        }
        writeln!(f, " for {} under table {}", self.client, self.stamp)?;
        for step in &self.steps {
            writeln!(f, "  {step}")?;
        }
        match (&self.version, &self.cluster) {
            (Some(version), Some(cluster)) => writeln!(
                f,
                "version {version} in cluster {cluster}: {}",
                self.endpoints.join(", ")
            ),
            _ => writeln!(f, "not served"),
        }
    }
}
