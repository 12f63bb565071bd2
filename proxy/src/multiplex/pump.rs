//! A request body on its way into a stream, as fast as the endpoint gives window.

use std::pin::Pin;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::{Reason, SendStream};
use http::HeaderMap;
use http_body::Body;

use crate::hop;
use crate::survey::Survey;
use crate::upload::UploadBody;

/// A body under way: one piece of it is held, and no further one asked for before that is sent.
pub(super) struct Pump {
    body: UploadBody,
    stream: SendStream<Bytes>,
    piece: Bytes,
    /// Nothing follows the piece.
    last: bool,
}

/// Why a body did not get through.
#[derive(Debug)]
pub(super) enum Stopped {
    /// The client's part of it failed, and the upload knows why.
    Client,
    /// The endpoint wants no more, or its connection ended: the response tells.
    Endpoint,
}

impl Pump {
    pub(super) fn new(body: UploadBody, stream: SendStream<Bytes>) -> Self {
        Self {
            body,
            stream,
            piece: Bytes::new(),
            last: false,
        }
    }

    /// Goes on as far as client and endpoint allow.
    pub(super) fn poll(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        loop {
            if !self.piece.is_empty() {
                ready!(self.poll_send(cx))?;
                if self.last && self.piece.is_empty() {
                    return Poll::Ready(Ok(()));
                }
                continue;
            }
            match Pin::new(&mut self.body).poll_frame(cx) {
                Poll::Pending => {
                    return match self.stream.poll_reset(cx) {
                        Poll::Ready(_) => Poll::Ready(Err(Stopped::Endpoint)),
                        Poll::Pending => Poll::Pending,
                    };
                }
                Poll::Ready(None) => return Poll::Ready(self.end()),
                Poll::Ready(Some(Err(_))) => {
                    self.stream.send_reset(Reason::CANCEL);
                    return Poll::Ready(Err(Stopped::Client));
                }
                Poll::Ready(Some(Ok(frame))) => match frame.into_data() {
                    Ok(piece) => {
                        self.last = self.body.is_end_stream();
                        if piece.is_empty() && self.last {
                            return Poll::Ready(self.end());
                        }
                        self.piece = piece;
                    }
                    Err(frame) => {
                        if let Ok(trailers) = frame.into_trailers() {
                            return Poll::Ready(self.trailers(trailers));
                        }
                    }
                },
            }
        }
    }

    /// Sends what there is window for.
    fn poll_send(&mut self, cx: &mut Context<'_>) -> Poll<Result<(), Stopped>> {
        self.stream.reserve_capacity(self.piece.len());
        let mut window = self.stream.capacity();
        while window == 0 {
            window = match ready!(self.stream.poll_capacity(cx)) {
                Some(Ok(window)) => window,
                _ => return Poll::Ready(Err(Stopped::Endpoint)),
            };
        }
        let piece = self.piece.split_to(window.min(self.piece.len()));
        let ends = self.last && self.piece.is_empty();
        let sent = self.stream.send_data(piece, ends);
        Poll::Ready(sent.map_err(|_| Stopped::Endpoint))
    }

    fn end(&mut self) -> Result<(), Stopped> {
        let ended = self.stream.send_data(Bytes::new(), true);
        ended.map_err(|_| Stopped::Endpoint)
    }

    fn trailers(&mut self, mut trailers: HeaderMap) -> Result<(), Stopped> {
        let survey = Survey::of(&trailers);
        hop::strip(&mut trailers, survey);
        let sent = self.stream.send_trailers(trailers);
        sent.map_err(|_| Stopped::Endpoint)
    }
}
