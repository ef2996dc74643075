//! What the service is asked and answers; whole requests with a service that is not there; what
//! the configuration refuses.

use super::RateLimit;
use super::wire::{self, Verdict};
use crate::testing::{Script, errors};
use nuncio_proto::envoy::service::ratelimit::v3 as proto;
use nuncio_proto::google::protobuf::Duration;
use nuncio_route::rate_limit::{Descriptor, LimitOverride};
use prost::Message;
use proto::rate_limit_response::{Code, DescriptorStatus, RateLimit as Limit};

const SERVICE: &str = "rate_limit_service: {transport_api_version: V3, \
                       grpc_service: {envoy_grpc: {cluster_name: rl}}}";

#[test]
fn the_question() {
    let descriptor = Descriptor {
        entries: vec![("k".to_owned(), "v".to_owned())],
        limit: Some(LimitOverride {
            requests_per_unit: 5,
            unit: 2,
        }),
        hits_addend: Some(3),
        negative_hits: false,
    };
    let bytes = wire::request("dom", vec![descriptor]);
    let request = proto::RateLimitRequest::decode(&*bytes).unwrap();
    assert_eq!(request.domain, "dom");
    let [asked] = &request.descriptors[..] else {
        panic!("one descriptor");
    };
    assert_eq!(
        (asked.entries[0].key.as_str(), &*asked.entries[0].value),
        ("k", "v")
    );
    assert_eq!(asked.limit.as_ref().unwrap().requests_per_unit, 5);
    assert_eq!(asked.hits_addend.unwrap().value, 3);
}

#[test]
fn the_answer() {
    let status = |requests, unit, remaining, name: &str| DescriptorStatus {
        current_limit: Some(Limit {
            name: name.to_owned(),
            requests_per_unit: requests,
            unit,
        }),
        limit_remaining: remaining,
        duration_until_reset: Some(Duration {
            seconds: i64::from(remaining),
            nanos: 0,
        }),
        ..DescriptorStatus::default()
    };
    let response = proto::RateLimitResponse {
        overall_code: Code::OverLimit.into(),
        statuses: vec![
            status(10, 1, 7, ""),
            DescriptorStatus::default(),
            status(4, 3, 2, "per"),
        ],
        raw_body: b"slow".to_vec(),
        ..proto::RateLimitResponse::default()
    };
    let Verdict::OverLimit(answer) = wire::verdict(&response.encode_to_vec()) else {
        panic!("over the limit");
    };
    let told = answer.limit.unwrap();
    assert_eq!(told.limit, "4, 10;w=1, 4;w=3600;name=\"per\"");
    assert_eq!((told.remaining, told.reset), (2, 2));
    assert_eq!(answer.body, b"slow");
    assert!(matches!(wire::verdict(&[255]), Verdict::Error));
}

#[test]
fn a_service_that_is_not_there() {
    for (more, details, downstream) in [
        ("", "via_upstream", ":status=200"),
        (
            ", failure_mode_deny: true",
            "rate_limiter_error",
            ":status=500",
        ),
        (
            ", failure_mode_deny: true, status_on_error: {code: 503}",
            "rate_limiter_error",
            ":status=503",
        ),
        (
            ", failure_mode_deny: true, request_type: internal",
            "via_upstream",
            ":status=200",
        ),
        (
            ", failure_mode_deny: true, stage: 1",
            "via_upstream",
            ":status=200",
        ),
    ] {
        let outcome = Script::new()
            .filter(&RateLimit, &format!("{{domain: d, {SERVICE}{more}}}"))
            .routes(
                "routes: [{match: {prefix: /}, route: {cluster: c, rate_limits: \
                 [{actions: [{generic_key: {descriptor_value: x}}]}]}}]",
            )
            .run();
        assert!(
            outcome.downstream.contains(downstream),
            "{more}: {}",
            outcome.downstream
        );
        if details != "via_upstream" {
            assert_eq!(outcome.details, details, "{more}");
            assert_eq!(outcome.flags, "RLSE", "{more}");
        }
    }
}

#[test]
fn what_is_refused() {
    for (yaml, expected) in [
        (
            "{domain: d, rate_limit_service: {grpc_service: {envoy_grpc: {cluster_name: rl}}}}",
            "transport_api_version",
        ),
        (
            "{domain: d, rate_limit_service: {transport_api_version: V3, grpc_service: \
             {envoy_grpc: {cluster_name: rl}}}, rate_limits: [{apply_on_stream_done: true, \
             actions: [{remote_address: {}}]}]}",
            "apply_on_stream_done is not supported by this build",
        ),
        (
            "{domain: d, rate_limit_service: {transport_api_version: V3, grpc_service: \
             {envoy_grpc: {cluster_name: rl}}}, rate_limits: [{stage: 1, \
             actions: [{remote_address: {}}]}]}",
            "'stage' field and 'disable_key' field are not supported",
        ),
    ] {
        let errors = errors(&RateLimit, yaml);
        assert!(errors.contains(expected), "{yaml}: {errors}");
    }
}
