//! Format strings: parsed once, written many times.

mod client_cert_value;
mod command;
mod connection_fields;
mod durations;
mod error;
pub(crate) mod grpc_status;
mod json;
mod json_formatter;
mod json_parse;
mod local_time;
mod metadata_fields;
mod moment;
mod number;
mod operator;
mod parse;
mod query_string;
mod request_fields;
mod stream_fields;
mod text_formatter;
mod time_format;
mod tls_fields;

#[cfg(test)]
mod refusal_tests;
#[cfg(test)]
mod tests;

use crate::format_cx::FormatCx;
use json_formatter::JsonFormatter;
use nuncio_base::metadata::Value;
use text_formatter::TextFormatter;

pub use error::FormatError;

/// The format of access logs that name none.
pub const DEFAULT_FORMAT: &str = "[%START_TIME%] \"%REQ(:METHOD)% \
    %REQ(X-ENVOY-ORIGINAL-PATH?:PATH)% %PROTOCOL%\" %RESPONSE_CODE% %RESPONSE_FLAGS% \
    %BYTES_RECEIVED% %BYTES_SENT% %DURATION% %RESP(X-ENVOY-UPSTREAM-SERVICE-TIME)% \
    \"%REQ(X-FORWARDED-FOR)%\" \"%REQ(USER-AGENT)%\" \"%REQ(X-REQUEST-ID)%\" \
    \"%REQ(:AUTHORITY)%\" \"%UPSTREAM_HOST%\"\n";

/// How a format string is read.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct FormatOptions {
    /// A value that isn't there becomes nothing instead of `-`; in JSON its field is left out.
    pub omit_empty_values: bool,
    /// Whether `REQ_WITHOUT_QUERY` is known (the extension `envoy.formatter.req_without_query`).
    pub req_without_query: bool,
}

/// A compiled format: text or JSON.
#[derive(Debug)]
pub struct Formatter(Kind);

#[derive(Debug)]
enum Kind {
    Text(TextFormatter),
    Json(JsonFormatter),
}

impl Formatter {
    /// Compiles a text format in which absent values become `-`.
    ///
    /// # Errors
    /// As [`with_options`](Self::with_options).
    pub fn parse(format: &str) -> Result<Self, FormatError> {
        Self::with_options(format, FormatOptions::default())
    }

    /// Compiles a text format.
    ///
    /// # Errors
    /// An operator that does not exist or is used wrongly, in Envoy's words.
    pub fn with_options(format: &str, options: FormatOptions) -> Result<Self, FormatError> {
        TextFormatter::parse(format, options).map(|text| Self(Kind::Text(text)))
    }

    /// Compiles a JSON format: a struct whose texts are format strings. Each line ends with a
    /// newline.
    ///
    /// # Errors
    /// As [`with_options`](Self::with_options); also when `format` is no struct.
    pub fn json(format: &Value, options: FormatOptions) -> Result<Self, FormatError> {
        JsonFormatter::new(format, options).map(|json| Self(Kind::Json(json)))
    }

    /// The format of access logs that name none.
    pub fn access_log_default() -> Self {
        Self::parse(DEFAULT_FORMAT).expect("a test parses the default format")
    }

    /// Appends what the format makes of the facts.
    pub fn append(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) {
        match &self.0 {
            Kind::Text(text) => text.append(cx, out),
            Kind::Json(json) => json.append(cx, out),
        }
    }

    /// The text if the format has no operator: the same for every stream.
    pub fn constant(&self) -> Option<&[u8]> {
        match &self.0 {
            Kind::Text(text) => text.constant(),
            Kind::Json(_) => None,
        }
    }
}
