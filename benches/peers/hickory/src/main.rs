//! `hickory-peer IP:PORT ORIGIN ZONEFILE THREADS`: hickory-server with its own catalog and in-memory
//! zone store, over UDP and TCP, until it is ended.
//!
//! One runtime, one socket and one listener per thread, the cheapest way to run it that we know: its
//! work-stealing runtime costs some 15 % more.

use std::error::Error;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::rr::{LowerName, Name};
use hickory_proto::serialize::txt::Parser;
use hickory_server::Server;
use hickory_server::net::runtime::TokioRuntimeProvider;
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{AxfrPolicy, Catalog, ZoneType};
use socket2::{Domain, Protocol, Socket, Type};
use tokio::net::{TcpListener, UdpSocket};

type Failure = Box<dyn Error + Send + Sync>;

fn main() -> Result<(), Failure> {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let [listen, origin, file, threads] = words.as_slice() else {
        return Err("usage: hickory-peer IP:PORT ORIGIN ZONEFILE THREADS".into());
    };
    let listen: SocketAddr = listen.parse()?;
    let origin = Name::from_ascii(format!("{origin}."))?;
    let text = std::fs::read_to_string(file)?;
    let threads: Vec<_> = (0..threads.parse::<usize>()?)
        .map(|_| {
            let (origin, text) = (origin.clone(), text.clone());
            std::thread::spawn(move || serve(listen, &origin, &text))
        })
        .collect();
    for thread in threads {
        thread.join().expect("a thread does not panic")?;
    }
    Ok(())
}

fn serve(listen: SocketAddr, origin: &Name, text: &str) -> Result<(), Failure> {
    let (_, records) = Parser::new(text, None, Some(origin.clone())).parse()?;
    let zone: InMemoryZoneHandler<TokioRuntimeProvider> =
        InMemoryZoneHandler::new(origin.clone(), records, ZoneType::Primary, AxfrPolicy::Deny)?;
    let mut catalog = Catalog::new();
    catalog.upsert(LowerName::new(origin), vec![Arc::new(zone)]);
    let udp = shared(listen, Type::DGRAM, Protocol::UDP)?;
    let tcp = shared(listen, Type::STREAM, Protocol::TCP)?;
    tcp.listen(1024)?;
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?
        .block_on(async {
            let mut server = Server::new(catalog);
            server.register_socket(UdpSocket::from_std(udp.into())?);
            server.register_listener(
                TcpListener::from_std(tcp.into())?,
                Duration::from_secs(30),
                1024,
            );
            server.block_until_done().await?;
            Ok(())
        })
}

/// A socket bound to an address that the other threads bind too.
fn shared(listen: SocketAddr, kind: Type, protocol: Protocol) -> std::io::Result<Socket> {
    let socket = Socket::new(Domain::for_address(listen), kind, Some(protocol))?;
    socket.set_reuse_port(true)?;
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&listen.into())?;
    Ok(socket)
}
