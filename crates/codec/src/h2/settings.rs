//! What is configured about HTTP/2: Envoy's `Http2ProtocolOptions` and what goes with it.

use super::keep_alive::KeepAlive;
use crate::h1::UnderscoresAction;

/// Settings of a connection's codec, shared by all connections of a listener or cluster.
#[derive(Clone, Debug, PartialEq)]
pub struct H2Settings {
    /// `max_concurrent_streams`: how many the peer may have open; for a client, how many of its own
    /// it opens at most.
    pub max_concurrent_streams: u32,
    /// `initial_stream_window_size`, in bytes.
    pub initial_stream_window: u32,
    /// `initial_connection_window_size`, in bytes.
    pub initial_connection_window: u32,
    /// `hpack_table_size`, in bytes, of both directions.
    pub hpack_table_size: u32,
    /// `enable_huffman_encoding`: texts may be written in HPACK's code.
    pub huffman: bool,
    /// `allow_connect`: extended CONNECT (RFC 8441).
    pub allow_connect: bool,
    /// `override_stream_error_on_invalid_http_message`: a malformed message resets its stream only.
    pub stream_error_on_invalid_message: bool,
    /// `max_outbound_frames`: how many may wait to be written.
    pub max_outbound_frames: u32,
    /// `max_outbound_control_frames`: how many PING, SETTINGS and RST_STREAM of them.
    pub max_outbound_control_frames: u32,
    /// `max_consecutive_inbound_frames_with_empty_payload`.
    pub max_consecutive_empty_frames: u32,
    /// `max_inbound_priority_frames_per_stream`.
    pub max_priority_frames_per_stream: u32,
    /// `max_inbound_window_update_frames_per_data_frame_sent`.
    pub max_window_updates_per_data_frame: u32,
    /// Bytes of a head or of trailers, in KiB: `max_request_headers_kb`, `max_response_headers_kb`.
    pub max_headers_kb: u32,
    /// Fields of a head, or of trailers (`max_headers_count`).
    pub max_headers_count: u32,
    /// `headers_with_underscores_action`.
    pub underscores: UnderscoresAction,
    /// `connection_keepalive`.
    pub keep_alive: Option<KeepAlive>,
    /// `custom_settings_parameters`: what the peer is told besides, by number.
    pub custom: Vec<(u16, u32)>,
}

impl Default for H2Settings {
    /// Envoy's defaults for the downstream side.
    fn default() -> Self {
        Self {
            max_concurrent_streams: 1024,
            initial_stream_window: 16 * 1024 * 1024,
            initial_connection_window: 24 * 1024 * 1024,
            hpack_table_size: 4096,
            huffman: true,
            allow_connect: false,
            stream_error_on_invalid_message: false,
            max_outbound_frames: 10_000,
            max_outbound_control_frames: 1000,
            max_consecutive_empty_frames: 1,
            max_priority_frames_per_stream: 100,
            max_window_updates_per_data_frame: 10,
            max_headers_kb: 60,
            max_headers_count: 100,
            underscores: UnderscoresAction::Allow,
            keep_alive: None,
            custom: Vec::new(),
        }
    }
}
