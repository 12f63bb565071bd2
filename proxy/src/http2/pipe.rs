//! HOT. The socket between the engine and a client: frames are counted on their way in, and small
//! writes are gathered on their way out, so that the responses that are ready at one time leave in one.
//!
//! The engine flushes after each DATA frame. Here a flush does nothing; the connection's task calls
//! [`Pipe::flush`] when nobody has anything more to say.

use std::cell::RefCell;
use std::io::{self, IoSlice};
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::frames::{Excess, Frames};
use super::stall::Stall;
use crate::wire::{ClientWire, Line};

/// A write of at most so many octets waits for others.
const SMALL: usize = 4 * 1024;
/// So many octets wait at most.
const GATHERED: usize = 64 * 1024;
/// Octets that may come after our last: what a client sent before it knew.
const IGNORED: usize = 64 * 1024;
/// What the gathered octets may keep of memory while nothing waits.
const KEPT: usize = 8 * 1024;

/// The socket, as the connection's task sees it.
pub(super) struct Pipe<L: Line>(RefCell<Inner<L>>);

/// The socket, as the engine sees it.
pub(super) struct PipeEnd<L: Line>(pub(super) Rc<Pipe<L>>);

struct Inner<L: Line> {
    wire: ClientWire<L>,
    /// Read already, to be read first.
    held: Vec<u8>,
    frames: Frames,
    /// To be written: what is behind `written`.
    out: Vec<u8>,
    written: usize,
    stall: Stall,
    /// Flushes of the engine do nothing.
    gathers: bool,
    /// Nobody waits for the client to read the end.
    abrupt: bool,
    /// Since when our half is closed.
    left: Option<Instant>,
    /// Octets that were read and not looked at since.
    ignored: usize,
    /// The engine has octets that the socket did not take.
    blocked: bool,
}

impl<L: Line> Pipe<L> {
    pub(super) fn new(mut wire: ClientWire<L>) -> Self {
        let held = wire.switch();
        Self(RefCell::new(Inner {
            wire,
            held,
            frames: Frames::new(Instant::now()),
            out: Vec::new(),
            written: 0,
            stall: Stall::default(),
            gathers: false,
            abrupt: false,
            left: None,
            ignored: 0,
            blocked: false,
        }))
    }

    /// From now on the task flushes, not the engine.
    pub(super) fn gather(&self) {
        self.0.borrow_mut().gathers = true;
    }

    /// The end will not be waited for.
    pub(super) fn give_up(&self) {
        self.0.borrow_mut().abrupt = true;
    }

    /// Sends what was gathered, as far as the socket takes it.
    pub(super) fn flush(&self, cx: &mut Context<'_>) -> io::Result<()> {
        match self.0.borrow_mut().flush(cx) {
            Poll::Ready(result) => result,
            Poll::Pending => Ok(()),
        }
    }

    /// What the client has done too much of.
    pub(super) fn excess(&self) -> Option<Excess> {
        self.0.borrow().frames.excess()
    }

    /// So many responses were sent whole.
    pub(super) fn answered(&self, responses: u32) {
        self.0.borrow_mut().frames.answered(responses);
    }

    /// When a head must be whole.
    pub(super) fn head_due(&self, timeout: Duration) -> Option<Instant> {
        let since = self.0.borrow().frames.pending_since();
        since.map(|since| since + timeout)
    }

    /// Since when our half is closed.
    pub(super) fn left(&self) -> Option<Instant> {
        self.0.borrow().left
    }

    /// When to look whether the client reads.
    pub(super) fn write_due(&self, timeout: Duration) -> Option<Instant> {
        self.0.borrow().stall.due(timeout)
    }

    /// Whether the client has not read for too long.
    pub(super) fn is_stalled(&self, now: Instant, timeout: Duration) -> bool {
        self.0.borrow_mut().stall.is_stalled(now, timeout)
    }
}

impl<L: Line> Inner<L> {
    fn waiting(&self) -> usize {
        self.out.len() - self.written
    }

    /// Notes what a write came to.
    fn count(&mut self, result: Poll<io::Result<usize>>) -> Poll<io::Result<usize>> {
        match &result {
            Poll::Ready(Ok(octets)) => {
                self.frames.sent(*octets);
                self.stall.advance(*octets);
            }
            Poll::Ready(Err(_)) => {}
            Poll::Pending => self.stall.wait(Instant::now()),
        }
        result
    }

    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while self.waiting() > 0 {
            let result = Pin::new(&mut self.wire).poll_write(cx, &self.out[self.written..]);
            match ready!(self.count(result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n => self.written += n,
            }
        }
        self.emptied();
        let flushed = Pin::new(&mut self.wire).poll_flush(cx);
        if flushed.is_pending() {
            self.stall.wait(Instant::now());
        } else if !self.blocked {
            self.stall.clear();
        }
        flushed
    }

    fn emptied(&mut self) {
        self.out.clear();
        self.out.shrink_to(KEPT);
        self.written = 0;
    }

    /// Takes what is small; passes on what is large, behind what was taken before.
    fn write(&mut self, cx: &mut Context<'_>, bufs: &[IoSlice<'_>]) -> Poll<io::Result<usize>> {
        let octets: usize = bufs.iter().map(|buf| buf.len()).sum();
        loop {
            if octets <= SMALL && self.waiting() + octets <= GATHERED {
                for buf in bufs {
                    self.out.extend_from_slice(buf);
                }
                return Poll::Ready(Ok(octets));
            }
            let waiting = self.waiting();
            let result = if waiting == 0 {
                Pin::new(&mut self.wire).poll_write_vectored(cx, bufs)
            } else {
                let mut all = [IoSlice::new(&[]); 8];
                all[0] = IoSlice::new(&self.out[self.written..]);
                let mut used = 1;
                for (place, buf) in all[1..].iter_mut().zip(bufs) {
                    *place = IoSlice::new(buf);
                    used += 1;
                }
                Pin::new(&mut self.wire).poll_write_vectored(cx, &all[..used])
            };
            self.blocked = result.is_pending();
            match ready!(self.count(result))? {
                0 => return Poll::Ready(Err(io::ErrorKind::WriteZero.into())),
                n if n > waiting => {
                    self.emptied();
                    return Poll::Ready(Ok(n - waiting));
                }
                n => self.written += n,
            }
            if self.waiting() == 0 {
                self.emptied();
            }
        }
    }

    /// Reads on without looking until the client closes its half, too, or has sent enough: to close
    /// with octets unread would reset the connection, and could lose it the last responses.
    fn leave(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let mut octets = [0; 8 * 1024];
        loop {
            let mut buf = ReadBuf::new(&mut octets);
            ready!(Pin::new(&mut self.wire).poll_read(cx, &mut buf))?;
            self.ignored += buf.filled().len();
            if buf.filled().is_empty() || self.ignored > IGNORED {
                return Poll::Ready(Ok(()));
            }
        }
    }
}

impl<L: Line> AsyncRead for PipeEnd<L> {
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.0.borrow_mut();
        let before = buf.filled().len();
        if inner.held.is_empty() {
            ready!(Pin::new(&mut inner.wire).poll_read(cx, buf))?;
        } else {
            let fits = inner.held.len().min(buf.remaining());
            buf.put_slice(&inner.held[..fits]);
            inner.held.drain(..fits);
            if inner.held.is_empty() {
                inner.held = Vec::new();
            }
        }
        inner.frames.inspect(&buf.filled()[before..]);
        Poll::Ready(Ok(()))
    }
}

impl<L: Line> AsyncWrite for PipeEnd<L> {
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        self.poll_write_vectored(cx, &[IoSlice::new(buf)])
    }

    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        self.0.0.borrow_mut().write(cx, bufs)
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.0.borrow_mut();
        if inner.gathers {
            Poll::Ready(Ok(()))
        } else {
            inner.flush(cx)
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        let inner = &mut *self.0.0.borrow_mut();
        if inner.left.is_none() {
            ready!(inner.flush(cx))?;
            ready!(Pin::new(&mut inner.wire).poll_shutdown(cx))?;
            inner.left = Some(Instant::now());
        }
        if inner.abrupt {
            return Poll::Ready(Ok(()));
        }
        inner.leave(cx)
    }
}
