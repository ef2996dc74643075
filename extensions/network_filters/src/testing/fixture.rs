//! Configures network filters from YAML, for tests.

use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Registry, ServerEnv};
use nuncio_proto::{Format, Options, load};
use nuncio_stats::Store;

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[],
    network_filters: &[],
    upstream_sockets: &[],
};

/// Configures a filter; else all errors, each with its path, one a line.
pub(crate) fn parse<E: NetworkFilterExtension>(
    extension: &E,
    yaml: &str,
) -> Result<E::Spec, String> {
    let message = load::message_of::<E::Proto>().expect("Envoy has this message");
    let options = Options::default();
    let loaded = load::text("test.yaml", yaml, Format::Yaml, message, &options);
    let loaded = loaded.map_err(|errors| errors.to_string())?;
    let proto = loaded.decode().map_err(|errors| errors.to_string())?;
    let env = ServerEnv::new(
        &REGISTRY,
        Store::default(),
        Vec::new(),
        NodeInfo::default(),
        true,
    );
    let mut cx = ParseCx::new(env);
    let listener = NetworkFilterCx {
        listener: "l".to_owned(),
        listener_stat_prefix: "listener.l.".to_owned(),
        buffer_limit: 1 << 20,
        inbound: false,
    };
    let parsed = NetworkFilterExtension::parse(extension, proto, &listener, &mut cx);
    let (errors, _) = cx.finish();
    assert_eq!(parsed.is_err(), !errors.is_empty(), "errors are recorded");
    parsed.map_err(|_| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}
