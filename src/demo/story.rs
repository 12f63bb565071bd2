//! What is measured of each failure: how soon the verdict, the last DNS answer, the full recovery.
//! Pure: time and sight are arguments.

use std::time::{Duration, Instant};

use windrose_control::Snapshot;
use windrose_model::{Cause, Percent, Verdict};

use super::tally::Phase;

/// A cluster as control sees it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Sight {
    pub(crate) verdict: Verdict,
    pub(crate) usable: bool,
    pub(crate) share: Percent,
    pub(crate) cause: String,
}

/// All failures so far.
#[derive(Debug, Default)]
pub(crate) struct Story {
    pub(crate) failures: Vec<Failure>,
}

/// One failure of one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Failure {
    /// Among the demo's clusters.
    pub(crate) cluster: usize,
    pub(crate) at: Instant,
    /// Since the failure, until control said `down`.
    pub(crate) verdict_after: Option<Duration>,
    /// Since the failure, of the last DNS answer that named it while it had failed.
    pub(crate) last_answer_after: Option<Duration>,
    /// When its recovery began.
    pub(crate) recovery: Option<Instant>,
    /// Since then, until it took its full share again.
    pub(crate) recovered_after: Option<Duration>,
    /// The cluster failed again before that: nothing more is measured of this failure.
    pub(crate) overtaken: bool,
}

impl Failure {
    /// Whether both the failure and the full recovery were seen.
    pub(crate) fn complete(&self) -> bool {
        self.verdict_after.is_some() && self.recovered_after.is_some()
    }
}

impl Story {
    pub(crate) fn fail(&mut self, cluster: usize, at: Instant) {
        for earlier in self.failures.iter_mut().filter(|f| f.cluster == cluster) {
            earlier.overtaken = earlier.recovered_after.is_none();
        }
        self.failures.push(Failure {
            cluster,
            at,
            verdict_after: None,
            last_answer_after: None,
            recovery: None,
            recovered_after: None,
            overtaken: false,
        });
    }

    pub(crate) fn recover(&mut self, cluster: usize, at: Instant) {
        let open = |f: &&mut Failure| f.cluster == cluster && f.recovery.is_none();
        if let Some(failure) = self.failures.iter_mut().rfind(open) {
            failure.recovery = Some(at);
        }
    }

    /// Takes in what is seen now. Both lists are parallel to the clusters.
    pub(crate) fn look(&mut self, now: Instant, seen: &[Sight], last_answer: &[Option<Instant>]) {
        for failure in self.failures.iter_mut().filter(|f| !f.overtaken) {
            let sight = &seen[failure.cluster];
            let Some(recovery) = failure.recovery else {
                if sight.verdict == Verdict::Down && failure.verdict_after.is_none() {
                    failure.verdict_after = Some(now.duration_since(failure.at));
                }
                let named = last_answer[failure.cluster].filter(|at| *at >= failure.at);
                failure.last_answer_after = named.map(|at| at.duration_since(failure.at));
                continue;
            };
            let full = sight.verdict == Verdict::Up && sight.usable && sight.share == Percent::FULL;
            if full && failure.recovered_after.is_none() {
                failure.recovered_after = Some(now.duration_since(recovery));
            }
        }
    }

    /// What outcomes count for now.
    pub(crate) fn phase(&self) -> Phase {
        let mut open = self
            .failures
            .iter()
            .filter(|f| f.recovered_after.is_none() && !f.overtaken)
            .peekable();
        if self.failures.is_empty() {
            Phase::Before
        } else if open.peek().is_none() {
            Phase::After
        } else if open.all(|f| f.verdict_after.is_some() && f.recovery.is_none()) {
            Phase::During
        } else {
            Phase::Between
        }
    }
}

/// The clusters in the order of `names`, as the snapshot has them for its only app.
pub(crate) fn sights(snapshot: &Snapshot, names: &[String]) -> Vec<Sight> {
    let model = &snapshot.model;
    let of_app = model.app_ids().next().and_then(|(id, _, _)| {
        let status = snapshot.status.apps.get(id.0 as usize)?;
        Some((id, status))
    });
    let find = |name: &String| {
        let (id, status) = of_app?;
        let local = model.local_cluster(id, name)?;
        status.clusters.get(usize::from(local))
    };
    let sight = |name| match find(name) {
        Some(c) => Sight {
            verdict: c.verdict,
            usable: c.usable,
            share: c.share,
            cause: cause(&c.cause),
        },
        None => Sight {
            verdict: Verdict::Unknown,
            usable: false,
            share: Percent::ZERO,
            cause: String::new(),
        },
    };
    names.iter().map(sight).collect()
}

/// A wall time says little in a demo that tells seconds since its start.
fn cause(cause: &Cause) -> String {
    match cause {
        Cause::HoldDown { .. } => "up again, held down".to_owned(),
        other => other.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn sight(verdict: Verdict, share: Percent) -> Sight {
        Sight {
            verdict,
            usable: share > Percent::ZERO,
            share,
            cause: String::new(),
        }
    }

    #[test]
    fn a_failure_is_timed_from_its_cause_to_its_full_recovery() {
        let start = Instant::now();
        let at = |s: f64| start + Duration::from_secs_f64(s);
        let mut story = Story::default();
        let up = [sight(Verdict::Up, Percent::FULL)];
        let down = [sight(Verdict::Down, Percent::ZERO)];
        let ramp = [sight(Verdict::Up, Percent::new(25.0).unwrap())];
        assert_eq!(story.phase(), Phase::Before);
        story.fail(0, at(10.0));
        story.look(at(10.5), &up, &[Some(at(9.0))]);
        assert_eq!(story.phase(), Phase::Between);
        story.look(at(12.0), &down, &[Some(at(11.9))]);
        assert_eq!(story.phase(), Phase::During);
        story.recover(0, at(20.0));
        story.look(at(20.0), &down, &[Some(at(11.9))]);
        assert_eq!(story.phase(), Phase::Between);
        story.look(at(25.0), &ramp, &[Some(at(24.9))]);
        story.look(at(28.0), &up, &[Some(at(27.9))]);
        assert_eq!(story.phase(), Phase::After);
        let failure = &story.failures[0];
        assert_eq!(failure.verdict_after, Some(Duration::from_secs(2)));
        assert_eq!(failure.last_answer_after, Some(Duration::from_millis(1900)));
        assert_eq!(failure.recovered_after, Some(Duration::from_secs(8)));
        assert!(failure.complete());
    }

    #[test]
    fn a_failure_that_another_overtakes_is_never_recovered() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut story = Story::default();
        let up = [sight(Verdict::Up, Percent::FULL)];
        let down = [sight(Verdict::Down, Percent::ZERO)];
        story.fail(0, at(1));
        story.fail(0, at(2));
        story.look(at(2), &up, &[None]);
        story.look(at(3), &down, &[None]);
        assert_eq!(story.phase(), Phase::During);
        story.recover(0, at(5));
        story.look(at(8), &up, &[None]);
        assert_eq!(story.phase(), Phase::After);
        let [first, second] = &story.failures[..] else {
            panic!("{:?}", story.failures)
        };
        assert_eq!((first.verdict_after, first.recovered_after), (None, None));
        assert_eq!(second.verdict_after, Some(Duration::from_secs(1)));
        assert_eq!(second.recovered_after, Some(Duration::from_secs(3)));
    }
}
