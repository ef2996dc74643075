//! All files that logs are written to: one per path, whoever asks for it.

use super::file::{AccessLogFile, stat_groups};
use nuncio_stats::{Group, Store};
use std::collections::HashMap;
use std::fs::{File, OpenOptions};
use std::io;
use std::os::unix::fs::OpenOptionsExt;
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, Instant};

/// Where a log goes.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub enum Destination {
    /// A file, appended to and made if it isn't there.
    Path(PathBuf),
    /// Standard output.
    Stdout,
    /// Standard error.
    Stderr,
}

/// An open destination.
pub(super) enum Output {
    File(File),
    Stdout,
    Stderr,
}

impl Destination {
    /// Opens it. What went wrong is told as Envoy does.
    pub(super) fn open(&self) -> Result<Output, String> {
        let path = match self {
            Self::Stdout => return Ok(Output::Stdout),
            Self::Stderr => return Ok(Output::Stderr),
            Self::Path(path) => path,
        };
        let file = OpenOptions::new()
            .append(true)
            .create(true)
            .mode(0o644)
            .open(path);
        file.map(Output::File).map_err(|error| {
            format!(
                "unable to open file '{}': {}",
                path.display(),
                reason(&error)
            )
        })
    }
}

/// The system's words for an error, without its number.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match (error.raw_os_error(), text.rfind(" (os error ")) {
        (Some(_), Some(at)) => text[..at].to_owned(),
        _ => text,
    }
}

/// When buffered lines are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct FlushSettings {
    /// At this many bytes (`--file-flush-min-size-kb`).
    pub min_size: usize,
    /// After this time (`--file-flush-interval-msec`).
    pub interval: Duration,
}

impl Default for FlushSettings {
    fn default() -> Self {
        Self {
            min_size: 64 * 1024,
            interval: Duration::from_secs(10),
        }
    }
}

nuncio_stats::stat_group! {
    /// What is written to files.
    pub struct FilesystemStats {
        counters {
            flushed_by_timer,
            reopen_failed,
            write_buffered,
            write_completed,
            write_failed,
        }
        gauges { write_total_buffered }
    }
}

/// Makes log files and keeps them (Envoy's `AccessLogManager`). One per process.
pub struct AccessLogManager {
    settings: FlushSettings,
    stats: Group<FilesystemStats>,
    files: Mutex<HashMap<Destination, Arc<AccessLogFile>>>,
}

impl AccessLogManager {
    /// A manager without files, whose stats are under `filesystem.`.
    pub fn new(settings: FlushSettings, store: &Store) -> Arc<Self> {
        Arc::new(Self {
            settings,
            stats: stat_groups(store),
            files: Mutex::default(),
        })
    }

    /// The file of a destination, opened now if nobody asked for it before.
    ///
    /// # Errors
    /// When it can't be opened, in Envoy's words.
    pub fn file(&self, destination: &Destination) -> Result<Arc<AccessLogFile>, String> {
        let mut files = self.files();
        if let Some(file) = files.get(destination) {
            return Ok(Arc::clone(file));
        }
        let file = AccessLogFile::open(destination, self.settings, self.stats.clone())?;
        files.insert(destination.clone(), Arc::clone(&file));
        Ok(file)
    }

    /// Opens all files anew, after what is buffered was written: for log rotation (SIGUSR1,
    /// `/reopen_logs`). Does not wait for it.
    pub fn reopen(&self) {
        self.files().values().for_each(|file| file.reopen());
    }

    /// Writes what is buffered and ends the threads; call it once the workers have ended. Gives
    /// up after `patience`, since a destination can block for ever; whether all was written.
    pub fn shutdown(&self, patience: Duration) -> bool {
        let deadline: Instant = nuncio_base::time::monotonic() + patience;
        let files: Vec<_> = self.files().drain().map(|(_, file)| file).collect();
        files.iter().for_each(|file| file.begin_shutdown());
        let mut done = true;
        for file in &files {
            done &= file.wait_for_end(deadline);
        }
        done
    }

    fn files(&self) -> std::sync::MutexGuard<'_, HashMap<Destination, Arc<AccessLogFile>>> {
        self.files.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for AccessLogManager {
    fn drop(&mut self) {
        self.files().values().for_each(|file| file.begin_shutdown());
    }
}
