//! Texts to typed values. Each refusal has a stable code, and a hint where the slip is a usual one.

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderName, HeaderValue, Method};
use ipnet::IpNet;
use windrose_model::{
    AllowedOrigin, Asn, Bias, City, Continent, Country, DnsName, Name, Pattern, Percent,
    RecordType, StatusRange, Subdivision, Ttl, WallTime, Weight,
};

use super::{Bad, Reason, parse};
use crate::zonefile::not_here;
use windrose_model::meant;

pub(super) fn bad(code: &'static str, help: Option<&str>) -> Bad {
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

pub(crate) fn subdivision(text: &str) -> Result<Subdivision, Bad> {
    text.parse().map_err(|_| bad("bad-subdivision", None))
}

pub(crate) fn city(text: &str) -> Result<City, Bad> {
    text.parse().map_err(|_| bad("bad-city", None))
}

pub(crate) fn asn(text: &str) -> Result<Asn, Bad> {
    text.parse().map_err(|_| bad("bad-asn", None))
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

pub(crate) fn bias(text: &str) -> Result<Bias, Bad> {
    let points = text.parse().ok().and_then(Bias::new);
    points.ok_or_else(|| bad("bad-bias", None))
}

pub(crate) fn time(text: &str) -> Result<WallTime, Bad> {
    text.parse().map_err(|_| bad("bad-time", None))
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
    let help = meant(text, choices.iter().copied());
    Err(Bad {
        help: help.map(|n| format!("did you mean `{n}`?")),
        ..bad("unknown-value", None)
    })
}

pub(crate) fn record_type(text: &str) -> Result<RecordType, Bad> {
    match text.parse() {
        Ok(RecordType::SOA) => {
            let help = Some("the SOA record has keys of its own: zones.*.soa");
            Err(bad("bad-record-type", help))
        }
        Ok(rtype) => match not_here(rtype) {
            Some((reason, _)) => Err(because("bad-record-type", format!("{rtype} {reason}"))),
            None => Ok(rtype),
        },
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

/// What a request is repeated after.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum RetryCause {
    Reset,
    Timeout,
    Status(StatusRange),
}

/// The words are Envoy's, and `gateway_error` its gateway-error.
pub(crate) fn retry_cause(text: &str) -> Result<RetryCause, Bad> {
    let range = match text {
        "reset" => return Ok(RetryCause::Reset),
        "timeout" => return Ok(RetryCause::Timeout),
        "5xx" => StatusRange::new(500, 599),
        "gateway_error" => StatusRange::new(502, 504),
        _ => status(text).ok().filter(|range| range.first >= 400),
    };
    let help = (text == "connect")
        .then_some("what could not be connected to is always tried elsewhere, and costs nothing");
    range
        .map(RetryCause::Status)
        .ok_or_else(|| bad("bad-retry-cause", help))
}

/// Methods are case-sensitive (RFC 9110 section 9.1): `get` is none that anybody sends.
pub(crate) fn method(text: &str) -> Result<Method, Bad> {
    let upper = text.to_ascii_uppercase();
    let known = [
        "GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "TRACE",
    ];
    if text != upper && known.contains(&&*upper) {
        return Err(bad("bad-method", Some(&format!("write {upper}"))));
    }
    Method::from_bytes(text.as_bytes()).map_err(|_| bad("bad-method", None))
}

pub(crate) fn header_name(text: &str) -> Result<HeaderName, Bad> {
    HeaderName::from_bytes(text.as_bytes()).map_err(|_| bad("bad-header-name", None))
}

pub(crate) fn header_value(text: &str) -> Result<HeaderValue, Bad> {
    HeaderValue::from_str(text)
        .or_else(|_| HeaderValue::from_bytes(text.as_bytes()))
        .map_err(|_| bad("bad-header-value", None))
}

pub(crate) fn origin(text: &str) -> Result<AllowedOrigin, Bad> {
    AllowedOrigin::parse(text).ok_or_else(|| bad("bad-origin", None))
}

pub(crate) fn regex(text: &str) -> Result<Pattern, Bad> {
    Pattern::new(text).map_err(|error| because("bad-regex", error))
}
