//! The server: all that main owns, and how it starts and ends.

use crate::admin_listener;
use crate::bootstrap_loader;
use crate::cluster_manager::ClusterManager;
use crate::config_warnings;
use crate::descriptors;
use crate::dynamic_resources::{self, DynamicResources};
use crate::environment;
use crate::guard_dog::GuardDog;
use crate::health_discovery;
use crate::internal_clusters;
use crate::listener_manager::ListenerManager;
use crate::load_reporter;
use crate::logging::ApplicationLog;
use crate::memory::GiveBack;
use crate::outlier_log::OutlierLog;
use crate::overload_manager::OverloadManager;
use crate::runtime_loader::RuntimeLoader;
use crate::server_stats::ServerStats;
use crate::signals::{SignalEvent, Signals};
use crate::state::{ServerState, StateCell};
use crate::static_reload::{self, FileVersion, StaticReload};
use crate::static_resources::{self, Clusters};
use bytes::Bytes;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_base::options::{Mode, Options};
use nuncio_config::bootstrap::Bootstrap;
use nuncio_config::certificates::CertificatesInUse;
use nuncio_extension::{Registry, ServerEnv};
use nuncio_listener::{GlobalConnections, ListenSockets, Listener};
use nuncio_net::drain::ServerDrain;
use nuncio_observe::AccessLogManager;
use nuncio_proto::Loaded;
use nuncio_worker::{Worker, WorkerThread, run_main};
use nuncio_xds::Subscriptions;
use std::cell::RefCell;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant, SystemTime};
use tokio::sync::Notify;

/// How long access logs may take to be written when the server ends.
const LOG_PATIENCE: Duration = Duration::from_secs(2);

/// What main owns.
pub struct Server {
    pub(crate) options: Options,
    pub(crate) env: Rc<ServerEnv>,
    pub(crate) worker: Rc<Worker>,
    pub(crate) clusters: Rc<ClusterManager>,
    /// Those that the configuration needs without naming them.
    internal_clusters: Rc<ClusterManager>,
    pub(crate) listeners: Rc<ListenerManager>,
    pub(crate) dynamic: DynamicResources,
    pub(crate) runtime: Rc<RefCell<RuntimeLoader>>,
    pub(crate) state: StateCell,
    pub(crate) drain: Arc<ServerDrain>,
    pub(crate) connections: Arc<GlobalConnections>,
    /// Where the admin's are counted.
    pub(crate) admin_connections: Arc<GlobalConnections>,
    pub(crate) access_logs: Arc<AccessLogManager>,
    pub(crate) application_log: ApplicationLog,
    pub(crate) stats: ServerStats,
    pub(crate) stats_flush_on_admin: bool,
    /// The bootstrap's bytes, for `config_dump`.
    pub(crate) bootstrap: RefCell<Bytes>,
    /// What reads the file again, where that is asked for.
    pub(crate) reload: Option<StaticReload>,
    pub(crate) loaded_at: SystemTime,
    pub(crate) started: Instant,
    pub(crate) quit: Notify,
    pub(crate) admin_listener: RefCell<Option<(Arc<Listener>, ListenSockets)>>,
}

/// Runs the process: serves until a signal or the admin ends it, or only validates. `give_back`
/// is the binary's way to give memory back.
///
/// # Errors
/// What to print before ending with 1.
pub fn run(
    options: Options,
    registry: &'static Registry,
    give_back: GiveBack,
) -> Result<(), String> {
    descriptors::make_room();
    let (application_log, opened) = ApplicationLog::install(&options);
    opened?;
    let name = bootstrap_loader::name(&options);
    let mode = options.mode;
    let result = start(options, (registry, give_back), application_log);
    result.inspect_err(|text| log_failure(mode, &name, text))
}

/// One line for log pipelines, in Envoy's words; all errors of the file follow on stderr.
fn log_failure(mode: Mode, name: &str, text: &str) {
    let first = text.lines().next().unwrap_or_default();
    let line = match mode {
        Mode::Validate => format!("error initializing configuration '{name}': {first}"),
        _ => format!("error `{first}` initializing config '{name}'"),
    };
    log!(logger::MAIN, Level::Critical, "{line}");
}

fn start(
    options: Options,
    (registry, give_back): (&'static Registry, GiveBack),
    application_log: ApplicationLog,
) -> Result<(), String> {
    let version = FileVersion::of(&options);
    let loaded = bootstrap_loader::load(&options)?;
    config_warnings::log(&loaded, options.skip_deprecated_logs);
    let served = run_main(|worker| async move {
        let (parsed, _) =
            bootstrap_loader::take_apart(&loaded, &options, environment::preliminary(registry))?;
        if let Some(format) = bootstrap_loader::log_format(&parsed)? {
            application_log.set_format(&format)?;
        }
        if options.mode == Mode::Validate {
            return validate(&worker, &loaded, parsed, &options, registry);
        }
        serve(
            worker,
            (loaded, version),
            parsed,
            options,
            (registry, give_back),
            application_log,
        )
        .await
    });
    served.map_err(|error| format!("cannot start the event loop: {error}"))?
}

/// `--mode validate`: everything is parsed, nothing is opened.
fn validate(
    worker: &Rc<Worker>,
    loaded: &Loaded,
    mut parsed: Bootstrap,
    options: &Options,
    registry: &'static Registry,
) -> Result<(), String> {
    let env = environment::validating(registry, &mut parsed);
    environment::access_logs(&env, options);
    if let Some(ads) = &parsed.dynamic.ads {
        Subscriptions::of(&env).set_ads(&env, ads);
    }
    let context = environment::listener_context(&env, options, &parsed);
    let manager = ListenerManager::new(worker, context);
    let whole = (loaded, &loaded.bytes.clone().into());
    static_resources::convert(whole, &env, &manager, &parsed)?;
    admin_listener::check(&env, loaded, &parsed)?;
    println!("configuration '{}' OK", bootstrap_loader::name(options));
    Ok(())
}

async fn serve(
    worker: Rc<Worker>,
    (loaded, version): (Loaded, FileVersion),
    mut parsed: Bootstrap,
    options: Options,
    (registry, give_back): (&'static Registry, GiveBack),
    application_log: ApplicationLog,
) -> Result<(), String> {
    let started = worker.now();
    let mut signals = Signals::listen().map_err(|error| format!("cannot take signals: {error}"))?;
    let threads = start_workers(options.concurrency)?;
    let handles: Vec<_> = threads.iter().map(|it| it.handle().clone()).collect();
    let env = environment::serving(&worker, registry, &mut parsed, &handles, &options);
    let internal = internal_clusters::manage(&env, &worker, handles.clone());
    // Once more, now that there are stats to be counted and clusters to be made.
    let (parsed, layers) = bootstrap_loader::take_apart(&loaded, &options, Rc::clone(&env))?;
    let store = env.store.clone();
    let subscribed = dynamic_resources::runtime_layers(&layers);
    let mut runtime = RuntimeLoader::new(layers, &store.root());
    runtime.publish_to([&handles[..], &[worker.handle().clone()]].concat());
    let runtime = Rc::new(RefCell::new(runtime));
    let context = environment::listener_context(&env, &options, &parsed);
    let scope = store.scope("server");
    let clusters = ClusterManager::new(&worker, handles, &store.root()).belonging(&env.node);
    clusters.follow_runtime(&mut runtime.borrow_mut());
    let listeners = ListenerManager::new(&worker, context.clone());
    let server = Rc::new(Server {
        dynamic: DynamicResources::new(&env, &parsed.dynamic, &clusters, &listeners)?
            .with_runtime(&env, &runtime, &subscribed)?,
        clusters,
        internal_clusters: internal,
        listeners,
        runtime,
        state: StateCell::new(scope.gauge("state"), scope.gauge("live")),
        drain: Arc::clone(&context.drain),
        admin_connections: context.connections.of_admin(),
        connections: Arc::clone(&context.connections),
        access_logs: environment::access_logs(&env, &options),
        application_log,
        stats: ServerStats::new(&store, options.concurrency, parsed.server_version, started),
        stats_flush_on_admin: parsed.stats_flush_on_admin,
        bootstrap: RefCell::new(loaded.bytes.clone().into()),
        reload: StaticReload::new(&store, options.reload_static),
        loaded_at: worker.wall(),
        started,
        quit: Notify::new(),
        admin_listener: RefCell::default(),
        env: Rc::clone(&env),
        worker,
        options,
    });
    config_warnings::count(&loaded, &scope, &server.runtime.borrow());
    let whole = (&loaded, &server.bootstrap.borrow().clone());
    let clusters = static_resources::convert(whole, &env, &server.listeners, &parsed)?;
    server.log_outliers(&parsed.outlier_event_log)?;
    server.listeners.bind()?;
    admin_listener::start(&server, &context, &loaded, &parsed).await?;
    // Paths are not needed any more: what they held is the file as text.
    drop(loaded);
    let dog = server.guard()?;
    let overload = OverloadManager::new(&parsed.overload, &server, give_back);
    let result = tokio::select! {
        result = server.initialize(clusters, (&parsed, &version), &mut signals, give_back) => result,
        () = overload.run() => Ok(()),
    };
    drop(dog);
    drop(threads);
    server.close_access_logs();
    result
}

fn start_workers(concurrency: u32) -> Result<Vec<WorkerThread>, String> {
    (0..concurrency)
        .map(WorkerThread::start)
        .collect::<Result<_, _>>()
        .map_err(|error| format!("cannot start a worker: {error}"))
}

impl Server {
    /// Begins to watch over the threads.
    fn guard(&self) -> Result<GuardDog, String> {
        let (main, env) = (self.worker.handle().clone(), &self.env);
        let dog = GuardDog::start(main, &env.workers, &env.store);
        dog.map_err(|error| format!("cannot start the watchdog: {error}"))
    }

    /// Opens the log of ejections, if there is to be one.
    fn log_outliers(&self, path: &str) -> Result<(), String> {
        if !path.is_empty() {
            let log = OutlierLog::open(path, &self.access_logs)?;
            self.clusters.log_outliers(log);
        }
        Ok(())
    }

    /// Brings clusters up, then listeners, then serves until the end.
    async fn initialize(
        self: &Rc<Self>,
        clusters: Clusters,
        (parsed, version): (&Bootstrap, &FileVersion),
        signals: &mut Signals,
        give_back: GiveBack,
    ) -> Result<(), String> {
        for (config, source, targets) in clusters {
            self.clusters.set(config, source, targets);
        }
        let ready = async {
            self.internal_clusters.warmed().await;
            self.dynamic.clusters_ready(&self.clusters).await;
        };
        tokio::select! {
            () = ready => {}
            () = self.ended(signals) => return Ok(()),
        }
        log!(
            logger::MAIN,
            Level::Info,
            "all clusters initialized. initializing init manager"
        );
        load_reporter::start(&self.env, &self.clusters, parsed);
        health_discovery::start(&self.env, parsed);
        self.state.set(ServerState::Initializing);
        tokio::select! {
            () = self.dynamic.listeners_ready(&self.listeners) => {}
            () = self.ended(signals) => return Ok(()),
        }
        log!(
            logger::CONFIG,
            Level::Info,
            "all dependencies initialized. starting workers"
        );
        (give_back.after_start)();
        self.listeners.start_workers().await;
        self.worker.tick();
        let took = self.worker.now().saturating_duration_since(self.started);
        let scope = self.env.store.scope("server");
        let histogram = scope.histogram("initialization_time_ms", nuncio_stats::Unit::Milliseconds);
        histogram.record(nuncio_base::time::millis(took));
        self.state.set(ServerState::Live);
        log!(logger::MAIN, Level::Info, "starting main dispatch loop");
        static_reload::start(self, version)?;
        if self.options.demo {
            crate::demo::start()
                .await
                .map_err(|error| error.to_string())?;
            print!("{}", crate::demo::HINT);
        }
        let flush = self.flush_stats(parsed.stats_flush_interval, give_back);
        tokio::select! {
            () = self.ended(signals) => {}
            () = flush => {}
        }
        log!(logger::MAIN, Level::Info, "exiting");
        Ok(())
    }

    fn close_access_logs(&self) {
        if !self.access_logs.shutdown(LOG_PATIENCE) {
            log!(
                logger::MAIN,
                Level::Warning,
                "access logs could not be written in time"
            );
        }
    }

    /// Resolves when a signal or the admin ends the process; reopens logs meanwhile.
    async fn ended(self: &Rc<Self>, signals: &mut Signals) {
        loop {
            tokio::select! {
                event = signals.next() => match event {
                    SignalEvent::Shutdown => return,
                    SignalEvent::ReopenLogs => self.reopen_logs(),
                    SignalEvent::HangUp => self.hang_up(),
                },
                () = self.quit.notified() => return,
            }
        }
    }

    /// Reads the configuration again where that is asked for, and does nothing otherwise.
    fn hang_up(self: &Rc<Self>) {
        if self.reload.is_none() {
            log!(
                logger::MAIN,
                Level::Warning,
                "caught and eating SIGHUP. See documentation for how to hot restart."
            );
            return;
        }
        log!(
            logger::MAIN,
            Level::Info,
            "caught SIGHUP. Reloading the static configuration."
        );
        static_reload::begin(self);
    }

    pub(crate) fn reopen_logs(&self) {
        self.access_logs.reopen();
        self.application_log.reopen();
    }

    /// Merges what histograms have recorded, every so often.
    async fn flush_stats(&self, interval: Duration, give_back: GiveBack) {
        loop {
            let next = self.worker.now() + interval;
            nuncio_worker::timer::sleep_until(&self.worker, next).await;
            self.env.store.merge_histograms();
            self.update_stats();
            // Most of what an update needed and replaced is freed by now.
            if Subscriptions::of(&self.env).take_updated() {
                (give_back.heap)();
            }
        }
    }

    /// Brings gauges that nobody sets by himself up to date.
    pub(crate) fn update_stats(&self) {
        self.worker.tick();
        // The admin's connections count nowhere but in its own stats.
        let admin = self.admin_listener.borrow();
        let together = Arc::ptr_eq(&self.connections, &self.admin_connections);
        let admin = admin.as_ref().filter(|_| together);
        let of_admin = admin.map_or(0, |(it, _)| it.open_connections());
        let connections = self.connections.open().saturating_sub(of_admin);
        let certificates = CertificatesInUse::of(&self.env);
        let days = certificates.days_until_first_expiring(nuncio_base::time::wall());
        let (store, now) = (&self.env.store, self.worker.now());
        self.stats.update(store, now, connections, days);
    }
}
