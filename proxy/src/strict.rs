//! HOT
//!
//! The raw octets of requests, read along with the engine: what the engine would repair silently is
//! refused here (RFC 9112 sections 2.2, 5.2, 6 and 7.1; request smuggling lives on such repairs).
//!
//! Refused are: a line that does not end in CR LF, a CR alone, folded lines, `Content-Length` that
//! is repeated, no number, or together with `Transfer-Encoding`, and chunk sizes that are no plain
//! hexadecimal number. The guard cannot answer. In a head it spoils the octet where it found the
//! fault, and the engine refuses that with 400 and closes; a body it cuts there, reading on fails, and
//! the exchange answers. Deliberately absent: any judgement of values, which is `validate`'s.
//!
//! What follows a head with `Upgrade` may be another protocol: it is held back until it is known
//! whether the backend switched.

/// Follows the requests of one connection.
#[derive(Debug)]
pub(crate) struct Guard {
    state: State,
    /// The last octet was CR.
    cr: bool,
    /// Octets of the current line so far.
    column: usize,
    /// The beginning of a line that came in pieces.
    start: [u8; START],
    head: Head,
}

/// No octet may follow a fault; this one is legal nowhere in HTTP.
const SPOILT: u8 = 0;
/// Enough for `transfer-encoding:`, and for `content-length:` with any length we can count.
const START: usize = 40;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum State {
    /// Empty lines before a request are allowed (RFC 9112 section 2.2).
    RequestLine,
    Fields,
    /// So many octets of body are left.
    Body(u64),
    ChunkSize,
    ChunkData(u64),
    ChunkEnd,
    Trailers,
    /// A head with `Upgrade` has ended. Whoever reads on reads a request.
    Held,
    Spoilt,
    /// A body has a fault: nothing from there on is shown.
    Cut,
}

#[derive(Debug, Clone, Copy, Default)]
struct Head {
    length: Option<u64>,
    encoded: bool,
    upgrade: bool,
}

#[derive(Debug, PartialEq, Eq)]
struct Fault;

impl Default for Guard {
    fn default() -> Self {
        Self {
            state: State::RequestLine,
            cr: false,
            column: 0,
            start: [0; START],
            head: Head::default(),
        }
    }
}

impl Guard {
    /// Whether the client has begun a body and not ended it.
    pub(crate) fn is_within_body(&self) -> bool {
        !matches!(
            self.state,
            State::RequestLine | State::Fields | State::Held | State::Spoilt
        )
    }

    /// Whether a body has a fault; what follows it is not to be read.
    pub(crate) fn is_cut(&self) -> bool {
        self.state == State::Cut
    }

    /// Reads what came; spoils it from the first fault of a head on. Gives how many octets the
    /// engine may see: all, those up to the end of a head with `Upgrade`, or those before the fault of
    /// a body. The others are to be brought again, or not at all ([`Self::is_cut`]).
    pub(crate) fn inspect(&mut self, octets: &mut [u8]) -> usize {
        let mut at = 0;
        if self.state == State::Held {
            self.state = State::RequestLine;
        }
        while at < octets.len() {
            match self.state {
                State::Body(left) => at += self.skip(left, octets.len() - at, State::Body),
                State::ChunkData(left) => {
                    at += self.skip(left, octets.len() - at, State::ChunkData)
                }
                State::Spoilt => {
                    octets[at..].fill(SPOILT);
                    return octets.len();
                }
                State::Held | State::Cut => return at,
                State::RequestLine | State::Fields => match self.line(&octets[at..]) {
                    Ok(taken) => at += taken,
                    Err(taken) => {
                        at += taken;
                        self.state = State::Spoilt;
                    }
                },
                State::ChunkSize | State::ChunkEnd | State::Trailers => {
                    match self.line(&octets[at..]) {
                        Ok(taken) => at += taken,
                        Err(taken) => {
                            at += taken;
                            self.state = State::Cut;
                        }
                    }
                }
            }
        }
        at
    }

    fn skip(&mut self, left: u64, here: usize, state: fn(u64) -> State) -> usize {
        let taken = left.min(here as u64);
        self.state = match (left - taken, state(0)) {
            (0, State::ChunkData(_)) => State::ChunkEnd,
            (0, _) => State::RequestLine,
            (rest, _) => state(rest),
        };
        usize::try_from(taken).unwrap_or(here)
    }

    /// Takes octets up to the end of a line, or all there are. `Err`: the octet to spoil.
    fn line(&mut self, octets: &[u8]) -> Result<usize, usize> {
        let mut at = 0;
        if self.cr {
            return self.line_end(octets, 0);
        }
        let text = find_end(octets);
        if self.column < START {
            let fits = text.min(START - self.column);
            self.start[self.column..self.column + fits].copy_from_slice(&octets[..fits]);
        }
        self.column += text;
        at += text;
        match octets.get(at) {
            None => Ok(at),
            Some(b'\n') => Err(at),
            Some(_) => {
                self.cr = true;
                if at + 1 == octets.len() {
                    Ok(at + 1)
                } else {
                    self.line_end(octets, at + 1)
                }
            }
        }
    }

    /// The octet after a CR.
    fn line_end(&mut self, octets: &[u8], at: usize) -> Result<usize, usize> {
        if octets[at] != b'\n' {
            return Err(at);
        }
        self.cr = false;
        let length = std::mem::take(&mut self.column);
        match self.judge(length) {
            Ok(next) => {
                self.state = next;
                Ok(at + 1)
            }
            Err(Fault) => Err(at),
        }
    }

    /// What follows a whole line of so many octets.
    fn judge(&mut self, length: usize) -> Result<State, Fault> {
        let line = &self.start[..length.min(START)];
        match self.state {
            State::RequestLine if length == 0 => Ok(State::RequestLine),
            State::RequestLine => {
                self.head = Head::default();
                Ok(State::Fields)
            }
            State::Fields if length == 0 => self.head.body(),
            State::Fields => {
                self.head.field(line, length)?;
                Ok(State::Fields)
            }
            State::ChunkSize => match chunk_size(line, length)? {
                0 => Ok(State::Trailers),
                size => Ok(State::ChunkData(size)),
            },
            State::ChunkEnd if length == 0 => Ok(State::ChunkSize),
            State::Trailers if length == 0 => Ok(State::RequestLine),
            State::Trailers if !folded(line) => Ok(State::Trailers),
            _ => Err(Fault),
        }
    }
}

impl Head {
    fn field(&mut self, line: &[u8], length: usize) -> Result<(), Fault> {
        if folded(line) {
            return Err(Fault);
        }
        match line[0] | 0x20 {
            b'c' => {
                let Some(value) = after_name(line, b"content-length:") else {
                    return Ok(());
                };
                if length > START || self.length.is_some() {
                    return Err(Fault);
                }
                self.length = Some(number(value.trim_ascii(), 10)?);
            }
            b't' => self.encoded |= after_name(line, b"transfer-encoding:").is_some(),
            b'u' => self.upgrade |= after_name(line, b"upgrade:").is_some(),
            _ => {}
        }
        Ok(())
    }

    fn body(self) -> Result<State, Fault> {
        match (self.encoded, self.length) {
            (true, Some(_)) => Err(Fault),
            (true, None) => Ok(State::ChunkSize),
            (false, None | Some(0)) if self.upgrade => Ok(State::Held),
            (false, None | Some(0)) => Ok(State::RequestLine),
            (false, Some(length)) => Ok(State::Body(length)),
        }
    }
}

fn folded(line: &[u8]) -> bool {
    matches!(line.first(), None | Some(b' ' | b'\t'))
}

fn after_name<'a>(line: &'a [u8], name: &[u8]) -> Option<&'a [u8]> {
    let (start, rest) = line.split_at_checked(name.len())?;
    start.eq_ignore_ascii_case(name).then_some(rest)
}

/// Hexadecimal, then nothing or an extension. An extension is skipped: line ends in it are faults
/// already.
fn chunk_size(line: &[u8], length: usize) -> Result<u64, Fault> {
    let end = line.iter().position(|b| *b == b';');
    match end {
        Some(end) => number(&line[..end], 16),
        None if length <= START => number(line, 16),
        None => Err(Fault),
    }
}

fn number(digits: &[u8], radix: u32) -> Result<u64, Fault> {
    if digits.is_empty() || !digits.iter().all(|b| char::from(*b).is_digit(radix)) {
        return Err(Fault);
    }
    let text = std::str::from_utf8(digits).map_err(|_| Fault)?;
    u64::from_str_radix(text, radix).map_err(|_| Fault)
}

/// Position of the first CR or LF, or the end: eight octets at a time.
fn find_end(octets: &[u8]) -> usize {
    const LOW: u64 = u64::MAX / 255;
    const HIGH: u64 = LOW << 7;
    let mut at = 0;
    for chunk in octets.chunks_exact(8) {
        let word = u64::from_le_bytes(chunk.try_into().unwrap_or_default());
        let zero = |x: u64| x.wrapping_sub(LOW) & !x & HIGH;
        let hits = zero(word ^ (LOW * 0x0d)) | zero(word ^ (LOW * 0x0a));
        if hits != 0 {
            // The lowest hit is exact; borrows only ever make false hits above it.
            return at + hits.trailing_zeros() as usize / 8;
        }
        at += 8;
    }
    let rest = octets[at..].iter().position(|b| matches!(b, b'\r' | b'\n'));
    rest.map_or(octets.len(), |n| at + n)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A body is shown up to its fault, in whatever pieces it comes.
    fn check_cut(input: &str, fault: usize) {
        for size in (1..=9).chain([input.len()]) {
            let mut guard = Guard::default();
            let mut seen = 0;
            for piece in input.as_bytes().chunks(size) {
                seen += guard.inspect(&mut piece.to_vec());
            }
            assert_eq!(seen, fault, "{input:?} in pieces of {size}");
            assert!(guard.is_cut() && guard.is_within_body());
        }
    }

    /// Where the first fault is, with the input in one piece and in pieces of every small size.
    fn check(input: &str, fault: Option<usize>) {
        for size in (1..=9).chain([input.len().max(1)]) {
            let mut guard = Guard::default();
            let mut seen = input.as_bytes().to_vec();
            for piece in seen.chunks_mut(size) {
                guard.inspect(piece);
            }
            let found = seen.iter().position(|b| *b == SPOILT);
            assert_eq!(found, fault, "{input:?} in pieces of {size}");
            let clean = fault.unwrap_or(input.len());
            assert_eq!(&seen[..clean], &input.as_bytes()[..clean]);
        }
    }

    #[test]
    fn ordinary_requests_pass_one_after_the_other() {
        check(
            "\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n\
             POST / HTTP/1.1\r\ncontent-LENGTH:  5 \r\n\r\n\n\r\n\rx\
             PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n\
             3;a=b\r\n\n\r\n\r\nA\r\n0123456789\r\n0\r\nTrailer: x\r\n\r\n\
             POST / HTTP/1.1\r\nContent-Length: 0\r\n\r\n\
             GET / HTTP/1.1\r\n\r\n",
            None,
        );
    }

    #[test]
    fn the_end_of_a_body_is_known() {
        let check = |octets: &str, within| {
            let mut guard = Guard::default();
            guard.inspect(&mut octets.as_bytes().to_vec());
            assert_eq!(guard.is_within_body(), within, "{octets:?}");
        };
        check("", false);
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\n", false);
        check("GET / HTTP/1.1\r\nHost: a\r\n\r\nG", false);
        check("GET / HTTP/1.1\nHost: a\n\n", false);
        check("PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\na", true);
        check("PUT / HTTP/1.1\r\nContent-Length: 2\r\n\r\nab", false);
        let chunked = "PUT / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for part in ["", "2", "2\r\nab", "2\r\nab\r\n0\r\n"] {
            check(&format!("{chunked}{part}"), true);
        }
        check(&format!("{chunked}0\r\n\r\n"), false);
    }

    #[test]
    fn lines_end_in_cr_lf_and_nothing_else() {
        check("GET / HTTP/1.1\nHost: a\r\n\r\n", Some(14));
        check("GET / HTTP/1.1\r\nHost: a\n\r\n", Some(23));
        check("GET / HTTP/1.1\r\nHost: a\rb\r\n\r\n", Some(24));
        check("GET / HTTP/1.1\r\n folded: 1\r\n\r\n", Some(27));
    }

    /// A head with these fields is spoilt at the end of the line that shows the fault.
    fn check_fields(fields: &str, fault_line: usize) {
        let input = format!("POST / HTTP/1.1\r\n{fields}\r\nabc");
        let end_of_line = input.match_indices('\n').nth(fault_line).unwrap().0;
        check(&input, Some(end_of_line));
    }

    #[test]
    fn a_length_is_one_number_and_never_beside_an_encoding() {
        check_fields("Content-Length: 3\r\nContent-Length: 3\r\n", 2);
        check_fields("Content-Length: 3\r\nTransfer-Encoding: chunked\r\n", 3);
        check_fields("Transfer-Encoding: chunked\r\nContent-Length: 3\r\n", 3);
        for bad in ["+3", "-3", "0x3", "3,3", "3 3", "", "99999999999999999999"] {
            check_fields(&format!("Content-Length: {bad}\r\n"), 1);
        }
        check_fields(&format!("Content-Length: {}3\r\n", "0".repeat(40)), 1);
    }

    #[test]
    fn chunk_sizes_are_plain_hexadecimal() {
        let head = "POST / HTTP/1.1\r\nTransfer-Encoding: chunked\r\n\r\n";
        for bad in ["0x3", "3 ", "", "+3", "g", "fffffffffffffffff", " 3"] {
            let input = format!("{head}{bad}\r\nabc\r\n");
            check_cut(&input, head.len() + bad.len() + 1);
        }
        check_cut(&format!("{head}3;a\nb\r\n"), head.len() + 3);
        check_cut(&format!("{head}3\r\nabcd\r\n"), head.len() + 8);
        check_cut(&format!("{head}0\r\nx: 1\n\r\n"), head.len() + 7);
        check_cut(&format!("{head}0\r\n folded\r\n\r\n"), head.len() + 11);
    }

    #[test]
    fn what_follows_a_head_with_upgrade_is_held_back_once() {
        let head = "GET / HTTP/1.1\r\nUpgrade: x\r\n\r\n";
        let behind = "\n\nnot HTTP";
        let mut octets = format!("{head}{behind}").into_bytes();
        for cut in 0..head.len() {
            let mut guard = Guard::default();
            let (first, rest) = octets.split_at_mut(cut);
            assert_eq!(guard.inspect(first), cut);
            assert_eq!(guard.inspect(rest), head.len() - cut);
            assert!(!guard.is_within_body());
        }
        assert_eq!(octets, format!("{head}{behind}").as_bytes(), "unspoilt");
        let mut guard = Guard::default();
        let seen = guard.inspect(&mut octets);
        let mut behind = octets[seen..].to_vec();
        // Brought again, it is a request like any other.
        assert_eq!(guard.inspect(&mut behind), behind.len());
        assert!(behind.iter().all(|b| *b == SPOILT));
    }

    #[test]
    fn a_body_is_not_held_back() {
        let mut octets =
            b"POST / HTTP/1.1\r\nUpgrade: x\r\nContent-Length: 2\r\n\r\nabGET".to_vec();
        let all = octets.len();
        assert_eq!(Guard::default().inspect(&mut octets), all);
    }

    #[test]
    fn line_ends_are_found_wherever_they_are() {
        for length in 0..40 {
            for at in 0..length {
                for end in [b'\r', b'\n'] {
                    let mut octets = vec![0x0b; length];
                    octets[at] = end;
                    assert_eq!(find_end(&octets), at);
                }
            }
            assert_eq!(find_end(&vec![0x8d; length]), length);
        }
    }
}
