//! `SPIFFECertValidatorConfig`. Bundles of all domains in one file, and domains of workloads, are
//! refused.

use super::TrustBundles;
use crate::tls::common::config::{pem_source, source_name};
use crate::tls::validation::TrustedCa;
use crate::tls::validation::config::anchors;
use aws_lc_rs::digest;
use nuncio_config::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::any;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::transport_sockets::tls::v3 as proto;
use proto::spiffe_cert_validator_config::TrustDomain;
use rustls::crypto::WebPkiSupportedAlgorithms;

const TYPE: &str = "envoy.extensions.transport_sockets.tls.v3.SPIFFECertValidatorConfig";

/// Converts a context's `custom_validator_config`.
///
/// # Errors
/// Another validator; domains that are named twice; files that have no certificates.
pub fn trust_bundles(
    cx: &mut ParseCx,
    extension: TypedExtensionConfig,
    context: &proto::CertificateValidationContext,
    algorithms: WebPkiSupportedAlgorithms,
    digest: &mut digest::Context,
) -> Parsed<TrustBundles> {
    let config = extension.typed_config.unwrap_or_default();
    if any::type_name(&config) != TYPE {
        return Err(unknown_extension(cx, &extension.name, &config));
    }
    let config = cx.unpack::<proto::SpiffeCertValidatorConfig>(&config)?;
    cx.refuse("trust_bundles", config.trust_bundles.is_some())?;
    let mut known = Vec::new();
    let domains = cx.list("trust_domains", config.trust_domains, |cx, domain| {
        let TrustDomain {
            name,
            trust_bundle,
            workload_trust_domain,
        } = domain;
        cx.refuse("workload_trust_domain", !workload_trust_domain.is_empty())?;
        if known.contains(&name) {
            return Err(cx.error(format!(
                "Multiple trust bundles are given for one trust domain for {name}, workload: "
            )));
        }
        known.push(name.clone());
        let path = source_name(trust_bundle.as_ref());
        let failed = || format!("Failed to load trusted CA certificate for {name}");
        let source = match trust_bundle {
            Some(source) => cx.field("trust_bundle", |cx| pem_source(cx, source))?,
            None => return Err(cx.error(failed())),
        };
        digest.update(&source.pem);
        let (certificates, anchors) = anchors(&source.pem).ok_or_else(|| cx.error(failed()))?;
        let authorities = TrustedCa {
            path: format!("{name}: {path}"),
            certificates,
            anchors,
            crls: Vec::new(),
            only_leaf_crl: false,
            allow_expired: context.allow_expired_certificate,
            max_depth: context.max_verify_depth.map(|depth| depth.value),
            algorithms,
        };
        Ok((name, authorities))
    });
    domains.map(TrustBundles)
}
