//! `GrpcService.GoogleGrpc`: a service named by its address. Envoy asks it through gRPC's own
//! library; here an internal cluster leads there, so TLS, DNS and HTTP/2 are the usual ones.

use crate::common::data_source;
use crate::google_grpc_target::{Target, target};
use crate::internal_clusters::InternalClusters;
use core::grpc_service::GoogleGrpc as Proto;
use core::grpc_service::google_grpc as parts;
use nuncio_base::{HeaderName, names};
use nuncio_extension::{ParseCx, Parsed};
use nuncio_grpc::{CallCredentials, GoogleGrpc, GrpcService, Token};
use nuncio_proto::any;
use nuncio_proto::envoy::config::cluster::v3 as cluster;
use nuncio_proto::envoy::config::core::v3 as core;
use nuncio_proto::envoy::config::grpc_credential::v3::FileBasedMetadataConfig;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as tls;
use nuncio_proto::google::protobuf::{Duration, UInt32Value};
use parts::call_credentials::CredentialSpecifier as CallSpecifier;
use parts::channel_args::value::ValueSpecifier;
use parts::channel_credentials::CredentialSpecifier as ChannelSpecifier;
use std::path::PathBuf;

/// How long making a connection may take, in seconds (gRPC's "Connection Backoff Protocol":
/// `MIN_CONNECT_TIMEOUT`).
const CONNECT_TIMEOUT: i64 = 20;

/// How long a message may be where nothing is said, in bytes, as in gRPC's library.
const MAX_MESSAGE_BYTES: usize = 4 << 20;

/// The factories of credentials that there are.
const DEFAULT_FACTORY: &str = "envoy.grpc_credentials.default";
const FILE_FACTORY: &str = "envoy.grpc_credentials.file_based_metadata";

/// Where the operating systems keep the authorities they trust, in the order that gRPC's library
/// looks for them.
const SYSTEM_ROOTS: [&str; 4] = [
    "/etc/ssl/certs/ca-certificates.crt",
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/ca-bundle.pem",
    "/etc/pki/ca-trust/extracted/pem/tls-ca-bundle.pem",
];

/// Converts the service, without what every kind of service has.
///
/// # Errors
/// Recorded in `cx`.
pub fn google_grpc(cx: &mut ParseCx, proto: Proto) -> Parsed<GrpcService> {
    let refused = refuse_not_built(cx, &proto);
    let target = target(&proto.target_uri).map_err(|reason| cx.error_at("target_uri", reason))?;
    let factory = Factory::of(cx, &proto.credentials_factory_name)?;
    let args = cx.optional("channel_args", proto.channel_args, Args::of)?;
    let args = args.unwrap_or_default();
    let host = args.target_name.clone().unwrap_or(target.host.clone());
    let credentials = proto.channel_credentials;
    let transport_socket = match credentials.and_then(|it| it.credential_specifier) {
        None if factory == Factory::Default => None,
        None => Some(tls_socket(cx, &host, parts::SslCredentials::default())?),
        Some(specifier) => cx.field("channel_credentials", |cx| {
            channel_credentials(cx, specifier, &target, &host)
        })?,
    };
    let secure = transport_socket.is_some();
    let calls = cx.list("call_credentials", proto.call_credentials, |cx, call| {
        if !secure {
            return Err(cx.error("call credentials are not sent over connections without TLS"));
        }
        call_credentials(cx, &factory, call)
    })?;
    refused?;
    let name = cx.field("channel_credentials", |cx| {
        let proto = cluster_of(&target, transport_socket, &args);
        InternalClusters::of(cx.env()).add(cx, "google_grpc", proto)
    })?;
    let scope = cx.env().scope().scope("grpc").scope(&proto.stat_prefix);
    Ok(GrpcService {
        cluster: name,
        authority: args.target_name.unwrap_or(target.authority),
        envoy_headers: false,
        max_message_bytes: args.max_message_bytes.unwrap_or(MAX_MESSAGE_BYTES),
        google: Some(GoogleGrpc {
            target: proto.target_uri,
            secure,
            credentials: calls,
            stats: scope.group(),
            stat_prefix: proto.stat_prefix,
        }),
        ..GrpcService::new("")
    })
}

/// `config` is for factories that are not in Envoy.
fn refuse_not_built(cx: &mut ParseCx, proto: &Proto) -> Parsed<()> {
    let plugins = !proto.channel_credentials_plugin.is_empty();
    let call_plugins = !proto.call_credentials_plugin.is_empty();
    let limit = proto.per_stream_buffer_limit_bytes.is_some();
    cx.refuse("channel_credentials_plugin", plugins)
        .and(cx.refuse("call_credentials_plugin", call_plugins))
        .and(cx.refuse("per_stream_buffer_limit_bytes", limit))
}

/// What makes credentials.
#[derive(PartialEq, Eq)]
enum Factory {
    Default,
    File,
}

impl Factory {
    fn of(cx: &mut ParseCx, name: &str) -> Parsed<Self> {
        match name {
            "" | DEFAULT_FACTORY => Ok(Self::Default),
            FILE_FACTORY => Ok(Self::File),
            "envoy.grpc_credentials.aws_iam" => Err(cx.not_built("credentials_factory_name")),
            name => Err(cx.error_at(
                "credentials_factory_name",
                format!("Unknown google grpc credentials factory: {name}"),
            )),
        }
    }
}

/// How connections are made secure; none for plain ones.
fn channel_credentials(
    cx: &mut ParseCx,
    specifier: ChannelSpecifier,
    target: &Target,
    host: &str,
) -> Parsed<Option<core::TransportSocket>> {
    match specifier {
        ChannelSpecifier::SslCredentials(ssl) => {
            cx.field("ssl_credentials", |cx| tls_socket(cx, host, ssl).map(Some))
        }
        ChannelSpecifier::GoogleDefault(_) => Err(cx.not_built("google_default")),
        ChannelSpecifier::LocalCredentials(_) if target.is_local() => Ok(None),
        ChannelSpecifier::LocalCredentials(_) => Err(cx.error_at(
            "local_credentials",
            "local credentials are for Unix sockets: connections over TCP fail with them",
        )),
    }
}

fn tls_socket(
    cx: &mut ParseCx,
    host: &str,
    ssl: parts::SslCredentials,
) -> Parsed<core::TransportSocket> {
    let inline = |bytes| core::DataSource {
        specifier: Some(core::data_source::Specifier::InlineBytes(bytes)),
        ..Default::default()
    };
    let roots = match ssl.root_certs {
        Some(roots) => cx.field("root_certs", |cx| data_source(cx, roots))?,
        None => system_roots().map_err(|reason| cx.error(reason))?,
    };
    let own = own_certificate(cx, ssl.private_key, ssl.cert_chain)?;
    let own = own.map(|(key, chain)| tls::TlsCertificate {
        certificate_chain: Some(inline(chain)),
        private_key: Some(inline(key)),
        ..Default::default()
    });
    let validation = tls::CertificateValidationContext {
        trusted_ca: Some(inline(roots)),
        ..Default::default()
    };
    let context = tls::UpstreamTlsContext {
        common_tls_context: Some(tls::CommonTlsContext {
            alpn_protocols: vec!["h2".to_owned()],
            tls_certificates: own.into_iter().collect(),
            validation_context_type: Some(
                tls::common_tls_context::ValidationContextType::ValidationContext(validation),
            ),
            ..Default::default()
        }),
        sni: host.to_owned(),
        auto_sni_san_validation: true,
        ..Default::default()
    };
    Ok(core::TransportSocket {
        name: "envoy.transport_sockets.tls".to_owned(),
        config_type: Some(core::transport_socket::ConfigType::TypedConfig(any::pack(
            &context,
        ))),
    })
}

/// The key and the certificates that the server is shown. One without the other is a mistake:
/// gRPC's library leaves certificates without a key out, and can't connect with a key alone.
fn own_certificate(
    cx: &mut ParseCx,
    key: Option<core::DataSource>,
    chain: Option<core::DataSource>,
) -> Parsed<Option<(Vec<u8>, Vec<u8>)>> {
    let key = cx.optional("private_key", key, data_source)?;
    let chain = cx.optional("cert_chain", chain, data_source)?;
    match (key, chain) {
        (None, None) => Ok(None),
        (Some(key), Some(chain)) => Ok(Some((key, chain))),
        (Some(_), None) => Err(cx.error_at("private_key", "private_key needs a cert_chain")),
        (None, Some(_)) => Err(cx.error_at("cert_chain", "cert_chain needs a private_key")),
    }
}

fn system_roots() -> Result<Vec<u8>, String> {
    let named = std::env::var_os("GRPC_DEFAULT_SSL_ROOTS_FILE_PATH").map(PathBuf::from);
    let mut paths = named.into_iter().chain(SYSTEM_ROOTS.map(PathBuf::from));
    let roots = paths.find_map(|path| std::fs::read(path).ok());
    roots.ok_or_else(|| {
        "no trusted authorities: neither root_certs nor the system's, of which \
         GRPC_DEFAULT_SSL_ROOTS_FILE_PATH may name the file"
            .to_owned()
    })
}

fn call_credentials(
    cx: &mut ParseCx,
    factory: &Factory,
    proto: parts::CallCredentials,
) -> Parsed<CallCredentials> {
    let field = match proto.credential_specifier {
        Some(CallSpecifier::AccessToken(token)) if *factory == Factory::Default => {
            let token = cx.field("access_token", |cx| fits_a_header(cx, token.into_bytes()))?;
            return Ok(CallCredentials {
                name: names::AUTHORIZATION.into(),
                prefix: "Bearer ".to_owned(),
                token: Token::Fixed(token),
            });
        }
        Some(CallSpecifier::FromPlugin(plugin)) if *factory == Factory::File => {
            return cx.field("from_plugin", |cx| from_plugin(cx, plugin));
        }
        None => return Err(cx.error("field: 'credential_specifier', reason: is required")),
        Some(CallSpecifier::AccessToken(_)) => "access_token",
        Some(CallSpecifier::FromPlugin(_)) => "from_plugin",
        Some(CallSpecifier::GoogleComputeEngine(_)) => "google_compute_engine",
        Some(CallSpecifier::GoogleRefreshToken(_)) => "google_refresh_token",
        Some(CallSpecifier::ServiceAccountJwtAccess(_)) => "service_account_jwt_access",
        Some(CallSpecifier::GoogleIam(_)) => "google_iam",
        Some(CallSpecifier::StsService(_)) => "sts_service",
    };
    Err(cx.not_built(field))
}

/// A token out of a file, which may be replaced.
fn from_plugin(
    cx: &mut ParseCx,
    plugin: parts::call_credentials::MetadataCredentialsFromPlugin,
) -> Parsed<CallCredentials> {
    use parts::call_credentials::metadata_credentials_from_plugin::ConfigType;
    if plugin.name != FILE_FACTORY {
        return Err(cx.not_built("name"));
    }
    let Some(ConfigType::TypedConfig(config)) = plugin.config_type else {
        return Err(cx.error("field: 'typed_config', reason: is required"));
    };
    cx.field("typed_config", |cx| {
        let config: FileBasedMetadataConfig = cx.unpack(&config)?;
        let key = match config.header_key.as_str() {
            "" => names::AUTHORIZATION.as_str(),
            key if HeaderName::is_valid(key) => key,
            _ => return Err(cx.error_at("header_key", "value is no header name")),
        };
        let token = cx.required("secret_data", config.secret_data, |cx, secret| {
            use core::data_source::Specifier;
            match secret.specifier {
                // It may come later.
                Some(Specifier::Filename(path)) => Ok(Token::File(path.into())),
                _ => {
                    let secret = data_source(cx, secret)?;
                    fits_a_header(cx, secret).map(Token::Fixed)
                }
            }
        })?;
        let prefix = config.header_prefix;
        cx.field("header_prefix", |cx| {
            fits_a_header(cx, prefix.as_bytes()).map(drop)
        })?;
        Ok(CallCredentials {
            name: HeaderName::new(key),
            prefix,
            token,
        })
    })
}

/// What goes into a header as it is; gRPC's library fails calls that have anything else there.
fn fits_a_header<T: AsRef<[u8]>>(cx: &mut ParseCx, value: T) -> Parsed<T> {
    match value.as_ref().iter().any(u8::is_ascii_control) {
        true => Err(cx.error("value has control characters, which can't stand in a header")),
        false => Ok(value),
    }
}

/// What of gRPC's channel arguments has a meaning here.
#[derive(Default)]
struct Args {
    target_name: Option<String>,
    max_message_bytes: Option<usize>,
    keepalive_time_ms: Option<i64>,
    keepalive_timeout_ms: Option<i64>,
}

impl Args {
    fn of(cx: &mut ParseCx, proto: parts::ChannelArgs) -> Parsed<Self> {
        let mut args = Self::default();
        for (name, value) in proto.args {
            let value = value.value_specifier;
            cx.field("args", |cx| cx.key(&name, |cx| args.set(cx, &name, value)))?;
        }
        Ok(args)
    }

    fn set(&mut self, cx: &mut ParseCx, name: &str, value: Option<ValueSpecifier>) -> Parsed<()> {
        match (name, value) {
            (
                "grpc.ssl_target_name_override" | "grpc.default_authority",
                Some(ValueSpecifier::StringValue(name)),
            ) => self.target_name = Some(name),
            ("grpc.max_receive_message_length", Some(ValueSpecifier::IntValue(most))) => {
                let most = usize::try_from(most).unwrap_or(GrpcService::MAX_MESSAGE_BYTES);
                self.max_message_bytes = Some(most);
            }
            ("grpc.keepalive_time_ms", Some(ValueSpecifier::IntValue(time))) if time > 0 => {
                self.keepalive_time_ms = Some(time);
            }
            ("grpc.keepalive_timeout_ms", Some(ValueSpecifier::IntValue(time))) if time > 0 => {
                self.keepalive_timeout_ms = Some(time);
            }
            // As many as are due, as here.
            ("grpc.http2.max_pings_without_data", Some(ValueSpecifier::IntValue(0))) => {}
            _ => return Err(cx.error(format!("channel argument {name} is not supported"))),
        }
        Ok(())
    }

    /// Pings, where they are asked for.
    fn http2(&self) -> core::Http2ProtocolOptions {
        let of = |millis: i64| Duration {
            seconds: millis / 1000,
            nanos: (millis % 1000) as i32 * 1_000_000,
        };
        core::Http2ProtocolOptions {
            connection_keepalive: self.keepalive_time_ms.map(|time| core::KeepaliveSettings {
                interval: Some(of(time)),
                timeout: Some(of(self.keepalive_timeout_ms.unwrap_or(20_000))),
                interval_jitter: Some(Default::default()),
                ..Default::default()
            }),
            ..Default::default()
        }
    }
}

/// The cluster behind a target.
fn cluster_of(
    target: &Target,
    transport_socket: Option<core::TransportSocket>,
    args: &Args,
) -> cluster::Cluster {
    use nuncio_proto::envoy::config::cluster::v3::cluster as kinds;
    let kind = match target.is_name() {
        true => kinds::DiscoveryType::LogicalDns,
        false => kinds::DiscoveryType::Static,
    };
    let most = |value| Some(UInt32Value { value });
    let thresholds = cluster::circuit_breakers::Thresholds {
        max_connections: most(u32::MAX),
        max_pending_requests: most(u32::MAX),
        max_requests: most(u32::MAX),
        ..Default::default()
    };
    cluster::Cluster {
        cluster_discovery_type: Some(kinds::ClusterDiscoveryType::Type(kind.into())),
        dns_lookup_family: kinds::DnsLookupFamily::All.into(),
        lb_policy: kinds::LbPolicy::Random.into(),
        load_assignment: Some(target.load_assignment()),
        connect_timeout: Some(Duration {
            seconds: CONNECT_TIMEOUT,
            nanos: 0,
        }),
        circuit_breakers: Some(cluster::CircuitBreakers {
            thresholds: vec![thresholds],
            ..Default::default()
        }),
        http2_protocol_options: Some(args.http2()),
        transport_socket,
        ..Default::default()
    }
}

#[cfg(test)]
mod tests;
