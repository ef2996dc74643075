//! Protos to [`StatefulSessionSpec`] and [`StatefulSessionPolicy`].

use super::filter::{PerRoute, StatefulSessionPolicy, StatefulSessionSpec};
use super::{CookieSession, SessionState, StatefulSession};
use nuncio_base::HeaderName;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::Name;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::filters::http::stateful_session::v3 as proto;
use nuncio_proto::envoy::extensions::http::stateful_session as states;
use nuncio_stats::Scope;
use states::cookie::v3::CookieBasedSessionState;
use states::envelope::v3::EnvelopeSessionState;
use states::header::v3::HeaderBasedSessionState;
use std::sync::Arc;

/// The session states, which are found by their names.
const STATES: [&str; 3] = [
    "envoy.http.stateful_session.cookie",
    "envoy.http.stateful_session.envelope",
    "envoy.http.stateful_session.header",
];

impl HttpFilterExtension for StatefulSession {
    const NAME: &'static str = "envoy.filters.http.stateful_session";
    type Proto = proto::StatefulSession;
    type RouteProto = proto::StatefulSessionPerRoute;
    type Spec = StatefulSessionSpec;
    type RouteSpec = PerRoute;

    fn parse(
        &self,
        proto: proto::StatefulSession,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<StatefulSessionSpec> {
        let scope = cx.env().scope().scope(&filter.stat_prefix);
        Ok(StatefulSessionSpec(Arc::new(policy(cx, proto, &scope)?)))
    }

    fn parse_route(
        &self,
        proto: proto::StatefulSessionPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<PerRoute> {
        use proto::stateful_session_per_route::Override;
        match proto.r#override {
            Some(Override::StatefulSession(session)) => cx.field("stateful_session", |cx| {
                let scope = cx.env().scope();
                Ok(PerRoute(Some(Arc::new(policy(cx, session, &scope)?))))
            }),
            Some(Override::Disabled(_)) | None => Ok(PerRoute(None)),
        }
    }
}

fn policy(
    cx: &mut ParseCx,
    proto: proto::StatefulSession,
    scope: &Scope,
) -> Parsed<StatefulSessionPolicy> {
    let proto::StatefulSession {
        session_state,
        strict,
        stat_prefix,
        status_on_strict_destination_not_found: status,
    } = proto;
    let state = cx.optional("session_state", session_state, session_state_of)?;
    let scope = (!stat_prefix.is_empty()).then(|| scope.scope("stateful_session"));
    Ok(StatefulSessionPolicy {
        state,
        strict,
        status_not_found: u16::try_from(status).map_or(503, |status| match status {
            0 => 503,
            status => status,
        }),
        stats: scope.map(|scope| scope.scope(&stat_prefix).group()),
    })
}

fn session_state_of(cx: &mut ParseCx, proto: TypedExtensionConfig) -> Parsed<SessionState> {
    let name = proto.name;
    if !STATES.contains(&name.as_str()) {
        let text = format!("Didn't find a registered implementation for name: '{name}'");
        return Err(cx.error(text));
    }
    let config = proto.typed_config.unwrap_or_default();
    cx.field("typed_config", |cx| match type_name(&config) {
        kind if kind == CookieBasedSessionState::full_name() => {
            let state: CookieBasedSessionState = cx.unpack(&config)?;
            let cookie = state.cookie.unwrap_or_default();
            let attributes = cookie.attributes.into_iter();
            let ttl = cookie.ttl.map_or(0, |ttl| ttl.seconds);
            Ok(SessionState::Cookie(CookieSession {
                name: cookie.name,
                path: cookie.path,
                ttl: u64::try_from(ttl).unwrap_or_default(),
                attributes: attributes.map(|one| (one.name, one.value)).collect(),
            }))
        }
        kind if kind == EnvelopeSessionState::full_name() => {
            let state: EnvelopeSessionState = cx.unpack(&config)?;
            let header = state.header.unwrap_or_default();
            Ok(SessionState::Envelope(HeaderName::new(&header.name)))
        }
        _ => {
            let state: HeaderBasedSessionState = cx.unpack(&config)?;
            Ok(SessionState::Header(HeaderName::new(&state.name)))
        }
    })
}
