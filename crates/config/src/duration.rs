//! `google.protobuf.Duration` and the wrappers around it.

use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::google::protobuf::Duration as Proto;
use std::time::Duration;

/// Longer than any process runs: what a larger duration is taken for.
const LONGEST_SECONDS: u64 = 1 << 32;

/// Converts a duration field; `None` where it is not set.
///
/// # Errors
/// Negative and malformed durations.
pub fn optional(
    cx: &mut ParseCx,
    field: &'static str,
    value: Option<Proto>,
) -> Parsed<Option<Duration>> {
    cx.optional(field, value, |cx, value| convert(cx, &value))
}

/// Converts a duration field where zero switches the limit off: `None` then. Not set: `default`.
///
/// # Errors
/// As [`optional`].
pub fn limit(
    cx: &mut ParseCx,
    field: &'static str,
    value: Option<Proto>,
    default: Option<Duration>,
) -> Parsed<Option<Duration>> {
    Ok(match optional(cx, field, value)? {
        None => default,
        Some(limit) => Some(limit).filter(|limit| !limit.is_zero()),
    })
}

/// A duration that is there; none is negative.
///
/// # Errors
/// Recorded in `cx`: a negative one, and parts of a second out of range.
pub fn convert(cx: &mut ParseCx, value: &Proto) -> Parsed<Duration> {
    match (u64::try_from(value.seconds), u32::try_from(value.nanos)) {
        (Ok(seconds), Ok(nanos)) if nanos < 1_000_000_000 => {
            Ok(Duration::new(seconds.min(LONGEST_SECONDS), nanos))
        }
        _ => Err(cx.error(format!(
            "Expected positive duration: seconds: {} nanos: {}",
            value.seconds, value.nanos
        ))),
    }
}
