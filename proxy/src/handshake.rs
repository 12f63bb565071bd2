//! The TLS handshake of a client connection: within its deadline, under the policy of the host it
//! names, counted.

use std::future::{Future, poll_fn};
use std::pin::pin;
use std::task::{Context, Poll};

use tokio::net::TcpStream;
use tokio::time::sleep;
use tracing::debug;
use windrose_telemetry::HandshakeFailure;
use windrose_tls::{Refusal, Session, Store, Stream, accept};

use crate::watch::Watch;
use crate::worker::{Stopping, Worker};

/// How a handshake ended, if not by its own rules.
enum Cut {
    TimedOut,
    /// The node stops, or others need the room.
    Unwanted,
}

/// Goes through a handshake; `None` when there is no connection.
pub(crate) async fn handshake(
    worker: &Worker,
    stream: TcpStream,
    store: &Store,
    watch: &Watch,
) -> Option<(Stream, Session)> {
    let policy = |host: Option<&str>| {
        let table = worker.table();
        let app = table.host(host?)?;
        table
            .app(app)
            .plan
            .app
            .tls
            .client_auth
            .map(|auth| auth.policy)
    };
    let mut going = pin!(accept(store, stream, policy));
    let mut deadline = pin!(sleep(worker.settings.handshake_timeout));
    let ended = poll_fn(|cx: &mut Context<'_>| {
        watch.register(cx.waker());
        if worker.stopping() == Stopping::Now || watch.is_dismissed() {
            return Poll::Ready(Err(Cut::Unwanted));
        }
        if let Poll::Ready(ended) = going.as_mut().poll(cx) {
            return Poll::Ready(Ok(ended));
        }
        deadline.as_mut().poll(cx).map(|()| Err(Cut::TimedOut))
    })
    .await;
    let failure = match ended {
        Ok(Ok((stream, session))) => {
            let (tls13, resumed) = (session.is_tls13(), session.is_resumed());
            worker.recorder.handshake(tls13, resumed);
            return Some((stream, session));
        }
        Ok(Err(error)) => {
            debug!(%error, "no TLS connection");
            failure(error.refusal)
        }
        Err(Cut::TimedOut) => HandshakeFailure::Timeout,
        Err(Cut::Unwanted) => HandshakeFailure::Closed,
    };
    worker.recorder.handshake_failed(failure);
    None
}

fn failure(refusal: Refusal) -> HandshakeFailure {
    match refusal {
        Refusal::Closed => HandshakeFailure::Closed,
        Refusal::NoCertificate => HandshakeFailure::NoCertificate,
        Refusal::NoPolicy => HandshakeFailure::NoPolicy,
        Refusal::Version => HandshakeFailure::Version,
        Refusal::Parameters => HandshakeFailure::Parameters,
        Refusal::ClientCertificateMissing => HandshakeFailure::ClientCertificateMissing,
        Refusal::ClientCertificate => HandshakeFailure::ClientCertificate,
        Refusal::Distrusted => HandshakeFailure::Distrusted,
        Refusal::Alert => HandshakeFailure::Alert,
        Refusal::Garbage => HandshakeFailure::Garbage,
    }
}
