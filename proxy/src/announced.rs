//! Takes the PROXY header off a connection of a trusted peer, within the deadline of a head, and
//! counts it. No octet behind the header is read.

use std::io;
use std::net::{IpAddr, SocketAddr};

use ipnet::IpNet;
use tokio::io::AsyncReadExt;
use tokio::net::TcpStream;
use tokio::time::timeout;
use tracing::debug;
use windrose_telemetry::ProxyHeader;

use crate::proxy_protocol::{Header, HeaderFault, HeaderReader};
use crate::worker::Worker;

/// Octets looked at in one go: all of a header, as a rule.
const LOOK: usize = 512;

/// Why there is no header.
enum Lack {
    Fault(HeaderFault),
    /// The peer left, before an octet or within the header.
    Closed,
}

/// Whether a peer is one of these.
pub(crate) fn is_trusted(trusted: &[IpNet], peer: IpAddr) -> bool {
    let peer = peer.to_canonical();
    trusted.iter().any(|net| net.contains(&peer))
}

/// Takes the header; `None` when the connection is to be closed.
pub(crate) async fn take_header(
    worker: &Worker,
    stream: &mut TcpStream,
    peer: SocketAddr,
) -> Option<Header> {
    let read = timeout(worker.settings.head_timeout, read(stream)).await;
    let (counted, header) = match read {
        Ok(Ok(header)) => {
            let counted = match header {
                Header {
                    addresses: None, ..
                } => ProxyHeader::Local,
                Header { version: 1, .. } => ProxyHeader::Version1,
                _ => ProxyHeader::Version2,
            };
            (counted, Some(header))
        }
        Ok(Err(Lack::Fault(HeaderFault::Missing))) => (ProxyHeader::Missing, None),
        Ok(Err(Lack::Fault(HeaderFault::Malformed))) => (ProxyHeader::Malformed, None),
        Ok(Err(Lack::Fault(HeaderFault::Checksum))) => (ProxyHeader::Checksum, None),
        Ok(Err(Lack::Closed)) => (ProxyHeader::Closed, None),
        Err(_) => (ProxyHeader::Timeout, None),
    };
    worker.recorder.proxy_header(counted);
    if header.is_none() {
        debug!(%peer, why = counted.as_str(), "no PROXY header");
    }
    header
}

/// Looks before it takes, so that nothing is taken but the header. What was looked at and belongs
/// to it is taken at once: a look waits for further octets, never for the same.
async fn read(stream: &mut TcpStream) -> Result<Header, Lack> {
    let mut reader = HeaderReader::default();
    let mut octets = [0; LOOK];
    loop {
        let seen = stream.peek(&mut octets).await.map_err(gone)?;
        if seen == 0 {
            return Err(Lack::Closed);
        }
        let (taken, end) = reader.read(&octets[..seen]);
        if let Some(Err(fault)) = end {
            return Err(Lack::Fault(fault));
        }
        stream
            .read_exact(&mut octets[..taken])
            .await
            .map_err(gone)?;
        if let Some(Ok(header)) = end {
            return Ok(header);
        }
    }
}

fn gone(_: io::Error) -> Lack {
    Lack::Closed
}
