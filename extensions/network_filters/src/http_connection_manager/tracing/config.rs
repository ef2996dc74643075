//! `HttpConnectionManager.tracing`. There are no tracers: whoever names one is refused. Without
//! one, spans, their names and their tags go nowhere in Envoy too; what remains is which requests
//! count as traced.

use nuncio_base::runtime_flags::Fraction;
use nuncio_config::format::text_format;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::conn_manager::TracingSettings;
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::request_id::uuid::v3::UuidRequestIdConfig;
use nuncio_proto::envoy::r#type::v3::Percent;
use proto::http_connection_manager::Tracing;

/// Converts it.
///
/// # Errors
/// A provider; formats that are none.
pub fn settings(
    cx: &mut ParseCx,
    proto: &proto::HttpConnectionManager,
    egress: bool,
) -> Parsed<Option<TracingSettings>> {
    let by_request_id = samples_by_request_id(proto);
    cx.optional("tracing", proto.tracing.clone(), |cx, proto| {
        let Tracing {
            client_sampling,
            random_sampling,
            overall_sampling,
            // For spans.
            verbose: _,
            max_path_tag_length: _,
            custom_tags: _,
            provider,
            spawn_upstream_span: _,
            operation,
            upstream_operation,
            no_context_propagation: _,
        } = proto;
        cx.refuse("provider", provider.is_some())?;
        for (field, text) in [
            ("operation", operation),
            ("upstream_operation", upstream_operation),
        ] {
            cx.field(field, |cx| text_format(cx, &text, true))?;
        }
        Ok(TracingSettings {
            client_sampling: whole(client_sampling),
            random_sampling: Fraction {
                numerator: of_ten_thousand(random_sampling),
                denominator: 10_000,
            },
            overall_sampling: Fraction {
                numerator: of_ten_thousand(overall_sampling),
                denominator: 10_000,
            },
            egress,
            by_request_id,
        })
    })
}

fn samples_by_request_id(proto: &proto::HttpConnectionManager) -> bool {
    let extension = proto.request_id_extension.as_ref();
    let config = extension.and_then(|extension| extension.typed_config.as_ref());
    // What cannot be read is said where the ids themselves are converted.
    let config: Option<UuidRequestIdConfig> =
        config.and_then(|any| nuncio_proto::any::unpack(any).ok());
    let sampling = config.and_then(|config| config.use_request_id_for_trace_sampling);
    sampling.is_none_or(|value| value.value)
}

/// Whole percents, as Envoy takes the share of clients.
fn whole(percent: Option<Percent>) -> Fraction {
    Fraction {
        numerator: percent.map_or(100, |percent| percent.value as u32),
        denominator: 100,
    }
}

fn of_ten_thousand(percent: Option<Percent>) -> u32 {
    percent.map_or(10_000, |percent| (percent.value * 100.0).round() as u32)
}
