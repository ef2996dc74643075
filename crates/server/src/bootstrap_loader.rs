//! Reads the bootstrap: the file, `--config-yaml` over it, or the embedded example.

use nuncio_base::options::Options;
use nuncio_proto::load::{self, Format};
use nuncio_proto::{Loaded, UnknownFields};

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
