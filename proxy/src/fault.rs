//! Faults that a route injects into attempts: a wait, an answer of ours, a broken connection.
//!
//! A fault stands where an endpoint would: timeouts and retries treat it as they would treat that.
//! It says nothing about the endpoint, so no ejection and no circuit hears of it. What was injected
//! is told in a header, in flags, and in numbers. Time and chance come in as arguments.

use std::pin::pin;
use std::time::{Duration, Instant, SystemTime};

use http::{HeaderMap, HeaderValue, Response, StatusCode};
use windrose_model::{Fault, Percent, TextMatch, Timeouts, WallTime};
use windrose_routing::{AppEntry, joined_field};
use windrose_telemetry::Injected;

use crate::connection::Client;
use crate::course::{Course, Failure, Stop};
use crate::flags::Flags;
use crate::names::X_WINDROSE_FAULT;

/// What goes wrong with an attempt.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
struct Drawn {
    delay: Option<Duration>,
    end: Option<End>,
}

/// How an attempt ends that reaches no endpoint.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum End {
    Abort(StatusCode),
    Fails(Failure),
}

/// Whether a route's fault is for a request at this moment.
#[cold]
#[inline(never)]
pub(crate) fn is_for(fault: &Fault, headers: &HeaderMap, now: SystemTime) -> bool {
    let has = |(name, wanted): &(_, TextMatch)| {
        joined_field(headers, name).is_some_and(|value| wanted.is_match(&value))
    };
    let since = now.duration_since(SystemTime::UNIX_EPOCH);
    let now = WallTime::after_epoch(since.unwrap_or_default());
    fault.is_active(now) && fault.headers.iter().all(has)
}

/// Lets an attempt wait, or says how it ends; otherwise, how long it has waited.
pub(crate) async fn inject(
    client: &Client,
    fault: &Fault,
    entry: &AppEntry,
    course: &mut Course,
    stop: &Stop<'_>,
    timeouts: &Timeouts,
) -> Result<Duration, End> {
    let worker = &client.worker;
    let Some(cluster) = entry.plan.clusters.get(usize::from(stop.cluster)) else {
        return Ok(Duration::ZERO);
    };
    if fault
        .cluster
        .as_ref()
        .is_some_and(|only| *only != cluster.name)
    {
        return Ok(Duration::ZERO);
    }
    let drawn = draw(fault, worker.dice.draw());
    let mut waited = Duration::ZERO;
    if let Some(delay) = drawn.delay {
        worker.recorder.injected(cluster.slot, Injected::Delay);
        course.note(Flags::DELAY_INJECTED);
        let limit = match timeouts.first_byte {
            Duration::ZERO => Duration::MAX,
            limit => limit,
        };
        waited = delay.min(limit);
        client.watch.pause(Instant::now());
        let sleep = pin!(tokio::time::sleep(waited));
        if client.watch.within(sleep).await.is_none() {
            return Err(End::Fails(Failure::Duration));
        }
        if delay >= limit {
            return Err(End::Fails(Failure::FirstByte));
        }
    }
    match drawn.end {
        None => Ok(waited),
        Some(end) => {
            let what = match end {
                End::Abort(_) => Injected::Abort,
                End::Fails(_) => Injected::Reset,
            };
            worker.recorder.injected(cluster.slot, what);
            course.note(Flags::FAULT_INJECTED);
            Err(end)
        }
    }
}

/// Says on a response what was injected on its way.
#[inline]
pub(crate) fn mark<B>(flags: Flags, response: &mut Response<B>) {
    let value = match (
        flags.has(Flags::DELAY_INJECTED),
        flags.has(Flags::FAULT_INJECTED),
    ) {
        (false, false) => return,
        (true, false) => "delay",
        (false, true) => "fault",
        (true, true) => "delay, fault",
    };
    let headers = response.headers_mut();
    headers.insert(X_WINDROSE_FAULT, HeaderValue::from_static(value));
}

/// Two draws of one: the upper half for the delay, the lower for the end.
fn draw(fault: &Fault, draw: u64) -> Drawn {
    // 0 to 9,999.
    let hundredths = |half: u64| ((half & 0xffff_ffff) * 10_000) >> 32;
    let (upper, lower) = (hundredths(draw >> 32), hundredths(draw));
    let share = |percent: Percent| u64::from(percent.hundredths());
    let delay = fault.delay.filter(|delay| upper < share(delay.percent));
    let reset = share(fault.reset);
    let abort = fault
        .abort
        .filter(|abort| lower < reset + share(abort.percent));
    Drawn {
        delay: delay.map(|delay| delay.fixed),
        end: match lower < reset {
            true => Some(End::Fails(Failure::Closed)),
            false => abort.map(|abort| End::Abort(abort.status)),
        },
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Dice;
    use windrose_model::{Abort, Delay};

    fn percent(hundredths: u16) -> Percent {
        Percent::from_hundredths(hundredths).unwrap()
    }

    fn fault() -> Fault {
        Fault {
            delay: Some(Delay {
                fixed: Duration::from_secs(1),
                percent: percent(2_500),
            }),
            abort: Some(Abort {
                status: StatusCode::BAD_GATEWAY,
                percent: percent(150),
            }),
            reset: percent(50),
            headers: Vec::new(),
            cluster: None,
            until: WallTime(2_000_000),
        }
    }

    #[test]
    fn shares_are_met_to_the_hundredth_of_a_percent_and_independent() {
        let (fault, dice) = (fault(), Dice::new(7));
        let (mut delays, mut aborts, mut resets, mut both) = (0, 0, 0, 0);
        for _ in 0..1_000_000 {
            let drawn = draw(&fault, dice.draw());
            delays += u32::from(drawn.delay.is_some());
            both += u32::from(drawn.delay.is_some() && drawn.end.is_some());
            match drawn.end {
                Some(End::Abort(_)) => aborts += 1,
                Some(End::Fails(_)) => resets += 1,
                None => {}
            }
        }
        // Five standard deviations each.
        assert!((247_800..252_200).contains(&delays), "{delays}");
        assert!((14_390..15_610).contains(&aborts), "{aborts}");
        assert!((4_645..5_355).contains(&resets), "{resets}");
        assert!((4_650..5_350).contains(&both), "{both}");
    }

    #[test]
    fn all_and_none_are_exact() {
        let mut all = fault();
        all.delay = None;
        all.reset = percent(10_000);
        all.abort = None;
        let none = Fault {
            reset: Percent::ZERO,
            ..all.clone()
        };
        let reset = Some(End::Fails(Failure::Closed));
        for edge in [0, 1, u64::MAX >> 32, 1 << 32, u64::MAX] {
            assert_eq!(
                draw(&all, edge),
                Drawn {
                    delay: None,
                    end: reset
                }
            );
            assert_eq!(draw(&none, edge), Drawn::default());
        }
    }

    #[test]
    fn it_ends_by_itself_and_is_for_requests_with_its_headers_only() {
        let at = |seconds| SystemTime::UNIX_EPOCH + Duration::from_secs(seconds);
        let mut fault = fault();
        let mut headers = HeaderMap::new();
        assert!(is_for(&fault, &headers, at(1)));
        assert!(!is_for(&fault, &headers, at(2)));
        let name = http::HeaderName::from_static("x-fault");
        fault.headers = vec![(name.clone(), TextMatch::Exact("on".into()))];
        assert!(!is_for(&fault, &headers, at(1)));
        headers.insert(name.clone(), HeaderValue::from_static("on"));
        assert!(is_for(&fault, &headers, at(1)));
        headers.append(name, HeaderValue::from_static("off"));
        assert!(!is_for(&fault, &headers, at(1)));
    }
}
