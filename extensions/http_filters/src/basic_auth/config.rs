//! Protos to [`BasicAuthSpec`] and [`BasicAuthRouteSpec`].

use super::{BasicAuth, BasicAuthRouteSpec, BasicAuthSpec, Settings, Users};
use nuncio_base::HeaderName;
use nuncio_config::common::data_source;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::DataSource;
use nuncio_proto::envoy::extensions::filters::http::basic_auth::v3 as proto;
use std::sync::Arc;

impl HttpFilterExtension for BasicAuth {
    const NAME: &'static str = "envoy.filters.http.basic_auth";
    type Proto = proto::BasicAuth;
    type RouteProto = proto::BasicAuthPerRoute;
    type Spec = BasicAuthSpec;
    type RouteSpec = BasicAuthRouteSpec;

    fn parse(
        &self,
        proto: proto::BasicAuth,
        filter: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<BasicAuthSpec> {
        let proto::BasicAuth {
            users: list,
            forward_username_header,
            authentication_header,
            allow_missing,
            emit_dynamic_metadata,
        } = proto;
        let header = |name: String| (!name.is_empty()).then(|| HeaderName::new(&name));
        let list = users(cx, list)?;
        let scope = cx.env().scope();
        let scope = scope.scope(&format!("{}basic_auth", filter.stat_prefix));
        Ok(BasicAuthSpec {
            settings: Arc::new(Settings {
                users: list,
                forward_to: header(forward_username_header),
                header: header(authentication_header),
                allow_missing,
                emit_metadata: emit_dynamic_metadata,
            }),
            stats: scope.group(),
        })
    }

    fn parse_route(
        &self,
        proto: proto::BasicAuthPerRoute,
        cx: &mut ParseCx,
    ) -> Parsed<BasicAuthRouteSpec> {
        let proto::BasicAuthPerRoute { users: list } = proto;
        users(cx, list).map(BasicAuthRouteSpec)
    }
}

fn users(cx: &mut ParseCx, proto: Option<DataSource>) -> Parsed<Users> {
    cx.field("users", |cx| {
        let text = data_source(cx, proto.unwrap_or_default())?;
        if text.is_empty() {
            return Err(cx.error("DataSource cannot be empty"));
        }
        let text = String::from_utf8_lossy(&text);
        Users::parse(&text).map_err(|error| cx.error(error.to_string()))
    })
}
