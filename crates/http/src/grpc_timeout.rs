//! `grpc-timeout`: how long a gRPC client will wait (gRPC's `PROTOCOL-HTTP2.md`), and what becomes
//! of it where a route obeys it as the limit of the stream.

use nuncio_base::time::millis;
use nuncio_base::{HeaderMap, names};
use nuncio_route::action::MaxStreamDuration;
use std::time::Duration;

/// The largest number that a `grpc-timeout` may hold: eight digits.
const MAX_NUMBER: u64 = 99_999_999;

/// A `grpc-timeout`: up to eight digits and a unit.
pub fn parse(value: &[u8]) -> Option<Duration> {
    let (unit, digits) = value.split_last()?;
    if digits.is_empty() || digits.len() > 8 {
        return None;
    }
    let count: u64 = std::str::from_utf8(digits).ok()?.parse().ok()?;
    match unit {
        b'H' => Some(Duration::from_secs(count * 3600)),
        b'M' => Some(Duration::from_secs(count * 60)),
        b'S' => Some(Duration::from_secs(count)),
        b'm' => Some(Duration::from_millis(count)),
        b'u' => Some(Duration::from_micros(count)),
        b'n' => Some(Duration::from_nanos(count)),
        _ => None,
    }
}

/// Writes a `grpc-timeout` in the finest unit, from milliseconds on, whose number fits.
pub fn set(headers: &mut HeaderMap, limit: Duration) {
    let mut number = millis(limit);
    let mut unit = b'm';
    for (next, divisor) in [(b'S', 1000), (b'M', 60), (b'H', 60)] {
        if number <= MAX_NUMBER {
            break;
        }
        number /= divisor;
        unit = next;
    }
    let mut digits = itoa::Buffer::new();
    let text = digits.format(number.min(MAX_NUMBER)).as_bytes();
    headers.set(names::GRPC_TIMEOUT, &[text, &[unit]].concat());
}

/// How long a stream may last: by its `grpc-timeout` where the route obeys that, which upstream is
/// then told, else by the route, else by the connection manager.
pub(crate) fn stream_limit(
    of_route: Option<&MaxStreamDuration>,
    of_manager: Option<Duration>,
    headers: &mut HeaderMap,
) -> Option<Duration> {
    let asked = headers.get(names::GRPC_TIMEOUT).and_then(parse);
    let most = of_route.and_then(|route| route.grpc_timeout_header_max);
    let limit = match (asked, most, of_route) {
        (Some(asked), Some(most), Some(route)) => {
            let limit = if most.is_zero() {
                asked
            } else {
                asked.min(most)
            };
            let offset = route.grpc_timeout_header_offset.unwrap_or_default();
            // What is zero then is over at once, as in Envoy: no `filter` here.
            let limit = limit.saturating_sub(offset);
            set(headers, limit);
            return Some(limit);
        }
        (_, _, Some(route)) => route.max.or(of_manager),
        (_, _, None) => of_manager,
    };
    limit.filter(|limit| !limit.is_zero())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn timeouts_are_read() {
        for (text, expected) in [
            ("1S", Some(Duration::from_secs(1))),
            ("100m", Some(Duration::from_millis(100))),
            ("99999999H", Some(Duration::from_secs(99_999_999 * 3600))),
            ("999999999H", None),
            ("H", None),
            ("-1S", None),
            ("1", None),
            ("", None),
        ] {
            assert_eq!(parse(text.as_bytes()), expected, "{text}");
        }
    }

    #[test]
    fn timeouts_are_written() {
        for (limit, expected) in [
            (Duration::from_millis(200), "200m"),
            (Duration::from_secs(100_000), "100000S"),
            (Duration::from_secs(100_000_000 * 60), "1666666H"),
        ] {
            let mut headers = HeaderMap::new();
            set(&mut headers, limit);
            assert_eq!(headers.get_str(names::GRPC_TIMEOUT), Some(expected));
        }
    }

    #[test]
    fn a_stream_is_limited_by_the_most_specific() {
        let second = Duration::from_secs(1);
        let limits = |max, header_max| MaxStreamDuration {
            max,
            grpc_timeout_header_max: header_max,
            grpc_timeout_header_offset: None,
        };
        for (route, manager, header, expected) in [
            (None, None, "5S", None),
            (None, Some(second), "5S", Some(second)),
            (
                Some(limits(Some(second * 2), None)),
                Some(second),
                "5S",
                Some(second * 2),
            ),
            (
                Some(limits(Some(Duration::ZERO), None)),
                Some(second),
                "",
                None,
            ),
            (Some(limits(None, Some(second))), None, "5S", Some(second)),
            (
                Some(limits(None, Some(Duration::ZERO))),
                None,
                "5S",
                Some(second * 5),
            ),
            (
                Some(limits(None, Some(second))),
                Some(second * 3),
                "",
                Some(second * 3),
            ),
        ] {
            let mut headers = HeaderMap::from_iter([("grpc-timeout", header)]);
            let limit = stream_limit(route.as_ref(), manager, &mut headers);
            assert_eq!(limit, expected, "{route:?} {manager:?} {header}");
        }
    }
}
