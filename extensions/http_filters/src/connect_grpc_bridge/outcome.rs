//! How a call ended: gRPC's status, in Connect's words.

use super::wire;
use nuncio_base::{HeaderMap, base64, names};
use serde_json::{Map, Value, json};

/// gRPC's codes, as Connect calls them, with the HTTP status of each.
const CODES: [(&str, u16); 17] = [
    ("ok", 200),
    ("canceled", 408),
    ("unknown", 500),
    ("invalid_argument", 400),
    ("deadline_exceeded", 408),
    ("not_found", 404),
    ("already_exists", 409),
    ("permission_denied", 403),
    ("resource_exhausted", 429),
    ("failed_precondition", 412),
    ("aborted", 409),
    ("out_of_range", 400),
    ("unimplemented", 404),
    ("internal", 500),
    ("unavailable", 503),
    ("data_loss", 500),
    ("unauthenticated", 401),
];

/// What Envoy makes of any other.
const NO_CODE: (&str, u16) = ("code_-1", 500);

const DETAILS: &str = "grpc-status-details-bin";

/// An error.
pub(super) struct Failure {
    /// The HTTP status of a call of one message.
    pub status: u16,
    /// What the client is told.
    pub error: Value,
}

/// Takes the outcome out of trailers, or of the headers of a response that has nothing else.
pub(super) fn take(fields: &mut HeaderMap) -> Option<Failure> {
    let code = fields.get_str(names::GRPC_STATUS);
    let code = code.map(|code| code.parse().ok().and_then(|code: usize| CODES.get(code)));
    let failure = code.filter(|code| *code != Some(&CODES[0])).map(|code| {
        let (code, status) = *code.unwrap_or(&NO_CODE);
        let mut error = json!({"code": code});
        if let Some(message) = fields.get(names::GRPC_MESSAGE) {
            error["message"] = String::from_utf8_lossy(message).into();
        }
        let details = fields.get(DETAILS).and_then(base64::decode);
        let details = details
            .map(|bytes| wire::details(&bytes))
            .unwrap_or_default();
        if !details.is_empty() {
            let shown = details
                .into_iter()
                .map(|(kind, value)| json!({"type": kind, "value": base64::encode(&value)}));
            error["details"] = shown.collect();
        }
        Failure { status, error }
    });
    fields.remove(names::GRPC_STATUS);
    fields.remove(names::GRPC_MESSAGE);
    fields.remove(DETAILS);
    failure
}

/// The last message of a stream, framed: how it ended, and what trailers there were.
pub(super) fn end_of_stream(failure: Option<Failure>, trailers: &HeaderMap) -> Vec<u8> {
    let mut metadata = Map::new();
    for (name, value) in trailers.iter() {
        let [name, value] = [name, value].map(|bytes| String::from_utf8_lossy(bytes).into_owned());
        let values = metadata.entry(name).or_insert_with(|| json!([]));
        if let Some(values) = values.as_array_mut() {
            values.push(value.into());
        }
    }
    let mut end = Map::new();
    if let Some(failure) = failure {
        end.insert("error".to_owned(), failure.error);
    }
    if !metadata.is_empty() {
        end.insert("metadata".to_owned(), metadata.into());
    }
    let text = Value::from(end).to_string();
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    [&[END_OF_STREAM][..], &length.to_be_bytes(), text.as_bytes()].concat()
}

/// Marks the frame of a stream's last message.
const END_OF_STREAM: u8 = 2;
