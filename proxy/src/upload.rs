//! A request body on its way to a backend: streamed, and kept up to a limit so that another attempt
//! can begin again.

use std::cell::RefCell;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};
use std::time::{Duration, Instant};

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Body, Frame, SizeHint};

use crate::inbound::{Inbound, InboundError};
use crate::mirror::{Copied, Tee};
use crate::watch::Watch;

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum UploadError {
    #[error("the client's body broke off")]
    Client(#[source] InboundError),
    #[error("the client's body is larger than allowed")]
    TooLarge,
    #[error("this attempt was given up")]
    Superseded,
}

/// A request body, shared by the attempts to send it. Only the newest attempt gets octets.
#[derive(Debug, Clone)]
pub(crate) struct Upload(Rc<RefCell<Inner>>);

#[derive(Debug)]
struct Inner {
    /// `None` once abandoned.
    incoming: Option<Inbound>,
    /// Who waits for the client's next octets.
    waiting: Option<Waker>,
    watch: Rc<Watch>,
    /// Waited for the answer once the body is through.
    answer: Duration,
    length: SizeHint,
    /// Number of the newest attempt.
    attempt: u32,
    /// What was read so far; `None` once it exceeded the limit or is not needed any more.
    kept: Option<Vec<Bytes>>,
    /// Position of the newest attempt among the kept pieces; [`TRAILERS`] when they are given too.
    next: usize,
    /// No further attempt will follow.
    settled: bool,
    kept_octets: usize,
    /// Octets that came from the client.
    received: u64,
    keep_at_most: usize,
    /// Octets that may still come.
    allowed: u64,
    too_large: bool,
    trailers: Option<HeaderMap>,
    begun: bool,
    ended: bool,
    client_failed: bool,
    /// For copies; `None` for most.
    tee: Option<Box<Tee>>,
}

impl Upload {
    /// `most`: octets of the whole body.
    pub(crate) fn new(
        incoming: Inbound,
        watch: Rc<Watch>,
        answer: Duration,
        keep: usize,
        most: u64,
    ) -> Self {
        Self(Rc::new(RefCell::new(Inner {
            length: incoming.size_hint(),
            incoming: Some(incoming),
            waiting: None,
            watch,
            answer,
            attempt: 0,
            kept: Some(Vec::new()),
            next: 0,
            settled: false,
            kept_octets: 0,
            received: 0,
            keep_at_most: keep,
            allowed: most,
            too_large: false,
            trailers: None,
            begun: false,
            ended: false,
            client_failed: false,
            tee: None,
        })))
    }

    /// The body for one more attempt, from its beginning. The one before gets no more octets.
    pub(crate) fn attempt(&self) -> UploadBody {
        let mut inner = self.0.borrow_mut();
        inner.attempt += 1;
        inner.next = 0;
        UploadBody::Stream {
            upload: self.clone(),
            attempt: inner.attempt,
        }
    }

    /// Whether another attempt could begin again.
    pub(crate) fn is_replayable(&self) -> bool {
        let inner = self.0.borrow();
        !inner.client_failed && !inner.too_large && (!inner.begun || inner.kept.is_some())
    }

    /// No attempt will follow: what was kept is freed, once the newest attempt has all of it.
    pub(crate) fn settle(&self) {
        let mut inner = self.0.borrow_mut();
        inner.settled = true;
        inner.free();
    }

    /// The exchange is over before the body: whoever still sends it stops, and its connection ends.
    pub(crate) fn abandon(&self) {
        let mut inner = self.0.borrow_mut();
        inner.attempt += 1;
        inner.kept = None;
        inner.incoming = None;
        inner.tee = None;
        if let Some(waker) = inner.waiting.take() {
            waker.wake();
        }
    }

    /// All of it once more, if it is whole and kept.
    pub(crate) fn copied(&self) -> Option<Copied> {
        let inner = self.0.borrow();
        let pieces = inner.kept.as_ref().filter(|_| inner.ended)?;
        let chunked = inner.length.exact().is_none();
        let octets = inner.received;
        Some(Copied::new(pieces, octets, inner.trailers.clone(), chunked))
    }

    /// Whether its length is not known before its end.
    pub(crate) fn is_chunked(&self) -> bool {
        self.0.borrow().length.exact().is_none()
    }

    /// Whether more octets than these were announced.
    pub(crate) fn exceeds(&self, most: u64) -> bool {
        self.0.borrow().length.lower() > most
    }

    /// Copies wait for what comes by.
    pub(crate) fn tee(&self, tee: Box<Tee>) {
        self.0.borrow_mut().tee = Some(tee);
    }

    /// Whether the whole body was read from the client.
    pub(crate) fn is_ended(&self) -> bool {
        self.0.borrow().ended
    }

    /// Octets that came from the client so far.
    pub(crate) fn received(&self) -> u64 {
        self.0.borrow().received
    }

    /// Whether it is the client that keeps an attempt waiting, not the backend.
    pub(crate) fn waits_for_client(&self) -> bool {
        self.0.borrow().waiting.is_some()
    }

    /// Whether the client sent more than it may.
    pub(crate) fn is_too_large(&self) -> bool {
        self.0.borrow().too_large
    }

    /// Whether the client broke off.
    pub(crate) fn client_failed(&self) -> bool {
        self.0.borrow().client_failed
    }
}

/// What hyper sends: nothing, or one attempt at a shared body.
#[derive(Debug)]
pub(crate) enum UploadBody {
    Empty,
    Stream {
        upload: Upload,
        attempt: u32,
    },
    /// Of a copy for a mirror.
    Copied(Copied),
}

/// Behind all pieces and the trailers.
const TRAILERS: usize = usize::MAX;

impl Body for UploadBody {
    type Data = Bytes;
    type Error = UploadError;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        match self.get_mut() {
            Self::Empty => Poll::Ready(None),
            Self::Copied(copied) => copied.frame(),
            Self::Stream { upload, attempt } => upload.0.borrow_mut().poll(*attempt, cx),
        }
    }

    fn is_end_stream(&self) -> bool {
        match self {
            Self::Empty => true,
            Self::Copied(copied) => copied.is_end(),
            Self::Stream { upload, .. } => {
                let inner = upload.0.borrow();
                inner.ended && inner.trailers.is_none() && inner.is_repeated()
            }
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Empty => SizeHint::with_exact(0),
            Self::Copied(copied) => copied.size(),
            Self::Stream { upload, .. } => upload.0.borrow().length,
        }
    }
}

impl Inner {
    fn poll(
        &mut self,
        attempt: u32,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, UploadError>>> {
        if attempt != self.attempt {
            return Poll::Ready(Some(Err(UploadError::Superseded)));
        }
        if let Some(piece) = self.kept.as_ref().and_then(|kept| kept.get(self.next)) {
            let piece = piece.clone();
            self.next += 1;
            self.free();
            return Poll::Ready(Some(Ok(Frame::data(piece))));
        }
        if self.ended {
            return Poll::Ready(self.repeated_trailers());
        }
        self.begun = true;
        let Some(incoming) = &mut self.incoming else {
            return Poll::Ready(Some(Err(UploadError::Superseded)));
        };
        let frame = match Pin::new(&mut *incoming).poll_frame(cx) {
            Poll::Ready(frame) => frame,
            Poll::Pending => {
                self.waiting = Some(cx.waker().clone());
                self.watch.expect_body(Instant::now());
                return Poll::Pending;
            }
        };
        let ends = incoming.is_end_stream();
        self.waiting = None;
        match frame {
            None => {
                self.end();
                Poll::Ready(None)
            }
            Some(Err(error)) => {
                self.client_failed = true;
                Poll::Ready(Some(Err(UploadError::Client(error))))
            }
            Some(Ok(frame)) => {
                if let Some(data) = frame.data_ref() {
                    self.received += data.len() as u64;
                    let Some(left) = self.allowed.checked_sub(data.len() as u64) else {
                        self.too_large = true;
                        return Poll::Ready(Some(Err(UploadError::TooLarge)));
                    };
                    self.allowed = left;
                    self.keep(data);
                    if let Some(tee) = &mut self.tee {
                        tee.data(data);
                    }
                }
                if let Some(trailers) = frame.trailers_ref() {
                    if let Some(tee) = &mut self.tee {
                        tee.trailers(trailers);
                    }
                    self.trailers = self.kept.is_some().then(|| trailers.clone());
                    self.next = TRAILERS;
                    self.end();
                } else if ends {
                    self.end();
                } else {
                    self.watch.expect_body(Instant::now());
                }
                Poll::Ready(Some(Ok(frame)))
            }
        }
    }

    /// Whether the newest attempt has got all that was kept.
    fn is_repeated(&self) -> bool {
        self.kept
            .as_ref()
            .is_none_or(|kept| self.next >= kept.len())
    }

    fn free(&mut self) {
        if self.settled && self.is_repeated() {
            self.kept = None;
        }
    }

    /// The trailers once, at the end of a repeated body; then nothing.
    fn repeated_trailers(&mut self) -> Option<Result<Frame<Bytes>, UploadError>> {
        if self.next == TRAILERS {
            return None;
        }
        self.next = TRAILERS;
        let trailers = self.trailers.clone()?;
        Some(Ok(Frame::trailers(trailers)))
    }

    fn keep(&mut self, data: &Bytes) {
        self.kept_octets += data.len();
        if self.kept_octets > self.keep_at_most {
            self.kept = None;
        }
        if let Some(kept) = &mut self.kept {
            kept.push(data.clone());
            self.next = kept.len();
        }
    }

    fn end(&mut self) {
        if !self.ended {
            self.ended = true;
            if let Some(tee) = self.tee.take() {
                tee.end();
            }
            self.watch.expect_answer(Instant::now(), self.answer);
        }
    }
}
