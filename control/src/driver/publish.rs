//! Compiling and publishing Tables, and freeing what nobody holds any more.
//!
//! Flips are compiled on the control thread, on the last finished Table. A new Model is compiled on
//! another thread, which borrows the slot book for that time.

use std::sync::Arc;

use tokio::sync::mpsc;
use tokio::task;
use windrose_model::Revision;
use windrose_routing::{Publisher, Released, SlotBook, Slots, Source, Table, compile};
use windrose_telemetry::Metrics;

use crate::event::{Inputs, JobId};
use crate::options::Forget;

/// A Table for a new Model, and what came with it.
pub(super) struct Finished {
    revision: Revision,
    table: Arc<Table>,
    slots: Slots,
    round: u64,
    book: SlotBook,
}

/// The same, waiting for its first publication.
struct Next {
    revision: Revision,
    table: Arc<Table>,
    slots: Slots,
    round: u64,
}

pub(super) struct Publishing {
    publisher: Publisher,
    metrics: Arc<Metrics>,
    forget: Option<Forget>,
    slots: Slots,
    /// Counts assignments of slots.
    round: u64,
    /// The round of the Model in force, and the first epoch published under it.
    in_force: (u64, u64),
    next: Option<Next>,
    /// Away while a new Model is compiled.
    book: Option<SlotBook>,
    /// Waits for the book; of several the latest.
    waiting: Option<(JobId, Inputs)>,
    alive: usize,
    /// Slots of retired names are still to be released.
    unreleased: bool,
}

impl Publishing {
    /// Compiles and publishes the first Table.
    pub(super) fn begin(
        first: &Inputs,
        metrics: Arc<Metrics>,
        forget: Option<Forget>,
    ) -> (Self, Source) {
        let mut book = SlotBook::new();
        let round = 1;
        let slots = book.assign(&first.model, round);
        let table = compile(&first.model, &first.status, &first.data, &slots, None);
        let epoch = table.stamp().epoch;
        let (publisher, source) = Publisher::new(table);
        let publishing = Self {
            publisher,
            metrics,
            forget,
            slots,
            round,
            in_force: (round, epoch),
            next: None,
            book: Some(book),
            waiting: None,
            alive: 1,
            unreleased: false,
        };
        publishing.measure();
        (publishing, source)
    }

    pub(super) fn metrics(&self) -> &Arc<Metrics> {
        &self.metrics
    }

    pub(super) fn table(&self) -> Arc<Table> {
        Arc::clone(self.publisher.current())
    }

    /// Tables that somebody still holds, the published one included.
    pub(super) fn alive(&self) -> usize {
        self.alive
    }

    /// Compiles a Table for a new Model on another thread.
    pub(super) fn compute(
        &mut self,
        job: JobId,
        inputs: Inputs,
        done: mpsc::UnboundedSender<(JobId, Box<Finished>)>,
    ) {
        let Some(mut book) = self.book.take() else {
            self.waiting = Some((job, inputs));
            return;
        };
        self.round += 1;
        let round = self.round;
        let previous = self.table();
        task::spawn_blocking(move || {
            let Inputs {
                model,
                status,
                data,
            } = &inputs;
            let slots = book.assign(model, round);
            let table = compile(model, status, data, &slots, Some(&previous));
            let finished = Finished {
                revision: model.revision(),
                table: Arc::new(table),
                slots,
                round,
                book,
            };
            let _ = done.send((job, Box::new(finished)));
        });
    }

    /// Keeps a finished Table for its publication; the job that has waited, to be computed now.
    pub(super) fn keep(&mut self, finished: Finished) -> Option<(JobId, Inputs)> {
        self.book = Some(finished.book);
        self.next = Some(Next {
            revision: finished.revision,
            table: finished.table,
            slots: finished.slots,
            round: finished.round,
        });
        self.waiting.take()
    }

    /// Compiles on the last finished Table, and publishes.
    pub(super) fn publish(&mut self, inputs: &Inputs) {
        let Inputs {
            model,
            status,
            data,
        } = inputs;
        let next = self.next.take_if(|n| n.revision == model.revision());
        let previous = match next {
            Some(next) => {
                self.slots = next.slots;
                self.in_force = (next.round, status.stamp.epoch);
                self.unreleased = true;
                next.table
            }
            None => self.table(),
        };
        let table = compile(model, status, data, &self.slots, Some(&previous));
        drop(previous);
        match self.publisher.publish(table) {
            Ok(()) => self.metrics.scalars.publishes.increment(),
            Err(stale) => tracing::error!("not published: {stale}"),
        }
        self.alive = self.publisher.sweep();
        self.measure();
    }

    /// Frees Tables that nobody holds, and slots that no Table names.
    pub(super) fn sweep(&mut self) {
        self.alive = self.publisher.sweep();
        self.measure();
        let (round, first) = self.in_force;
        if self.unreleased
            && self.publisher.oldest_alive() >= first
            && let Some(book) = &mut self.book
        {
            self.unreleased = false;
            let released = book.release(round);
            rebase(&self.metrics, &released);
            if let Some(data_path) = &self.forget {
                data_path.forget(&released.endpoints, &released.steered);
            }
        }
    }

    fn measure(&self) {
        let scalars = &self.metrics.scalars;
        scalars
            .tables_alive
            .set(u64::try_from(self.alive).unwrap_or(u64::MAX));
    }
}

/// Slots that may be given out again count from zero.
fn rebase(metrics: &Metrics, released: &Released) {
    for &slot in &released.zones {
        metrics.rebase_zone(slot);
    }
    for &slot in &released.steered {
        metrics.rebase_steered(slot);
    }
    for &slot in &released.groups {
        metrics.rebase_group(slot);
    }
}
