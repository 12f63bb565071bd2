//! Asks a node for its status.

use std::io;
use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Empty, LengthLimitError, Limited};
use hyper::client::conn::http1;
use hyper::header::{ACCEPT, CONTENT_TYPE, HOST};
use hyper::{Request, StatusCode, Uri};
use hyper_util::rt::TokioIo;
use serde::Deserialize;
use tokio::net::TcpStream;

use crate::status::{NodeStatus, SCHEMA};

/// The largest answer that is read.
const LARGEST: usize = 512 * 1024 * 1024;

/// Why there is no status.
#[derive(Debug, thiserror::Error)]
pub enum ClientError {
    /// Not `http://host:port`.
    #[error("admin address {url:?} is not understood: {why}")]
    Address {
        /// As given.
        url: String,
        /// What is wrong with it.
        why: &'static str,
    },
    /// No connection, or one that broke.
    #[error("node at {url} is unreachable: {source}")]
    Unreachable {
        /// As given.
        url: String,
        /// What the system said.
        source: io::Error,
    },
    /// No whole answer in time.
    #[error("node at {url} did not answer within {} s", within.as_secs_f64())]
    Timeout {
        /// As given.
        url: String,
        /// The time it had.
        within: Duration,
    },
    /// An answer, from something else or from another version.
    #[error("what answers at {url} is not a Windrose node: {why}")]
    NotWindrose {
        /// As given.
        url: String,
        /// What was seen.
        why: String,
    },
    /// A node that speaks a newer schema.
    #[error("node at {url} speaks status schema {schema}, this binary knows {SCHEMA}")]
    Newer {
        /// As given.
        url: String,
        /// What it speaks.
        schema: u32,
    },
}

/// The status of the node at `url` (`http://host:port`, the scheme may be left out). Blocks; not
/// for use inside an async runtime.
///
/// # Errors
/// See [`ClientError`].
pub fn status(url: &str, within: Duration) -> Result<NodeStatus, ClientError> {
    let unreachable = |source| ClientError::Unreachable {
        url: url.to_owned(),
        source,
    };
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(unreachable)?
        .block_on(fetch(url, within))
}

/// [`status`] for async callers; needs I/O and time of a tokio runtime.
///
/// # Errors
/// See [`ClientError`].
pub async fn fetch(url: &str, within: Duration) -> Result<NodeStatus, ClientError> {
    let (host, port) = address(url)?;
    let body = tokio::time::timeout(within, get(url, &host, port))
        .await
        .map_err(|_| ClientError::Timeout {
            url: url.to_owned(),
            within,
        })??;
    read(url, &body)
}

/// Host (without brackets) and port.
fn address(url: &str) -> Result<(String, u16), ClientError> {
    let wrong = |why| ClientError::Address {
        url: url.to_owned(),
        why,
    };
    let whole = if url.contains("://") {
        url.to_owned()
    } else {
        format!("http://{url}")
    };
    let uri: Uri = whole
        .parse()
        .map_err(|_| wrong("use http://host:port, such as http://127.0.0.1:9900"))?;
    match uri.scheme_str() {
        Some("http") => {}
        Some("https") => return Err(wrong("the admin listener speaks plain http")),
        _ => return Err(wrong("only http:// is known")),
    }
    if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
        return Err(wrong("leave out the path"));
    }
    let host = uri.host().unwrap_or_default();
    let host = host.trim_start_matches('[').trim_end_matches(']');
    if host.is_empty() {
        return Err(wrong("the host is missing"));
    }
    let port = uri
        .port_u16()
        .ok_or_else(|| wrong("the port is missing; the default of a node is 9900"))?;
    Ok((host.to_owned(), port))
}

async fn get(url: &str, host: &str, port: u16) -> Result<Bytes, ClientError> {
    let unreachable = |source| ClientError::Unreachable {
        url: url.to_owned(),
        source,
    };
    let stream = TcpStream::connect((host, port))
        .await
        .map_err(unreachable)?;
    let no_http = |error: hyper::Error| not_windrose(url, &format!("no HTTP ({error})"));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream))
        .await
        .map_err(no_http)?;
    let exchange = async {
        let authority = if host.contains(':') {
            format!("[{host}]:{port}")
        } else {
            format!("{host}:{port}")
        };
        let request = Request::get("/status?format=json")
            .header(HOST, authority)
            .header(ACCEPT, "application/json")
            .body(Empty::<Bytes>::new())
            .map_err(|error| unreachable(io::Error::other(error)))?;
        let response = sender.send_request(request).await.map_err(no_http)?;
        if response.status() != StatusCode::OK {
            return Err(not_windrose(
                url,
                &format!("/status answered {}", response.status()),
            ));
        }
        let media = response.headers().get(CONTENT_TYPE);
        if !media.is_some_and(|media| media.as_bytes().starts_with(b"application/json")) {
            return Err(not_windrose(url, "/status is not JSON"));
        }
        match Limited::new(response.into_body(), LARGEST).collect().await {
            Ok(body) => Ok(body.to_bytes()),
            Err(error) if error.is::<LengthLimitError>() => {
                Err(not_windrose(url, "the answer is endless"))
            }
            Err(error) => Err(unreachable(io::Error::other(error))),
        }
    };
    tokio::pin!(exchange);
    tokio::select! {
        biased;
        body = &mut exchange => body,
        // The connection ends first when it breaks; the exchange then knows why.
        _ = connection => exchange.await,
    }
}

fn read(url: &str, body: &[u8]) -> Result<NodeStatus, ClientError> {
    #[derive(Deserialize)]
    struct Schema {
        schema: u32,
    }
    let wrong = |error: serde_json::Error| not_windrose(url, &format!("/status has {error}"));
    let Schema { schema } = serde_json::from_slice(body).map_err(wrong)?;
    if schema != SCHEMA {
        return Err(ClientError::Newer {
            url: url.to_owned(),
            schema,
        });
    }
    serde_json::from_slice(body).map_err(wrong)
}

fn not_windrose(url: &str, why: &str) -> ClientError {
    ClientError::NotWindrose {
        url: url.to_owned(),
        why: why.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_host_and_a_port() {
        for (url, host, port) in [
            ("http://127.0.0.1:9900", "127.0.0.1", 9900),
            ("http://127.0.0.1:9900/", "127.0.0.1", 9900),
            ("localhost:1", "localhost", 1),
            ("http://[::1]:9900", "::1", 9900),
        ] {
            let (h, p) = address(url).unwrap();
            assert_eq!((h.as_str(), p), (host, port), "{url}");
        }
    }

    #[test]
    fn a_wrong_address_says_what_is_wrong() {
        for (url, part) in [
            ("https://a:1", "plain http"),
            ("http://a", "port is missing"),
            ("ftp://a:1", "only http://"),
            ("http://a:1/status", "leave out the path"),
            ("", "use http://host:port"),
            ("http://a:1 b", "use http://host:port"),
        ] {
            let error = address(url).expect_err(url).to_string();
            assert!(error.contains(part), "{error}");
        }
    }

    #[test]
    fn a_newer_schema_is_named() {
        let error = read("u", br#"{"schema":2}"#).expect_err("newer");
        assert_eq!(
            error.to_string(),
            "node at u speaks status schema 2, this binary knows 1"
        );
    }
}
