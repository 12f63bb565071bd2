//! One change: what it has to move, and what has moved.

use std::collections::{HashMap, VecDeque};
use std::time::{Duration, Instant};

use windrose_model::{Name, Now};
use windrose_telemetry::{Footprint, Prefix};

use super::HOLDERS;
use super::holders::Waiting;
use super::view::{Kind, ShiftView, Side};

/// Arrivals are averaged over so long.
const WINDOW: Duration = Duration::from_secs(10);
/// A change whose traffic has moved is watched so much longer, for what comes back late.
const AFTERWARDS: Duration = Duration::from_secs(60);
/// Nobody is watched for longer.
const LONGEST: Duration = Duration::from_secs(3_600);
/// Fewer arrivals a second are none.
pub(super) const NOTHING: f64 = 0.01;
/// Prefixes counted at a cluster's edge.
const CALLERS: usize = 256;
/// Prefixes shown.
const SHOWN: usize = 10;

#[derive(Debug)]
pub(super) struct Shift {
    pub(super) slot: u32,
    pub(super) kind: Kind,
    at: Now,
    app: Name,
    cluster: Name,
    /// How long an answer lived when it was published.
    ttl: Duration,
    dns: Askers,
    http: Arrivals,
    open: bool,
    /// As it was when it was closed.
    last: Option<Box<ShiftView>>,
}

/// Prefixes that may still use an old answer.
#[derive(Debug)]
struct Askers {
    waiting: HashMap<Prefix, Waiting>,
    former_per_s: f64,
    /// Of those who wait, and of those who have asked again.
    left: f64,
    moved: f64,
    silent: u32,
    quantiles: Quantiles,
}

/// Requests at the edge of a cluster.
#[derive(Debug)]
struct Arrivals {
    former_per_s: f64,
    window: VecDeque<(Instant, Duration, u32)>,
    callers: HashMap<Prefix, f64>,
    quantiles: Quantiles,
    /// Since when 99 % have moved.
    calm: Option<Instant>,
}

/// Since when so much has moved, counted from the change.
#[derive(Debug, Clone, Copy, Default)]
struct Quantiles {
    by_95: Option<Duration>,
    by_99: Option<Duration>,
}

impl Shift {
    pub(super) fn new(
        at: Now,
        (app, cluster, slot): (Name, Name, u32),
        kind: Kind,
        (waiting, ttl): (HashMap<Prefix, Waiting>, Duration),
        (dns_per_s, http_per_s): (f64, f64),
    ) -> Self {
        let left = waiting.values().map(|w| f64::from(w.rate)).sum();
        Self {
            slot,
            kind,
            at,
            app,
            cluster,
            ttl,
            dns: Askers {
                waiting,
                former_per_s: if kind == Kind::Out { dns_per_s } else { left },
                left,
                moved: 0.0,
                silent: 0,
                quantiles: Quantiles::default(),
            },
            http: Arrivals {
                former_per_s: http_per_s,
                window: VecDeque::new(),
                callers: HashMap::new(),
                quantiles: Quantiles::default(),
                calm: None,
            },
            open: true,
            last: None,
        }
    }

    /// Whether it is of this cluster: a slot alone may have belonged to another before.
    pub(super) fn is_of(&self, app: &Name, cluster: &Name) -> bool {
        self.app == *app && self.cluster == *cluster
    }

    /// A prefix was answered again, with another cluster than the one that left.
    pub(super) fn asked(&mut self, footprint: &Footprint) {
        if self.is_answered_with(footprint) {
            return;
        }
        if let Some(waiting) = self.dns.waiting.remove(&footprint.prefix) {
            self.dns.left -= f64::from(waiting.rate);
            self.dns.moved += f64::from(waiting.rate);
        }
    }

    /// A prefix was answered with the cluster that left after all: too little else is up, or nothing.
    /// What so leads there counts as not moved, whatever else the prefix is answered with.
    pub(super) fn answered(&mut self, footprint: &Footprint, now: Instant, passed: Duration) {
        // The sweep in which the change fell has answers from before it.
        let is_since = now.saturating_duration_since(self.at.mono) >= passed;
        if !is_since || !self.is_answered_with(footprint) {
            return;
        }
        let waiting = &mut self.dns.waiting;
        let is_known = waiting.contains_key(&footprint.prefix);
        if waiting.len() >= HOLDERS && !is_known {
            return;
        }
        #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
        let rate = footprint.count as f32 / passed.as_secs_f32();
        let until = now + self.ttl;
        let before = waiting.insert(footprint.prefix, Waiting { rate, until });
        let before = before.map_or(0.0, |before| f64::from(before.rate));
        self.dns.left += f64::from(rate) - before;
        if !is_known {
            self.dns.moved = (self.dns.moved - f64::from(rate)).max(0.0);
        }
    }

    fn is_answered_with(&self, footprint: &Footprint) -> bool {
        self.kind == Kind::Out && footprint.slot == self.slot
    }

    /// Requests of a prefix came in at the edge of some cluster of the app.
    pub(super) fn arrived(&mut self, footprint: &Footprint) {
        let callers = &mut self.http.callers;
        let is_here = footprint.slot == self.slot;
        if is_here && (callers.len() < CALLERS || callers.contains_key(&footprint.prefix)) {
            #[allow(clippy::cast_precision_loss, reason = "a rate needs no more digits")]
            let more = footprint.count as f64;
            *callers.entry(footprint.prefix).or_default() += more;
        }
    }

    /// So much came in since the last step.
    pub(super) fn step(&mut self, now: Instant, passed: Duration, arrived: u32) {
        let since = now.saturating_duration_since(self.at.mono);
        self.dns.step(now, since);
        self.http.step(now, since, passed, arrived);
    }

    /// Whether there is no more to see.
    pub(super) fn is_over(&self, now: Instant) -> bool {
        let age = now.saturating_duration_since(self.at.mono);
        let is_calm = match self.kind {
            Kind::Back => age >= AFTERWARDS,
            Kind::Out => self.http.calm.is_some_and(|at| at + AFTERWARDS <= now),
        };
        age >= LONGEST || (self.dns.waiting.is_empty() && is_calm)
    }

    /// Keeps what is to be shown, and frees the rest.
    pub(super) fn close(&mut self) {
        self.last = Some(Box::new(ShiftView {
            open: false,
            ..self.seen()
        }));
        self.open = false;
        self.dns.waiting = HashMap::new();
        self.http.callers = HashMap::new();
        self.http.window = VecDeque::new();
    }

    pub(super) fn is_open(&self) -> bool {
        self.open
    }

    /// Requests a second that come in at the cluster's edge.
    pub(super) fn arriving(&self) -> f64 {
        self.http.rate()
    }

    /// Whether next to nothing is left on both sides.
    pub(super) fn has_moved(&self) -> bool {
        self.dns.remaining() <= 0.01 && self.http.calm.is_some()
    }

    /// Whether so many requests a second are next to nothing of what it was.
    pub(super) fn is_little(&self, per_s: f64) -> bool {
        per_s <= (self.http.former_per_s * 0.01).max(NOTHING)
    }

    pub(super) fn look(&self) -> ShiftView {
        match &self.last {
            Some(last) => (**last).clone(),
            None => self.seen(),
        }
    }

    fn seen(&self) -> ShiftView {
        ShiftView {
            at: self.at.wall,
            app: self.app.clone(),
            cluster: self.cluster.clone(),
            kind: self.kind,
            open: self.open,
            dns: self.dns.look(),
            http: self.http.look(self.kind),
        }
    }
}

impl Askers {
    fn step(&mut self, now: Instant, since: Duration) {
        let (left, silent) = (&mut self.left, &mut self.silent);
        self.waiting.retain(|_, waiting| {
            let waits = waiting.until > now;
            if !waits {
                *left -= f64::from(waiting.rate);
                *silent += 1;
            }
            waits
        });
        if self.waiting.is_empty() {
            self.left = 0.0;
        }
        if self.left + self.moved > 0.0 {
            let remaining = self.remaining();
            self.quantiles.see(remaining, since);
        }
    }

    /// Of all but those who fell silent.
    fn remaining(&self) -> f64 {
        match self.left + self.moved {
            all if all > 0.0 => (self.left / all).clamp(0.0, 1.0),
            _ => 0.0,
        }
    }

    fn look(&self) -> Side {
        let rates = self.waiting.iter();
        let rates = rates.map(|(prefix, waiting)| (*prefix, f64::from(waiting.rate)));
        Side {
            former_per_s: self.former_per_s,
            now_per_s: self.left.max(0.0),
            remaining: self.remaining(),
            moved_95_s: self.quantiles.by_95.map(|d| d.as_secs_f64()),
            moved_99_s: self.quantiles.by_99.map(|d| d.as_secs_f64()),
            still: top(rates),
            silent: self.silent,
        }
    }
}

impl Arrivals {
    fn step(&mut self, now: Instant, since: Duration, passed: Duration, arrived: u32) {
        self.window.push_back((now, passed, arrived));
        while let Some((at, ..)) = self.window.front()
            && *at + WINDOW <= now
        {
            self.window.pop_front();
        }
        let fade = (-passed.as_secs_f64() / WINDOW.as_secs_f64()).exp();
        self.callers.retain(|_, count| {
            *count *= fade;
            *count > 0.05
        });
        // Until the window has nothing in it from before the change.
        let is_full = since >= WINDOW;
        let remaining = self.remaining();
        if is_full && self.former_per_s > NOTHING {
            self.quantiles.see(remaining, since - WINDOW);
        }
        if is_full && self.is_calm() {
            self.calm.get_or_insert(now);
        } else {
            self.calm = None;
        }
    }

    fn is_calm(&self) -> bool {
        self.rate() <= (self.former_per_s * 0.01).max(NOTHING)
    }

    fn rate(&self) -> f64 {
        let time: Duration = self.window.iter().map(|(_, passed, _)| *passed).sum();
        let count: f64 = self.window.iter().map(|(.., n)| f64::from(*n)).sum();
        if time.is_zero() {
            return self.former_per_s;
        }
        count / time.as_secs_f64()
    }

    fn remaining(&self) -> f64 {
        if self.former_per_s <= NOTHING {
            return 0.0;
        }
        (self.rate() / self.former_per_s).min(1.0)
    }

    fn look(&self, kind: Kind) -> Side {
        let quantiles = match kind {
            Kind::Out => self.quantiles,
            Kind::Back => Quantiles::default(),
        };
        let window = WINDOW.as_secs_f64();
        let rates = self.callers.iter();
        Side {
            former_per_s: self.former_per_s,
            now_per_s: self.rate(),
            remaining: match kind {
                Kind::Out => self.remaining(),
                Kind::Back => 0.0,
            },
            moved_95_s: quantiles.by_95.map(|d| d.as_secs_f64()),
            moved_99_s: quantiles.by_99.map(|d| d.as_secs_f64()),
            still: top(rates.map(|(prefix, count)| (*prefix, count / window))),
            silent: 0,
        }
    }
}

impl Quantiles {
    fn see(&mut self, remaining: f64, since: Duration) {
        keep(&mut self.by_95, remaining <= 0.05, since);
        keep(&mut self.by_99, remaining <= 0.01, since);
    }
}

/// The first moment since which it holds.
fn keep(since: &mut Option<Duration>, holds: bool, now: Duration) {
    if holds {
        since.get_or_insert(now);
    } else {
        *since = None;
    }
}

fn top(rates: impl Iterator<Item = (Prefix, f64)>) -> Vec<(Prefix, f64)> {
    let mut rates: Vec<_> = rates.collect();
    rates.sort_unstable_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    rates.truncate(SHOWN);
    rates
}
