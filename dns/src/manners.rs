//! This node's manner of speaking: what of an answer depends on neither the Table nor the query.
//!
//! Settings only, with the defaults of the field. Who changes them tells the threads through a
//! [`watch`] channel; they look once a batch. Deliberately absent: reading configurations.

use std::net::IpAddr;
use std::sync::Arc;

use tokio::sync::watch;

use crate::answer::{MIN_ROOM, Transport};
use crate::cookie::{BadCookie, Cookies};
use crate::extended_error::ExtendedErrors;
use crate::limit::{Limiter, Ticks};
use crate::log::QueryLog;
use crate::tcp::TcpLimits;

/// The UDP message size we announce, and the largest we send, unless configured otherwise (DNS flag
/// day 2020; dns.md section 2.6): what passes any path without fragments.
pub const UDP_SIZE: u16 = 1232;

/// How a node speaks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Manners {
    /// The UDP message size in octets that is announced, and the largest that is sent; 512 to 4,096
    /// (RFC 6891 section 6.2.5). What is smaller is taken as 512, see [`udp_size`](Self::udp_size).
    pub udp_size: u16,
    /// The largest UDP message in octets that a client gets without a valid cookie, 128 to 4,096;
    /// `None`: the same as with one.
    pub unproven_size: Option<u16>,
    /// Cookies; `None`: the option is ignored.
    pub cookies: Option<Cookies>,
    /// What ANY gets.
    pub any: AnyAnswer,
    /// What is told of errors.
    pub extended_errors: ExtendedErrors,
    /// The name server identifier (RFC 5001), at most 128 octets; empty: none.
    pub nsid: Box<[u8]>,
    /// What id.server and hostname.bind say (RFC 4892), at most 255 octets; empty: REFUSED.
    pub chaos_id: Box<[u8]>,
    /// What version.server and version.bind say, at most 255 octets; empty: REFUSED.
    pub chaos_version: Box<[u8]>,
    /// Whether clients that ask are told the serial of the zone (RFC 9660).
    pub zone_version: bool,
    /// What TCP clients may take.
    pub tcp: TcpLimits,
    /// Who is held back over UDP; nobody without one.
    pub limiter: Option<Arc<Limiter>>,
    /// Where sampled queries go.
    pub log: Option<Arc<QueryLog>>,
}

/// What ANY gets for a name that exists (RFC 8482 section 4).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum AnyAnswer {
    /// One RRset that is there, or the addresses that steering chooses.
    #[default]
    OneSet,
    /// An HINFO record that names the RFC.
    Hinfo,
}

impl Manners {
    /// The UDP message size, never below [`MIN_ROOM`].
    #[inline]
    #[allow(clippy::cast_possible_truncation, reason = "512")]
    pub fn udp_size(&self) -> u16 {
        self.udp_size.max(MIN_ROOM as u16)
    }

    /// What [`Asked::limited`] wants to know of a client over UDP, if cookies make a difference to
    /// who is limited.
    #[inline]
    pub(crate) fn limited(&self, source: IpAddr, now: Option<Ticks>) -> bool {
        let (Some(now), Some(limiter), Some(cookies)) = (now, &self.limiter, &self.cookies) else {
            return false;
        };
        cookies.badcookie == BadCookie::WhenLimited && limiter.is_over(source, now)
    }
}

impl Default for Manners {
    fn default() -> Self {
        Self {
            udp_size: UDP_SIZE,
            unproven_size: None,
            cookies: None,
            any: AnyAnswer::default(),
            extended_errors: ExtendedErrors::default(),
            nsid: Box::default(),
            chaos_id: Box::default(),
            chaos_version: Box::default(),
            zone_version: true,
            tcp: TcpLimits::default(),
            limiter: None,
            log: None,
        }
    }
}

/// The circumstances of one query: what an answer depends on besides Table and octets.
#[derive(Debug, Clone, Copy)]
pub struct Asked<'m> {
    /// The address it came from.
    pub source: IpAddr,
    /// How it came, and how its answer goes.
    pub transport: Transport,
    /// A random number.
    pub draw: u64,
    /// Seconds since 1970, modulo 2³².
    pub now: u32,
    /// Whether a limit would silence this client if it does not prove its address
    /// ([`BadCookie::WhenLimited`](crate::BadCookie::WhenLimited)).
    pub limited: bool,
    /// How this node speaks.
    pub manners: &'m Manners,
}

/// A thread's hold on the manners in force.
#[derive(Debug, Clone)]
pub(crate) struct MannersReader {
    told: watch::Receiver<Arc<Manners>>,
    current: Arc<Manners>,
}

impl MannersReader {
    pub(crate) fn new(mut told: watch::Receiver<Arc<Manners>>) -> Self {
        let current = Arc::clone(&told.borrow_and_update());
        Self { told, current }
    }

    /// The manners in force: one atomic load as long as they are the same.
    #[inline]
    pub(crate) fn load(&mut self) -> &Arc<Manners> {
        // An error means that nobody is left to change them.
        if self.told.has_changed().unwrap_or(false) {
            self.current = Arc::clone(&self.told.borrow_and_update());
        }
        &self.current
    }
}

/// Seconds since 1970, modulo 2³²: what [`Asked::now`] wants. Read once a batch.
#[allow(clippy::cast_possible_truncation, reason = "modulo is what is wanted")]
pub(crate) fn clock() -> u32 {
    std::time::SystemTime::now()
        .duration_since(std::time::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs() as u32)
}
