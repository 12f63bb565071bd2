//! The little DNS that the demo's clients speak: one question with a client subnet (RFC 7871) out,
//! the first address in.

use std::net::Ipv4Addr;

/// The header's length.
const HEADER: usize = 12;

/// What an answer says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Answer {
    pub(crate) id: u16,
    pub(crate) rcode: u8,
    /// The first A record and its TTL in seconds.
    pub(crate) address: Option<(Ipv4Addr, u32)>,
}

/// A question for the A records of `name` (wire form) on behalf of `client`'s /24.
pub(crate) fn question(id: u16, name: &[u8], client: Ipv4Addr) -> Vec<u8> {
    let mut out = Vec::with_capacity(64);
    out.extend_from_slice(&id.to_be_bytes());
    // No recursion wanted; one question, one additional record.
    out.extend_from_slice(&[0, 0, 0, 1, 0, 0, 0, 0, 0, 1]);
    out.extend_from_slice(name);
    out.extend_from_slice(&[0, 1, 0, 1]);
    // OPT: root owner, type 41, 1232 octets of payload, no extended flags, 11 octets of options.
    out.extend_from_slice(&[0, 0, 41, 0x04, 0xd0, 0, 0, 0, 0, 0, 11]);
    // Option 8, 7 octets: family 1, source prefix 24, scope 0, three octets of address.
    out.extend_from_slice(&[0, 8, 0, 7, 0, 1, 24, 0]);
    out.extend_from_slice(&client.octets()[..3]);
    out
}

/// Reads a response; `None` for what is none.
pub(crate) fn answer(packet: &[u8]) -> Option<Answer> {
    if packet.len() < HEADER || packet[2] & 0x80 == 0 {
        return None;
    }
    let mut found = Answer {
        id: number(packet, 0)?,
        rcode: packet[3] & 0x0f,
        address: None,
    };
    let mut at = HEADER;
    for _ in 0..number(packet, 4)? {
        at = after_name(packet, at)? + 4;
    }
    for _ in 0..number(packet, 6)? {
        at = after_name(packet, at)?;
        let (rtype, ttl, length) = (
            number(packet, at)?,
            u32::from(number(packet, at + 4)?) << 16 | u32::from(number(packet, at + 6)?),
            usize::from(number(packet, at + 8)?),
        );
        let data = packet.get(at + 10..at + 10 + length)?;
        if let (1, Ok(octets)) = (rtype, <[u8; 4]>::try_from(data)) {
            found.address = Some((octets.into(), ttl));
            break;
        }
        at += 10 + length;
    }
    Some(found)
}

fn number(packet: &[u8], at: usize) -> Option<u16> {
    let octets = packet.get(at..at + 2)?;
    Some(u16::from_be_bytes([octets[0], octets[1]]))
}

/// The offset behind a name; a pointer ends it.
fn after_name(packet: &[u8], mut at: usize) -> Option<usize> {
    loop {
        match *packet.get(at)? {
            0 => return Some(at + 1),
            length if length & 0xc0 == 0xc0 => return Some(at + 2),
            length => at += usize::from(length) + 1,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NAME: &[u8] = b"\x04shop\x07example\x03com\x00";

    #[test]
    fn a_question_is_no_answer() {
        let packet = question(7, NAME, Ipv4Addr::new(84, 128, 10, 7));
        assert_eq!(answer(&packet), None);
        assert_eq!(packet.len(), 12 + NAME.len() + 4 + 11 + 11);
    }

    #[test]
    fn the_first_address_is_read() {
        let mut packet = question(7, NAME, Ipv4Addr::new(84, 128, 10, 7));
        packet.truncate(12 + NAME.len() + 4);
        packet[2] |= 0x84;
        packet[7] = 1;
        packet[11] = 0;
        packet.extend_from_slice(&[0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 5, 0, 4, 127, 0, 0, 12]);
        assert_eq!(
            answer(&packet),
            Some(Answer {
                id: 7,
                rcode: 0,
                address: Some((Ipv4Addr::new(127, 0, 0, 12), 5))
            })
        );
        for cut in 0..packet.len() {
            let _ = answer(&packet[..cut]);
        }
    }
}
