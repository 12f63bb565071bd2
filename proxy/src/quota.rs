//! What a request is granted by the rate limits of its app, and how its client is told: `RateLimit`
//! and `RateLimit-Policy` (draft-ietf-httpapi-ratelimit-headers), and `Retry-After`.
//!
//! A request that one limit refuses is charged to none. Clients hear nothing of limits that only count.

mod buckets;

use std::net::IpAddr;
use std::time::Duration;

use bytes::Bytes;
use http::{HeaderMap, HeaderValue, header};
use windrose_model::{Name, RateKey, RateLimit};

use crate::names::{RATELIMIT, RATELIMIT_POLICY};
pub(crate) use buckets::Buckets;
use buckets::{Grant, Rule};

/// What the limit with the least left says.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Quota {
    policy: HeaderValue,
    left: HeaderValue,
}

/// A request beyond a limit.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Excess {
    quota: Quota,
    /// Until the bucket has room for one.
    wait: Duration,
}

/// What came of it, beside what the client is told.
#[derive(Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// A limit that only counts would have refused it.
    pub(crate) would_refuse: bool,
    /// There was no room for its bucket: it passed.
    pub(crate) untracked: bool,
}

/// Charges a request to all limits of an app. `now` on the clock of the buckets.
pub(crate) fn charge<'l>(
    buckets: &Buckets,
    app: &Name,
    limits: impl Iterator<Item = (&'l Name, &'l RateLimit)> + Clone,
    client: IpAddr,
    headers: &HeaderMap,
    now: Duration,
    tally: &mut Tally,
) -> Result<Option<Quota>, Excess> {
    let mut tightest: Option<(Grant, &Name, &RateLimit)> = None;
    // A bit for each of at most 16 limits that was charged.
    let mut charged = 0u16;
    let owner = buckets.owner(app.as_str());
    for (n, (name, limit)) in limits.clone().enumerate() {
        let rule = Rule::of(limit);
        let key = bucket(buckets, app, name, limit, client, headers);
        match buckets.take(owner, key, rule, now) {
            Ok(grant) if grant.untracked => tally.untracked = true,
            Ok(grant) => {
                charged |= 1 << n;
                let least = tightest
                    .as_ref()
                    .is_none_or(|(it, ..)| grant.left < it.left);
                if limit.enforced && least {
                    tightest = Some((grant, name, limit));
                }
            }
            Err(_) if !limit.enforced => tally.would_refuse = true,
            Err(wait) => {
                let before = limits.enumerate().filter(|(n, _)| charged & (1 << n) != 0);
                for (_, (name, limit)) in before {
                    let key = bucket(buckets, app, name, limit, client, headers);
                    buckets.give_back(owner, key, Rule::of(limit));
                }
                let none = Grant {
                    left: 0,
                    reset: wait,
                    untracked: false,
                };
                let quota = Quota::new(&none, name, limit);
                return Err(Excess { quota, wait });
            }
        }
    }
    Ok(tightest.map(|(grant, name, limit)| Quota::new(&grant, name, limit)))
}

fn bucket(
    buckets: &Buckets,
    app: &Name,
    name: &Name,
    limit: &RateLimit,
    client: IpAddr,
    headers: &HeaderMap,
) -> u64 {
    let limit_of = (app.as_str(), name.as_str());
    let value = match &limit.by {
        RateKey::App => return buckets.key(&(limit_of, 0)),
        RateKey::Client => None,
        RateKey::Header(name) => only(headers.get_all(name).iter().map(HeaderValue::as_bytes)),
        RateKey::Cookie(name) => only(cookies(headers, name)),
    };
    match value {
        Some(value) => buckets.key(&(limit_of, 1, value)),
        None => buckets.key(&(limit_of, 2, prefix(client))),
    }
}

/// The value that is there once. Of two, the backend may take the other one, and each made-up first
/// one would be a bucket of its own.
fn only<'h>(mut values: impl Iterator<Item = &'h [u8]>) -> Option<&'h [u8]> {
    values.next().filter(|_| values.next().is_none())
}

/// An IPv4 address, or the /64 that an IPv6 client may choose its addresses from.
fn prefix(client: IpAddr) -> u64 {
    match client.to_canonical() {
        IpAddr::V4(address) => u64::from(address.to_bits()),
        // No IPv4 address: those of IPv6 begin with 2 or 3 (RFC 4291), or are local ones.
        IpAddr::V6(address) => (address.to_bits() >> 64) as u64,
    }
}

/// The values of a cookie (RFC 6265 section 4.2.1).
fn cookies<'h>(headers: &'h HeaderMap, name: &str) -> impl Iterator<Item = &'h [u8]> {
    let pairs = headers
        .get_all(header::COOKIE)
        .iter()
        .flat_map(|line| line.as_bytes().split(|b| *b == b';'));
    pairs
        .map(<[u8]>::trim_ascii)
        .filter_map(move |pair| pair.strip_prefix(name.as_bytes())?.strip_prefix(b"="))
}

impl Quota {
    fn new(grant: &Grant, name: &Name, limit: &RateLimit) -> Self {
        let (rate, per) = (limit.rate, seconds(limit.per));
        Self {
            policy: value(format!("\"{name}\";q={rate};w={per}")),
            left: value(format!(
                "\"{name}\";r={};t={}",
                grant.left,
                seconds(grant.reset)
            )),
        }
    }

    /// Tells the client.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        headers.insert(RATELIMIT_POLICY, self.policy);
        headers.insert(RATELIMIT, self.left);
    }
}

impl Excess {
    /// Tells the client.
    pub(crate) fn write(self, headers: &mut HeaderMap) {
        let wait = seconds(self.wait).max(1);
        headers.insert(header::RETRY_AFTER, HeaderValue::from(wait));
        self.quota.write(headers);
    }
}

/// Whole seconds, rounded up.
fn seconds(time: Duration) -> u64 {
    time.as_secs() + u64::from(time.subsec_nanos() > 0)
}

/// Names and numbers are legal everywhere.
fn value(text: String) -> HeaderValue {
    HeaderValue::from_maybe_shared(Bytes::from(text))
        .unwrap_or_else(|_| HeaderValue::from_static(""))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn limit(rate: u32, by: RateKey) -> RateLimit {
        RateLimit {
            rate,
            per: SECOND,
            burst: rate,
            by,
            enforced: true,
        }
    }

    fn name(text: &str) -> Name {
        Name::new(text).unwrap()
    }

    /// Whether each of these requests passes, at the same moment.
    fn passes(limits: &[(&str, RateLimit)], requests: &[(&str, &[(&str, &str)])]) -> Vec<bool> {
        let limits: BTreeMap<Name, RateLimit> = limits
            .iter()
            .map(|(n, limit)| (name(n), limit.clone()))
            .collect();
        let (buckets, app) = (Buckets::new(), name("app"));
        requests
            .iter()
            .map(|(client, fields)| {
                let mut headers = HeaderMap::new();
                for (name, value) in *fields {
                    let name = http::HeaderName::from_bytes(name.as_bytes()).unwrap();
                    headers.append(name, value.parse().unwrap());
                }
                let client = client.parse().unwrap();
                let tally = &mut Tally::default();
                charge(
                    &buckets,
                    &app,
                    limits.iter(),
                    client,
                    &headers,
                    SECOND,
                    tally,
                )
                .is_ok()
            })
            .collect()
    }

    #[test]
    fn each_client_has_a_bucket_and_an_ipv6_client_its_64() {
        let one = [("l", limit(1, RateKey::Client))];
        let requests = [
            ("192.0.2.1", &[][..]),
            ("192.0.2.1", &[]),
            ("192.0.2.2", &[]),
            ("::ffff:192.0.2.2", &[]),
            ("2001:db8::1", &[]),
            ("2001:db8::2", &[]),
            ("2001:db8:0:1::1", &[]),
        ];
        let expected = [true, false, true, false, true, false, true];
        assert_eq!(passes(&one, &requests), expected);
    }

    #[test]
    fn a_header_or_cookie_names_the_bucket_and_without_it_the_client_does() {
        let requests = [
            ("192.0.2.1", &[("x-key", "a"), ("cookie", "b=1; key=a")][..]),
            ("192.0.2.2", &[("x-key", "a"), ("cookie", "key=a;c=2")]),
            (
                "192.0.2.2",
                &[("x-key", "b"), ("cookie", "xkey=c"), ("cookie", "key=b")],
            ),
            ("192.0.2.2", &[]),
            ("192.0.2.2", &[("cookie", "keys=a")]),
            ("192.0.2.3", &[]),
        ];
        let expected = [true, false, true, true, false, true];
        let by_header = [("l", limit(1, RateKey::Header("x-key".to_owned())))];
        assert_eq!(passes(&by_header, &requests), expected);
        let by_cookie = [("l", limit(1, RateKey::Cookie("key".to_owned())))];
        assert_eq!(passes(&by_cookie, &requests), expected);
    }

    #[test]
    fn who_repeats_the_header_or_cookie_is_counted_by_client() {
        let requests = [
            ("192.0.2.1", &[("x-key", "new"), ("x-key", "a")][..]),
            ("192.0.2.1", &[("x-key", "newer"), ("x-key", "a")]),
            ("192.0.2.2", &[("cookie", "key=new; key=a")]),
            ("192.0.2.2", &[("cookie", "key=newer"), ("cookie", "key=a")]),
        ];
        let by_header = [("l", limit(1, RateKey::Header("x-key".to_owned())))];
        assert_eq!(passes(&by_header, &requests[..2]), [true, false]);
        let by_cookie = [("l", limit(1, RateKey::Cookie("key".to_owned())))];
        assert_eq!(passes(&by_cookie, &requests[2..]), [true, false]);
    }

    #[test]
    fn a_policy_says_the_rate_whatever_the_burst_and_whole_seconds_rounded_up() {
        let odd = RateLimit {
            per: SECOND * 3 / 2,
            burst: 2,
            ..limit(9, RateKey::App)
        };
        let grant = Grant {
            left: 1,
            reset: SECOND,
            untracked: false,
        };
        assert_eq!(Quota::new(&grant, &name("l"), &odd).policy, "\"l\";q=9;w=2");
    }

    #[test]
    fn what_one_limit_refuses_is_charged_to_none() {
        let limits = [
            ("all", limit(3, RateKey::App)),
            ("each", limit(1, RateKey::Client)),
        ];
        let requests = [
            ("192.0.2.1", &[][..]),
            ("192.0.2.1", &[]),
            ("192.0.2.1", &[]),
            ("192.0.2.2", &[]),
            ("192.0.2.3", &[]),
            ("192.0.2.4", &[]),
        ];
        let expected = [true, false, false, true, true, false];
        assert_eq!(passes(&limits, &requests), expected);
    }

    #[test]
    fn a_limit_that_only_counts_is_neither_told_of_nor_given_back_what_it_did_not_take() {
        let (buckets, app) = (Buckets::new(), name("app"));
        let dry = RateLimit {
            enforced: false,
            ..limit(1, RateKey::App)
        };
        let limits = BTreeMap::from([
            (name("a-dry"), dry),
            (name("b-each"), limit(1, RateKey::Client)),
        ]);
        let would_refuse = |client: &str| {
            let mut tally = Tally::default();
            let nothing = HeaderMap::new();
            let client = client.parse().unwrap();
            let granted = charge(
                &buckets,
                &app,
                limits.iter(),
                client,
                &nothing,
                SECOND,
                &mut tally,
            );
            let told = granted
                .as_ref()
                .ok()
                .and_then(Option::as_ref)
                .map(|q| q.policy.clone());
            (
                granted.is_ok(),
                told.is_some_and(|policy| policy == "\"b-each\";q=1;w=1"),
                tally.would_refuse,
            )
        };
        assert_eq!(would_refuse("192.0.2.1"), (true, true, false));
        // Refused by the other limit: the first one had taken nothing, and stays empty.
        assert_eq!(would_refuse("192.0.2.1"), (false, false, true));
        assert_eq!(would_refuse("192.0.2.2"), (true, true, true));
    }

    #[test]
    fn the_client_is_told_of_the_limit_with_the_least_left() {
        let (buckets, app) = (Buckets::new(), name("app"));
        let limits = BTreeMap::from([
            (name("all"), limit(100, RateKey::App)),
            (
                name("each"),
                RateLimit {
                    per: SECOND * 60,
                    ..limit(2, RateKey::Client)
                },
            ),
        ]);
        let mut headers = HeaderMap::new();
        let mut ask = |now| {
            let client = "192.0.2.1".parse().unwrap();
            let nothing = HeaderMap::new();
            let tally = &mut Tally::default();
            headers.clear();
            match charge(&buckets, &app, limits.iter(), client, &nothing, now, tally) {
                Ok(quota) => quota.unwrap().write(&mut headers),
                Err(excess) => excess.write(&mut headers),
            }
            let text = |name: &str| headers.get(name).map_or("", |v| v.to_str().unwrap());
            (
                text("ratelimit-policy").to_owned(),
                text("ratelimit").to_owned(),
                text("retry-after").to_owned(),
            )
        };
        let policy = "\"each\";q=2;w=60".to_owned();
        let told = |left: &str, retry: &str| (policy.clone(), left.to_owned(), retry.to_owned());
        assert_eq!(ask(SECOND), told("\"each\";r=1;t=30", ""));
        assert_eq!(ask(SECOND), told("\"each\";r=0;t=30", ""));
        assert_eq!(ask(SECOND), told("\"each\";r=0;t=30", "30"));
        assert_eq!(ask(SECOND * 31), told("\"each\";r=0;t=30", ""));
    }

    #[test]
    fn an_app_that_fills_all_buckets_leaves_another_app_s_limits_whole() {
        let buckets = Buckets::new();
        let by_key = RateLimit {
            per: SECOND * 3_600,
            ..limit(1, RateKey::Header("x-key".to_owned()))
        };
        let limits = BTreeMap::from([(name("key"), by_key)]);
        let passes = |app: &Name, key: u32| {
            let mut headers = HeaderMap::new();
            headers.insert("x-key", HeaderValue::from(key));
            let client = "192.0.2.1".parse().unwrap();
            let tally = &mut Tally::default();
            let limits = limits.iter();
            charge(&buckets, app, limits, client, &headers, SECOND, tally).is_ok()
        };
        // A client of one app makes up more keys than there are buckets.
        let (careless, other) = (name("careless"), name("other"));
        let made_up = (0..400_000).filter(|key| passes(&careless, *key));
        assert_eq!(made_up.count(), 400_000, "who cannot be counted passes");
        let refused = |key: &u32| passes(&other, *key) && !passes(&other, *key);
        assert_eq!((0..10_000).filter(refused).count(), 10_000);
    }
}
