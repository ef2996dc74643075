//! Where resources come from (`envoy.config.core.v3.ConfigSource`).

use std::path::PathBuf;
use std::sync::Arc;

/// Where resources come from.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum ConfigSource {
    /// A file.
    Path(Arc<PathSource>),
}

/// A file with a `DiscoveryResponse` (`path_config_source`).
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct PathSource {
    /// The file. It is read again when something is renamed to it.
    pub path: PathBuf,
    /// Where it is set, the file is read again when anything is renamed within this directory.
    pub watched_directory: Option<PathBuf>,
}
