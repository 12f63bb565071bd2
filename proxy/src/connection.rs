//! One client connection: who it is from, and which protocol is spoken on it.

use std::cell::RefCell;
use std::fmt;
use std::future::Future;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;
use std::time::Instant;

use hyper::server::conn::http1::Builder;
use tokio::net::TcpStream;
use windrose_model::Manner;
use windrose_tls::Store;

use crate::announce;
use crate::announced::take_header;
use crate::attempt::KeptFields;
use crate::dial::Beginning;
use crate::endpoint_stream::UnsaidEnd;
use crate::forwarded::Peer;
use crate::handshake::handshake;
use crate::http1;
use crate::http2;
use crate::links::Links;
use crate::secure::Secured;
use crate::tunnel::Tunnel;
use crate::watch::Watch;
use crate::wire::ClientWire;
use crate::worker::Worker;

/// A client connection as its exchanges see it.
pub(crate) struct Client {
    pub(crate) worker: Rc<Worker>,
    pub(crate) watch: Rc<Watch>,
    pub(crate) peer: Rc<Peer>,
    /// Whom the connection is between; the peer of the socket is behind a PROXY header not the one
    /// above.
    pub(crate) ends: Ends,
    /// `None` in the clear.
    pub(crate) tls: Option<Rc<Secured>>,
    /// Our address that it came in on; IPv4-mapped IPv6 as IPv4.
    pub(crate) at: IpAddr,
    /// Memory for [`Outbound`](crate::attempt::Outbound), used again by each exchange.
    pub(crate) scratch: RefCell<KeptFields>,
    /// Left by the last exchange, when its backend switched protocols.
    pub(crate) tunnel: RefCell<Option<Tunnel>>,
    /// Connections to endpoints that were announced as this client's.
    pub(crate) links: Rc<Links>,
}

impl Client {
    /// What a connection to a backend made for this client begins with.
    pub(crate) fn beginning(&self, manner: Manner) -> Beginning {
        let name = || self.tls.as_ref().and_then(|tls| tls.name());
        let header = manner.proxy_protocol;
        Beginning {
            header: header.map(|version| announce::header(version, &self.ends, name())),
            tls: manner.tls.map(|policy| (policy, UnsaidEnd::Breaks)),
        }
    }

    /// The same for one stream of HTTP/2.
    pub(crate) fn stream(&self, now: Instant) -> Rc<Self> {
        Rc::new(Self {
            worker: Rc::clone(&self.worker),
            watch: Rc::new(Watch::new(now, &self.worker.settings)),
            peer: Rc::clone(&self.peer),
            ends: self.ends,
            tls: self.tls.clone(),
            at: self.at,
            scratch: RefCell::default(),
            tunnel: RefCell::default(),
            links: Rc::clone(&self.links),
        })
    }
}

impl fmt::Debug for Client {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Client")
            .field("peer", &self.peer)
            .finish_non_exhaustive()
    }
}

/// Whom a connection is between.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Ends {
    /// The other end of the socket.
    pub(crate) peer: SocketAddr,
    /// Who it is from: the peer, or whom its PROXY header names.
    pub(crate) client: SocketAddr,
    /// Where it came in; behind a PROXY header, where the client connected to.
    pub(crate) at: SocketAddr,
}

/// A connection as it was accepted.
pub(crate) struct Arrival {
    pub(crate) stream: TcpStream,
    pub(crate) ends: Ends,
    /// A PROXY header comes first.
    pub(crate) announces: bool,
    /// What TLS is to be spoken with; `None` in the clear.
    pub(crate) tls: Option<Rc<Store>>,
}

impl Arrival {
    /// Takes the PROXY header, if there must be one; `None`: it is to be closed.
    pub(crate) async fn announced(mut self, worker: &Worker) -> Option<Self> {
        if self.announces {
            let peer = self.ends.peer;
            let header = take_header(worker, &mut self.stream, peer).await?;
            if let Some(told) = header.addresses {
                (self.ends.client, self.ends.at) = (told.source, told.destination);
            }
        }
        Some(self)
    }
}

/// Takes a connection in; the future serves it to its end. It counts as open from now on.
pub(crate) fn serve_client(
    worker: Rc<Worker>,
    engine: Rc<Builder>,
    arrival: Arrival,
) -> impl Future<Output = ()> {
    let watch = Rc::new(Watch::new(Instant::now(), &worker.settings));
    let entered = worker.enter(Rc::clone(&watch));
    async move {
        let arrival = if arrival.announces {
            // Boxed, as TLS below.
            let announced = Box::pin(arrival.announced(&worker));
            match worker.unless_ended(&watch, announced).await {
                Some(Some(arrival)) => arrival,
                _ => return drop(entered),
            }
        } else {
            arrival
        };
        let Arrival {
            stream, tls, ends, ..
        } = arrival;
        // Responses leave in one write anyway; this spares the last part of a long one a delay.
        let _ = stream.set_nodelay(true);
        match tls {
            None => {
                let client = client(&worker, &watch, ends, None);
                let mut wire = ClientWire::new(stream, Rc::clone(&watch));
                if worker.settings.http2.is_some() {
                    wire.listen_for_http2();
                }
                http1::serve(engine, wire, client).await;
            }
            // Boxed: who speaks in the clear carries no room for it.
            Some(store) => Box::pin(secured(worker, engine, stream, ends, store, watch)).await,
        }
        drop(entered);
    }
}

fn client(
    worker: &Rc<Worker>,
    watch: &Rc<Watch>,
    ends: Ends,
    tls: Option<Rc<Secured>>,
) -> Rc<Client> {
    let (from, port) = (ends.client.ip(), ends.at.port());
    let peer = Peer::new(from, port, tls.is_some(), &worker.settings);
    Rc::new(Client {
        peer: Rc::new(peer),
        ends,
        at: ends.at.ip().to_canonical(),
        tls,
        watch: Rc::clone(watch),
        worker: Rc::clone(worker),
        scratch: RefCell::default(),
        tunnel: RefCell::default(),
        links: Rc::default(),
    })
}

async fn secured(
    worker: Rc<Worker>,
    engine: Rc<Builder>,
    stream: TcpStream,
    ends: Ends,
    store: Rc<Store>,
    watch: Rc<Watch>,
) {
    // Boxed: large, and over soon.
    let shaking = Box::pin(handshake(&worker, stream, &store, &watch));
    let Some((stream, session)) = shaking.await else {
        return;
    };
    watch.rest(Instant::now());
    let tls = Some(Rc::new(Secured::new(session)));
    let http2 = tls.as_ref().is_some_and(|tls| tls.is_http2());
    let client = client(&worker, &watch, ends, tls);
    let wire = ClientWire::new(stream, watch);
    if http2 {
        Box::pin(http2::serve(client, wire)).await;
    } else {
        http1::serve(engine, wire, client).await;
    }
}
