//! A client of HTTP/2.

use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use h2::RecvStream;
use h2::client::{Builder, ResponseFuture, SendRequest};
use http::{HeaderMap, Request};
use rustls::ClientConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::{JoinHandle, spawn_local};

use super::HOST;
use super::client::Response;
use super::secure::connect;

/// A connection.
pub struct Http2 {
    pub send: SendRequest<Bytes>,
    /// Ends with the connection.
    pub driver: JoinHandle<Result<(), h2::Error>>,
}

/// A request for a path, without a body unless one is given.
pub fn get(path: &str) -> Request<()> {
    Request::get(format!("http://{HOST}{path}"))
        .body(())
        .unwrap()
}

impl Http2 {
    /// In the clear.
    pub async fn connect(address: SocketAddr) -> Self {
        Self::with(address, &Builder::new()).await
    }

    pub async fn with(address: SocketAddr, builder: &Builder) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap(), builder).await
    }

    /// Over TLS.
    pub async fn secure(address: SocketAddr, config: &Arc<ClientConfig>) -> Self {
        let stream = connect(address, HOST, config).await.unwrap();
        assert_eq!(stream.get_ref().1.alpn_protocol(), Some(&b"h2"[..]));
        Self::over(stream, &Builder::new()).await
    }

    pub async fn over<S>(stream: S, builder: &Builder) -> Self
    where
        S: AsyncRead + AsyncWrite + Unpin + 'static,
    {
        let (send, connection) = builder.handshake(stream).await.unwrap();
        Self {
            send,
            driver: spawn_local(connection),
        }
    }

    /// Sends a request without a body; its response is to come.
    pub async fn begin(&mut self, request: Request<()>) -> ResponseFuture {
        self.send = self.send.clone().ready().await.unwrap();
        self.send.send_request(request, true).unwrap().0
    }

    pub async fn fetch(&mut self, request: Request<()>) -> Response {
        let response = self.begin(request).await;
        whole(response).await.unwrap()
    }

    pub async fn get(&mut self, path: &str) -> Response {
        self.fetch(get(path)).await
    }
}

/// A response with its body.
pub async fn whole(response: ResponseFuture) -> Result<Response, h2::Error> {
    let (head, mut body) = response.await?.into_parts();
    let fields = |fields: &HeaderMap| -> Vec<(String, String)> {
        let text = |value: &http::HeaderValue| value.to_str().unwrap().to_owned();
        let lines = fields.iter().map(|(n, v)| (n.as_str().to_owned(), text(v)));
        lines.collect()
    };
    let octets = octets(&mut body).await?;
    let trailers = body.trailers().await?;
    Ok(Response {
        version: format!("{:?}", head.version),
        status: head.status.as_u16(),
        fields: fields(&head.headers),
        body: octets,
        trailers: trailers
            .iter()
            .flat_map(fields)
            .map(|(n, v)| format!("{n}: {v}"))
            .collect::<Vec<_>>()
            .join(","),
    })
}

/// What is left of a body, its window given back.
pub async fn octets(body: &mut RecvStream) -> Result<Vec<u8>, h2::Error> {
    let mut octets = Vec::new();
    while let Some(data) = body.data().await {
        let data = data?;
        body.flow_control().release_capacity(data.len())?;
        octets.extend_from_slice(&data);
    }
    Ok(octets)
}
