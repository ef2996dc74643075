//! What configuration may use of the server, and what is made of the bootstrap before anything
//! else.

use nuncio_base::options::{self, Options};
use nuncio_config::bootstrap::Bootstrap;
use nuncio_config::config_source::LocalInfo;
use nuncio_extension::server_env::NodeInfo;
use nuncio_extension::{Registry, ServerEnv};
use nuncio_listener::{GlobalConnections, ListenerContext};
use nuncio_net::drain::{DrainSettings, DrainStrategy, ServerDrain};
use nuncio_observe::AccessLogManager;
use nuncio_observe::access_log::FlushSettings;
use nuncio_proto::UnknownFields;
use nuncio_stats::Store;
use nuncio_worker::{Worker, WorkerHandle};
use nuncio_xds::Subscriptions;
use std::rc::Rc;
use std::sync::Arc;

/// An environment for a bootstrap of which nothing is known yet.
pub fn preliminary(registry: &'static Registry) -> Rc<ServerEnv> {
    let (store, node) = (Store::default(), NodeInfo::default());
    ServerEnv::new(registry, store, Vec::new(), node, true)
}

/// The environment of `--mode validate`.
pub fn validating(registry: &'static Registry, parsed: &mut Bootstrap) -> Rc<ServerEnv> {
    let store = Store::new(std::mem::take(&mut parsed.stats));
    let env = ServerEnv::new(registry, store, Vec::new(), parsed.node.clone(), true);
    LocalInfo::set(&env, &parsed.node.id, &parsed.node.cluster);
    env
}

/// The server's environment.
pub fn serving(
    worker: &Rc<Worker>,
    registry: &'static Registry,
    parsed: &mut Bootstrap,
    workers: &[WorkerHandle],
    options: &Options,
) -> Rc<ServerEnv> {
    let store = Store::new(std::mem::take(&mut parsed.stats));
    let (node, full_node) = (parsed.node.clone(), parsed.full_node.clone());
    let env = ServerEnv::new(registry, store, workers.to_vec(), node, false);
    env.set_main(worker);
    let reject = options.reject_unknown_dynamic_fields;
    let subscriptions = Subscriptions::of(&env);
    subscriptions.set_node(full_node);
    subscriptions.set_unknown_fields(match options.ignore_unknown_dynamic_fields {
        _ if reject => UnknownFields::Reject,
        true => UnknownFields::Ignore,
        false => UnknownFields::Warn,
    });
    env
}

/// The files of access logs, shared by all that log.
pub fn access_logs(env: &ServerEnv, options: &Options) -> Arc<AccessLogManager> {
    let shared = env.shared(|| {
        let settings = FlushSettings {
            min_size: usize::try_from(options.file_flush_min_size).unwrap_or(usize::MAX),
            interval: options.file_flush_interval,
        };
        AccessLogManager::new(settings, &env.store)
    });
    Arc::clone(&shared)
}

/// What all listeners share.
pub fn listener_context(env: &ServerEnv, options: &Options, parsed: &Bootstrap) -> ListenerContext {
    let settings = DrainSettings {
        time: options.drain_time,
        strategy: match options.drain_strategy {
            options::DrainStrategy::Gradual => DrainStrategy::Gradual,
            options::DrainStrategy::Immediate => DrainStrategy::Immediate,
        },
    };
    let max = parsed.overload.max_downstream_connections();
    ListenerContext {
        store: env.store.clone(),
        workers: env.workers.clone(),
        connections: Arc::new(GlobalConnections::new(max)),
        drain: Arc::new(ServerDrain::new(settings)),
        drain_settings: settings,
    }
}
