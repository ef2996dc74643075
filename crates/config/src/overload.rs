//! `envoy.config.overload.v3.OverloadManager`: of its resource monitors there is the limit of all
//! downstream connections.

use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_proto::envoy::config::overload::v3 as proto;
use nuncio_proto::envoy::extensions::resource_monitors::downstream_connections::v3 as connections;
use std::collections::HashSet;

/// The message that configures the limit.
const CONNECTIONS: &str =
    "envoy.extensions.resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig";

/// The limits of the process.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Overload {
    /// How many downstream connections there may be.
    pub max_downstream_connections: Option<u64>,
}

/// Converts the overload manager's configuration.
///
/// # Errors
/// Monitors, actions and load shed points that aren't built.
pub fn overload(cx: &mut ParseCx, proto: proto::OverloadManager) -> Parsed<Overload> {
    let proto::OverloadManager {
        // How often resources are looked at: connections are counted one by one.
        refresh_interval: _,
        resource_monitors,
        actions,
        loadshed_points,
        buffer_factory_config,
    } = proto;
    let refused = cx
        .refuse("actions", !actions.is_empty())
        .and(cx.refuse("loadshed_points", !loadshed_points.is_empty()))
        .and(cx.refuse("buffer_factory_config", buffer_factory_config.is_some()));
    let mut overload = Overload::default();
    let mut names = HashSet::new();
    let monitors = cx.list("resource_monitors", resource_monitors, |cx, monitor| {
        if !names.insert(monitor.name.clone()) {
            return Err(cx.error(format!("Duplicate resource monitor {}", monitor.name)));
        }
        let config = monitor.config_type;
        let proto::resource_monitor::ConfigType::TypedConfig(config) =
            config.unwrap_or_else(|| {
                proto::resource_monitor::ConfigType::TypedConfig(Default::default())
            });
        if nuncio_proto::any::type_name(&config) != CONNECTIONS {
            return Err(unknown_extension(cx, &monitor.name, &config));
        }
        let limit: connections::DownstreamConnectionsConfig =
            cx.field("typed_config", |cx| cx.unpack(&config))?;
        let limit = u64::try_from(limit.max_active_downstream_connections);
        overload.max_downstream_connections = limit.ok();
        Ok(())
    });
    refused?;
    monitors?;
    Ok(overload)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    fn converted(yaml: &str) -> Result<Overload, String> {
        convert(yaml, overload)
    }

    #[test]
    fn the_limit_of_connections() {
        let monitor = format!(
            "{{name: c, typed_config: {{'@type': type.googleapis.com/{CONNECTIONS}, \
             max_active_downstream_connections: 7}}}}"
        );
        let yaml = |more: &str| format!("{{resource_monitors: [{monitor}{more}]}}");
        let limit = converted(&yaml("")).map(|overload| overload.max_downstream_connections);
        assert_eq!(limit, Ok(Some(7)));
        let twice = yaml(&format!(", {monitor}"));
        for (yaml, expected) in [
            (twice, "Duplicate resource monitor c"),
            (
                yaml(", {name: x}"),
                "Didn't find a registered implementation",
            ),
            (
                format!(
                    "{{resource_monitors: [{monitor}], \
                     actions: [{{name: a, triggers: [{{name: c, threshold: {{value: 1}}}}]}}]}}"
                ),
                "actions is not supported by this build",
            ),
        ] {
            let error = converted(&yaml).unwrap_err();
            assert!(error.contains(expected), "{yaml}: {error}");
        }
    }
}
