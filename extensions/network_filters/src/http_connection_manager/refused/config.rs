//! Fields of `HttpConnectionManager` that are refused.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use proto::http_connection_manager::StripPortMode;

/// Refuses what isn't built, by its name, and what Envoy refuses, in its words.
///
/// # Errors
/// When there is any.
pub fn refused(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<()> {
    let built = refuse_not_built(cx, proto);
    let consistent = refuse_contradictions(cx, proto);
    built.and(consistent)
}

fn refuse_contradictions(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<()> {
    let of_responses = proto
        .common_http_protocol_options
        .is_some_and(|options| options.max_response_headers_kb.is_some());
    if of_responses {
        let message = "Error: max_response_headers_kb cannot be set on http_connection_manager.";
        return Err(cx.error_at("common_http_protocol_options", message));
    }
    let any_port = proto.strip_port_mode == Some(StripPortMode::StripAnyHostPort(true));
    if any_port && proto.strip_matching_host_port {
        let message = "Error: Only one of `strip_matching_host_port` or `strip_any_host_port` can \
                       be set.";
        return Err(cx.error_at("strip_matching_host_port", message));
    }
    Ok(())
}

fn refuse_not_built(cx: &mut ParseCx, proto: &proto::HttpConnectionManager) -> Parsed<()> {
    let checks = [
        (
            "http3_protocol_options",
            proto.http3_protocol_options.is_some(),
        ),
        (
            "forward_client_cert_matcher",
            proto.forward_client_cert_matcher.is_some(),
        ),
        (
            "represent_ipv4_remote_address_as_ipv4_mapped_ipv6",
            proto.represent_ipv4_remote_address_as_ipv4_mapped_ipv6,
        ),
        (
            "path_normalization_options",
            proto.path_normalization_options.is_some(),
        ),
        (
            "typed_header_validation_config",
            proto.typed_header_validation_config.is_some(),
        ),
        (
            "add_proxy_protocol_connection_state",
            proto
                .add_proxy_protocol_connection_state
                .is_some_and(|value| !value.value),
        ),
    ];
    let mut result = Ok(());
    for (field, used) in checks {
        result = result.and(cx.refuse(field, used));
    }
    result
}
