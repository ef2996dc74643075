//! Says what happened: the substitution formatter, which headers, bodies and access logs share,
//! and access logs with their filters.
//!
//! Format strings are compiled once, on the main thread; writing a line takes no allocation but
//! what the output needs. Envoy's pages: "Substitution Formatter", "Access logging".

pub mod access_log;
pub mod format_cx;
pub mod formatter;
pub mod log_type;

pub use access_log::{
    AccessLog, AccessLogManager, AccessLogSpec, AccessLogger, AccessLoggerSpec, LogFilter,
};
pub use format_cx::FormatCx;
pub use formatter::{FormatError, FormatOptions, Formatter};
pub use log_type::AccessLogType;

#[cfg(test)]
mod fixture;
