//! `envoy.config.core.v3.Http2ProtocolOptions`, for both sides.

// Envoy still reads its deprecated fields; so does this.
#![allow(deprecated)]

use crate::{duration, h1};
use nuncio_codec::h2::{H2Settings, KeepAlive};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::{Http2ProtocolOptions, KeepaliveSettings};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3::HttpConnectionManager;
use nuncio_proto::google::protobuf::UInt32Value;

/// Converts the options; `stream_errors`: what is said of malformed messages elsewhere.
///
/// # Errors
/// Recorded in `cx`.
pub fn settings(
    cx: &mut ParseCx,
    options: &Http2ProtocolOptions,
    stream_errors: Option<bool>,
) -> Parsed<H2Settings> {
    refuse_not_built(cx, options)?;
    let default = H2Settings::default();
    let overridden = options
        .override_stream_error_on_invalid_http_message
        .as_ref()
        .map(|value| value.value);
    let limit = |value: &Option<UInt32Value>, default| value.as_ref().map_or(default, |v| v.value);
    Ok(H2Settings {
        max_concurrent_streams: limit(
            &options.max_concurrent_streams,
            default.max_concurrent_streams,
        ),
        initial_stream_window: limit(
            &options.initial_stream_window_size,
            default.initial_stream_window,
        ),
        initial_connection_window: limit(
            &options.initial_connection_window_size,
            default.initial_connection_window,
        ),
        hpack_table_size: limit(&options.hpack_table_size, default.hpack_table_size),
        huffman: options
            .enable_huffman_encoding
            .is_none_or(|value| value.value),
        allow_connect: options.allow_connect,
        stream_error_on_invalid_message: overridden
            .or(stream_errors)
            .unwrap_or(options.stream_error_on_invalid_http_messaging),
        max_outbound_frames: limit(&options.max_outbound_frames, default.max_outbound_frames),
        max_outbound_control_frames: limit(
            &options.max_outbound_control_frames,
            default.max_outbound_control_frames,
        ),
        max_consecutive_empty_frames: limit(
            &options.max_consecutive_inbound_frames_with_empty_payload,
            default.max_consecutive_empty_frames,
        ),
        max_priority_frames_per_stream: limit(
            &options.max_inbound_priority_frames_per_stream,
            default.max_priority_frames_per_stream,
        ),
        max_window_updates_per_data_frame: limit(
            &options.max_inbound_window_update_frames_per_data_frame_sent,
            default.max_window_updates_per_data_frame,
        ),
        keep_alive: cx.field("connection_keepalive", |cx| {
            keep_alive(cx, options.connection_keepalive.as_ref())
        })?,
        custom: custom(cx, options)?,
        ..default
    })
}

/// What the peer is told besides. What has a field of its own may only be set there; where that is
/// not set its default counts, as in Envoy.
fn custom(cx: &mut ParseCx, options: &Http2ProtocolOptions) -> Parsed<Vec<(u16, u32)>> {
    const ENABLE_PUSH: u32 = 2;
    const MAX_FRAME_SIZE: u32 = 5;
    const CONNECT: u32 = 8;
    let named = [
        (1, options.hpack_table_size.is_some()),
        (3, options.max_concurrent_streams.is_some()),
        (4, options.initial_stream_window_size.is_some()),
        (CONNECT, true),
    ];
    let mut custom: Vec<(u16, u32)> = Vec::new();
    cx.list(
        "custom_settings_parameters",
        options.custom_settings_parameters.clone(),
        |cx, parameter| {
            let number = |value: &Option<UInt32Value>| value.as_ref().map_or(0, |v| v.value);
            let (name, value) = (number(&parameter.identifier), number(&parameter.value));
            let has_field = named.iter().find(|(own, _)| *own == name);
            if let Some((_, is_set)) = has_field {
                return match is_set {
                    true => Err(cx.error(format!(
                        "the {name} HTTP/2 SETTINGS parameter(s) can not be configured through \
                         both named and custom parameters"
                    ))),
                    false => Ok(()),
                };
            }
            if name == ENABLE_PUSH && value != 0 {
                return Err(cx.error(
                    "server push is not supported by Envoy and can not be enabled via a SETTINGS \
                     parameter.",
                ));
            }
            let is_longer = name == MAX_FRAME_SIZE && value != 16 * 1024;
            cx.refuse("identifier", is_longer)?;
            let name = u16::try_from(name).unwrap_or(u16::MAX);
            match custom.iter().find(|(known, _)| *known == name) {
                Some((_, other)) if *other != value => Err(cx.error(format!(
                    "inconsistent HTTP/2 custom SETTINGS parameter(s) detected; identifiers = \
                     {{0x{name:02x}}}"
                ))),
                Some(_) => Ok(()),
                None => {
                    custom.push((name, value));
                    Ok(())
                }
            }
        },
    )?;
    Ok(custom)
}

fn refuse_not_built(cx: &mut ParseCx, options: &Http2ProtocolOptions) -> Parsed<()> {
    for (field, used) in [
        ("allow_metadata", options.allow_metadata),
        ("max_metadata_size", options.max_metadata_size.is_some()),
        (
            "max_header_field_size_kb",
            options.max_header_field_size_kb.is_some(),
        ),
        (
            "disallow_obs_text",
            options.disallow_obs_text.is_some_and(|value| value.value),
        ),
        ("stream_reset_burst", options.stream_reset_burst.is_some()),
        ("stream_reset_rate", options.stream_reset_rate.is_some()),
    ] {
        cx.refuse(field, used)?;
    }
    Ok(())
}

fn keep_alive(cx: &mut ParseCx, proto: Option<&KeepaliveSettings>) -> Parsed<Option<KeepAlive>> {
    let Some(proto) = proto else {
        return Ok(None);
    };
    let timeout = cx.required("timeout", proto.timeout, |cx, timeout| {
        duration::convert(cx, &timeout)
    })?;
    let interval = duration::optional(cx, "interval", proto.interval)?;
    let idle_interval = proto.connection_idle_interval;
    let idle_interval = duration::optional(cx, "connection_idle_interval", idle_interval)?;
    Ok(Some(KeepAlive {
        interval,
        timeout,
        idle_interval: idle_interval.filter(|interval| !interval.is_zero()),
        jitter_percent: proto
            .interval_jitter
            .as_ref()
            .map_or(15, |jitter| jitter.value as u32),
    }))
}

/// Converts what a connection manager says of HTTP/2.
///
/// # Errors
/// Recorded in `cx`.
pub fn downstream(cx: &mut ParseCx, proto: &HttpConnectionManager) -> Parsed<H2Settings> {
    let options = proto.http2_protocol_options.clone().unwrap_or_default();
    let stream_errors = proto
        .stream_error_on_invalid_http_message
        .as_ref()
        .map(|value| value.value);
    let mut settings = cx.field("http2_protocol_options", |cx| {
        settings(cx, &options, stream_errors)
    })?;
    if let Some(limit) = &proto.max_request_headers_kb {
        settings.max_headers_kb = limit.value;
    }
    if let Some(common) = &proto.common_http_protocol_options {
        if let Some(limit) = &common.max_headers_count {
            settings.max_headers_count = limit.value;
        }
        settings.underscores = h1::underscores(common);
    }
    Ok(settings)
}
