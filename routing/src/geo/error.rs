//! What can be wrong with a geo database that somebody brings.

use maxminddb::MaxMindDbError;

/// Why a geo database was refused. The file is at fault each time.
#[derive(Debug, thiserror::Error)]
pub enum GeoError {
    /// Not a MaxMind DB file, or a damaged one.
    #[error("geo database cannot be read as a MaxMind DB file: {0}")]
    FileMalformed(#[from] MaxMindDbError),
    /// A path through the search tree is longer than an address.
    #[error("geo database is damaged: its search tree is deeper than {bits} bits")]
    FileTreeTooDeep {
        /// Bits of an address of this family: 32 or 128.
        bits: u8,
    },
    /// Parts of the search tree are reached so often that walking it would take too long.
    #[error(
        "geo database is damaged: its search tree of {nodes} nodes unfolds to more than {limit} networks"
    )]
    FileTreeUnfolds {
        /// Nodes in the file.
        nodes: u32,
        /// Networks that were allowed.
        limit: u64,
    },
    /// Well-formed, but no record names an autonomous system (a country or city database, for
    /// example).
    #[error(
        "database of type {database_type} names no autonomous system; bring one with autonomous_system_number, such as GeoLite2-ASN"
    )]
    FileWithoutAsns {
        /// What the file says it is.
        database_type: String,
    },
    /// Well-formed, but no record names a country (an AS number database, for example).
    #[error(
        "geo database of type {database_type} names no country; bring one with country.iso_code or country_code"
    )]
    FileWithoutCountries {
        /// What the file says it is.
        database_type: String,
    },
}
