//! `FileAccessLog` to [`FileLogSpec`].

use super::FileLogSpec;
use nuncio_config::common::structure;
use nuncio_config::format::substitution_format;
use nuncio_extension::{AccessLoggerExtension, ParseCx, Parsed};
use nuncio_observe::access_log::{AccessLogManager, Destination, FlushSettings};
use nuncio_observe::formatter::FormatOptions;
use nuncio_observe::{AccessLoggerSpec, Formatter};
use nuncio_proto::envoy::extensions::access_loggers::file::v3::FileAccessLog;
use nuncio_proto::envoy::extensions::access_loggers::file::v3::file_access_log::AccessLogFormat;
use std::sync::Arc;

/// `envoy.access_loggers.file`
pub struct FileAccessLogger;

impl AccessLoggerExtension for FileAccessLogger {
    const NAME: &'static str = "envoy.access_loggers.file";
    type Proto = FileAccessLog;

    fn parse(&self, proto: FileAccessLog, cx: &mut ParseCx) -> Parsed<Arc<dyn AccessLoggerSpec>> {
        let FileAccessLog {
            path,
            access_log_format,
        } = proto;
        let format = format(cx, access_log_format);
        let destination = Destination::Path(path.into());
        let spec = cx.field("path", |cx| spec(cx, &destination, format?));
        Ok(Arc::new(spec?))
    }
}

/// The spec of a file or standard stream, which is opened here if nobody has it open.
pub(in crate::access_loggers) fn spec(
    cx: &mut ParseCx,
    destination: &Destination,
    format: Formatter,
) -> Parsed<FileLogSpec> {
    let store = cx.env().store.clone();
    let manager = cx
        .env()
        .shared(|| AccessLogManager::new(FlushSettings::default(), &store));
    let file = manager
        .file(destination)
        .map_err(|message| cx.error(message))?;
    Ok(FileLogSpec {
        file,
        format: Arc::new(format),
    })
}

#[expect(deprecated, reason = "the old fields of formats are still in use")]
fn format(cx: &mut ParseCx, format: Option<AccessLogFormat>) -> Parsed<Formatter> {
    let typed = FormatOptions::default();
    match format {
        None => Ok(Formatter::access_log_default()),
        Some(AccessLogFormat::LogFormat(format)) => {
            let format = cx.field("log_format", |cx| substitution_format(cx, format))?;
            Ok(format.formatter)
        }
        Some(AccessLogFormat::Format(text)) if text.is_empty() => {
            Ok(Formatter::access_log_default())
        }
        Some(AccessLogFormat::Format(text)) => {
            let format = Formatter::parse(&text);
            format.map_err(|error| cx.error_at("format", error.to_string()))
        }
        // Values keep their types in both: the older form lost its difference.
        Some(AccessLogFormat::JsonFormat(fields)) => {
            let format = Formatter::json(&structure(fields), typed);
            format.map_err(|error| cx.error_at("json_format", error.to_string()))
        }
        Some(AccessLogFormat::TypedJsonFormat(fields)) => {
            let format = Formatter::json(&structure(fields), typed);
            format.map_err(|error| cx.error_at("typed_json_format", error.to_string()))
        }
    }
}
