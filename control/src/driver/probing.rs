//! Performs one probe: a TCP connect, or a connect and one GET, within one timeout; before that what
//! the endpoint must hear first.

use std::error::Error;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, Instant};

use http_body_util::{BodyExt, Empty};
use hyper::body::{Bytes, Incoming};
use hyper::client::conn::{http1, http2};
use hyper::{Request, Uri, header};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio::time::timeout;
use windrose_model::{HttpVersion, ProbeFailure};
use windrose_telemetry::{Metrics, ProbeOutcome};
use windrose_tls::{OriginStream, Store};

use super::announce;
use crate::event::Event;
use crate::probe::{Check, CheckKind, Order, Outcome};

/// A response head may be this large.
const HEAD_OCTETS: usize = 32 << 10;
/// So much of a body is read, so that a server may end in peace.
const BODY_OCTETS: usize = 64 << 10;

/// Begins a probe; how it ends is sent to `done`, and before that, if it is asked for, how long the
/// connection took.
pub(super) fn begin(
    order: Order,
    metrics: &Arc<Metrics>,
    certificates: &Store,
    done: mpsc::UnboundedSender<Event>,
    measures: bool,
) {
    let metrics = Arc::clone(metrics);
    let certificates = certificates.clone();
    tokio::spawn(async move {
        let connected = |after| {
            if measures {
                let _ = done.send(Event::Connected(order.id, after));
            }
        };
        let outcome = timeout(
            order.check.timeout,
            perform(&order, &certificates, connected),
        )
        .await
        .unwrap_or(Outcome::Failed(ProbeFailure::Timeout));
        if let Some(outcome) = counted(outcome) {
            metrics.scalars.probes(outcome).increment();
        }
        let _ = done.send(Event::Probed(order.id, outcome));
    });
}

async fn perform(order: &Order, certificates: &Store, connected: impl Fn(Duration)) -> Outcome {
    let begun = Instant::now();
    let mut stream = match connect(order.address).await {
        Ok(stream) => stream,
        Err(error) => return of_io(&error),
    };
    // One round trip: the handshake of TCP, and nothing of the server.
    connected(begun.elapsed());
    if let Some(version) = order.check.manner.proxy_protocol
        && let Err(error) = stream.write_all(announce::local(version)).await
    {
        return of_io(&error);
    }
    let Some(policy) = order.check.manner.tls else {
        return ask(stream, &order.check).await;
    };
    // Boxed: most probes carry no room for it.
    match Box::pin(secure(stream, policy, certificates)).await {
        Some(stream) => ask(stream, &order.check).await,
        None => Outcome::Failed(ProbeFailure::Tls),
    }
}

/// TLS, as live traffic to the endpoint speaks it.
async fn secure(stream: TcpStream, policy: u64, certificates: &Store) -> Option<OriginStream> {
    let origin = certificates.origin(policy).ok()?;
    let secured = origin.connect(stream).await;
    secured.map(|(stream, _)| stream).ok()
}

/// A probe's connection.
trait Line: AsyncRead + AsyncWrite + Unpin + Send + 'static {}

impl<T: AsyncRead + AsyncWrite + Unpin + Send + 'static> Line for T {}

async fn ask(stream: impl Line, check: &Check) -> Outcome {
    let CheckKind::Http { path, host, status } = &check.kind else {
        return Outcome::Healthy;
    };
    let tls = check.manner.tls.is_some();
    let answered = match check.manner.http {
        HttpVersion::Http1 => get(stream, path, host).await,
        // Boxed: most probes carry no room for it.
        HttpVersion::Http2 => Box::pin(get_over_http2(stream, tls, path, host)).await,
    };
    match answered {
        Ok(code) if status.iter().any(|(a, b)| (*a..=*b).contains(&code)) => Outcome::Healthy,
        Ok(code) => Outcome::Failed(ProbeFailure::Status(code)),
        Err(failure) => Outcome::Failed(failure),
    }
}

/// On loopback a connect to a free port of the ephemeral range may meet itself; nobody listens
/// there.
async fn connect(address: SocketAddr) -> io::Result<TcpStream> {
    let stream = TcpStream::connect(address).await?;
    if stream.local_addr()? == address {
        return Err(io::ErrorKind::ConnectionRefused.into());
    }
    Ok(stream)
}

/// The status of one GET, its body read to the end or to a bound.
async fn get(stream: impl Line, path: &str, host: &str) -> Result<u16, ProbeFailure> {
    let request = Request::get(path)
        .header(header::HOST, host)
        .header(header::USER_AGENT, "windrose-probe")
        .header(header::ACCEPT, "*/*")
        .header(header::CONNECTION, "close")
        .body(Empty::<Bytes>::new())
        .map_err(|_| ProbeFailure::Garbage)?;
    let (mut sender, connection) = http1::Builder::new()
        .max_buf_size(HEAD_OCTETS)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| of_hyper(&e))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| of_hyper(&e))?;
        let code = response.status().as_u16();
        read_some(response.into_body()).await?;
        Ok(code)
    };
    follow(exchange, connection).await
}

/// The same over HTTP/2.
async fn get_over_http2(
    stream: impl Line,
    tls: bool,
    path: &str,
    host: &str,
) -> Result<u16, ProbeFailure> {
    let scheme = if tls { "https" } else { "http" };
    let uri = format!("{scheme}://{host}{path}").parse::<Uri>();
    let request = Request::get(uri.map_err(|_| ProbeFailure::Garbage)?)
        .header(header::USER_AGENT, "windrose-probe")
        .header(header::ACCEPT, "*/*")
        .body(Empty::<Bytes>::new())
        .map_err(|_| ProbeFailure::Garbage)?;
    let (mut sender, connection) = http2::Builder::new(TokioExecutor::new())
        .max_header_list_size(HEAD_OCTETS as u32)
        .handshake(TokioIo::new(stream))
        .await
        .map_err(|e| of_hyper(&e))?;
    let exchange = async {
        let response = sender
            .send_request(request)
            .await
            .map_err(|e| of_hyper(&e))?;
        let code = response.status().as_u16();
        read_some(response.into_body()).await?;
        Ok(code)
    };
    follow(exchange, connection).await
}

/// The result of an exchange while its connection is driven.
async fn follow(
    exchange: impl Future<Output = Result<u16, ProbeFailure>>,
    connection: impl Future<Output = hyper::Result<()>>,
) -> Result<u16, ProbeFailure> {
    let mut connection = std::pin::pin!(connection);
    let mut exchange = std::pin::pin!(exchange);
    tokio::select! {
        biased;
        result = &mut exchange => result,
        ended = &mut connection => match ended {
            // The connection may end before the exchange has looked at its last piece.
            Ok(()) => exchange.await,
            Err(error) => Err(of_hyper(&error)),
        },
    }
}

async fn read_some(mut body: Incoming) -> Result<(), ProbeFailure> {
    let mut left = BODY_OCTETS;
    while let Some(frame) = body.frame().await {
        let frame = frame.map_err(|e| of_hyper(&e))?;
        let read = frame.data_ref().map_or(0, Bytes::len);
        if read >= left {
            return Ok(());
        }
        left -= read;
    }
    Ok(())
}

fn of_hyper(error: &hyper::Error) -> ProbeFailure {
    let source = error.source();
    if let Some(deeper) = source.and_then(|e| e.downcast_ref::<hyper::Error>()) {
        return of_hyper(deeper);
    }
    let io = source.and_then(|e| e.downcast_ref::<io::Error>());
    if let Some(Outcome::Failed(failure)) = io.map(of_io) {
        return failure;
    }
    if error.is_incomplete_message() || error.is_canceled() || error.is_closed() {
        return ProbeFailure::Reset;
    }
    // What does not parse, or was said before it was asked for.
    ProbeFailure::Garbage
}

fn of_io(error: &io::Error) -> Outcome {
    use io::ErrorKind as Kind;
    let failure = match error.kind() {
        Kind::ConnectionRefused => ProbeFailure::Refused,
        Kind::TimedOut => ProbeFailure::Timeout,
        Kind::ConnectionReset
        | Kind::ConnectionAborted
        | Kind::BrokenPipe
        | Kind::UnexpectedEof
        | Kind::NotConnected => ProbeFailure::Reset,
        // hyper's words for a body that is not framed as it should be.
        Kind::InvalidInput | Kind::InvalidData => ProbeFailure::Garbage,
        Kind::OutOfMemory | Kind::AddrNotAvailable | Kind::AddrInUse => return Outcome::NotMade,
        _ if is_shortage(error) => return Outcome::NotMade,
        _ => ProbeFailure::Unreachable,
    };
    Outcome::Failed(failure)
}

/// No descriptors or no buffers left on this node; the numbers are Linux's.
fn is_shortage(error: &io::Error) -> bool {
    const ENFILE: i32 = 23;
    const EMFILE: i32 = 24;
    const ENOBUFS: i32 = 105;
    matches!(error.raw_os_error(), Some(ENFILE | EMFILE | ENOBUFS))
}

fn counted(outcome: Outcome) -> Option<ProbeOutcome> {
    Some(match outcome {
        Outcome::Healthy => ProbeOutcome::Success,
        Outcome::NotMade => return None,
        Outcome::Failed(failure) => match failure {
            ProbeFailure::Refused => ProbeOutcome::Refused,
            ProbeFailure::Unreachable => ProbeOutcome::Unreachable,
            ProbeFailure::Timeout => ProbeOutcome::Timeout,
            ProbeFailure::Reset => ProbeOutcome::Reset,
            ProbeFailure::Tls => ProbeOutcome::Tls,
            ProbeFailure::Garbage => ProbeOutcome::Garbage,
            ProbeFailure::Status(_) => ProbeOutcome::Status,
            ProbeFailure::Passive(_) => return None,
        },
    })
}
