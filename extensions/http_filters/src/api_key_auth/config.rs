//! Protos to [`ApiKeyAuthSpec`] and [`Settings`].

use super::{ApiKeyAuth, ApiKeyAuthSpec, Credentials, Forwarding, KeySource, Settings};
use nuncio_base::HeaderName;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::api_key_auth::v3 as proto;
use std::collections::HashMap;
use std::sync::Arc;

impl HttpFilterExtension for ApiKeyAuth {
    const NAME: &'static str = "envoy.filters.http.api_key_auth";
    type Proto = proto::ApiKeyAuth;
    type RouteProto = proto::ApiKeyAuthPerRoute;
    type Spec = ApiKeyAuthSpec;
    type RouteSpec = Settings;

    fn parse(
        &self,
        proto: proto::ApiKeyAuth,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<ApiKeyAuthSpec> {
        let proto::ApiKeyAuth {
            credentials,
            key_sources,
            forwarding,
        } = proto;
        let route = proto::ApiKeyAuthPerRoute {
            credentials,
            key_sources,
            allowed_clients: Vec::new(),
            forwarding,
        };
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("{}api_key_auth", filter.stat_prefix));
        Ok(ApiKeyAuthSpec {
            settings: Arc::new(self.parse_route(route, cx)?),
            stats: scope.group(),
        })
    }

    fn parse_route(&self, proto: proto::ApiKeyAuthPerRoute, cx: &mut ParseCx) -> Parsed<Settings> {
        let proto::ApiKeyAuthPerRoute {
            credentials: keys,
            key_sources,
            allowed_clients,
            forwarding,
        } = proto;
        let keys = credentials(cx, keys);
        let sources = cx.list("key_sources", key_sources, key_source);
        let forwarding = forwarding.unwrap_or_default();
        Ok(Settings {
            credentials: keys?,
            sources: sources?,
            allowed_clients: allowed_clients.into_iter().collect(),
            forwarding: Forwarding {
                header: (!forwarding.header.is_empty())
                    .then(|| HeaderName::new(&forwarding.header)),
                hide_credentials: forwarding.hide_credentials,
            },
        })
    }
}

fn credentials(cx: &mut ParseCx, protos: Vec<proto::Credential>) -> Parsed<Credentials> {
    let mut clients = HashMap::new();
    cx.list("credentials", protos, |cx, credential| {
        let proto::Credential { key, client } = credential;
        match clients.insert(key.clone().into_bytes(), client.into()) {
            None => Ok(()),
            Some(_) => Err(cx.error(format!("Duplicated credential key: '{key}'"))),
        }
    })?;
    Ok(Credentials(clients))
}

/// Of several in one message the header counts, then the query parameter.
fn key_source(cx: &mut ParseCx, proto: proto::KeySource) -> Parsed<KeySource> {
    let proto::KeySource {
        header,
        query,
        cookie,
    } = proto;
    if !header.is_empty() {
        Ok(KeySource::Header(HeaderName::new(&header)))
    } else if !query.is_empty() {
        Ok(KeySource::Query(query.into_bytes()))
    } else if !cookie.is_empty() {
        Ok(KeySource::Cookie(cookie.into_bytes()))
    } else {
        Err(cx.error("One of 'header'/'query'/'cookie' must be set."))
    }
}
