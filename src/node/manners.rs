//! From the configuration to how the DNS threads speak, at start and at each reload.

use std::sync::Arc;

use tokio::sync::watch;
use windrose_config::NodeConfig;
use windrose_dns::{Manners, TcpLimits};

/// Tells the threads; they look once a batch.
#[derive(Debug, Clone)]
pub(crate) struct DnsManners {
    told: Arc<watch::Sender<Arc<Manners>>>,
    /// Limits of the node are shared out over its listeners.
    listeners: usize,
}

impl DnsManners {
    pub(crate) fn new(config: &NodeConfig, listeners: usize) -> Self {
        let manners = manners(config, listeners);
        Self {
            told: Arc::new(watch::channel(Arc::new(manners)).0),
            listeners,
        }
    }

    /// What the configuration says from now on.
    pub(crate) fn tell(&self, config: &NodeConfig) {
        let new = manners(config, self.listeners);
        self.told.send_if_modified(|old| {
            let differs = **old != new;
            if differs {
                *old = Arc::new(new);
            }
            differs
        });
    }

    pub(crate) fn listen(&self) -> watch::Receiver<Arc<Manners>> {
        self.told.subscribe()
    }
}

fn manners(config: &NodeConfig, listeners: usize) -> Manners {
    let wanted = &config.dns;
    Manners {
        udp_size: wanted.udp_size,
        tcp: TcpLimits {
            connections: (wanted.tcp.connections / listeners.max(1)).max(1),
            idle: wanted.tcp.idle_timeout,
        },
    }
}
