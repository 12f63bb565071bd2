//! Backends, well-behaved and not.

use std::cell::{Cell, RefCell};
use std::future::Future;
use std::net::SocketAddr;
use std::rc::Rc;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::{JoinHandle, spawn_local};

/// A listener whose connections run a script.
pub struct Backend {
    pub address: SocketAddr,
    pub connections: Rc<Cell<usize>>,
    /// Heads of the requests seen by [`answers`].
    pub seen: Rc<RefCell<Vec<String>>>,
    tasks: Rc<RefCell<Vec<JoinHandle<()>>>>,
}

impl Backend {
    /// Each connection runs `script(stream, number of the connection)`.
    pub async fn start<F: Future<Output = ()> + 'static>(
        script: impl Fn(TcpStream, usize) -> F + 'static,
    ) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let connections = Rc::new(Cell::new(0));
        let tasks: Rc<RefCell<Vec<_>>> = Rc::default();
        let (count, all) = (Rc::clone(&connections), Rc::downgrade(&tasks));
        let accepting = spawn_local(async move {
            while let Ok((stream, _)) = listener.accept().await {
                let number = count.replace(count.get() + 1);
                let task = spawn_local(script(stream, number));
                if let Some(all) = all.upgrade() {
                    all.borrow_mut().push(task);
                }
            }
        });
        tasks.borrow_mut().push(accepting);
        Self {
            address,
            connections,
            seen: Rc::default(),
            tasks,
        }
    }

    /// Answers each request with 200, the field `x-backend: name`, and the head it saw as the body.
    pub async fn answers(name: &'static str) -> Self {
        Self::answers_with(name, "200 OK").await
    }

    pub async fn answers_with(name: &'static str, status: &'static str) -> Self {
        let seen: Rc<RefCell<Vec<String>>> = Rc::default();
        let log = Rc::clone(&seen);
        let mut backend = Self::start(move |stream, _| {
            let log = Rc::clone(&log);
            async move {
                let mut peer = Peer::new(stream);
                while let Some(request) = peer.request().await {
                    log.borrow_mut().push(request.head.clone());
                    let body = if request.head.starts_with("HEAD") { "" } else { &request.head };
                    let response = format!(
                        "HTTP/1.1 {status}\r\nx-backend: {name}\r\ncontent-length: {}\r\n\r\n{body}",
                        request.head.len(),
                    );
                    if peer.stream.write_all(response.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await;
        backend.seen = seen;
        backend
    }

    /// Reads a request, then writes these octets and closes.
    pub async fn says(octets: &'static [u8]) -> Self {
        Self::start(move |stream, _| async move {
            let mut peer = Peer::new(stream);
            if peer.request().await.is_some() {
                let _ = peer.stream.write_all(octets).await;
            }
        })
        .await
    }

    /// Reads requests and never answers.
    pub async fn stalls() -> Self {
        Self::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            while peer.request().await.is_some() {}
        })
        .await
    }

    /// Reads a request, and answers it when told to.
    pub async fn answers_when(name: &'static str, told: Rc<Notify>) -> Self {
        Self::start(move |stream, _| {
            let told = Rc::clone(&told);
            async move {
                let mut peer = Peer::new(stream);
                while peer.request().await.is_some() {
                    told.notified().await;
                    let response = format!(
                        "HTTP/1.1 200 OK\r\nx-backend: {name}\r\ncontent-length: 0\r\n\r\n"
                    );
                    if peer.stream.write_all(response.as_bytes()).await.is_err() {
                        return;
                    }
                }
            }
        })
        .await
    }

    /// Reads a request, then resets the connection when told to.
    pub async fn resets_when(told: Rc<Notify>) -> Self {
        Self::start(move |stream, _| {
            let told = Rc::clone(&told);
            async move {
                let mut peer = Peer::new(stream);
                let _ = peer.request().await;
                told.notified().await;
                let _ = peer.stream.set_zero_linger();
            }
        })
        .await
    }

    /// Reads a request, then resets the connection.
    pub async fn resets() -> Self {
        Self::start(|stream, _| async move {
            let mut peer = Peer::new(stream);
            let _ = peer.request().await;
            let _ = peer.stream.set_zero_linger();
        })
        .await
    }

    /// Closes the listener and resets every connection, as a killed process does.
    pub fn kill(&self) {
        for task in self.tasks.borrow_mut().drain(..) {
            task.abort();
        }
    }
}

impl Drop for Backend {
    fn drop(&mut self) {
        self.kill();
    }
}

/// An address where nobody listens.
pub fn refusing() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0")
        .unwrap()
        .local_addr()
        .unwrap()
}

/// A listener whose queue is full: the system answers no further connection.
pub struct Blackhole {
    pub address: SocketAddr,
    _listener: socket2::Socket,
    _fill: Vec<socket2::Socket>,
}

impl Blackhole {
    pub fn new() -> Self {
        use socket2::{Domain, Socket, Type};
        let listener = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
        let any: SocketAddr = "127.0.0.1:0".parse().unwrap();
        listener.bind(&any.into()).unwrap();
        listener.listen(0).unwrap();
        let address = listener.local_addr().unwrap().as_socket().unwrap();
        let fill = (0..4)
            .map(|_| {
                let socket = Socket::new(Domain::IPV4, Type::STREAM, None).unwrap();
                socket.set_nonblocking(true).unwrap();
                let _ = socket.connect(&address.into());
                socket
            })
            .collect();
        Self {
            address,
            _listener: listener,
            _fill: fill,
        }
    }
}

/// The server's end of a connection.
pub struct Peer {
    pub stream: TcpStream,
    pub read: Vec<u8>,
}

pub struct Request {
    pub head: String,
    pub body: Vec<u8>,
}

impl Peer {
    pub fn new(stream: TcpStream) -> Self {
        Self {
            stream,
            read: Vec::new(),
        }
    }

    /// The next request head; `None` at the end.
    pub async fn head(&mut self) -> Option<String> {
        loop {
            if let Some(at) = self.read.windows(4).position(|w| w == b"\r\n\r\n") {
                let head = String::from_utf8(self.read[..at + 2].to_vec()).unwrap();
                self.read.drain(..at + 4);
                return Some(head);
            }
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
    }

    /// The next request with its body as it came (chunks undecoded).
    pub async fn request(&mut self) -> Option<Request> {
        let head = self.head().await?;
        let length = head
            .lines()
            .find_map(|line| line.strip_prefix("content-length: "))
            .map_or(0, |n| n.parse::<usize>().unwrap());
        if head.contains("transfer-encoding: chunked") {
            while !self.read.windows(5).any(|w| w == b"0\r\n\r\n") {
                if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                    return None;
                }
            }
            let body = std::mem::take(&mut self.read);
            return Some(Request { head, body });
        }
        while self.read.len() < length {
            if self.stream.read_buf(&mut self.read).await.ok()? == 0 {
                return None;
            }
        }
        let rest = self.read.split_off(length);
        let body = std::mem::replace(&mut self.read, rest);
        Some(Request { head, body })
    }
}
