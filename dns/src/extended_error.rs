//! HOT. Why an answer is as it is, for people and resolvers: extended DNS errors (RFC 8914).

use windrose_telemetry::EXTENDED_ERRORS;

/// What may be told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum ExtendedErrors {
    /// Nothing.
    Off,
    /// The code alone; "other" has no meaning without a reason and is left out.
    #[default]
    Codes,
    /// Code and a short reason.
    Reasons,
}

/// What can be told; in order of the cells that count it ([`EXTENDED_ERRORS`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub(crate) enum ExtendedError {
    /// Every cluster is down, the last known ones are answered.
    LastKnown,
    /// Every cluster is down, the operator named one for that.
    Fallback,
    /// Every cluster is down, all are answered.
    All,
    /// Every cluster is drained, all are answered.
    AllDrained,
    /// Every cluster is down, and the operator wants no answer then.
    AllDown,
    /// Too few of a tier are up and there is no other: all of it are answered.
    HalfAlive,
    /// Too few of a tier are up: another tier is answered.
    HalfAliveNextTier,
    /// A tier has none that is up: another tier is answered.
    NextTier,
    /// Shares (dials, ramps) admit nobody, so one is answered beyond its share.
    SharesIgnored,
    /// The answer keeps another tier warm.
    Trickle,
    /// A fence leaves no cluster for this client.
    FencedOut,
    /// What an alias leads to was never resolved.
    Unresolved,
    /// What an alias leads to cannot be resolved now, the last good addresses are answered.
    StaleAlias,
    /// Aliases lead in a circle, or too far.
    AliasCircle,
    /// No zone of ours.
    NotAuthoritative,
    /// Zones are not transferred from here.
    NoTransfer,
    /// The operation is not known here.
    Operation,
    /// The type can only stand in a query's additional section.
    QueryType,
}

impl ExtendedError {
    /// INFO-CODE (RFC 8914 section 5.2).
    const fn code(self) -> u16 {
        EXTENDED_ERRORS[self as usize].0
    }

    /// EXTRA-TEXT (RFC 8914 section 2).
    const fn reason(self) -> &'static str {
        match self {
            Self::LastKnown => "all clusters down: last known ones",
            Self::Fallback => "all clusters down: fallback",
            Self::All => "all clusters down: all of them",
            Self::AllDrained => "all clusters drained: all of them",
            Self::AllDown => "all clusters down",
            Self::HalfAlive => "too few clusters up: all of them",
            Self::HalfAliveNextTier => "too few clusters up: next tier",
            Self::NextTier => "no cluster up: next tier",
            Self::SharesIgnored => "shares exhausted: ignored",
            Self::Trickle => "keeps next tier warm",
            Self::FencedOut => "no cluster may serve this client",
            Self::Unresolved => "alias not resolved yet",
            Self::StaleAlias => "alias not resolved now: last known",
            Self::AliasCircle => "aliases in a circle",
            Self::NotAuthoritative => "no zone of this server",
            Self::NoTransfer => "no transfers",
            Self::Operation => "operation not supported",
            Self::QueryType => "not a type to ask for",
        }
    }

    /// Code and text of the option; `None` if nothing is to be told.
    pub(crate) const fn told(self, allowed: ExtendedErrors) -> Option<(u16, &'static str)> {
        match (allowed, self.code()) {
            (ExtendedErrors::Off, _) | (ExtendedErrors::Codes, 0) => None,
            (ExtendedErrors::Codes, code) => Some((code, "")),
            (ExtendedErrors::Reasons, code) => Some((code, self.reason())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_reason_has_the_last_cell() {
        assert_eq!(EXTENDED_ERRORS.len(), ExtendedError::QueryType as usize + 1);
        assert_eq!(
            EXTENDED_ERRORS[ExtendedError::Trickle as usize].1,
            "trickle"
        );
        assert_eq!(ExtendedError::NotAuthoritative.code(), 20);
    }
}
