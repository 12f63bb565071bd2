//! A client connection that speaks HTTP/2 (RFC 9113): by ALPN over TLS, by its preface in the clear.
//!
//! The engine is the `h2` crate itself, not hyper's wrapping of it, because a stream whose window has
//! stalled must be reset alone. Each stream is an exchange as over HTTP/1.1, under deadlines of its own
//! that share the connection's timer. Deliberately absent: push, priorities, `Upgrade: h2c`, and
//! WebSocket over HTTP/2.

mod crew;
mod frames;
mod head;
mod pipe;
mod stall;
mod stream;

use std::future::poll_fn;
use std::pin::pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use h2::server::{Builder, Connection, SendResponse};
use http::Request;
use http::request::Parts;
use tokio::time::{sleep_until, timeout};
use tracing::debug;
use windrose_telemetry::{Actions, Http2Event};

use crate::connection::Client;
use crate::refusal::Refusal;
use crate::settings::{Http2, Settings};
use crate::watch::Due;
use crate::wire::{ClientWire, Line};
use crate::worker::Stopping;
use crew::{Crew, Turn};
use frames::Excess;
pub(crate) use frames::PREFACE;
use pipe::{Pipe, PipeEnd};

/// Octets of request bodies that a client may have under way, over all streams of a connection. A
/// stream has the 65,535 that it begins with.
const CONNECTION_WINDOW: u32 = 1 << 20;
/// Octets of a response that wait in the engine for the socket.
const SEND_BUFFER: usize = 128 * 1024;
/// How long a client may take to read our last words.
const LINGER: Duration = Duration::from_secs(2);
/// Turns of streams and engine before others than this connection have theirs.
const TURNS: usize = 8;
/// The timer is not set for sooner.
const TICK: Duration = Duration::from_millis(1);
/// Nothing that an exchange waits for.
const LONG: Duration = Duration::from_secs(24 * 3_600);

/// Brings a head into the form of HTTP/1.1.
pub(crate) fn settle(client: &Client, parts: &mut Parts) -> Result<(), Refusal> {
    let spoken = head::Spoken {
        tls: client.tls.is_some(),
        trusted: client.peer.trusted,
        max_fields: client.worker.settings.max_fields,
    };
    head::settle(parts, spoken)
}

/// Serves a connection to its end.
pub(crate) async fn serve<L: Line>(client: Rc<Client>, wire: ClientWire<L>) {
    let worker = &client.worker;
    let Some(http2) = &worker.settings.http2 else {
        return;
    };
    let pipe = Rc::new(Pipe::new(wire));
    let opening = engine(&worker.settings, http2).handshake(PipeEnd(Rc::clone(&pipe)));
    let opening = worker.unless_ended(&client.watch, opening);
    let Ok(Some(Ok(engine))) = timeout(worker.settings.head_timeout, opening).await else {
        return;
    };
    pipe.gather();
    worker.recorder.http2(Http2Event::Connection);
    let mut crew = Crew::new(http2.max_streams as usize * 2);
    let stream = |client, request, respond| stream::serve(client, request, respond);
    let mut session = Session {
        engine,
        pipe: &*pipe,
        crew: &mut crew,
        client: &client,
        http2,
        closes_at: None,
        stopping: false,
        thrown_out: false,
    };
    session.run(stream).await;
    drop(session);
    crew.dismiss();
}

fn engine(settings: &Settings, http2: &Http2) -> Builder {
    let mut engine = Builder::new();
    engine
        .initial_connection_window_size(CONNECTION_WINDOW)
        .max_concurrent_streams(http2.max_streams)
        .max_header_list_size(u32::try_from(settings.max_head_bytes).unwrap_or(u32::MAX))
        .max_send_buffer_size(SEND_BUFFER)
        .max_pending_accept_reset_streams(http2.max_streams as usize);
    engine
}

/// A connection whose settings are exchanged.
struct Session<'s, L: Line, F> {
    engine: Connection<PipeEnd<L>, Bytes>,
    pipe: &'s Pipe<L>,
    crew: &'s mut Crew<F>,
    client: &'s Rc<Client>,
    http2: &'s Http2,
    /// It was told to end, and is closed then at the latest.
    closes_at: Option<Instant>,
    /// It ends when its streams have.
    stopping: bool,
    /// It ends whatever its streams do.
    thrown_out: bool,
}

impl<L: Line, F: Future<Output = bool>> Session<'_, L, F> {
    async fn run(
        &mut self,
        serve: impl Fn(Rc<Client>, Request<h2::RecvStream>, SendResponse<Bytes>) -> F,
    ) {
        let watch = Rc::clone(&self.client.watch);
        watch.rest(Instant::now());
        let mut armed = watch.look();
        let mut timer = pin!(sleep_until(armed.into()));
        poll_fn(|cx| {
            watch.register(cx.waker());
            if !self.heed_stop() {
                return Poll::Ready(());
            }
            while timer.as_mut().poll(cx).is_ready() {
                let now = Instant::now();
                if !self.fired(now) {
                    return Poll::Ready(());
                }
                let streams = self.crew.fired(now);
                armed = self.next_look(streams).max(now + TICK);
                timer.as_mut().reset(armed.into());
            }
            let Ok(streams) = self.advance(cx, &serve) else {
                return Poll::Ready(());
            };
            let next = self.next_look(streams);
            if next < armed {
                armed = next;
                timer.as_mut().reset(armed.into());
                if timer.as_mut().poll(cx).is_ready() {
                    cx.waker().wake_by_ref();
                }
            }
            Poll::Pending
        })
        .await;
    }

    /// Whether the connection goes on.
    fn heed_stop(&mut self) -> bool {
        match self.client.worker.stopping() {
            Stopping::No if self.stopping => {}
            Stopping::No => {
                if self.client.worker.is_overloaded(Actions::CLOSE) {
                    self.go_away(Http2Event::GoAwayOverload);
                }
            }
            Stopping::Graceful if self.stopping => {}
            Stopping::Graceful => self.go_away(Http2Event::GoAwayStop),
            Stopping::Now => return false,
        }
        true
    }

    /// The client is told to open no more streams; those that are open are finished.
    fn go_away(&mut self, why: Http2Event) {
        self.client.worker.recorder.http2(why);
        self.stopping = true;
        self.engine.graceful_shutdown();
        self.crew.engine().wake_by_ref();
    }

    /// The client is told why, and all ends now.
    fn throw_out(&mut self, why: Http2Event, now: Instant) {
        self.client.worker.recorder.http2(why);
        self.stopping = true;
        self.thrown_out = true;
        self.closes_at = Some(now + LINGER);
        self.pipe.give_up();
        self.engine.abrupt_shutdown(Reason::ENHANCE_YOUR_CALM);
        self.crew.engine().wake_by_ref();
    }

    /// The timer fired; whether the connection goes on.
    fn fired(&mut self, now: Instant) -> bool {
        let worker = &self.client.worker;
        if self.ends_at().is_some_and(|at| at <= now) {
            return false;
        }
        if self.pipe.is_stalled(now, self.window_timeout()) {
            worker.recorder.http2(Http2Event::GoAwayWindow);
            return false;
        }
        let head_due = self.pipe.head_due(worker.settings.head_timeout);
        if self.closes_at.is_none() && head_due.is_some_and(|due| due <= now) {
            worker
                .recorder
                .event(windrose_telemetry::HttpEvent::HeadTimeout);
            self.throw_out(Http2Event::GoAwayHead, now);
            return true;
        }
        if self.client.watch.fired(now) != Due::Wait && self.closes_at.is_none() {
            self.closes_at = Some(now + LINGER);
            if !self.stopping {
                self.go_away(Http2Event::GoAwayIdle);
            }
        }
        true
    }

    /// When it is closed at the latest, once it ends.
    fn ends_at(&self) -> Option<Instant> {
        let left = self.pipe.left().map(|left| left + LINGER);
        [self.closes_at, left].into_iter().flatten().min()
    }

    fn window_timeout(&self) -> Duration {
        if self.http2.window_timeout.is_zero() {
            self.client.worker.settings.stream_timeout
        } else {
            self.http2.window_timeout
        }
    }

    /// When the timer must fire, given when streams must be looked at.
    fn next_look(&self, streams: Option<Instant>) -> Instant {
        let head = self.client.worker.settings.head_timeout;
        let others = [
            streams,
            self.pipe
                .head_due(head)
                .filter(|_| self.closes_at.is_none()),
            self.pipe.write_due(self.window_timeout()),
            self.ends_at(),
        ];
        let own = self.client.watch.look();
        others.into_iter().flatten().fold(own, Instant::min)
    }

    /// Streams and engine go on as far as they can, then everything they said is sent. Gives when the
    /// streams that moved must be looked at; `Err` at the end of the connection.
    fn advance(
        &mut self,
        cx: &Context<'_>,
        serve: &impl Fn(Rc<Client>, Request<h2::RecvStream>, SendResponse<Bytes>) -> F,
    ) -> Result<Option<Instant>, ()> {
        self.crew.look(cx);
        let mut look: Option<Instant> = None;
        let mut ended = false;
        for _ in 0..TURNS {
            let turn = self.crew.turn();
            self.note(&turn);
            look = [look, turn.look].into_iter().flatten().min();
            if !self.crew.take_engine() {
                if turn.ran {
                    continue;
                }
                break;
            }
            ended = self.poll_engine(serve);
            if ended {
                break;
            }
        }
        if let Some(excess) = self.pipe.excess()
            && self.closes_at.is_none()
        {
            let why = match excess {
                Excess::Chores => Http2Event::GoAwayFrames,
                Excess::Resets => Http2Event::GoAwayResets,
            };
            debug!(client = %self.client.peer.address, ?excess, "HTTP/2 client told to go away");
            self.throw_out(why, Instant::now());
        }
        self.crew.look_away(cx);
        let engine = self.crew.engine();
        let sent = self.pipe.flush(&mut Context::from_waker(&engine));
        if ended || sent.is_err() {
            return Err(());
        }
        Ok(look)
    }

    /// Counts what came of a turn of streams.
    fn note(&self, turn: &Turn) {
        if turn.whole > 0 {
            self.pipe.answered(turn.whole);
        }
        let watch = &self.client.watch;
        if turn.ran && self.crew.is_empty() && watch.idle_since().is_none() {
            watch.rest(Instant::now());
        }
    }

    /// Reads and writes frames, takes up the streams that began; whether the connection is at its end.
    fn poll_engine(
        &mut self,
        serve: &impl Fn(Rc<Client>, Request<h2::RecvStream>, SendResponse<Bytes>) -> F,
    ) -> bool {
        let waker = self.crew.engine();
        let mut cx = Context::from_waker(&waker);
        loop {
            match self.engine.poll_accept(&mut cx) {
                Poll::Ready(Some(Ok((request, respond)))) => self.begin(request, respond, serve),
                Poll::Ready(Some(Err(error))) => {
                    if error.is_go_away() && error.is_library() {
                        // The engine's own bounds: CONTINUATION, heads, tiny DATA, resets before a
                        // stream was begun.
                        let why = match error.reason() {
                            Some(Reason::ENHANCE_YOUR_CALM) => Http2Event::GoAwayFrames,
                            _ => Http2Event::GoAwayFault,
                        };
                        self.client.worker.recorder.http2(why);
                    }
                    debug!(client = %self.client.peer.address, %error, "HTTP/2 connection ends");
                    return true;
                }
                Poll::Ready(None) => return true,
                Poll::Pending => return false,
            }
        }
    }

    fn begin(
        &mut self,
        request: Request<h2::RecvStream>,
        mut respond: SendResponse<Bytes>,
        serve: &impl Fn(Rc<Client>, Request<h2::RecvStream>, SendResponse<Bytes>) -> F,
    ) {
        if !self.crew.has_room() {
            // Streams that were reset and have not ended yet take the room.
            respond.send_reset(Reason::REFUSED_STREAM);
            return;
        }
        let now = Instant::now();
        if !self.thrown_out {
            // It was told to go for idling, and had not heard yet.
            self.closes_at = None;
        }
        if self.crew.is_empty() {
            self.client.watch.begin(now, LONG, Duration::ZERO);
        }
        self.client.worker.recorder.http2(Http2Event::Stream);
        let client = self.client.stream(now);
        let watch = Rc::clone(&client.watch);
        self.crew.add(serve(client, request, respond), watch);
    }
}
