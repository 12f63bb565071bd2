//! Loads the large inputs that a configuration names, and sees that they hold what it expects.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use windrose_config::{GeoNeed, GeoSource, Loaded, Report};
use windrose_routing::geo::{GeoDb, GeoError};
use windrose_routing::{Data, Lists, Users};

/// Why large inputs cannot be used.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DataError {
    #[error("data.{key}: cannot read {path}: {source}")]
    Read {
        key: &'static str,
        path: PathBuf,
        source: io::Error,
    },
    #[error("data.{key}: {path}: {source}")]
    Refused {
        key: &'static str,
        path: PathBuf,
        source: GeoError,
    },
    /// They do not hold what the configuration expects.
    #[error("{0}")]
    Lacking(Report),
}

impl DataError {
    /// Whether memory or descriptors to read them were lacking.
    pub(crate) fn is_passing(&self) -> bool {
        matches!(self, Self::Read { source, .. } if windrose_config::is_passing(source))
    }
}

/// The data of a configuration.
pub(crate) struct Found {
    pub(crate) data: Arc<Data>,
    /// Cities that its rules name and in which no address lies.
    pub(crate) warnings: Option<Report>,
}

/// What was loaded last, so that a file which has not changed is not read again.
#[derive(Default)]
pub(crate) struct Loader {
    builtin: Option<Arc<GeoDb>>,
    geo: Option<Kept>,
    asn: Option<Kept>,
}

struct Kept {
    path: PathBuf,
    mark: Mark,
    database: Arc<GeoDb>,
}

/// What tells one state of a file from another: inode, octets, time.
type Mark = (u64, u64, i64, i64);

/// A way to read a database.
type Decode = fn(&[u8]) -> Result<GeoDb, GeoError>;

impl Loader {
    /// The data of a configuration.
    pub(crate) fn load(&mut self, loaded: &Loaded) -> Result<Found, DataError> {
        let sources = &loaded.data;
        let geo = match &sources.geo {
            GeoSource::Builtin => {
                let builtin = || Arc::new(GeoDb::builtin());
                Arc::clone(self.builtin.get_or_insert_with(builtin))
            }
            GeoSource::None => Arc::new(GeoDb::empty()),
            GeoSource::File(path) => read("geo", path, GeoDb::from_mmdb, &mut self.geo)?,
        };
        let asn = match &sources.asn {
            Some(path) => Some(read("asn", path, GeoDb::asns_from_mmdb, &mut self.asn)?),
            None => None,
        };
        let cities = std::cell::OnceCell::new();
        let unmet = loaded.unmet(|need| match need {
            GeoNeed::Field(field) => geo.has(*field),
            GeoNeed::City(city) => cities.get_or_init(|| geo.cities()).has(city),
        });
        if let Some(report) = &unmet
            && report.has_errors()
        {
            return Err(DataError::Lacking(report.clone()));
        }
        let lists = Lists::new(sources.lists.clone());
        Ok(Found {
            data: Arc::new(Data {
                geo,
                asn,
                lists,
                users: Users::new(sources.users.clone()),
                latency: Arc::clone(&loaded.latency),
            }),
            warnings: unmet,
        })
    }
}

fn read(
    key: &'static str,
    path: &Path,
    decode: Decode,
    kept: &mut Option<Kept>,
) -> Result<Arc<GeoDb>, DataError> {
    let unreadable = |source| DataError::Read {
        key,
        path: path.to_owned(),
        source,
    };
    // Before it is read: what changes meanwhile is then read again.
    let mark = mark(&fs::metadata(path).map_err(unreadable)?);
    if let Some(kept) = kept
        && (kept.path.as_path(), kept.mark) == (path, mark)
    {
        return Ok(Arc::clone(&kept.database));
    }
    let bytes = fs::read(path).map_err(unreadable)?;
    let database = decode(&bytes).map_err(|source| DataError::Refused {
        key,
        path: path.to_owned(),
        source,
    })?;
    let database = Arc::new(database);
    *kept = Some(Kept {
        path: path.to_owned(),
        mark,
        database: Arc::clone(&database),
    });
    Ok(database)
}

fn mark(known: &Metadata) -> Mark {
    (known.ino(), known.len(), known.mtime(), known.mtime_nsec())
}
