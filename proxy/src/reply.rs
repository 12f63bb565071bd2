//! Response bodies: ours, or a backend's on its way to the client with all that ends when it ends.

use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};
use std::time::Instant;

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use windrose_telemetry::HttpEvent;

use crate::access::{Draft, Outcome};
use crate::connection::Client;
use crate::download::{Download, DownloadError};
use crate::flags::Flags;
use crate::grpc::{self, Call};
use crate::links;
use crate::upload::Upload;
use crate::upstream::{InFlight, UpstreamLink};

/// A response body.
#[derive(Debug)]
pub(crate) enum Reply {
    Empty,
    Text(Option<Bytes>),
    Stream(Download, Exchange),
}

/// Why a response broke off: the client's connection is reset, never ended cleanly.
#[derive(Debug, thiserror::Error)]
pub(crate) enum BrokenResponse {
    #[error("the backend's response broke off")]
    Backend(#[source] DownloadError),
    #[error("the response did not move in time")]
    Stalled,
}

/// What is held while a response body is under way, and settled when it ends.
#[derive(Debug)]
pub(crate) struct Exchange {
    pub(crate) client: Rc<Client>,
    pub(crate) group: u32,
    pub(crate) status: u16,
    pub(crate) call: Call,
    pub(crate) began: Instant,
    pub(crate) in_flight: InFlight,
    pub(crate) link: Option<UpstreamLink>,
    pub(crate) upload: Option<Upload>,
    /// For the access log.
    pub(crate) draft: Option<Box<Draft>>,
    /// What happened on the way here.
    pub(crate) flags: Flags,
    /// When the body moved last.
    pub(crate) moved: Instant,
    /// Octets of the body passed on.
    pub(crate) sent: u64,
    /// The body ended, one way or the other; otherwise the client left.
    pub(crate) settled: bool,
}

impl Reply {
    pub(crate) fn text(text: Bytes) -> Self {
        Self::Text(Some(text))
    }
}

impl Exchange {
    /// The response is whole: the connection goes back to the pool if both bodies are through.
    pub(crate) fn complete(&mut self) {
        let now = Instant::now();
        self.settle(now, Flags::default());
        if let Some(link) = self.link.take()
            && self.upload.as_ref().is_none_or(Upload::is_ended)
        {
            links::put(&self.client, self.in_flight.upstream(), link, now);
        }
    }

    fn break_off(&mut self, why: Flags) {
        self.client.watch.break_off();
        self.client.worker.recorder.event(HttpEvent::BrokenResponse);
        self.settle(Instant::now(), why);
        self.link = None;
    }

    /// The deadline of a call is over: its last frame.
    #[cold]
    fn expire(&mut self, now: Instant) -> Frame<Bytes> {
        self.call = Call::Ended(grpc::DEADLINE);
        self.settle(now, Flags::TIMEOUT.and(Flags::DURATION));
        self.link = None;
        Frame::trailers(grpc::late())
    }

    fn settle(&mut self, now: Instant, end: Flags) {
        self.settled = true;
        if let Some(upload) = &self.upload
            && !upload.is_ended()
        {
            upload.abandon();
        }
        let took = now.saturating_duration_since(self.began);
        self.client
            .worker
            .recorder
            .ended(self.group, self.status, took);
        if self.call != Call::No {
            let recorder = &self.client.worker.recorder;
            recorder.called(self.group, self.call.status());
        }
        if let Some(draft) = self.draft.take() {
            let outcome = Outcome {
                now,
                status: Some(self.status),
                flags: self.flags.and(end),
                received: self.upload.as_ref().map_or(0, Upload::received),
                sent: self.sent,
                ended: None,
                grpc: self.call.status(),
            };
            self.client.worker.log(draft, outcome);
        }
        self.client.watch.rest(now);
    }
}

impl Drop for Exchange {
    fn drop(&mut self) {
        if !self.settled {
            self.client.worker.recorder.event(HttpEvent::ClientGone);
            self.settle(Instant::now(), Flags::CLIENT_GONE);
        }
    }
}

impl Body for Reply {
    type Data = Bytes;
    type Error = BrokenResponse;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, BrokenResponse>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Text(text) => Poll::Ready(text.take().map(|text| Ok(Frame::data(text)))),
            Self::Stream(incoming, exchange) => poll_stream(incoming, exchange, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty | Self::Text(None) => true,
            Self::Text(Some(_)) => false,
            Self::Stream(incoming, _) => incoming.is_end_stream(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty | Self::Text(None) => SizeHint::with_exact(0),
            Self::Text(Some(text)) => SizeHint::with_exact(text.len() as u64),
            Self::Stream(incoming, _) => incoming.size_hint(),
        }
    }
}

fn poll_stream(
    incoming: &mut Download,
    exchange: &mut Exchange,
    cx: &mut Context<'_>,
) -> Poll<Option<Result<Frame<Bytes>, BrokenResponse>>> {
    match Pin::new(&mut *incoming).poll_frame(cx) {
        Poll::Ready(Some(Ok(frame))) => {
            exchange.sent += frame.data_ref().map_or(0, |data| data.len() as u64);
            if exchange.call == Call::Open
                && let Some(status) = frame.trailers_ref().and_then(grpc::status)
            {
                exchange.call = Call::Ended(status);
            }
            if incoming.is_end_stream() {
                exchange.complete();
            } else {
                exchange.moved = Instant::now();
                exchange.client.watch.expect_taking(exchange.moved);
            }
            Poll::Ready(Some(Ok(frame)))
        }
        Poll::Ready(None) => {
            if !exchange.settled {
                exchange.complete();
            }
            Poll::Ready(None)
        }
        Poll::Ready(Some(Err(error))) => {
            exchange.break_off(Flags::CLOSED);
            Poll::Ready(Some(Err(BrokenResponse::Backend(error))))
        }
        Poll::Pending if exchange.client.watch.take_expired() => {
            let now = Instant::now();
            if exchange.call == Call::Open && exchange.client.watch.is_over(now) {
                return Poll::Ready(Some(Ok(exchange.expire(now))));
            }
            exchange.break_off(Flags::STREAM_IDLE);
            Poll::Ready(Some(Err(BrokenResponse::Stalled)))
        }
        Poll::Pending => {
            // The client took what there was: it is the backend that is waited for.
            exchange.client.watch.expect_body(exchange.moved);
            Poll::Pending
        }
    }
}
