//! `%GRPC_STATUS%`: the status of a gRPC response, in words or as a number.

use super::error::FormatError;
use super::number::write_i64;
use super::operator::Rendered;
use crate::format_cx::FormatCx;
use nuncio_base::{HeaderMap, names};

/// How a status is printed.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Style {
    /// `NotFound`
    Camel,
    /// `NOT_FOUND`
    Snake,
    /// `5`
    Number,
}

impl Style {
    pub(super) fn parse(params: &str) -> Result<Self, FormatError> {
        match params {
            "" | "CAMEL_STRING" => Ok(Self::Camel),
            "SNAKE_STRING" => Ok(Self::Snake),
            "NUMBER" => Ok(Self::Number),
            other => Err(FormatError::new(format!(
                "GrpcStatusFormatter only supports CAMEL_STRING, SNAKE_STRING or NUMBER. Got: \
                 {other}"
            ))),
        }
    }
}

/// The names of the statuses 0 to 16 (gRPC's `statuscodes.md`), as Envoy spells them.
const NAMES: [(&str, &str); 17] = [
    ("OK", "OK"),
    ("Canceled", "CANCELLED"),
    ("Unknown", "UNKNOWN"),
    ("InvalidArgument", "INVALID_ARGUMENT"),
    ("DeadlineExceeded", "DEADLINE_EXCEEDED"),
    ("NotFound", "NOT_FOUND"),
    ("AlreadyExists", "ALREADY_EXISTS"),
    ("PermissionDenied", "PERMISSION_DENIED"),
    ("ResourceExhausted", "RESOURCE_EXHAUSTED"),
    ("FailedPrecondition", "FAILED_PRECONDITION"),
    ("Aborted", "ABORTED"),
    ("OutOfRange", "OUT_OF_RANGE"),
    ("Unimplemented", "UNIMPLEMENTED"),
    ("Internal", "INTERNAL"),
    ("Unavailable", "UNAVAILABLE"),
    ("DataLoss", "DATA_LOSS"),
    ("Unauthenticated", "UNAUTHENTICATED"),
];

/// Stands for a status that is no number.
const INVALID: i64 = -1;

pub(super) fn write(cx: &FormatCx<'_>, style: Style, out: &mut Vec<u8>) -> Rendered {
    if !cx.request_headers.is_some_and(is_grpc_request) {
        return Rendered::Absent;
    }
    let Some(status) = grpc_status(cx) else {
        return Rendered::Absent;
    };
    let name = usize::try_from(status).ok().and_then(|at| NAMES.get(at));
    match (style, name) {
        (Style::Camel, Some((camel, _))) => Rendered::text(out, camel),
        (Style::Snake, Some((_, snake))) => Rendered::text(out, snake),
        (Style::Number, _) => {
            write_i64(out, status);
            Rendered::Number(status as f64)
        }
        (_, None) => {
            write_i64(out, status);
            Rendered::Text
        }
    }
}

/// The status: from the trailers, else from the headers, else from the HTTP status.
pub(crate) fn grpc_status(cx: &FormatCx<'_>) -> Option<i64> {
    let said = |headers: Option<&HeaderMap>| {
        let status = headers?.get(names::GRPC_STATUS)?;
        (!status.is_empty()).then(|| parse_status(status))
    };
    said(cx.response_trailers)
        .or_else(|| said(cx.response_headers))
        .or_else(|| cx.info.response_code.map(of_http_status))
}

fn parse_status(status: &[u8]) -> i64 {
    let digits = std::str::from_utf8(status).ok();
    digits
        .and_then(|digits| digits.parse::<u64>().ok())
        .and_then(|status| i64::try_from(status).ok())
        .unwrap_or(INVALID)
}

/// As gRPC maps HTTP statuses (its `http-grpc-status-mapping.md`).
pub(crate) fn of_http_status(status: u16) -> i64 {
    match status {
        400 => 13,
        401 => 16,
        403 => 7,
        404 => 12,
        429 | 502 | 503 | 504 => 14,
        _ => 2,
    }
}

/// Whether the request's content type is `application/grpc`, perhaps with a suffix.
fn is_grpc_request(headers: &HeaderMap) -> bool {
    let content_type = headers.get(names::CONTENT_TYPE).unwrap_or_default();
    content_type
        .strip_prefix(b"application/grpc")
        .is_some_and(|rest| rest.first().is_none_or(|byte| *byte == b'+'))
}
