//! Many datagrams per system call, on a connected socket that never waits.

use std::io::{IoSlice, IoSliceMut};
use std::net::{SocketAddr, UdpSocket};
use std::os::fd::AsRawFd;

use nix::errno::Errno;
use nix::sys::socket::{MsgFlags, MultiHeaders, recvmmsg, sendmmsg};

/// Datagrams per system call.
pub(crate) const BATCH: usize = 64;
const LARGEST: usize = 1232;

/// A socket of its own source port, with the buffers of its batches.
pub(crate) struct Lane {
    socket: UdpSocket,
    outgoing: MultiHeaders<()>,
    incoming: MultiHeaders<()>,
    buffers: Vec<u8>,
    lengths: Vec<usize>,
}

impl Lane {
    pub(crate) fn connect(server: SocketAddr) -> std::io::Result<Self> {
        let any: SocketAddr = if server.is_ipv4() {
            ([0, 0, 0, 0], 0).into()
        } else {
            ([0u16; 8], 0).into()
        };
        let socket = UdpSocket::bind(any)?;
        socket.connect(server)?;
        socket.set_nonblocking(true)?;
        Ok(Self {
            socket,
            outgoing: MultiHeaders::preallocate(BATCH, None),
            incoming: MultiHeaders::preallocate(BATCH, None),
            buffers: vec![0; BATCH * LARGEST],
            lengths: Vec::with_capacity(BATCH),
        })
    }

    /// Sends at most [`BATCH`] packets; returns how many the kernel took.
    pub(crate) fn send<'a>(
        &mut self,
        packets: impl Iterator<Item = &'a [u8]>,
    ) -> std::io::Result<usize> {
        let slices: Vec<[IoSlice<'_>; 1]> = packets.map(|packet| [IoSlice::new(packet)]).collect();
        let sent = sendmmsg(
            self.socket.as_raw_fd(),
            &mut self.outgoing,
            &slices,
            [None; BATCH],
            [],
            MsgFlags::empty(),
        );
        settle(sent.map(Iterator::count))
    }

    /// Takes what has arrived, at most [`BATCH`] datagrams; returns how many.
    pub(crate) fn receive(&mut self) -> std::io::Result<usize> {
        let mut slices: Vec<[IoSliceMut<'_>; 1]> = self
            .buffers
            .chunks_exact_mut(LARGEST)
            .map(|buffer| [IoSliceMut::new(buffer)])
            .collect();
        let flags = MsgFlags::MSG_DONTWAIT;
        let received = recvmmsg(
            self.socket.as_raw_fd(),
            &mut self.incoming,
            &mut slices,
            flags,
            None,
        );
        self.lengths.clear();
        let lengths = &mut self.lengths;
        settle(received.map(|messages| {
            lengths.extend(messages.map(|message| message.bytes));
            lengths.len()
        }))
    }

    /// Datagram `index` of the last [`Self::receive`].
    pub(crate) fn datagram(&self, index: usize) -> &[u8] {
        let start = index * LARGEST;
        &self.buffers[start..start + self.lengths[index]]
    }
}

/// A full buffer, an empty queue and a port that is not open (yet, or any more) are no work done, not failures.
fn settle(outcome: nix::Result<usize>) -> std::io::Result<usize> {
    match outcome {
        Err(Errno::EAGAIN | Errno::EINTR | Errno::ENOBUFS | Errno::ECONNREFUSED) => Ok(0),
        other => other.map_err(std::io::Error::from),
    }
}
