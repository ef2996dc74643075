//! What the compressor and the decompressor both ask of a message.

use nuncio_base::HeaderMap;

/// Whether a message's `cache-control` says that its body stays as it is (RFC 9111, section
/// 5.2.2.6).
pub(crate) fn forbids_transform(headers: &HeaderMap) -> bool {
    let control = headers.get_str("cache-control");
    control.is_some_and(|control| {
        let mut tokens = control.split(',').map(str::trim);
        tokens.any(|one| one.eq_ignore_ascii_case("no-transform"))
    })
}
