//! From the configuration to the access log.

use std::sync::Arc;

use windrose_config::NodeConfig;
use windrose_proxy::{AccessLog, AccessSettings};
use windrose_telemetry::{Metrics, Writing};

use super::defence::log_target;

/// The access log that a configuration asks for, and its writer's end.
pub(super) fn start(
    config: &NodeConfig,
    metrics: &Arc<Metrics>,
) -> std::io::Result<Option<(Arc<AccessLog>, Writing)>> {
    let Some(wanted) = &config.access_log else {
        return Ok(None);
    };
    let settings = AccessSettings {
        node: config.name.to_string(),
        sample: f64::from(wanted.sample.hundredths()) / 10_000.0,
        errors: wanted.errors,
        query: wanted.query,
        per_second: wanted.per_second,
        to: log_target(&wanted.to, wanted.max_bytes, wanted.keep),
    };
    AccessLog::start(settings, Arc::clone(metrics)).map(Some)
}
