//! The kinds of single values: how each is read from its text, described to people, and written as
//! JSON Schema.

use serde_json::{Value, json};
use windrose_model::{City, Continent, Weight};

mod parse;
mod read;

use read::bad;
pub(crate) use read::{RetryCause, retry_cause};
pub(crate) use read::{
    asn, bias, boolean, choice, cidr, city, continent, country, domain, duration, fraction,
    header_name, header_value, host, ip, mailbox, method, name, number, origin, percent,
    record_type, regex, relative, seconds, size, socket, status, subdivision, time, weight, whole,
};

/// What a single value is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scalar {
    /// Any text.
    Text,
    /// A file or folder.
    Path,
    /// A path, or `unix:` and one.
    LogTarget,
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
    /// ISO 3166-2.
    Subdivision,
    /// `DE/Berlin`, `US-NH/Berlin`.
    City,
    /// `AS64496`, or the number alone.
    Asn,
    Duration,
    /// A TTL or SOA timer: a duration or a number of seconds.
    Seconds,
    Size,
    Percent,
    /// 0 to 1.
    Fraction,
    Weight,
    /// -99 to 99.
    Bias,
    /// A whole number in a range.
    Whole(u32, u32),
    /// A number in a range.
    Number(i32, i32),
    Bool,
    Choice(&'static [&'static str]),
    /// Of an HTTP request.
    Method,
    HeaderName,
    HeaderValue,
    /// Of a web page, as browsers send it; or with a `*`.
    Origin,
    /// That a whole text must match.
    Regex,
    RecordType,
    /// `200` or `200-299`.
    Status,
    /// A moment, by RFC 3339.
    Time,
    /// What a request is repeated after.
    RetryOn,
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
                    | Self::Bias
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
            Self::LogTarget if matches!(text, "" | "unix:") => return Err(bad("bad-path", None)),
            Self::LogTarget => {}
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
            Self::Subdivision => drop(subdivision(text)?),
            Self::City => drop(city(text)?),
            Self::Asn => drop(asn(text)?),
            Self::Duration => drop(duration(text)?),
            Self::Seconds => drop(seconds(text)?),
            Self::Size => drop(size(text)?),
            Self::Percent => drop(percent(text)?),
            Self::Fraction => drop(fraction(text)?),
            Self::Weight => drop(weight(text)?),
            Self::Bias => drop(bias(text)?),
            Self::Whole(least, most) => drop(whole(text, least, most)?),
            Self::Number(least, most) => drop(number(text, least, most)?),
            Self::Bool => drop(boolean(text)?),
            Self::Choice(choices) => choice(text, choices)?,
            Self::Method => drop(method(text)?),
            Self::HeaderName => drop(header_name(text)?),
            Self::HeaderValue => drop(header_value(text)?),
            Self::Origin => drop(origin(text)?),
            Self::Regex => drop(regex(text)?),
            Self::RecordType => drop(record_type(text)?),
            Self::Status => drop(status(text)?),
            Self::Time => drop(time(text)?),
            Self::RetryOn => drop(retry_cause(text)?),
        }
        Ok(())
    }

    /// Equal for two texts of this kind that mean the same as a key.
    pub(crate) fn canonical(self, text: &str) -> String {
        match self {
            Self::Domain => text.trim_end_matches('.').to_ascii_lowercase(),
            Self::HeaderName => text.to_ascii_lowercase(),
            Self::Country | Self::Continent | Self::Subdivision => text.to_ascii_uppercase(),
            Self::City => City::fold(text),
            Self::Asn => asn(text).map_or_else(|_| text.to_owned(), |asn| asn.to_string()),
            Self::Cidr => cidr(text).map_or_else(|_| text.to_owned(), |net| net.to_string()),
            _ => text.to_owned(),
        }
    }

    /// After "must be".
    pub(crate) fn description(self) -> String {
        match self {
            Self::Text => "a text",
            Self::Path => "a path",
            Self::LogTarget => "a path, or `unix:` and the path of a socket",
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
            Self::Subdivision => "a subdivision of a country by ISO 3166-2, such as US-CA",
            Self::City => "a city by country or subdivision and English name, such as DE/Berlin",
            Self::Asn => "the number of an autonomous system, such as AS64496",
            Self::Duration => "a duration such as 500ms, 5s or 1m30s",
            Self::Seconds => "a time in whole seconds such as 300s, 5m or 300",
            Self::Size => "a size such as 512B, 64KiB or 1MiB",
            Self::Percent => "a percentage from 0 to 100",
            Self::Fraction => "a fraction from 0 to 1",
            Self::Weight => "a whole number from 0 to 1000000",
            Self::Bias => "a whole number from -99 to 99",
            Self::Whole(least, most) if least == most => return format!("the number {least}"),
            Self::Whole(least, most) => return format!("a whole number from {least} to {most}"),
            Self::Number(least, most) => return format!("a number from {least} to {most}"),
            Self::Bool => "true or false",
            Self::Choice(choices) => return format!("one of {}", choices.join(", ")),
            Self::Method => "a method such as GET",
            Self::HeaderName => "the name of a header field such as x-canary",
            Self::HeaderValue => "a text without line ends or other control characters",
            Self::Origin => {
                "an origin such as https://shop.example.com or https://*.example.com:8443, or *"
            }
            Self::Regex => "a regex that the whole text must match",
            Self::RecordType => "a record type such as A, MX or HTTPS, or TYPE and its number",
            Self::Status => "a status code or range from 100 to 599, such as 204 or \"200-299\"",
            Self::RetryOn => {
                "reset, timeout, 5xx, gateway_error, or a status code or range from 400 to 599"
            }
            Self::Time => "a moment by RFC 3339, such as 2026-12-31T18:00:00Z",
        }
        .to_owned()
    }

    /// As JSON Schema. Scalars that a YAML reader may take for numbers allow both.
    pub(crate) fn schema(self) -> Value {
        let text = |pattern: &str| json!({"type": "string", "pattern": pattern});
        match self {
            Self::Text | Self::Path | Self::LogTarget | Self::Regex | Self::HeaderValue => {
                json!({"type": ["string", "number", "boolean"]})
            }
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
            Self::Subdivision => text("^[A-Za-z]{2}-[A-Za-z0-9]{1,3}$"),
            Self::City => text("^[A-Za-z]{2}(-[A-Za-z0-9]{1,3})?/.+$"),
            Self::Asn => json!({
                "type": ["string", "integer"],
                "pattern": "^([Aa][Ss])?[0-9]+$",
                "minimum": 0,
                "maximum": u32::MAX,
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
            Self::Bias => json!({"type": "integer", "minimum": -99, "maximum": 99}),
            Self::Whole(least, most) => {
                json!({"type": "integer", "minimum": least, "maximum": most})
            }
            Self::Number(least, most) => {
                json!({"type": "number", "minimum": least, "maximum": most})
            }
            Self::Bool => json!({"type": "boolean"}),
            Self::Choice(choices) => json!({"enum": choices}),
            Self::Method => text("^[!#$%&'*+.^_`|~0-9A-Za-z-]+$"),
            Self::HeaderName => json!({
                "type": ["string", "number", "boolean"],
                "pattern": "^[!#$%&'*+.^_`|~0-9A-Za-z-]+$",
            }),
            Self::Origin => text("^(\\*|https?://[^/]+)$"),
            Self::RecordType => text("^[A-Za-z][A-Za-z0-9]*$"),
            Self::Time => json!({"type": "string", "format": "date-time"}),
            Self::RetryOn => json!({
                "type": ["string", "integer"],
                "pattern": "^(reset|timeout|5xx|gateway_error|[45][0-9]{2}(-[45][0-9]{2})?)$",
                "minimum": 400,
                "maximum": 599,
            }),
            Self::Status => json!({
                "type": ["string", "integer"],
                "pattern": "^[1-5][0-9]{2}(-[1-5][0-9]{2})?$",
                "minimum": 100,
                "maximum": 599,
            }),
        }
    }
}
