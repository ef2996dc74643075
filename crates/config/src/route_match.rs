//! `envoy.config.route.v3.RouteMatch`: proto to `nuncio_route::route_match`.

use crate::common::runtime_fraction;
use crate::matching::{
    address_matcher, cookie_matcher, header_matcher, metadata_matcher, query_parameter_matcher,
    regex, string_matcher,
};
use crate::uri_template;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::route_match::{PathSpecifier, TlsContextMatchOptions};
use nuncio_proto::envoy::r#type::matcher::v3 as matcher_proto;
use nuncio_route::route_match::{FilterStateMatch, FilterStateValue, TlsContextMatch};
use nuncio_route::{PathMatch, RouteMatch};

/// When a route is taken.
///
/// # Errors
/// Bad matchers.
pub fn route_match(cx: &mut ParseCx, proto: proto::RouteMatch) -> Parsed<RouteMatch> {
    let proto::RouteMatch {
        case_sensitive,
        runtime_fraction: fraction,
        headers,
        query_parameters,
        cookies,
        grpc,
        tls_context,
        dynamic_metadata,
        filter_state,
        path_specifier,
    } = proto;
    // Each part is converted before any error ends the message: all its errors come together.
    let path = path_match(cx, path_specifier);
    let headers = cx.list("headers", headers, header_matcher);
    let query_parameters = cx.list(
        "query_parameters",
        query_parameters,
        query_parameter_matcher,
    );
    let cookies = cx.list("cookies", cookies, cookie_matcher);
    let dynamic_metadata = cx.list("dynamic_metadata", dynamic_metadata, metadata_matcher);
    let filter_state = cx.list("filter_state", filter_state, filter_state_match);
    Ok(RouteMatch {
        path: path?,
        case_sensitive: case_sensitive.is_none_or(|value| value.value),
        runtime_fraction: fraction.map(runtime_fraction),
        headers: headers?,
        query_parameters: query_parameters?,
        cookies: cookies?,
        grpc: grpc.is_some(),
        tls_context: tls_context.map(tls_context_match),
        dynamic_metadata: dynamic_metadata?,
        filter_state: filter_state?,
    })
}

fn path_match(cx: &mut ParseCx, proto: Option<PathSpecifier>) -> Parsed<PathMatch> {
    match proto {
        Some(PathSpecifier::Prefix(text)) => Ok(PathMatch::Prefix(text.into_bytes().into())),
        Some(PathSpecifier::Path(text)) => Ok(PathMatch::Exact(text.into_bytes().into())),
        Some(PathSpecifier::PathSeparatedPrefix(text)) => {
            Ok(PathMatch::SeparatedPrefix(text.into_bytes().into()))
        }
        Some(PathSpecifier::SafeRegex(pattern)) => Ok(PathMatch::Regex(
            cx.field("safe_regex", |cx| regex(cx, &pattern))?,
        )),
        Some(PathSpecifier::ConnectMatcher(_)) => Ok(PathMatch::Connect),
        Some(PathSpecifier::PathMatchPolicy(policy)) => cx.field("path_match_policy", |cx| {
            uri_template::path_match(cx, policy).map(PathMatch::Regex)
        }),
        None => Err(cx.error("field: 'path_specifier', reason: is required")),
    }
}

fn tls_context_match(proto: TlsContextMatchOptions) -> TlsContextMatch {
    let TlsContextMatchOptions {
        presented,
        validated,
    } = proto;
    TlsContextMatch {
        presented: presented.map(|value| value.value),
        validated: validated.map(|value| value.value),
    }
}

fn filter_state_match(
    cx: &mut ParseCx,
    proto: matcher_proto::FilterStateMatcher,
) -> Parsed<FilterStateMatch> {
    use matcher_proto::filter_state_matcher::Matcher;
    let matcher_proto::FilterStateMatcher { key, matcher } = proto;
    let value = match matcher {
        Some(Matcher::StringMatch(matcher)) => {
            FilterStateValue::Text(cx.field("string_match", |cx| string_matcher(cx, matcher))?)
        }
        Some(Matcher::AddressMatch(matcher)) => {
            FilterStateValue::Address(cx.field("address_match", |cx| address_matcher(cx, matcher))?)
        }
        None => return Err(cx.error("field: 'matcher', reason: is required")),
    };
    Ok(FilterStateMatch {
        key: key.into(),
        value,
    })
}
