//! HOT. Writes a response into a caller's buffer: header, echo of the question, whole RRsets, OPT.
//!
//! Knows the wire (RFC 1035 section 4) and nothing of zones or steering.

use windrose_routing::AnswerRef;

use crate::cookie::CookieSeen;
use crate::extended_error::ExtendedError;
use crate::manners::{Asked, Manners};
use crate::options::{Extras, OPTION, code};
use crate::query::{AA, Edns, HEADER, Head, OPCODE, QR, RD, TC, rtype};
use crate::subnet::Subnet;

/// Octets of an OPT record without options.
pub(crate) const OPT: usize = 11;
/// Octets of a record before its data, its owner being a pointer.
pub(crate) const FIXED: usize = 12;
/// Where the owner of the question begins, as a compression pointer (RFC 1035 section 4.1.4).
pub(crate) const QUESTION: u16 = 0xc000 | HEADER as u16;

/// Response codes (RFC 1035 section 4.1.1, RFC 6895 section 2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum Rcode {
    /// No error.
    NoError = 0,
    /// The query could not be read.
    FormErr = 1,
    /// The operator chose it for when all clusters are down.
    ServFail = 2,
    /// The name does not exist.
    NxDomain = 3,
    /// The operation is not known here.
    NotImp = 4,
    /// Not our name, class or business.
    Refused = 5,
    /// A DNAME leads to a name that is too long (RFC 6672 section 2.2).
    YxDomain = 6,
    /// The EDNS version is not known (RFC 6891 section 9); needs an OPT record.
    BadVers = 16,
    /// The cookie is not valid; the response carries one that is (RFC 7873 section 5.2.3).
    BadCookie = 23,
}

/// A response being written. Every write checks that the OPT record still fits behind it.
pub(crate) struct Message<'m> {
    out: &'m mut [u8],
    at: usize,
    /// Where records must end, the OPT record's octets being kept back.
    end: usize,
    answers: u16,
    authorities: u16,
    additionals: u16,
    truncated: bool,
    question: u16,
    zone_version: Option<(u8, u32)>,
    opt: Option<Opt<'m>>,
}

/// What the OPT record will say, as far as it is known before the answer. References only: it is
/// copied along with the message.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Opt<'m> {
    /// What it answers.
    pub(crate) edns: &'m Edns<'m>,
    pub(crate) manners: &'m Manners,
    /// What options beyond the client subnet ask for, if there are any.
    pub(crate) extras: Option<&'m Extras<'m>>,
}

impl<'m> Opt<'m> {
    #[inline]
    pub(crate) fn of(
        edns: Option<&'m Edns<'m>>,
        asked: &Asked<'m>,
        extras: Option<&'m Extras<'m>>,
    ) -> Option<Self> {
        edns.map(|edns| Self {
            edns,
            manners: asked.manners,
            extras,
        })
    }

    /// Octets of the record, but for what is written only where there is room.
    #[inline]
    fn room(&self) -> usize {
        let subnet = self.edns.subnet.as_ref();
        OPT + subnet.map_or(0, Subnet::wire_len) + self.extras.map_or(0, Extras::room)
    }
}

impl<'m> Message<'m> {
    /// Begins with the echo of `question`, which may be empty. `None` if `out` cannot even hold
    /// that and an OPT record; 512 octets always can.
    #[inline]
    pub(crate) fn new(
        out: &'m mut [u8],
        limit: usize,
        question: &[u8],
        opt: Option<Opt<'m>>,
    ) -> Option<Self> {
        let room = opt.as_ref().map_or(0, Opt::room);
        let at = HEADER + question.len();
        // However small the limit: these two are sent.
        let limit = limit.max(at + room);
        let out = out.get_mut(..limit.min(out.len()))?;
        let end = out.len().checked_sub(room).filter(|end| at <= *end)?;
        out[HEADER..at].copy_from_slice(question);
        Some(Self {
            out,
            at,
            end,
            answers: 0,
            authorities: 0,
            additionals: 0,
            truncated: false,
            #[allow(clippy::cast_possible_truncation, reason = "at most 259")]
            question: question.len() as u16,
            zone_version: None,
            opt,
        })
    }

    /// Where the next record would begin.
    #[inline]
    pub(crate) fn position(&self) -> usize {
        self.at
    }

    /// Octets of the question.
    #[inline]
    pub(crate) fn question_len(&self) -> u16 {
        self.question
    }

    /// Type of the question; 0 without one.
    #[inline]
    pub(crate) fn qtype(&self) -> u16 {
        let behind = self.out.get(HEADER..HEADER + usize::from(self.question));
        let octets = behind.and_then(|question| question.last_chunk::<4>());
        octets.map_or(0, |[t0, t1, ..]| u16::from_be_bytes([*t0, *t1]))
    }

    /// Octets that were written, or the question's.
    #[inline]
    pub(crate) fn octets(&self, at: usize, len: usize) -> &[u8] {
        self.out.get(at..at + len).unwrap_or_default()
    }

    /// Whether there are records in the answer section.
    #[inline]
    pub(crate) fn has_answers(&self) -> bool {
        self.answers > 0
    }

    /// Whether something did not fit.
    #[inline]
    pub(crate) fn is_truncated(&self) -> bool {
        self.truncated
    }

    /// Whether `octets` more still fit; if not, the response is marked as truncated (RFC 2181
    /// section 9): an RRset is sent whole or not at all.
    #[inline]
    pub(crate) fn fits(&mut self, octets: usize) -> bool {
        let fits = octets <= self.end - self.at;
        self.truncated |= !fits;
        fits
    }

    /// Appends records to the answer section. The caller has checked [`fits`](Self::fits).
    #[inline]
    pub(crate) fn answer(&mut self, set: AnswerRef<'_>, owner: u16, ttl: u32) {
        self.answers += set.count;
        self.append(set, owner, ttl);
    }

    /// Appends records to the authority section, if they fit.
    #[inline]
    pub(crate) fn authority(&mut self, set: AnswerRef<'_>, owner: u16, ttl: u32) {
        if self.fits(set.wire.len()) {
            self.authorities += set.count;
            self.append(set, owner, ttl);
        }
    }

    /// Appends records to the additional section, if they fit; if not, the response is marked as
    /// truncated when they `are_needed`. Nothing else may follow.
    pub(crate) fn additional(&mut self, set: AnswerRef<'_>, owner: u16, are_needed: bool) {
        if set.wire.len() <= self.end - self.at {
            self.additionals += set.count;
            self.append(set, owner, set.ttl);
        } else {
            self.truncated |= are_needed;
        }
    }

    /// Appends a CNAME record to the answer section. The caller has checked [`fits`](Self::fits).
    pub(crate) fn alias(&mut self, owner: u16, ttl: u32, target: &[u8]) {
        let Some(to) = self.out.get_mut(self.at..self.at + FIXED + target.len()) else {
            return;
        };
        let (fixed, data) = to.split_at_mut(FIXED);
        let [o0, o1] = owner.to_be_bytes();
        let [t0, t1, t2, t3] = ttl.to_be_bytes();
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a name has at most 255 octets"
        )]
        let len = target.len() as u8;
        fixed.copy_from_slice(&[o0, o1, 0, 5, 0, 1, t0, t1, t2, t3, 0, len]);
        data.copy_from_slice(target);
        self.at += FIXED + target.len();
        self.answers += 1;
    }

    /// Copies the records of a set and patches owners and TTLs where they differ from what was
    /// compiled.
    #[inline]
    fn append(&mut self, set: AnswerRef<'_>, owner: u16, ttl: u32) {
        let Some(to) = self.out.get_mut(self.at..self.at + set.wire.len()) else {
            return;
        };
        to.copy_from_slice(set.wire);
        self.at += set.wire.len();
        if owner == QUESTION && ttl == set.ttl {
            return;
        }
        let mut records = to;
        while let Some((fixed, rest)) = records.split_first_chunk_mut::<FIXED>() {
            [fixed[0], fixed[1]] = owner.to_be_bytes();
            [fixed[6], fixed[7], fixed[8], fixed[9]] = ttl.to_be_bytes();
            let data = usize::from(u16::from_be_bytes([fixed[10], fixed[11]]));
            records = rest.split_at_mut_checked(data).map_or(&mut [], |(_, r)| r);
        }
    }

    /// Appends one record of our own making to the answer section, if it fits; its data is
    /// `strings`, each behind its length (RFC 1035 section 3.3).
    #[cold]
    pub(crate) fn strings(&mut self, rtype: u16, class: u16, ttl: u32, strings: &[&[u8]]) {
        let data: usize = strings.iter().map(|s| 1 + s.len()).sum();
        if !self.fits(FIXED + data) {
            return;
        }
        #[allow(
            clippy::cast_possible_truncation,
            reason = "a few strings below 256 octets"
        )]
        let len = (data as u16).to_be_bytes();
        self.put(&QUESTION.to_be_bytes());
        self.put(&rtype.to_be_bytes());
        self.put(&class.to_be_bytes());
        self.put(&ttl.to_be_bytes());
        self.put(&len);
        for string in strings {
            #[allow(clippy::cast_possible_truncation, reason = "see above")]
            self.put(&[string.len() as u8]);
            self.put(string);
        }
        self.answers += 1;
    }

    /// Appends octets for which there is room.
    fn put(&mut self, octets: &[u8]) {
        if let Some(to) = self.out.get_mut(self.at..self.at + octets.len()) {
            to.copy_from_slice(octets);
            self.at += octets.len();
        }
    }

    /// Whether the client asked for the version of the zone (RFC 9660).
    #[inline]
    pub(crate) fn wants_zone_version(&self) -> bool {
        self.extras_asked()
            .is_some_and(|extras| extras.zone_version)
    }

    /// The zone that the question lies in: labels of its apex, serial of its SOA record.
    pub(crate) fn zone_version(&mut self, labels: u8, serial: u32) {
        self.zone_version = Some((labels, serial));
    }

    /// What options beyond the client subnet ask for.
    #[inline]
    pub(crate) fn extras_asked(&self) -> Option<&'m Extras<'m>> {
        self.opt.and_then(|opt| opt.extras)
    }

    /// What the query's cookie was, if there was one.
    #[inline]
    pub(crate) fn cookie_seen(&self) -> Option<CookieSeen> {
        self.extras_asked().and_then(|extras| extras.seen)
    }

    /// Writes the OPT record and the header; returns the length of the message. `scope` is the
    /// client subnet scope, if the client sent that option.
    #[inline]
    pub(crate) fn finish(
        &mut self,
        head: Head,
        rcode: Rcode,
        authoritative: bool,
        scope: u8,
        error: Option<ExtendedError>,
    ) -> usize {
        let code = rcode as u8;
        let has_opt = self.opt.is_some();
        if let Some(opt) = self.opt {
            let begin = self.at;
            self.opt(&opt, code >> 4, scope);
            if opt.extras.is_some() || error.is_some() {
                self.extras(begin, &opt, error);
            }
        }
        let mut flags = QR | (head.flags & (OPCODE | RD)) | u16::from(code & 0x0f);
        if authoritative {
            flags |= AA;
        }
        if self.truncated {
            flags |= TC;
        }
        let [i0, i1] = head.id.to_be_bytes();
        let [f0, f1] = flags.to_be_bytes();
        let [a0, a1] = self.answers.to_be_bytes();
        let [n0, n1] = self.authorities.to_be_bytes();
        let [r0, r1] = (self.additionals + u16::from(has_opt)).to_be_bytes();
        let question = u8::from(self.question > 0);
        if let Some(header) = self.out.first_chunk_mut::<HEADER>() {
            *header = [i0, i1, f0, f1, 0, question, a0, a1, n0, n1, r0, r1];
        }
        self.at
    }

    #[inline]
    fn opt(&mut self, opt: &Opt<'_>, rcode_high: u8, scope: u8) {
        let subnet = opt.edns.subnet.as_ref();
        let options = subnet.map_or(0, Subnet::wire_len);
        let Some(to) = self.out.get_mut(self.at..self.at + OPT + options) else {
            return;
        };
        let [t0, t1] = rtype::OPT.to_be_bytes();
        let [s0, s1] = opt.manners.udp_size().to_be_bytes();
        // Of the flags only DO comes back; what is not known is 0 (RFC 6891 section 6.1.4).
        let dnssec_ok = u8::from(opt.edns.dnssec_ok) << 7;
        #[allow(clippy::cast_possible_truncation, reason = "at most 24")]
        let len = options as u8;
        let (fixed, option) = to.split_at_mut(OPT);
        fixed.copy_from_slice(&[0, t0, t1, s0, s1, rcode_high, 0, dnssec_ok, 0, 0, len]);
        if let Some(subnet) = subnet {
            option.copy_from_slice(&subnet.echo(scope)[..options]);
        }
        self.at += OPT + options;
    }

    /// Appends further options to the OPT record that begins at `begin`.
    #[cold]
    fn extras(&mut self, begin: usize, opt: &Opt<'_>, error: Option<ExtendedError>) {
        if let Some(extras) = opt.extras {
            if let Some(checked) = &extras.cookie {
                self.option(code::COOKIE, &checked.cookie, &[]);
            }
            if !extras.nsid.is_empty() {
                self.option(code::NSID, extras.nsid, &[]);
            }
            if let Some(timeout) = extras.keepalive {
                self.option(code::KEEPALIVE, &timeout.to_be_bytes(), &[]);
            }
        }
        if let Some((labels, serial)) = self.zone_version {
            // Type 0: the serial of the SOA record (RFC 9660 section 2.1).
            self.option(code::ZONE_VERSION, &[labels, 0], &serial.to_be_bytes());
        }
        // Only where there is room: it must never cost a record (RFC 8914 section 3).
        if let Some((number, reason)) =
            error.and_then(|error| error.told(opt.manners.extended_errors))
        {
            let left = self.out.len() - self.at;
            let fixed = OPTION + 2;
            let reason = reason.as_bytes();
            if fixed + reason.len() <= left {
                self.option(code::EXTENDED_ERROR, &number.to_be_bytes(), reason);
            } else if fixed <= left && number != 0 {
                self.option(code::EXTENDED_ERROR, &number.to_be_bytes(), &[]);
            }
        }
        let len = u16::try_from(self.at - begin - OPT).unwrap_or(0);
        if let Some(to) = self.out.get_mut(begin + OPT - 2..begin + OPT) {
            to.copy_from_slice(&len.to_be_bytes());
        }
    }

    /// An option, its data in two parts.
    fn option(&mut self, code: u16, data: &[u8], more: &[u8]) {
        let len = u16::try_from(data.len() + more.len()).unwrap_or(0);
        self.put(&code.to_be_bytes());
        self.put(&len.to_be_bytes());
        self.put(data);
        self.put(more);
    }
}
