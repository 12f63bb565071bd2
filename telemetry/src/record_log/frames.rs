//! Frame Streams, the framing of dnstap: control frames around data frames, over a file
//! (unidirectional) or a socket (bidirectional, with a handshake). As specified by the fstrm library
//! (fstrm/control.h); every number is a big-endian u32.

use std::io::{self, Read};

/// What the frames hold.
const CONTENT_TYPE: &[u8] = b"protobuf:dnstap.Dnstap";
/// The one field of a control frame.
const FIELD_CONTENT_TYPE: u32 = 1;
/// The longest control frame there is.
const CONTROL_MAX: u32 = 512;

/// Control frames.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
#[repr(u32)]
pub(super) enum Control {
    /// The reader takes what READY offered.
    Accept = 1,
    /// Data follows.
    Start = 2,
    /// No more data.
    Stop = 3,
    /// What the writer would send.
    Ready = 4,
    /// The reader has everything.
    Finish = 5,
}

/// Appends a control frame; those that say what follows name the content type.
pub(super) fn control(out: &mut Vec<u8>, control: Control) {
    let named = matches!(control, Control::Start | Control::Ready | Control::Accept);
    let mut frame = Vec::new();
    frame.extend((control as u32).to_be_bytes());
    if named {
        frame.extend(FIELD_CONTENT_TYPE.to_be_bytes());
        frame.extend(len(CONTENT_TYPE).to_be_bytes());
        frame.extend(CONTENT_TYPE);
    }
    out.extend([0; 4]);
    out.extend(len(&frame).to_be_bytes());
    out.extend(frame);
}

/// Appends a data frame of Frame Streams.
pub fn data(out: &mut Vec<u8>, payload: &[u8]) {
    out.extend(len(payload).to_be_bytes());
    out.extend(payload);
}

/// Reads control frames until `wanted` comes.
///
/// # Errors
/// When the stream ends, is silent for too long, says something else, or takes another content.
pub(super) fn expect(stream: &mut impl Read, wanted: Control) -> io::Result<()> {
    let wrong = |what| io::Error::new(io::ErrorKind::InvalidData, what);
    let mut head = [0; 12];
    stream.read_exact(&mut head)?;
    let [e0, e1, e2, e3, l0, l1, l2, l3, t0, t1, t2, t3] = head;
    let length = u32::from_be_bytes([l0, l1, l2, l3]);
    if [e0, e1, e2, e3] != [0; 4] || !(4..=CONTROL_MAX).contains(&length) {
        return Err(wrong("no control frame of Frame Streams"));
    }
    let mut fields = vec![0; length as usize - 4];
    stream.read_exact(&mut fields)?;
    if u32::from_be_bytes([t0, t1, t2, t3]) != wanted as u32 {
        return Err(wrong("another control frame than the one that is due"));
    }
    // A reader that names no content type takes any.
    let named = fields.len() > 8;
    if wanted == Control::Accept && named && !fields.ends_with(CONTENT_TYPE) {
        return Err(wrong("the reader takes no protobuf:dnstap.Dnstap"));
    }
    Ok(())
}

fn len(octets: &[u8]) -> u32 {
    u32::try_from(octets.len()).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn frames_are_as_the_specification_writes_them() {
        let mut out = Vec::new();
        control(&mut out, Control::Start);
        data(&mut out, b"abc");
        control(&mut out, Control::Stop);
        let wanted = [
            b"\0\0\0\0\0\0\0\x22\0\0\0\x02\0\0\0\x01\0\0\0\x16protobuf:dnstap.Dnstap".as_slice(),
            b"\0\0\0\x03abc",
            b"\0\0\0\0\0\0\0\x04\0\0\0\x03",
        ];
        assert_eq!(out, wanted.concat());
    }

    #[test]
    fn a_reader_must_speak_frame_streams_and_take_dnstap() {
        let read = |mut octets: &[u8], wanted| expect(&mut octets, wanted).is_ok();
        let mut accept = Vec::new();
        control(&mut accept, Control::Accept);
        assert!(read(&accept, Control::Accept));
        assert!(read(b"\0\0\0\0\0\0\0\x04\0\0\0\x01", Control::Accept));
        assert!(read(b"\0\0\0\0\0\0\0\x04\0\0\0\x05", Control::Finish));
        assert!(!read(&accept, Control::Finish));
        assert!(!read(&accept[..accept.len() - 1], Control::Accept));
        assert!(!read(b"HTTP/1.1 400 Bad Request\r\n", Control::Accept));
        assert!(!read(
            b"\0\0\0\0\xff\xff\xff\xff\0\0\0\x01",
            Control::Accept
        ));
        let other = [&accept[..accept.len() - 1], b"x"].concat();
        assert!(!read(&other, Control::Accept));
    }
}
