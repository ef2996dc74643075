//! `DiscoveryResponse`: from a file or a message to resources whose constraints hold.

use crate::resource::{Resource, ResourceType, name_in};
use nuncio_proto::envoy::service::discovery::v3::{DiscoveryResponse, Resource as Wrapper};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::load::{self, Options};
use nuncio_proto::{ConfigErrors, Message, any};
use std::path::Path;

/// A response: all resources of one type.
#[derive(Debug)]
pub struct Response {
    /// `version_info`
    pub version: String,
    /// The resources.
    pub resources: Vec<Resource>,
}

/// Why a file holds no response.
#[derive(Debug)]
pub enum FileError {
    /// It could not be read, or is no response at all.
    Unreadable(String),
    /// What it holds is refused.
    Refused(String),
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, in Envoy's words, with the places that are meant.
pub fn read(path: &Path, kind: ResourceType, options: &Options) -> Result<Response, FileError> {
    let Some(message) = load::message_of::<DiscoveryResponse>() else {
        return Err(FileError::Unreadable("no DiscoveryResponse".to_owned()));
    };
    let parsed = load::read_file(path, message, options);
    let is_read = parsed.is_read();
    let loaded = parsed.check().map_err(|errors| {
        let text = text_of(&errors);
        if is_read {
            FileError::Refused(text)
        } else {
            FileError::Unreadable(text)
        }
    })?;
    let response = DiscoveryResponse::decode(loaded.bytes.as_slice())
        .map_err(|error| FileError::Unreadable(error.to_string()))?;
    let version = response.version_info;
    let resources = response.resources.into_iter();
    let resources = resources.map(|body| unwrap(body, kind, &version));
    let resources = resources
        .collect::<Result<_, _>>()
        .map_err(FileError::Refused)?;
    Ok(Response { resources, version })
}

/// Takes a resource out of the wrapper that it may come in.
fn unwrap(body: Any, kind: ResourceType, version: &str) -> Result<Resource, String> {
    let wrapper = any::type_name(&body) == "envoy.service.discovery.v3.Resource";
    if !wrapper {
        check_type(&body, kind)?;
        return Ok(Resource {
            name: name_in(&body.value),
            version: version.to_owned(),
            body,
        });
    }
    let wrapper: Wrapper = any::unpack(&body).map_err(|error| error.to_string())?;
    let body = wrapper.resource.unwrap_or_default();
    check_type(&body, kind)?;
    Ok(Resource {
        name: name_in(&body.value),
        version: version.to_owned(),
        body,
    })
}

fn check_type(body: &Any, kind: ResourceType) -> Result<(), String> {
    let found = any::type_name(body);
    if found == kind.message() {
        return Ok(());
    }
    Err(format!(
        "Unable to unpack as {}: [type.googleapis.com/{found}]",
        kind.message()
    ))
}

/// Envoy's text first; then every error with its place.
pub fn text_of(errors: &ConfigErrors) -> String {
    let mut text = errors.envoy_text();
    for error in &errors.errors {
        if !error.path.is_empty() && error.message == text {
            text.push_str(&format!(" (at {})", error.path));
        } else if error.to_string() != text {
            text.push_str(&format!("; {error}"));
        }
    }
    text
}
