//! One change of mind, with its reason: what the journal holds and `/status` shows.

use std::fmt;
use std::sync::Arc;

use windrose_model::{AppId, Cause, Model, Name, Percent, Stamp, Verdict, WallTime, WhenAllDown};

use crate::fold::Change;

/// A change of a verdict, of `usable`, or of a share.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Decision {
    /// When it was made.
    pub at: WallTime,
    /// The publication that carries it.
    pub stamp: Stamp,
    /// About this app.
    pub app: Name,
    /// In this cluster; none: in all of them together.
    pub cluster: Option<Name>,
    /// The verdict before.
    pub from: Verdict,
    /// The verdict since.
    pub to: Verdict,
    /// Whether new traffic may go there now.
    pub usable: bool,
    /// The share of its traffic it may take now.
    pub share: Percent,
    /// Why.
    pub cause: Why,
}

/// Everything decided in one go, before names and words are found for it: a site's failure makes
/// thousands of decisions, and no publication should wait for their texts.
#[derive(Debug, Clone)]
pub struct Decisions {
    at: WallTime,
    stamp: Stamp,
    model: Arc<Model>,
    /// By apps of the Model.
    changes: Vec<(AppId, Change)>,
}

impl Decisions {
    pub(crate) fn new(
        at: WallTime,
        stamp: Stamp,
        model: Arc<Model>,
        changes: Vec<(AppId, Change)>,
    ) -> Self {
        Self {
            at,
            stamp,
            model,
            changes,
        }
    }

    /// How many.
    pub fn len(&self) -> usize {
        self.changes.len()
    }

    /// Whether nothing was decided.
    pub fn is_empty(&self) -> bool {
        self.changes.is_empty()
    }

    /// Each with its names, in order.
    pub fn iter(&self) -> impl Iterator<Item = Decision> {
        self.latest(self.len())
    }

    /// At most so many of the last ones.
    pub(crate) fn latest(&self, most: usize) -> impl Iterator<Item = Decision> {
        let first = self.len().saturating_sub(most);
        let changes = self.changes[first..].iter();
        changes.map(|(app, change)| self.decision(*app, change))
    }

    fn decision(&self, app: AppId, change: &Change) -> Decision {
        let cluster = change.cluster.and_then(|local| {
            let id = self.model.clusters_of(app).get(usize::from(local))?;
            Some(self.model.cluster(*id).0.clone())
        });
        Decision {
            at: self.at,
            stamp: self.stamp,
            app: self.model.app(app).0.clone(),
            cluster,
            from: change.from,
            to: change.to,
            usable: change.usable,
            share: change.share,
            cause: change.cause.clone(),
        }
    }
}

/// Why a decision was made. Shows itself in words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Why {
    /// What is so of one cluster.
    Cluster(Cause),
    /// No cluster of an app is usable, and what holds then.
    NoneUsable(WhenAllDown),
    /// So many clusters of an app are usable again.
    Usable {
        /// Usable.
        usable: usize,
        /// Of so many.
        of: usize,
    },
}

impl fmt::Display for Why {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let then = match self {
            Self::Cluster(cause) => return cause.fmt(f),
            Self::Usable { usable, of } => return write!(f, "{usable} of {of} clusters usable"),
            Self::NoneUsable(then) => then,
        };
        f.write_str("no cluster is usable: ")?;
        match then {
            WhenAllDown::LastKnown => f.write_str("last_known holds"),
            WhenAllDown::All => f.write_str("all are answered"),
            WhenAllDown::Fallback(name) => write!(f, "fallback to {name}"),
            WhenAllDown::Servfail => f.write_str("servfail"),
            WhenAllDown::Nodata => f.write_str("nodata"),
        }
    }
}
