//! `envoy.config.core.v3.SubstitutionFormatString`: text and JSON formats.

use crate::common::{data_source, structure};
use crate::unknown_extension::{is_envoys, unknown_extension};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_observe::Formatter;
use nuncio_observe::formatter::FormatOptions;
use nuncio_proto::envoy::config::core::v3::substitution_format_string::Format;
use nuncio_proto::envoy::config::core::v3::{SubstitutionFormatString, TypedExtensionConfig};

/// A format with the content type that goes with it.
pub struct ContentFormat {
    /// The format.
    pub formatter: Formatter,
    /// The content type: as config has it, else by the kind of format.
    pub content_type: String,
}

/// The format that a message describes.
///
/// # Errors
/// Operators that do not exist; extensions of the format that are not built.
pub fn substitution_format(
    cx: &mut ParseCx,
    proto: SubstitutionFormatString,
) -> Parsed<ContentFormat> {
    let SubstitutionFormatString {
        omit_empty_values,
        content_type,
        formatters,
        // JSON is always written with its properties sorted, as Envoy 1.40 does.
        json_format_options: _,
        format,
    } = proto;
    let options = FormatOptions {
        omit_empty_values,
        req_without_query: has_req_without_query(cx, formatters)?,
    };
    let (formatter, default_type) = match format {
        Some(Format::TextFormat(text)) => {
            let parsed = Formatter::with_options(&text, options);
            (
                parsed.map_err(|error| cx.error_at("text_format", error.to_string()))?,
                "text/plain",
            )
        }
        Some(Format::TextFormatSource(source)) => cx.field("text_format_source", |cx| {
            let text = data_source(cx, source)?;
            let text = String::from_utf8_lossy(&text);
            let parsed = Formatter::with_options(&text, options);
            Ok((
                parsed.map_err(|error| cx.error(error.to_string()))?,
                "text/plain",
            ))
        })?,
        Some(Format::JsonFormat(fields)) => {
            let parsed = Formatter::json(&structure(fields), options);
            (
                parsed.map_err(|error| cx.error_at("json_format", error.to_string()))?,
                "application/json",
            )
        }
        None => return Err(cx.error("field: 'format', reason: is required")),
    };
    let content_type = match content_type.as_str() {
        "" => default_type.to_owned(),
        _ => content_type,
    };
    Ok(ContentFormat {
        formatter,
        content_type,
    })
}

/// Looks through the extensions of a format: whether `REQ_WITHOUT_QUERY` is among them. That of
/// `METADATA` adds nothing: the command is built in.
fn has_req_without_query(cx: &mut ParseCx, formatters: Vec<TypedExtensionConfig>) -> Parsed<bool> {
    let found = cx.list("formatters", formatters, |cx, formatter| {
        let config = formatter.typed_config.unwrap_or_default();
        match nuncio_proto::any::type_name(&config) {
            "envoy.extensions.formatter.req_without_query.v3.ReqWithoutQuery" => Ok(true),
            "envoy.extensions.formatter.metadata.v3.Metadata" => Ok(false),
            name if is_envoys(name) => Err(unknown_extension(cx, &formatter.name, &config)),
            _ => Err(cx.error(format!("Formatter not found: {}", formatter.name))),
        }
    });
    Ok(found?.contains(&true))
}

/// A format string of a field in which absent values become nothing, or `-`.
///
/// # Errors
/// Operators that do not exist.
pub fn text_format(cx: &mut ParseCx, text: &str, omit_empty_values: bool) -> Parsed<Formatter> {
    let options = FormatOptions {
        omit_empty_values,
        ..FormatOptions::default()
    };
    Formatter::with_options(text, options).map_err(|error| cx.error(error.to_string()))
}
