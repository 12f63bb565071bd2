//! One change of mind, with its reason: what the journal holds and `/status` shows.

use windrose_model::{Name, Percent, Stamp, Verdict, WallTime};

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
    pub cause: String,
}
