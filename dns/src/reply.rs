//! HOT. What is known of a response besides its octets: for counters, limits and logs.

use windrose_model::AppId;
use windrose_telemetry::Prefix;

use crate::cookie::CookieSeen;
use crate::extended_error::ExtendedError;
use crate::message::{Message, OPT, Rcode};
use crate::options::{OPTION, code};
use crate::query::{HEADER, Head, TC};

/// A response in the caller's buffer, and what to count it as.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reply {
    /// Octets of the message; zero if the buffer was too small to hold any.
    pub len: usize,
    /// Its response code.
    pub rcode: Rcode,
    /// What kind of answer it is.
    pub class: AnswerClass,
    /// Type of the question; 0 if there was none.
    pub qtype: u16,
    /// Slot of the zone the question lies in.
    pub zone: Option<u32>,
    /// Where it leads, if it was steered.
    pub steered: Option<Steered>,
    /// Scope of the client subnet option, if the client sent one (RFC 7871 section 7.2.1).
    pub scope: u8,
    /// Whether something did not fit.
    pub truncated: bool,
    /// What the query's cookie was, if it had one and this node does cookies.
    pub cookie: Option<CookieSeen>,
    /// Why it is so, whether or not the client could be told.
    pub(crate) error: Option<ExtendedError>,
    /// Octets of the question behind the header.
    question: u16,
    /// Octets of the OPT record at the end.
    opt: u16,
}

/// Kinds of answers that are limited apart from each other, as in BIND's response rate limiting.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u8)]
pub enum AnswerClass {
    /// Records of a name that exists, or too many of them for this message.
    Positive,
    /// Records made from a wildcard or DNAME: any name has them.
    Wildcard,
    /// The name does not exist.
    NxDomain,
    /// The name exists, the type does not.
    NoData,
    /// Another server knows.
    Referral,
    /// Everything else: refused, malformed, failed.
    Error,
}

impl AnswerClass {
    /// How many there are.
    pub const COUNT: usize = 6;
    /// All, in order of their numbers.
    pub const ALL: [Self; Self::COUNT] = [
        Self::Positive,
        Self::Wildcard,
        Self::NxDomain,
        Self::NoData,
        Self::Referral,
        Self::Error,
    ];

    /// As in labels, keys and logs.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Positive => "positive",
            Self::Wildcard => "wildcard",
            Self::NxDomain => "nxdomain",
            Self::NoData => "nodata",
            Self::Referral => "referral",
            Self::Error => "error",
        }
    }
}

/// Where a steered answer leads.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Steered {
    /// The app of the Table that answered.
    pub app: AppId,
    /// The leading cluster, by its local number in the app.
    pub cluster: u8,
    /// Number of (app, cluster) for metrics.
    pub slot: u32,
    /// Whom the answer is for: the client's subnet if the resolver told it, else where the query came
    /// from.
    pub client: Prefix,
}

/// What the header, the counters and the client subnet option will say.
pub(crate) struct Verdict {
    pub(crate) rcode: Rcode,
    pub(crate) authoritative: bool,
    /// 0 unless the answer was steered: then the same for everyone would be a lie (RFC 7871
    /// section 7.2.1).
    pub(crate) scope: u8,
    pub(crate) zone: Option<u32>,
    pub(crate) steered: Option<Steered>,
    /// Names that strangers make up have this answer too.
    pub(crate) wildcard: bool,
    /// Why it is so, if that is not plain.
    pub(crate) error: Option<ExtendedError>,
}

impl Verdict {
    pub(crate) const fn plain(rcode: Rcode) -> Self {
        Self {
            rcode,
            authoritative: false,
            scope: 0,
            zone: None,
            steered: None,
            wildcard: false,
            error: None,
        }
    }

    pub(crate) const fn because(rcode: Rcode, error: ExtendedError) -> Self {
        Self {
            error: Some(error),
            ..Self::plain(rcode)
        }
    }
}

impl Reply {
    pub(crate) const fn none() -> Self {
        Self {
            len: 0,
            rcode: Rcode::ServFail,
            class: AnswerClass::Error,
            qtype: 0,
            zone: None,
            steered: None,
            scope: 0,
            truncated: false,
            cookie: None,
            error: None,
            question: 0,
            opt: 0,
        }
    }

    /// The question as the message echoes it; empty if it echoes none.
    #[inline]
    pub fn question<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        let end = HEADER + usize::from(self.question);
        message.get(HEADER..end).unwrap_or_default()
    }

    /// What keeps answers with records apart in limits: the question, without its type where the
    /// answer begins with a record of another one. An alias answers every type, and types can be made
    /// up as names can.
    #[inline]
    pub(crate) fn kept_apart_by<'m>(&self, message: &'m [u8]) -> &'m [u8] {
        /// Type and class.
        const TAIL: usize = 4;
        let question = self.question(message);
        // The first record's owner is a pointer to the question or a part of it.
        let rtype = message.get(HEADER + question.len() + 2..);
        match rtype.and_then(|octets| octets.first_chunk::<2>()) {
            Some(rtype) if u16::from_be_bytes(*rtype) != self.qtype => question
                .get(..question.len().saturating_sub(TAIL))
                .unwrap_or_default(),
            _ => question,
        }
    }

    /// Cuts the message down to header, question and OPT record, marked as truncated; gives its new
    /// length. Of the options those stay that came as long: the client subnet (RFC 7871 section
    /// 7.2.1), and a cookie that renews one of ours. So the message is no longer than the query was.
    /// Without a question there is nothing to ask again by TCP: then it is gone.
    pub fn cut(&self, message: &mut [u8]) -> usize {
        let (question, opt) = (usize::from(self.question), usize::from(self.opt));
        let end = HEADER + question;
        if question == 0 || self.len > message.len() || self.len < end + opt {
            return 0;
        }
        message.copy_within(self.len - opt..self.len, end);
        message[2] |= (TC >> 8) as u8;
        message[6..11].fill(0);
        message[11] = u8::from(opt > 0);
        let kept: &[u16] = match self.cookie {
            Some(CookieSeen::Valid | CookieSeen::Expired) => &[code::CLIENT_SUBNET, code::COOKIE],
            _ => &[code::CLIENT_SUBNET],
        };
        end + keep(&mut message[end..end + opt], kept)
    }
}

/// Leaves of an OPT record the options that are kept, which are written first; gives its new length.
fn keep(opt: &mut [u8], kept: &[u16]) -> usize {
    let Some((fixed, options)) = opt.split_first_chunk_mut::<OPT>() else {
        return opt.len();
    };
    let mut end = 0;
    while let Some([c0, c1, l0, l1]) = options[end..].first_chunk::<OPTION>()
        && kept.contains(&u16::from_be_bytes([*c0, *c1]))
    {
        end += OPTION + usize::from(u16::from_be_bytes([*l0, *l1]));
        end = end.min(options.len());
    }
    #[allow(clippy::cast_possible_truncation, reason = "part of a message")]
    let len = end as u16;
    [fixed[OPT - 2], fixed[OPT - 1]] = len.to_be_bytes();
    OPT + end
}

impl Message<'_> {
    #[inline]
    pub(crate) fn reply(&mut self, head: Head, verdict: &Verdict) -> Reply {
        let (truncated, question) = (self.is_truncated(), self.question_len());
        let qtype = self.qtype();
        let class = match verdict.rcode {
            Rcode::NoError if (self.has_answers() || truncated) && verdict.wildcard => {
                AnswerClass::Wildcard
            }
            Rcode::NoError if self.has_answers() || truncated => AnswerClass::Positive,
            Rcode::NoError if verdict.authoritative => AnswerClass::NoData,
            Rcode::NoError => AnswerClass::Referral,
            Rcode::NxDomain => AnswerClass::NxDomain,
            _ => AnswerClass::Error,
        };
        let (records_end, cookie) = (self.position(), self.cookie_seen());
        let len = self.finish(
            head,
            verdict.rcode,
            verdict.authoritative,
            verdict.scope,
            verdict.error,
        );
        #[allow(clippy::cast_possible_truncation, reason = "parts of a message")]
        Reply {
            len,
            rcode: verdict.rcode,
            class,
            qtype,
            zone: verdict.zone,
            steered: verdict.steered,
            scope: verdict.scope,
            truncated,
            cookie,
            error: verdict.error,
            question,
            opt: (len - records_end) as u16,
        }
    }
}
