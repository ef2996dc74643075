//! What the command line says, as plain data: every layer above reads it.

use std::time::Duration;

use crate::log::{Level, Logger};

/// What the process is to do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Mode {
    /// Serve traffic.
    #[default]
    Serve,
    /// Check the configuration and exit.
    Validate,
    /// Start, without workers, and exit.
    InitOnly,
}

/// How connections are drained.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum DrainStrategy {
    /// With a probability that grows over the drain time.
    #[default]
    Gradual,
    /// At once.
    Immediate,
}

/// The family of the local address that stands in `X-Forwarded-For` and the like.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum LocalIpVersion {
    /// IPv4
    #[default]
    V4,
    /// IPv6
    V6,
}

/// When the configuration file is read again while the server serves.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum ReloadStatic {
    /// Never, as in Envoy.
    #[default]
    Never,
    /// When SIGHUP comes.
    Signal,
    /// When SIGHUP comes, and when something is renamed to the file.
    Change,
}

/// The command line, parsed and checked.
#[derive(Clone, Debug)]
pub struct Options {
    /// `-c`, empty for none.
    pub config_path: String,
    /// `--config-yaml`: merged over the file, empty for none.
    pub config_yaml: String,
    /// `nuncio demo`: serve the embedded example instead of a file.
    pub demo: bool,
    /// `--mode`
    pub mode: Mode,
    /// `--concurrency`: worker threads, at least 1.
    pub concurrency: u32,
    /// `--cpuset-threads`
    pub cpuset_threads: bool,
    /// `--reload-static-config`
    pub reload_static: ReloadStatic,

    /// `--allow-unknown-static-fields` or its deprecated form.
    pub allow_unknown_static_fields: bool,
    /// `--reject-unknown-dynamic-fields`
    pub reject_unknown_dynamic_fields: bool,
    /// `--ignore-unknown-dynamic-fields`
    pub ignore_unknown_dynamic_fields: bool,
    /// `--skip-deprecated-logs`
    pub skip_deprecated_logs: bool,
    /// `--disable-extensions`: names, as `category/name` or `name`.
    pub disabled_extensions: Vec<String>,

    /// `--service-cluster`: `node.cluster`, whatever the bootstrap says.
    pub service_cluster: String,
    /// `--service-node`: `node.id`, whatever the bootstrap says.
    pub service_node: String,
    /// `--service-zone`: `node.locality.zone`, whatever the bootstrap says.
    pub service_zone: String,
    /// `--local-address-ip-version`
    pub local_ip_version: LocalIpVersion,
    /// `--admin-address-path`: the file that gets the admin's address, empty for none.
    pub admin_address_path: String,
    /// `--stats-tag`: tags that all stats carry.
    pub stats_tags: Vec<(String, String)>,

    /// `--log-level`
    pub log_level: Level,
    /// `--component-log-level`, in order.
    pub component_log_levels: Vec<(&'static Logger, Level)>,
    /// `--component-log-level` as it was given.
    pub component_log_level_text: String,
    /// `--log-format`; none for Envoy's default.
    pub log_format: Option<String>,
    /// `--log-format-escaped`
    pub log_format_escaped: bool,
    /// `--log-path`: the application log's file, empty for stderr.
    pub log_path: String,
    /// `--log-stacktrace-single-entry`
    pub log_stacktrace_single_entry: bool,
    /// `--enable-fine-grain-logging`
    pub fine_grain_logging: bool,
    /// `--file-flush-interval-msec`: how often access logs are written out.
    pub file_flush_interval: Duration,
    /// `--file-flush-min-size-kb`, in bytes: how much of an access log is written out at once.
    pub file_flush_min_size: u64,

    /// `--drain-time-s`
    pub drain_time: Duration,
    /// `--drain-strategy`
    pub drain_strategy: DrainStrategy,
    /// `--parent-shutdown-time-s`
    pub parent_shutdown_time: Duration,

    /// `--base-id`
    pub base_id: u32,
    /// `--use-dynamic-base-id`
    pub use_dynamic_base_id: bool,
    /// `--base-id-path`: the file that gets the base id, empty for none.
    pub base_id_path: String,
    /// `--restart-epoch`: 0 until hot restart is built.
    pub restart_epoch: u32,
    /// `--disable-hot-restart`
    pub disable_hot_restart: bool,
    /// `--skip-hot-restart-on-no-parent`
    pub skip_hot_restart_on_no_parent: bool,
    /// `--skip-hot-restart-parent-stats`
    pub skip_hot_restart_parent_stats: bool,
    /// `--socket-path`: the hot restart socket.
    pub socket_path: String,
    /// `--socket-mode`: permissions of the hot restart socket.
    pub socket_mode: u32,
    /// `--enable-mutex-tracing`
    pub mutex_tracing: bool,
    /// `--enable-core-dump`
    pub core_dump: bool,

    /// What is to be logged, as warnings, once there is a log.
    pub warnings: Vec<&'static str>,
}

impl Default for Options {
    fn default() -> Self {
        Self {
            config_path: String::new(),
            config_yaml: String::new(),
            demo: false,
            mode: Mode::Serve,
            concurrency: 1,
            cpuset_threads: false,
            reload_static: ReloadStatic::Never,
            allow_unknown_static_fields: false,
            reject_unknown_dynamic_fields: false,
            ignore_unknown_dynamic_fields: false,
            skip_deprecated_logs: false,
            disabled_extensions: Vec::new(),
            service_cluster: String::new(),
            service_node: String::new(),
            service_zone: String::new(),
            local_ip_version: LocalIpVersion::V4,
            admin_address_path: String::new(),
            stats_tags: Vec::new(),
            log_level: Level::Info,
            component_log_levels: Vec::new(),
            component_log_level_text: String::new(),
            log_format: None,
            log_format_escaped: false,
            log_path: String::new(),
            log_stacktrace_single_entry: false,
            fine_grain_logging: false,
            file_flush_interval: Duration::from_secs(10),
            file_flush_min_size: 64 * 1024,
            drain_time: Duration::from_secs(600),
            drain_strategy: DrainStrategy::Gradual,
            parent_shutdown_time: Duration::from_secs(900),
            base_id: 0,
            use_dynamic_base_id: false,
            base_id_path: String::new(),
            restart_epoch: 0,
            disable_hot_restart: false,
            skip_hot_restart_on_no_parent: false,
            skip_hot_restart_parent_stats: false,
            socket_path: "@envoy_domain_socket".into(),
            socket_mode: 0o600,
            mutex_tracing: false,
            core_dump: false,
            warnings: Vec::new(),
        }
    }
}
