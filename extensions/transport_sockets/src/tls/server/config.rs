//! `DownstreamTlsContext`.

use super::choice::Certificates;
use super::context::{ServerContext, ServerSocketFactory, ServerSpec, Tickets};
use super::staple::{Staple, StaplePolicy};
use super::tickets::{KEY_BYTES, TicketKey};
use crate::tls::common::config::common;
use crate::tls::common::params::config::tls_params;
use crate::tls::dynamic::ContextSource;
use crate::tls::dynamic::config::Changing;
use crate::tls::stats::ContextStats;
use nuncio_config::common::data_source;
use nuncio_config::duration;
use nuncio_config::secret::{SecretKind, named_secret};
use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::{DownstreamSocketExtension, ParseCx, Parsed};
use nuncio_net::TransportSocketFactory;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::downstream_tls_context::{
    OcspStaplePolicy, SessionTicketKeysType,
};
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::tls_parameters::TlsProtocol;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3::{
    DownstreamTlsContext as Proto, TlsSessionTicketKeys,
};
use rustls::crypto::aws_lc_rs;
use std::sync::Arc;

/// For how many seconds sessions may be resumed where the config says nothing, as in BoringSSL.
const SESSION_TIMEOUT: u64 = 2 * 60 * 60;

/// The extension, for accepted connections.
pub struct DownstreamTls;

impl DownstreamSocketExtension for DownstreamTls {
    const NAME: &'static str = "envoy.transport_sockets.tls";
    type Proto = Proto;

    fn parse(
        &self,
        proto: Proto,
        listener: &NetworkFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<Option<Arc<dyn TransportSocketFactory>>> {
        let scope = cx
            .env()
            .store
            .scope(listener.listener_stat_prefix.trim_end_matches('.'));
        let stats = Arc::new(ContextStats::new(&scope, "server"));
        let common = proto.common_tls_context.clone().unwrap_or_default();
        let mut changing = Changing::of(cx.env(), &common);
        if let Some(SessionTicketKeysType::SessionTicketKeysSdsSecretConfig(config)) =
            &proto.session_ticket_keys_type
        {
            let keys = (SecretKind::SessionTicketKeys, config.clone());
            changing.secrets.push(keys);
        }
        let shared = Arc::clone(&stats);
        let make = move |cx: &mut ParseCx| {
            let spec = server_spec(proto.clone(), cx)?;
            ServerContext::new(spec, &shared).map_err(|error| cx.error(error.to_string()))
        };
        let context = ContextSource::new(cx, &changing, &stats, Box::new(make))?;
        Ok(Some(Arc::new(ServerSocketFactory { context, stats })))
    }
}

fn server_spec(proto: Proto, cx: &mut ParseCx) -> Parsed<ServerSpec> {
    let is_true = |value: Option<nuncio_proto::google::protobuf::BoolValue>| {
        value.is_some_and(|value| value.value)
    };
    let staple_policy = match proto.ocsp_staple_policy() {
        OcspStaplePolicy::LenientStapling => StaplePolicy::Lenient,
        OcspStaplePolicy::StrictStapling => StaplePolicy::Strict,
        OcspStaplePolicy::MustStaple => StaplePolicy::Must,
    };
    if is_true(proto.require_sni) {
        cx.field("require_sni", |cx| {
            cx.warn("clients without SNI are served, as by Envoy");
        });
    }
    let timeout = duration::optional(cx, "session_timeout", proto.session_timeout)?;
    let timeout = timeout.map_or(SESSION_TIMEOUT, |timeout| timeout.as_secs());
    let tickets = tickets(cx, proto.session_ticket_keys_type)?;
    let require_client_certificate = is_true(proto.require_client_certificate);
    let full_scan = is_true(proto.full_scan_certs_on_sni_mismatch);
    let (prefer_client_ciphers, session_cache) = (
        proto.prefer_client_ciphers,
        !proto.disable_stateful_session_resumption,
    );
    cx.field("common_tls_context", |cx| {
        let mut proto = proto.common_tls_context.unwrap_or_default();
        let params = cx.field("tls_params", |cx| {
            tls_params(cx, proto.tls_params.take(), TlsProtocol::TlSv13)
        });
        let algorithms = aws_lc_rs::default_provider().signature_verification_algorithms;
        let (mut common, params) = (common(cx, proto, algorithms)?, params?);
        let identities = common.identities(&params);
        if identities.is_empty() {
            return Err(cx.error("No TLS certificates found for server context"));
        }
        let staples = identities.iter().map(|own| Staple::new(own, staple_policy));
        let staples = staples.collect::<Result<_, _>>();
        let staples = staples.map_err(|error| cx.error(error))?;
        let mut hints = Vec::new();
        if !common.suppress_client_ca_list {
            hints.extend(common.validation.authorities().flat_map(|ca| ca.hints()));
        }
        Ok(ServerSpec {
            params,
            certificates: Certificates {
                identities,
                staples,
                full_scan,
            },
            alpn: common.alpn,
            key_log: common.key_log,
            in_use: common.certificates,
            hints,
            validation: Arc::new(common.validation),
            require_client_certificate,
            prefer_client_ciphers,
            tickets,
            session_timeout: u32::try_from(timeout).unwrap_or(u32::MAX),
            session_cache,
        })
    })
}

/// What sessions are resumed by.
fn tickets(cx: &mut ParseCx, proto: Option<SessionTicketKeysType>) -> Parsed<Tickets> {
    match proto {
        None | Some(SessionTicketKeysType::DisableStatelessSessionResumption(false)) => {
            Ok(Tickets::Random)
        }
        Some(SessionTicketKeysType::DisableStatelessSessionResumption(true)) => Ok(Tickets::Off),
        Some(SessionTicketKeysType::SessionTicketKeys(keys)) => {
            cx.field("session_ticket_keys", |cx| ticket_keys(cx, keys))
        }
        Some(SessionTicketKeysType::SessionTicketKeysSdsSecretConfig(config)) => {
            cx.field("session_ticket_keys_sds_secret_config", |cx| {
                let keys = named_secret(cx, &config)?;
                ticket_keys(cx, keys)
            })
        }
    }
}

fn ticket_keys(cx: &mut ParseCx, proto: TlsSessionTicketKeys) -> Parsed<Tickets> {
    let keys = cx.list("keys", proto.keys, |cx, source| {
        let bytes = data_source(cx, source)?;
        TicketKey::new(&bytes).ok_or_else(|| {
            cx.error(format!(
                "Incorrect TLS session ticket key length. Length {}, expected length {KEY_BYTES}.",
                bytes.len()
            ))
        })
    });
    Ok(Tickets::Configured(keys?))
}
