//! `envoy.config.route.v3.InternalRedirectPolicy`: proto to `nuncio_route::internal_redirect`.

use crate::unknown_extension::unknown_extension;
use nuncio_base::header_name::{HeaderName, names};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::route_action::InternalRedirectAction;
use nuncio_proto::envoy::extensions::internal_redirect as extensions;
use nuncio_route::internal_redirect::{InternalRedirectPolicy, RedirectPredicate};

const PREVIOUS_ROUTES: &str =
    "envoy.extensions.internal_redirect.previous_routes.v3.PreviousRoutesConfig";
const ALLOW_LISTED: &str =
    "envoy.extensions.internal_redirect.allow_listed_routes.v3.AllowListedRoutesConfig";
const SAFE_CROSS_SCHEME: &str =
    "envoy.extensions.internal_redirect.safe_cross_scheme.v3.SafeCrossSchemeConfig";

/// The codes that may be followed; others in config are left out, as in Envoy.
const REDIRECT_CODES: [u16; 5] = [301, 302, 303, 307, 308];

/// Which redirects of an upstream are followed.
///
/// # Errors
/// Pseudo-headers to copy; predicates that are not built.
pub fn internal_redirect_policy(
    cx: &mut ParseCx,
    proto: proto::InternalRedirectPolicy,
) -> Parsed<InternalRedirectPolicy> {
    let proto::InternalRedirectPolicy {
        max_internal_redirects,
        redirect_response_codes,
        predicates,
        allow_cross_scheme_redirect,
        response_headers_to_copy,
    } = proto;
    let mut codes: Vec<u16> = redirect_response_codes
        .into_iter()
        .filter_map(|code| u16::try_from(code).ok())
        .filter(|code| REDIRECT_CODES.contains(code))
        .collect();
    if codes.is_empty() {
        codes.push(302);
    }
    let headers = cx.list(
        "response_headers_to_copy",
        response_headers_to_copy,
        |cx, name| {
            let header = HeaderName::new(&name);
            if name.starts_with(':') || header.known() == Some(names::HOST) {
                return Err(cx.error(":-prefixed headers or Hosts may not be specified here."));
            }
            Ok(header)
        },
    )?;
    Ok(InternalRedirectPolicy {
        max_internal_redirects: max_internal_redirects.map_or(1, |number| number.value),
        redirect_response_codes: codes,
        predicates: cx.list("predicates", predicates, predicate)?,
        allow_cross_scheme_redirect,
        response_headers_to_copy: headers,
    })
}

/// The policy that a route's deprecated fields mean.
pub fn legacy_internal_redirect(proto: &proto::RouteAction) -> Option<InternalRedirectPolicy> {
    let is_on = proto.internal_redirect_action() == InternalRedirectAction::HandleInternalRedirect;
    is_on.then(|| InternalRedirectPolicy {
        max_internal_redirects: proto
            .max_internal_redirects
            .map_or(1, |number| number.value),
        redirect_response_codes: vec![302],
        predicates: Vec::new(),
        allow_cross_scheme_redirect: false,
        response_headers_to_copy: Vec::new(),
    })
}

fn predicate(cx: &mut ParseCx, proto: TypedExtensionConfig) -> Parsed<RedirectPredicate> {
    let config = proto.typed_config.unwrap_or_default();
    match type_name(&config) {
        PREVIOUS_ROUTES => Ok(RedirectPredicate::PreviousRoutes),
        SAFE_CROSS_SCHEME => Ok(RedirectPredicate::SafeCrossScheme),
        ALLOW_LISTED => cx.field("typed_config", |cx| {
            use extensions::allow_listed_routes::v3::AllowListedRoutesConfig;
            let AllowListedRoutesConfig {
                allowed_route_names,
            } = cx.unpack(&config)?;
            Ok(RedirectPredicate::AllowListedRoutes(
                allowed_route_names.into(),
            ))
        }),
        _ => Err(unknown_extension(cx, &proto.name, &config)),
    }
}
