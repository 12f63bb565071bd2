//! A request body as it comes from a client, over HTTP/1 or HTTP/2.

use std::cell::Cell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, ready};

use bytes::Bytes;
use h2::RecvStream;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::watch::Watch;

/// A request body.
#[derive(Debug)]
pub(crate) enum Inbound {
    Http1(Incoming),
    Http2(Streamed),
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum InboundError {
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

/// The body of a stream.
#[derive(Debug)]
pub(crate) struct Streamed {
    stream: RecvStream,
    /// What `Content-Length` says; the engine holds the stream to it.
    length: Option<u64>,
    expect: Option<Rc<Expect>>,
    /// To be told when it is through; none for what comes from a backend.
    watch: Option<Rc<Watch>>,
    /// All data is through, trailers may follow.
    data_ended: bool,
    ended: bool,
}

/// A client that waits for 100 (Continue).
#[derive(Debug)]
pub(crate) struct Expect {
    wanted: Cell<bool>,
    watch: Rc<Watch>,
}

impl Expect {
    pub(crate) fn new(watch: Rc<Watch>) -> Self {
        Self {
            wanted: Cell::new(false),
            watch,
        }
    }

    /// Whether somebody has begun to wait for the body since it was last asked.
    pub(crate) fn take(&self) -> bool {
        self.wanted.replace(false)
    }
}

impl Streamed {
    pub(crate) fn new(
        stream: RecvStream,
        length: Option<u64>,
        expect: Option<Rc<Expect>>,
        watch: Option<Rc<Watch>>,
    ) -> Self {
        Self {
            stream,
            length,
            expect,
            watch,
            data_ended: false,
            ended: false,
        }
    }

    pub(crate) fn is_end(&self) -> bool {
        self.stream.is_end_stream()
    }

    pub(crate) fn size(&self) -> SizeHint {
        match self.length {
            Some(length) => SizeHint::with_exact(length),
            None if self.is_end() => SizeHint::with_exact(0),
            None => SizeHint::default(),
        }
    }

    pub(crate) fn poll(
        &mut self,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, h2::Error>>> {
        if let Some(expect) = self.expect.take()
            && !self.stream.is_end_stream()
        {
            expect.wanted.set(true);
            expect.watch.wake();
        }
        while !self.data_ended {
            match ready!(self.stream.poll_data(cx)) {
                Some(Ok(data)) => {
                    // Whoever asks takes it on; what was not asked for fills the window.
                    self.stream.flow_control().release_capacity(data.len())?;
                    if self.stream.is_end_stream() {
                        self.tell();
                    }
                    if !data.is_empty() {
                        return Poll::Ready(Some(Ok(Frame::data(data))));
                    }
                }
                Some(Err(error)) => return Poll::Ready(Some(Err(error))),
                None => self.data_ended = true,
            }
        }
        if self.ended {
            return Poll::Ready(None);
        }
        let trailers = ready!(self.stream.poll_trailers(cx))?;
        self.ended = true;
        self.tell();
        Poll::Ready(trailers.map(|trailers| Ok(Frame::trailers(trailers))))
    }

    /// It is through.
    fn tell(&self) {
        if let Some(watch) = &self.watch {
            watch.uploads(false);
        }
    }
}

impl Body for Inbound {
    type Data = Bytes;
    type Error = InboundError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, InboundError>>> {
        match self.get_mut() {
            Self::Http1(incoming) => Pin::new(incoming)
                .poll_frame(cx)
                .map_err(InboundError::Http1),
            Self::Http2(streamed) => streamed.poll(cx).map_err(InboundError::Http2),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(streamed) => streamed.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2(streamed) => streamed.size(),
        }
    }
}
