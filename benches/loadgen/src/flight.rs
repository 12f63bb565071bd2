//! The window of one socket: which queries are in the air, found again by their id.
//!
//! The low byte of an id is the slot and the high byte counts the slot's uses, so a
//! late answer to an earlier use is told apart from the present one.

use std::time::{Duration, Instant};

/// At most this many queries are in the air per socket: a slot is one byte of the id.
pub(crate) const LARGEST_WINDOW: usize = 256;

/// Queries in the air.
pub(crate) struct Flight {
    slots: Vec<Slot>,
    free: Vec<u8>,
}

struct Slot {
    uses: u8,
    query: usize,
    sent: Option<Instant>,
}

/// A query that came back.
pub(crate) struct Landed {
    pub(crate) query: usize,
    pub(crate) sent: Instant,
}

impl Flight {
    pub(crate) fn new(window: usize) -> Self {
        assert!(
            (1..=LARGEST_WINDOW).contains(&window),
            "checked when arguments were read"
        );
        Self {
            slots: (0..window)
                .map(|_| Slot {
                    uses: 0,
                    query: 0,
                    sent: None,
                })
                .collect(),
            free: (0..window).map(|slot| slot as u8).collect(),
        }
    }

    pub(crate) fn room(&self) -> usize {
        self.free.len()
    }

    pub(crate) fn in_air(&self) -> usize {
        self.slots.len() - self.free.len()
    }

    /// Takes a slot for a query about to be sent; `None` when the window is full.
    pub(crate) fn take_off(&mut self, query: usize, now: Instant) -> Option<u16> {
        let index = self.free.pop()?;
        let slot = &mut self.slots[usize::from(index)];
        slot.uses = slot.uses.wrapping_add(1);
        slot.query = query;
        slot.sent = Some(now);
        Some(u16::from_be_bytes([slot.uses, index]))
    }

    /// The query with this id, if it is in the air; it stays there.
    pub(crate) fn find(&self, id: u16) -> Option<Landed> {
        let [uses, index] = id.to_be_bytes();
        let slot = self
            .slots
            .get(usize::from(index))
            .filter(|slot| slot.uses == uses)?;
        Some(Landed {
            query: slot.query,
            sent: slot.sent?,
        })
    }

    /// Frees the slot of an id that [`Self::find`] or [`Self::take_off`] gave.
    pub(crate) fn release(&mut self, id: u16) {
        let [_, index] = id.to_be_bytes();
        self.slots[usize::from(index)].sent = None;
        self.free.push(index);
    }

    /// Gives up what was sent more than `limit` ago; returns how many.
    pub(crate) fn sweep(&mut self, now: Instant, limit: Duration) -> u64 {
        let mut lost = 0;
        for (index, slot) in self.slots.iter_mut().enumerate() {
            if slot
                .sent
                .is_some_and(|sent| now.duration_since(sent) > limit)
            {
                slot.sent = None;
                self.free.push(index as u8);
                lost += 1;
            }
        }
        lost
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_lands_once_and_a_late_one_does_not_land_at_all() {
        let now = Instant::now();
        let mut flight = Flight::new(1);
        let first = flight.take_off(7, now).expect("the window is empty");
        assert!(flight.take_off(8, now).is_none());
        assert_eq!(flight.find(first).map(|landed| landed.query), Some(7));
        flight.release(first);
        assert!(flight.find(first).is_none());
        let second = flight.take_off(9, now).expect("the slot was released");
        assert!(flight.find(first).is_none() && flight.find(second).is_some());
    }

    #[test]
    fn what_stays_away_too_long_is_lost() {
        let now = Instant::now();
        let mut flight = Flight::new(4);
        flight.take_off(0, now);
        let limit = Duration::from_secs(1);
        assert_eq!(flight.sweep(now + limit, limit), 0);
        assert_eq!(flight.sweep(now + limit * 2, limit), 1);
        assert_eq!(flight.room(), 4);
    }
}
