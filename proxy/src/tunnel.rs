//! A client connection after its protocol was switched: the octets of both sides, nothing between.

use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::sync::oneshot;
use windrose_telemetry::{StreamEvent, StreamKind};

use crate::access::{Draft, Outcome};
use crate::flags::Flags;
use crate::relay::{Account, Limits, Side, relay};
use crate::upstream::{Handover, InFlight};
use crate::watch::Watch;
use crate::wire::{ClientWire, Line};
use crate::worker::Worker;

/// What an exchange leaves behind when a backend switched protocols.
#[derive(Debug)]
pub(crate) struct Tunnel {
    /// The backend's connection, once the engine lets go of it.
    pub(crate) handover: oneshot::Receiver<Handover>,
    pub(crate) in_flight: InFlight,
    /// Without an octet either way; zero is never.
    pub(crate) idle: Duration,
    /// For the access log, with what happened on the way here.
    pub(crate) draft: Option<Box<Draft>>,
    pub(crate) flags: Flags,
}

/// Carries octets to the end. `read`: what the engine had read of the client and not used.
pub(crate) async fn carry<L: Line>(
    worker: &Rc<Worker>,
    watch: &Watch,
    mut client: ClientWire<L>,
    read: &[u8],
    tunnel: Tunnel,
) {
    let Ok(handover) = tunnel.handover.await else {
        // The engine met an error of the connection before it could let go.
        watch.break_off();
        return;
    };
    let account = Account::open(
        &worker.recorder,
        tunnel.in_flight.group(),
        StreamKind::Tunnel,
    );
    let mut early = read.to_vec();
    early.extend(client.switch());
    let mut client = Side {
        stream: client,
        read: early,
    };
    let mut upstream = Side {
        stream: handover.stream,
        read: handover.read.to_vec(),
    };
    let limits = Limits {
        idle: tunnel.idle,
        whole: Duration::ZERO,
        wanted: None,
    };
    let ended = relay(worker, watch, &mut client, &mut upstream, &limits, &account).await;
    match ended {
        // A reset is passed on as one: a clean end would claim that all had come.
        StreamEvent::UpstreamReset => watch.break_off(),
        StreamEvent::ClientReset => {
            let _ = upstream.stream.socket().set_zero_linger();
        }
        _ => {}
    }
    if let Some(draft) = tunnel.draft {
        let (received, sent) = account.moved();
        let outcome = Outcome {
            now: Instant::now(),
            status: Some(101),
            flags: tunnel.flags.and(Flags::of_end(ended)),
            received,
            sent,
            ended: ended.end(),
            grpc: None,
        };
        worker.log(draft, outcome);
    }
    drop((handover.open, tunnel.in_flight));
}
