//! `path_match_policy` and `path_rewrite_policy` of routes, and RBAC's `uri_template`: the
//! extensions of that name.

use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_matching::{Regex, UriTemplate};
use nuncio_proto::any;
use nuncio_proto::envoy::config::core::v3::TypedExtensionConfig;
use nuncio_proto::envoy::extensions::path::r#match::uri_template::v3::UriTemplateMatchConfig;
use nuncio_proto::envoy::extensions::path::rewrite::uri_template::v3::UriTemplateRewriteConfig;
use nuncio_route::rewrite::PathRewrite;

const MATCH: &str = "envoy.extensions.path.match.uri_template.v3.UriTemplateMatchConfig";
const REWRITE: &str = "envoy.extensions.path.rewrite.uri_template.v3.UriTemplateRewriteConfig";

/// What a path must be for a template.
///
/// # Errors
/// Another extension; what Envoy says of a template that is none.
pub fn path_match(cx: &mut ParseCx, policy: TypedExtensionConfig) -> Parsed<Regex> {
    let config = policy.typed_config.unwrap_or_default();
    if any::type_name(&config) != MATCH {
        return Err(unknown_extension(cx, &policy.name, &config));
    }
    let text = cx.unpack::<UriTemplateMatchConfig>(&config)?.path_template;
    let template = UriTemplate::parse(&text).map_err(|error| {
        cx.error(format!(
            "path_match_policy.path_template {text} is invalid: {error}"
        ))
    })?;
    let regex = template.matcher();
    regex.map_err(|error| cx.error(error.to_string()))
}

/// What becomes of a path that a template stands for; `matched` is the route's match policy.
///
/// # Errors
/// As above, and a rewrite that does not go with the template.
pub fn path_rewrite(
    cx: &mut ParseCx,
    policy: &TypedExtensionConfig,
    matched: Option<&TypedExtensionConfig>,
) -> Parsed<PathRewrite> {
    let config = policy.typed_config.clone().unwrap_or_default();
    if any::type_name(&config) != REWRITE {
        return Err(unknown_extension(cx, &policy.name, &config));
    }
    let text = cx
        .unpack::<UriTemplateRewriteConfig>(&config)?
        .path_template_rewrite;
    if !UriTemplate::is_rewrite(&text) {
        return Err(cx.error(format!(
            "path_rewrite_policy.path_template_rewrite {text} is invalid"
        )));
    }
    let matched = matched.and_then(|matched| matched.typed_config.as_ref());
    let Some(matched) = matched.filter(|matched| any::type_name(matched) == MATCH) else {
        return Err(cx.error(
            "unable to use envoy.path.rewrite.uri_template.uri_template_rewriter extension \
             without envoy.path.match.uri_template.uri_template_matcher extension",
        ));
    };
    let template = cx.unpack::<UriTemplateMatchConfig>(matched)?.path_template;
    // A bad template is an error of the match.
    let Ok(parsed) = UriTemplate::parse(&template) else {
        return Ok(PathRewrite::Keep);
    };
    match parsed.rewrite(&text) {
        Some(rewrite) => rewrite
            .map(PathRewrite::Regex)
            .map_err(|error| cx.error(error.to_string())),
        None => Err(cx.error(format!(
            "mismatch between variables in path_match_policy {template} and path_rewrite_policy \
             {text}"
        ))),
    }
}
