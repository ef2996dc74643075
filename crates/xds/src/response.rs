//! `DiscoveryResponse`: from a file or a message to resources whose constraints hold.

use crate::rejection::Rejection;
use crate::resource::{Resource, ResourceType, name_in};
use nuncio_proto::envoy::service::discovery::v3::{
    DeltaDiscoveryResponse, DiscoveryResponse, Resource as Wrapper,
};
use nuncio_proto::google::protobuf::Any;
use nuncio_proto::load::{self, Format, Options, Parsed};
use nuncio_proto::path::Step;
use nuncio_proto::{ConfigError, ConfigErrors, Message, Warning, WarningKind, any};
use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

/// What resources may come in.
const WRAPPER: &str = "envoy.service.discovery.v3.Resource";

/// A response: all resources of one type.
#[derive(Debug)]
pub struct Response {
    /// `version_info`
    pub version: String,
    /// The resources.
    pub resources: Vec<Resource>,
    /// What the log should say.
    pub warnings: Vec<String>,
}

/// Why a file holds no response.
#[derive(Debug)]
pub enum FileError {
    /// It could not be read, or is no response at all.
    Unreadable(String),
    /// What it holds is refused.
    Refused(RefusedResponse),
}

/// A response that is refused before anybody is given its resources.
#[derive(Debug, Default)]
pub struct RefusedResponse {
    /// `version_info`
    pub version: String,
    /// Names and versions of the resources, as far as they can be read.
    pub named: Vec<(String, String)>,
    /// Why.
    pub rejection: Rejection,
}

impl From<String> for RefusedResponse {
    fn from(reason: String) -> Self {
        Self {
            rejection: reason.into(),
            ..Self::default()
        }
    }
}

/// Reads a file.
///
/// # Errors
/// What is wrong with it, in Envoy's words, with the places that are meant.
pub fn read(path: &Path, kind: ResourceType, options: &Options) -> Result<Response, FileError> {
    let Some(message) = load::message_of::<DiscoveryResponse>() else {
        return Err(FileError::Unreadable("no DiscoveryResponse".to_owned()));
    };
    response(load::read_file(path, message, options), kind)
}

/// Reads a response that came as JSON.
///
/// # Errors
/// As for files.
pub fn read_json(
    bytes: Vec<u8>,
    kind: ResourceType,
    options: &Options,
) -> Result<Response, FileError> {
    let Some(message) = load::message_of::<DiscoveryResponse>() else {
        return Err(FileError::Unreadable("no DiscoveryResponse".to_owned()));
    };
    response(load::read("", bytes, Format::Json, message, options), kind)
}

fn response(parsed: Parsed, kind: ResourceType) -> Result<Response, FileError> {
    let is_read = parsed.is_read();
    let unchecked = is_read.then(|| parsed.encoded().to_vec());
    let loaded = parsed.check().map_err(|errors| match unchecked {
        Some(encoded) => FileError::Refused(refused(&encoded, kind, &errors)),
        None => FileError::Unreadable(text_of(&errors)),
    })?;
    let response = DiscoveryResponse::decode(loaded.bytes.as_slice())
        .map_err(|error| FileError::Unreadable(error.to_string()))?;
    let version = response.version_info;
    let resources = response.resources.into_iter();
    let resources = resources.map(|body| unwrap(body, kind, &version));
    let resources = resources
        .collect::<Result<_, String>>()
        .map_err(|reason| FileError::Refused(reason.into()))?;
    Ok(Response {
        resources,
        version,
        warnings: unknown_fields(&loaded.warnings, loaded.message.name()),
    })
}

/// What is known of a response that breaks constraints, and which of its resources do.
fn refused(encoded: &[u8], kind: ResourceType, errors: &ConfigErrors) -> RefusedResponse {
    let response = DiscoveryResponse::decode(encoded).unwrap_or_default();
    let version = response.version_info;
    let resources = response.resources.into_iter().map(opened);
    let named: Vec<_> = resources
        .map(|from| (from.name(kind), version.clone()))
        .collect();
    let mut of: BTreeMap<usize, Vec<ConfigError>> = BTreeMap::new();
    for error in &errors.errors {
        if let [Step::Field("resources"), Step::Index(at), ..] = error.path.steps() {
            of.entry(*at).or_default().push(error.clone());
        }
    }
    let of = of.into_iter().filter_map(|(at, own)| {
        let reason = text_of(&ConfigErrors::new(errors.message_type, own));
        Some((named.get(at)?.0.clone(), reason))
    });
    RefusedResponse {
        rejection: Rejection {
            reason: text_of(errors),
            resources: of.collect(),
        },
        named,
        version,
    }
}

/// A response of a stream, its resources not looked at yet.
#[derive(Debug)]
pub struct StreamResponse {
    /// `version_info`, or `system_version_info`.
    pub version: String,
    /// `nonce`
    pub nonce: String,
    /// The type of the resources.
    pub type_url: String,
    /// Who answers, where it says so.
    pub control_plane: Option<String>,
    /// The names of what is gone, where resources come one by one.
    pub removed: Option<Vec<String>>,
    resources: Vec<StreamResource>,
}

/// A resource, not looked at yet, and what stands beside it where resources come one by one.
#[derive(Debug, Default)]
struct StreamResource {
    body: Any,
    name: String,
    version: Option<String>,
    ttl: Option<Duration>,
    /// It only says that the resource stays.
    heartbeat: bool,
}

/// The resources of a response, checked.
#[derive(Debug, Default)]
pub struct LoadedResponse {
    /// Those that are new or may have changed.
    pub resources: Vec<Resource>,
    /// How many only say that they stay.
    pub heartbeats: usize,
    /// How long each of all stays; none: for ever.
    pub ttls: Vec<(String, Option<Duration>)>,
    /// What the log should say.
    pub warnings: Vec<String>,
}

impl LoadedResponse {
    /// Whether nothing is new.
    pub fn is_heartbeat(&self) -> bool {
        self.heartbeats > 0 && self.resources.is_empty()
    }
}

/// Reads a response of a stream.
///
/// # Errors
/// Bytes that are none.
pub fn decode(message: &[u8], delta: bool) -> Result<StreamResponse, String> {
    if !delta {
        let response = DiscoveryResponse::decode(message).map_err(|error| error.to_string())?;
        return Ok(StreamResponse {
            version: response.version_info,
            nonce: response.nonce,
            type_url: response.type_url,
            control_plane: response.control_plane.map(|it| it.identifier),
            removed: None,
            resources: response.resources.into_iter().map(opened).collect(),
        });
    }
    let response = DeltaDiscoveryResponse::decode(message).map_err(|error| error.to_string())?;
    let resources = response.resources.into_iter();
    let resources = resources.map(|it| StreamResource {
        version: Some(it.version.clone()),
        ..beside(it)
    });
    Ok(StreamResponse {
        version: response.system_version_info,
        nonce: response.nonce,
        type_url: response.type_url,
        control_plane: response.control_plane.map(|it| it.identifier),
        removed: Some(response.removed_resources),
        resources: resources.collect(),
    })
}

/// What a wrapper holds.
fn beside(wrapper: Wrapper) -> StreamResource {
    let ttl = wrapper.ttl.and_then(|ttl| {
        let seconds = u64::try_from(ttl.seconds).ok()?;
        let nanos = u32::try_from(ttl.nanos).ok()?;
        // Nanoseconds beyond a second could overflow together with the seconds.
        (nanos < 1_000_000_000).then(|| Duration::new(seconds, nanos))
    });
    StreamResource {
        heartbeat: wrapper.resource.is_none() && ttl.is_some(),
        body: wrapper.resource.unwrap_or_default(),
        name: wrapper.name,
        version: None,
        ttl,
    }
}

/// A resource, out of the wrapper that it may come in.
fn opened(body: Any) -> StreamResource {
    if any::type_name(&body) == WRAPPER
        && let Ok(wrapper) = any::unpack(&body)
    {
        return beside(wrapper);
    }
    StreamResource {
        body,
        ..Default::default()
    }
}

impl StreamResource {
    /// Its name, whatever is wrong with it.
    fn name(&self, kind: ResourceType) -> String {
        match any::type_name(&self.body) == kind.message() {
            true if self.name.is_empty() || !kind.is_by_namespace() => name_in(&self.body.value),
            _ => self.name.clone(),
        }
    }
}

impl StreamResponse {
    /// Names and versions of the resources, whatever is wrong with them.
    pub fn named(&self, kind: ResourceType) -> Vec<(String, String)> {
        let resources = self.resources.iter().filter(|from| !from.heartbeat);
        let named = resources.map(|from| {
            let version = from.version.as_ref().unwrap_or(&self.version);
            (from.name(kind), version.clone())
        });
        named.collect()
    }

    /// The resources, checked.
    ///
    /// # Errors
    /// What is wrong with them, in Envoy's words, with the places that are meant.
    pub fn load(&self, kind: ResourceType, options: &Options) -> Result<LoadedResponse, Rejection> {
        let Some(message) = nuncio_proto::reflect::message(kind.message()) else {
            return Err(format!("no {}", kind.message()).into());
        };
        let mut loaded = LoadedResponse::default();
        for from in &self.resources {
            if from.heartbeat {
                loaded.ttls.push((from.name.clone(), from.ttl));
                loaded.heartbeats += 1;
                continue;
            }
            let mut resource = unwrap(from.body.clone(), kind, &self.version)?;
            if let Some(version) = &from.version {
                resource.version.clone_from(version);
            }
            if kind.is_by_namespace() && !from.name.is_empty() {
                resource.name.clone_from(&from.name);
            }
            let checked = load::bytes(resource.body.value.clone(), message, options);
            let checked = checked.map_err(|errors| {
                let (name, reason) = (&resource.name, text_of(&errors));
                Rejection {
                    reason: format!("{name}: {reason}"),
                    resources: vec![(name.clone(), reason)],
                }
            })?;
            let warnings = unknown_fields(&checked.warnings, message.name());
            loaded.warnings.extend(warnings);
            loaded.ttls.push((resource.name.clone(), from.ttl));
            loaded.resources.push(resource);
        }
        Ok(loaded)
    }
}

/// Takes a resource out of the wrapper that it may come in.
fn unwrap(body: Any, kind: ResourceType, version: &str) -> Result<Resource, String> {
    let wrapper = any::type_name(&body) == WRAPPER;
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

pub(crate) fn check_type(body: &Any, kind: ResourceType) -> Result<(), String> {
    let found = any::type_name(body);
    if found == kind.message() {
        return Ok(());
    }
    Err(format!(
        "Unable to unpack as {}: [type.googleapis.com/{found}]",
        kind.message()
    ))
}

/// What is to be said of fields that `message` does not have.
pub(crate) fn unknown_fields(warnings: &[Warning], message: &str) -> Vec<String> {
    let unknown = warnings.iter();
    let unknown = unknown.filter(|warning| warning.kind == WarningKind::UnknownField);
    unknown
        .map(|warning| warning.unknown_field(message))
        .collect()
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
