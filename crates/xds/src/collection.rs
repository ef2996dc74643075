//! A file with a collection of resources, where a `file:` locator leads (xRFC TP1): one resource
//! whose entries are the resources, each with a name and a version of its own.

use crate::resource::{Resource, ResourceType};
use crate::response::{FileError, Response, check_type, text_of, unknown_fields};
use nuncio_proto::envoy::service::discovery::v3::Resource as Wrapper;
use nuncio_proto::load::{self, Options};
use nuncio_proto::xds::core::v3::CollectionEntry;
use nuncio_proto::xds::core::v3::collection_entry::ResourceSpecifier;
use nuncio_proto::{Message, any, wire};
use std::path::Path;

/// Where all kinds of collections have their entries.
const ENTRIES: u32 = 1;

/// Reads a file.
///
/// # Errors
/// What is wrong with it; entries that are elsewhere.
pub fn read(path: &Path, kind: ResourceType, options: &Options) -> Result<Response, FileError> {
    let Some(message) = load::message_of::<Wrapper>() else {
        return Err(FileError::Unreadable("no Resource".to_owned()));
    };
    let loaded = load::read_file(path, message, options).check();
    let loaded = loaded.map_err(|errors| FileError::Unreadable(text_of(&errors)))?;
    let wrapper = Wrapper::decode(loaded.bytes.as_slice())
        .map_err(|error| FileError::Unreadable(error.to_string()))?;
    let body = wrapper.resource.unwrap_or_default();
    let resources = entries(any::type_name(&body), &body.value, kind);
    Ok(Response {
        warnings: unknown_fields(&loaded.warnings, loaded.message.name()),
        version: wrapper.version,
        resources: resources.map_err(|reason| FileError::Refused(reason.into()))?,
    })
}

/// The entries of a collection.
fn entries(found: &str, value: &[u8], kind: ResourceType) -> Result<Vec<Resource>, String> {
    let wanted = format!("{}Collection", kind.message());
    if found != wanted {
        return Err(format!(
            "Unable to unpack as {wanted}: [type.googleapis.com/{found}]"
        ));
    }
    let mut resources = Vec::new();
    for field in wire::fields(value) {
        let (ENTRIES, wire::Value::Bytes(entry)) = field.map_err(|error| error.to_string())? else {
            continue;
        };
        let entry = CollectionEntry::decode(entry).map_err(|error| error.to_string())?;
        let Some(ResourceSpecifier::InlineEntry(inline)) = entry.resource_specifier else {
            return Err("entries of a collection that are not inline are not supported".to_owned());
        };
        let body = inline.resource.unwrap_or_default();
        check_type(&body, kind)?;
        resources.push(Resource {
            name: inline.name,
            version: inline.version,
            body,
        });
    }
    Ok(resources)
}
