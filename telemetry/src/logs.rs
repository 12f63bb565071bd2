//! Logs to stderr, for people or for machines.

use std::io::{IsTerminal, stderr};

use tracing_subscriber::EnvFilter;
use tracing_subscriber::util::TryInitError;

/// How a line looks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Format {
    /// Time, level, target, text; coloured on a terminal.
    #[default]
    Text,
    /// One JSON object per line, fields beside `timestamp`, `level`, `target` and `message`.
    Json,
}

/// Why logs could not be set up.
#[derive(Debug, thiserror::Error)]
pub enum LogsError {
    /// Not a level or a list of directives.
    #[error("log level {text:?} is not understood: {reason}")]
    Level {
        /// What was given.
        text: String,
        /// What is wrong with it.
        reason: String,
    },
    /// Somebody did it before.
    #[error("logs are already set up")]
    Twice,
}

/// Sets up logs for the whole process. `level` is `error`, `warn`, `info`, `debug` or `trace`, or a
/// list of directives such as `info,windrose_dns=debug`.
///
/// # Errors
/// See [`LogsError`].
pub fn init(format: Format, level: &str) -> Result<(), LogsError> {
    use tracing_subscriber::util::SubscriberInitExt;

    let filter = filter(level)?;
    let lines = tracing_subscriber::fmt()
        .with_env_filter(filter)
        .with_writer(stderr)
        .with_ansi(stderr().is_terminal());
    let done = match format {
        Format::Text => lines.finish().try_init(),
        Format::Json => lines.json().flatten_event(true).finish().try_init(),
    };
    done.map_err(|_: TryInitError| LogsError::Twice)
}

fn filter(level: &str) -> Result<EnvFilter, LogsError> {
    let refused = |reason: String| LogsError::Level {
        text: level.to_owned(),
        reason,
    };
    // EnvFilter takes any bare word for a target, and LevelFilter takes an empty one for `error`; a
    // word alone must be a level here.
    if level.is_empty()
        || !level.contains(['=', ','])
            && level
                .parse::<tracing::level_filters::LevelFilter>()
                .is_err()
    {
        return Err(refused(
            "use error, warn, info, debug, trace or off".to_owned(),
        ));
    }
    // hickory warns of every odd packet, and anybody can send those.
    let quiet = if level.contains("hickory") {
        ""
    } else {
        ",hickory_proto=error,hickory_net=error"
    };
    EnvFilter::builder()
        .parse(format!("{level}{quiet}"))
        .map_err(|error| refused(error.to_string()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_level_is_a_word_or_directives() {
        for good in [
            "info",
            "WARN",
            "off",
            "info,windrose_dns=debug",
            "windrose_proxy=trace",
        ] {
            assert!(filter(good).is_ok(), "{good}");
        }
        for bad in ["verbose", "", "windrose_dns=loud"] {
            let error = filter(bad).err().map(|e| e.to_string());
            assert!(
                error.is_some_and(|e| e.contains(&format!("{bad:?}"))),
                "{bad}"
            );
        }
    }
}
