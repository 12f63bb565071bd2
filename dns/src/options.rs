//! HOT. The EDNS options that a query may carry besides the client subnet, and what the response
//! says to them: cookie, NSID, zone version, keepalive.
//!
//! Most queries carry none of them: one test of [`Asks::any`] is all they pay.

use crate::answer::Transport;
use crate::cookie::{BadCookie, Checked, CookieSeen, SentCookie, WHOLE};
use crate::manners::Asked;
use crate::query::Edns;

/// Option codes (IANA, DNS EDNS0 Option Codes).
pub(crate) mod code {
    pub(crate) const NSID: u16 = 3;
    pub(crate) const CLIENT_SUBNET: u16 = 8;
    pub(crate) const COOKIE: u16 = 10;
    pub(crate) const KEEPALIVE: u16 = 11;
    pub(crate) const EXTENDED_ERROR: u16 = 15;
    pub(crate) const ZONE_VERSION: u16 = 19;
}

/// Octets of an option before its data.
pub(crate) const OPTION: usize = 4;
/// Octets of a zone version: labels, type, serial (RFC 9660 section 2).
const ZONE_VERSION: usize = OPTION + 6;
const COOKIE: usize = OPTION + WHOLE;
const KEEPALIVE: usize = OPTION + 2;

/// Which of these options a query carries.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) struct Asks(u8);

impl Asks {
    const NSID: u8 = 1;
    const COOKIE: u8 = 2;
    const WRONG_COOKIE: u8 = 4;
    const KEEPALIVE: u8 = 8;
    const WRONG_KEEPALIVE: u8 = 16;
    const ZONE_VERSION: u8 = 32;
    const WRONG_ZONE_VERSION: u8 = 64;

    /// Whether there is any.
    #[inline]
    pub(crate) const fn any(self) -> bool {
        self.0 != 0
    }

    const fn has(self, what: u8) -> bool {
        self.0 & what != 0
    }
}

impl<'b> Edns<'b> {
    /// Takes note of an option. What is wrong with it is told when it is known whether anybody
    /// cares: a server that does not do cookies must not see them (RFC 7873 section 5.2).
    #[cold]
    pub(crate) fn note(&mut self, code: u16, data: &'b [u8]) {
        let or_wrong = |right, wrong| if data.is_empty() { right } else { wrong };
        self.asks.0 |= match code {
            // RFC 5001 section 2.2: the server ignores what is in it.
            code::NSID => Asks::NSID,
            code::ZONE_VERSION => or_wrong(Asks::ZONE_VERSION, Asks::WRONG_ZONE_VERSION),
            code::KEEPALIVE => or_wrong(Asks::KEEPALIVE, Asks::WRONG_KEEPALIVE),
            // RFC 7873 section 5.2: of several only the first is considered.
            code::COOKIE if self.asks.has(Asks::COOKIE | Asks::WRONG_COOKIE) => 0,
            code::COOKIE => match SentCookie::read(data) {
                Some(_) => {
                    self.cookie = data;
                    Asks::COOKIE
                }
                None => Asks::WRONG_COOKIE,
            },
            _ => 0,
        };
    }
}

/// What a response says to these options.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Extras<'m> {
    pub(crate) cookie: Option<Checked>,
    /// What the cookie was, if there was one and this node does cookies.
    pub(crate) seen: Option<CookieSeen>,
    /// Empty if not asked for.
    pub(crate) nsid: &'m [u8],
    /// In units of 100 ms (RFC 7828 section 3.1).
    pub(crate) keepalive: Option<u16>,
    pub(crate) zone_version: bool,
    /// An option breaks its rules: FORMERR.
    pub(crate) malformed: bool,
    /// The cookie is not valid, and must be: BADCOOKIE.
    pub(crate) unproven: bool,
}

impl<'m> Extras<'m> {
    /// `None` if the query carries none of these options.
    #[inline]
    pub(crate) fn asked(edns: Option<&Edns<'_>>, asked: &Asked<'m>) -> Option<Self> {
        let edns = edns.filter(|edns| edns.asks.any())?;
        Some(Self::of(edns, asked))
    }

    #[cold]
    fn of(edns: &Edns<'_>, asked: &Asked<'m>) -> Self {
        let manners = asked.manners;
        let tcp = asked.transport == Transport::Tcp;
        let asks = edns.asks;
        let cookies = manners.cookies.as_ref();
        let checked = cookies
            .zip(SentCookie::read(edns.cookie))
            .map(|(cookies, sent)| {
                let checked = cookies.check(&sent, asked.source, asked.now);
                let required = match cookies.badcookie {
                    BadCookie::Always => true,
                    BadCookie::WhenLimited => asked.limited,
                    BadCookie::Off => false,
                };
                // A client that reached us over TCP has proved its address (RFC 7873 section 5.2.3).
                (checked, required && !checked.valid() && !tcp)
            });
        let malformed_cookie = cookies.is_some() && asks.has(Asks::WRONG_COOKIE);
        let malformed = malformed_cookie.then_some(CookieSeen::Malformed);
        let idle = manners.tcp.idle.as_millis() / 100;
        let is_proven = checked.as_ref().is_some_and(|(checked, _)| checked.valid());
        let is_watched = manners.unproven_size.is_some() && !tcp && !is_proven;
        let keepalive = tcp && asks.has(Asks::KEEPALIVE);
        Self {
            cookie: checked.map(|(checked, _)| checked),
            seen: checked.map_or(malformed, |(checked, _)| Some(checked.seen)),
            // Not where the answer must stay small until the client has proved its address.
            nsid: match asks.has(Asks::NSID) && !is_watched {
                true => &manners.nsid,
                false => &[],
            },
            keepalive: keepalive.then(|| u16::try_from(idle).unwrap_or(u16::MAX)),
            zone_version: manners.zone_version && asks.has(Asks::ZONE_VERSION),
            malformed: malformed_cookie
                // RFC 7828 section 3.2.1: over UDP it is ignored.
                || tcp && asks.has(Asks::WRONG_KEEPALIVE)
                || manners.zone_version && asks.has(Asks::WRONG_ZONE_VERSION),
            unproven: checked.is_some_and(|(_, unproven)| unproven),
        }
    }

    /// Whether the client has proved by a cookie that it receives at its address.
    #[inline]
    pub(crate) fn proven(&self) -> bool {
        self.cookie.is_some_and(|checked| checked.valid())
    }

    /// Octets that these options take at most.
    pub(crate) fn room(&self) -> usize {
        let nsid = match self.nsid.len() {
            0 => 0,
            len => OPTION + len,
        };
        let has = |there: bool, octets| if there { octets } else { 0 };
        nsid + has(self.cookie.is_some(), COOKIE)
            + has(self.keepalive.is_some(), KEEPALIVE)
            + has(self.zone_version, ZONE_VERSION)
    }
}
