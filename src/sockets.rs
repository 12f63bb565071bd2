//! The one place that creates listening sockets.
//!
//! Each address is first bound without `SO_REUSEPORT`: with it, a second Windrose of the same user
//! would bind without a word and take half the queries. Then every thread gets a socket of its own.
//! TCP sockets listen at once, so that nobody else can take the port while the first probe round
//! runs; connections wait in the backlog until the node serves. Deliberately absent: reading,
//! writing, accepting.

use std::collections::BTreeMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};

use socket2::{Domain, Protocol, Socket, Type};
use windrose_config::Listeners;
use windrose_model::Name;

mod error;

pub(crate) use error::{Kind, OpenError, Transport};

/// Wanted for receive and send; the kernel cuts it to its own limit (`net.core.rmem_max`).
const UDP_BUFFER: usize = 4 << 20;
const BACKLOG: i32 = 4096;
/// How often a new port is tried when `:0` must be free on several addresses and transports.
const PORT_TRIES: usize = 64;

/// All sockets of a node, by who serves them.
#[derive(Debug)]
pub(crate) struct Sockets {
    /// One per thread and DNS address.
    pub(crate) dns_udp: Vec<UdpSocket>,
    /// One per DNS address.
    pub(crate) dns_tcp: Vec<TcpListener>,
    /// Per thread, one per HTTP address.
    pub(crate) http: Vec<Vec<TcpListener>>,
    /// Per thread, one per HTTPS address.
    pub(crate) https: Vec<Vec<TcpListener>>,
    /// Per thread, one per TCP address, with the listener's name.
    pub(crate) tcp: Vec<Vec<(Name, TcpListener)>>,
    pub(crate) admin: Option<TcpListener>,
    /// What was bound, ports chosen.
    pub(crate) bound: Listeners,
}

/// Binds everything or nothing. Port 0 means one free port, the same for every address of that
/// listener that says 0; DNS has it on UDP and TCP alike.
pub(crate) fn open(wanted: &Listeners, threads: usize) -> Result<Sockets, OpenError> {
    let (dns, (dns_udp, dns_tcp)) = with_ports(Kind::Dns, &wanted.dns, |address| {
        let udp = per_thread(threads, |reuse| udp(address, reuse))
            .map_err(|e| OpenError::new(Kind::Dns, Transport::Udp, address, e))?;
        let tcp = tcp(address, false)
            .map_err(|e| OpenError::new(Kind::Dns, Transport::Tcp, address, e))?;
        Ok((udp, tcp))
    })
    .map(|(at, opened)| (at, opened.into_iter().unzip::<_, _, Vec<_>, Vec<_>>()))?;
    let for_each_thread = |kind, addresses| {
        with_ports(kind, addresses, |address| {
            per_thread(threads, |reuse| tcp(address, reuse))
                .map_err(|e| OpenError::new(kind, Transport::Tcp, address, e))
        })
    };
    let (http, http_by_address) = for_each_thread(Kind::Http, &wanted.http)?;
    let (https, https_by_address) = for_each_thread(Kind::Https, &wanted.https)?;
    let mut tcp_bound = BTreeMap::new();
    let mut tcp_sockets: Vec<Vec<(Name, TcpListener)>> = Vec::new();
    tcp_sockets.resize_with(threads, Vec::new);
    for (name, addresses) in &wanted.tcp {
        let (bound, by_address) = with_ports(Kind::Tcp, addresses, |address| {
            per_thread(threads, |reuse| tcp(address, reuse))
                .map_err(|e| OpenError::new(Kind::Tcp, Transport::Tcp, address, e))
        })?;
        tcp_bound.insert(name.clone(), bound);
        let by_thread = by_thread(by_address, threads);
        for (thread, sockets) in tcp_sockets.iter_mut().zip(by_thread) {
            thread.extend(sockets.into_iter().map(|socket| (name.clone(), socket)));
        }
    }
    let wanted_admin: Vec<_> = wanted.admin.into_iter().collect();
    let (admin, admin_sockets) = with_ports(Kind::Admin, &wanted_admin, |address| {
        tcp(address, false).map_err(|e| OpenError::new(Kind::Admin, Transport::Tcp, address, e))
    })?;
    Ok(Sockets {
        dns_udp: dns_udp.into_iter().flatten().map(UdpSocket::from).collect(),
        dns_tcp: dns_tcp.into_iter().map(TcpListener::from).collect(),
        http: by_thread(http_by_address, threads),
        https: by_thread(https_by_address, threads),
        tcp: tcp_sockets,
        admin: admin_sockets.into_iter().next().map(TcpListener::from),
        bound: Listeners {
            dns,
            http,
            https,
            tcp: tcp_bound,
            admin: admin.into_iter().next(),
        },
    })
}

/// Runs `open_one` for each address with port 0 replaced; when a chosen port turns out to be taken
/// on another address or transport, all begin again with another.
fn with_ports<T>(
    kind: Kind,
    wanted: &[SocketAddr],
    open_one: impl Fn(SocketAddr) -> Result<T, OpenError>,
) -> Result<(Vec<SocketAddr>, Vec<T>), OpenError> {
    let free = wanted.iter().find(|a| a.port() == 0).copied();
    let mut tries = if free.is_some() { PORT_TRIES } else { 1 };
    loop {
        tries -= 1;
        let port = free.map_or(Ok(0), |address| {
            free_port(address).map_err(|e| OpenError::new(kind, Transport::Tcp, address, e))
        })?;
        let at = |a: &SocketAddr| match a.port() {
            0 => SocketAddr::new(a.ip(), port),
            _ => *a,
        };
        let addresses: Vec<_> = wanted.iter().map(at).collect();
        let opened: Result<Vec<_>, _> = addresses.iter().map(|a| open_one(*a)).collect();
        match opened {
            Ok(sockets) => return Ok((addresses, sockets)),
            Err(OpenError::InUse { .. }) if tries > 0 => {}
            Err(e) => return Err(e),
        }
    }
}

fn free_port(address: SocketAddr) -> io::Result<u16> {
    let socket = tcp_socket(address)?;
    socket.bind(&address.into())?;
    let bound = socket.local_addr()?.as_socket();
    Ok(bound.map_or(0, |a| a.port()))
}

/// A probe without `SO_REUSEPORT`, then a socket for each thread.
#[cfg(target_os = "linux")]
fn per_thread(
    threads: usize,
    open: impl Fn(bool) -> io::Result<Socket>,
) -> io::Result<Vec<Socket>> {
    drop(open(false)?);
    (0..threads).map(|_| open(true)).collect()
}

/// Elsewhere `SO_REUSEPORT` does not spread load: one socket, shared by the threads.
#[cfg(not(target_os = "linux"))]
fn per_thread(
    threads: usize,
    open: impl Fn(bool) -> io::Result<Socket>,
) -> io::Result<Vec<Socket>> {
    let first = open(false)?;
    let clones: io::Result<Vec<_>> = (1..threads).map(|_| first.try_clone()).collect();
    let mut sockets = clones?;
    sockets.push(first);
    Ok(sockets)
}

fn udp(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::DGRAM,
        Some(Protocol::UDP),
    )?;
    only_v6(&socket, address)?;
    share(&socket, reuse_port)?;
    // Less than wanted is no error: the kernel has its own limit.
    let _ = socket.set_recv_buffer_size(UDP_BUFFER);
    let _ = socket.set_send_buffer_size(UDP_BUFFER);
    socket.bind(&address.into())?;
    Ok(socket)
}

fn tcp(address: SocketAddr, reuse_port: bool) -> io::Result<Socket> {
    let socket = tcp_socket(address)?;
    share(&socket, reuse_port)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    socket.set_nonblocking(true)?;
    Ok(socket)
}

fn tcp_socket(address: SocketAddr) -> io::Result<Socket> {
    let socket = Socket::new(
        Domain::for_address(address),
        Type::STREAM,
        Some(Protocol::TCP),
    )?;
    only_v6(&socket, address)?;
    // Connections of an earlier run in TIME_WAIT do not hinder; a listening socket still does.
    socket.set_reuse_address(true)?;
    // Accepted connections inherit it on Linux.
    socket.set_tcp_nodelay(true)?;
    Ok(socket)
}

/// `[::]` and `0.0.0.0` may stand side by side on every system, whatever its default.
fn only_v6(socket: &Socket, address: SocketAddr) -> io::Result<()> {
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn share(socket: &Socket, reuse_port: bool) -> io::Result<()> {
    socket.set_reuse_port(reuse_port)
}

#[cfg(not(target_os = "linux"))]
fn share(_: &Socket, _: bool) -> io::Result<()> {
    Ok(())
}

fn by_thread(by_address: Vec<Vec<Socket>>, threads: usize) -> Vec<Vec<TcpListener>> {
    let mut threads: Vec<Vec<TcpListener>> = (0..threads).map(|_| Vec::new()).collect();
    for sockets in by_address {
        for (thread, socket) in threads.iter_mut().zip(sockets) {
            thread.push(socket.into());
        }
    }
    threads
}

#[cfg(test)]
mod tests {
    use super::*;

    fn wanted(dns: &[&str], http: &[&str]) -> Listeners {
        let parse = |list: &[&str]| list.iter().map(|a| a.parse().unwrap()).collect();
        Listeners {
            dns: parse(dns),
            http: parse(http),
            https: Vec::new(),
            tcp: BTreeMap::new(),
            admin: None,
        }
    }

    #[test]
    fn port_zero_is_one_port_for_all_addresses_threads_and_transports() {
        let sockets = open(
            &wanted(&["127.0.0.1:0", "127.0.0.11:0"], &["127.0.0.1:0"]),
            3,
        )
        .unwrap();
        let port = sockets.bound.dns[0].port();
        assert_ne!(port, 0);
        assert_eq!(sockets.bound.dns[1].port(), port);
        assert_eq!(sockets.dns_udp.len(), 6);
        for socket in &sockets.dns_udp {
            assert_eq!(socket.local_addr().unwrap().port(), port);
        }
        for listener in &sockets.dns_tcp {
            assert_eq!(listener.local_addr().unwrap().port(), port);
        }
        assert_eq!(sockets.http.len(), 3);
    }

    #[test]
    fn a_second_windrose_does_not_share_a_port_in_silence() {
        let first = open(&wanted(&["127.0.0.1:0"], &["127.0.0.1:0"]), 2).unwrap();
        let dns = first.bound.dns[0].to_string();
        let http = first.bound.http[0].to_string();
        for (again, transport) in [
            (wanted(&[&dns], &[]), Transport::Udp),
            (wanted(&[], &[&http]), Transport::Tcp),
        ] {
            let Err(OpenError::InUse { transport: got, .. }) = open(&again, 2) else {
                panic!("the second bind must be refused");
            };
            assert_eq!(got, transport);
        }
    }
}
