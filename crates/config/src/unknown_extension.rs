//! Refusing an extension that is not here.

use nuncio_extension::{Invalid, ParseCx};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::{ConfigError, ErrorKind, FieldPath};

/// Records that no extension has this configuration, in Envoy's words; a hint says where Envoy
/// would have had one.
pub fn unknown_extension(cx: &mut ParseCx, name: &str, config: &Any) -> Invalid {
    let type_name = nuncio_proto::any::type_name(config);
    let message = format!(
        "Didn't find a registered implementation for '{name}' with type URL: '{type_name}'"
    );
    if is_envoys(type_name) {
        return not_in_this_build(cx, message, type_name);
    }
    cx.error(message)
}

/// Records that something of Envoy's is not here, in the words Envoy has for what it does not know.
pub fn not_in_this_build(cx: &mut ParseCx, message: String, what: &str) -> Invalid {
    let hint = format!("Envoy has {what}, this build does not");
    let error = ConfigError::of(ErrorKind::NotBuilt, FieldPath::new(), message);
    cx.add(error.with_hint(hint))
}

/// Whether Envoy has an extension with a configuration of this type.
pub fn is_envoys(type_name: &str) -> bool {
    type_name.starts_with("envoy.") && nuncio_proto::reflect::message(type_name).is_some()
}
