//! The demo's HTTP client: keep-alive connections per address, a limit for every request.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use http_body_util::{BodyExt, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1::{SendRequest, handshake};
use hyper::{Request, StatusCode};
use hyper_util::rt::TokioIo;
use tokio::net::TcpStream;

use super::backend::CLUSTER_HEADER;
use super::tally::Outcome;

/// A request that takes longer has failed.
const LIMIT: Duration = Duration::from_secs(10);
/// Idle connections kept per address.
const KEEP: usize = 256;

type Sender = SendRequest<Full<Bytes>>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Method {
    Get,
    Post,
}

/// Connections of one thread.
pub(crate) struct Client {
    host: String,
    idle: RefCell<HashMap<SocketAddr, Vec<Sender>>>,
}

/// How a request ended.
pub(crate) struct Answer(Result<(StatusCode, Option<String>), String>);

impl Answer {
    pub(crate) fn outcome(&self, method: Method) -> Outcome<'_> {
        let why = match &self.0 {
            Ok((StatusCode::OK, cluster)) => return Outcome::Served(cluster.as_deref()),
            Ok((status, _)) => format!("status {status}"),
            Err(why) => why.clone(),
        };
        Outcome::Failed {
            why,
            idempotent: method == Method::Get,
        }
    }
}

impl Client {
    pub(crate) fn new(host: &str) -> Self {
        Self {
            host: host.to_owned(),
            idle: RefCell::default(),
        }
    }

    /// One exchange, body included.
    pub(crate) async fn request(
        &self,
        to: SocketAddr,
        method: Method,
        number: u64,
        from: Ipv4Addr,
    ) -> Answer {
        let exchange = self.exchange(to, method, number, from);
        Answer(match tokio::time::timeout(LIMIT, exchange).await {
            Ok(Ok(done)) => Ok(done),
            Ok(Err(e)) => Err(e.to_string()),
            Err(_) => Err(format!("no answer in {} s", LIMIT.as_secs())),
        })
    }

    async fn exchange(
        &self,
        to: SocketAddr,
        method: Method,
        number: u64,
        from: Ipv4Addr,
    ) -> Result<(StatusCode, Option<String>), Box<dyn std::error::Error>> {
        let (verb, body) = match method {
            Method::Get => ("GET", Bytes::new()),
            Method::Post => ("POST", Bytes::from_static(b"item=1")),
        };
        let request = Request::builder()
            .method(verb)
            .uri(format!("/item/{number}"))
            .header("host", &self.host)
            .header("x-forwarded-for", from.to_string())
            .body(Full::new(body))?;
        let mut sender = self.connection(to).await?;
        let response = sender.send_request(request).await?;
        let status = response.status();
        let cluster = response
            .headers()
            .get(CLUSTER_HEADER)
            .and_then(|v| v.to_str().ok())
            .map(str::to_owned);
        response.into_body().collect().await?;
        self.keep(to, sender);
        Ok((status, cluster))
    }

    async fn connection(&self, to: SocketAddr) -> Result<Sender, Box<dyn std::error::Error>> {
        loop {
            let idle = self.idle.borrow_mut().get_mut(&to).and_then(Vec::pop);
            let Some(mut sender) = idle else { break };
            if sender.ready().await.is_ok() {
                return Ok(sender);
            }
        }
        let stream = TcpStream::connect(to).await?;
        stream.set_nodelay(true)?;
        let (sender, connection) = handshake(TokioIo::new(stream)).await?;
        tokio::task::spawn_local(connection);
        Ok(sender)
    }

    fn keep(&self, to: SocketAddr, sender: Sender) {
        let mut idle = self.idle.borrow_mut();
        let list = idle.entry(to).or_default();
        if !sender.is_closed() && list.len() < KEEP {
            list.push(sender);
        }
    }
}
