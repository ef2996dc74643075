//! `StdoutAccessLog` and `StderrAccessLog` to the file logger's spec.

use crate::access_loggers::file::{FileLogSpec, spec};
use nuncio_config::format::substitution_format;
use nuncio_extension::{AccessLoggerExtension, ParseCx, Parsed};
use nuncio_observe::access_log::Destination;
use nuncio_observe::{AccessLoggerSpec, Formatter};
use nuncio_proto::envoy::config::core::v3::SubstitutionFormatString;
use nuncio_proto::envoy::extensions::access_loggers::stream::v3::{
    StderrAccessLog, StdoutAccessLog, stderr_access_log, stdout_access_log,
};
use std::sync::Arc;

/// `envoy.access_loggers.stdout`
pub struct StdoutAccessLogger;

impl AccessLoggerExtension for StdoutAccessLogger {
    const NAME: &'static str = "envoy.access_loggers.stdout";
    type Proto = StdoutAccessLog;

    fn parse(&self, proto: StdoutAccessLog, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        use stdout_access_log::AccessLogFormat::LogFormat;
        let format = proto.access_log_format.map(|LogFormat(format)| format);
        stream(cx, &Destination::Stdout, format)
    }
}

/// `envoy.access_loggers.stderr`
pub struct StderrAccessLogger;

impl AccessLoggerExtension for StderrAccessLogger {
    const NAME: &'static str = "envoy.access_loggers.stderr";
    type Proto = StderrAccessLog;

    fn parse(&self, proto: StderrAccessLog, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        use stderr_access_log::AccessLogFormat::LogFormat;
        let format = proto.access_log_format.map(|LogFormat(format)| format);
        stream(cx, &Destination::Stderr, format)
    }
}

fn stream(
    cx: &mut ParseCx,
    destination: &Destination,
    format: Option<SubstitutionFormatString>,
) -> Parsed<Arc<dyn AccessLoggerSpec>> {
    let format = cx.optional("log_format", format, |cx, format| {
        substitution_format(cx, format).map(|format| format.formatter)
    })?;
    let format = format.unwrap_or_else(Formatter::access_log_default);
    let spec: FileLogSpec = spec(cx, destination, format)?;
    Ok(Arc::new(spec))
}
