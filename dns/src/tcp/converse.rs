//! One TCP connection: messages are framed (RFC 1035 section 4.2.2), what is whole is answered, and
//! answers that are ready together leave in one write (RFC 7766 section 8).
//!
//! An answer never waits for another, so order needs no thought. A client that does not read is not
//! read from.

use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time::{Instant, sleep};

use super::Desk;

/// Octets before each message.
const PREFIX: usize = 2;
/// What a connection holds for what comes, as long as no message needs more.
const ROOM: usize = 1_024;
/// No further message is answered before this much has left.
const ENOUGH: usize = 16_384;

/// Talks until the connection ends, falls silent for `idle`, says what no client says, or nothing is
/// left to say after `ending` became true.
pub(super) async fn converse(
    desk: Arc<Desk>,
    mut stream: TcpStream,
    peer: SocketAddr,
    idle: Duration,
    last_turn: Arc<AtomicU64>,
    mut ending: watch::Receiver<bool>,
) {
    // Small answers must not wait for more (RFC 7766 section 8); without it they only come later.
    let _ = stream.set_nodelay(true);
    let (mut incoming, mut outgoing) = (Vec::with_capacity(ROOM), Vec::new());
    let mut silence = pin!(sleep(idle));
    let mut idle;
    // One and the same for all rounds: a new one would queue up at the channel for each message.
    let mut ended = pin!(ending.wait_for(|ending| *ending));
    loop {
        // How long it may be silent now is what its answers say (RFC 7828 section 3.2.2).
        let taken;
        (taken, idle) = desk.answer(&incoming, peer, &mut outgoing);
        if taken.octets > 0 {
            last_turn.store(desk.turn(), Ordering::Relaxed);
            silence.as_mut().reset(Instant::now() + idle);
            incoming.drain(..taken.octets);
        }
        if !outgoing.is_empty() {
            tokio::select! {
                biased;
                written = stream.write_all(&outgoing) => if written.is_err() { return },
                () = &mut silence => return,
            }
            outgoing.clear();
        }
        match taken.then {
            Then::Close => return,
            Then::More => continue,
            Then::Read => {}
        }
        make_room(&mut incoming);
        outgoing.shrink_to(ROOM);
        tokio::select! {
            biased;
            read = stream.read_buf(&mut incoming) => if !matches!(read, Ok(1..)) { return },
            () = &mut silence => return,
            _ = &mut ended => return,
        }
    }
}

/// What was done with the beginning of a stream.
pub(super) struct Taken {
    /// Of whole messages.
    pub(super) octets: usize,
    pub(super) then: Then,
}

/// What a connection does next.
pub(super) enum Then {
    /// Waits for more to come.
    Read,
    /// Answers the messages that are left.
    More,
    /// Ends: a message got no answer.
    Close,
}

/// Calls `answer` with each whole message, which appends to `outgoing` and says whether there was
/// an answer.
pub(super) fn each_message(
    stream: &[u8],
    outgoing: &mut Vec<u8>,
    mut answer: impl FnMut(&[u8], &mut Vec<u8>) -> bool,
) -> Taken {
    let mut octets = 0;
    while let Some(message) = first(stream.get(octets..).unwrap_or_default()) {
        if outgoing.len() >= ENOUGH {
            let then = Then::More;
            return Taken { octets, then };
        }
        octets += PREFIX + message.len();
        if !answer(message, outgoing) {
            let then = Then::Close;
            return Taken { octets, then };
        }
    }
    let then = Then::Read;
    Taken { octets, then }
}

/// Appends a message with its length. `None` if that does not fit the prefix.
pub(super) fn append(outgoing: &mut Vec<u8>, message: &[u8]) -> Option<()> {
    let len = u16::try_from(message.len()).ok()?;
    outgoing.extend_from_slice(&len.to_be_bytes());
    outgoing.extend_from_slice(message);
    Some(())
}

/// The first message of a stream, if it is whole.
fn first(stream: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = stream.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*prefix)))
}

/// Room for the rest of the message that has begun; what a long one needed is given back.
fn make_room(incoming: &mut Vec<u8>) {
    let whole = incoming.first_chunk::<PREFIX>().map_or(ROOM, |prefix| {
        PREFIX + usize::from(u16::from_be_bytes(*prefix))
    });
    let whole = whole.max(ROOM);
    incoming.shrink_to(whole);
    incoming.reserve(whole.saturating_sub(incoming.len()));
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whole_messages_are_taken_and_a_part_is_left() {
        let mut seen = Vec::new();
        let stream = [0, 1, 7, 0, 2, 8, 9, 0, 3, 1];
        let taken = each_message(&stream, &mut Vec::new(), |message, _| {
            seen.push(message.to_vec());
            true
        });
        assert_eq!(seen, [vec![7], vec![8, 9]]);
        assert_eq!(taken.octets, 7);
        assert!(matches!(taken.then, Then::Read));
    }

    #[test]
    fn enough_to_say_stops_it_and_a_message_without_an_answer_ends_it() {
        let stream = [0, 1, 7, 0, 1, 8];
        let full = &mut vec![0; ENOUGH - 1];
        let taken = each_message(&stream, full, |message, out| append(out, message).is_some());
        assert_eq!(taken.octets, 3);
        assert!(matches!(taken.then, Then::More));
        let taken = each_message(&stream, &mut Vec::new(), |_, _| false);
        assert_eq!(taken.octets, 3);
        assert!(matches!(taken.then, Then::Close));
    }

    #[test]
    fn a_long_message_gets_room_and_gives_it_back() {
        let mut incoming = vec![0xff, 0xff, 1];
        make_room(&mut incoming);
        assert!(incoming.capacity() >= 65_537);
        incoming.clear();
        make_room(&mut incoming);
        assert!(incoming.capacity() < 2 * ROOM);
    }
}
