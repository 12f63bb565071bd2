//! The kinds of single values: how each is read from its text, described to people, and written as
//! JSON Schema.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use ipnet::IpNet;
use serde_json::{Value, json};
use windrose_model::{
    Continent, Country, DnsName, Name, Percent, RecordType, StatusRange, Ttl, Weight,
};

mod parse;

/// What a single value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// The name of an object.
    Name,
    /// A domain name, always absolute.
    Domain,
    /// A domain name, or `*.` and one.
    Host,
    /// A domain name relative to its zone, `@`, or absolute with a final dot.
    Relative,
    /// A mail address, or a name as in [`Scalar::Relative`].
    Mailbox,
    Ip,
    Cidr,
    /// `ip:port`.
    Socket,
    Country,
    Continent,
    Duration,
    /// A TTL or SOA timer: a duration or a number of seconds.
    Seconds,
    Size,
    Percent,
    /// 0 to 1.
    Fraction,
    Weight,
    /// A whole number in a range.
    Whole(u32, u32),
    /// A number in a range.
    Number(i32, i32),
    Bool,
    Choice(&'static [&'static str]),
    RecordType,
    /// `200` or `200-299`.
    Status,
}

/// A text that is no value of its kind.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Bad {
    /// `bad-duration`.
    pub(crate) code: &'static str,
    /// What is allowed, after "must be" or "is not", or a reason after ":".
    pub(crate) reason: Reason,
    pub(crate) help: Option<String>,
}

#[derive(Debug, PartialEq, Eq)]
pub(crate) enum Reason {
    /// The kind's own description says it all.
    Kind,
    /// A sentence of its own.
    Because(String),
}

impl Scalar {
    /// Whether `text` is one; `plain` is false when it was quoted.
    pub(crate) fn check(self, text: &str, plain: bool) -> Result<(), Bad> {
        let quoted_number = !plain
            && matches!(
                self,
                Self::Percent
                    | Self::Fraction
                    | Self::Weight
                    | Self::Whole(..)
                    | Self::Number(..)
                    | Self::Bool
            );
        if quoted_number {
            return Err(Bad {
                code: "wrong-type",
                reason: Reason::Kind,
                help: Some("remove the quotes".to_owned()),
            });
        }
        match self {
            Self::Text => {}
            Self::Path if text.is_empty() => return Err(bad("bad-path", None)),
            Self::Path => {}
            Self::Name => drop(name(text)?),
            Self::Domain => drop(domain(text)?),
            Self::Host => drop(host(text)?),
            Self::Relative => relative(text)?,
            Self::Mailbox => mailbox(text)?,
            Self::Ip => drop(ip(text)?),
            Self::Cidr => drop(cidr(text)?),
            Self::Socket => drop(socket(text)?),
            Self::Country => drop(country(text)?),
            Self::Continent => drop(continent(text)?),
            Self::Duration => drop(duration(text)?),
            Self::Seconds => drop(seconds(text)?),
            Self::Size => drop(size(text)?),
            Self::Percent => drop(percent(text)?),
            Self::Fraction => drop(fraction(text)?),
            Self::Weight => drop(weight(text)?),
            Self::Whole(least, most) => drop(whole(text, least, most)?),
            Self::Number(least, most) => drop(number(text, least, most)?),
            Self::Bool => drop(boolean(text)?),
            Self::Choice(choices) => choice(text, choices)?,
            Self::RecordType => drop(record_type(text)?),
            Self::Status => drop(status(text)?),
        }
        Ok(())
    }

    /// Equal for two texts of this kind that mean the same as a key.
    pub(crate) fn canonical(self, text: &str) -> String {
        match self {
            Self::Domain => text.trim_end_matches('.').to_ascii_lowercase(),
            Self::Country | Self::Continent => text.to_ascii_uppercase(),
            Self::Cidr => cidr(text).map_or_else(|_| text.to_owned(), |net| net.to_string()),
            _ => text.to_owned(),
        }
    }

    /// After "must be".
    pub(crate) fn description(self) -> String {
        match self {
            Self::Text => "a text",
            Self::Path => "a path",
            Self::Name => "a name of letters, digits, '-', '_' and '.'",
            Self::Domain => "a domain name",
            Self::Host => "a domain name, or `*.` and a domain name",
            Self::Relative => "a domain name (relative to its zone, or absolute with a final dot)",
            Self::Mailbox => "a mailbox such as hostmaster@example.com",
            Self::Ip => "an IP address",
            Self::Cidr => "an address prefix such as 192.0.2.0/24",
            Self::Socket => "an address with port such as 192.0.2.1:80 or [2001:db8::1]:80",
            Self::Country => "a country by its two letters of ISO 3166-1, such as DE",
            Self::Continent => "one of AF, AN, AS, EU, NA, OC, SA",
            Self::Duration => "a duration such as 500ms, 5s or 1m30s",
            Self::Seconds => "a time in whole seconds such as 300s, 5m or 300",
            Self::Size => "a size such as 512B, 64KiB or 1MiB",
            Self::Percent => "a percentage from 0 to 100",
            Self::Fraction => "a fraction from 0 to 1",
            Self::Weight => "a whole number from 0 to 1000000",
            Self::Whole(least, most) => return format!("a whole number from {least} to {most}"),
            Self::Number(least, most) => return format!("a number from {least} to {most}"),
            Self::Bool => "true or false",
            Self::Choice(choices) => return format!("one of {}", choices.join(", ")),
            Self::RecordType => "one of A, AAAA, CNAME, MX, NS, TXT",
            Self::Status => "a status code or range from 100 to 599, such as 204 or \"200-299\"",
        }
        .to_owned()
    }

    /// As JSON Schema. Scalars that a YAML reader may take for numbers allow both.
    pub(crate) fn schema(self) -> Value {
        let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
        match self {
            Self::Text | Self::Path => json!({"type": ["string", "number", "boolean"]}),
            Self::Name => json!({
                "type": ["string", "number"],
                "pattern": "^[A-Za-z0-9][A-Za-z0-9._-]*$",
                "maxLength": 63,
            }),
            Self::Domain | Self::Host | Self::Mailbox => {
                json!({"type": "string", "minLength": 1, "maxLength": 254})
            }
            Self::Relative => json!({"type": ["string", "number"], "maxLength": 254}),
            Self::Ip => json!({
                "type": "string",
                "anyOf": [{"format": "ipv4"}, {"format": "ipv6"}],
            }),
            Self::Cidr => text("^[0-9A-Fa-f.:]+/[0-9]{1,3}$"),
            Self::Socket => text("^(\\[[0-9A-Fa-f.:]+\\]|[0-9.]+):[0-9]{1,5}$"),
            Self::Country => json!({"type": ["string", "boolean"], "pattern": "^[A-Za-z]{2}$"}),
            Self::Continent => json!({
                "enum": Continent::ALL.map(Continent::code),
            }),
            Self::Duration => text("^([0-9]+(d|h|m|s|ms|us))+$"),
            Self::Seconds => json!({
                "type": ["string", "integer"],
                "pattern": "^([0-9]+(d|h|m|s))+$",
                "minimum": 0,
                "maximum": 0x7fff_ffff,
            }),
            Self::Size => text("^[0-9]+(B|KiB|MiB|GiB)$"),
            Self::Percent => json!({"type": "number", "minimum": 0, "maximum": 100}),
            Self::Fraction => json!({"type": "number", "minimum": 0, "maximum": 1}),
            Self::Weight => json!({"type": "integer", "minimum": 0, "maximum": Weight::MAX}),
            Self::Whole(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Self::Number(least, most) => {
                json!({"type": "number", "minimum": least, "maximum": most})
            }
            Self::Bool => json!({"type": "boolean"}),
            Self::Choice(choices) => json!({"enum": choices}),
            Self::RecordType => json!({"enum": RecordType::WRITABLE.map(RecordType::as_str)}),
            Self::Status => json!({
                "type": ["string", "integer"],
                "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$",
                "minimum": 100,
                "maximum": 599,
            }),
        }
    }
}

fn bad(code: &'static str, help: Option<&str>) -> Bad {
    Bad {
        code,
        reason: Reason::Kind,
        help: help.map(str::to_owned),
    }
}

fn because(code: &'static str, reason: impl ToString) -> Bad {
    Bad {
        code,
        reason: Reason::Because(reason.to_string()),
        help: None,
    }
}

pub(crate) fn name(text: &str) -> Result<Name, Bad> {
    Name::new(text).map_err(|e| because("bad-name", e))
}

pub(crate) fn domain(text: &str) -> Result<DnsName, Bad> {
    DnsName::parse(text).map_err(|e| because("bad-domain", e))
}

/// A `*` may only stand alone, as the first label (RFC 4592).
pub(crate) fn host(text: &str) -> Result<DnsName, Bad> {
    let host = domain(text)?;
    let stars = text.matches('*').count();
    if stars > usize::from(host.is_wildcard()) || text.trim_matches(['*', '.']).is_empty() {
        return Err(because(
            "bad-host",
            "`*` stands for whole names, as in *.example.com",
        ));
    }
    if text.contains([':', '/']) {
        let reason = "a host is a name only, without scheme, port or path";
        return Err(because("bad-host", reason));
    }
    Ok(host)
}

pub(crate) fn relative(text: &str) -> Result<(), Bad> {
    if text == "@" {
        Ok(())
    } else {
        domain(text).map(drop)
    }
}

pub(crate) fn mailbox(text: &str) -> Result<(), Bad> {
    let Some((user, host)) = text.split_once('@').filter(|(user, _)| !user.is_empty()) else {
        return relative(text);
    };
    if user.contains('.') {
        let reason = "a dot before the @ cannot be kept; use an alias without one";
        return Err(because("bad-domain", reason));
    }
    domain(user)?;
    domain(host).map(drop)
}

pub(crate) fn ip(text: &str) -> Result<IpAddr, Bad> {
    text.parse().map_err(|_| {
        let help = text
            .parse::<SocketAddr>()
            .is_ok()
            .then_some("leave the port out");
        bad("bad-address", help)
    })
}

/// Bits behind the prefix are refused: one of the two was not meant.
pub(crate) fn cidr(text: &str) -> Result<IpNet, Bad> {
    let net: IpNet = text.parse().map_err(|_| {
        let host = text.parse::<IpAddr>().ok();
        let help = host.map(|ip| format!("write {ip}/{}", if ip.is_ipv4() { 32 } else { 128 }));
        Bad {
            help,
            ..bad("bad-cidr", None)
        }
    })?;
    if net.trunc() == net {
        Ok(net)
    } else {
        let reason = format!("it has bits set behind its prefix of {}", net.prefix_len());
        Err(Bad {
            help: Some(format!("write {}", net.trunc())),
            ..because("bad-cidr", reason)
        })
    }
}

pub(crate) fn socket(text: &str) -> Result<SocketAddr, Bad> {
    text.parse().map_err(|_| {
        let help = match text.parse::<IpAddr>() {
            Ok(IpAddr::V4(ip)) => Some(format!("add the port, as in {ip}:80")),
            Ok(IpAddr::V6(ip)) => Some(format!("add the port, as in [{ip}]:80")),
            Err(_) if text.parse::<u16>().is_ok() => {
                Some(format!("add the address, as in 127.0.0.1:{text}"))
            }
            Err(_)
                if text
                    .rsplit(':')
                    .next()
                    .is_some_and(|p| p.parse::<u16>().is_ok()) =>
            {
                Some("host names are not looked up; write the IP address".to_owned())
            }
            Err(_) => None,
        };
        Bad {
            help,
            ..bad("bad-socket-address", None)
        }
    })
}

pub(crate) fn country(text: &str) -> Result<Country, Bad> {
    text.parse().map_err(|_| bad("bad-country", None))
}

pub(crate) fn continent(text: &str) -> Result<Continent, Bad> {
    text.parse().map_err(|_| bad("bad-continent", None))
}

pub(crate) fn duration(text: &str) -> Result<Duration, Bad> {
    parse::duration(text).map_err(|help| Bad {
        help,
        ..bad("bad-duration", None)
    })
}

pub(crate) fn seconds(text: &str) -> Result<Ttl, Bad> {
    let wrong = |help| Bad {
        help,
        ..bad("bad-duration", None)
    };
    let seconds = match parse::whole(text) {
        Some(seconds) => Some(seconds),
        None => {
            let duration = parse::duration(text).map_err(wrong)?;
            (duration.subsec_nanos() == 0).then_some(duration.as_secs())
        }
    };
    seconds
        .and_then(|s| u32::try_from(s).ok())
        .and_then(Ttl::new)
        .ok_or_else(|| wrong(None))
}

pub(crate) fn size(text: &str) -> Result<u64, Bad> {
    parse::size(text).map_err(|help| Bad {
        help,
        ..bad("bad-size", None)
    })
}

pub(crate) fn percent(text: &str) -> Result<Percent, Bad> {
    let bare = text.strip_suffix('%').map(str::trim_end);
    let help = bare
        .filter(|t| parse::number(t).is_some())
        .map(|t| format!("write {t}"));
    parse::number(text)
        .and_then(Percent::new)
        .ok_or_else(|| Bad {
            help,
            ..bad("bad-percentage", None)
        })
}

pub(crate) fn fraction(text: &str) -> Result<Percent, Bad> {
    let value = parse::number(text).or_else(|| parse::number(text.strip_suffix('%')?));
    let help = value
        .filter(|v| (0.0..=100.0).contains(v))
        .map(|v| format!("{v} % is written {}", v / 100.0));
    parse::number(text)
        .and_then(|v| Percent::new(v * 100.0))
        .ok_or_else(|| Bad {
            help,
            ..bad("bad-fraction", None)
        })
}

pub(crate) fn weight(text: &str) -> Result<Weight, Bad> {
    parse::whole(text)
        .and_then(|v| u32::try_from(v).ok())
        .and_then(Weight::new)
        .ok_or_else(|| bad("bad-weight", None))
}

pub(crate) fn whole(text: &str, least: u32, most: u32) -> Result<u32, Bad> {
    parse::whole(text)
        .and_then(|v| u32::try_from(v).ok())
        .filter(|v| (least..=most).contains(v))
        .ok_or_else(|| bad("bad-number", None))
}

pub(crate) fn number(text: &str, least: i32, most: i32) -> Result<f64, Bad> {
    parse::number(text)
        .filter(|v| (f64::from(least)..=f64::from(most)).contains(v))
        .ok_or_else(|| bad("bad-number", None))
}

/// YAML 1.1's words too: nobody means a text where true or false is asked for.
pub(crate) fn boolean(text: &str) -> Result<bool, Bad> {
    match text.to_ascii_lowercase().as_str() {
        "true" | "yes" | "on" => Ok(true),
        "false" | "no" | "off" => Ok(false),
        _ => Err(bad("wrong-type", None)),
    }
}

pub(crate) fn choice(text: &str, choices: &[&str]) -> Result<(), Bad> {
    if choices.contains(&text) {
        return Ok(());
    }
    let help = crate::nearest::nearest(text, choices.iter().copied());
    Err(Bad {
        help: help.map(|n| format!("did you mean `{n}`?")),
        ..bad("unknown-value", None)
    })
}

pub(crate) fn record_type(text: &str) -> Result<RecordType, Bad> {
    match text.parse() {
        Ok(RecordType::Soa) => {
            let help = Some("the SOA record has keys of its own: zones.*.soa");
            Err(bad("bad-record-type", help))
        }
        Ok(rtype) => Ok(rtype),
        Err(()) => Err(bad("bad-record-type", None)),
    }
}

pub(crate) fn status(text: &str) -> Result<StatusRange, Bad> {
    let (first, last) = text.split_once('-').unwrap_or((text, text));
    let code = |t: &str| t.trim().parse().ok();
    code(first)
        .zip(code(last))
        .and_then(|(first, last)| StatusRange::new(first, last))
        .ok_or_else(|| {
            let help = text.ends_with("xx").then_some("write \"200-299\" for 2xx");
            bad("bad-status", help)
        })
}
