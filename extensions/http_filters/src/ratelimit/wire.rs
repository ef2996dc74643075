//! What the service is asked and answers: `envoy.service.ratelimit.v3.RateLimitService`.

use nuncio_base::HeaderName;
use nuncio_base::metadata::Value;
use nuncio_config::common::structure;
use nuncio_proto::envoy::config::core::v3::HeaderValue;
use nuncio_proto::envoy::extensions::common::ratelimit::v3 as common;
use nuncio_proto::envoy::service::ratelimit::v3 as proto;
use nuncio_proto::google::protobuf::UInt64Value;
use nuncio_route::rate_limit::Descriptor;
use prost::Message;
use proto::rate_limit_response::rate_limit::Unit;
use proto::rate_limit_response::{Code, DescriptorStatus};

/// The method that is called.
pub(super) const SHOULD_RATE_LIMIT: &str =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// Headers, as the service gives them.
pub(super) type Headers = Vec<(HeaderName, Vec<u8>)>;

/// What the service says.
pub(super) enum Verdict {
    Ok(Answer),
    OverLimit(Answer),
    Error,
}

/// What comes with a verdict.
pub(super) struct Answer {
    pub request_headers: Headers,
    pub response_headers: Headers,
    pub body: Vec<u8>,
    pub metadata: Option<Value>,
    pub limit: Option<LimitTold>,
}

/// What responses tell of limits.
pub(super) struct LimitTold {
    /// `x-ratelimit-limit`
    pub limit: String,
    /// `x-ratelimit-remaining`
    pub remaining: u32,
    /// `x-ratelimit-reset`, in seconds.
    pub reset: i64,
}

/// The question.
pub(super) fn request(domain: &str, descriptors: Vec<Descriptor>) -> Vec<u8> {
    let entry = |(key, value)| common::rate_limit_descriptor::Entry { key, value };
    let descriptors = descriptors
        .into_iter()
        .map(|one| common::RateLimitDescriptor {
            entries: one.entries.into_iter().map(entry).collect(),
            limit: one
                .limit
                .map(|limit| common::rate_limit_descriptor::RateLimitOverride {
                    requests_per_unit: limit.requests_per_unit,
                    unit: limit.unit,
                }),
            hits_addend: one.hits_addend.map(|value| UInt64Value { value }),
            is_negative_hits: one.negative_hits,
        });
    let request = proto::RateLimitRequest {
        domain: domain.to_owned(),
        descriptors: descriptors.collect(),
        hits_addend: 0,
    };
    request.encode_to_vec()
}

/// The answer.
pub(super) fn verdict(bytes: &[u8]) -> Verdict {
    let Ok(response) = proto::RateLimitResponse::decode(bytes) else {
        return Verdict::Error;
    };
    let code = response.overall_code();
    let answer = Answer {
        limit: limit_told(&response.statuses),
        request_headers: headers(response.request_headers_to_add),
        response_headers: headers(response.response_headers_to_add),
        body: response.raw_body,
        metadata: response.dynamic_metadata.map(structure),
    };
    match code {
        Code::OverLimit => Verdict::OverLimit(answer),
        Code::Ok | Code::Unknown => Verdict::Ok(answer),
    }
}

fn headers(fields: Vec<HeaderValue>) -> Headers {
    let field = |field: HeaderValue| {
        let value = match field.value.is_empty() {
            true => field.raw_value,
            false => field.value.into_bytes(),
        };
        (HeaderName::new(&field.key), value)
    };
    fields.into_iter().map(field).collect()
}

/// Of the limit that is nearest, and of the windows of all.
fn limit_told(statuses: &[DescriptorStatus]) -> Option<LimitTold> {
    let limited = || {
        let limits = statuses.iter();
        limits.filter_map(|status| Some((status, status.current_limit.as_ref()?)))
    };
    let (nearest, limit) = limited().min_by_key(|(status, _)| status.limit_remaining)?;
    let mut text = limit.requests_per_unit.to_string();
    for (_, limit) in limited() {
        let window = seconds(limit.unit());
        if window == 0 {
            continue;
        }
        text.push_str(&format!(", {};w={window}", limit.requests_per_unit));
        if !limit.name.is_empty() {
            text.push_str(&format!(";name=\"{}\"", limit.name));
        }
    }
    Some(LimitTold {
        limit: text,
        remaining: nearest.limit_remaining,
        reset: nearest
            .duration_until_reset
            .as_ref()
            .map_or(0, |duration| duration.seconds),
    })
}

fn seconds(unit: Unit) -> u32 {
    const DAY: u32 = 24 * 60 * 60;
    match unit {
        Unit::Unknown => 0,
        Unit::Second => 1,
        Unit::Minute => 60,
        Unit::Hour => 60 * 60,
        Unit::Day => DAY,
        Unit::Week => 7 * DAY,
        Unit::Month => 30 * DAY,
        Unit::Year => 365 * DAY,
    }
}
