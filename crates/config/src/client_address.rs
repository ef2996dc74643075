//! How the client's address is found, and which addresses are internal.

use crate::matching::cidr_range;
use crate::unknown_extension::unknown_extension;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_http::conn_manager::{InternalAddresses, OriginalIpDetection};
use nuncio_matching::CidrList;
use nuncio_proto::any;
use nuncio_proto::envoy::config::core::v3::{CidrRange, TypedExtensionConfig};
use nuncio_proto::envoy::extensions::filters::network::http_connection_manager::v3 as proto;
use nuncio_proto::envoy::extensions::http::original_ip_detection::custom_header::v3::CustomHeaderConfig;
use nuncio_proto::envoy::extensions::http::original_ip_detection::xff::v3::XffConfig;
use proto::http_connection_manager::InternalAddressConfig;

/// Converts `internal_address_config`.
///
/// # Errors
/// A range whose address is none.
pub fn internal_addresses(
    cx: &mut ParseCx,
    config: Option<InternalAddressConfig>,
) -> Parsed<InternalAddresses> {
    let Some(config) = config else {
        return Ok(InternalAddresses::default());
    };
    cx.field("internal_address_config", |cx| {
        Ok(InternalAddresses {
            unix_sockets: config.unix_sockets,
            ranges: ranges(cx, "cidr_ranges", config.cidr_ranges)?,
        })
    })
}

fn ranges(cx: &mut ParseCx, field: &'static str, ranges: Vec<CidrRange>) -> Parsed<CidrList> {
    Ok(CidrList::new(cx.list(field, ranges, cidr_range)?))
}

/// Converts `original_ip_detection_extensions`, or where there are none `xff_num_trusted_hops`.
///
/// # Errors
/// An extension that is not here, or is configured wrongly, in Envoy's words.
pub fn original_ip(
    cx: &mut ParseCx,
    proto: &proto::HttpConnectionManager,
) -> Parsed<Vec<OriginalIpDetection>> {
    const FIELD: &str = "original_ip_detection_extensions";
    let use_remote_address = proto.use_remote_address.is_some_and(|value| value.value);
    let extensions = proto.original_ip_detection_extensions.clone();
    if extensions.is_empty() {
        return Ok(vec![OriginalIpDetection::Xff {
            trusted_hops: proto.xff_num_trusted_hops as usize,
            skip_append: true,
        }]);
    }
    if use_remote_address {
        return Err(cx.error_at(
            FIELD,
            "Original IP detection extensions and use_remote_address may not be mixed",
        ));
    }
    if proto.xff_num_trusted_hops > 0 {
        return Err(cx.error_at(
            FIELD,
            "Original IP detection extensions and xff_num_trusted_hops may not be mixed",
        ));
    }
    cx.list(FIELD, extensions, detection)
}

fn detection(cx: &mut ParseCx, extension: TypedExtensionConfig) -> Parsed<OriginalIpDetection> {
    let config = extension.typed_config.unwrap_or_default();
    match any::type_name(&config) {
        "envoy.extensions.http.original_ip_detection.custom_header.v3.CustomHeaderConfig" => {
            let config: CustomHeaderConfig = cx.unpack(&config)?;
            let status = config.reject_with_status.map(|status| status.code);
            Ok(OriginalIpDetection::CustomHeader {
                name: HeaderName::new(&config.header_name),
                trusted: config.allow_extension_to_set_address_as_trusted,
                reject_with: status.map(|code| {
                    u16::try_from(code)
                        .ok()
                        .filter(|code| (400..=511).contains(code))
                        .unwrap_or(403)
                }),
            })
        }
        "envoy.extensions.http.original_ip_detection.xff.v3.XffConfig" => {
            let config: XffConfig = cx.unpack(&config)?;
            let skip_append = config.skip_xff_append.is_none_or(|value| value.value);
            let Some(trusted) = config.xff_trusted_cidrs else {
                return Ok(OriginalIpDetection::Xff {
                    trusted_hops: config.xff_num_trusted_hops as usize,
                    skip_append,
                });
            };
            if config.xff_num_trusted_hops > 0 {
                return Err(cx.error("Cannot set both xff_num_trusted_hops and xff_trusted_cidrs"));
            }
            Ok(OriginalIpDetection::XffTrusted {
                trusted: cx.field("xff_trusted_cidrs", |cx| ranges(cx, "cidrs", trusted.cidrs))?,
                skip_append,
            })
        }
        _ => Err(unknown_extension(cx, &extension.name, &config)),
    }
}
