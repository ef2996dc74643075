//! Configs as text, for tests.

use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{ParseCx, Parsed, Registry, ServerEnv};
use nuncio_proto::{Format, Message, Name, Options, load};

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    http_filters: &[],
    load_balancers: &[],
    network_filters: &[],
};

/// Loads a message and converts it; else all errors, each with its path, one a line.
pub(crate) fn convert<P: Message + Name + Default, T>(
    yaml: &str,
    convert: impl FnOnce(&mut ParseCx, P) -> Parsed<T>,
) -> Result<T, String> {
    let message = load::message_of::<P>().expect("Envoy has this message");
    let loaded = load::text(
        "test.yaml",
        yaml,
        Format::Yaml,
        message,
        &Options::default(),
    )
    .map_err(|errors| errors.to_string())?;
    let proto = loaded.decode().map_err(|errors| errors.to_string())?;
    let store = nuncio_stats::Store::default();
    let env = ServerEnv::new(&REGISTRY, store, Vec::new(), NodeInfo::default(), true);
    let mut cx = ParseCx::new(env);
    let converted = convert(&mut cx, proto);
    let (errors, _) = cx.finish();
    assert_eq!(
        converted.is_err(),
        !errors.is_empty(),
        "errors are recorded: {errors:?}"
    );
    converted.map_err(|_| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}
