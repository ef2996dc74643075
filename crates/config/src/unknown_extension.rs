//! Refusing an extension that is not here.

use nuncio_extension::{Invalid, ParseCx};
use nuncio_proto::google::protobuf::Any;

/// Records that no extension has this configuration, in Envoy's words; a hint says where Envoy
/// would have had one.
pub fn unknown_extension(cx: &mut ParseCx, name: &str, config: &Any) -> Invalid {
    let type_name = nuncio_proto::any::type_name(config);
    let message = format!(
        "Didn't find a registered implementation for '{name}' with type URL: '{type_name}'"
    );
    if is_envoys(type_name) {
        let hint = format!("Envoy has {type_name}, this build does not");
        return cx.error_with_hint(message, hint);
    }
    cx.error(message)
}

/// Whether Envoy has an extension with a configuration of this type.
pub fn is_envoys(type_name: &str) -> bool {
    type_name.starts_with("envoy.extensions.")
        && nuncio_proto::reflect::message(type_name).is_some()
}
