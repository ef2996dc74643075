//! `CommonTlsContext`, `TlsCertificate`.

use crate::tls::certificate;
use crate::tls::identity::{Identity, PemSource};
use crate::tls::key_log::OptionalKeyLog;
use crate::tls::key_log::config::key_log;
use crate::tls::params::TlsParams;
use crate::tls::validation::Validation;
use crate::tls::validation::config::validation;
use nuncio_config::certificates::{CertificatesInUse, ContextCertificates, LoadedCertificate};
use nuncio_config::common::data_source;
use nuncio_config::secret::named_secret;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::DataSource;
use nuncio_proto::envoy::config::core::v3::data_source::Specifier;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use rustls::crypto::WebPkiSupportedAlgorithms;
use std::sync::Arc;

/// What both sides have.
pub struct Common {
    /// Certificates with their keys.
    identities: Vec<Identity>,
    /// What the peer's certificate is held against.
    pub validation: Validation,
    /// Servers don't tell clients of their authorities.
    pub suppress_client_ca_list: bool,
    /// Application protocols.
    pub alpn: Vec<Vec<u8>>,
    /// Whose secrets are logged.
    pub key_log: OptionalKeyLog,
    /// For the admin.
    pub certificates: Arc<ContextCertificates>,
}

impl Common {
    /// The certificates, with keys that sign as the parameters have it.
    pub fn identities(&mut self, params: &TlsParams) -> Arc<[Identity]> {
        let mut identities = std::mem::take(&mut self.identities);
        for identity in &mut identities {
            identity.limit(&params.schemes);
        }
        identities.into()
    }
}

/// Converts all but `tls_params`.
///
/// # Errors
/// Certificates, keys and authorities that can't be read or don't fit; what is not built.
pub fn common(
    cx: &mut ParseCx,
    proto: proto::CommonTlsContext,
    algorithms: WebPkiSupportedAlgorithms,
) -> Parsed<Common> {
    let checks = [
        (
            "tls_certificate_provider_instance",
            proto.tls_certificate_provider_instance.is_some(),
        ),
        (
            "custom_tls_certificate_selector",
            proto.custom_tls_certificate_selector.is_some(),
        ),
        (
            "tls_certificate_certificate_provider",
            proto.tls_certificate_certificate_provider.is_some(),
        ),
        (
            "tls_certificate_certificate_provider_instance",
            proto
                .tls_certificate_certificate_provider_instance
                .is_some(),
        ),
        ("custom_handshaker", proto.custom_handshaker.is_some()),
    ];
    let mut refused = Ok(());
    for (field, used) in checks {
        refused = refused.and(cx.refuse(field, used));
    }
    let own = cx.list("tls_certificates", proto.tls_certificates, |cx, own| {
        identity(cx, own, "")
    });
    let by_name = cx.list(
        "tls_certificate_sds_secret_configs",
        proto.tls_certificate_sds_secret_configs,
        |cx, config| {
            let certificate = named_secret(cx, &config)?;
            identity(cx, certificate, &config.name)
        },
    );
    let key_log = cx.optional("key_log", proto.key_log, key_log);
    let named = validation_context(cx, proto.validation_context_type)?;
    let suppress_client_ca_list = named.context.suppress_client_ca_list;
    let validation = cx.field("validation_context", |cx| validation(cx, named, algorithms));
    refused?;
    let mut identities = own?;
    identities.extend(by_name?);
    let validation = validation?;
    let certificates = Arc::new(certificates(&identities, &validation));
    CertificatesInUse::of(cx.env()).add(&certificates);
    Ok(Common {
        identities,
        validation,
        suppress_client_ca_list,
        alpn: protocols(cx, &proto.alpn_protocols)?,
        key_log: key_log?,
        certificates,
    })
}

fn certificates(identities: &[Identity], validation: &Validation) -> ContextCertificates {
    let own = identities.iter().map(|identity| LoadedCertificate {
        path: identity.path.clone(),
        info: Arc::clone(&identity.info),
    });
    let authorities = validation.authorities().filter_map(|ca| {
        Some(LoadedCertificate {
            path: ca.path.clone(),
            info: Arc::new(certificate::read(ca.certificates.first()?)?),
        })
    });
    ContextCertificates {
        authorities: authorities.collect(),
        own: own.collect(),
    }
}

/// Where the bytes of a data source come from, as errors tell it.
pub fn source_name(source: Option<&DataSource>) -> String {
    match source.and_then(|source| source.specifier.as_ref()) {
        Some(Specifier::Filename(path)) => path.clone(),
        _ => "<inline>".to_owned(),
    }
}

fn identity(cx: &mut ParseCx, proto: proto::TlsCertificate, name: &str) -> Parsed<Identity> {
    let checks = [
        ("pkcs12", proto.pkcs12.is_some()),
        ("private_key_provider", proto.private_key_provider.is_some()),
        (
            "signed_certificate_timestamp",
            !proto.signed_certificate_timestamp.is_empty(),
        ),
        ("tls_params", proto.tls_params.is_some()),
    ];
    let mut refused = Ok(());
    for (field, used) in checks {
        refused = refused.and(cx.refuse(field, used));
    }
    let chain = cx.required("certificate_chain", proto.certificate_chain, pem_source);
    let key = cx.required("private_key", proto.private_key, pem_source);
    let password = cx.optional("password", proto.password, data_source);
    let ocsp = ocsp_staple(cx, proto.ocsp_staple);
    refused?;
    let password = password?.unwrap_or_default();
    Identity::new(&chain?, (&key?, &password), ocsp?, name).map_err(|error| cx.error(error))
}

fn ocsp_staple(cx: &mut ParseCx, source: Option<DataSource>) -> Parsed<Option<Vec<u8>>> {
    let Some(source) = source else {
        return Ok(None);
    };
    cx.field("ocsp_staple", |cx| {
        if let Some(Specifier::InlineString(_)) = source.specifier {
            return Err(cx.error("OCSP staple cannot be provided via inline_string"));
        }
        let response = data_source(cx, source)?;
        Ok(Some(response).filter(|response| !response.is_empty()))
    })
}

/// The text of a data source.
pub fn pem_source(cx: &mut ParseCx, source: DataSource) -> Parsed<PemSource> {
    let path = source_name(Some(&source));
    let pem = data_source(cx, source)?;
    Ok(PemSource { pem, path })
}

type Context = proto::CertificateValidationContext;

/// What peers are held against, and the name of the secret that it is from, if any.
#[derive(Default)]
pub struct NamedContext {
    /// What they are held against.
    pub context: Context,
    /// The secret's name.
    pub name: String,
}

fn validation_context(
    cx: &mut ParseCx,
    kind: Option<proto::common_tls_context::ValidationContextType>,
) -> Parsed<NamedContext> {
    use nuncio_proto::Message;
    use proto::common_tls_context::ValidationContextType as Kind;
    match kind {
        None => Ok(NamedContext::default()),
        Some(Kind::ValidationContext(context)) => Ok(NamedContext {
            context,
            name: String::new(),
        }),
        Some(Kind::ValidationContextSdsSecretConfig(config)) => {
            cx.field("validation_context_sds_secret_config", |cx| {
                Ok(NamedContext {
                    context: named_secret(cx, &config)?,
                    name: config.name,
                })
            })
        }
        Some(Kind::CombinedValidationContext(combined)) => {
            cx.field("combined_validation_context", |cx| {
                let mut context = combined.default_validation_context.unwrap_or_default();
                let mut name = String::new();
                if let Some(config) = combined.validation_context_sds_secret_config {
                    let named: Context = cx
                        .field("validation_context_sds_secret_config", |cx| {
                            named_secret(cx, &config)
                        })?;
                    // As protobuf merges messages.
                    let merged = context.merge(named.encode_to_vec().as_slice());
                    merged.map_err(|error| cx.error(error.to_string()))?;
                    name = config.name;
                }
                Ok(NamedContext { context, name })
            })
        }
        Some(
            Kind::ValidationContextCertificateProvider(_)
            | Kind::ValidationContextCertificateProviderInstance(_),
        ) => Err(cx.not_built("validation_context_certificate_provider")),
    }
}

fn protocols(cx: &mut ParseCx, names: &[String]) -> Parsed<Vec<Vec<u8>>> {
    let names = names.iter().flat_map(|entry| entry.split(','));
    let valid = |name: &&str| (1..256).contains(&name.len());
    let all: Vec<_> = names.collect();
    if !all.iter().all(valid) {
        return Err(cx.error_at("alpn_protocols", "Invalid ALPN protocol string"));
    }
    Ok(all.iter().map(|name| name.as_bytes().to_vec()).collect())
}
