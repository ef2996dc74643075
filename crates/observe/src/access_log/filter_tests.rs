//! Which moments pass which filter.

use super::*;
use crate::AccessLogType;
use crate::fixture::{Facts, fields, text};
use nuncio_base::metadata::Value;
use nuncio_base::runtime_flags::{FlagValue, RuntimeFlags};
use nuncio_matching::{HeaderMatch, HeaderMatcher, ValueMatcher};
use nuncio_stream_info::ResponseFlag;

fn compare(op: ComparisonOp, default: u32) -> Comparison {
    Comparison {
        op,
        default,
        runtime_key: "key".into(),
    }
}

#[track_caller]
fn check<const N: usize>(facts: &Facts, cases: [(LogFilter, bool); N]) {
    for (filter, expected) in cases {
        assert_eq!(filter.passes(&facts.cx()), expected, "{filter:?}");
    }
}

#[test]
fn numbers_are_compared_and_runtime_overrides() {
    use ComparisonOp::{Equal, GreaterOrEqual, LessOrEqual, NotEqual};
    let mut facts = Facts::proxied();
    check(
        &facts,
        [
            (LogFilter::StatusCode(compare(Equal, 200)), true),
            (LogFilter::StatusCode(compare(GreaterOrEqual, 201)), false),
            (LogFilter::StatusCode(compare(LessOrEqual, 200)), true),
            (LogFilter::StatusCode(compare(NotEqual, 200)), false),
            (LogFilter::Duration(compare(GreaterOrEqual, 5)), true),
            (LogFilter::Duration(compare(GreaterOrEqual, 6)), false),
        ],
    );
    let flags = [("key".to_owned(), FlagValue::Number(404.0))];
    facts.flags = RuntimeFlags::merged([&flags[..]]);
    facts.info.response_code = Some(404);
    check(&facts, [(LogFilter::StatusCode(compare(Equal, 200)), true)]);
    check(
        &Facts::bare(),
        [
            (LogFilter::StatusCode(compare(Equal, 0)), true),
            // It lasts until now.
            (LogFilter::Duration(compare(Equal, 20)), true),
        ],
    );
}

#[test]
fn facts_of_the_stream() {
    let mut facts = Facts::proxied();
    let flags = |flags: &[ResponseFlag]| LogFilter::ResponseFlag(flags.to_vec());
    check(
        &facts,
        [
            (LogFilter::NotHealthCheck, true),
            (LogFilter::Traceable, false),
            (flags(&[]), false),
            (flags(&[ResponseFlag::NoRouteFound]), false),
        ],
    );
    facts.info.is_health_check = true;
    facts.info.traced = true;
    facts.info.set_flag(ResponseFlag::NoRouteFound);
    check(
        &facts,
        [
            (LogFilter::NotHealthCheck, false),
            (LogFilter::Traceable, true),
            (flags(&[]), true),
            (
                flags(&[ResponseFlag::LocalReset, ResponseFlag::NoRouteFound]),
                true,
            ),
            (flags(&[ResponseFlag::LocalReset]), false),
            (LogFilter::And(vec![LogFilter::Traceable, flags(&[])]), true),
            (
                LogFilter::And(vec![LogFilter::Traceable, LogFilter::NotHealthCheck]),
                false,
            ),
            (
                LogFilter::Or(vec![LogFilter::NotHealthCheck, LogFilter::Traceable]),
                true,
            ),
            (LogFilter::Or(vec![LogFilter::NotHealthCheck]), false),
        ],
    );
}

#[test]
fn headers_metadata_and_kinds() {
    let header = || LogFilter::Header(HeaderMatcher::new("x-yes", HeaderMatch::Present(true)));
    let metadata = |path: &str, value, if_not_found| LogFilter::Metadata {
        filter: "my.dyn".into(),
        path: vec![path.into()],
        value,
        if_not_found,
    };
    let truth = || Some(ValueMatcher::Bool(true));
    let kinds = |types: &[AccessLogType], exclude| LogFilter::LogType {
        types: types.to_vec(),
        exclude,
    };
    check(
        &Facts::proxied(),
        [
            (header(), true),
            (metadata("b", truth(), false), true),
            (metadata("k", truth(), true), false),
            (metadata("none", truth(), true), true),
            (metadata("none", truth(), false), false),
            (metadata("b", None, true), false),
            (kinds(&[AccessLogType::DownstreamEnd], false), true),
            (kinds(&[AccessLogType::DownstreamEnd], true), false),
            (kinds(&[], false), false),
        ],
    );
    check(&Facts::bare(), [(header(), false)]);
}

#[test]
fn grpc_statuses() {
    let status = |statuses: &[i64], exclude| LogFilter::GrpcStatus {
        statuses: statuses.to_vec(),
        exclude,
    };
    let mut facts = Facts::proxied();
    // Without a status the response counts as "unknown", whether it is gRPC or not.
    check(
        &facts,
        [(status(&[2], false), true), (status(&[0], true), true)],
    );
    facts.trailers.set("grpc-status", b"5");
    check(
        &facts,
        [(status(&[14, 5], false), true), (status(&[5], true), false)],
    );
    check(&Facts::bare(), [(status(&[2], false), true)]);
}

#[test]
fn shares_follow_the_request_id() {
    let share = |numerator, use_independent_randomness| {
        LogFilter::Runtime(SampledFraction {
            runtime_key: "share".into(),
            numerator,
            denominator: 100,
            use_independent_randomness,
        })
    };
    let mut facts = Facts::proxied();
    // 0x268f291d % 100 = 81
    check(
        &facts,
        [
            (share(81, false), false),
            (share(82, false), true),
            // The draw is 7.
            (share(7, true), false),
            (share(8, true), true),
        ],
    );
    let flags = [("share".to_owned(), FlagValue::Number(100.0))];
    facts.flags = RuntimeFlags::merged([&flags[..]]);
    check(&facts, [(share(0, false), true)]);
    facts.info.stream_id = Some("not a uuid".into());
    facts.flags = RuntimeFlags::default();
    check(&facts, [(share(8, false), true), (share(7, false), false)]);
}

#[test]
fn a_value_that_is_null_is_found() {
    let mut facts = Facts::proxied();
    facts
        .info
        .metadata
        .set("f", fields([("a", Value::Null), ("b", text("x"))]));
    let filter = LogFilter::Metadata {
        filter: "f".into(),
        path: vec!["a".into()],
        value: Some(ValueMatcher::Null),
        if_not_found: false,
    };
    check(&facts, [(filter, true)]);
}
