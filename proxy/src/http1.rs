//! HTTP/1 over one client connection: the engine while something happens, and next to nothing while
//! nothing does.
//!
//! An engine holds buffers of 8 KiB and more. So it is made when the first octet is there, and given up
//! when no request has come for a while; what is left of an idle connection is its socket, its watch
//! and a timer. The timer that every connection has says when to look, so that a busy one pays
//! nothing for this.

use std::future::{Future as _, poll_fn};
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::Request;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::TokioIo;
use tokio::time::Sleep;
use windrose_telemetry::HttpEvent;

use crate::connection::Client;
use crate::exchange::{exchange, unread};
use crate::http2;
use crate::inbound::Inbound;
use crate::settings::Settings;
use crate::tunnel::{Tunnel, carry};
use crate::watch::{Due, Watch};
use crate::wire::{ClientWire, Line};
use crate::worker::Stopping;

/// How long no request must have come for the engine to be given up, when the timer looks. It looks at
/// least every `head_timeout`.
fn quiet(settings: &Settings) -> Duration {
    (settings.head_timeout / 10).min(Duration::from_secs(1))
}

/// The engine's settings, made once per thread.
pub(crate) fn engine(settings: &Settings) -> http1::Builder {
    let mut engine = http1::Builder::new();
    engine
        .half_close(true)
        .header_read_timeout(None)
        .max_header_size(settings.max_head_bytes)
        .max_buf_size(settings.buffer_bytes());
    if settings.max_fields != 100 {
        // hyper keeps its default of 100 on the stack; any other number costs an allocation.
        engine.max_headers(settings.max_fields);
    }
    engine
}

/// The one timer of a connection, and when it fires.
struct Alarm<'a> {
    timer: Pin<&'a mut Sleep>,
    armed: Instant,
}

impl Alarm<'_> {
    fn arm(&mut self, at: Instant) {
        self.armed = at;
        self.timer.as_mut().reset(at.into());
    }

    fn poll(&mut self, cx: &mut Context<'_>) -> Poll<()> {
        self.timer.as_mut().poll(cx)
    }
}

/// Serves a connection to its end.
pub(crate) async fn serve<L: Line>(
    engine: Rc<http1::Builder>,
    mut wire: ClientWire<L>,
    client: Rc<Client>,
) {
    let armed = client.watch.look();
    let timer = pin!(tokio::time::sleep_until(armed.into()));
    let mut alarm = Alarm { timer, armed };
    while stirs(&client, &wire, &mut alarm).await {
        // Boxed: an idle connection has no room for it, nor has what may follow, which is rare and large.
        match Box::pin(drive(&engine, wire, &client, &mut alarm)).await {
            Left::Nothing => return,
            Left::Resting(resting) => wire = resting,
            Left::Http2(wire) => return Box::pin(http2::serve(client, wire)).await,
            Left::Tunnel(wire, read, tunnel) => {
                let (worker, watch) = (&client.worker, &client.watch);
                return Box::pin(carry(worker, watch, wire, &read, tunnel)).await;
            }
        }
    }
}

/// Waits for octets of a client; false: it is to be closed.
async fn stirs<L: Line>(client: &Client, wire: &ClientWire<L>, alarm: &mut Alarm<'_>) -> bool {
    let (worker, watch) = (&client.worker, &client.watch);
    poll_fn(|cx: &mut Context<'_>| {
        watch.register(cx.waker());
        if worker.stopping() != Stopping::No || watch.is_dismissed() {
            return Poll::Ready(false);
        }
        while alarm.poll(cx).is_ready() {
            if watch.fired(Instant::now()) != Due::Wait {
                return Poll::Ready(false);
            }
            alarm.arm(watch.look());
        }
        wire.poll_stir(cx).map(|()| true)
    })
    .await
}

/// What the engine leaves of a connection.
enum Left<L: Line> {
    Nothing,
    Resting(ClientWire<L>),
    Http2(ClientWire<L>),
    /// With what was read behind the head of the request that asked for it.
    Tunnel(ClientWire<L>, Bytes, Tunnel),
}

/// Has the engine serve a connection: until it ends, rests or is another protocol's.
async fn drive<L: Line>(
    engine: &http1::Builder,
    wire: ClientWire<L>,
    client: &Rc<Client>,
    alarm: &mut Alarm<'_>,
) -> Left<L> {
    let (worker, watch) = (&client.worker, &client.watch);
    let service = service_fn(|request: Request<Incoming>| {
        exchange(Rc::clone(client), request.map(Inbound::Http1))
    });
    let mut connection = engine.serve_connection(TokioIo::new(wire), service);
    let mut closing = false;
    let how = poll_fn(|cx: &mut Context<'_>| {
        watch.register(cx.waker());
        match worker.stopping() {
            Stopping::No => {}
            Stopping::Graceful => {
                if watch.is_left() {
                    return Poll::Ready(How::Broken);
                }
                if !closing {
                    closing = true;
                    Pin::new(&mut connection).graceful_shutdown();
                }
            }
            Stopping::Now => return Poll::Ready(How::Broken),
        }
        let mut looks = false;
        while alarm.poll(cx).is_ready() {
            match watch.fired(Instant::now()) {
                Due::Wait => looks = true,
                Due::Idle => return Poll::Ready(How::Broken),
                Due::Head => {
                    worker.recorder.event(HttpEvent::HeadTimeout);
                    return Poll::Ready(How::Broken);
                }
            }
            alarm.arm(watch.look());
        }
        if let Poll::Ready(result) = Pin::new(&mut connection).poll(cx) {
            if let Some(error) = result.as_ref().err().filter(|error| error.is_parse()) {
                unread(client, error);
            }
            return Poll::Ready(match result {
                Ok(()) => How::Whole,
                Err(_) => How::Broken,
            });
        }
        if watch.ignored() {
            watch.break_off();
            return Poll::Ready(How::Broken);
        }
        if watch.speaks_http2() {
            return Poll::Ready(How::Http2);
        }
        if looks && !closing && is_quiet(watch, quiet(&worker.settings)) {
            return Poll::Ready(How::Rests);
        }
        watch.note_head();
        while watch.look() < alarm.armed {
            alarm.arm(watch.look());
            if alarm.poll(cx).is_ready() {
                cx.waker().wake_by_ref();
                break;
            }
        }
        Poll::Pending
    })
    .await;
    let tunnel = match how {
        How::Whole => client.tunnel.take(),
        _ => None,
    };
    if matches!(how, How::Broken) || matches!(how, How::Whole) && tunnel.is_none() {
        return Left::Nothing;
    }
    let parts = connection.into_parts();
    let wire = parts.io.into_inner();
    match (how, tunnel) {
        (How::Http2, _) => Left::Http2(wire),
        (_, Some(tunnel)) => Left::Tunnel(wire, parts.read_buf, tunnel),
        // Octets would have been heard: then it does not rest.
        _ if parts.read_buf.is_empty() => Left::Resting(wire),
        _ => Left::Nothing,
    }
}

/// How the engine's part of a connection ended.
#[derive(Debug, Clone, Copy)]
enum How {
    /// As it should.
    Whole,
    Broken,
    Http2,
    /// Nothing happens.
    Rests,
}

/// No request has come for a while, and the client has all it is to get.
#[cold]
#[inline(never)]
fn is_quiet(watch: &Watch, quiet: Duration) -> bool {
    let now = Instant::now();
    let since = watch.idle_since();
    since.is_some_and(|since| now.saturating_duration_since(since) >= quiet) && watch.is_flushed()
}
