//! What a connection to a host notes of the heads that pass: their bytes, and whether it will end.

use nuncio_base::{Buffer, HeaderMap, names};

/// The bytes of a request's header fields, which begin at `start` of `out`; as Envoy counts them,
/// without the first and the last line of the head.
pub(super) fn fields_sent(out: &Buffer, start: usize) -> u64 {
    let bytes = out.slices().flat_map(|slice| slice.iter()).skip(start);
    let line = bytes.take_while(|byte| **byte != b'\n').count() + 1;
    (out.len() - start).saturating_sub(line + 2) as u64
}

/// The bytes of a response's header fields as Envoy counts them: with a colon and the end of the
/// line, which it counts where there is no field too.
pub(super) fn fields_received(headers: &HeaderMap) -> u64 {
    let status = headers.get(names::STATUS);
    let status = status.map_or(0, |value| ":status".len() + value.len());
    let fields = headers.len().saturating_sub(1).max(1);
    (headers.byte_size().saturating_sub(status) + 3 * fields) as u64
}

/// Whether a response announces the end of its connection by a header.
pub(super) fn asks_to_close(headers: &HeaderMap) -> bool {
    let asks = |value: Option<&[u8]>| {
        value.is_some_and(|value| {
            value
                .split(|byte| *byte == b',')
                .any(|token| token.trim_ascii().eq_ignore_ascii_case(b"close"))
        })
    };
    asks(headers.get(names::CONNECTION)) || asks(headers.get(names::PROXY_CONNECTION))
}
