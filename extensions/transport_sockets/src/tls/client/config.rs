//! `UpstreamTlsContext`.

use super::context::{ClientContext, ClientSocketFactory, ClientSpec};
use crate::tls::common::config::common;
use crate::tls::common::params::config::tls_params;
use crate::tls::dynamic::ContextSource;
use crate::tls::dynamic::config::Changing;
use crate::tls::stats::ContextStats;
use nuncio_extension::transport_socket::UpstreamSocketCx;
use nuncio_extension::{ParseCx, Parsed, UpstreamSocketExtension};
use nuncio_net::UpstreamSocketFactory;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::UpstreamTlsContext as Proto;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use rustls::crypto::aws_lc_rs;
use rustls::pki_types::ServerName;
use std::sync::Arc;

/// The extension, for connections to hosts.
pub struct UpstreamTls;

impl UpstreamSocketExtension for UpstreamTls {
    const NAME: &'static str = "envoy.transport_sockets.tls";
    type Proto = Proto;

    fn parse(
        &self,
        proto: Proto,
        cluster: &UpstreamSocketCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn UpstreamSocketFactory>>> {
        let stats = Arc::new(ContextStats::new(&cluster.cluster_scope, "client"));
        let common = proto.common_tls_context.clone().unwrap_or_default();
        let changing = Changing::of(cx.env(), &common);
        let shared = Arc::clone(&stats);
        let make = move |cx: &mut ParseCx| {
            let spec = client_spec(proto.clone(), cx)?;
            ClientContext::new(spec, &shared).map_err(|error| cx.error(error.to_string()))
        };
        let context = ContextSource::new(cx, &changing, &stats, Box::new(make))?;
        Ok(Some(Arc::new(ClientSocketFactory { context, stats })))
    }
}

fn client_spec(proto: Proto, cx: &mut ParseCx) -> Parsed<ClientSpec> {
    let Proto {
        common_tls_context,
        sni,
        auto_host_sni,
        auto_sni_san_validation,
        allow_renegotiation,
        max_session_keys,
        enforce_rsa_key_usage,
    } = proto;
    let key_usage = enforce_rsa_key_usage.is_some_and(|value| value.value);
    let refused = cx
        .refuse("allow_renegotiation", allow_renegotiation)
        .and(cx.refuse("enforce_rsa_key_usage", key_usage));
    if sni.len() > 255 {
        return Err(cx.error_at(
            "sni",
            "SNI names longer than 255 characters are not allowed",
        ));
    }
    let name = match sni.as_str() {
        "" => None,
        name => match ServerName::try_from(name.to_owned()) {
            Ok(name @ ServerName::DnsName(_)) => Some(name),
            // RFC 6066 section 3 lets no address be sent; Envoy sends it.
            Ok(ServerName::IpAddress(_)) => {
                cx.warn(format!("sni '{name}' is an IP address: it is not sent"));
                None
            }
            _ => return Err(cx.error_at("sni", format!("'{name}' is no host name"))),
        },
    };
    refused?;
    cx.field("common_tls_context", |cx| {
        let mut proto = common_tls_context.unwrap_or_default();
        let params = cx.field("tls_params", |cx| {
            tls_params(cx, proto.tls_params.take(), TlsProtocol::TlSv12)
        });
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let (mut common, params) = (common(cx, proto, algorithms)?, params?);
        let identities = common.identities(&params);
        if identities.len() > 1 {
            return Err(cx.error("Multiple TLS certificates are not supported for client contexts"));
        }
        if auto_sni_san_validation && common.validation.authorities().next().is_none() {
            return Err(cx.error(
                "'auto_sni_san_validation' was configured without a validation context containing \
                 a trusted CA",
            ));
        }
        Ok(ClientSpec {
            params,
            identities,
            alpn: common.alpn,
            key_log: common.key_log,
            certificates: common.certificates,
            validation: Arc::new(common.validation),
            sni: name,
            auto_host_sni,
            auto_sni_san_validation,
            max_session_keys: max_session_keys.map_or(1, |most| most.value) as usize,
        })
    })
}
