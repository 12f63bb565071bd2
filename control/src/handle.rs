//! How the rest of the node talks to the control thread.

use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use tokio::sync::{mpsc, watch};
use windrose_model::{Model, Report, Revision};
use windrose_routing::Data;

use crate::{Convergence, Snapshot};

/// What the control thread is told.
pub(crate) enum Command {
    Apply(Arc<Model>, Arc<Data>),
    ReloadFailed(String),
    ResolveBy(Vec<SocketAddr>),
    Stop,
}

/// A handle to the control thread. The thread ends at [`Handle::stop`], not when handles are gone.
#[derive(Clone)]
pub struct Handle {
    pub(crate) commands: mpsc::UnboundedSender<Command>,
    pub(crate) reports: mpsc::Sender<Report>,
    pub(crate) snapshots: watch::Receiver<Arc<Snapshot>>,
    pub(crate) convergence: watch::Receiver<Arc<Convergence>>,
    pub(crate) thread: Arc<Mutex<Option<JoinHandle<()>>>>,
}

impl Handle {
    /// The latest look at control.
    pub fn snapshot(&self) -> Arc<Snapshot> {
        Arc::clone(&self.snapshots.borrow())
    }

    /// A receiver that wakes at each new snapshot.
    pub fn watch(&self) -> watch::Receiver<Arc<Snapshot>> {
        self.snapshots.clone()
    }

    /// How traffic follows the answers; a new look about once a second while there is any to see.
    pub fn convergence(&self) -> watch::Receiver<Arc<Convergence>> {
        self.convergence.clone()
    }

    /// Where the data path reports what it sees: bounded, for `try_send`.
    pub fn reports(&self) -> mpsc::Sender<Report> {
        self.reports.clone()
    }

    /// Puts a new Model in force, as soon as its Table is compiled. Of several in a row the last
    /// one wins.
    pub fn apply(&self, model: Arc<Model>, data: Arc<Data>) {
        let _ = self.commands.send(Command::Apply(model, data));
    }

    /// Tells that a new configuration was refused; the Model in force stays.
    pub fn reload_failed(&self, error: String) {
        let _ = self.commands.send(Command::ReloadFailed(error));
    }

    /// Asks these resolvers about the names that aliases lead to from now on, about all of them at
    /// once; the system's if there are none. What is known stays until they answer.
    pub fn resolve_by(&self, resolvers: Vec<SocketAddr>) {
        let _ = self.commands.send(Command::ResolveBy(resolvers));
    }

    /// Returns when the first round of probes is over or its grace is, or when control has ended.
    pub async fn first_round(&self) {
        let mut snapshots = self.snapshots.clone();
        let _ = snapshots.wait_for(|s| s.ready.ready).await;
    }

    /// Returns when this revision, or a later one, is published, or when control has ended.
    pub async fn applied(&self, revision: Revision) {
        let mut snapshots = self.snapshots.clone();
        let _ = snapshots.wait_for(|s| s.model.revision() >= revision).await;
    }

    /// Ends the control thread and waits for it, which takes milliseconds: probes are dropped, the
    /// journal is written out. The last Table stays in force.
    pub fn stop(&self) {
        let _ = self.commands.send(Command::Stop);
        let thread = self
            .thread
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .take();
        if let Some(thread) = thread {
            let _ = thread.join();
        }
    }
}
