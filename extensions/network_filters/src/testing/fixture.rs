//! Configures network filters from YAML, for tests.

use nuncio_extension::network_filter::NetworkFilterCx;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{NetworkFilterExtension, ParseCx, Registry, ServerEnv};
use nuncio_proto::{Format, Options, load};
use nuncio_stats::Store;
use std::rc::Rc;

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
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
    parse_in(&Store::default(), extension, yaml)
}

/// Configures a filter whose stats are in `store`.
pub(crate) fn parse_in<E: NetworkFilterExtension>(
    store: &Store,
    extension: &E,
    yaml: &str,
) -> Result<E::Spec, String> {
    parse_for(&env(store), extension, yaml)
}

/// Configures filters of one server.
pub(crate) fn parse_all<E: NetworkFilterExtension>(
    extension: &E,
    all: &[&str],
) -> Result<Vec<E::Spec>, String> {
    let env = env(&Store::default());
    all.iter()
        .map(|yaml| parse_for(&env, extension, yaml))
        .collect()
}

fn env(store: &Store) -> Rc<ServerEnv> {
    ServerEnv::new(
        &REGISTRY,
        store.clone(),
        Vec::new(),
        NodeInfo::default(),
        true,
    )
}

fn parse_for<E: NetworkFilterExtension>(
    env: &Rc<ServerEnv>,
    extension: &E,
    yaml: &str,
) -> Result<E::Spec, String> {
    let message = load::message_of::<E::Proto>().expect("Envoy has this message");
    let options = Options::default();
    let loaded = load::text("test.yaml", yaml, Format::Yaml, message, &options);
    let loaded = loaded.map_err(|errors| errors.to_string())?;
    let proto = loaded.decode().map_err(|errors| errors.to_string())?;
    let mut cx = ParseCx::new(Rc::clone(env));
    let listener = NetworkFilterCx {
        listener: "l".to_owned(),
        listener_stat_prefix: "listener.l.".to_owned(),
        buffer_limit: 1 << 20,
        inbound: false,
        outbound: false,
    };
    let parsed = NetworkFilterExtension::parse(extension, proto, &listener, &mut cx);
    let (errors, _) = cx.finish();
    assert_eq!(parsed.is_err(), !errors.is_empty(), "errors are recorded");
    parsed.map_err(|_| {
        let lines: Vec<_> = errors.iter().map(ToString::to_string).collect();
        lines.join("\n")
    })
}
