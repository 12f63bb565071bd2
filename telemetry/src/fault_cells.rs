//! What was injected into attempts on purpose.

/// A kind of fault: the cell of its count.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Injected {
    /// It waited.
    Delay,
    /// It was answered here.
    Abort,
    /// It broke off.
    Reset,
}

impl Injected {
    /// All, in the order of their cells.
    pub const ALL: [Self; 3] = [Self::Delay, Self::Abort, Self::Reset];

    /// Its label.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Delay => "delay",
            Self::Abort => "abort",
            Self::Reset => "reset",
        }
    }
}
