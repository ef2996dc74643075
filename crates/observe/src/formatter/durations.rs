//! Commands about points in time and the spans between them.

use super::command::{Spec, Syntax};
use super::error::FormatError;
use super::number::write_i64;
use super::operator::{Operator, Rendered};
use super::time_format::TimeFormat;
use crate::format_cx::FormatCx;
use nuncio_stream_info::{StreamInfo, UpstreamInfo};
use std::time::Instant;

/// Points in the life of a stream.
#[derive(Clone, Copy, Debug)]
pub(super) enum Point {
    ConnectionStart,
    /// The end of a plain connection; those that carry HTTP outlive their streams.
    ConnectionEnd,
    Start,
    LastDownstreamRx,
    ConnectStart,
    ConnectEnd,
    FirstUpstreamTx,
    LastUpstreamTx,
    FirstUpstreamRx,
    FirstUpstreamRxBody,
    LastUpstreamRx,
    FirstDownstreamTx,
    LastDownstreamTx,
    /// The end, or now while there is none.
    EndOrNow,
    /// A point that nobody sets.
    Never,
}

impl Point {
    fn named(name: &str) -> Result<Self, FormatError> {
        Ok(match name {
            "DS_RX_HDR_END" => {
                return Err(FormatError::new(
                    "the time point DS_RX_HDR_END is not built",
                ));
            }
            "DS_CX_BEG" => Self::ConnectionStart,
            "DS_CX_END" => Self::ConnectionEnd,
            "DS_RX_BEG" => Self::Start,
            "DS_RX_END" => Self::LastDownstreamRx,
            "US_CX_BEG" => Self::ConnectStart,
            "US_CX_END" => Self::ConnectEnd,
            "US_TX_BEG" => Self::FirstUpstreamTx,
            "US_TX_END" => Self::LastUpstreamTx,
            "US_RX_BEG" => Self::FirstUpstreamRx,
            "US_RX_BODY_BEG" => Self::FirstUpstreamRxBody,
            "US_RX_END" => Self::LastUpstreamRx,
            "DS_TX_BEG" => Self::FirstDownstreamTx,
            "DS_TX_END" => Self::LastDownstreamTx,
            // Those of a TLS handshake, and points that filters would set by name.
            _ => Self::Never,
        })
    }

    fn of(self, info: &StreamInfo, now: Instant) -> Option<Instant> {
        let timings = &info.timings;
        let upstream =
            |point: fn(&UpstreamInfo) -> Option<Instant>| info.upstream.as_deref().and_then(point);
        match self {
            Self::ConnectionStart => Some(info.connection.start),
            Self::ConnectionEnd => timings.end.filter(|_| info.protocol.is_none()),
            Self::Start => Some(timings.start),
            Self::LastDownstreamRx => timings.last_downstream_rx,
            Self::ConnectStart => upstream(|info| info.connect_start),
            Self::ConnectEnd => upstream(|info| info.connect_end),
            Self::FirstUpstreamTx => timings.first_upstream_tx,
            Self::LastUpstreamTx => timings.last_upstream_tx,
            Self::FirstUpstreamRx => timings.first_upstream_rx,
            Self::FirstUpstreamRxBody => timings.first_upstream_rx_body,
            Self::LastUpstreamRx => timings.last_upstream_rx,
            Self::FirstDownstreamTx => timings.first_downstream_tx,
            Self::LastDownstreamTx => timings.last_downstream_tx,
            Self::EndOrNow => Some(timings.end.unwrap_or(now)),
            Self::Never => None,
        }
    }
}

/// A span of time, in `unit` nanoseconds.
#[derive(Clone, Copy, Debug)]
pub(super) struct DurationField {
    from: Point,
    to: Point,
    unit: i64,
}

const MILLISECOND: i64 = 1_000_000;

/// Which clock time is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum Moment {
    Start,
    Emit,
}

/// A clock time and its format.
#[derive(Debug)]
pub(super) struct TimeField {
    moment: Moment,
    format: TimeFormat,
}

pub(super) fn find(name: &str) -> Option<Spec> {
    let span = |from, to| {
        let unit = MILLISECOND;
        Spec::fixed(Operator::Duration(DurationField { from, to, unit }))
    };
    Some(match name {
        "DURATION" => span(Point::Start, Point::EndOrNow),
        "REQUEST_DURATION" => span(Point::Start, Point::LastDownstreamRx),
        "REQUEST_TX_DURATION" => span(Point::Start, Point::LastUpstreamTx),
        "RESPONSE_DURATION" => span(Point::Start, Point::FirstUpstreamRx),
        "RESPONSE_TX_DURATION" => span(Point::FirstUpstreamRx, Point::LastDownstreamTx),
        "ROUNDTRIP_DURATION" | "DOWNSTREAM_HANDSHAKE_DURATION" => {
            // The last acknowledgement is known of QUIC only, a handshake of TLS only.
            Spec::fixed(Operator::Absent)
        }
        "COMMON_DURATION" => Spec::with(Syntax::Required, |_, params| common_duration(params)),
        "START_TIME" | "START_TIME_LOCAL" => Spec::with(Syntax::Optional, |name, params| {
            time(Moment::Start, name, params)
        }),
        "EMIT_TIME" | "EMIT_TIME_LOCAL" => Spec::with(Syntax::Optional, |name, params| {
            time(Moment::Emit, name, params)
        }),
        _ => return None,
    })
}

fn common_duration(params: &str) -> Result<Operator, FormatError> {
    let parts: Vec<_> = params.split(':').collect();
    let (from, to, precision) = match parts[..] {
        [from, to] => (from, to, "ms"),
        [from, to, precision] => (from, to, precision),
        _ => {
            return Err(FormatError::new(format!(
                "Invalid common duration configuration: {params}."
            )));
        }
    };
    let unit = match precision {
        "ms" => MILLISECOND,
        "us" => 1_000,
        "ns" => 1,
        _ => {
            return Err(FormatError::new(format!(
                "Invalid common duration precision: {precision}."
            )));
        }
    };
    Ok(Operator::Duration(DurationField {
        from: Point::named(from)?,
        to: Point::named(to)?,
        unit,
    }))
}

fn time(moment: Moment, name: &str, params: &str) -> Result<Operator, FormatError> {
    let format = TimeFormat::parse(params, name.ends_with("_LOCAL"))?;
    Ok(Operator::Time(TimeField { moment, format }))
}

impl DurationField {
    pub(super) fn write(self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        let from = self.from.of(cx.info, cx.now);
        let (Some(from), Some(to)) = (from, self.to.of(cx.info, cx.now)) else {
            return Rendered::Absent;
        };
        let nanos = |span: std::time::Duration| i64::try_from(span.as_nanos()).unwrap_or(i64::MAX);
        // Half-closed streams can end in the other order: the span is negative then.
        let span = match to.checked_duration_since(from) {
            Some(span) => nanos(span),
            None => -nanos(from.duration_since(to)),
        };
        let span = span / self.unit;
        write_i64(out, span);
        Rendered::Number(span as f64)
    }
}

impl TimeField {
    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        let time = match self.moment {
            Moment::Start => cx.info.timings.start_time,
            Moment::Emit => cx.wall,
        };
        self.format.append(time, out);
        Rendered::Text
    }
}
