//! What the service is asked and answers: `envoy.service.ratelimit.v3.RateLimitService`.

use nuncio_base::metadata::Value;
use nuncio_config::common::structure;
use nuncio_proto::Message;
use nuncio_proto::envoy::extensions::common::ratelimit::v3 as common;
use nuncio_proto::envoy::service::ratelimit::v3 as proto;
use proto::rate_limit_response::Code;

/// The method that is called.
pub(super) const SHOULD_RATE_LIMIT: &str =
    "/envoy.service.ratelimit.v3.RateLimitService/ShouldRateLimit";

/// What the service says.
pub(super) enum Verdict {
    Ok,
    OverLimit,
    Error,
}

/// The question, of descriptors as lists of keys and values.
pub(super) fn request(domain: &str, descriptors: Vec<Vec<(String, String)>>) -> Vec<u8> {
    let entry = |(key, value)| common::rate_limit_descriptor::Entry { key, value };
    let descriptors = descriptors.into_iter();
    let descriptors = descriptors.map(|entries| common::RateLimitDescriptor {
        entries: entries.into_iter().map(entry).collect(),
        ..common::RateLimitDescriptor::default()
    });
    let request = proto::RateLimitRequest {
        domain: domain.to_owned(),
        descriptors: descriptors.collect(),
        hits_addend: 0,
    };
    request.encode_to_vec()
}

/// The answer, and metadata that come with it.
pub(super) fn verdict(bytes: &[u8]) -> (Verdict, Option<Value>) {
    let Ok(response) = proto::RateLimitResponse::decode(bytes) else {
        return (Verdict::Error, None);
    };
    let verdict = match response.overall_code() {
        Code::OverLimit => Verdict::OverLimit,
        Code::Ok | Code::Unknown => Verdict::Ok,
    };
    (verdict, response.dynamic_metadata.map(structure))
}
