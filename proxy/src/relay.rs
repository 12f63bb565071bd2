//! Octets from one connection to another and back, until both have ended.
//!
//! A read goes into a buffer of the thread and is written on at once, so an idle pair costs no
//! memory. Only what the other side does not take is kept, at most one buffer each way, and nothing
//! more is read until it is gone. An end is passed on as an end, each way by itself. Deliberately
//! absent: what the octets mean.

use std::cell::Cell;
use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll, ready};
use std::time::{Duration, Instant};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use windrose_telemetry::{StreamEvent, StreamKind};

use crate::record::Recorder;
use crate::wanted::Wanted;
use crate::watch::Watch;
use crate::worker::{Stopping, Worker};

/// Octets read at once: what a socket gives without being asked twice, and what fits the cache.
pub(crate) const BUFFER: usize = 64 * 1024;

/// How often it is asked whether the endpoint is still wanted.
const LOOK_EVERY: Duration = Duration::from_secs(1);
/// "Off" as a duration that never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// When a relay ends by itself.
#[derive(Debug)]
pub(crate) struct Limits {
    /// Without an octet either way; zero is never.
    pub(crate) idle: Duration,
    /// Altogether; zero is never.
    pub(crate) whole: Duration,
    /// An endpoint that is down or gone; `None`: its streams stay.
    pub(crate) wanted: Option<Wanted>,
}

/// One side, with what was read from it already.
pub(crate) struct Side<S> {
    pub(crate) stream: S,
    pub(crate) read: Vec<u8>,
}

/// A stream of a group, counted as open until it is dropped.
#[derive(Debug)]
pub(crate) struct Account {
    recorder: Rc<Recorder>,
    group: u32,
    kind: StreamKind,
    /// Octets that the endpoint and the client were sent.
    moved: Cell<(u64, u64)>,
}

impl Account {
    pub(crate) fn open(recorder: &Rc<Recorder>, group: u32, kind: StreamKind) -> Self {
        recorder.stream(group, kind, StreamEvent::Opened, 1);
        recorder.stream_opened(group, kind);
        Self {
            recorder: Rc::clone(recorder),
            group,
            kind,
            moved: Cell::default(),
        }
    }

    /// Octets that the endpoint and the client were sent.
    pub(crate) fn moved(&self) -> (u64, u64) {
        self.moved.get()
    }

    fn move_on(&self, up: u64, down: u64) {
        let (before_up, before_down) = self.moved.get();
        self.moved.set((before_up + up, before_down + down));
        self.count(StreamEvent::FromClient, up);
        self.count(StreamEvent::ToClient, down);
    }

    fn count(&self, event: StreamEvent, n: u64) {
        self.recorder.stream(self.group, self.kind, event, n);
    }
}

impl Drop for Account {
    fn drop(&mut self) {
        self.recorder.stream_closed(self.group, self.kind);
    }
}

/// One direction.
#[derive(Debug, Default)]
struct Way {
    /// Read and not yet written, from `at` on.
    left: Vec<u8>,
    at: usize,
    /// The source has ended …
    ending: bool,
    /// … and the target was told.
    ended: bool,
    moved: u64,
}

/// Which side of a way broke.
enum Broken {
    Source,
    Target,
}

/// Relays until both sides have ended, or one broke, or a limit. Says how it ended, and has counted
/// it.
pub(crate) async fn relay<C, U>(
    worker: &Worker,
    watch: &Watch,
    client: &mut Side<C>,
    upstream: &mut Side<U>,
    limits: &Limits,
    account: &Account,
) -> StreamEvent
where
    C: AsyncRead + AsyncWrite + Unpin,
    U: AsyncRead + AsyncWrite + Unpin,
{
    let mut up = Way::with(std::mem::take(&mut client.read));
    let mut down = Way::with(std::mem::take(&mut upstream.read));
    let (client, upstream) = (&mut client.stream, &mut upstream.stream);
    let began = Instant::now();
    let mut heard = began;
    let mut timer = pin!(tokio::time::sleep_until(limits.due(began, heard).into()));
    let ended = poll_fn(|cx: &mut Context<'_>| {
        watch.register(cx.waker());
        if worker.stopping() == Stopping::Now {
            return Poll::Ready(StreamEvent::Stopped);
        }
        let (to_upstream, to_client) = worker.with_buffer(|buffer| {
            let to_upstream = up.poll(client, upstream, buffer, cx);
            let to_client = down.poll(upstream, client, buffer, cx);
            (to_upstream, to_client)
        });
        if up.moved + down.moved > 0 {
            heard = Instant::now();
            account.move_on(
                std::mem::take(&mut up.moved),
                std::mem::take(&mut down.moved),
            );
        }
        match (to_upstream, to_client) {
            (Poll::Ready(Ok(())), Poll::Ready(Ok(()))) => return Poll::Ready(StreamEvent::Closed),
            (Poll::Ready(Err(Broken::Source)), _) | (_, Poll::Ready(Err(Broken::Target))) => {
                return Poll::Ready(StreamEvent::ClientReset);
            }
            (Poll::Ready(Err(Broken::Target)), _) | (_, Poll::Ready(Err(Broken::Source))) => {
                return Poll::Ready(StreamEvent::UpstreamReset);
            }
            _ => {}
        }
        while timer.as_mut().poll(cx).is_ready() {
            let now = Instant::now();
            if let Some(end) = limits.end(worker, began, heard, now) {
                return Poll::Ready(end);
            }
            timer.as_mut().reset(limits.due(now, heard).into());
        }
        Poll::Pending
    })
    .await;
    account.count(ended, 1);
    ended
}

impl Limits {
    /// When to look next, at the latest; `whole` is looked at each time and armed in the beginning.
    fn due(&self, now: Instant, heard: Instant) -> Instant {
        let idle = heard + or_never(self.idle);
        let whole = now + or_never(self.whole);
        let look = now + self.wanted.as_ref().map_or(NEVER, |_| LOOK_EVERY);
        idle.min(whole).min(look)
    }

    fn end(
        &self,
        worker: &Worker,
        began: Instant,
        heard: Instant,
        now: Instant,
    ) -> Option<StreamEvent> {
        if now >= began + or_never(self.whole) {
            Some(StreamEvent::Duration)
        } else if now >= heard + or_never(self.idle) {
            Some(StreamEvent::Idle)
        } else if self.wanted.as_ref().is_some_and(|it| !it.holds(worker)) {
            Some(StreamEvent::EndpointDown)
        } else {
            None
        }
    }
}

fn or_never(limit: Duration) -> Duration {
    if limit.is_zero() { NEVER } else { limit }
}

impl Way {
    fn with(left: Vec<u8>) -> Self {
        Self {
            left,
            ..Self::default()
        }
    }

    /// Moves what can be moved. Ready when the source has ended and the target was told.
    fn poll<S, T>(
        &mut self,
        source: &mut S,
        target: &mut T,
        buffer: &mut [u8],
        cx: &mut Context<'_>,
    ) -> Poll<Result<(), Broken>>
    where
        S: AsyncRead + Unpin,
        T: AsyncWrite + Unpin,
    {
        if self.ended {
            return Poll::Ready(Ok(()));
        }
        loop {
            while self.at < self.left.len() {
                let written = Pin::new(&mut *target).poll_write(cx, &self.left[self.at..]);
                self.at += ready!(self.wrote(written))?;
            }
            if self.at > 0 {
                (self.left, self.at) = (Vec::new(), 0);
            }
            if self.ending {
                // The other way may go on for hours.
                let _ = ready!(Pin::new(&mut *target).poll_shutdown(cx));
                self.ended = true;
                return Poll::Ready(Ok(()));
            }
            let mut read = ReadBuf::new(buffer);
            match Pin::new(&mut *source).poll_read(cx, &mut read) {
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Source)),
                // TLS may hold the end of a record that the socket did not take.
                Poll::Pending => match Pin::new(&mut *target).poll_flush(cx) {
                    Poll::Ready(Err(_)) => return Poll::Ready(Err(Broken::Target)),
                    _ => return Poll::Pending,
                },
            }
            let octets = read.filled();
            if octets.is_empty() {
                self.ending = true;
                continue;
            }
            let written = match self.wrote(Pin::new(&mut *target).poll_write(cx, octets)) {
                Poll::Ready(written) => written?,
                Poll::Pending => 0,
            };
            if written < octets.len() {
                self.left = octets[written..].to_vec();
            }
        }
    }

    fn wrote(&mut self, written: Poll<std::io::Result<usize>>) -> Poll<Result<usize, Broken>> {
        written.map(|written| match written {
            Ok(n) if n > 0 => {
                self.moved += n as u64;
                Ok(n)
            }
            _ => Err(Broken::Target),
        })
    }
}
