//! Messages as JSON, printed as Envoy's admin does.

use nuncio_proto::json::{Options, print};
use nuncio_proto::{Message, Name, reflect};

/// Prints a typed message; `always_print` shows fields with their default value too.
pub(crate) fn typed<T: Message + Name>(message: &T, always_print: bool) -> String {
    encoded(&T::full_name(), &message.encode_to_vec(), always_print)
}

/// Prints an encoded message, redacted; `{}` for one that the tables do not have.
pub(crate) fn encoded(name: &str, bytes: &[u8], always_print: bool) -> String {
    let options = Options {
        redact: true,
        always_print,
        compact: false,
    };
    let mut text = match reflect::message(name) {
        Some(message) => print(bytes, message, &options),
        None => "{}".to_owned(),
    };
    text.push('\n');
    text
}
