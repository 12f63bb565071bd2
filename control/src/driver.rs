//! Performs the effects of the controller: the one place of this crate that reads clocks, opens
//! sockets and writes files.

use std::io;
use std::sync::Arc;

use windrose_model::Model;
use windrose_routing::{Data, Source};
use windrose_telemetry::Metrics;

use crate::{Handle, Options};

/// Compiles and publishes a first Table, in which nothing is known yet, and starts the control
/// thread.
///
/// # Errors
/// No thread, no runtime, or no journal in `data_dir`.
pub fn start(
    _model: Arc<Model>,
    _data: Arc<Data>,
    _options: Options,
    _metrics: Arc<Metrics>,
) -> io::Result<(Handle, Source)> {
    Err(io::Error::other("control is being written"))
}
