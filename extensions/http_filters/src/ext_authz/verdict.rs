//! What a service's answer means.

use super::check::is_message_framing;
use super::settings::AnswerHeaders;
use bytes::Bytes;
use nuncio_base::header_name::MessageKind;
use nuncio_base::metadata::Value;
use nuncio_base::{HeaderMap, HeaderName, names};
use nuncio_matching::ListStringMatcher;
use nuncio_route::mutation::AppendAction;
use nuncio_router::AsyncResponse;
use std::collections::BTreeMap;

/// The names of headers that a consent has removed from the request, joined by commas.
const HEADERS_TO_REMOVE: &str = "x-envoy-auth-headers-to-remove";

pub(super) type Fields = Vec<(HeaderName, Vec<u8>)>;

/// A header of the response.
#[derive(Debug)]
pub(super) struct ResponseField {
    pub name: HeaderName,
    pub value: Vec<u8>,
    pub action: AppendAction,
}

impl ResponseField {
    /// Adds it to a response, or puts it in the place of those that are there.
    pub fn apply(&self, headers: &mut HeaderMap) {
        let there = headers.contains(&self.name);
        match self.action {
            AppendAction::AppendIfExistsOrAdd => {
                headers.receive(&self.name, self.value.as_slice(), MessageKind::Response);
            }
            AppendAction::AddIfAbsent if there => {}
            AppendAction::OverwriteIfExists if !there => {}
            AppendAction::AddIfAbsent
            | AppendAction::OverwriteIfExistsOrAdd
            | AppendAction::OverwriteIfExists => headers.replace(&self.name, &self.value),
        }
    }
}

/// What becomes of a request.
#[derive(Debug)]
pub(super) enum Verdict {
    /// It passes.
    Ok(Consent),
    /// It is refused, with the service's own answer.
    Denied(Denial),
    /// The service failed.
    Error,
}

/// What a consent changes.
#[derive(Debug, Default)]
pub(super) struct Consent {
    /// Request headers to replace.
    pub set: Fields,
    /// Request headers to add.
    pub append: Fields,
    /// Request headers to remove.
    pub remove: Vec<HeaderName>,
    /// Response headers.
    pub response: Vec<ResponseField>,
    /// Query parameters to set.
    pub query_set: Vec<(String, String)>,
    /// Query parameters to remove.
    pub query_remove: Vec<String>,
    /// Dynamic metadata.
    pub metadata: BTreeMap<String, Value>,
}

/// The answer to a refused request.
#[derive(Debug)]
pub(super) struct Denial {
    pub status: u16,
    pub headers: Fields,
    pub body: Bytes,
    /// Dynamic metadata.
    pub metadata: BTreeMap<String, Value>,
}

impl Verdict {
    pub fn of(wanted: &AnswerHeaders, response: &AsyncResponse) -> Self {
        let headers = &response.headers;
        match response.status {
            200 => Self::Ok(Consent {
                set: matching(headers, &wanted.set),
                append: matching(headers, &wanted.append),
                remove: headers_to_remove(headers),
                response: matching(headers, &wanted.response)
                    .into_iter()
                    .map(|(name, value)| ResponseField {
                        name,
                        value,
                        action: AppendAction::AppendIfExistsOrAdd,
                    })
                    .collect(),
                metadata: metadata(wanted, headers),
                ..Consent::default()
            }),
            100..500 => Self::Denied(Denial {
                status: response.status,
                headers: match &wanted.denial {
                    None => fields(headers, |_| true),
                    Some(list) => fields(headers, |name| {
                        list.matches(name) || name == b"www-authenticate" || name == b"location"
                    }),
                },
                metadata: metadata(wanted, headers),
                body: response.body.to_bytes(),
            }),
            _ => Self::Error,
        }
    }
}

fn fields(headers: &HeaderMap, wanted: impl Fn(&[u8]) -> bool) -> Fields {
    headers
        .iter()
        .filter(|(name, _)| {
            wanted(name) && !is_message_framing(name) && *name != HEADERS_TO_REMOVE.as_bytes()
        })
        .filter_map(|(name, value)| {
            let name = std::str::from_utf8(name).ok()?;
            Some((HeaderName::new(name), value.to_vec()))
        })
        .collect()
}

fn matching(headers: &HeaderMap, list: &Option<ListStringMatcher>) -> Fields {
    match list {
        Some(list) => fields(headers, |name| list.matches(name)),
        None => Vec::new(),
    }
}

/// The headers that the service wants removed; not those without which there is no request.
fn headers_to_remove(headers: &HeaderMap) -> Vec<HeaderName> {
    headers
        .get_all(HEADERS_TO_REMOVE)
        .flat_map(|value| value.split(|byte| *byte == b','))
        .filter_map(|name| std::str::from_utf8(name.trim_ascii()).ok())
        .filter(|name| !name.starts_with(':') && !name.eq_ignore_ascii_case("host"))
        .filter(|name| HeaderName::is_valid(name))
        .map(HeaderName::new)
        .collect()
}

fn metadata(wanted: &AnswerHeaders, headers: &HeaderMap) -> BTreeMap<String, Value> {
    let fields = matching(headers, &wanted.metadata);
    fields
        .into_iter()
        .map(|(name, value)| {
            let text = String::from_utf8_lossy(&value).into_owned();
            (name.as_str().to_owned(), Value::Text(text.into()))
        })
        .collect()
}

/// A request's `host` is its `:authority`.
pub(super) fn request_name(name: &HeaderName) -> HeaderName {
    if name.known() == Some(names::HOST) {
        names::AUTHORITY.into()
    } else {
        name.clone()
    }
}
