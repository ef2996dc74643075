//! Commands about the request's and the response's headers.

use super::FormatOptions;
use super::client_cert_value::Key;
use super::command::{Spec, Syntax};
use super::error::FormatError;
use super::grpc_status::{self, Style};
use super::operator::{Operator, Rendered};
use super::query_string;
use crate::format_cx::FormatCx;
use nuncio_base::{HeaderMap, HeaderName, Known, names};

/// Which headers are meant.
#[derive(Clone, Copy, Debug)]
pub(super) enum Source {
    Request,
    Response,
    Trailers,
}

impl Source {
    fn headers<'a>(self, cx: &FormatCx<'a>) -> Option<&'a HeaderMap> {
        match self {
            Self::Request => cx.request_headers,
            Self::Response => cx.response_headers,
            Self::Trailers => cx.response_trailers,
        }
    }
}

/// A header's name and the one to look for where it isn't there: `X?Y`.
#[derive(Debug)]
pub(super) struct Names {
    main: HeaderName,
    alternative: Option<HeaderName>,
}

impl Names {
    fn parse(params: &str) -> Result<Self, FormatError> {
        let mut parts = params.splitn(3, '?');
        let (main, alternative) = (parts.next().unwrap_or(""), parts.next().unwrap_or(""));
        if parts.next().is_some() {
            return Err(FormatError::new(format!(
                "More than 1 alternative header specified in token: {params}"
            )));
        }
        let usable = |name: &str| name.is_empty() || HeaderName::is_valid(name);
        if !usable(main) || !usable(alternative) {
            return Err(FormatError::new(
                "Invalid header configuration. Format string contains invalid characters.",
            ));
        }
        Ok(Self {
            main: HeaderName::new(main),
            alternative: (!alternative.is_empty()).then(|| HeaderName::new(alternative)),
        })
    }

    /// A request's `host` is its `:authority`.
    fn name_authority(&mut self) {
        for name in std::iter::once(&mut self.main).chain(&mut self.alternative) {
            if name.known() == Some(names::HOST) {
                *name = names::AUTHORITY.into();
            }
        }
    }

    fn find<'a>(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        headers
            .get(&self.main)
            .or_else(|| headers.get(self.alternative.as_ref()?))
    }
}

/// Which header a request's path or host is taken from.
#[derive(Clone, Copy, Debug)]
pub(super) enum Origin {
    /// The one the client sent, if it was rewritten.
    Original,
    /// The one that is there now.
    Current,
    /// The client's, else the current one.
    OriginalOrCurrent,
}

/// Whether SNI or the request's host is printed.
#[derive(Clone, Copy, Debug)]
pub(super) enum ServerName {
    SniOnly,
    SniFirst,
    HostFirst,
}

#[derive(Debug)]
pub(super) enum RequestField {
    Header(Source, Names),
    HeaderBytes(Source),
    WithoutQuery(Names),
    Path { query: bool, origin: Origin },
    QueryParam(Box<[u8]>),
    QueryParams { decoded: bool },
    ServerName(ServerName, Origin),
    GrpcStatus(Style),
    ClientCertValue(Key),
    LocalReplyBody,
}

pub(super) fn find(name: &str, options: FormatOptions) -> Option<Spec> {
    use Syntax::{Optional, OptionalLength, RequiredLength};
    let fixed = |field| Spec::fixed(Operator::Request(field));
    Some(match name {
        "REQ" | "REQUEST_HEADER" => {
            Spec::with(RequiredLength, |_, params| header(Source::Request, params))
        }
        "RESP" | "RESPONSE_HEADER" => {
            Spec::with(RequiredLength, |_, params| header(Source::Response, params))
        }
        "TRAILER" | "RESPONSE_TRAILER" => {
            Spec::with(RequiredLength, |_, params| header(Source::Trailers, params))
        }
        "REQ_WITHOUT_QUERY" if options.req_without_query => {
            Spec::with(RequiredLength, |_, params| {
                Names::parse(params).map(|names| made(RequestField::WithoutQuery(names)))
            })
        }
        "REQUEST_HEADERS_BYTES" => fixed(RequestField::HeaderBytes(Source::Request)),
        "RESPONSE_HEADERS_BYTES" => fixed(RequestField::HeaderBytes(Source::Response)),
        "RESPONSE_TRAILERS_BYTES" => fixed(RequestField::HeaderBytes(Source::Trailers)),
        "PATH" => Spec::with(OptionalLength, |_, params| path(params)),
        "QUERY_PARAM" => Spec::with(RequiredLength, |_, params| {
            Ok(made(RequestField::QueryParam(params.as_bytes().into())))
        }),
        "QUERY_PARAMS" => Spec::with(OptionalLength, |_, params| query_params(params)),
        "REQUESTED_SERVER_NAME" => Spec::with(Optional, |_, params| server_name(params)),
        "GRPC_STATUS" => Spec::with(Optional, |_, params| {
            Ok(made(RequestField::GrpcStatus(Style::parse(params)?)))
        }),
        "GRPC_STATUS_NUMBER" => fixed(RequestField::GrpcStatus(Style::Number)),
        "XFCC_VALUE" => Spec::with(OptionalLength, |_, params| {
            Ok(made(RequestField::ClientCertValue(Key::parse(params)?)))
        }),
        "LOCAL_REPLY_BODY" => fixed(RequestField::LocalReplyBody),
        _ => return None,
    })
}

fn made(field: RequestField) -> Operator {
    Operator::Request(field)
}

fn header(source: Source, params: &str) -> Result<Operator, FormatError> {
    Names::parse(params).map(|mut names| {
        if matches!(source, Source::Request) {
            names.name_authority();
        }
        made(RequestField::Header(source, names))
    })
}

fn path(params: &str) -> Result<Operator, FormatError> {
    let mut parts = params.split(':');
    let query = match parts.next().unwrap_or("") {
        "" | "WQ" => true,
        "NQ" => false,
        other => return Err(invalid_option("PATH", other, "'WQ'/'NQ'")),
    };
    let origin = match parts.next().unwrap_or("") {
        "" | "ORIG_OR_PATH" => Origin::OriginalOrCurrent,
        "ORIG" => Origin::Original,
        "PATH" => Origin::Current,
        other => {
            return Err(invalid_option(
                "PATH",
                other,
                "'ORIG'/'PATH'/'ORIG_OR_PATH'",
            ));
        }
    };
    Ok(made(RequestField::Path { query, origin }))
}

fn query_params(params: &str) -> Result<Operator, FormatError> {
    let decoded = match params {
        "" | "ORIG" => false,
        "DECODED" => true,
        other => return Err(invalid_option("QUERY_PARAMS", other, "'ORIG'/'DECODED'")),
    };
    Ok(made(RequestField::QueryParams { decoded }))
}

fn server_name(params: &str) -> Result<Operator, FormatError> {
    const NAME: &str = "REQUESTED_SERVER_NAME";
    let mut parts = params.split(':');
    let which = match parts.next().unwrap_or("") {
        "" | "SNI_ONLY" => ServerName::SniOnly,
        "SNI_FIRST" => ServerName::SniFirst,
        "HOST_FIRST" => ServerName::HostFirst,
        other => {
            let allowed = "'SNI_ONLY'/'SNI_FIRST'/'HOST_FIRST'";
            return Err(invalid_option(NAME, other, allowed));
        }
    };
    let origin = match parts.next().unwrap_or("") {
        "" | "ORIG_OR_HOST" => Origin::OriginalOrCurrent,
        "ORIG" => Origin::Original,
        "HOST" => Origin::Current,
        other => return Err(invalid_option(NAME, other, "'ORIG_OR_HOST'/'HOST'/'ORIG'")),
    };
    Ok(made(RequestField::ServerName(which, origin)))
}

fn invalid_option(name: &str, option: &str, allowed: &str) -> FormatError {
    FormatError::new(format!(
        "Invalid {name} option: '{option}', only {allowed} are allowed"
    ))
}

impl RequestField {
    pub(super) fn write(&self, cx: &FormatCx<'_>, out: &mut Vec<u8>) -> Rendered {
        match self {
            Self::Header(source, names) => {
                let value = source.headers(cx).and_then(|headers| names.find(headers));
                Rendered::maybe_bytes(out, value)
            }
            Self::HeaderBytes(source) => {
                let size = source.headers(cx).map_or(0, HeaderMap::byte_size);
                Rendered::count(out, size as u64)
            }
            Self::WithoutQuery(names) => {
                let value = cx.request_headers.and_then(|headers| names.find(headers));
                Rendered::maybe_bytes(out, value.map(without_query))
            }
            Self::Path { query, origin } => {
                let path = cx
                    .request_headers
                    .and_then(|headers| original_path(headers, *origin));
                let path = path.map(|path| if *query { path } else { without_query(path) });
                Rendered::maybe_bytes(out, path)
            }
            Self::QueryParam(name) => {
                let found =
                    query(cx).is_some_and(|query| query_string::write_param(query, name, out));
                if found {
                    Rendered::Text
                } else {
                    Rendered::Absent
                }
            }
            Self::QueryParams { decoded } => {
                let Some(query) = query(cx) else {
                    return Rendered::Absent;
                };
                if *decoded {
                    query_string::write_readable(query, out);
                } else {
                    out.extend_from_slice(query);
                }
                Rendered::Text
            }
            Self::ServerName(which, origin) => write_server_name(cx, *which, *origin, out),
            Self::GrpcStatus(style) => grpc_status::write(cx, *style, out),
            Self::ClientCertValue(key) => {
                let found = cx
                    .request_headers
                    .is_some_and(|headers| key.write(headers, out));
                if found {
                    Rendered::Text
                } else {
                    Rendered::Absent
                }
            }
            Self::LocalReplyBody => Rendered::text(out, cx.local_reply_body),
        }
    }
}

fn pick(headers: &HeaderMap, origin: Origin, original: Known, current: Known) -> Option<&[u8]> {
    match origin {
        Origin::Original => headers.get(original),
        Origin::Current => headers.get(current),
        Origin::OriginalOrCurrent => headers.get(original).or_else(|| headers.get(current)),
    }
}

fn original_path(headers: &HeaderMap, origin: Origin) -> Option<&[u8]> {
    pick(headers, origin, names::X_ENVOY_ORIGINAL_PATH, names::PATH)
}

fn original_host(headers: &HeaderMap, origin: Origin) -> Option<&[u8]> {
    let host = pick(
        headers,
        origin,
        names::X_ENVOY_ORIGINAL_HOST,
        names::AUTHORITY,
    );
    host.filter(|host| !host.is_empty())
}

fn without_query(path: &[u8]) -> &[u8] {
    let end = path.iter().position(|byte| matches!(byte, b'?' | b'#'));
    &path[..end.unwrap_or(path.len())]
}

/// What stands behind the first `?` of the current path.
fn query<'a>(cx: &FormatCx<'a>) -> Option<&'a [u8]> {
    let path = cx.request_headers?.get(names::PATH)?;
    let at = path.iter().position(|byte| *byte == b'?')?;
    Some(&path[at + 1..])
}

fn write_server_name(
    cx: &FormatCx<'_>,
    which: ServerName,
    origin: Origin,
    out: &mut Vec<u8>,
) -> Rendered {
    let sni = cx.info.connection.requested_server_name.as_deref();
    let sni = sni.filter(|name| !name.is_empty()).map(str::as_bytes);
    let host = || original_host(cx.request_headers?, origin);
    let name = match which {
        ServerName::SniOnly => sni,
        ServerName::SniFirst => sni.or_else(host),
        ServerName::HostFirst => host().or(sni),
    };
    let Some(name) = name else {
        return Rendered::Absent;
    };
    if sni == Some(name) {
        write_clean(name, out);
    } else {
        out.extend_from_slice(name);
    }
    Rendered::Text
}

/// Appends a name that a client chose freely: marked and made harmless where it is no host name,
/// so that it can't forge a log (CVE-2024-45808).
fn write_clean(name: &[u8], out: &mut Vec<u8>) {
    let clean = |byte: u8| matches!(byte, b'-' | b'.' | b'_') || byte.is_ascii_alphanumeric();
    if name.iter().all(|byte| clean(*byte)) {
        return out.extend_from_slice(name);
    }
    out.extend_from_slice(b"invalid:");
    out.extend(
        name.iter()
            .map(|byte| if clean(*byte) { *byte } else { b'_' }),
    );
}
