//! Values of arguments: text to types, with an error that says what is allowed.

use std::fmt;
use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use http::{HeaderName, HeaderValue};

/// `CLUSTER@TIME`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct At {
    pub(crate) cluster: String,
    pub(crate) time: Duration,
}

/// A client by address, or as a resolver tells of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Client {
    pub(crate) ip: IpAddr,
    pub(crate) prefix: u8,
}

/// A header field.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Header {
    pub(crate) name: HeaderName,
    pub(crate) value: HeaderValue,
}

/// Requests a second, 1 to 20,000.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Load(pub(crate) u32);

impl Load {
    pub(crate) const DEFAULT: Self = Self(200);
}

impl fmt::Display for Load {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// `NAME: VALUE`, as curl has it.
pub(crate) fn header(text: &str) -> Result<Header, String> {
    let wrong = || "a header field is written NAME: VALUE, e.g. 'x-canary: always'".to_owned();
    let (name, value) = text.split_once(':').ok_or_else(wrong)?;
    Ok(Header {
        name: HeaderName::from_bytes(name.as_bytes()).map_err(|_| wrong())?,
        value: HeaderValue::from_str(value.trim()).map_err(|_| wrong())?,
    })
}

pub(crate) fn load(text: &str) -> Result<Load, String> {
    match text.parse() {
        Ok(rate @ 1..=20_000) => Ok(Load(rate)),
        _ => Err("a rate is a whole number from 1 to 20000".to_owned()),
    }
}

/// `500ms`, `10s`, `1.5s`, `2m`, `1h`.
pub(crate) fn duration(text: &str) -> Result<Duration, String> {
    let wrong = || "a duration is a number with ms, s, m or h, e.g. 500ms or 10s".to_owned();
    let split = text
        .find(|c: char| c.is_ascii_alphabetic())
        .ok_or_else(wrong)?;
    let (number, unit) = text.split_at(split);
    let number: f64 = number.parse().map_err(|_| wrong())?;
    let seconds = match unit {
        "ms" => number / 1000.0,
        "s" => number,
        "m" => number * 60.0,
        "h" => number * 3600.0,
        _ => return Err(wrong()),
    };
    if !(0.0..=86_400.0).contains(&seconds) {
        return Err("a duration lies between 0 and 24h".to_owned());
    }
    Ok(Duration::from_secs_f64(seconds))
}

pub(crate) fn at(text: &str) -> Result<At, String> {
    let (cluster, time) = text
        .split_once('@')
        .ok_or_else(|| "write a cluster and a time, e.g. frankfurt@10s".to_owned())?;
    Ok(At {
        cluster: cluster.to_owned(),
        time: duration(time)?,
    })
}

pub(crate) fn client(text: &str) -> Result<Client, String> {
    let wrong = || "a client is an address or a prefix, e.g. 192.0.2.7 or 192.0.2.0/24".to_owned();
    let (ip, prefix) = match text.split_once('/') {
        Some((ip, prefix)) => (ip, Some(prefix)),
        None => (text, None),
    };
    let ip: IpAddr = ip.parse().map_err(|_| wrong())?;
    let longest = if ip.is_ipv4() { 32 } else { 128 };
    let prefix = match prefix {
        None => longest,
        Some(prefix) => prefix
            .parse()
            .ok()
            .filter(|p| *p <= longest)
            .ok_or_else(wrong)?,
    };
    Ok(Client { ip, prefix })
}

pub(crate) fn listen(text: &str) -> Result<(String, SocketAddr), String> {
    let (version, address) = text
        .split_once('=')
        .ok_or_else(|| "write VERSION=IP:PORT".to_owned())?;
    let address = address
        .parse()
        .map_err(|_| format!("{address} is no IP:PORT"))?;
    Ok((version.to_owned(), address))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_units() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("1.5s"), Ok(Duration::from_millis(1500)));
        assert_eq!(duration("2m"), Ok(Duration::from_secs(120)));
        for wrong in ["", "5", "s", "-1s", "5 days", "1e9s", "NaNs", "infs", "25h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn a_client_is_an_address_or_a_prefix() {
        assert_eq!(client("192.0.2.7").unwrap().prefix, 32);
        assert_eq!(client("192.0.2.0/24").unwrap().prefix, 24);
        assert_eq!(client("2001:db8::/56").unwrap().prefix, 56);
        assert!(client("192.0.2.0/33").is_err());
        assert!(client("shop").is_err());
    }

    #[test]
    fn a_failure_names_cluster_and_time() {
        assert_eq!(
            at("frankfurt@10s"),
            Ok(At {
                cluster: "frankfurt".to_owned(),
                time: Duration::from_secs(10)
            })
        );
        assert!(at("frankfurt").is_err());
        assert!(at("frankfurt@10").is_err());
    }
}
