//! What the admin sees of the server, and may ask it to do.

use nuncio_base::options::Options;
use nuncio_base::runtime_flags::RuntimeView;
use nuncio_stats::{PrimitiveStat, Store};

use crate::view::{
    ClusterView, ConfigSection, DrainRequest, ListenerView, MemoryView, ServerState,
    UnreadyTargets, Uptime,
};

/// The server as the admin sees it; implemented on main.
pub trait AdminServer {
    /// The command line.
    fn options(&self) -> &Options;

    /// The stats.
    fn stats(&self) -> &Store;

    /// Called before stats are shown: flushes them where `stats_flush_on_admin` says so.
    fn before_stats(&self);

    /// The stats of single endpoints, of the active clusters that ask for them.
    fn endpoint_stats(&self) -> Vec<PrimitiveStat>;

    /// What `/ready` says.
    fn state(&self) -> ServerState;

    /// How long the process runs.
    fn uptime(&self) -> Uptime;

    /// The node of this process, as an encoded `envoy.config.core.v3.Node`.
    fn node(&self) -> Vec<u8>;

    /// The active clusters whose name is wanted, in the order in which they are shown.
    fn clusters(&self, wanted: &dyn Fn(&str) -> bool) -> Vec<ClusterView>;

    /// The active listeners, in the order in which they are shown.
    fn listeners(&self) -> Vec<ListenerView>;

    /// The parts of `/config_dump` in Envoy's order: bootstrap, clusters, ECDS filters (where there
    /// are any), endpoints (with `include_eds`), listeners, scoped routes, routes, secrets. Of
    /// resources only those whose name is wanted.
    fn config_dump(&self, wanted: &dyn Fn(&str) -> bool, include_eds: bool) -> Vec<ConfigSection>;

    /// Runtime's layers and entries.
    fn runtime(&self) -> RuntimeView;

    /// Sets entries of runtime's admin layer, an empty text removing one.
    ///
    /// # Errors
    /// When there is no admin layer.
    fn modify_runtime(&self, changes: &[(String, String)]) -> Result<(), String>;

    /// How much memory the process uses.
    fn memory(&self) -> MemoryView;

    /// The loaded certificates, as an encoded `envoy.admin.v3.Certificates`.
    fn certificates(&self) -> Vec<u8>;

    /// How far each dynamic resource is, as an encoded `envoy.service.status.v3.ClientConfig`.
    fn client_config(&self) -> Vec<u8>;

    /// What start-up or warming still waits for; `mask` names the kind that is asked for.
    fn unready_targets(&self, mask: Option<&str>) -> Vec<UnreadyTargets>;

    /// Drains listeners.
    fn drain_listeners(&self, request: DrainRequest);

    /// Makes health checks fail (`/healthcheck/fail`) or pass again.
    fn fail_health_check(&self, fail: bool);

    /// Ends the process, once the answer is sent.
    fn quit(&self);

    /// Opens the log files again.
    fn reopen_logs(&self);
}
