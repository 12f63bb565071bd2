//! A client that writes octets and reads responses.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;

pub struct Client<S = TcpStream> {
    pub stream: S,
    read: Vec<u8>,
}

#[derive(Debug, Clone)]
pub struct Response {
    pub version: String,
    pub status: u16,
    pub fields: Vec<(String, String)>,
    pub body: Vec<u8>,
    /// Trailer fields of a chunked body.
    pub trailers: String,
}

impl Response {
    pub fn field(&self, name: &str) -> &str {
        self.fields
            .iter()
            .find(|(n, _)| n == name)
            .map_or("", |(_, v)| v)
    }

    pub fn text(&self) -> &str {
        std::str::from_utf8(&self.body).unwrap()
    }

    pub fn flags(&self) -> &str {
        self.field("x-windrose-flags")
    }
}

impl Client {
    pub async fn connect(address: SocketAddr) -> Self {
        Self::over(TcpStream::connect(address).await.unwrap())
    }
}

impl<S: AsyncRead + AsyncWrite + Unpin> Client<S> {
    pub fn over(stream: S) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    pub async fn send(&mut self, octets: impl AsRef<[u8]>) {
        self.stream.write_all(octets.as_ref()).await.unwrap();
    }

    /// Sends a GET and waits for nothing.
    pub async fn begin(&mut self, path: &str) {
        self.send(format!("GET {path} HTTP/1.1\r\nHost: app.test\r\n\r\n"))
            .await;
    }

    pub async fn get(&mut self, path: &str) -> Response {
        self.begin(path).await;
        self.response().await
    }

    /// The next response; not for HEAD.
    pub async fn response(&mut self) -> Response {
        self.try_response(true).await.unwrap()
    }

    /// The next response head, without a body.
    pub async fn head(&mut self) -> Response {
        self.try_response(false).await.unwrap()
    }

    pub async fn try_response(&mut self, with_body: bool) -> io::Result<Response> {
        let end = loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                break at;
            }
            self.more().await?;
        };
        let head = String::from_utf8(self.read[..end].to_vec()).unwrap();
        self.read.drain(..end + 4);
        let mut lines = head.split("\r\n");
        let mut words = lines.next().unwrap().split(' ');
        let version = words.next().unwrap().to_owned();
        let status = words.next().unwrap().parse().unwrap();
        let fields = lines
            .map(|line| line.split_once(':').unwrap())
            .map(|(n, v)| (n.to_ascii_lowercase(), v.trim().to_owned()))
            .collect();
        let mut response = Response {
            version,
            status,
            fields,
            body: Vec::new(),
            trailers: String::new(),
        };
        if status == 100 {
            return Ok(response);
        }
        let bodiless = !with_body || matches!(status, 204 | 304);
        if bodiless {
            return Ok(response);
        }
        if response.field("transfer-encoding") == "chunked" {
            self.chunks(&mut response).await?;
        } else if let Ok(length) = response.field("content-length").parse::<usize>() {
            response.body = self.take(length).await?;
        } else {
            while self.more().await.is_ok() {}
            response.body = std::mem::take(&mut self.read);
        }
        Ok(response)
    }

    async fn chunks(&mut self, response: &mut Response) -> io::Result<()> {
        loop {
            let line = self.line().await?;
            let size = usize::from_str_radix(&line, 16).unwrap();
            if size == 0 {
                loop {
                    let line = self.line().await?;
                    if line.is_empty() {
                        return Ok(());
                    }
                    response.trailers += &line;
                }
            }
            response.body.extend(self.take(size).await?);
            assert_eq!(self.take(2).await?, b"\r\n");
        }
    }

    pub async fn line(&mut self) -> io::Result<String> {
        loop {
            if let Some(at) = self.read.windows(2).position(|w| w == b"\r\n") {
                let line = String::from_utf8(self.read[..at].to_vec()).unwrap();
                self.read.drain(..at + 2);
                return Ok(line);
            }
            self.more().await?;
        }
    }

    async fn take(&mut self, length: usize) -> io::Result<Vec<u8>> {
        while self.read.len() < length {
            self.more().await?;
        }
        let rest = self.read.split_off(length);
        Ok(std::mem::replace(&mut self.read, rest))
    }

    async fn more(&mut self) -> io::Result<()> {
        match self.stream.read_buf(&mut self.read).await? {
            0 => Err(io::ErrorKind::UnexpectedEof.into()),
            _ => Ok(()),
        }
    }

    /// Reads to the end: what is left, and how it ended.
    pub async fn end(&mut self) -> (Vec<u8>, io::Result<()>) {
        loop {
            match self.more().await {
                Ok(()) => {}
                Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => {
                    return (std::mem::take(&mut self.read), Ok(()));
                }
                Err(error) => return (std::mem::take(&mut self.read), Err(error)),
            }
        }
    }
}
