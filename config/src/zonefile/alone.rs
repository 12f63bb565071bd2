//! A master file that stands alone: octets to a zone, without any file.

use std::path::Path;
use std::sync::Arc;

use windrose_model::{DnsName, Ttl, Zone};

use super::{Includes, Unopened, Written, read};
use crate::diagnostic::Report;
use crate::problem::{Problem, report};
use crate::source::{Sources, Span};

/// TTL of records that state none before any did, seconds.
const TTL: u32 = 300;

struct None;

impl Includes for None {
    fn open(&mut self, _: u32, _: &str) -> Result<(u32, Arc<[u8]>), Unopened> {
        Err("a text that stands alone has no folder".into())
    }

    fn close(&mut self) {}
}

/// Reads the master file of a zone from octets; pure, and for any octets. `$INCLUDE` is refused. What
/// records mean together is checked when a Model is made of the zone.
///
/// # Errors
/// Everything that is wrong, at line and column of a file called `zone`.
pub fn zone_text(octets: &[u8], apex: &DnsName) -> Result<Zone, Report> {
    let mut sources = Sources::default();
    let octets: Arc<[u8]> = octets.into();
    let source = sources.add_octets("zone", Path::new(""), &octets);
    let ttl = Ttl::new(TTL).unwrap_or_else(|| Ttl::from_duration(std::time::Duration::ZERO));
    let file = read(source, &octets, apex, ttl, &mut None);
    let mut problems = file.problems;
    let mut written = Written::default();
    written.in_file(file.records);
    let (records, _) = written.sets(&mut problems);
    let start = Span {
        source,
        start: 0,
        end: 0,
    };
    if file.soa.is_none() {
        let message = format!("zone {apex} has no start of authority");
        problems.push(Problem::error("zone-without-soa", start, message));
    }
    match file.soa {
        Some((soa, _)) if !problems.iter().any(Problem::is_error) => Ok(Zone { soa, records }),
        _ => Err(report(problems, sources)),
    }
}
