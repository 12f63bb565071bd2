//! A cluster of the demo as a process: an HTTP server that names itself in every answer.
//!
//! It ends with its parent: standard input closes, and on Linux the kernel kills it even while it is
//! stopped. The lines `blackhole` and `serve` on standard input switch it.
//!
//! **Black hole**: connects must time out, on loopback and without root. The listeners stop
//! accepting, their backlog shrinks to nothing, and one idle connection fills it: Linux then drops
//! every further SYN, as a broken network does. Connections that stand already go silent.

use std::convert::Infallible;
use std::io::{self, BufRead, Write};
use std::net::SocketAddr;
use std::rc::Rc;
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::{Bytes, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::LocalSet;

/// Response header that names the cluster.
pub(crate) const CLUSTER_HEADER: &str = "x-demo-cluster";
/// Response header that names the version.
pub(crate) const VERSION_HEADER: &str = "x-demo-version";

const BACKLOG: i32 = 1024;
/// A loopback connect that takes longer was dropped.
const DROPPED_AFTER: Duration = Duration::from_millis(100);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Mode {
    Serve,
    Blackhole,
}

/// Serves until standard input ends. Prints one line: the bound addresses in the order given, or
/// why there are none.
pub(crate) fn run(cluster: &str, listen: &[(String, SocketAddr)]) -> io::Result<()> {
    die_with_parent()?;
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (mode, watch_mode) = watch::channel(Mode::Serve);
    LocalSet::new().block_on(&runtime, async {
        let mut bound = String::new();
        for (version, address) in listen {
            let listener = match TcpListener::bind(address).await {
                Ok(listener) => listener,
                // The parent tells it, in its own form.
                Err(e) => return announce(&format!("cannot listen on {address}: {e}")),
            };
            bound.push_str(&format!("{} ", listener.local_addr()?));
            let words = Rc::new(Words {
                cluster: cluster.to_owned(),
                version: version.clone(),
                body: Bytes::from(format!("{cluster} {version}\n")),
            });
            tokio::task::spawn_local(serve(listener, words, watch_mode.clone()));
        }
        announce(bound.trim_end())?;
        let (end, ended) = tokio::sync::oneshot::channel();
        std::thread::spawn(move || {
            obey(&mode);
            let _ = end.send(());
        });
        let _ = ended.await;
        Ok(())
    })
}

#[allow(clippy::print_stdout, reason = "the parent reads this line")]
fn announce(line: &str) -> io::Result<()> {
    println!("{line}");
    io::stdout().flush()
}

/// Standard input until its end.
fn obey(mode: &watch::Sender<Mode>) {
    for line in io::stdin().lock().lines() {
        let Ok(line) = line else { return };
        let wanted = match line.as_str() {
            "blackhole" => Mode::Blackhole,
            "serve" => Mode::Serve,
            _ => continue,
        };
        mode.send_replace(wanted);
    }
}

#[cfg(target_os = "linux")]
fn die_with_parent() -> io::Result<()> {
    nix::sys::prctl::set_pdeathsig(nix::sys::signal::Signal::SIGKILL)?;
    Ok(())
}

#[cfg(not(target_os = "linux"))]
fn die_with_parent() -> io::Result<()> {
    Ok(())
}

/// What a listener says of itself.
struct Words {
    cluster: String,
    version: String,
    body: Bytes,
}

async fn serve(listener: TcpListener, words: Rc<Words>, mut mode: watch::Receiver<Mode>) {
    loop {
        let now = *mode.borrow_and_update();
        match now {
            Mode::Blackhole => {
                let plugs = plug(&listener).await;
                if mode.wait_for(|m| *m == Mode::Serve).await.is_err() {
                    return;
                }
                drop(plugs);
                let _ = socket2::SockRef::from(&listener).listen(BACKLOG);
            }
            Mode::Serve => tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((stream, _)) => {
                        tokio::task::spawn_local(connection(stream, Rc::clone(&words), mode.clone()));
                    }
                    Err(_) => tokio::time::sleep(Duration::from_millis(10)).await,
                },
                changed = mode.changed() => if changed.is_err() { return },
            },
        }
    }
}

/// Fills the backlog until a connect is dropped. Gives what must stay open.
async fn plug(listener: &TcpListener) -> Vec<TcpStream> {
    let mut plugs = Vec::new();
    let Ok(address) = listener.local_addr() else {
        return plugs;
    };
    let _ = socket2::SockRef::from(listener).listen(0);
    for _ in 0..BACKLOG {
        match tokio::time::timeout(DROPPED_AFTER, TcpStream::connect(address)).await {
            Ok(Ok(stream)) => plugs.push(stream),
            Ok(Err(_)) | Err(_) => break,
        }
    }
    plugs
}

async fn connection(stream: TcpStream, words: Rc<Words>, mode: watch::Receiver<Mode>) {
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request| answer(request, Rc::clone(&words), mode.clone()));
    // A client that goes away is its own affair.
    let _ = hyper::server::conn::http1::Builder::new()
        .serve_connection(TokioIo::new(stream), service)
        .await;
}

async fn answer(
    request: Request<Incoming>,
    words: Rc<Words>,
    mut mode: watch::Receiver<Mode>,
) -> Result<Response<Full<Bytes>>, Infallible> {
    // Bodies of the demo's POSTs are short.
    let _ = request.into_body().collect().await;
    // A black hole keeps what it was given and says nothing; the wait ends with the process.
    let _ = mode.wait_for(|m| *m == Mode::Serve).await;
    let response = Response::builder()
        .header(CLUSTER_HEADER, &words.cluster)
        .header(VERSION_HEADER, &words.version)
        .header("content-type", "text/plain")
        .body(Full::new(words.body.clone()));
    Ok(response.unwrap_or_else(|_| Response::new(Full::new(words.body.clone()))))
}
