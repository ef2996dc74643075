//! The configuration.

use super::filter::{ExtAuthzFactory, ExtAuthzSpec, ExtAuthzStats};
use nuncio_config::grpc_service::grpc_service;
use nuncio_config::matching::metadata_matcher;
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Parsed};
use nuncio_grpc::GrpcService;
use nuncio_proto::envoy::extensions::filters::network::ext_authz::v3::ExtAuthz as Proto;
use std::sync::Arc;
use std::time::Duration;

/// How long a service may take where nothing is said.
const DEFAULT_TIMEOUT: Duration = Duration::from_millis(200);

/// The extension.
pub struct ExtAuthz;

impl NetworkFilterExtension for ExtAuthz {
    const NAME: &'static str = "envoy.filters.network.ext_authz";
    type Proto = Proto;
    type Spec = ExtAuthzFactory;

    fn parse(
        &self,
        proto: Proto,
        _listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<ExtAuthzFactory> {
        let Proto {
            stat_prefix,
            grpc_service: service,
            failure_mode_allow,
            include_peer_certificate,
            // As with Envoy there is one, whatever this says.
            transport_api_version: _,
            filter_enabled_metadata,
            bootstrap_metadata_labels_key,
            include_tls_session,
            send_tls_alert_on_denial,
            metadata_context_namespaces,
            typed_metadata_context_namespaces,
            shadow_mode,
        } = proto;
        let labels = !bootstrap_metadata_labels_key.is_empty();
        let typed = !typed_metadata_context_namespaces.is_empty();
        let mut refused = Ok(());
        for (field, used) in [
            ("bootstrap_metadata_labels_key", labels),
            ("send_tls_alert_on_denial", send_tls_alert_on_denial),
            ("typed_metadata_context_namespaces", typed),
            ("shadow_mode", shadow_mode),
        ] {
            refused = refused.and(cx.refuse(field, used));
        }
        let service = cx.required("grpc_service", service, grpc_service);
        let enabled = cx.optional(
            "filter_enabled_metadata",
            filter_enabled_metadata,
            metadata_matcher,
        );
        refused?;
        let service = service?;
        let timeout = service.timeout.unwrap_or(DEFAULT_TIMEOUT);
        let scope = cx.env().scope().scope(&format!("ext_authz.{stat_prefix}"));
        Ok(ExtAuthzFactory(Arc::new(ExtAuthzSpec {
            service: Arc::new(GrpcService {
                timeout: Some(timeout),
                ..GrpcService::clone(&service)
            }),
            failure_mode_allow,
            include_peer_certificate,
            include_tls_session,
            metadata_namespaces: metadata_context_namespaces,
            enabled: enabled?,
            stats: scope.group::<ExtAuthzStats>(),
        })))
    }
}
