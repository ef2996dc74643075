//! `envoy.config.route.v3.RetryPolicy` and `HedgePolicy`: protos to `nuncio_route::retry_policy`.

use crate::common::metadata;
use crate::duration;
use crate::matching::header_matcher;
use crate::unknown_extension::unknown_extension;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::retry_policy as retry_proto;
use nuncio_proto::envoy::extensions::retry as extensions;
use nuncio_proto::google::protobuf::{Any, Duration as DurationProto};
use nuncio_route::RetryOn;
use nuncio_route::retry_policy::{
    BackOff, HedgePolicy, RateLimitedBackOff, ResetHeader, ResetHeaderFormat, RetryHostPredicate,
    RetryPolicy, RetryPriority,
};
use std::time::Duration;

const PREVIOUS_HOSTS: &str = "envoy.extensions.retry.host.previous_hosts.v3.PreviousHostsPredicate";
const OMIT_CANARY: &str =
    "envoy.extensions.retry.host.omit_canary_hosts.v3.OmitCanaryHostsPredicate";
const OMIT_METADATA: &str =
    "envoy.extensions.retry.host.omit_host_metadata.v3.OmitHostMetadataConfig";
const PREVIOUS_PRIORITIES: &str =
    "envoy.extensions.retry.priority.previous_priorities.v3.PreviousPrioritiesConfig";

/// A retry policy.
///
/// # Errors
/// Intervals that contradict each other; predicates that are not built.
pub fn retry_policy(cx: &mut ParseCx, proto: proto::RetryPolicy) -> Parsed<RetryPolicy> {
    let proto::RetryPolicy {
        retry_on,
        num_retries,
        per_try_timeout,
        per_try_idle_timeout,
        retry_priority,
        retry_host_predicate,
        retry_options_predicates,
        host_selection_retry_max_attempts,
        retriable_status_codes,
        retry_back_off,
        rate_limited_retry_back_off,
        retriable_headers,
        retriable_request_headers,
        refresh_cluster_on_retry,
    } = proto;
    cx.refuse(
        "retry_options_predicates",
        !retry_options_predicates.is_empty(),
    )?;
    cx.refuse("refresh_cluster_on_retry", refresh_cluster_on_retry)?;
    let positive = |duration: Option<Duration>| duration.filter(|duration| !duration.is_zero());
    let per_try_timeout = duration::optional(cx, "per_try_timeout", per_try_timeout)?;
    let per_try_idle_timeout =
        duration::optional(cx, "per_try_idle_timeout", per_try_idle_timeout)?;
    Ok(RetryPolicy {
        retry_on: RetryOn::parse_policy(&retry_on),
        num_retries: num_retries.map_or(1, |number| number.value),
        per_try_timeout: positive(per_try_timeout),
        per_try_idle_timeout: positive(per_try_idle_timeout),
        priority: cx.optional("retry_priority", retry_priority, priority)?,
        host_predicates: cx.list("retry_host_predicate", retry_host_predicate, host_predicate)?,
        host_selection_max_attempts: match u32::try_from(host_selection_retry_max_attempts) {
            Ok(0) | Err(_) => 1,
            Ok(attempts) => attempts,
        },
        retriable_status_codes,
        back_off: cx.optional("retry_back_off", retry_back_off, back_off)?,
        rate_limited_back_off: cx.optional(
            "rate_limited_retry_back_off",
            rate_limited_retry_back_off,
            rate_limited_back_off,
        )?,
        retriable_headers: cx.list("retriable_headers", retriable_headers, header_matcher)?,
        retriable_request_headers: cx.list(
            "retriable_request_headers",
            retriable_request_headers,
            header_matcher,
        )?,
    })
}

/// A hedge policy. The fields that Envoy's own documentation calls unimplemented do nothing there
/// and nothing here.
///
/// # Errors
/// Hedging on a timeout, which is not built.
pub fn hedge_policy(cx: &mut ParseCx, proto: proto::HedgePolicy) -> Parsed<HedgePolicy> {
    let proto::HedgePolicy {
        initial_requests: _,
        additional_request_chance: _,
        hedge_on_per_try_timeout,
    } = proto;
    cx.refuse("hedge_on_per_try_timeout", hedge_on_per_try_timeout)?;
    Ok(HedgePolicy {
        hedge_on_per_try_timeout,
    })
}

/// An interval of at least a millisecond, as Envoy counts.
fn interval(
    cx: &mut ParseCx,
    field: &'static str,
    proto: Option<DurationProto>,
) -> Parsed<Option<Duration>> {
    let interval = duration::optional(cx, field, proto)?;
    Ok(interval.map(|interval| interval.max(Duration::from_millis(1))))
}

fn back_off(cx: &mut ParseCx, proto: retry_proto::RetryBackOff) -> Parsed<BackOff> {
    let retry_proto::RetryBackOff {
        base_interval,
        max_interval,
    } = proto;
    let base_interval = match interval(cx, "base_interval", base_interval)? {
        Some(interval) => interval,
        None => return Err(cx.error_at("base_interval", "value is required")),
    };
    let max_interval = match interval(cx, "max_interval", max_interval)? {
        Some(interval) => interval,
        None => base_interval.saturating_mul(10),
    };
    if max_interval < base_interval {
        return Err(cx.error_at(
            "max_interval",
            "retry_policy.max_interval must greater than or equal to the base_interval",
        ));
    }
    Ok(BackOff {
        base_interval,
        max_interval,
    })
}

fn rate_limited_back_off(
    cx: &mut ParseCx,
    proto: retry_proto::RateLimitedRetryBackOff,
) -> Parsed<RateLimitedBackOff> {
    let retry_proto::RateLimitedRetryBackOff {
        reset_headers,
        max_interval,
    } = proto;
    let reset_headers = reset_headers.into_iter().map(|header| ResetHeader {
        name: HeaderName::new(&header.name),
        format: match header.format() {
            retry_proto::ResetHeaderFormat::Seconds => ResetHeaderFormat::Seconds,
            retry_proto::ResetHeaderFormat::UnixTimestamp => ResetHeaderFormat::UnixTimestamp,
        },
    });
    let max_interval = interval(cx, "max_interval", max_interval)?;
    Ok(RateLimitedBackOff {
        reset_headers: reset_headers.collect(),
        max_interval: max_interval.unwrap_or(Duration::from_secs(300)),
    })
}

fn host_predicate(
    cx: &mut ParseCx,
    proto: retry_proto::RetryHostPredicate,
) -> Parsed<RetryHostPredicate> {
    let retry_proto::retry_host_predicate::ConfigType::TypedConfig(config) =
        proto.config_type.unwrap_or_else(|| {
            retry_proto::retry_host_predicate::ConfigType::TypedConfig(Any::default())
        });
    match type_name(&config) {
        PREVIOUS_HOSTS => Ok(RetryHostPredicate::PreviousHosts),
        OMIT_CANARY => Ok(RetryHostPredicate::OmitCanaryHosts),
        OMIT_METADATA => cx.field("typed_config", |cx| {
            use extensions::host::omit_host_metadata::v3::OmitHostMetadataConfig;
            let OmitHostMetadataConfig { metadata_match } = cx.unpack(&config)?;
            Ok(RetryHostPredicate::OmitHostMetadata(metadata(
                metadata_match,
            )))
        }),
        _ => Err(unknown_extension(cx, &proto.name, &config)),
    }
}

fn priority(cx: &mut ParseCx, proto: retry_proto::RetryPriority) -> Parsed<RetryPriority> {
    let retry_proto::retry_priority::ConfigType::TypedConfig(config) = proto
        .config_type
        .unwrap_or_else(|| retry_proto::retry_priority::ConfigType::TypedConfig(Any::default()));
    if type_name(&config) != PREVIOUS_PRIORITIES {
        return Err(unknown_extension(cx, &proto.name, &config));
    }
    cx.field("typed_config", |cx| {
        use extensions::priority::previous_priorities::v3::PreviousPrioritiesConfig;
        let PreviousPrioritiesConfig { update_frequency } = cx.unpack(&config)?;
        let update_frequency = u32::try_from(update_frequency).unwrap_or(1);
        Ok(RetryPriority::PreviousPriorities { update_frequency })
    })
}
