//! Refusing early: what is done when memory, connections or time run out, and when it ends.
//!
//! One watcher looks four times a second, off the data path; the data path reads one word, and only
//! where it is configured. The steps are Envoy's: keep-alive off, then new requests refused, then no
//! connection accepted. Time comes in as an argument where something is decided.

use std::future::Future;
use std::io;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

use tracing::{info, warn};
use windrose_telemetry::{Actions, Overload, memory_limit, resident_bytes};

use crate::live::Shared;
use crate::worker::Worker;

/// How often the watcher looks.
const EVERY: Duration = Duration::from_millis(250);
/// How often a thread looks how late it is.
const PROBE: Duration = Duration::from_millis(50);
/// How often a thread that accepts nothing looks whether it may.
pub(crate) const SHUT: Duration = Duration::from_millis(100);
/// An action ends this many points below where it begins.
const HYSTERESIS: u32 = 5;

/// From where on a node refuses.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Bounds {
    /// Octets in RAM; none: the limit of the control group, if it has one.
    pub memory: Option<u64>,
    /// Client connections over all threads; none: not bounded here.
    pub connections: Option<u64>,
    /// How late a thread may be; zero: not looked at.
    pub lag: Duration,
    /// Percent of a bound from which connections are not kept, requests refused, and none accepted.
    pub steps: [u32; 3],
}

/// What is done at such percentages of memory, connections and lag, after what was done before.
fn decide(before: Actions, pressure: [u32; 3], steps: [u32; 3]) -> Actions {
    let [memory, connections, lag] = pressure;
    let held = memory.max(connections);
    let all = [Actions::CLOSE, Actions::REFUSE, Actions::SHUT];
    let mut now = Actions::default();
    for (action, step) in all.into_iter().zip(steps) {
        // New connections cost more time than requests over old ones, so lag closes none.
        let pressure = match action {
            Actions::CLOSE => held,
            _ => held.max(lag),
        };
        let ends = step.saturating_sub(HYSTERESIS);
        if pressure >= step || before.has(action) && pressure >= ends {
            now.0 |= action.0;
        }
    }
    now
}

/// Watches until `stop`. To be run on a thread of its own.
///
/// # Errors
/// None; as the other services of a node.
pub async fn watch_overload(
    shared: Arc<Shared>,
    bounds: Bounds,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let overload = &shared.live().overload;
    let memory = bounds.memory.or_else(memory_limit);
    match memory {
        Some(limit) => info!(limit, "memory is watched"),
        None => info!("memory is not watched: no control group limits it, and no bound is given"),
    }
    let mut late = 0;
    let mut stop = std::pin::pin!(stop);
    while tokio::time::timeout(EVERY, stop.as_mut()).await.is_err() {
        // What was late a moment ago may be so again: it is forgotten by and by.
        late = overload.take_late().max(late / 4 * 3);
        let lag = u64::try_from(bounds.lag.as_micros()).unwrap_or(u64::MAX);
        let pressure = [
            memory.map_or(0, |most| percent(resident_bytes().unwrap_or(0), most)),
            (bounds.connections).map_or(0, |most| percent(overload.open(), most)),
            percent(late, lag),
        ];
        look(overload, pressure, bounds.steps);
    }
    Ok(())
}

fn look(overload: &Overload, pressure: [u32; 3], steps: [u32; 3]) {
    let before = overload.actions();
    let now = decide(before, pressure, steps);
    overload.conclude(pressure, now);
    if now == before {
        return;
    }
    let [memory, connections, lag] = pressure;
    match now.0 > before.0 {
        true => warn!(memory, connections, lag, actions = %names(now), "overloaded"),
        false => info!(memory, connections, lag, actions = %names(now), "less overloaded"),
    }
}

fn names(actions: Actions) -> String {
    let all = Actions::NAMES.iter().enumerate();
    let set = all.filter(|(bit, _)| actions.0 >> bit & 1 == 1);
    let names: Vec<&str> = set.map(|(_, name)| *name).collect();
    names.join(", ")
}

/// Percent of a bound; of none, nothing.
fn percent(of: u64, most: u64) -> u32 {
    let percent = of.saturating_mul(100).checked_div(most).unwrap_or(0);
    u32::try_from(percent).unwrap_or(u32::MAX)
}

/// Tells how late this thread is, for ever.
pub(crate) async fn probe(worker: Rc<Worker>) {
    loop {
        let due = Instant::now() + PROBE;
        tokio::time::sleep_until(due.into()).await;
        let late = due.elapsed().as_micros();
        let late = u64::try_from(late).unwrap_or(u64::MAX);
        worker.shared.live().overload.late(late);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const STEPS: [u32; 3] = [80, 90, 95];

    /// What is done, at one pressure after another.
    fn check(pressures: &[[u32; 3]], expected: &[&str]) {
        let mut now = Actions::default();
        let mut done = Vec::new();
        for pressure in pressures {
            now = decide(now, *pressure, STEPS);
            done.push(names(now));
        }
        assert_eq!(done, expected);
    }

    #[test]
    fn each_step_begins_at_its_own_share_and_ends_five_points_below() {
        let memory = [79, 80, 76, 75, 74, 95, 91, 89, 84, 74].map(|percent| [percent, 0, 0]);
        let all = "keep_alive_off, refuse, stop_accepting";
        let (two, one) = ("keep_alive_off, refuse", "keep_alive_off");
        check(&memory, &["", one, one, one, "", all, all, two, one, ""]);
    }

    #[test]
    fn the_most_pressing_counts_and_lag_closes_no_connection() {
        check(
            &[[10, 85, 0], [10, 20, 92], [0, 0, 300], [0, 0, 0]],
            &["keep_alive_off", "refuse", "refuse, stop_accepting", ""],
        );
    }

    #[test]
    fn a_share_of_no_bound_is_none_and_nothing_overflows() {
        assert_eq!((percent(5, 0), percent(0, 10), percent(19, 20)), (0, 0, 95));
        assert_eq!(percent(u64::MAX, 1), u32::MAX);
    }
}
