//! One request over a stream: its head in the form of HTTP/2, its body and its response side by side.

use std::future::poll_fn;
use std::pin::pin;
use std::task::{Context, Poll};
use std::time::{Duration, Instant};

use bytes::Bytes;
use h2::Reason;
use http::request::Parts;
use http::uri::{Authority, Scheme};
use http::{HeaderName, Request, Response, Uri, Version, header};
use http_body::{Body, Frame, SizeHint};
use tokio::task::JoinHandle;

use super::pump::{Pump, Stopped};
use super::trunk::{Seat, Trunk};
use crate::download::Download;
use crate::inbound::Streamed;
use crate::names::{KEEP_ALIVE, PROXY_CONNECTION};
use crate::unanswered::{Unanswered, Why};
use crate::upload::UploadBody;

/// A request that was given up after so long, with nothing heard on its connection meanwhile, leaves
/// it with doubt: no further one is sent there.
const SILENCE: Duration = Duration::from_secs(1);

/// The body of a response.
#[derive(Debug)]
pub(crate) struct Stream {
    body: Streamed,
    /// The rest of the request body is on its way.
    pumping: Option<Pumping>,
}

/// A request body whose response has begun. It ends with the response.
#[derive(Debug)]
struct Pumping(JoinHandle<()>);

impl Drop for Pumping {
    fn drop(&mut self) {
        self.0.abort();
    }
}

impl Stream {
    pub(crate) fn poll_frame(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        let polled = self.body.poll(cx);
        if let Poll::Ready(None | Some(Err(_))) = polled {
            self.pumping = None;
        }
        polled
    }

    pub(crate) fn is_end(&self) -> bool {
        self.body.is_end()
    }

    pub(crate) fn size(&self) -> SizeHint {
        self.body.size()
    }
}

/// Sends a request and waits for the head of its response. Dropping it resets the stream.
pub(crate) async fn exchange(
    seat: &Seat,
    request: Request<UploadBody>,
) -> Result<Response<Download>, Unanswered> {
    let (parts, body) = request.into_parts();
    let ended = body.is_end_stream();
    let Some(mut sender) = seat.sender() else {
        return Err(Why::Unprocessed.into());
    };
    let head = head(parts, seat.is_tls()).map_err(|_| Unanswered::from(Why::Garbage))?;
    let (response, stream) = sender.send_request(head, ended).map_err(|e| judge(&e))?;
    // The connection may close behind its last stream, and need not stand for this handle.
    drop(sender);
    let mut doubt = Doubt::of(seat.trunk());
    let mut pump = (!ended).then(|| Box::new(Pump::new(body, stream)));
    let mut response = pin!(response);
    let answered = poll_fn(|cx| {
        loop {
            if let Poll::Ready(response) = response.as_mut().poll(cx) {
                return Poll::Ready(response.map_err(|e| judge(&e)));
            }
            let Some(pumping) = &mut pump else {
                return Poll::Pending;
            };
            match pumping.poll(cx) {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {
                    pump = None;
                    return Poll::Pending;
                }
                Poll::Ready(Err(Stopped::Client)) => {
                    return Poll::Ready(Err(Why::Broken.into()));
                }
                // The response says why, or is there already.
                Poll::Ready(Err(Stopped::Endpoint)) => pump = None,
            }
        }
    });
    let response = answered.await?;
    doubt.answered = true;
    seat.served();
    let (mut head, body) = response.into_parts();
    // What follows takes it for an ordinary response; each hop speaks its own version.
    head.version = Version::HTTP_11;
    let length = head.headers.get(header::CONTENT_LENGTH);
    let length = length.and_then(|n| n.to_str().ok()?.parse().ok());
    let stream = Stream {
        body: Streamed::new(body, length, None, None),
        pumping: pump.map(|pump| Pumping(tokio::task::spawn_local(finish(pump)))),
    };
    let body = Download::Http2(Box::new(stream));
    Ok(Response::from_parts(head, body))
}

/// Sends the rest of a body. What goes wrong with it goes wrong with the response.
async fn finish(mut pump: Box<Pump>) {
    let _ = poll_fn(|cx| pump.poll(cx)).await;
}

/// The head of a request (RFC 9113 section 8.3.1): what `Host` says is said by `:authority`, the scheme
/// is that of the connection, and fields of connections are none.
fn head(mut parts: Parts, tls: bool) -> Result<Request<()>, http::Error> {
    const OF_CONNECTIONS: [HeaderName; 5] = [
        header::CONNECTION,
        header::TRANSFER_ENCODING,
        header::UPGRADE,
        KEEP_ALIVE,
        PROXY_CONNECTION,
    ];
    for name in &OF_CONNECTIONS {
        if parts.headers.contains_key(name) {
            parts.headers.remove(name);
        }
    }
    let host = parts.headers.remove(header::HOST);
    let host = host.as_ref().map_or(&b""[..], |host| host.as_bytes());
    let mut uri = http::uri::Parts::default();
    uri.scheme = Some(if tls { Scheme::HTTPS } else { Scheme::HTTP });
    uri.authority = Some(Authority::try_from(host)?);
    uri.path_and_query = parts.uri.into_parts().path_and_query;
    parts.uri = Uri::from_parts(uri)?;
    parts.version = Version::HTTP_2;
    Ok(Request::from_parts(parts, ()))
}

/// What an error says about the request (RFC 9113 section 8.7).
fn judge(error: &h2::Error) -> Unanswered {
    let declined = error.is_remote() && error.reason() == Some(Reason::REFUSED_STREAM);
    // To streams that it does not count among those it has seen.
    let left = error.is_remote() && error.is_go_away();
    let why = if left || declined {
        Why::Unprocessed
    } else if error.is_library() {
        Why::Garbage
    } else {
        Why::Broken
    };
    why.into()
}

/// Whether a connection still carries anything, should a request on it be given up.
struct Doubt<'t> {
    trunk: &'t Trunk,
    received: u64,
    since: Instant,
    answered: bool,
}

impl<'t> Doubt<'t> {
    fn of(trunk: &'t Trunk) -> Self {
        Self {
            trunk,
            received: trunk.received(),
            since: Instant::now(),
            answered: false,
        }
    }
}

impl Drop for Doubt<'_> {
    fn drop(&mut self) {
        let silent = !self.answered && self.trunk.received() == self.received;
        if silent && self.since.elapsed() >= SILENCE {
            self.trunk.retire();
        }
    }
}
