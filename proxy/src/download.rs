//! A response body as it comes from a backend, over HTTP/1 or HTTP/2.

use std::pin::Pin;
use std::task::{Context, Poll};

use bytes::Bytes;
use http_body::{Body, Frame, SizeHint};
use hyper::body::Incoming;

use crate::multiplex::Stream;

/// A response body.
#[derive(Debug)]
pub(crate) enum Download {
    Http1(Incoming),
    /// Boxed: a body of HTTP/1 carries no room for it.
    Http2(Box<Stream>),
}

/// Why a body broke off.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DownloadError {
    #[error(transparent)]
    Http1(#[from] hyper::Error),
    #[error(transparent)]
    Http2(#[from] h2::Error),
}

impl Body for Download {
    type Data = Bytes;
    type Error = DownloadError;

    #[inline]
    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, DownloadError>>> {
        match self.get_mut() {
            Self::Http1(incoming) => Pin::new(incoming)
                .poll_frame(cx)
                .map_err(DownloadError::Http1),
            Self::Http2(stream) => stream.poll_frame(cx).map_err(DownloadError::Http2),
        }
    }

    #[inline]
    fn is_end_stream(&self) -> bool {
        match self {
            Self::Http1(incoming) => incoming.is_end_stream(),
            Self::Http2(stream) => stream.is_end(),
        }
    }

    fn size_hint(&self) -> SizeHint {
        match self {
            Self::Http1(incoming) => incoming.size_hint(),
            Self::Http2(stream) => stream.size(),
        }
    }
}
