//! `envoy.config.overload.v3.OverloadManager`: what is watched, and what is done when there is too
//! little of it.

use crate::duration;
use crate::unknown_extension::unknown_extension;
use nuncio_extension::{ParseCx, Parsed};
use nuncio_net::overload::Shedding;
use nuncio_proto::any::type_name;
use nuncio_proto::envoy::config::overload::v3 as proto;
use nuncio_proto::envoy::extensions::resource_monitors::downstream_connections::v3::DownstreamConnectionsConfig;
use nuncio_proto::envoy::extensions::resource_monitors::fixed_heap::v3::FixedHeapConfig;
use nuncio_proto::google::protobuf::Any;
use proto::resource_monitor::ConfigType;
use proto::trigger::TriggerOneof;
use std::collections::HashSet;
use std::time::Duration;

/// The monitor that the limit of all connections has, which is told by its name.
const CONNECTIONS: &str = "envoy.resource_monitors.global_downstream_max_connections";
const FIXED_HEAP: &str = "envoy.extensions.resource_monitors.fixed_heap.v3.FixedHeapConfig";
const SHRINK_HEAP: &str = "envoy.overload_actions.shrink_heap";

/// Envoy's actions that are not built.
const NOT_BUILT: [&str; 2] = [
    "envoy.overload_actions.reduce_timeouts",
    "envoy.overload_actions.reset_high_memory_stream",
];

/// What workers do less of.
const SHEDDING: [(&str, Shedding); 4] = [
    (
        "envoy.overload_actions.stop_accepting_requests",
        Shedding::Requests,
    ),
    (
        "envoy.overload_actions.disable_http_keepalive",
        Shedding::KeepAlive,
    ),
    (
        "envoy.overload_actions.reject_incoming_connections",
        Shedding::Connections,
    ),
    (
        "envoy.overload_actions.stop_accepting_connections",
        Shedding::Accepting,
    ),
];

/// The overload manager.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Overload {
    /// How often resources are looked at.
    pub refresh_interval: Duration,
    /// The resources.
    pub monitors: Vec<Monitor>,
    /// What is done.
    pub actions: Vec<OverloadAction>,
}

/// A resource.
#[derive(Clone, Debug, PartialEq)]
pub struct Monitor {
    /// Its name in stats and triggers.
    pub name: String,
    /// What it is, and how much of it there is.
    pub resource: Resource,
}

/// What is watched.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Resource {
    /// All downstream connections: so many there may be.
    Connections(u64),
    /// The heap: so many bytes it may have.
    Heap(u64),
}

/// An action and what triggers it.
#[derive(Clone, Debug, PartialEq)]
pub struct OverloadAction {
    /// Its name in stats.
    pub name: String,
    /// What is done.
    pub kind: ActionKind,
    /// Which monitor, by its place in the list, triggers it from where on.
    pub triggers: Vec<(usize, Trigger)>,
}

/// What an action does.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ActionKind {
    /// Workers do less of something.
    Shed(Shedding),
    /// Memory that is not in use goes back to the system, this often.
    ShrinkHeap(Duration),
}

/// How a resource's pressure becomes an action's share, both from 0 to 1.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Trigger {
    /// All from this pressure on.
    Threshold(f64),
    /// Nothing up to the first, all from the second on, in proportion between.
    Scaled(f64, f64),
}

impl Trigger {
    /// The action's share.
    pub fn share(self, pressure: f64) -> f64 {
        match self {
            Self::Threshold(from) => f64::from(u8::from(pressure >= from)),
            Self::Scaled(from, full) => ((pressure - from) / (full - from)).clamp(0.0, 1.0),
        }
    }
}

impl Overload {
    /// How many downstream connections there may be.
    pub fn max_downstream_connections(&self) -> Option<u64> {
        self.monitors
            .iter()
            .find_map(|monitor| match monitor.resource {
                Resource::Connections(max) => Some(max),
                Resource::Heap(_) => None,
            })
    }
}

/// Converts the overload manager's configuration.
///
/// # Errors
/// What is wrong, and monitors, actions and load shed points that aren't built.
pub fn overload(cx: &mut ParseCx, proto: proto::OverloadManager) -> Parsed<Overload> {
    let refused = cx
        .refuse("loadshed_points", !proto.loadshed_points.is_empty())
        .and(cx.refuse(
            "buffer_factory_config",
            proto.buffer_factory_config.is_some(),
        ));
    let refresh_interval = duration::optional(cx, "refresh_interval", proto.refresh_interval);
    let mut names = HashSet::new();
    let monitors = cx.list(
        "resource_monitors",
        proto.resource_monitors,
        |cx, monitor| {
            if !names.insert(monitor.name.clone()) {
                return Err(cx.error(format!("Duplicate resource monitor {}", monitor.name)));
            }
            let resource = resource(cx, &monitor)?;
            Ok(Monitor {
                name: monitor.name,
                resource,
            })
        },
    )?;
    let mut names = HashSet::new();
    let actions = cx.list("actions", proto.actions, |cx, action| {
        if !names.insert(action.name.clone()) {
            return Err(cx.error(format!("Duplicate overload action {}", action.name)));
        }
        convert_action(cx, action, &monitors)
    });
    refused?;
    Ok(Overload {
        refresh_interval: refresh_interval?.unwrap_or(Duration::from_secs(1)),
        actions: actions?,
        monitors,
    })
}

fn resource(cx: &mut ParseCx, monitor: &proto::ResourceMonitor) -> Parsed<Resource> {
    let none = Any::default();
    let config = match &monitor.config_type {
        Some(ConfigType::TypedConfig(config)) => config,
        None => &none,
    };
    if monitor.name == CONNECTIONS {
        let limit: DownstreamConnectionsConfig =
            cx.field("typed_config", |cx| cx.unpack(config))?;
        let max = u64::try_from(limit.max_active_downstream_connections);
        return Ok(Resource::Connections(max.unwrap_or_default()));
    }
    if type_name(config) != FIXED_HEAP {
        return Err(unknown_extension(cx, &monitor.name, config));
    }
    cx.field("typed_config", |cx| {
        let heap: FixedHeapConfig = cx.unpack(config)?;
        if heap.max_heap_size_bytes == 0 {
            let text = "fixed_heap: max heap size must be greater than 0";
            return Err(cx.error_at("max_heap_size_bytes", text));
        }
        Ok(Resource::Heap(heap.max_heap_size_bytes))
    })
}

fn convert_action(
    cx: &mut ParseCx,
    action: proto::OverloadAction,
    monitors: &[Monitor],
) -> Parsed<OverloadAction> {
    let name = action.name;
    if NOT_BUILT.contains(&name.as_str()) {
        return Err(cx.error_at("name", format!("{name} is not supported by this build")));
    }
    let shedding = SHEDDING.iter().find(|(known, _)| *known == name);
    let kind = match (shedding, action.typed_config) {
        (Some((_, what)), None) => ActionKind::Shed(*what),
        (None, config) if name == SHRINK_HEAP => shrink_heap(cx, &name, config.as_ref())?,
        (Some(_), Some(_)) => return Err(conflict(cx, &name)),
        (None, _) => return Err(cx.error(format!("Unknown Overload Manager Action {name}"))),
    };
    let mut seen = HashSet::new();
    let triggers = cx.list("triggers", action.triggers, |cx, trigger| {
        let resource = &trigger.name;
        let Some(at) = monitors
            .iter()
            .position(|monitor| monitor.name == *resource)
        else {
            return Err(cx.error(format!(
                "Unknown trigger resource {resource} for overload action {name}"
            )));
        };
        if !seen.insert(at) {
            return Err(cx.error(format!(
                "Duplicate trigger resource for overload action {name}"
            )));
        }
        Ok((at, convert_trigger(cx, trigger.trigger_oneof)?))
    })?;
    Ok(OverloadAction {
        name,
        kind,
        triggers,
    })
}

fn conflict(cx: &mut ParseCx, name: &str) -> nuncio_extension::Invalid {
    let text = format!("Overload action name \"{name}\" conflicts with its typed config");
    cx.error_at("typed_config", text)
}

/// How often memory goes back: every 10 s where nothing is said.
fn shrink_heap(cx: &mut ParseCx, name: &str, config: Option<&Any>) -> Parsed<ActionKind> {
    let mut interval = None;
    if let Some(config) = config {
        if !type_name(config).ends_with(".ShrinkHeapConfig") {
            return Err(conflict(cx, name));
        }
        interval = cx.field("typed_config", |cx| {
            let config: proto::ShrinkHeapConfig = cx.unpack(config)?;
            cx.refuse(
                "max_unfreed_memory_bytes",
                config.max_unfreed_memory_bytes.is_some(),
            )?;
            duration::optional(cx, "timer_interval", config.timer_interval)
        })?;
    }
    Ok(ActionKind::ShrinkHeap(
        interval.unwrap_or(Duration::from_secs(10)),
    ))
}

fn convert_trigger(cx: &mut ParseCx, trigger: Option<TriggerOneof>) -> Parsed<Trigger> {
    match trigger {
        Some(TriggerOneof::Threshold(threshold)) => Ok(Trigger::Threshold(threshold.value)),
        Some(TriggerOneof::Scaled(scaled)) => {
            let (from, full) = (scaled.scaling_threshold, scaled.saturation_threshold);
            if from >= full {
                let text = "scaling_threshold must be less than saturation_threshold";
                return Err(cx.error_at("scaled", text));
            }
            Ok(Trigger::Scaled(from, full))
        }
        // A rule of the message: it is told before.
        None => Err(cx.error("trigger_oneof is required")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::testing::convert;

    const HEAP: &str = "{name: heap, typed_config: {'@type': type.googleapis.com/envoy.extensions.\
        resource_monitors.fixed_heap.v3.FixedHeapConfig, max_heap_size_bytes: 1000}}";

    fn converted(yaml: &str) -> Result<Overload, String> {
        convert(yaml, overload)
    }

    fn with_action(name: &str, triggers: &str) -> String {
        let name = format!("envoy.overload_actions.{name}");
        format!(
            "{{resource_monitors: [{HEAP}], actions: [{{name: {name}, triggers: [{triggers}]}}]}}"
        )
    }

    #[test]
    fn monitors_and_actions() {
        let monitor = format!(
            "{{name: {CONNECTIONS}, typed_config: {{'@type': type.googleapis.com/envoy.extensions.\
             resource_monitors.downstream_connections.v3.DownstreamConnectionsConfig, \
             max_active_downstream_connections: 7}}}}"
        );
        let overload = converted(&format!("{{resource_monitors: [{HEAP}, {monitor}]}}")).unwrap();
        assert_eq!(overload.max_downstream_connections(), Some(7));
        assert_eq!(overload.monitors[0].resource, Resource::Heap(1000));
        assert_eq!(overload.refresh_interval, Duration::from_secs(1));
        let scaled = "{name: heap, scaled: {scaling_threshold: 0.5, saturation_threshold: 0.9}}";
        let overload = converted(&with_action("shrink_heap", scaled)).unwrap();
        let action = &overload.actions[0];
        assert_eq!(action.kind, ActionKind::ShrinkHeap(Duration::from_secs(10)));
        assert_eq!(action.triggers, [(0, Trigger::Scaled(0.5, 0.9))]);
    }

    #[test]
    fn mistakes_are_told_in_envoys_words() {
        let half = "{name: heap, threshold: {value: 0.5}}";
        let scaled = "{name: heap, scaled: {scaling_threshold: 0.5, saturation_threshold: 0.5}}";
        for (yaml, expected) in [
            (
                format!("{{resource_monitors: [{HEAP}, {HEAP}]}}"),
                "Duplicate resource monitor heap",
            ),
            (
                "{resource_monitors: [{name: x}]}".into(),
                "Didn't find a registered implementation",
            ),
            (
                HEAP.replace("1000", "0")
                    .replace("{name", "{resource_monitors: [{name")
                    + "]}",
                "fixed_heap: max heap size must be greater than 0",
            ),
            (
                with_action("none", half),
                "Unknown Overload Manager Action envoy.overload_actions.none",
            ),
            (
                with_action("reduce_timeouts", half),
                "envoy.overload_actions.reduce_timeouts is not supported by this build",
            ),
            (
                with_action("shrink_heap", "{name: x, threshold: {value: 1}}"),
                "Unknown trigger resource x for overload action",
            ),
            (
                with_action("shrink_heap", &format!("{half}, {half}")),
                "Duplicate trigger resource for overload action",
            ),
            (
                with_action("shrink_heap", scaled),
                "scaling_threshold must be less than saturation_threshold",
            ),
        ] {
            let error = converted(&yaml).unwrap_err();
            assert!(error.contains(expected), "{yaml}: {error}");
        }
    }

    #[test]
    fn pressure_becomes_a_share() {
        let scaled = Trigger::Scaled(0.5, 0.9);
        for (trigger, pressure, expected) in [
            (Trigger::Threshold(0.9), 0.89, 0.0),
            (Trigger::Threshold(0.9), 0.9, 1.0),
            (scaled, 0.5, 0.0),
            (scaled, 0.7, 0.5),
            (scaled, 0.9, 1.0),
            (scaled, 6.0, 1.0),
        ] {
            let share = trigger.share(pressure);
            assert!(
                (share - expected).abs() < 1e-9,
                "{trigger:?} at {pressure}: {share}"
            );
        }
    }
}
