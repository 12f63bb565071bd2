//! One stream: its exchange, then the response as fast as the client takes it.

use std::future::poll_fn;
use std::pin::{Pin, pin};
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::server::SendResponse;
use h2::{Reason, RecvStream, SendStream};
use http::{HeaderMap, HeaderName, Method, Request, Response, StatusCode, header};
use http_body::{Body, Frame};
use windrose_telemetry::Http2Event;

use super::LINGER;
use super::stall::Stall;
use crate::connection::Client;
use crate::exchange::exchange;
use crate::inbound::{Expect, Inbound, Streamed};
use crate::names::{KEEP_ALIVE, PROXY_CONNECTION};
use crate::reply::Reply;

/// Why a response did not reach its end.
enum Broken {
    /// The client reset the stream, or its connection ended.
    Gone,
    /// The backend's response broke off.
    Backend,
    /// The client gave no window, or a trickle of it.
    Window,
    /// The time of the whole exchange is up.
    Over,
}

/// Serves a stream to its end; whether its response was sent whole.
pub(super) async fn serve(
    client: Rc<Client>,
    request: Request<RecvStream>,
    mut respond: SendResponse<Bytes>,
) -> bool {
    let expect = expects(&client, &request);
    let is_head = request.method() == Method::HEAD;
    client.watch.uploads(!request.body().is_end_stream());
    let length = request.headers().get(header::CONTENT_LENGTH);
    let length = length.and_then(|n| n.to_str().ok()?.parse().ok());
    let body = |stream| {
        let watch = Rc::clone(&client.watch);
        Inbound::Http2(Streamed::new(stream, length, expect.clone(), Some(watch)))
    };
    let mut going = pin!(exchange(Rc::clone(&client), request.map(body)));
    let exchanged = poll_fn(|cx| {
        client.watch.register(cx.waker());
        let poll = going.as_mut().poll(cx);
        if poll.is_ready() {
            return poll;
        }
        if !client.watch.is_gone() && respond.poll_reset(cx).is_ready() {
            client.watch.leave_alone();
            return going.as_mut().poll(cx);
        }
        if expect.as_ref().is_some_and(|expect| expect.take()) {
            tell_to_continue(&mut respond);
        }
        Poll::Pending
    })
    .await;
    let event = |event| client.worker.recorder.http2(event);
    let Ok(response) = exchanged else {
        if client.watch.is_gone() {
            event(Http2Event::ClientReset);
        }
        return false;
    };
    let (mut head, reply) = response.into_parts();
    strip(&mut head.headers);
    if head.status == StatusCode::NO_CONTENT {
        // Forbidden there (RFC 9110 section 8.6), and clients of HTTP/2 insist.
        head.headers.remove(header::CONTENT_LENGTH);
    }
    if !head.headers.contains_key(header::DATE) {
        head.headers.insert(header::DATE, client.worker.dates.now());
    }
    // A response to HEAD ends with its head, whatever was made for it.
    let ended = is_head || reply.is_end_stream();
    let head = Response::from_parts(head, ());
    let Ok(send) = respond.send_response(head, ended) else {
        event(Http2Event::ClientReset);
        return false;
    };
    let mut sending = Sending {
        client: &client,
        send,
        stall: Stall::default(),
    };
    let sent = match ended {
        true => {
            drop(reply);
            Ok(())
        }
        false => sending.all(reply).await,
    };
    let (what, reason) = match sent {
        Ok(()) => {
            sending.linger().await;
            return true;
        }
        Err(Broken::Gone) => (Http2Event::ClientReset, Reason::CANCEL),
        Err(Broken::Backend) => (Http2Event::BackendReset, Reason::INTERNAL_ERROR),
        Err(Broken::Window) => (Http2Event::WindowReset, Reason::CANCEL),
        Err(Broken::Over) => (Http2Event::BackendReset, Reason::CANCEL),
    };
    event(what);
    sending.send.send_reset(reason);
    false
}

/// Who waits for 100 (Continue), if the client does.
fn expects(client: &Client, request: &Request<RecvStream>) -> Option<Rc<Expect>> {
    let expect = request.headers().get(header::EXPECT)?;
    let waits = expect.as_bytes().eq_ignore_ascii_case(b"100-continue");
    waits.then(|| Rc::new(Expect::new(Rc::clone(&client.watch))))
}

fn tell_to_continue(respond: &mut SendResponse<Bytes>) {
    let mut interim = Response::new(());
    *interim.status_mut() = StatusCode::CONTINUE;
    // What it fails for will be seen with the response.
    let _ = respond.send_informational(interim);
}

/// Takes away what only HTTP/1.1 says (RFC 9113 section 8.2.2).
fn strip(headers: &mut HeaderMap) {
    const OF_CONNECTIONS: [HeaderName; 6] = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        header::TE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ];
    for name in &OF_CONNECTIONS {
        if headers.contains_key(name) {
            headers.remove(name);
        }
    }
}

/// A response under way.
struct Sending<'c> {
    client: &'c Client,
    send: SendStream<Bytes>,
    stall: Stall,
}

impl Sending<'_> {
    async fn all(&mut self, mut reply: Reply) -> Result<(), Broken> {
        loop {
            match poll_fn(|cx| self.poll_frame(&mut reply, cx)).await? {
                None => return self.end(),
                Some(frame) => match frame.into_data() {
                    Ok(data) => {
                        let last = reply.is_end_stream();
                        if !data.is_empty() {
                            self.data(data, last).await?;
                        } else if last {
                            self.end()?;
                        }
                        if last {
                            return Ok(());
                        }
                    }
                    Err(frame) => {
                        let Ok(trailers) = frame.into_trailers() else {
                            continue;
                        };
                        return self.trailers(trailers);
                    }
                },
            }
        }
    }

    /// What the backend sends next. Only now does its silence count.
    fn poll_frame(
        &mut self,
        reply: &mut Reply,
        cx: &mut Context<'_>,
    ) -> Poll<Result<Option<Frame<Bytes>>, Broken>> {
        match Pin::new(reply).poll_frame(cx) {
            Poll::Ready(frame) => Poll::Ready(frame.transpose().map_err(|_| Broken::Backend)),
            Poll::Pending => {
                // The client has taken all there was. Not sooner: one that takes each piece late
                // would never be late.
                self.stall.clear();
                self.client.watch.register(cx.waker());
                if self.client.watch.is_gone() || self.send.poll_reset(cx).is_ready() {
                    return Poll::Ready(Err(Broken::Gone));
                }
                Poll::Pending
            }
        }
    }

    /// Waits for a while for a client that has its response and still sends: to leave at once resets
    /// the stream, and some clients lose the response by that.
    async fn linger(&mut self) {
        let watch = &self.client.watch;
        if !watch.is_uploading() {
            return;
        }
        let now = Instant::now();
        watch.expect_window(now, now + LINGER);
        poll_fn(|cx| {
            watch.register(cx.waker());
            let over = watch.is_gone() || watch.take_expired() || !watch.is_uploading();
            if over || self.send.poll_reset(cx).is_ready() {
                return Poll::Ready(());
            }
            Poll::Pending
        })
        .await;
    }

    fn end(&mut self) -> Result<(), Broken> {
        self.send
            .send_data(Bytes::new(), true)
            .map_err(|_| Broken::Gone)
    }

    fn trailers(&mut self, mut trailers: HeaderMap) -> Result<(), Broken> {
        strip(&mut trailers);
        self.send.send_trailers(trailers).map_err(|_| Broken::Gone)
    }

    /// Sends octets, never more than there is window for: what is given to the engine waits for the
    /// socket only.
    async fn data(&mut self, mut data: Bytes, last: bool) -> Result<(), Broken> {
        loop {
            self.send.reserve_capacity(data.len());
            let mut window = self.send.capacity();
            if window == 0 {
                window = self.window().await?;
            }
            let piece = data.split_to(window.min(data.len()));
            self.stall.advance(piece.len());
            let ends = last && data.is_empty();
            self.send.send_data(piece, ends).map_err(|_| Broken::Gone)?;
            if data.is_empty() {
                return Ok(());
            }
        }
    }

    /// Waits for window.
    async fn window(&mut self) -> Result<usize, Broken> {
        let client = self.client;
        let watch = &client.watch;
        let timeout = window_timeout(client);
        let now = Instant::now();
        self.stall.wait(now);
        watch.expect_window(now, self.stall.due(timeout).unwrap_or(now));
        let window = poll_fn(|cx| {
            watch.register(cx.waker());
            loop {
                return Poll::Ready(match self.send.poll_capacity(cx) {
                    Poll::Ready(Some(Ok(0))) => continue,
                    Poll::Ready(Some(Ok(window))) => Ok(window),
                    Poll::Ready(_) => Err(Broken::Gone),
                    Poll::Pending if watch.is_gone() => Err(Broken::Gone),
                    Poll::Pending if watch.take_expired() => {
                        let now = Instant::now();
                        if watch.is_over(now) {
                            Err(Broken::Over)
                        } else if self.stall.is_stalled(now, timeout) {
                            Err(Broken::Window)
                        } else {
                            watch.expect_window(now, self.stall.due(timeout).unwrap_or(now));
                            return Poll::Pending;
                        }
                    }
                    Poll::Pending => return Poll::Pending,
                });
            }
        })
        .await?;
        watch.take_expired();
        watch.expect_body(Instant::now());
        Ok(window)
    }
}

/// How long a response may wait for window; where that is off, as long as a body that does not move.
fn window_timeout(client: &Client) -> Duration {
    let settings = &client.worker.settings;
    let timeout = settings.http2.as_ref().map(|http2| http2.window_timeout);
    timeout
        .filter(|timeout| !timeout.is_zero())
        .unwrap_or(settings.stream_timeout)
}
