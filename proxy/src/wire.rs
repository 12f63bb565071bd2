//! Sockets as the engine sees them, with what the engine does not tell: whether octets were sent or
//! received, and a reset where a clean end would be a lie.

use std::cell::Cell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::Instant;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;

use crate::endpoint_stream::EndpointStream;
use crate::http2::PREFACE;
use crate::strict::Guard;
use crate::watch::Watch;

/// Octets of an upstream connection.
#[derive(Debug, Default)]
pub(crate) struct Meter {
    sent: Cell<u64>,
    received: Cell<u64>,
    deaf: Cell<bool>,
}

impl Meter {
    /// Octets that the system took.
    pub(crate) fn sent(&self) -> u64 {
        self.sent.get()
    }

    /// Whether the other side takes no more octets.
    pub(crate) fn is_deaf(&self) -> bool {
        self.deaf.get()
    }

    /// Octets that came back.
    pub(crate) fn received(&self) -> u64 {
        self.received.get()
    }
}

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) struct UpstreamWire {
    stream: EndpointStream,
    meter: Rc<Meter>,
}

impl UpstreamWire {
    pub(crate) fn new(stream: EndpointStream, meter: Rc<Meter>) -> Self {
        Self { stream, meter }
    }

    /// The bare connection, after a switch of protocols.
    pub(crate) fn into_stream(self) -> EndpointStream {
        self.stream
    }

    /// Counts what was written of `octets`. A backend may have answered and left before it heard
    /// all; the engine would give up on the failed write and never read the answer. So what cannot
    /// be sent is dropped here, and reading tells how the exchange ended.
    fn count(
        &self,
        result: Poll<io::Result<usize>>,
        octets: impl FnOnce() -> usize,
    ) -> Poll<io::Result<usize>> {
        match result {
            Poll::Ready(Ok(n)) => {
                self.meter.sent.set(self.meter.sent.get() + n as u64);
                Poll::Ready(Ok(n))
            }
            // These stay: no later octet can follow a gap.
            Poll::Ready(Err(error))
                if matches!(
                    error.kind(),
                    io::ErrorKind::BrokenPipe | io::ErrorKind::ConnectionReset
                ) =>
            {
                self.meter.deaf.set(true);
                Poll::Ready(Ok(octets()))
            }
            other => other,
        }
    }
}

/// What a client's octets come through: a socket, or TLS over one.
pub(crate) trait Line: AsyncRead + AsyncWrite + Unpin {
    /// The socket below.
    fn socket(&self) -> &TcpStream;

    /// Whether it has octets for us that the socket has no more.
    fn holds(&self) -> bool;
}

impl Line for TcpStream {
    fn socket(&self) -> &TcpStream {
        self
    }

    fn holds(&self) -> bool {
        false
    }
}

impl Line for windrose_tls::Stream {
    fn socket(&self) -> &TcpStream {
        self.get_ref().0
    }

    fn holds(&self) -> bool {
        !self.get_ref().1.wants_read()
    }
}

/// A client's connection.
#[derive(Debug)]
pub(crate) struct ClientWire<L: Line> {
    stream: L,
    watch: Rc<Watch>,
    guard: Guard,
    /// What came behind a head with `Upgrade`, until it is known what it is.
    held: Vec<u8>,
    /// No request follows any more: the octets are another protocol's.
    tunnel: bool,
    /// Our half is closed.
    leaving: bool,
    /// The first octets may be the preface of HTTP/2; what came of it is held.
    listens: bool,
}

impl<L: Line> ClientWire<L> {
    pub(crate) fn new(stream: L, watch: Rc<Watch>) -> Self {
        Self {
            stream,
            watch,
            guard: Guard::default(),
            held: Vec::new(),
            tunnel: false,
            leaving: false,
            listens: false,
        }
    }

    /// The client may begin with HTTP/2 (RFC 9113 section 3.3): then no octet reaches the engine, and
    /// the watch is told.
    pub(crate) fn listen_for_http2(&mut self) {
        self.listens = true;
    }

    /// Ready when there is something to read, or an end. Nothing is read.
    pub(crate) fn poll_stir(&self, cx: &mut Context<'_>) -> Poll<()> {
        if self.stream.holds() || !self.held.is_empty() {
            return Poll::Ready(());
        }
        self.stream.socket().poll_read_ready(cx).map(drop)
    }

    /// Takes what was read beyond `before`, as long as it may become the preface; true once it has.
    fn is_preface(&mut self, buf: &mut ReadBuf<'_>, before: usize) -> bool {
        let came = &buf.filled()[before..];
        let ended = came.is_empty();
        if !ended {
            self.watch.hear();
        }
        self.held.extend_from_slice(came);
        buf.set_filled(before);
        let known = self.held.len().min(PREFACE.len());
        self.listens = !ended && self.held[..known] == PREFACE[..known];
        let whole = self.listens && known == PREFACE.len();
        if whole {
            self.watch.speak_http2();
        }
        whole
    }

    /// The protocol was switched: from here on octets pass as they are. Gives those that came
    /// behind the head already.
    pub(crate) fn switch(&mut self) -> Vec<u8> {
        self.tunnel = true;
        self.listens = false;
        std::mem::take(&mut self.held)
    }

    /// Lets the engine see what was read beyond `before`, as far as it may.
    fn show(&mut self, buf: &mut ReadBuf<'_>, before: usize) {
        let came = buf.filled().len() - before;
        let seen = self.guard.inspect(&mut buf.filled_mut()[before..]);
        if self.guard.is_cut() {
            buf.set_filled(before + seen);
        } else if seen < came {
            // In front of what is held already: that came later.
            self.held
                .splice(..0, buf.filled()[before + seen..].iter().copied());
            buf.set_filled(before + seen);
        }
    }

    /// Reads on without looking until the client closes its half, too.
    fn poll_leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut octets = [0; 8 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut self.stream).poll_read(cx, &mut buf))?;
            if buf.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<L: Line> Drop for ClientWire<L> {
    fn drop(&mut self) {
        if self.watch.is_broken() {
            // Where the end of the connection is the end of the body (HTTP/1.0), only a reset says
            // that something is missing.
            let _ = self.stream.socket().set_zero_linger();
        }
    }
}

impl<L: Line> AsyncRead for ClientWire<L> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        if this.guard.is_cut() {
            return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
        }
        while this.listens {
            ready!(Pin::new(&mut this.stream).poll_read(cx, buf))?;
            if this.is_preface(buf, before) {
                // The engine is taken away before it asks again.
                return Poll::Pending;
            }
        }
        let result = if this.held.is_empty() {
            Pin::new(&mut this.stream).poll_read(cx, buf)
        } else {
            let fits = this.held.len().min(buf.remaining());
            buf.put_slice(&this.held[..fits]);
            this.held.drain(..fits);
            Poll::Ready(Ok(()))
        };
        if buf.filled().len() > before && !this.tunnel {
            this.watch.hear();
            this.show(buf, before);
            if this.guard.is_cut() {
                this.watch.spoil();
                if buf.filled().len() == before {
                    return Poll::Ready(Err(io::ErrorKind::InvalidData.into()));
                }
            }
        }
        result
    }
}

impl<L: Line> AsyncWrite for ClientWire<L> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.watch.write();
        let written = Pin::new(&mut this.stream).poll_write(cx, buf);
        if written.is_ready() {
            this.watch.took();
        }
        written
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        this.watch.write();
        let written = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        if written.is_ready() {
            this.watch.took();
        }
        written
    }

    fn is_write_vectored(&self) -> bool {
        self.stream.is_write_vectored()
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        ready!(Pin::new(&mut this.stream).poll_flush(cx))?;
        this.watch.flush();
        Poll::Ready(Ok(()))
    }

    /// In stages where the client has not finished its body: to close with octets unread would
    /// reset the connection, and could lose it the answer (RFC 9112 section 9.6).
    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        if !this.leaving {
            ready!(Pin::new(&mut this.stream).poll_shutdown(cx))?;
            if !this.guard.is_within_body() {
                return Poll::Ready(Ok(()));
            }
            this.leaving = true;
            this.watch.leave(Instant::now());
        }
        this.poll_leave(cx)
    }
}

impl AsyncRead for UpstreamWire {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let before = buf.filled().len();
        let result = Pin::new(&mut this.stream).poll_read(cx, buf);
        let octets = (buf.filled().len() - before) as u64;
        this.meter.received.set(this.meter.received.get() + octets);
        result
    }
}

impl AsyncWrite for UpstreamWire {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write(cx, buf);
        this.count(result, || buf.len())
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_write_vectored(cx, bufs);
        this.count(result, || bufs.iter().map(|buf| buf.len()).sum())
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let this = self.get_mut();
        let result = Pin::new(&mut this.stream).poll_flush(cx);
        this.count(result.map_ok(|()| 0), || 0).map_ok(drop)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}
