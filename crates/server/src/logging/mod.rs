//! The application log: lines on stderr or in a file, in Envoy's format.
//!
//! `nuncio_base::log` is its front. A line is formatted by its thread and written in one piece
//! under a lock, as Envoy does.

mod local_time;
mod pattern;
#[cfg(test)]
mod tests;

use std::cell::RefCell;
use std::fmt::Write as _;
use std::fs::File;
use std::io::Write as _;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use nuncio_base::log::{self, Record, Sink, logger};
use nuncio_base::options::Options;
use nuncio_base::time::wall;

use local_time::LocalClock;
use pattern::{Line, Pattern, write_c_escaped};

/// `application_log_config.log_format` of the bootstrap.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum ApplicationLogFormat {
    /// `text_format`: a pattern.
    Text(String),
    /// `json_format`, printed as JSON on one line: a pattern whose quotes are JSON's.
    Json(String),
}

/// The application log of this process.
#[derive(Clone)]
pub struct ApplicationLog(Arc<Mutex<State>>);

struct State {
    pattern: Pattern,
    /// Whether `--log-format` chose the pattern, so that the bootstrap may not.
    chosen: bool,
    escaped: bool,
    output: Output,
    clock: LocalClock,
    last: Option<SystemTime>,
    buffer: String,
    escape_buffer: String,
    process: i32,
}

enum Output {
    Stderr,
    File {
        path: String,
        file: File,
    },
    #[cfg(test)]
    Memory(Arc<Mutex<Vec<u8>>>),
}

impl ApplicationLog {
    /// Sets the levels and starts logging as the command line asks. An error means that the log's
    /// file cannot be opened; lines then go to stderr.
    pub fn install(options: &Options) -> (Self, Result<(), String>) {
        set_levels(options);
        let log = Self(Arc::new(Mutex::new(State::new(options))));
        log::install(Box::new(log.clone()));
        for warning in &options.warnings {
            nuncio_base::log!(logger::CONFIG, log::Level::Warning, "{warning}");
        }
        let opened = match options.log_path.as_str() {
            "" => Ok(()),
            path => log.open(path),
        };
        (log, opened)
    }

    /// Applies the bootstrap's format.
    ///
    /// # Errors
    /// When the command line gave a format, or a JSON format uses what would break JSON.
    pub fn set_format(&self, format: &ApplicationLogFormat) -> Result<(), String> {
        let pattern = match format {
            ApplicationLogFormat::Text(text) => text,
            ApplicationLogFormat::Json(text) => {
                for flag in ["%v", "%_"] {
                    if text.contains(flag) {
                        return Err(format!(
                            "setJsonLogFormat error: INVALID_ARGUMENT: Usage of {flag} is \
                             unavailable for JSON log formats"
                        ));
                    }
                }
                text
            }
        };
        let mut state = self.state();
        if state.chosen {
            return Err(
                "Only one of ApplicationLogConfig.log_format or CLI option --log-format \
                        can be specified."
                    .into(),
            );
        }
        state.pattern = Pattern::parse(pattern);
        Ok(())
    }

    /// Opens the log's file again, after it was moved away.
    pub fn reopen(&self) {
        let path = match &self.state().output {
            Output::File { path, .. } => path.clone(),
            _ => return,
        };
        if let Err(error) = self.open(&path) {
            nuncio_base::log!(logger::MAIN, log::Level::Error, "{error}");
        }
    }

    fn open(&self, path: &str) -> Result<(), String> {
        let file = File::options().append(true).create(true).open(path);
        let file = file.map_err(|error| {
            format!(
                "Failed to open log-file '{path}'. e.what(): unable to open file '{path}': {}",
                system_text(&error)
            )
        })?;
        self.state().output = Output::File {
            path: path.to_owned(),
            file,
        };
        Ok(())
    }

    fn state(&self) -> std::sync::MutexGuard<'_, State> {
        // Nothing under the lock panics halfway through a change that matters.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn set_levels(options: &Options) {
    logger::set_all(options.log_level);
    for (logger, level) in &options.component_log_levels {
        logger.set_level(*level);
    }
}

/// The system's words for an error, without the number that Rust appends.
fn system_text(error: &std::io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((words, _)) => words.to_owned(),
        None => text,
    }
}

impl Sink for ApplicationLog {
    fn log(&self, record: &Record<'_>) {
        thread_local! {
            static MESSAGE: RefCell<String> = const { RefCell::new(String::new()) };
        }
        // The message is formatted before the lock is taken, since what it formats may itself log.
        let mut message = MESSAGE.take();
        message.clear();
        let _ = write!(message, "{}", record.message);
        self.state().write(record, &message, wall());
        MESSAGE.set(message);
    }
}

impl State {
    fn new(options: &Options) -> Self {
        let pattern = options.log_format.as_deref().unwrap_or(log::DEFAULT_FORMAT);
        Self {
            pattern: Pattern::parse(pattern),
            chosen: options.log_format.is_some(),
            escaped: options.log_format_escaped,
            output: Output::Stderr,
            clock: LocalClock::default(),
            last: None,
            buffer: String::new(),
            escape_buffer: String::new(),
            process: rustix::process::getpid().as_raw_nonzero().get(),
        }
    }

    fn write(&mut self, record: &Record<'_>, message: &str, now: SystemTime) {
        let last = self.last.replace(now).unwrap_or(now);
        let line = Line {
            record,
            message,
            time: &self.clock.at(now),
            thread: rustix::thread::gettid().as_raw_nonzero().get(),
            process: self.process,
            elapsed: now.duration_since(last).unwrap_or(Duration::ZERO),
        };
        self.buffer.clear();
        self.pattern.write(&mut self.buffer, &line);
        if self.escaped {
            self.escape_buffer.clear();
            write_c_escaped(&mut self.escape_buffer, &self.buffer);
            std::mem::swap(&mut self.buffer, &mut self.escape_buffer);
        }
        self.buffer.push('\n');
        // A log that cannot be written has nowhere to say so.
        let _ = match &mut self.output {
            Output::Stderr => std::io::stderr().write_all(self.buffer.as_bytes()),
            Output::File { file, .. } => file.write_all(self.buffer.as_bytes()),
            #[cfg(test)]
            Output::Memory(bytes) => {
                let mut bytes = bytes.lock().unwrap_or_else(PoisonError::into_inner);
                bytes.write_all(self.buffer.as_bytes())
            }
        };
    }
}
