//! `/runtime` and `/runtime_modify`: runtime's entries by layer, and overrides of them.

use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_proto::wire;

use crate::request::parameters;
use crate::{AdminResponse, Call, json};

const FORM: &str = "application/x-www-form-urlencoded";

const USAGE: &str = "usage: /runtime_modify?key1=value1&key2=value2&keyN=valueN\n       \
    or send the parameters as form values\n\
    use an empty value to remove a previously added override";

pub(crate) fn show(call: &Call<'_>) -> AdminResponse {
    let view = call.server.runtime();
    let mut out = Vec::new();
    field(&mut out, "entries", |out| {
        structure(out, |out| {
            for (key, texts) in &view.entries {
                let last = texts.iter().rev().find(|text| !text.is_empty());
                field(out, key, |out| {
                    structure(out, |out| {
                        field(out, "final_value", |out| {
                            text_value(out, last.map_or("", String::as_str));
                        });
                        field(out, "layer_values", |out| list(out, texts));
                    });
                });
            }
        });
    });
    field(&mut out, "layers", |out| list(out, &view.layers));
    AdminResponse::json(json::encoded("google.protobuf.Struct", &out, false))
}

pub(crate) fn modify(call: &Call<'_>) -> AdminResponse {
    let mut changes = call.parameters();
    if changes.is_empty() && call.request.content_type == FORM {
        changes = parameters(&String::from_utf8_lossy(call.request.body));
    }
    if changes.is_empty() {
        return AdminResponse::error(400, USAGE);
    }
    match call.server.modify_runtime(&changes) {
        Ok(()) => AdminResponse::ok(),
        Err(text) => {
            log!(logger::MISC, Level::Error, "{text}");
            AdminResponse::error(503, text)
        }
    }
}

// A `google.protobuf.Struct` is written by hand, so that its entries come sorted.

fn field(out: &mut Vec<u8>, name: &str, value: impl FnOnce(&mut Vec<u8>)) {
    let entry = wire::begin(out, 1);
    wire::put_bytes(out, 1, name.as_bytes());
    let start = wire::begin(out, 2);
    value(out);
    wire::end(out, start);
    wire::end(out, entry);
}

fn structure(out: &mut Vec<u8>, fields: impl FnOnce(&mut Vec<u8>)) {
    let start = wire::begin(out, 5);
    fields(out);
    wire::end(out, start);
}

fn list(out: &mut Vec<u8>, texts: &[String]) {
    let start = wire::begin(out, 6);
    for text in texts {
        let value = wire::begin(out, 1);
        text_value(out, text);
        wire::end(out, value);
    }
    wire::end(out, start);
}

fn text_value(out: &mut Vec<u8>, text: &str) {
    wire::put_bytes(out, 3, text.as_bytes());
}
