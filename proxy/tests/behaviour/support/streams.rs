//! Backends that speak HTTP/2.

use std::future::Future;
use std::rc::Rc;
use std::sync::Arc;

use bytes::Bytes;
use h2::server::{Builder, Connection, SendResponse};
use h2::{RecvStream, SendStream};
use http::{HeaderMap, Request, Response};
use rustls::ServerConfig;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::task::spawn_local;
use tokio_rustls::TlsAcceptor;
use windrose_model::{App, HttpVersion};

use super::backend::Backend;
use super::http2::octets;

/// One stream, as a backend has it.
pub type Incoming = (Request<RecvStream>, SendResponse<Bytes>);

/// Each stream runs `serve(stream, number of the connection)`.
pub async fn streams<F: Future<Output = ()> + 'static>(
    builder: Builder,
    serve: impl Fn(Incoming, usize) -> F + 'static,
) -> Backend {
    let serve = Rc::new(serve);
    Backend::start(move |stream, number| {
        let (builder, serve) = (builder.clone(), Rc::clone(&serve));
        async move { drive(stream, builder, number, serve).await }
    })
    .await
}

/// The same over TLS.
pub async fn secure_streams<F: Future<Output = ()> + 'static>(
    config: Arc<ServerConfig>,
    serve: impl Fn(Incoming, usize) -> F + 'static,
) -> Backend {
    let serve = Rc::new(serve);
    Backend::start(move |stream, number| {
        let (acceptor, serve) = (TlsAcceptor::from(Arc::clone(&config)), Rc::clone(&serve));
        async move {
            if let Ok(stream) = acceptor.accept(stream).await {
                drive(stream, Builder::new(), number, serve).await;
            }
        }
    })
    .await
}

async fn drive<F: Future<Output = ()> + 'static>(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    builder: Builder,
    number: usize,
    serve: Rc<impl Fn(Incoming, usize) -> F + 'static>,
) {
    let Ok(mut connection) = builder.handshake(stream).await else {
        return;
    };
    while let Some(Ok(stream)) = connection.accept().await {
        spawn_local(serve(stream, number));
    }
}

/// A connection that a test drives itself.
pub async fn accept(stream: TcpStream) -> Connection<TcpStream, Bytes> {
    h2::server::handshake(stream).await.unwrap()
}

/// Answers with the head it saw and the body it got; its trailers come back as they came.
pub async fn echo((request, mut respond): Incoming) {
    let (head, mut body) = request.into_parts();
    let mut text = format!("{} {} {:?}\n", head.method, head.uri, head.version);
    for (name, value) in &head.headers {
        text.push_str(&format!("{name}: {}\n", value.to_str().unwrap()));
    }
    let Ok(octets) = octets(&mut body).await else {
        return;
    };
    let trailers = body.trailers().await.unwrap_or_default();
    let response = Response::builder().header("x-backend", "h2");
    let response = response.body(()).unwrap();
    let Ok(mut send) = respond.send_response(response, false) else {
        return;
    };
    let all = [text.as_bytes(), &octets].concat();
    if push(&mut send, all.into()).await.is_err() {
        return;
    }
    let _ = match trailers {
        Some(trailers) => send.send_trailers(trailers),
        None => send.send_data(Bytes::new(), true),
    };
}

/// Sends octets as the other side gives window.
pub async fn push(send: &mut SendStream<Bytes>, mut octets: Bytes) -> Result<(), h2::Error> {
    while !octets.is_empty() {
        send.reserve_capacity(octets.len());
        let window = std::future::poll_fn(|cx| send.poll_capacity(cx)).await;
        let window = window.ok_or(h2::Reason::CANCEL)??;
        send.send_data(octets.split_to(window.min(octets.len())), false)?;
    }
    Ok(())
}

/// An empty response that is whole.
pub fn ok(mut respond: SendResponse<Bytes>) {
    let _ = respond.send_response(Response::new(()), true);
}

/// The same app, spoken to in HTTP/2.
pub fn over_http2(mut app: App) -> App {
    app.upstream.http = HttpVersion::Http2;
    app
}

/// Fields of a trailer section.
pub fn fields(lines: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut fields = HeaderMap::new();
    for (name, value) in lines {
        fields.append(*name, http::HeaderValue::from_static(value));
    }
    fields
}
