//! Flags: `--name value` and `--switch`, typed where they are taken.

use std::collections::BTreeMap;
use std::str::FromStr;

/// Flags that take no value.
const SWITCHES: [&str; 2] = ["ecs", "edns"];

/// Why a run did not happen.
#[derive(Debug)]
pub(crate) enum Refusal {
    /// The command line is at fault.
    Usage(String),
    /// The machine is.
    Io(std::io::Error),
}

impl From<std::io::Error> for Refusal {
    fn from(error: std::io::Error) -> Self {
        Self::Io(error)
    }
}

/// What is left of the command line; taking a flag removes it.
pub(crate) struct Arguments {
    flags: BTreeMap<String, String>,
}

impl Arguments {
    pub(crate) fn parse(mut words: impl Iterator<Item = String>) -> Result<Self, Refusal> {
        let mut flags = BTreeMap::new();
        while let Some(word) = words.next() {
            let Some(flag) = word.strip_prefix("--") else {
                return Err(Refusal::Usage(format!("'{word}' is not a flag")));
            };
            let value = if SWITCHES.contains(&flag) {
                String::new()
            } else {
                words
                    .next()
                    .ok_or_else(|| Refusal::Usage(format!("--{flag} wants a value")))?
            };
            flags.insert(flag.to_owned(), value);
        }
        Ok(Self { flags })
    }

    pub(crate) fn switch(&mut self, flag: &str) -> bool {
        self.flags.remove(flag).is_some()
    }

    pub(crate) fn optional<T: FromStr>(&mut self, flag: &str) -> Result<Option<T>, Refusal> {
        let Some(value) = self.flags.remove(flag) else {
            return Ok(None);
        };
        let parsed = value
            .parse()
            .map_err(|_| Refusal::Usage(format!("--{flag} cannot be '{value}'")))?;
        Ok(Some(parsed))
    }

    /// Values separated by commas; none if the flag is absent.
    pub(crate) fn list<T: FromStr>(&mut self, flag: &str) -> Result<Vec<T>, Refusal> {
        let Some(values) = self.flags.remove(flag) else {
            return Ok(Vec::new());
        };
        values
            .split(',')
            .map(|value| {
                value
                    .parse()
                    .map_err(|_| Refusal::Usage(format!("--{flag} cannot hold '{value}'")))
            })
            .collect()
    }

    pub(crate) fn required<T: FromStr>(&mut self, flag: &str) -> Result<T, Refusal> {
        self.optional(flag)?
            .ok_or_else(|| Refusal::Usage(format!("--{flag} is missing")))
    }

    /// Call last: a flag nobody took is a mistake.
    pub(crate) fn finish(&self) -> Result<(), Refusal> {
        self.flags.keys().next().map_or(Ok(()), |flag| {
            Err(Refusal::Usage(format!("no flag named --{flag} here")))
        })
    }
}
