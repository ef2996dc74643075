//! Reads the bootstrap: the file, `--config-yaml` over it, or the embedded example.

use crate::logging::ApplicationLogFormat;
use crate::runtime_loader;
use crate::static_resources::StaticResources;
use nuncio_base::options::Options;
use nuncio_config::bootstrap::{Bootstrap, bootstrap};
use nuncio_extension::{ParseCx, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::load::{self, Format};
use nuncio_proto::{Loaded, UnknownFields};
use std::rc::Rc;

/// The embedded example's text, and its name in error messages.
pub const DEMO: (&str, &str) = (
    "examples/demo.yaml",
    include_str!("../../../examples/demo.yaml"),
);

/// Reads and checks the bootstrap.
///
/// # Errors
/// What to print: every error of the file, each with its place.
pub fn load(options: &Options) -> Result<Loaded, String> {
    let Some(message) = nuncio_proto::reflect::message("envoy.config.bootstrap.v3.Bootstrap")
    else {
        return Err("the bootstrap's message is missing from the tables".to_owned());
    };
    let unknown = if options.allow_unknown_static_fields {
        UnknownFields::Warn
    } else {
        UnknownFields::Reject
    };
    let load_options = load::Options {
        unknown,
        ..load::Options::default()
    };
    let overlay = (!options.config_yaml.is_empty()).then(|| {
        let text = options.config_yaml.clone().into_bytes();
        load::read("--config-yaml", text, Format::Yaml, message, &load_options)
    });
    let base = if options.demo {
        let (name, text) = DEMO;
        Some(load::read(
            name,
            text.into(),
            Format::Yaml,
            message,
            &load_options,
        ))
    } else if options.config_path.is_empty() {
        None
    } else {
        let path = std::path::Path::new(&options.config_path);
        Some(load::read_file(path, message, &load_options))
    };
    let parsed = match (base, overlay) {
        (Some(mut base), Some(overlay)) => {
            base.merge(overlay);
            base
        }
        (Some(parsed), None) | (None, Some(parsed)) => parsed,
        (None, None) => {
            return Err("At least one of --config-path or --config-yaml or \
                        Options::configProto() should be non-empty"
                .to_owned());
        }
    };
    parsed.check().map_err(|errors| errors.to_string())
}

/// What the log calls the configuration.
pub fn name(options: &Options) -> String {
    match (options.demo, options.config_path.as_str()) {
        (true, _) => DEMO.0.to_owned(),
        (false, "") => "--config-yaml".to_owned(),
        (false, path) => path.to_owned(),
    }
}

/// The bootstrap's runtime layers.
pub type Layers = Vec<runtime_loader::LayerSpec>;

/// Takes the bootstrap apart, but for static clusters and listeners; every error of it comes with
/// its place. Without a server there is an environment that only the bootstrap is parsed for, to
/// learn what the server's is to be like.
pub fn take_apart(
    loaded: &Loaded,
    options: &Options,
    env: Rc<ServerEnv>,
) -> Result<(Bootstrap, Layers), String> {
    let split = StaticResources::of(&loaded.bytes).map_err(|error| error.to_string())?;
    let proto = Message::decode(&*split.rest).map_err(|error| error.to_string())?;
    env.set_primary_clusters(split.primary_clusters());
    let mut cx = ParseCx::new(env);
    let parsed = bootstrap(&mut cx, proto, options);
    let runtime = parsed
        .as_ref()
        .ok()
        .and_then(|parsed| parsed.layered_runtime.as_ref());
    let cluster = parsed.as_ref().map_or("", |parsed| &parsed.node.cluster);
    let layers = runtime_loader::layers(&mut cx, runtime, cluster);
    match (parsed, layers) {
        (Ok(parsed), Ok(layers)) if cx.is_clean() => Ok((parsed, layers)),
        _ => Err(failure(loaded, cx)),
    }
}

/// The errors that a converter recorded, with their places in the file.
pub fn failure(loaded: &Loaded, cx: ParseCx) -> String {
    let (errors, _) = cx.finish();
    loaded.locate(errors).to_string()
}

/// The application log's format, where the bootstrap has one.
///
/// # Errors
/// What is wrong with it.
pub fn log_format(parsed: &Bootstrap) -> Result<Option<ApplicationLogFormat>, String> {
    use nuncio_proto::envoy::config::bootstrap::v3::bootstrap::application_log_config::log_format::LogFormat;
    let format = parsed
        .application_log
        .as_ref()
        .and_then(|config| config.log_format.as_ref());
    match format.and_then(|format| format.log_format.as_ref()) {
        None => Ok(None),
        Some(LogFormat::TextFormat(text)) => Ok(Some(ApplicationLogFormat::Text(text.clone()))),
        Some(LogFormat::JsonFormat(json)) => {
            let Some(message) = nuncio_proto::reflect::message("google.protobuf.Struct") else {
                return Err("google.protobuf.Struct is missing from the tables".to_owned());
            };
            let options = nuncio_proto::json::Options {
                compact: true,
                ..Default::default()
            };
            let text = nuncio_proto::json::print(&json.encode_to_vec(), message, &options);
            Ok(Some(ApplicationLogFormat::Json(text)))
        }
    }
}
