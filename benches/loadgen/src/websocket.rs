//! WebSocket over HTTP/1.1 (RFC 6455): a load of messages that come back, and the server that sends
//! them back. One thread each.
//!
//! Both know what the other sends and look at lengths only: 126 to 65,535 octets in one binary frame,
//! the mask 0 (so that masked octets are the plain ones), the key of RFC 6455 section 1.3. A message
//! goes out when the one before it is back; a visit reads first and writes then.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::arguments::{Arguments, Refusal};
use crate::load::NAP;

const KEY: &str = "dGhlIHNhbXBsZSBub25jZQ==";
const ACCEPT: &str = "s3pPLMBiTxaQ9kYGzzhZRbK+xOo=";
const HEAD_END: &[u8] = b"\r\n\r\n";
/// Final frame, binary.
const BINARY: u8 = 0x82;
const MASKED: u8 = 0x80;
/// The length follows in two octets.
const IN_TWO: u8 = 126;
/// Of a frame from a server; a client's has four octets of mask more.
const FRAME: usize = 4;
const MASK: usize = 4;

/// How many messages, of what size, where.
pub(crate) struct Load {
    server: SocketAddr,
    request: Vec<u8>,
    connections: usize,
    message: u16,
    duration: Duration,
}

impl Load {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let host: String = arguments.required("host")?;
        let path: Option<String> = arguments.optional("path")?;
        let path = path.as_deref().unwrap_or("/");
        let load = Self {
            server: arguments.required("server")?,
            request: format!(
                "GET {path} HTTP/1.1\r\nhost: {host}\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: {KEY}\r\n\r\n"
            )
            .into_bytes(),
            connections: arguments.optional("connections")?.unwrap_or(64),
            message: arguments.optional("message-bytes")?.unwrap_or(256),
            duration: Duration::from_secs_f64(arguments.optional("seconds")?.unwrap_or(10.0)),
        };
        arguments.finish()?;
        if load.connections == 0 || load.message < u16::from(IN_TWO) {
            return Err(Refusal::Usage(format!(
                "--connections must be above 0, --message-bytes {IN_TWO} or more"
            )));
        }
        Ok(load)
    }

    fn frame(&self) -> Vec<u8> {
        let mut frame = vec![BINARY, MASKED | IN_TWO];
        frame.extend(self.message.to_be_bytes());
        frame.extend([0; MASK]);
        frame.resize(frame.len() + usize::from(self.message), b'x');
        frame
    }
}

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let frame = load.frame();
    let back = FRAME + usize::from(load.message);
    let mut clients = Vec::with_capacity(load.connections);
    for _ in 0..load.connections {
        clients.push(Client {
            stream: upgraded(load)?,
            waits_for: 0,
        });
    }
    let mut room = vec![0; 65_536];
    let (mut messages, mut closed) = (0_u64, 0_u64);
    let start = Instant::now();
    while start.elapsed() < load.duration && !clients.is_empty() {
        let before = messages;
        clients.retain_mut(|client| match client.visit(&frame, back, &mut room) {
            Ok(whole) => {
                messages += u64::from(whole);
                true
            }
            Err(_) => {
                closed += 1;
                false
            }
        });
        if messages == before {
            std::thread::sleep(NAP);
        }
    }
    Ok(format!(
        r#"{{"messages":{messages},"closed":{closed},"elapsed_s":{:.6}}}"#,
        start.elapsed().as_secs_f64()
    ))
}

/// A connection after its handshake.
fn upgraded(load: &Load) -> std::io::Result<TcpStream> {
    let mut stream = TcpStream::connect(load.server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    stream.write_all(&load.request)?;
    let mut head = Vec::new();
    let mut octet = [0];
    // To the end of the head and no further: frames may be behind it.
    while !head.ends_with(HEAD_END) {
        stream.read_exact(&mut octet)?;
        head.extend(octet);
    }
    if !head.starts_with(b"HTTP/1.1 101") {
        let line = String::from_utf8_lossy(head.split(|b| *b == b'\r').next().unwrap_or(&[]));
        return Err(std::io::Error::other(format!("not upgraded: {line}")));
    }
    stream.set_nonblocking(true)?;
    Ok(stream)
}

struct Client {
    stream: TcpStream,
    /// Octets of the message in the air.
    waits_for: usize,
}

impl Client {
    /// Whether a message came back whole.
    fn visit(&mut self, frame: &[u8], back: usize, room: &mut [u8]) -> std::io::Result<bool> {
        let waited = self.waits_for > 0;
        if waited {
            match self.stream.read(room) {
                Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
                Ok(read) => {
                    self.waits_for = (self.waits_for.checked_sub(read))
                        .ok_or_else(|| std::io::Error::other("more came back than was sent"))?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(false),
                Err(error) => return Err(error),
            }
        }
        if self.waits_for == 0 {
            // One message is in the air at a time, so there is room for it.
            self.stream.write_all(frame)?;
            self.waits_for = back;
            return Ok(waited);
        }
        Ok(false)
    }
}

/// Where to listen.
pub(crate) struct Echo {
    listen: SocketAddr,
}

impl Echo {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let echo = Self {
            listen: arguments.required("listen")?,
        };
        arguments.finish()?;
        Ok(echo)
    }
}

/// Upgrades whatever asks and sends back what comes, until the process is ended.
pub(crate) fn echo(echo: &Echo) -> std::io::Result<()> {
    const LISTENER: u64 = 0;
    let listener = TcpListener::bind(echo.listen)?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut peers: HashMap<u64, Peer> = HashMap::new();
    let mut next = LISTENER + 1;
    let mut room = vec![0; 65_536];
    let mut events = [EpollEvent::empty(); 256];
    loop {
        let ready = match epoll.wait(&mut events, EpollTimeout::NONE) {
            Ok(ready) => ready,
            Err(nix::errno::Errno::EINTR) => continue,
            Err(error) => return Err(error.into()),
        };
        for event in &events[..ready] {
            if event.data() == LISTENER {
                let Ok((stream, _)) = listener.accept() else {
                    continue;
                };
                stream.set_nonblocking(true)?;
                stream.set_nodelay(true)?;
                epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, next))?;
                let peer = Peer {
                    stream,
                    is_upgraded: false,
                    came: Vec::new(),
                };
                peers.insert(next, peer);
                next += 1;
            } else if let Some(peer) = peers.get_mut(&event.data())
                && peer.serve(&mut room).is_err()
            {
                // Closing the descriptor takes it out of the epoll set.
                peers.remove(&event.data());
            }
        }
    }
}

struct Peer {
    stream: TcpStream,
    is_upgraded: bool,
    /// Not answered yet.
    came: Vec<u8>,
}

impl Peer {
    /// One read and what it calls for. An error means: close.
    fn serve(&mut self, room: &mut [u8]) -> std::io::Result<()> {
        match self.stream.read(room) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => self.came.extend_from_slice(&room[..read]),
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        }
        if !self.is_upgraded {
            let end = |head: &[u8]| head.windows(HEAD_END.len()).position(|w| w == HEAD_END);
            let Some(end) = end(&self.came) else {
                return Ok(());
            };
            self.came.drain(..end + HEAD_END.len());
            self.is_upgraded = true;
            let head = format!(
                "HTTP/1.1 101 Switching Protocols\r\nconnection: Upgrade\r\nupgrade: websocket\r\nsec-websocket-accept: {ACCEPT}\r\n\r\n"
            );
            self.stream.write_all(head.as_bytes())?;
        }
        while let Some(message) = message(&self.came) {
            let len = message.len();
            let mut frame = vec![BINARY, IN_TWO];
            frame.extend(
                u16::try_from(len)
                    .map_err(std::io::Error::other)?
                    .to_be_bytes(),
            );
            frame.extend(message);
            self.stream.write_all(&frame)?;
            self.came.drain(..FRAME + MASK + len);
        }
        Ok(())
    }
}

/// The message of the first whole frame of a client.
fn message(stream: &[u8]) -> Option<&[u8]> {
    let ([_, _, high, low], rest) = stream.split_first_chunk::<FRAME>()?;
    let len = usize::from(u16::from_be_bytes([*high, *low]));
    rest.get(MASK..MASK + len)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_message_is_cut_from_the_stream_when_it_is_whole() {
        let mut frame = vec![BINARY, MASKED | IN_TWO, 0, 200, 0, 0, 0, 0];
        frame.resize(8 + 200, b'x');
        assert_eq!(message(&frame).map(<[u8]>::len), Some(200));
        assert_eq!(message(&frame[..207]), None);
        assert_eq!(message(&frame[..3]), None);
    }
}
