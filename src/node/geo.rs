//! Loads the country database that a configuration names.

use std::io;
use std::path::PathBuf;
use std::sync::Arc;

use windrose_config::GeoSource;
use windrose_routing::Data;
use windrose_routing::geo::{GeoDb, GeoError};

/// Why a database cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum GeoLoadError {
    #[error("data.geo: cannot read {path}: {source}")]
    Read { path: PathBuf, source: io::Error },
    #[error("data.geo: {path}: {source}")]
    Refused { path: PathBuf, source: GeoError },
}

pub(crate) fn load(source: &GeoSource) -> Result<Arc<Data>, GeoLoadError> {
    let geo = match source {
        GeoSource::Builtin => GeoDb::builtin(),
        GeoSource::None => GeoDb::empty(),
        GeoSource::File(path) => {
            let bytes = std::fs::read(path).map_err(|source| GeoLoadError::Read {
                path: path.clone(),
                source,
            })?;
            GeoDb::from_mmdb(&bytes).map_err(|source| GeoLoadError::Refused {
                path: path.clone(),
                source,
            })?
        }
    };
    Ok(Arc::new(Data::of_geo(geo)))
}
