//! HOT. Messages in a stream (RFC 1035 section 4.2.2): two octets of length before each.

/// Octets before each message.
const PREFIX: usize = 2;
/// No further message is answered before this much has left.
const ENOUGH: usize = 16_384;

/// What was done with the beginning of a stream.
pub(super) struct Taken {
    /// Of whole messages.
    pub(super) octets: usize,
    pub(super) then: Then,
}

/// What a connection does next.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
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
#[inline]
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
#[inline]
pub(super) fn append(outgoing: &mut Vec<u8>, message: &[u8]) -> Option<()> {
    let len = u16::try_from(message.len()).ok()?;
    outgoing.extend_from_slice(&len.to_be_bytes());
    outgoing.extend_from_slice(message);
    Some(())
}

/// The first message of a stream, if it is whole.
#[inline]
fn first(stream: &[u8]) -> Option<&[u8]> {
    let (prefix, rest) = stream.split_first_chunk::<PREFIX>()?;
    rest.get(..usize::from(u16::from_be_bytes(*prefix)))
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
        assert_eq!(taken.then, Then::Read);
    }

    #[test]
    fn enough_to_say_stops_it_and_a_message_without_an_answer_ends_it() {
        let stream = [0, 1, 7, 0, 1, 8];
        let full = &mut vec![0; ENOUGH - 1];
        let taken = each_message(&stream, full, |message, out| append(out, message).is_some());
        assert_eq!(taken.octets, 3);
        assert_eq!(taken.then, Then::More);
        let taken = each_message(&stream, &mut Vec::new(), |_, _| false);
        assert_eq!(taken.octets, 3);
        assert_eq!(taken.then, Then::Close);
    }
}
