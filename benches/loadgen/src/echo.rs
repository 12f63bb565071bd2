//! The least a DNS server can be: each datagram goes back with the response bit set and one fixed
//! record behind it. One thread, the batches of Windrose's own data path, no look at what is asked.
//!
//! What a server costs beyond this is its own part; the rest is sockets.

use std::net::{SocketAddr, UdpSocket};

use windrose_mmsg::Batch;

use crate::arguments::{Arguments, Refusal};

const BATCH: usize = 32;
const ROOM: usize = 1232;
/// Owner by pointer, type A, class IN, a TTL of 60 s, 192.0.2.1.
const RECORD: [u8; 16] = [0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 60, 0, 4, 192, 0, 2, 1];
const ARCOUNT: std::ops::Range<usize> = 10..12;

/// Where to listen.
pub(crate) struct Echo {
    listen: SocketAddr,
}

impl Echo {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let echo = Self {
            listen: arguments.required("listen")?,
        };
        arguments.finish()?;
        Ok(echo)
    }
}

/// Serves until the process is ended.
pub(crate) fn run(echo: &Echo) -> std::io::Result<()> {
    let socket = UdpSocket::bind(echo.listen)?;
    let mut batch = Batch::new(BATCH, ROOM, ROOM);
    loop {
        if let Err(error) = batch.receive(&socket) {
            match error.kind() {
                std::io::ErrorKind::Interrupted | std::io::ErrorKind::ConnectionRefused => continue,
                _ => return Err(error),
            }
        }
        for datagram in batch.datagrams() {
            *datagram.answer_len = answer(datagram.query, datagram.answer);
        }
        batch.send(&socket);
    }
}

/// Octets of the answer; a query with an OPT record gets no other record, which would belong before
/// it.
fn answer(query: &[u8], out: &mut [u8]) -> usize {
    let Some(to) = out.get_mut(..query.len()) else {
        return 0;
    };
    to.copy_from_slice(query);
    if query.len() < 12 {
        return 0;
    }
    out[2] |= 0x80;
    let Some(end) = out.get_mut(query.len()..query.len() + RECORD.len()) else {
        return query.len();
    };
    if query[ARCOUNT] != [0, 0] {
        return query.len();
    }
    end.copy_from_slice(&RECORD);
    out[7] = 1;
    query.len() + RECORD.len()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::draw::Draw;
    use crate::queries::{Edns, Judgement, Query};

    #[test]
    fn an_echo_passes_for_an_answer() {
        let query = Query::new("host.example", Edns::Absent, &mut Draw::new(1));
        let mut out = [0; ROOM];
        let len = answer(&query.bytes, &mut out);
        let expected = Judgement::Answer {
            rcode: 0,
            empty: false,
            address: Some([192, 0, 2, 1].into()),
        };
        assert_eq!(query.judge(&out[..len]), expected);
    }
}
