//! `/server_info`: version, state, command line and node.

use std::time::Duration;

use nuncio_base::log::DEFAULT_FORMAT;
use nuncio_base::options::{DrainStrategy, LocalIpVersion, Mode, Options};
use nuncio_base::version::{HOT_RESTART_VERSION, version};
use nuncio_proto::envoy::admin::v3::command_line_options::{
    DrainStrategy as ProtoDrainStrategy, IpVersion, Mode as ProtoMode,
};
use nuncio_proto::envoy::admin::v3::{CommandLineOptions, ServerInfo};
use nuncio_proto::google::protobuf::Duration as ProtoDuration;
use nuncio_proto::{Message, wire};

use crate::{AdminResponse, Call, json};

/// `ServerInfo.node`
const NODE: u32 = 7;

pub(crate) fn answer(call: &Call<'_>) -> AdminResponse {
    let options = call.server.options();
    let uptime = call.server.uptime();
    let message = ServerInfo {
        version: version(),
        state: call.server.state().number(),
        hot_restart_version: match options.disable_hot_restart {
            true => "disabled".into(),
            false => HOT_RESTART_VERSION.into(),
        },
        command_line_options: Some(command_line(options)),
        uptime_current_epoch: Some(seconds(uptime.current_epoch)),
        uptime_all_epochs: Some(seconds(uptime.all_epochs)),
        node: None,
        ..Default::default()
    };
    let mut bytes = message.encode_to_vec();
    // The node is kept encoded; the order of fields on the wire does not matter to the printer.
    wire::put_bytes(&mut bytes, NODE, &call.server.node());
    AdminResponse::json(json::encoded("envoy.admin.v3.ServerInfo", &bytes, true))
}

fn command_line(options: &Options) -> CommandLineOptions {
    let stats_tags = options.stats_tags.iter();
    CommandLineOptions {
        base_id: options.base_id.into(),
        use_dynamic_base_id: options.use_dynamic_base_id,
        skip_hot_restart_on_no_parent: options.skip_hot_restart_on_no_parent,
        skip_hot_restart_parent_stats: options.skip_hot_restart_parent_stats,
        base_id_path: options.base_id_path.clone(),
        concurrency: options.concurrency,
        config_path: options.config_path.clone(),
        config_yaml: options.config_yaml.clone(),
        allow_unknown_static_fields: options.allow_unknown_static_fields,
        reject_unknown_dynamic_fields: options.reject_unknown_dynamic_fields,
        ignore_unknown_dynamic_fields: options.ignore_unknown_dynamic_fields,
        skip_deprecated_logs: options.skip_deprecated_logs,
        admin_address_path: options.admin_address_path.clone(),
        local_address_ip_version: match options.local_ip_version {
            LocalIpVersion::V4 => IpVersion::V4 as i32,
            LocalIpVersion::V6 => IpVersion::V6 as i32,
        },
        log_level: options.log_level.name().into(),
        component_log_level: options.component_log_level_text.clone(),
        log_format: match &options.log_format {
            Some(format) => format.clone(),
            None => DEFAULT_FORMAT.into(),
        },
        log_format_escaped: options.log_format_escaped,
        log_path: options.log_path.clone(),
        service_cluster: options.service_cluster.clone(),
        service_node: options.service_node.clone(),
        service_zone: options.service_zone.clone(),
        file_flush_interval: Some(seconds_and_millis(options.file_flush_interval)),
        drain_time: Some(seconds(options.drain_time)),
        drain_strategy: match options.drain_strategy {
            DrainStrategy::Gradual => ProtoDrainStrategy::Gradual as i32,
            DrainStrategy::Immediate => ProtoDrainStrategy::Immediate as i32,
        },
        parent_shutdown_time: Some(seconds(options.parent_shutdown_time)),
        mode: match options.mode {
            Mode::Serve => ProtoMode::Serve as i32,
            Mode::Validate => ProtoMode::Validate as i32,
            Mode::InitOnly => ProtoMode::InitOnly as i32,
        },
        disable_hot_restart: options.disable_hot_restart,
        enable_mutex_tracing: options.mutex_tracing,
        restart_epoch: options.restart_epoch,
        cpuset_threads: options.cpuset_threads,
        disabled_extensions: options.disabled_extensions.clone(),
        enable_fine_grain_logging: options.fine_grain_logging,
        socket_path: options.socket_path.clone(),
        enable_core_dump: options.core_dump,
        stats_tag: stats_tags
            .map(|(name, value)| format!("{name}:{value}"))
            .collect(),
        // What Envoy leaves unset here, whatever the command line says.
        ..Default::default()
    }
}

fn seconds(duration: Duration) -> ProtoDuration {
    seconds_and_millis(Duration::from_secs(duration.as_secs()))
}

fn seconds_and_millis(duration: Duration) -> ProtoDuration {
    ProtoDuration {
        // Both come from 32-bit numbers or from the time since the start.
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos() as i32,
    }
}
