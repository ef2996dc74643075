//! Protos to [`HeaderToMetadataSpec`] and [`Rules`].

use super::HeaderToMetadata;
use super::filter::{HeaderToMetadataSpec, Rules};
use super::rule::{KeyValue, Rule, Selector, ValueType};
use nuncio_config::cluster_target::header_to_ask;
use nuncio_config::matching::substitution;
use nuncio_extension::http_filter::HttpFilterCx;
use nuncio_extension::{HttpFilterExtension, ParseCx, Parsed};
use nuncio_proto::envoy::extensions::filters::http::header_to_metadata::v3 as proto;
use proto::config as nested;
use std::sync::Arc;

impl HttpFilterExtension for HeaderToMetadata {
    const NAME: &'static str = "envoy.filters.http.header_to_metadata";
    type Proto = proto::Config;
    type RouteProto = proto::Config;
    type Spec = HeaderToMetadataSpec;
    type RouteSpec = Rules;

    fn parse(
        &self,
        proto: proto::Config,
        _: &HttpFilterCx,
        cx: &mut ParseCx,
    ) -> Parsed<HeaderToMetadataSpec> {
        let prefix = proto.stat_prefix.clone();
        let stats = (!prefix.is_empty()).then(|| {
            let name = format!("http_filter_name.{prefix}");
            cx.env().scope().scope(&name).group()
        });
        Ok(HeaderToMetadataSpec {
            rules: Arc::new(rules(cx, proto)?),
            stats,
        })
    }

    fn parse_route(&self, proto: proto::Config, cx: &mut ParseCx) -> Parsed<Rules> {
        if proto.request_rules.is_empty() && proto.response_rules.is_empty() {
            return Err(cx.error(
                "header_to_metadata_filter: Per filter configs must at least specify either \
                 request or response rules",
            ));
        }
        cx.refuse("stat_prefix", !proto.stat_prefix.is_empty())?;
        rules(cx, proto)
    }
}

fn rules(cx: &mut ParseCx, proto: proto::Config) -> Parsed<Rules> {
    let request = cx.list("request_rules", proto.request_rules, rule);
    let response = cx.list("response_rules", proto.response_rules, rule);
    Ok(Rules {
        request: request?,
        response: response?,
    })
}

fn rule(cx: &mut ParseCx, proto: nested::Rule) -> Parsed<Rule> {
    let nested::Rule {
        header,
        cookie,
        on_header_present,
        on_header_missing,
        remove,
    } = proto;
    let selector = match (header.as_str(), cookie.as_str()) {
        ("", "") => return Err(cx.error("One of Cookie or Header option needs to be specified")),
        (_, "") => Selector::Header(header_to_ask(&header)),
        ("", _) if remove => return Err(cx.error("Cannot specify remove for cookie")),
        ("", _) => Selector::Cookie(cookie.into_bytes()),
        _ => return Err(cx.error("Cannot specify both header and cookie in the same rule")),
    };
    if on_header_present.is_none() && on_header_missing.is_none() {
        return Err(cx.error(format!(
            "header to metadata filter: rule for header '{header}' has neither \
             `on_header_present` nor `on_header_missing` set"
        )));
    }
    if on_header_missing
        .as_ref()
        .is_some_and(|set| set.value.is_empty())
    {
        return Err(cx.error("Cannot specify on_header_missing rule with an empty value"));
    }
    Ok(Rule {
        selector,
        present: cx.optional("on_header_present", on_header_present, key_value)?,
        missing: cx.optional("on_header_missing", on_header_missing, key_value)?,
        remove,
    })
}

fn key_value(cx: &mut ParseCx, proto: nested::KeyValuePair) -> Parsed<KeyValue> {
    let kind = match proto.r#type() {
        nested::ValueType::String => ValueType::Text,
        nested::ValueType::Number => ValueType::Number,
        nested::ValueType::ProtobufValue => ValueType::Encoded,
    };
    let base64 = proto.encode() == nested::ValueEncode::Base64;
    let nested::KeyValuePair {
        metadata_namespace,
        key,
        value,
        regex_value_rewrite,
        ..
    } = proto;
    if regex_value_rewrite.is_some() && !value.is_empty() {
        return Err(cx.error("Cannot specify both value and regex_value_rewrite"));
    }
    Ok(KeyValue {
        namespace: match metadata_namespace.is_empty() {
            true => HeaderToMetadata::NAME.to_owned(),
            false => metadata_namespace,
        },
        key,
        value,
        rewrite: cx.optional("regex_value_rewrite", regex_value_rewrite, substitution)?,
        kind,
        base64,
    })
}
