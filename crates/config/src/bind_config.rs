//! `envoy.config.core.v3.BindConfig`: what upstream sockets are bound to first.

use crate::address::socket_address;
use crate::socket_option::stream_options;
use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::{SocketOption, SocketOptions};
use nuncio_proto::envoy::config::core::v3 as proto;
use std::net::SocketAddr;

/// The only selector there is: the first address of the host's family.
const DEFAULT_SELECTOR: &str =
    "envoy.config.upstream.local_address_selector.v3.DefaultLocalAddressSelector";

type Other = (SocketAddr, Option<Vec<SocketOption>>);

/// Addresses beside the first: in the newer list, else in the older.
fn others(
    cx: &mut ParseCx,
    extra: Vec<proto::ExtraSourceAddress>,
    additional: Vec<proto::SocketAddress>,
) -> Parsed<Vec<Other>> {
    let extra = cx.list("extra_source_addresses", extra, |cx, extra| {
        let Some(address) = extra.address else {
            return Err(cx.error("field: 'address', reason: is required"));
        };
        let address = ip(cx, "address", address)?;
        let raw = extra.socket_options.map(|options| options.socket_options);
        let raw = raw.map(|raw| stream_options(cx, "socket_options", raw));
        let raw = raw.transpose()?.map(|raw| {
            let options = raw.into_iter().map(|converted| converted.option);
            options.collect()
        });
        Ok(address.map(|address| (address, raw)))
    })?;
    let additional = cx.list("additional_source_addresses", additional, |cx, address| {
        let address = cx.field("address", |cx| socket_address(cx, address))?;
        Ok(address.address.ip().map(|address| (address, None)))
    })?;
    if !extra.is_empty() && !additional.is_empty() {
        return Err(cx.error(
            "Can't specify both `extra_source_addresses` and `additional_source_addresses` in the \
             upstream_bind_config",
        ));
    }
    Ok(extra.into_iter().chain(additional).flatten().collect())
}

/// There may be one beside the first, for the other family.
fn check_others(
    cx: &mut ParseCx,
    first: Option<SocketAddr>,
    others: Vec<Other>,
) -> Parsed<Option<Other>> {
    let count = others.len();
    let Some(other) = others.into_iter().next() else {
        return Ok(None);
    };
    match first {
        None => Err(cx.error(
            "source_address is required when extra_source_addresses or \
             additional_source_addresses are set",
        )),
        Some(_) if count > 1 => Err(cx.error(
            "upstream_bind_config has more than one extra/additional source addresses. Only one \
             extra/additional source can be supported in BindConfig",
        )),
        Some(first) if first.is_ipv4() == other.0.is_ipv4() => Err(cx.error(
            "upstream_bind_config has two same IP version source addresses. Only two different \
             IP version source addresses can be supported in BindConfig",
        )),
        Some(_) => Ok(Some(other)),
    }
}

fn ip(
    cx: &mut ParseCx,
    field: &'static str,
    proto: proto::SocketAddress,
) -> Parsed<Option<SocketAddr>> {
    let parsed = cx.field(field, |cx| socket_address(cx, proto))?;
    Ok(parsed.address.ip())
}

/// Adds what a bind config says.
///
/// # Errors
/// Recorded in `cx`.
pub fn bind_config(
    cx: &mut ParseCx,
    proto: proto::BindConfig,
    options: &mut SocketOptions,
) -> Parsed<()> {
    if let Some(selector) = &proto.local_address_selector {
        let config = selector.typed_config.clone().unwrap_or_default();
        if nuncio_proto::any::type_name(&config) != DEFAULT_SELECTOR {
            return Err(cx.field("local_address_selector", |cx| {
                unknown_extension(cx, &selector.name, &config)
            }));
        }
    }
    if let Some(source) = proto.source_address {
        options.source = ip(cx, "source_address", source)?;
    }
    options.freebind = proto.freebind.as_ref().is_some_and(|value| value.value);
    let others = others(
        cx,
        proto.extra_source_addresses,
        proto.additional_source_addresses,
    )?;
    options.other_source = check_others(cx, options.source, others)?;
    let raw = stream_options(cx, "socket_options", proto.socket_options)?;
    options
        .raw
        .extend(raw.into_iter().map(|converted| converted.option));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    fn converted(more: &str) -> Result<SocketOptions, String> {
        let yaml = format!("{{source_address: {{address: 127.0.0.1, port_value: 0}}, {more}}}");
        convert(&yaml, |cx, proto| {
            let mut options = SocketOptions::default();
            bind_config(cx, proto, &mut options)?;
            Ok(options)
        })
    }

    #[test]
    fn one_more_address_is_for_the_other_family() {
        let v6 = "{address: '::1', port_value: 0}";
        let option = "socket_options: {socket_options: [{level: 1, name: 2, int_value: 3}]}";
        for (more, options) in [
            (format!("additional_source_addresses: [{v6}]"), None),
            (format!("extra_source_addresses: [{{address: {v6}}}]"), None),
            (
                format!("extra_source_addresses: [{{address: {v6}, {option}}}]"),
                Some(1),
            ),
        ] {
            let (address, raw) = converted(&more).unwrap().other_source.unwrap();
            assert_eq!(address, "[::1]:0".parse().unwrap());
            assert_eq!(raw.map(|raw| raw.len()), options, "{more}");
        }
        assert!(converted("freebind: true").unwrap().freebind);
        let v4 = "{address: 127.0.0.2, port_value: 0}";
        for (more, part) in [
            (
                format!("additional_source_addresses: [{v4}]"),
                "two same IP version",
            ),
            (
                format!("additional_source_addresses: [{v6}, {v6}]"),
                "more than one extra",
            ),
        ] {
            let error = converted(&more).unwrap_err();
            assert!(error.contains(part), "{more}: {error}");
        }
    }
}
