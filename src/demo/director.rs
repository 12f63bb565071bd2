//! Directs the demo: carries out the script and the keys, watches what control concludes, and tells
//! what happens.

use std::time::{Duration, Instant};

use tokio::sync::mpsc;
use windrose_telemetry::GroupEvent;

use super::keys::{self, Command, Keys};
use super::report::{Attempts, Report};
use super::stage::{Stage, StageError};
use super::story::{Sight, Story, sights};
use super::tally::Counts;
use super::view::View;
use super::{Action, Show, Wanted, What, intro, lines};
use crate::cli::print;
use crate::signals::Signals;

/// How often the director looks; what it measures is that exact.
const LOOK: Duration = Duration::from_millis(20);
const SECOND: Duration = Duration::from_secs(1);
/// Events kept for the live view.
const EVENTS: usize = 200;

/// A second of the demo, for showing.
#[derive(Debug, Clone)]
pub(crate) struct Second {
    pub(crate) at: Duration,
    pub(crate) ok_per_s: u64,
    pub(crate) queries_per_s: u64,
    /// Since the start.
    pub(crate) failed: u64,
    pub(crate) failed_idempotent: u64,
    pub(crate) attempts: Attempts,
    pub(crate) rows: Vec<Row>,
}

/// A cluster in a second.
#[derive(Debug, Clone)]
pub(crate) struct Row {
    pub(crate) name: String,
    /// How it was made to fail.
    pub(crate) failed: Option<&'static str>,
    pub(crate) sight: Sight,
    /// Fractions of this second.
    pub(crate) dns: f64,
    pub(crate) http: f64,
    pub(crate) http_per_s: u64,
}

/// Runs the demo on a stage that is set.
pub(crate) async fn direct(wanted: &Wanted, stage: &mut Stage) -> Result<Report, StageError> {
    let intro = intro::lines(stage, wanted.rate);
    let mut signals = Signals::new().map_err(StageError::Signals)?;
    match wanted.show {
        // It stays on the terminal when the view is gone.
        Show::Live | Show::Lines => intro.iter().for_each(print::line),
        Show::Aside => intro.iter().for_each(print::aside),
    }
    let view = match wanted.show {
        Show::Live => Some(View::new(intro).map_err(StageError::Terminal)?),
        Show::Lines | Show::Aside => None,
    };
    let (_no_keys, silent) = mpsc::channel(1);
    let mut pressed = if view.is_some() {
        keys::listen()
    } else {
        silent
    };
    let load = stage.start_load()?;
    let mut director = Director::new(wanted, stage, view);
    let mut tick = tokio::time::interval(LOOK);
    tick.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    loop {
        tokio::select! {
            _ = tick.tick() => if director.look() { break },
            Some(key) = pressed.recv() => if director.key(key) { break },
            () = signals.end() => break,
        }
    }
    let length = director.start.elapsed();
    // What is under way may take seconds; who does not want to wait says so again.
    let stopped = tokio::select! {
        stopped = tokio::task::spawn_blocking(|| load.stop()) => {
            stopped.map_err(std::io::Error::other).flatten().map_err(StageError::Load)
        }
        () = signals.end() => Ok(()),
        Some('q') = pressed.recv() => Ok(()),
    };
    let report = director.report(length);
    drop(director);
    stopped.map(|()| report)
}

struct Director<'a> {
    stage: &'a mut Stage,
    show: Show,
    view: Option<View>,
    start: Instant,
    length: Option<Duration>,
    script: std::iter::Peekable<std::vec::IntoIter<Action>>,
    story: Story,
    keys: Keys,
    names: Vec<String>,
    seen: Vec<Sight>,
    /// When, and what was counted, at the last whole second.
    last: (Duration, Counts),
    events: Vec<String>,
}

impl<'a> Director<'a> {
    fn new(wanted: &Wanted, stage: &'a mut Stage, view: Option<View>) -> Self {
        let names = stage.tally.names().to_vec();
        Self {
            seen: sights(&stage.node.handle.snapshot(), &names),
            last: (Duration::ZERO, stage.tally.read()),
            names,
            show: wanted.show,
            view,
            start: Instant::now(),
            length: wanted.length,
            script: wanted.script.clone().into_iter().peekable(),
            story: Story::default(),
            keys: Keys::default(),
            events: Vec::new(),
            stage,
        }
    }

    /// One look at everything; true when the demo is over.
    fn look(&mut self) -> bool {
        let now = Instant::now();
        let at = now.duration_since(self.start);
        while let Some(action) = self.script.next_if(|a| a.at <= at) {
            if let Some(cluster) = self.names.iter().position(|n| *n == action.cluster) {
                self.act(action.what, cluster);
            }
        }
        let seen = sights(&self.stage.node.handle.snapshot(), &self.names);
        let counts = self.stage.tally.read();
        self.story.look(now, &seen, &counts.last_answer);
        self.stage.tally.enter(self.story.phase());
        self.tell_changes(seen);
        if at >= self.last.0 + SECOND {
            let second = self.second(at, &counts);
            self.last = (at, counts);
            match &mut self.view {
                Some(view) => view.draw(&second, &self.events, self.keys.pending()),
                None => self.line(&lines::second(&second)),
            }
        }
        self.length.is_some_and(|length| at >= length)
    }

    /// True when the demo is over.
    fn key(&mut self, key: char) -> bool {
        let command = self.keys.press(key);
        match command {
            Some(Command::Quit) => return true,
            Some(Command::Do(what, cluster)) if cluster < self.names.len() => {
                self.act(what, cluster);
            }
            Some(Command::Do(..)) | None => {}
        }
        let counts = self.stage.tally.read();
        let second = self.second(self.start.elapsed(), &counts);
        if let Some(view) = &mut self.view {
            view.draw(&second, &self.events, self.keys.pending());
        }
        false
    }

    fn act(&mut self, what: What, cluster: usize) {
        let name = &self.names[cluster];
        let Some(child) = self.stage.clusters.iter_mut().find(|c| c.name == *name) else {
            return;
        };
        let had_failed = child.failed.is_some();
        if what == What::Recover && !had_failed {
            let text = format!("{name} has not failed");
            return self.event(&text);
        }
        let at = Instant::now();
        let done = match what {
            What::Fail(mode) => child.fail(mode),
            What::Recover => child.recover(),
        };
        let text = match (&done, what) {
            (Err(e), _) => e.to_string(),
            (Ok(()), What::Fail(mode)) => format!("{name} fails ({})", mode.as_str()),
            (Ok(()), What::Recover) => format!("{name} recovers (process {})", child.pid()),
        };
        match (&done, what) {
            (Ok(()), What::Fail(_)) => self.story.fail(cluster, at),
            (Ok(()), What::Recover) => self.story.recover(cluster, at),
            (Err(_), _) => {}
        }
        self.event(&text);
    }

    /// Tells what control changed its mind about.
    fn tell_changes(&mut self, seen: Vec<Sight>) {
        let changes: Vec<_> = self
            .names
            .iter()
            .zip(self.seen.iter().zip(&seen))
            .filter(|(_, (old, new))| old != new)
            .map(|(name, (old, new))| change(name, old, new))
            .collect();
        self.seen = seen;
        for text in changes {
            self.event(&text);
        }
    }

    fn event(&mut self, text: &str) {
        let line = lines::event(self.start.elapsed(), text);
        self.line(&line);
        if self.events.len() == EVENTS {
            self.events.remove(0);
        }
        self.events.push(line);
    }

    fn line(&self, text: &str) {
        match self.show {
            Show::Live => {}
            Show::Lines => print::line(text),
            Show::Aside => print::aside(text),
        }
    }

    #[allow(clippy::cast_precision_loss, reason = "for display")]
    fn second(&self, at: Duration, counts: &Counts) -> Second {
        let (then, before) = &self.last;
        let length = at.saturating_sub(*then).as_secs_f64().max(0.001);
        let fraction = |new: &[u64], old: &[u64], i: usize| {
            let all: u64 = new.iter().sum::<u64>() - old.iter().sum::<u64>();
            (new[i] - old[i]) as f64 / all.max(1) as f64
        };
        #[allow(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "a count, not negative"
        )]
        let per_s = |new: u64, old: u64| ((new - old) as f64 / length).round() as u64;
        let (new, old) = (&counts.total, &before.total);
        let rows = self.names.iter().enumerate().map(|(i, name)| {
            let child = self.stage.clusters.iter().find(|c| c.name == *name);
            Row {
                name: name.clone(),
                failed: child.and_then(|c| c.failed).map(|mode| mode.as_str()),
                sight: self.seen[i].clone(),
                dns: fraction(&new.dns, &old.dns, i),
                http: fraction(&new.http, &old.http, i),
                http_per_s: per_s(new.http[i], old.http[i]),
            }
        });
        Second {
            at,
            ok_per_s: per_s(counts.ok, before.ok),
            queries_per_s: per_s(counts.queries, before.queries),
            failed: counts.failed,
            failed_idempotent: counts.failed_idempotent,
            attempts: self.attempts(),
            rows: rows.collect(),
        }
    }

    /// What the node counted of attempts.
    fn attempts(&self) -> Attempts {
        let snapshot = self.stage.node.handle.snapshot();
        let events = &self.stage.node.metrics.group_events;
        let slots = snapshot.table.apps().flat_map(|(_, app)| {
            let versions = app.plan.versions.iter();
            versions.flat_map(|v| v.groups.iter().map(|g| g.slot))
        });
        slots.fold(Attempts::default(), |sum, slot| Attempts {
            retried: sum.retried + events.sum(slot, GroupEvent::Retry as u32),
            moved: sum.moved + events.sum(slot, GroupEvent::MovedCluster as u32),
        })
    }

    fn report(&self, length: Duration) -> Report {
        let counts = self.stage.tally.read();
        for (why, n) in &counts.reasons {
            self.line(&format!("{n} requests failed: {why}"));
        }
        Report::new(
            &self.names,
            self.start,
            length,
            &self.story,
            &counts,
            self.attempts(),
        )
    }
}

fn change(name: &str, old: &Sight, new: &Sight) -> String {
    let verdict = if old.verdict == new.verdict {
        new.verdict.to_string()
    } else {
        format!("{} -> {}", old.verdict, new.verdict)
    };
    let traffic = match new.usable {
        true => format!("share {} %", new.share),
        false => "no new traffic".to_owned(),
    };
    format!("{name}: {verdict}, {traffic} ({})", new.cause)
}
