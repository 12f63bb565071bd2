//! HOT. Writes a response into a caller's buffer: header, echo of the question, whole RRsets, OPT.
//!
//! Knows the wire (RFC 1035 section 4) and nothing of zones or steering.

use windrose_routing::AnswerSet;

use crate::query::{AA, Edns, HEADER, Head, OPCODE, QR, RD, TC, rtype};

/// Octets of an OPT record without options.
const OPT: usize = 11;
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
    /// The EDNS version is not known (RFC 6891 section 9); needs an OPT record.
    BadVers = 16,
}

/// A response being written. Every write checks that the OPT record still fits behind it.
pub(crate) struct Message<'o> {
    out: &'o mut [u8],
    at: usize,
    /// Where records must end, the OPT record's octets being kept back.
    end: usize,
    answers: u16,
    authorities: u16,
    truncated: bool,
    question: u16,
    udp_size: u16,
    edns: Option<Edns>,
}

impl<'o> Message<'o> {
    /// Begins with the echo of `question`, which may be empty. `None` if `out` cannot even hold
    /// that and an OPT record; 512 octets always can. `udp_size` is what we announce to take.
    #[inline]
    pub(crate) fn new(
        out: &'o mut [u8],
        limit: usize,
        udp_size: u16,
        question: &[u8],
        edns: Option<Edns>,
    ) -> Option<Self> {
        let limit = limit.min(out.len());
        let opt = edns.map_or(0, |e| OPT + e.subnet.map_or(0, |s| s.wire_len()));
        let at = HEADER + question.len();
        let end = limit.checked_sub(opt).filter(|end| at <= *end)?;
        out[HEADER..at].copy_from_slice(question);
        Some(Self {
            out,
            at,
            end,
            answers: 0,
            authorities: 0,
            truncated: false,
            #[allow(clippy::cast_possible_truncation, reason = "at most 259")]
            question: question.len() as u16,
            udp_size,
            edns,
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
    pub(crate) fn answer(&mut self, set: &AnswerSet, owner: u16, ttl: u32) {
        self.answers += set.count;
        self.append(set, owner, ttl);
    }

    /// Appends records to the authority section, if they fit.
    #[inline]
    pub(crate) fn authority(&mut self, set: &AnswerSet, owner: u16, ttl: u32) {
        if self.fits(set.wire.len()) {
            self.authorities += set.count;
            self.append(set, owner, ttl);
        }
    }

    /// Copies the records of a set and patches owners and TTLs where they differ from what was
    /// compiled.
    #[inline]
    fn append(&mut self, set: &AnswerSet, owner: u16, ttl: u32) {
        let Some(to) = self.out.get_mut(self.at..self.at + set.wire.len()) else {
            return;
        };
        to.copy_from_slice(&set.wire);
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

    /// Writes the OPT record and the header; returns the length of the message. `scope` is the
    /// client subnet scope, if the client sent that option.
    #[inline]
    pub(crate) fn finish(
        mut self,
        head: Head,
        rcode: Rcode,
        authoritative: bool,
        scope: u8,
    ) -> usize {
        let code = rcode as u8;
        if let Some(edns) = self.edns {
            self.opt(&edns, code >> 4, scope);
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
        let (question, opt) = (u8::from(self.question > 0), u8::from(self.edns.is_some()));
        if let Some(header) = self.out.first_chunk_mut::<HEADER>() {
            *header = [i0, i1, f0, f1, 0, question, a0, a1, n0, n1, 0, opt];
        }
        self.at
    }

    #[inline]
    fn opt(&mut self, edns: &Edns, rcode_high: u8, scope: u8) {
        let options = edns.subnet.map_or(0, |s| s.wire_len());
        let Some(to) = self.out.get_mut(self.at..self.at + OPT + options) else {
            return;
        };
        let [t0, t1] = rtype::OPT.to_be_bytes();
        let [s0, s1] = self.udp_size.to_be_bytes();
        let dnssec_ok = u8::from(edns.dnssec_ok) << 7;
        #[allow(clippy::cast_possible_truncation, reason = "at most 24")]
        let len = options as u8;
        let (fixed, option) = to.split_at_mut(OPT);
        fixed.copy_from_slice(&[0, t0, t1, s0, s1, rcode_high, 0, dnssec_ok, 0, 0, len]);
        if let Some(subnet) = edns.subnet {
            option.copy_from_slice(&subnet.echo(scope)[..options]);
        }
        self.at += OPT + options;
    }
}
