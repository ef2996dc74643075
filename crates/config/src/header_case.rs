//! The `preserve_case` header formatter
//! (`envoy.extensions.http.header_formatters.preserve_case.v3`).

use nuncio_base::header_case::OtherNames;
use nuncio_codec::h1::HeaderCase;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::http::header_formatters::preserve_case::v3::PreserveCaseFormatterConfig;
use nuncio_proto::envoy::extensions::http::header_formatters::preserve_case::v3::preserve_case_formatter_config::FormatterTypeOnEnvoyHeaders;

/// Converts the stateful formatter, of which there is this one.
///
/// # Errors
/// Recorded in `cx`.
pub fn preserve(cx: &mut ParseCx, extension: &TypedExtensionConfig) -> Parsed<HeaderCase> {
    cx.required(
        "typed_config",
        extension.typed_config.as_ref(),
        |cx, any| {
            let config: PreserveCaseFormatterConfig = cx.unpack(any)?;
            let others = match config.formatter_type_on_envoy_headers() {
                FormatterTypeOnEnvoyHeaders::Default => OtherNames::Lower,
                FormatterTypeOnEnvoyHeaders::ProperCase => OtherNames::Proper,
            };
            Ok(HeaderCase::Preserve {
                reason: config.forward_reason_phrase,
                others,
            })
        },
    )
}
