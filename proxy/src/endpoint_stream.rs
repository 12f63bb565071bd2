//! A connection to an endpoint, as bytes: TCP, or TLS over it.

use std::io::{self, IoSlice};
use std::pin::Pin;
use std::task::{Context, Poll};

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use windrose_tls::OriginStream;

/// A connection to an endpoint.
#[derive(Debug)]
pub(crate) enum EndpointStream {
    Plain(TcpStream),
    /// Boxed: a plain one carries no room for it.
    Tls(Box<OriginStream>, UnsaidEnd),
}

/// What an end of the connection means that TLS did not announce (`close_notify`, RFC 8446 section
/// 6.1): somebody may have cut it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum UnsaidEnd {
    /// An error: HTTP must know whether a body is whole.
    Breaks,
    /// An end: many servers do not announce it, and nobody reads the octets here.
    Ends,
}

impl EndpointStream {
    /// The socket below.
    pub(crate) fn socket(&self) -> &TcpStream {
        match self {
            Self::Plain(stream) => stream,
            Self::Tls(stream, _) => stream.get_ref().0,
        }
    }
}

impl UnsaidEnd {
    fn forgives(self, error: &io::Error) -> bool {
        self == Self::Ends && error.kind() == io::ErrorKind::UnexpectedEof
    }
}

impl AsyncRead for EndpointStream {
    #[inline]
    fn poll_read(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &mut ReadBuf<'_>,
    ) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_read(cx, buf),
            Self::Tls(stream, unsaid) => {
                let result = Pin::new(stream).poll_read(cx, buf);
                match result {
                    Poll::Ready(Err(error)) if unsaid.forgives(&error) => Poll::Ready(Ok(())),
                    result => result,
                }
            }
        }
    }
}

impl AsyncWrite for EndpointStream {
    #[inline]
    fn poll_write(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        buf: &[u8],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write(cx, buf),
            Self::Tls(stream, _) => Pin::new(stream).poll_write(cx, buf),
        }
    }

    #[inline]
    fn poll_write_vectored(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
        bufs: &[IoSlice<'_>],
    ) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_write_vectored(cx, bufs),
            Self::Tls(stream, _) => Pin::new(stream).poll_write_vectored(cx, bufs),
        }
    }

    fn is_write_vectored(&self) -> bool {
        true
    }

    /// TLS may hold the end of a record that the socket did not take.
    #[inline]
    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(_) => Poll::Ready(Ok(())),
            Self::Tls(stream, _) => Pin::new(stream).poll_flush(cx),
        }
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Plain(stream) => Pin::new(stream).poll_shutdown(cx),
            Self::Tls(stream, _) => Pin::new(stream).poll_shutdown(cx),
        }
    }
}
