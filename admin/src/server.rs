//! Accepts connections and answers them, within limits that a stranger cannot exceed: so many
//! connections, so large a head, so long a wait, so long a life.

use std::convert::Infallible;
use std::future::Future;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::Full;
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpListener;
use tokio::sync::{Semaphore, watch};
use tokio::task::JoinSet;
use tokio::time::timeout;

use crate::State;
use crate::pages::{self, Page};

/// Connections at one time; one more waits in the backlog.
const CONNECTIONS: usize = 64;
/// Large pages written at one time; one more waits.
const LARGE_PAGES: usize = 2;
/// For a head to arrive, and for an idle connection to be used again.
const HEAD: Duration = Duration::from_secs(10);
const HEAD_BYTES: usize = 16 * 1024;
const HEAD_FIELDS: usize = 64;
/// After this long a connection answers what it is at and closes.
const LIFE: Duration = Duration::from_secs(60);
/// And after this much more it is cut: its client does not read.
const LAST_ANSWER: Duration = Duration::from_secs(30);
/// How long connections may finish once the server stops.
const STOPPING: Duration = Duration::from_secs(1);

/// Serves until `stop` is done, then finishes what is under way, for at most a second. Runs on the
/// current runtime, which should not be the one of the data path or of control.
///
/// # Errors
/// The listener cannot be used. Failures of single connections end these only.
pub async fn serve(
    listener: std::net::TcpListener,
    state: State,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    listener.set_nonblocking(true)?;
    let listener = TcpListener::from_std(listener)?;
    let server = Server {
        state,
        large: Arc::new(Semaphore::new(LARGE_PAGES)),
    };
    let (stopping, stopped) = watch::channel(false);
    let mut connections = JoinSet::new();
    tokio::pin!(stop);
    loop {
        tokio::select! {
            () = &mut stop => break,
            Some(_) = connections.join_next() => {}
            accepted = listener.accept(), if connections.len() < CONNECTIONS => match accepted {
                Ok((stream, _)) => {
                    connections.spawn(connection(stream, server.clone(), stopped.clone()));
                }
                Err(error) => pause(&error).await,
            },
        }
    }
    drop(listener);
    stopping.send_replace(true);
    let _ = timeout(STOPPING, async {
        while connections.join_next().await.is_some() {}
    })
    .await;
    Ok(())
}

/// Out of file descriptors: the next accept would fail at once again, and spin.
async fn pause(error: &io::Error) {
    tracing::warn!(%error, "admin connection not accepted");
    tokio::time::sleep(Duration::from_millis(100)).await;
}

async fn connection<S>(stream: S, server: Server, mut stopped: watch::Receiver<bool>)
where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let service = service_fn(move |request| {
        let server = server.clone();
        async move { Ok::<_, Infallible>(server.answer(request).await) }
    });
    let connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_buf_size(HEAD_BYTES)
        .max_headers(HEAD_FIELDS)
        .serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);
    let done = tokio::select! {
        done = connection.as_mut() => Some(done),
        () = tokio::time::sleep(LIFE) => None,
        _ = stopped.wait_for(|stopped| *stopped) => None,
    };
    let done = match done {
        Some(done) => done,
        None => {
            connection.as_mut().graceful_shutdown();
            timeout(LAST_ANSWER, connection).await.unwrap_or(Ok(()))
        }
    };
    if let Err(error) = done {
        tracing::debug!(%error, "admin connection ended");
    }
}

#[derive(Clone)]
struct Server {
    state: State,
    large: Arc<Semaphore>,
}

impl Server {
    async fn answer(self, request: Request<Incoming>) -> Response<Full<Bytes>> {
        let page = Page::of(&request);
        let path = request.uri().path().to_owned();
        if !page.is_large() {
            return page.reply(&path, &self.state);
        }
        let Ok(turn) = self.large.acquire_owned().await else {
            return failed();
        };
        let written = tokio::task::spawn_blocking(move || {
            let reply = page.reply(&path, &self.state);
            drop(turn);
            reply
        });
        written.await.unwrap_or_else(|_| failed())
    }
}

fn failed() -> Response<Full<Bytes>> {
    let body = "this page could not be written; see the node's log\n".to_owned();
    pages::reply(
        StatusCode::INTERNAL_SERVER_ERROR,
        "text/plain; charset=utf-8",
        body,
    )
}

#[cfg(test)]
mod tests {
    use std::time::SystemTime;

    use tokio::io::{AsyncReadExt, AsyncWriteExt, DuplexStream, duplex};
    use tokio::task::JoinHandle;
    use tokio::time::Instant;
    use windrose_control::{Readiness, Reload, Snapshot};
    use windrose_model::{Model, Status, WallTime};
    use windrose_routing::Table;
    use windrose_telemetry::{Live, Metrics};

    use super::*;
    use crate::Identity;

    fn server() -> Server {
        let snapshot = Snapshot {
            model: Arc::new(Model::empty()),
            status: Status::default(),
            table: Arc::new(Table::empty()),
            started: WallTime(0),
            ready: Readiness::default(),
            reload: Reload {
                ok: true,
                at: WallTime(0),
                error: None,
            },
            aliases: Arc::default(),
            decisions: Vec::new(),
            round_trips: Vec::new(),
            journal_lost: 0,
        };
        let (_, snapshots) = watch::channel(Arc::new(snapshot));
        let identity = Identity {
            node: "n1".to_owned(),
            version: String::new(),
            commit: String::new(),
            started: SystemTime::UNIX_EPOCH,
        };
        Server {
            state: State {
                snapshots,
                convergence: watch::channel(Arc::default()).1,
                metrics: Metrics::new(),
                certificates: windrose_tls::Store::new(),
                live: Live::default(),
                identity: Arc::new(identity),
                stopping: watch::channel(false).1,
            },
            large: Arc::new(Semaphore::new(LARGE_PAGES)),
        }
    }

    /// A connection in memory, and how many seconds of virtual time it lived.
    fn connect(buffer: usize) -> (DuplexStream, watch::Sender<bool>, JoinHandle<u64>) {
        let (client, stream) = duplex(buffer);
        let (stopping, stopped) = watch::channel(false);
        let life = tokio::spawn(async move {
            let start = Instant::now();
            connection(stream, server(), stopped).await;
            start.elapsed().as_secs()
        });
        (client, stopping, life)
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_does_not_come_ends_the_connection() {
        let (mut client, _stopping, life) = connect(1024);
        client.write_all(b"GET / HTTP/1.1\r\nHos").await.unwrap();
        assert_eq!(life.await.unwrap(), HEAD.as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_client_that_does_not_read_is_cut() {
        let (mut client, _stopping, life) = connect(64);
        let request = b"GET / HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        assert_eq!(life.await.unwrap(), (LIFE + LAST_ANSWER).as_secs());
    }

    #[tokio::test(start_paused = true)]
    async fn a_stop_closes_idle_connections_at_once() {
        let (mut client, stopping, life) = connect(4096);
        let request = b"GET /healthz HTTP/1.1\r\nHost: a\r\n\r\n";
        client.write_all(request).await.unwrap();
        let mut answer = [0; 12];
        client.read_exact(&mut answer).await.unwrap();
        assert_eq!(&answer, b"HTTP/1.1 200");
        stopping.send_replace(true);
        assert_eq!(life.await.unwrap(), 0);
    }
}
