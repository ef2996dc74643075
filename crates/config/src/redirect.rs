//! `RedirectAction` and `DirectResponseAction` of routes: protos to `nuncio_route`.

use crate::common::data_source;
use crate::format::{substitution_format, text_format};
use crate::matching::substitution;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::core::v3::DataSource;
use nuncio_proto::envoy::config::core::v3::data_source::Specifier;
use nuncio_proto::envoy::config::route::v3 as proto;
use nuncio_proto::envoy::config::route::v3::redirect_action::{
    PathRewriteSpecifier, RedirectResponseCode, SchemeRewriteSpecifier,
};
use nuncio_route::direct_response::DirectResponseFormat;
use nuncio_route::redirect::RedirectPath;
use nuncio_route::rewrite::PathRewrite;
use nuncio_route::{DirectResponse, Redirect};
use std::sync::Arc;

/// A redirect.
///
/// # Errors
/// A bad regex, a bad format.
pub fn redirect(cx: &mut ParseCx, proto: proto::RedirectAction) -> Parsed<Redirect> {
    let status = match proto.response_code() {
        RedirectResponseCode::MovedPermanently => 301,
        RedirectResponseCode::Found => 302,
        RedirectResponseCode::SeeOther => 303,
        RedirectResponseCode::TemporaryRedirect => 307,
        RedirectResponseCode::PermanentRedirect => 308,
    };
    let proto::RedirectAction {
        host_redirect,
        port_redirect,
        response_code: _,
        strip_query,
        scheme_rewrite_specifier,
        path_rewrite_specifier,
    } = proto;
    let scheme = match scheme_rewrite_specifier {
        Some(SchemeRewriteSpecifier::HttpsRedirect(true)) => "https".into(),
        Some(SchemeRewriteSpecifier::SchemeRedirect(scheme)) => scheme.into(),
        Some(SchemeRewriteSpecifier::HttpsRedirect(false)) | None => "".into(),
    };
    let path = match path_rewrite_specifier {
        Some(PathRewriteSpecifier::PathRedirect(path)) if !path.is_empty() => {
            RedirectPath::Whole(path.into())
        }
        Some(PathRewriteSpecifier::PrefixRewrite(prefix)) if !prefix.is_empty() => {
            RedirectPath::Rewrite(PathRewrite::Prefix(prefix.into_bytes().into()))
        }
        Some(PathRewriteSpecifier::RegexRewrite(rewrite)) => {
            let rewrite = cx.field("regex_rewrite", |cx| substitution(cx, rewrite))?;
            RedirectPath::Rewrite(PathRewrite::Regex(rewrite))
        }
        Some(PathRewriteSpecifier::PathRewrite(format)) if !format.is_empty() => {
            let format = cx.field("path_rewrite", |cx| text_format(cx, &format, true))?;
            RedirectPath::Format(Arc::new(format))
        }
        Some(
            PathRewriteSpecifier::PathRedirect(_)
            | PathRewriteSpecifier::PrefixRewrite(_)
            | PathRewriteSpecifier::PathRewrite(_),
        )
        | None => RedirectPath::Rewrite(PathRewrite::Keep),
    };
    Ok(Redirect {
        status,
        scheme,
        host: host_redirect.into(),
        port: port_redirect,
        path,
        strip_query,
    })
}

/// An answer without an upstream; its body has at most `max_body` bytes.
///
/// # Errors
/// A body that is too large or not there, a bad format.
pub fn direct_response(
    cx: &mut ParseCx,
    proto: proto::DirectResponseAction,
    max_body: usize,
) -> Parsed<DirectResponse> {
    let proto::DirectResponseAction {
        status,
        body,
        body_format,
    } = proto;
    let status = u16::try_from(status).map_err(|_| cx.error_at("status", "value out of range"))?;
    let body = cx.optional("body", body, |cx, source| body_of(cx, source, max_body))?;
    let format = cx.optional("body_format", body_format, substitution_format)?;
    Ok(DirectResponse {
        status,
        body: body.unwrap_or_default().into(),
        format: format.map(|format| DirectResponseFormat {
            formatter: Arc::new(format.formatter),
            content_type: format.content_type.into(),
        }),
    })
}

fn body_of(cx: &mut ParseCx, source: DataSource, max_body: usize) -> Parsed<Vec<u8>> {
    let file = match &source.specifier {
        Some(Specifier::Filename(path)) => Some(path.clone()),
        _ => None,
    };
    if let Some(path) = &file
        && let Ok(facts) = std::fs::metadata(path)
        && facts.is_file()
        && facts.len() > max_body as u64
    {
        let size = facts.len();
        return Err(cx.error_at(
            "filename",
            format!("file {path} size is {size} bytes; maximum is {max_body}"),
        ));
    }
    let body = data_source(cx, source)?;
    if body.len() > max_body {
        let size = body.len();
        return Err(cx.error(format!(
            "response body size is {size} bytes; maximum is {max_body}"
        )));
    }
    Ok(body)
}
