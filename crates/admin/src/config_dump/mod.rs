//! `/config_dump`: what is configured now, whole or in part.

mod mask;

use nuncio_matching::regex::Regex;
use nuncio_proto::reflect::{self, FieldRef, MessageRef};
use nuncio_proto::wire;
use nuncio_proto::wire::Value;

use crate::view::ConfigSection;
use crate::{AdminResponse, Call, json};
use mask::Mask;

/// `ConfigDump.configs`
const CONFIGS: u32 = 1;

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let regex = match call.parameter("name_regex").map(|text| name_regex(&text)) {
        None => None,
        Some(Ok(regex)) => Some(regex),
        Some(Err(text)) => return AdminResponse::error(400, text),
    };
    let wanted = |name: &str| {
        regex
            .as_ref()
            .is_none_or(|regex| regex.is_full_match(name.as_bytes()))
    };
    let sections = call.server.config_dump(&wanted, call.has("include_eds"));
    let mask = call.parameter("mask");
    let dump = match call.parameter("resource") {
        Some(resource) => one_resource(sections, &resource, mask.as_deref()),
        None => all_sections(sections, mask.as_deref()),
    };
    match dump {
        Ok(bytes) => AdminResponse::json(json::encoded("envoy.admin.v3.ConfigDump", &bytes, false)),
        Err((status, text)) => AdminResponse::of(status, "text/plain", text),
    }
}

fn name_regex(text: &str) -> Result<Regex, String> {
    Regex::new(text).map_err(|error| {
        format!(
            "INVALID_ARGUMENT: Error while parsing name_regex from {text}: {}",
            error.message()
        )
    })
}

type Dump = Result<Vec<u8>, (u16, String)>;

/// All sections; with a mask those to which all of it applies.
fn all_sections(sections: Vec<ConfigSection>, mask: Option<&str>) -> Dump {
    let mut out = Vec::new();
    for section in sections {
        let bytes = match mask {
            None => section.bytes,
            Some(mask) => match masked_section(&section, mask) {
                Some(bytes) => bytes,
                None => continue,
            },
        };
        put_any(&mut out, section.message, &bytes);
    }
    match mask {
        Some(mask) if out.is_empty() => Err((
            400,
            format!("FieldMask {mask} could not be successfully applied to any configs."),
        )),
        _ => Ok(out),
    }
}

fn masked_section(section: &ConfigSection, mask: &str) -> Option<Vec<u8>> {
    Mask::parse(mask).trim(reflect::message(section.message)?, &section.bytes)
}

/// The elements of the repeated field `resource` of the first section that has it.
fn one_resource(sections: Vec<ConfigSection>, resource: &str, mask: Option<&str>) -> Dump {
    for section in sections {
        let Some(field) = field_of(section.message, resource) else {
            continue;
        };
        let element = match field.message() {
            Some(element) if field.is_repeated() => element,
            _ => {
                let text = format!(
                    "{resource} is not a repeated field. Use ?mask={resource} to get only this \
                     field"
                );
                return Err((400, text));
            }
        };
        return elements(&section.bytes, field, element, mask);
    }
    Err((404, format!("{resource} not found in config dump")))
}

fn field_of(message: &str, name: &str) -> Option<FieldRef> {
    reflect::message(message)?.field_by_name(name)
}

fn elements(bytes: &[u8], field: FieldRef, element: MessageRef, mask: Option<&str>) -> Dump {
    let mut out = Vec::new();
    for (number, value) in wire::fields(bytes).map_while(Result::ok) {
        let (true, Value::Bytes(bytes)) = (number == field.number(), value) else {
            continue;
        };
        match mask {
            None => put_any(&mut out, element.name(), bytes),
            Some(mask) => {
                let trimmed = Mask::parse(mask).trim_resource(element, bytes);
                let bytes = trimmed.ok_or_else(|| (400, unused_mask(mask)))?;
                put_any(&mut out, element.name(), &bytes);
            }
        }
    }
    Ok(out)
}

fn unused_mask(mask: &str) -> String {
    let paths: String = mask
        .split(',')
        .map(|path| format!("paths: \"{path}\"\n"))
        .collect();
    format!("FieldMask {paths} could not be successfully used.")
}

fn put_any(out: &mut Vec<u8>, message: &str, bytes: &[u8]) {
    let any = wire::begin(out, CONFIGS);
    wire::put_bytes(out, 1, format!("type.googleapis.com/{message}").as_bytes());
    wire::put_bytes(out, 2, bytes);
    wire::end(out, any);
}
