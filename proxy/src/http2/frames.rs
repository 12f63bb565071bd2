//! HOT. Frame headers of a client, read along with the engine, for what it does not bound: frames
//! that cost us work and do none, streams that are reset as fast as they are opened, heads that never
//! end. Pure but for the time, which comes in.
//!
//! The engine bounds by itself: the size of heads, the number of CONTINUATION frames, tiny DATA frames
//! that wait to be read, streams reset before they were taken up, faults of a client that we answer
//! with a reset.

use std::time::{Duration, Instant};

/// Follows the frames of one connection.
#[derive(Debug)]
pub(crate) struct Frames {
    /// The header of a frame, as far as it came.
    header: [u8; HEADER],
    have: usize,
    /// Octets left of the frame's payload.
    left: usize,
    kind: u8,
    /// A head has begun and its last frame has not.
    head_open: bool,
    /// Number of the frame, or of the first one of a head.
    serial: u64,
    /// The serial that was incomplete when it was last looked, and since when.
    pending: Option<(u64, Instant)>,
    chores: Allowance,
    resets: Allowance,
    excess: Option<Excess>,
}

/// What a client has done too much of.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Excess {
    /// Frames that ask for nothing: SETTINGS, PING, PRIORITY, WINDOW_UPDATE, empty DATA, unknown ones.
    Chores,
    /// RST_STREAM.
    Resets,
}

const HEADER: usize = 9;

const DATA: u8 = 0;
const HEADERS: u8 = 1;
const RST_STREAM: u8 = 3;
const CONTINUATION: u8 = 9;
const END_STREAM: u8 = 1;
const END_HEADERS: u8 = 4;

/// Chores that may come in a burst, and that come back each second.
const CHORES: Rate = Rate {
    most: 1_000,
    per_second: 100,
};
/// Octets sent that earn one more chore: an honest client gives back the window of what it got.
const OCTETS_PER_CHORE: u64 = 256;
/// A whole response earns so many: two WINDOW_UPDATE, a PING and one to spare.
const CHORES_PER_RESPONSE: u64 = 4;
/// Resets that may come in a burst (a page is left), and that come back each second. A whole response
/// earns one, so that who cancels less than half is never in the way.
const RESETS: Rate = Rate {
    most: 200,
    per_second: 20,
};

#[derive(Debug, Clone, Copy)]
struct Rate {
    most: u64,
    per_second: u64,
}

/// A token bucket that is filled when it is asked.
#[derive(Debug)]
struct Allowance {
    rate: Rate,
    left: u64,
    filled: Instant,
}

impl Allowance {
    fn new(rate: Rate, now: Instant) -> Self {
        Self {
            rate,
            left: rate.most,
            filled: now,
        }
    }

    fn earn(&mut self, tokens: u64) {
        self.left = self.left.saturating_add(tokens).min(self.rate.most);
    }

    /// Whether one more may come.
    fn spend(&mut self, now: Instant) -> bool {
        if self.left == 0 {
            let passed = now.saturating_duration_since(self.filled);
            let passed = passed.min(Duration::from_secs(3_600)).as_millis() as u64;
            let tokens = passed * self.rate.per_second / 1_000;
            if tokens == 0 {
                return false;
            }
            self.filled = now;
            self.earn(tokens);
        }
        self.left -= 1;
        true
    }
}

impl Frames {
    /// From behind the preface, or from its beginning if that is still to come.
    pub(crate) fn new(now: Instant) -> Self {
        Self {
            header: [0; HEADER],
            have: 0,
            // The preface passes like the payload of a frame.
            left: PREFACE.len(),
            kind: HEADERS,
            head_open: false,
            serial: 0,
            pending: None,
            chores: Allowance::new(CHORES, now),
            resets: Allowance::new(RESETS, now),
            excess: None,
        }
    }

    /// Reads what came.
    pub(crate) fn inspect(&mut self, mut octets: &[u8]) {
        while !octets.is_empty() {
            if self.left > 0 {
                let taken = self.left.min(octets.len());
                self.left -= taken;
                octets = &octets[taken..];
                continue;
            }
            let taken = (HEADER - self.have).min(octets.len());
            self.header[self.have..self.have + taken].copy_from_slice(&octets[..taken]);
            self.have += taken;
            octets = &octets[taken..];
            if self.have == HEADER {
                self.have = 0;
                self.begin();
            }
        }
        self.note_pending();
    }

    /// A frame's header is whole.
    fn begin(&mut self) {
        let [a, b, c, kind, flags, ..] = self.header;
        let length = u32::from_be_bytes([0, a, b, c]) as usize;
        (self.left, self.kind) = (length, kind);
        if kind != CONTINUATION {
            self.serial += 1;
        }
        match kind {
            HEADERS | CONTINUATION => self.head_open = flags & END_HEADERS == 0,
            DATA if length > 0 || flags & END_STREAM != 0 => {}
            RST_STREAM => {
                if !self.resets.spend(Instant::now()) {
                    self.excess.get_or_insert(Excess::Resets);
                }
            }
            _ => {
                if !self.chores.spend(Instant::now()) {
                    self.excess.get_or_insert(Excess::Chores);
                }
            }
        }
    }

    /// Notes since when a frame or head is incomplete. The payload of DATA has deadlines of its own.
    fn note_pending(&mut self) {
        let partial = self.have > 0 || (self.left > 0 && self.kind != DATA) || self.head_open;
        // A header that has begun belongs to the next frame.
        let serial = self.serial + u64::from(self.have > 0 && !self.head_open);
        self.pending = match self.pending {
            Some((same, since)) if partial && same == serial => Some((same, since)),
            _ => partial.then(|| (serial, Instant::now())),
        };
    }

    /// Since when a head is incomplete.
    pub(crate) fn pending_since(&self) -> Option<Instant> {
        self.pending.map(|(_, since)| since)
    }

    /// What there was too much of.
    pub(crate) fn excess(&self) -> Option<Excess> {
        self.excess
    }

    /// So many octets were sent.
    pub(crate) fn sent(&mut self, octets: usize) {
        self.chores.earn(octets as u64 / OCTETS_PER_CHORE);
    }

    /// So many responses were sent whole.
    pub(crate) fn answered(&mut self, responses: u32) {
        self.chores.earn(u64::from(responses) * CHORES_PER_RESPONSE);
        self.resets.earn(u64::from(responses));
    }
}

/// What a client of HTTP/2 says first (RFC 9113 section 3.4).
pub(crate) const PREFACE: &[u8; 24] = b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n";

#[cfg(test)]
mod tests {
    use super::*;

    fn frame(kind: u8, flags: u8, payload: &[u8]) -> Vec<u8> {
        let length = (payload.len() as u32).to_be_bytes();
        let mut frame = length[1..].to_vec();
        frame.extend([kind, flags, 0, 0, 0, 1]);
        frame.extend(payload);
        frame
    }

    fn begun() -> Frames {
        let mut frames = Frames::new(Instant::now());
        frames.inspect(PREFACE);
        assert_eq!(frames.pending_since(), None);
        frames
    }

    fn flood(frame: &[u8], times: usize) -> Option<Excess> {
        let mut frames = begun();
        for _ in 0..times {
            frames.inspect(frame);
        }
        frames.excess()
    }

    #[test]
    fn frames_that_do_no_work_are_bounded() {
        for kind in [2, 4, 6, 7, 8, 16, 99] {
            let frame = frame(kind, 0, &[0; 8]);
            assert_eq!(flood(&frame, 1_000), None, "{kind}");
            assert_eq!(flood(&frame, 1_200), Some(Excess::Chores), "{kind}");
        }
        assert_eq!(flood(&frame(DATA, 0, b""), 1_200), Some(Excess::Chores));
        assert_eq!(flood(&frame(DATA, 0, b"a"), 9_000), None);
        assert_eq!(flood(&frame(HEADERS, END_HEADERS, b"a"), 9_000), None);
    }

    #[test]
    fn resets_are_bounded_by_what_was_answered() {
        let reset = frame(RST_STREAM, 0, &[0; 4]);
        assert_eq!(flood(&reset, 200), None);
        assert_eq!(flood(&reset, 300), Some(Excess::Resets));
        let mut frames = begun();
        for _ in 0..5_000 {
            frames.answered(1);
            frames.inspect(&reset);
        }
        assert_eq!(frames.excess(), None);
    }

    #[test]
    fn what_is_sent_earns_chores() {
        let update = frame(8, 0, &[0; 4]);
        let mut frames = begun();
        for _ in 0..5_000 {
            frames.sent(1_024);
            frames.inspect(&update);
            frames.inspect(&update);
        }
        assert_eq!(frames.excess(), None);
    }

    #[test]
    fn a_head_is_pending_from_its_first_octet_to_its_last() {
        let mut head = frame(HEADERS, 0, b"abc");
        head.extend(frame(CONTINUATION, 0, b"d"));
        head.extend(frame(CONTINUATION, END_HEADERS, b"e"));
        let mut frames = begun();
        let mut since = None;
        for (at, octet) in head.iter().enumerate() {
            assert_eq!(frames.pending_since().is_some(), at > 0, "{at}");
            frames.inspect(&[*octet]);
            if at == 0 {
                since = frames.pending_since();
            } else if at + 1 < head.len() {
                assert_eq!(frames.pending_since(), since, "no octet refreshes it: {at}");
            }
        }
        assert_eq!(frames.pending_since(), None);
    }

    #[test]
    fn data_that_is_under_way_is_no_pending_head() {
        let mut frames = begun();
        frames.inspect(&frame(DATA, 0, &[0; 100])[..50]);
        assert_eq!(frames.pending_since(), None);
    }
}
