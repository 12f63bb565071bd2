//! HOT. DNS over UDP: one thread per socket, blocking, in batches where the system has them.

#[cfg(target_os = "linux")]
mod batch;
#[cfg(any(test, not(target_os = "linux")))]
mod plain;

use std::io;
use std::net::UdpSocket;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use tokio::sync::watch;
use windrose_routing::Reader;

use crate::counters::Counters;
use crate::dice::Dice;
use crate::gate::Gate;
use crate::manners::{Manners, MannersReader};

/// Longest time without a look at the stop flag, and without letting go of an old Table.
const LOOK_AROUND: Duration = Duration::from_millis(100);
/// Least time between two log lines about a socket that receives nothing.
const AGAIN: Duration = Duration::from_secs(60);

/// Least room for one query; more where more is announced. What is longer is cut, and then malformed.
const QUERY_ROOM: usize = 1_280;

/// Answers on `socket` until `stop` is set: the body of one thread. A socket that is bound to the
/// unspecified address answers from the address it was asked on.
///
/// # Errors
/// When the socket refuses its options; not afterwards.
pub fn serve_udp(
    socket: &UdpSocket,
    reader: Reader,
    manners: watch::Receiver<Arc<Manners>>,
    counters: &Counters,
    seed: u64,
    stop: &Arc<AtomicBool>,
) -> io::Result<()> {
    socket.set_nonblocking(false)?;
    socket.set_read_timeout(Some(LOOK_AROUND))?;
    socket.set_write_timeout(Some(LOOK_AROUND))?;
    let worker = Worker {
        socket,
        reader,
        manners: MannersReader::new(manners),
        gate: Gate::new(counters, seed),
        dice: Dice::new(seed),
        stop,
    };
    #[cfg(target_os = "linux")]
    return batch::run(worker);
    #[cfg(not(target_os = "linux"))]
    return plain::run(worker);
}

/// What a thread works with.
struct Worker<'w> {
    socket: &'w UdpSocket,
    reader: Reader,
    manners: MannersReader,
    gate: Gate<&'w Counters>,
    dice: Dice,
    stop: &'w AtomicBool,
}

impl Worker<'_> {
    fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::Relaxed)
    }
}

/// What to do after errors that are no timeout and no echo of an earlier datagram (out of memory,
/// say): the next attempt waits, so that a lasting error does not burn the core.
#[derive(Default)]
struct Pauses {
    told: Option<Instant>,
}

impl Pauses {
    /// Waits; says so once in a while.
    #[cold]
    fn pause(&mut self, error: &io::Error) {
        let now = Instant::now();
        let is_due = |told: Instant| now.duration_since(told) >= AGAIN;
        if self.told.is_none_or(is_due) {
            self.told = Some(now);
            tracing::warn!(%error, "receiving DNS queries failed, trying again");
        }
        std::thread::sleep(LOOK_AROUND);
    }
}
