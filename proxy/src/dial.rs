//! Connections to endpoints: TCP, and what comes before the endpoint's own protocol, all within one
//! time. Whatever fails here is a connect failure: nothing of a request has left.

use std::cell::Cell;
use std::io;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;
use tokio::time::timeout_at;
use tracing::warn;
use windrose_telemetry::EndpointTlsFailure;
use windrose_tls::{OriginError, OriginFault};

use crate::endpoint_stream::{EndpointStream, UnsaidEnd};
use crate::worker::Worker;

/// Failed handshakes are told at most so often by a thread; all are counted.
const TELL_EVERY: Duration = Duration::from_secs(1);
/// "Off" as a duration that never comes.
const NEVER: Duration = Duration::from_secs(365 * 24 * 3_600);

/// What a connection begins with.
#[derive(Debug, Clone, Default)]
pub(crate) struct Beginning {
    /// A PROXY header.
    pub(crate) header: Option<Vec<u8>>,
    /// TLS, under this policy, and what its end means if it is not announced.
    pub(crate) tls: Option<(u64, UnsaidEnd)>,
}

/// Connects within `timeout`; zero is no limit but the system's.
pub(crate) async fn dial(
    worker: &Worker,
    address: SocketAddr,
    timeout: Duration,
    beginning: Beginning,
) -> io::Result<EndpointStream> {
    let until = end(Instant::now(), timeout).into();
    let connecting = timeout_at(until, TcpStream::connect(address));
    let mut stream = connecting.await.map_err(|_| io::ErrorKind::TimedOut)??;
    stream.set_nodelay(true)?;
    if let Some(header) = beginning.header {
        let writing = timeout_at(until, stream.write_all(&header));
        writing.await.map_err(|_| io::ErrorKind::TimedOut)??;
    }
    let Some((policy, unsaid)) = beginning.tls else {
        return Ok(EndpointStream::Plain(stream));
    };
    // Boxed: rare, and larger than all the rest.
    let secured = timeout_at(until, Box::pin(secure(worker, policy, unsaid, stream))).await;
    let (failure, error) = match secured {
        Ok(Ok(stream)) => return Ok(stream),
        Ok(Err(error)) => (failure(error.fault), error.source),
        Err(_) => (EndpointTlsFailure::Timeout, io::ErrorKind::TimedOut.into()),
    };
    worker.recorder.endpoint_tls_failed(failure);
    if worker.told.is_due(Instant::now()) {
        warn!(endpoint = %address, reason = failure.as_str(), %error, "no TLS to an endpoint");
    }
    Err(error)
}

/// The output of a future within `timeout` of a beginning; zero is no limit.
pub(crate) async fn within<F: Future>(
    began: Instant,
    timeout: Duration,
    future: F,
) -> io::Result<F::Output> {
    let waited = timeout_at(end(began, timeout).into(), future).await;
    waited.map_err(|_| io::ErrorKind::TimedOut.into())
}

fn end(began: Instant, timeout: Duration) -> Instant {
    began + if timeout.is_zero() { NEVER } else { timeout }
}

async fn secure(
    worker: &Worker,
    policy: u64,
    unsaid: UnsaidEnd,
    stream: TcpStream,
) -> Result<EndpointStream, OriginError> {
    let origin = worker.certificates.origin(policy)?;
    let (stream, handshake) = origin.connect(stream).await?;
    let (tls13, resumed) = (handshake.tls13, handshake.resumed);
    worker.recorder.endpoint_tls(tls13, resumed);
    Ok(EndpointStream::Tls(Box::new(stream), unsaid))
}

fn failure(fault: OriginFault) -> EndpointTlsFailure {
    match fault {
        OriginFault::Closed => EndpointTlsFailure::Closed,
        OriginFault::Untrusted => EndpointTlsFailure::Untrusted,
        OriginFault::Name => EndpointTlsFailure::Name,
        OriginFault::Expired => EndpointTlsFailure::Expired,
        OriginFault::ClientCertificate => EndpointTlsFailure::ClientCertificate,
        OriginFault::Version => EndpointTlsFailure::Version,
        OriginFault::Protocol => EndpointTlsFailure::Protocol,
        OriginFault::Alert => EndpointTlsFailure::Alert,
        OriginFault::Garbage => EndpointTlsFailure::Garbage,
        OriginFault::NoPolicy => EndpointTlsFailure::NoPolicy,
    }
}

/// When something was told last.
#[derive(Debug, Default)]
pub(crate) struct Told(Cell<Option<Instant>>);

impl Told {
    /// Whether it is time to tell again; then it is told now.
    pub(crate) fn is_due(&self, now: Instant) -> bool {
        let due = self.0.get().is_none_or(|last| now >= last + TELL_EVERY);
        if due {
            self.0.set(Some(now));
        }
        due
    }
}
