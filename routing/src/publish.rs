//! One atomic pointer: one writer publishes, readers keep a cached copy.

use std::sync::Arc;

use arc_swap::{ArcSwap, Cache};
use windrose_model::Stamp;

use crate::table::Table;

/// A Table that is older than the published one.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("table {offered} is older than the published {current}")]
pub struct StaleStamp {
    /// What was offered.
    pub offered: Stamp,
    /// What stands.
    pub current: Stamp,
}

/// The one writer of a node. It keeps each Table it published until nobody else holds it, and frees
/// it there, so that no data-path thread ever pays for freeing.
pub struct Publisher {
    cell: Arc<ArcSwap<Table>>,
    current: Arc<Table>,
    alive: Vec<Arc<Table>>,
}

/// Where readers come from.
#[derive(Clone)]
pub struct Source(Arc<ArcSwap<Table>>);

/// One thread's view of the published Table; a load costs under a nanosecond while nothing changes.
pub struct Reader(Cache<Arc<ArcSwap<Table>>, Arc<Table>>);

impl Publisher {
    /// Publishes a first Table.
    pub fn new(first: Table) -> (Self, Source) {
        let current = Arc::new(first);
        let cell = Arc::new(ArcSwap::new(Arc::clone(&current)));
        let source = Source(Arc::clone(&cell));
        (
            Self {
                cell,
                current,
                alive: Vec::new(),
            },
            source,
        )
    }

    /// Swaps a Table in.
    ///
    /// # Errors
    /// When its (term, epoch) is lower than the published one's.
    pub fn publish(&mut self, table: Table) -> Result<(), StaleStamp> {
        let (offered, current) = (table.stamp(), self.current.stamp());
        if (offered.term, offered.epoch) < (current.term, current.epoch) {
            return Err(StaleStamp { offered, current });
        }
        let table = Arc::new(table);
        self.cell.store(Arc::clone(&table));
        self.alive.push(std::mem::replace(&mut self.current, table));
        Ok(())
    }

    /// The published Table.
    pub fn current(&self) -> &Arc<Table> {
        &self.current
    }

    /// Frees what nobody else holds; how many are left, the published one included.
    pub fn sweep(&mut self) -> usize {
        self.alive.retain(|table| Arc::strong_count(table) > 1);
        self.alive.len() + 1
    }

    /// The epoch of the oldest Table that is still held.
    pub fn oldest_alive(&self) -> u64 {
        self.alive
            .iter()
            .map(|table| table.stamp().epoch)
            .fold(self.current.stamp().epoch, u64::min)
    }
}

impl Source {
    /// A reader for one thread.
    pub fn reader(&self) -> Reader {
        Reader(Cache::new(Arc::clone(&self.0)))
    }

    /// The published Table, for those who are in no hurry.
    pub fn load(&self) -> Arc<Table> {
        self.0.load_full()
    }
}

impl Reader {
    /// The published Table: once per batch of queries or exchange, so that a unit of work sees one
    /// world.
    #[inline]
    pub fn load(&mut self) -> &Arc<Table> {
        self.0.load()
    }
}
