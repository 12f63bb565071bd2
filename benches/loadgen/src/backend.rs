//! The HTTP backend of the bench: one epoll thread that answers every request with the same bytes.
//!
//! It looks for the end of a request's head and for nothing else; requests with a
//! body are not understood. It must cost less than any proxy in front of it.

use std::collections::HashMap;
use std::io::{ErrorKind, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};

use nix::sys::epoll::{Epoll, EpollCreateFlags, EpollEvent, EpollFlags, EpollTimeout};

use crate::arguments::{Arguments, Refusal};

const LISTENER: u64 = 0;
const HEAD_END: &[u8] = b"\r\n\r\n";

/// Where to listen and how much to answer.
pub(crate) struct Backend {
    listen: SocketAddr,
    body_bytes: usize,
}

impl Backend {
    pub(crate) fn from_arguments(arguments: &mut Arguments) -> Result<Self, Refusal> {
        let backend = Self {
            listen: arguments.required("listen")?,
            body_bytes: arguments.optional("body-bytes")?.unwrap_or(1024),
        };
        arguments.finish()?;
        Ok(backend)
    }
}

/// Serves until the process is ended.
pub(crate) fn run(backend: &Backend) -> std::io::Result<()> {
    let mut reply = format!(
        "HTTP/1.1 200 OK\r\ncontent-type: text/plain\r\ncontent-length: {}\r\n\r\n",
        backend.body_bytes
    )
    .into_bytes();
    reply.resize(reply.len() + backend.body_bytes, b'x');

    let listener = TcpListener::bind(backend.listen)?;
    listener.set_nonblocking(true)?;
    let epoll = Epoll::new(EpollCreateFlags::EPOLL_CLOEXEC)?;
    epoll.add(&listener, EpollEvent::new(EpollFlags::EPOLLIN, LISTENER))?;
    let mut connections = HashMap::new();
    let mut next_token = LISTENER + 1;
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
                epoll.add(&stream, EpollEvent::new(EpollFlags::EPOLLIN, next_token))?;
                connections.insert(
                    next_token,
                    Connection {
                        stream,
                        partial: Vec::new(),
                    },
                );
                next_token += 1;
                continue;
            }
            let token = event.data();
            let Some(connection) = connections.get_mut(&token) else {
                continue;
            };
            if connection.serve(&reply).is_err() {
                connections.remove(&token); // closing the descriptor takes it out of the epoll set
            }
        }
    }
}

struct Connection {
    stream: TcpStream,
    /// The beginning of a request whose head has not ended yet.
    partial: Vec<u8>,
}

impl Connection {
    /// One read, and a reply to each head that ended in it. An error means: close.
    fn serve(&mut self, reply: &[u8]) -> std::io::Result<()> {
        let mut buffer = [0; 16 * 1024];
        let read = match self.stream.read(&mut buffer) {
            Ok(0) => return Err(ErrorKind::UnexpectedEof.into()),
            Ok(read) => read,
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
            Err(error) => return Err(error),
        };
        if self.partial.is_empty()
            && buffer[..read].ends_with(HEAD_END)
            && heads(&buffer[..read]) == 1
        {
            return self.stream.write_all(reply);
        }
        self.partial.extend_from_slice(&buffer[..read]);
        let complete = heads(&self.partial);
        if let Some(end) = self
            .partial
            .windows(HEAD_END.len())
            .rposition(|window| window == HEAD_END)
        {
            self.partial.drain(..end + HEAD_END.len());
        }
        for _ in 0..complete {
            self.stream.write_all(reply)?;
        }
        if self.partial.len() > 64 * 1024 {
            Err(ErrorKind::InvalidData.into())
        } else {
            Ok(())
        }
    }
}

fn heads(bytes: &[u8]) -> usize {
    let mut count = 0;
    let mut rest = bytes;
    while let Some(end) = rest
        .windows(HEAD_END.len())
        .position(|window| window == HEAD_END)
    {
        count += 1;
        rest = &rest[end + HEAD_END.len()..];
    }
    count
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn heads_are_counted_and_an_unfinished_one_is_not() {
        assert_eq!(heads(b"GET / HTTP/1.1\r\n\r\nGET / HTTP/1.1\r\n\r\nGET"), 2);
        assert_eq!(heads(b"GET / HTTP/1.1\r\n\r"), 0);
    }
}
