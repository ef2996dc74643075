//! Configs as text, for tests.

use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{LoadBalancerExtension, ParseCx, Parsed, Registry, ServerEnv};
use nuncio_proto::envoy::extensions::load_balancing_policies::random::v3::Random;
use nuncio_proto::{Format, Message, Name, Options, load};
use nuncio_upstream::{LbSpec, LoadBalancer};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

static REGISTRY: Registry = Registry {
    access_loggers: &[],
    downstream_sockets: &[],
    health_check_sinks: &[],
    http_filters: &[],
    listener_filters: &[],
    load_balancers: &[&TestBalancer],
    network_filters: &[],
    upstream_sockets: &[],
};

/// A policy that clusters can be parsed with, and that nobody balances by.
struct TestBalancer;

impl LoadBalancerExtension for TestBalancer {
    const NAME: &'static str = "envoy.load_balancing_policies.random";
    type Proto = Random;

    fn parse(&self, _proto: Random, _cx: &mut ParseCx) -> Parsed<Arc<dyn LbSpec>> {
        Ok(Arc::new(TestPolicy))
    }
}

#[derive(Debug)]
struct TestPolicy;

impl LbSpec for TestPolicy {
    fn name(&self) -> &'static str {
        TestBalancer::NAME
    }

    fn localize(&self, _worker: &Rc<Worker>) -> Box<dyn LoadBalancer> {
        unreachable!("a policy of a config that is only parsed")
    }
}

/// Loads a message and converts it; else all errors, each with its path, one a line.
pub(crate) fn convert<P: Message + Name + Default, T>(
    yaml: &str,
    convert: impl FnOnce(&mut ParseCx, P) -> Parsed<T>,
) -> Result<T, String> {
    convert_with(&REGISTRY, yaml, convert)
}

/// As [`convert`], with extensions.
pub(crate) fn convert_with<P: Message + Name + Default, T>(
    registry: &'static Registry,
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
    let env = ServerEnv::new(registry, store, Vec::new(), NodeInfo::default(), true);
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
