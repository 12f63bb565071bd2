//! HOT. One TCP connection: what is whole is answered, and answers that are ready together leave in
//! one write (RFC 7766 section 8).
//!
//! An answer never waits for another, so order needs no thought. A client that does not read is not
//! read from. Between its turns a connection holds what it must and no more: the beginning of a
//! message, and answers that the system had no room for.

use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;

use mio::Interest;
use mio::net::TcpStream;

use super::desk::Desk;
use super::framing::{Taken, Then};

/// Octets read at a time.
pub(super) const ROOM: usize = 16_384;
/// What may stay allocated beyond what is held.
const SPARE: usize = 1_024;

/// A connection between its turns.
pub(super) struct Conversation {
    pub(super) stream: TcpStream,
    peer: SocketAddr,
    /// Not answered yet: the beginning of a message, and whole ones behind answers that wait.
    incoming: Vec<u8>,
    /// Not sent yet.
    outgoing: Vec<u8>,
    next: Next,
}

/// What a connection waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Next {
    /// More to come.
    Read,
    /// Room for answers, to go on then.
    Write,
    /// Room for its last answers.
    LastWrite,
}

/// What came of a turn.
pub(super) struct Turn {
    /// Whether whole messages were taken.
    pub(super) spoke: bool,
    pub(super) wish: Wish,
}

/// What the events of a connection should be from now on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Wish {
    /// As they are: there was nothing left to do.
    Same,
    /// These; also to be told at once of what can be done already.
    Told(Interest),
    /// None: the connection ends.
    End,
}

impl Conversation {
    pub(super) fn new(stream: TcpStream, peer: SocketAddr) -> Self {
        Self {
            stream,
            peer,
            incoming: Vec::new(),
            outgoing: Vec::new(),
            next: Next::Read,
        }
    }

    /// Whether it has something left to say.
    pub(super) fn is_writing(&self) -> bool {
        self.next != Next::Read
    }

    /// Reads, answers and writes after an event; `closed` if the client will send no more. `room`
    /// and `outgoing` are anybody's between turns.
    pub(super) fn turn(
        &mut self,
        closed: bool,
        room: &mut [u8],
        outgoing: &mut Vec<u8>,
        desk: &mut Desk<'_>,
    ) -> Turn {
        let mut spoke = false;
        let wish = match self.next {
            Next::Read => self.read(closed, room, outgoing, desk, &mut spoke),
            Next::Write | Next::LastWrite => self.write(outgoing, desk, &mut spoke),
        };
        Turn { spoke, wish }
    }

    fn read(
        &mut self,
        closed: bool,
        room: &mut [u8],
        outgoing: &mut Vec<u8>,
        desk: &mut Desk<'_>,
        spoke: &mut bool,
    ) -> Wish {
        loop {
            let read = match self.stream.read(room) {
                Ok(0) => return Wish::End,
                Ok(read) => read,
                Err(error) => match error.kind() {
                    ErrorKind::WouldBlock => return Wish::Same,
                    ErrorKind::Interrupted => continue,
                    _ => return Wish::End,
                },
            };
            let came = room.get(..read).unwrap_or_default();
            let wish = if self.incoming.is_empty() {
                let taken = self.answer(came, outgoing, desk, spoke);
                self.incoming
                    .extend_from_slice(came.get(taken.octets..).unwrap_or_default());
                taken.then
            } else {
                self.incoming.extend_from_slice(came);
                self.answer_held(outgoing, desk, spoke)
            };
            match self.say(outgoing, wish) {
                // There may be more where that came from, but others have their turn first.
                Wish::Same if read == room.len() => return Wish::Told(Interest::READABLE),
                // No event will tell of its end again.
                Wish::Same if closed => {}
                wish => return wish,
            }
        }
    }

    fn write(&mut self, outgoing: &mut Vec<u8>, desk: &mut Desk<'_>, spoke: &mut bool) -> Wish {
        let waiting = std::mem::take(&mut self.outgoing);
        outgoing.clear();
        outgoing.extend_from_slice(&waiting);
        let then = match self.next {
            Next::LastWrite => Then::Close,
            _ => Then::More,
        };
        match self.say(outgoing, then) {
            Wish::Told(_) if self.outgoing.is_empty() => {
                let then = self.answer_held(outgoing, desk, spoke);
                match self.say(outgoing, then) {
                    Wish::Same => Wish::Told(Interest::READABLE),
                    wish => wish,
                }
            }
            wish => wish,
        }
    }

    /// Answers what a stream begins with.
    #[inline]
    fn answer(
        &self,
        stream: &[u8],
        outgoing: &mut Vec<u8>,
        desk: &mut Desk<'_>,
        spoke: &mut bool,
    ) -> Taken {
        outgoing.clear();
        let taken = desk.answer(stream, self.peer, outgoing);
        *spoke |= taken.octets > 0;
        taken
    }

    fn answer_held(
        &mut self,
        outgoing: &mut Vec<u8>,
        desk: &mut Desk<'_>,
        spoke: &mut bool,
    ) -> Then {
        let taken = self.answer(&self.incoming, outgoing, desk, spoke);
        self.incoming.drain(..taken.octets);
        match self.incoming.len() {
            0 => self.incoming = Vec::new(),
            held => self.incoming.shrink_to(held + SPARE),
        }
        taken.then
    }

    /// Sends answers; keeps what there is no room for.
    fn say(&mut self, outgoing: &[u8], then: Then) -> Wish {
        let mut rest = outgoing;
        while !rest.is_empty() {
            match self.stream.write(rest) {
                Ok(sent) => rest = rest.get(sent..).unwrap_or_default(),
                Err(error) => match error.kind() {
                    ErrorKind::Interrupted => {}
                    ErrorKind::WouldBlock => break,
                    _ => return Wish::End,
                },
            }
        }
        if !rest.is_empty() {
            self.outgoing = rest.to_vec();
        }
        match then {
            Then::Close if rest.is_empty() => return Wish::End,
            Then::Read if rest.is_empty() => {
                self.next = Next::Read;
                return Wish::Same;
            }
            Then::Close => self.next = Next::LastWrite,
            Then::Read | Then::More => self.next = Next::Write,
        }
        Wish::Told(Interest::WRITABLE)
    }
}
