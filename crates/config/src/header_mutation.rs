//! Headers to add and to remove: protos to `nuncio_route::mutation`.

use crate::format::text_format;
use crate::matching::string_matcher;
use nuncio_base::HeaderName;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::common::mutation_rules::v3::HeaderMutation;
use nuncio_proto::envoy::config::common::mutation_rules::v3::header_mutation::Action;
use nuncio_proto::envoy::config::core::v3::HeaderValueOption;
use nuncio_proto::envoy::config::core::v3::header_value_option::HeaderAppendAction;
use nuncio_route::mutation::HeaderToAdd;
use nuncio_route::{AppendAction, HeaderMutations, HeaderValue, MutationStep, MutationSteps};

/// The fields of one level that change the headers of requests, or those of responses.
pub struct HeaderFields {
    /// The name of the field with headers to add.
    pub add_field: &'static str,
    /// Headers to add.
    pub add: Vec<HeaderValueOption>,
    /// The name of the field with headers to remove.
    pub remove_field: &'static str,
    /// Headers to remove.
    pub remove: Vec<String>,
}

impl HeaderFields {
    /// The fields for requests.
    pub fn request(add: Vec<HeaderValueOption>, remove: Vec<String>) -> Self {
        Self {
            add_field: "request_headers_to_add",
            add,
            remove_field: "request_headers_to_remove",
            remove,
        }
    }

    /// The fields for responses.
    pub fn response(add: Vec<HeaderValueOption>, remove: Vec<String>) -> Self {
        Self {
            add_field: "response_headers_to_add",
            add,
            remove_field: "response_headers_to_remove",
            remove,
        }
    }
}

/// Changes to headers.
///
/// # Errors
/// Pseudo-headers and `host`; values with operators that do not exist.
pub fn header_mutations(cx: &mut ParseCx, fields: HeaderFields) -> Parsed<HeaderMutations> {
    let add = cx.list(fields.add_field, fields.add, |cx, option| {
        let header = parts(cx, option)?;
        HeaderToAdd::new(&header.name, header.value, header.action, header.keep_empty)
            .map_err(|error| cx.error_at("header", error.message()))
    })?;
    HeaderMutations::new(add, &fields.remove)
        .map_err(|error| cx.error_at(fields.remove_field, error.message()))
}

/// Changes to headers in order. Pseudo-headers can be removed, but not be set.
///
/// # Errors
/// Pseudo-headers and `host` among those to set; values with operators that do not exist.
pub fn mutation_steps(
    cx: &mut ParseCx,
    field: &'static str,
    steps: Vec<HeaderMutation>,
) -> Parsed<MutationSteps> {
    let steps = cx.list(field, steps, |cx, step| match step.action {
        Some(Action::Remove(name)) => Ok(MutationStep::Remove(HeaderName::new(&name))),
        Some(Action::RemoveOnMatch(matcher)) => cx.field("remove_on_match", |cx| {
            let matcher = cx.required("key_matcher", matcher.key_matcher, string_matcher)?;
            Ok(MutationStep::RemoveMatching(matcher))
        }),
        Some(Action::Append(option)) => cx.field("append", |cx| {
            let Parts {
                name,
                value,
                action,
                keep_empty,
            } = parts(cx, option)?;
            HeaderToAdd::new(&name, value, action, keep_empty)
                .map(MutationStep::Add)
                .map_err(|error| cx.error_at("header", error.message()))
        }),
        None => Err(cx.error("field: 'action', reason: is required")),
    })?;
    Ok(MutationSteps::new(steps))
}

struct Parts {
    name: String,
    value: HeaderValue,
    action: AppendAction,
    keep_empty: bool,
}

fn parts(cx: &mut ParseCx, proto: HeaderValueOption) -> Parsed<Parts> {
    let action = proto.append_action();
    let HeaderValueOption {
        header,
        append,
        append_action: _,
        keep_empty_value,
    } = proto;
    if append.is_some() && action != HeaderAppendAction::AppendIfExistsOrAdd {
        return Err(cx.error_at(
            "append",
            "Both append and append_action are set and it's not allowed",
        ));
    }
    let action = match (append.map(|append| append.value), action) {
        (Some(false), _) => AppendAction::OverwriteIfExistsOrAdd,
        (Some(true), _) | (None, HeaderAppendAction::AppendIfExistsOrAdd) => {
            AppendAction::AppendIfExistsOrAdd
        }
        (None, HeaderAppendAction::AddIfAbsent) => AppendAction::AddIfAbsent,
        (None, HeaderAppendAction::OverwriteIfExistsOrAdd) => AppendAction::OverwriteIfExistsOrAdd,
        (None, HeaderAppendAction::OverwriteIfExists) => AppendAction::OverwriteIfExists,
    };
    cx.required("header", header, |cx, header| {
        let value = if header.value.is_empty() && !header.raw_value.contains(&b'%') {
            HeaderValue::Literal(header.raw_value.into())
        } else if header.value.is_empty() {
            let text = String::from_utf8(header.raw_value)
                .map_err(|_| cx.error_at("raw_value", "a format must be UTF-8"))?;
            cx.field("raw_value", |cx| text_format(cx, &text, true))?
                .into()
        } else {
            cx.field("value", |cx| text_format(cx, &header.value, true))?
                .into()
        };
        Ok(Parts {
            name: header.key,
            value,
            action,
            keep_empty: keep_empty_value,
        })
    })
}
