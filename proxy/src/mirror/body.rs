//! A request body for its copies: gathered while the primary gets it, sent when it is whole.

use std::rc::Rc;
use std::task::Poll;

use bytes::Bytes;
use http::HeaderMap;
use http_body::{Frame, SizeHint};
use windrose_telemetry::Mirrored;

use super::Copy;

/// Pieces below this are gathered into larger ones: what is small would pin a buffer each.
const SMALL: usize = 1_024;

/// What goes by on its way to the primary, for copies that wait for its end.
pub(crate) struct Tee {
    /// With how many octets each takes.
    waiting: Vec<(u64, Copy)>,
    octets: u64,
    pieces: Vec<Bytes>,
    /// Small pieces, not yet in the list.
    small: Vec<u8>,
    trailers: Option<HeaderMap>,
    chunked: bool,
}

impl Tee {
    pub(super) fn new(waiting: Vec<(u64, Copy)>, chunked: bool) -> Box<Self> {
        Box::new(Self {
            waiting,
            octets: 0,
            pieces: Vec::new(),
            small: Vec::new(),
            trailers: None,
            chunked,
        })
    }

    /// Octets came from the client.
    pub(crate) fn data(&mut self, data: &Bytes) {
        self.octets += data.len() as u64;
        let octets = self.octets;
        for (_, copy) in self.waiting.extract_if(.., |(most, _)| octets > *most) {
            copy.drop_for(Mirrored::Body);
        }
        if self.waiting.is_empty() {
            (self.pieces, self.small) = (Vec::new(), Vec::new());
        } else if data.len() < SMALL {
            self.small.extend_from_slice(data);
        } else {
            self.flush();
            self.pieces.push(data.clone());
        }
    }

    /// The trailers came.
    pub(crate) fn trailers(&mut self, trailers: &HeaderMap) {
        self.trailers = Some(trailers.clone());
    }

    /// The body is whole.
    pub(crate) fn end(mut self) {
        self.flush();
        let pieces: Rc<[Bytes]> = std::mem::take(&mut self.pieces).into();
        for (_, copy) in std::mem::take(&mut self.waiting) {
            copy.send(Some(Copied {
                pieces: Rc::clone(&pieces),
                next: 0,
                octets: self.octets,
                trailers: self.trailers.clone(),
                chunked: self.chunked,
            }));
        }
    }

    fn flush(&mut self) {
        if !self.small.is_empty() {
            self.pieces.push(std::mem::take(&mut self.small).into());
        }
    }
}

impl Drop for Tee {
    /// The client, or the primary, broke off before the end.
    fn drop(&mut self) {
        for (_, copy) in self.waiting.drain(..) {
            copy.drop_for(Mirrored::BrokenOff);
        }
    }
}

impl std::fmt::Debug for Tee {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(
            f,
            "Tee({} octets for {} copies)",
            self.octets,
            self.waiting.len()
        )
    }
}

/// The body of a copy.
#[derive(Debug)]
pub(crate) struct Copied {
    pieces: Rc<[Bytes]>,
    next: usize,
    octets: u64,
    trailers: Option<HeaderMap>,
    chunked: bool,
}

impl Copied {
    pub(crate) fn new(
        pieces: &[Bytes],
        octets: u64,
        trailers: Option<HeaderMap>,
        chunked: bool,
    ) -> Self {
        Self {
            pieces: pieces.into(),
            next: 0,
            octets,
            trailers,
            chunked,
        }
    }

    pub(super) const fn is_chunked(&self) -> bool {
        self.chunked
    }

    pub(crate) fn frame<E>(&mut self) -> Poll<Option<Result<Frame<Bytes>, E>>> {
        let piece = self.pieces.get(self.next).cloned();
        self.next += usize::from(piece.is_some());
        let frame = piece.map(Frame::data);
        Poll::Ready(
            frame
                .or_else(|| self.trailers.take().map(Frame::trailers))
                .map(Ok),
        )
    }

    pub(crate) fn is_end(&self) -> bool {
        self.next >= self.pieces.len() && self.trailers.is_none()
    }

    pub(crate) fn size(&self) -> SizeHint {
        if self.chunked {
            SizeHint::default()
        } else {
            SizeHint::with_exact(self.octets)
        }
    }
}
