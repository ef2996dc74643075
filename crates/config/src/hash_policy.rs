//! `envoy.config.route.v3.RouteAction.HashPolicy`: proto to `nuncio_route::hash_policy`.

use crate::duration;
use crate::matching::substitution;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::route::v3::route_action::HashPolicy as HashPolicyProto;
use nuncio_proto::envoy::config::route::v3::route_action::hash_policy as proto;
use nuncio_route::hash_policy::{HashCookie, HashInput, HashPolicy};

/// What a request is hashed by.
///
/// # Errors
/// A bad regex, a negative time to live.
pub fn hash_policy(cx: &mut ParseCx, proto: HashPolicyProto) -> Parsed<HashPolicy> {
    use proto::PolicySpecifier;
    let HashPolicyProto {
        terminal,
        policy_specifier,
    } = proto;
    let input = match policy_specifier {
        Some(PolicySpecifier::Header(header)) => cx.field("header", |cx| {
            Ok(HashInput::Header {
                name: HeaderName::new(&header.header_name),
                rewrite: cx.optional("regex_rewrite", header.regex_rewrite, substitution)?,
            })
        })?,
        Some(PolicySpecifier::Cookie(cookie)) => {
            HashInput::Cookie(cx.field("cookie", |cx| hash_cookie(cx, cookie))?)
        }
        Some(PolicySpecifier::ConnectionProperties(properties)) if properties.source_ip => {
            HashInput::SourceIp
        }
        Some(PolicySpecifier::ConnectionProperties(_)) => HashInput::Nothing,
        Some(PolicySpecifier::QueryParameter(parameter)) => {
            HashInput::QueryParameter(parameter.name.into())
        }
        Some(PolicySpecifier::FilterState(state)) => HashInput::FilterState(state.key.into()),
        None => return Err(cx.error("field: 'policy_specifier', reason: is required")),
    };
    Ok(HashPolicy { input, terminal })
}

fn hash_cookie(cx: &mut ParseCx, proto: proto::Cookie) -> Parsed<HashCookie> {
    let proto::Cookie {
        name,
        ttl,
        path,
        attributes,
    } = proto;
    let attributes = attributes
        .into_iter()
        .map(|attribute| (attribute.name, attribute.value));
    Ok(HashCookie {
        name: name.into(),
        ttl: duration::optional(cx, "ttl", ttl)?,
        path: path.into(),
        attributes: attributes.collect(),
    })
}
