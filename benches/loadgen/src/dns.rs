//! The DNS load: windows of outstanding queries over several sockets, one thread.
//!
//! When nothing has arrived it naps instead of polling: a wake-up would be charged to the
//! server that sends the answer, and how often it happens depends on the server's
//! speed. The windows hold enough work to keep the server busy through a nap.

use std::time::Instant;

use crate::arguments::Refusal;
use crate::batch::{BATCH, Lane};
use crate::flight::Flight;
use crate::load::{Load, NAP, SWEEP_EVERY, land};
use crate::queries::Pool;
use crate::tally::Tally;

/// Runs the load; returns its JSON line.
pub(crate) fn run(load: &Load) -> Result<String, Refusal> {
    let mut pool = load.pool();
    let mut lanes = Vec::with_capacity(load.lanes);
    for _ in 0..load.lanes {
        lanes.push((Lane::connect(load.server)?, Flight::new(load.window)));
    }
    let mut tally = load.tally();
    let start = Instant::now();
    let (mut now, mut swept) = (start, start);
    loop {
        let elapsed = now.duration_since(start);
        if load.left(&tally, elapsed) == 0 && lanes.iter().all(|(_, flight)| flight.in_air() == 0) {
            break;
        }
        let mut moved = 0;
        for (lane, flight) in &mut lanes {
            let left = load.left(&tally, elapsed);
            let sent = send(lane, flight, &mut pool, left, now)?;
            tally.sent += sent as u64;
            moved += sent + receive(lane, flight, &pool, &mut tally)?;
        }
        if moved == 0 {
            std::thread::sleep(NAP);
        }
        now = Instant::now();
        if now.duration_since(swept) > SWEEP_EVERY {
            swept = now;
            for (_, flight) in &mut lanes {
                tally.lost += flight.sweep(now, load.timeout);
            }
        }
    }
    Ok(tally.json(start.elapsed()))
}

/// Fills the window of one lane, one batch at most.
fn send(
    lane: &mut Lane,
    flight: &mut Flight,
    pool: &mut Pool,
    left: usize,
    now: Instant,
) -> Result<usize, Refusal> {
    let count = flight.room().min(BATCH).min(left);
    if count == 0 {
        return Ok(0);
    }
    let mut queries = [(0, 0); BATCH];
    for slot in &mut queries[..count] {
        let query = pool.turn();
        let id = flight
            .take_off(query, now)
            .expect("count is at most the room in the window");
        pool.stamp(query, id);
        *slot = (query, id);
    }
    let sent = lane.send(
        queries[..count]
            .iter()
            .map(|&(query, _)| pool.query(query).bytes.as_slice()),
    )?;
    for &(_, id) in &queries[sent..count] {
        flight.release(id);
    }
    Ok(sent)
}

/// Takes one batch of answers and judges each.
fn receive(
    lane: &mut Lane,
    flight: &mut Flight,
    pool: &Pool,
    tally: &mut Tally,
) -> Result<usize, Refusal> {
    let received = lane.receive()?;
    let now = Instant::now();
    for index in 0..received {
        land(lane.datagram(index), now, flight, pool, tally);
    }
    Ok(received)
}
