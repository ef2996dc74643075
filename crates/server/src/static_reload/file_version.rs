//! Tells whether the configuration file is another one than before.

use nuncio_base::options::Options;
use std::os::unix::fs::MetadataExt;

/// Which file it is, how long, and when it was written; none where there is no file.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct FileVersion(Option<(u64, u64, u64, i64, i64)>);

impl FileVersion {
    /// The file as it is now.
    pub fn of(options: &Options) -> Self {
        let file = std::fs::metadata(&options.config_path).ok();
        Self(file.map(|it| (it.dev(), it.ino(), it.size(), it.mtime(), it.mtime_nsec())))
    }
}
