//! What differs between two bootstraps: clusters and listeners by name, and everything else.

use crate::static_resources::StaticResources;
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_proto::diff::diff;
use nuncio_proto::envoy::config::bootstrap::v3::Bootstrap;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_proto::envoy::config::listener::v3::Listener;
use nuncio_proto::load::message_of;
use nuncio_proto::wire::{self, Value};
use nuncio_proto::{Name, Packed};
use std::collections::BTreeMap;

/// What is logged of one change at most, in lines.
const MOST_LINES: usize = 200;

/// Encoded resources by name.
type ByName<'a> = BTreeMap<String, &'a [u8]>;

/// What a manager has, by name.
pub(super) type Configs = BTreeMap<String, Packed>;

/// Static clusters and listeners.
pub(super) struct Resources<'a> {
    clusters: ByName<'a>,
    listeners: ByName<'a>,
}

impl<'a> Resources<'a> {
    /// Those that the managers have.
    pub fn in_use((clusters, listeners): &'a (Configs, Configs)) -> Self {
        let encoded = |configs: &'a Configs| {
            let configs = configs.iter();
            configs.map(|(name, config)| (name.clone(), config.body()))
        };
        Self {
            clusters: encoded(clusters).collect(),
            listeners: encoded(listeners).collect(),
        }
    }

    /// Those of a bootstrap.
    ///
    /// # Errors
    /// A listener without a name, which could be any.
    pub fn of(resources: &StaticResources<'a>) -> Result<Self, String> {
        let listeners = by_name(&resources.listeners, listener_name);
        if listeners.contains_key("") {
            return Err("a listener without a name can't be told from others".to_owned());
        }
        Ok(Self {
            clusters: by_name(&resources.clusters, |cluster| {
                // `Cluster.name`
                name_of(cluster, 1)
            }),
            listeners,
        })
    }
}

/// Of two of one name the first counts, as when the server starts.
fn by_name<'a>(all: &[&'a [u8]], name: impl Fn(&[u8]) -> String) -> ByName<'a> {
    let all = all.iter().rev();
    all.map(|bytes| (name(bytes), *bytes)).collect()
}

/// The name of an encoded listener.
pub(super) fn listener_name(bytes: &[u8]) -> String {
    // `Listener.name`
    name_of(bytes, 1)
}

fn name_of(bytes: &[u8], field: u32) -> String {
    let mut name = &[][..];
    for found in wire::fields(bytes).map_while(Result::ok) {
        if let (number, Value::Bytes(bytes)) = found
            && number == field
        {
            name = bytes;
        }
    }
    String::from_utf8_lossy(name).into_owned()
}

/// What changed of one kind.
pub(super) struct KindChanges<'a> {
    /// New ones, and those that differ.
    pub set: Vec<(String, &'a [u8])>,
    /// The names of those that are gone.
    pub gone: Vec<String>,
    /// What is said of them.
    lines: Vec<String>,
}

/// What changed.
pub(super) struct Changes<'a> {
    pub clusters: KindChanges<'a>,
    pub listeners: KindChanges<'a>,
}

impl<'a> Changes<'a> {
    /// What is to be done to get from `old` to `new`.
    pub fn between(old: &Resources<'_>, new: &Resources<'a>) -> Self {
        Self {
            clusters: changes::<Cluster>("cluster", &old.clusters, &new.clusters),
            listeners: changes::<Listener>("listener", &old.listeners, &new.listeners),
        }
    }

    /// Says what changed, field by field; `rest` is what can't be taken over.
    pub fn log(&self, name: &str, old_rest: &[u8], new_rest: &[u8]) {
        let lines = self.clusters.lines.iter().chain(&self.listeners.lines);
        let lines: Vec<_> = lines.collect();
        let what = match lines.len() {
            0 => "nothing to take over",
            _ => "taking over",
        };
        log!(logger::CONFIG, Level::Info, "reloading '{name}': {what}");
        for line in lines.iter().take(MOST_LINES) {
            log!(logger::CONFIG, Level::Info, "  {line}");
        }
        if lines.len() > MOST_LINES {
            let more = lines.len() - MOST_LINES;
            log!(logger::CONFIG, Level::Info, "  and {more} more");
        }
        let Some(message) = message_of::<Bootstrap>() else {
            return;
        };
        // Encoded alike, wherever the resources stood.
        let [old, new] =
            [old_rest, new_rest].map(|rest| StaticResources::default().with_rest(rest));
        for difference in diff(&old, &new, message).iter().take(MOST_LINES) {
            log!(
                logger::CONFIG,
                Level::Warning,
                "  {difference}: this needs a restart"
            );
        }
    }
}

fn changes<'a, P: Name>(kind: &str, old: &ByName<'_>, new: &ByName<'a>) -> KindChanges<'a> {
    let mut changes = KindChanges {
        set: Vec::new(),
        gone: Vec::new(),
        lines: Vec::new(),
    };
    for (name, bytes) in new {
        match old.get(name) {
            Some(before) if before == bytes => continue,
            Some(before) => {
                let message = message_of::<P>();
                let differences = message.map(|message| diff(before, bytes, message));
                let lines = differences.unwrap_or_default().into_iter();
                let lines = lines.map(|difference| format!("{kind} '{name}': {difference}"));
                changes.lines.extend(lines);
            }
            None => changes.lines.push(format!("{kind} '{name}' is new")),
        }
        changes.set.push((name.clone(), *bytes));
    }
    for name in old.keys().filter(|name| !new.contains_key(*name)) {
        changes.lines.push(format!("{kind} '{name}' is gone"));
        changes.gone.push(name.clone());
    }
    changes
}

#[cfg(test)]
mod tests {
    use super::*;
    use nuncio_proto::{Format, Options, load};

    fn bootstrap(yaml: &str) -> Vec<u8> {
        let message = message_of::<Bootstrap>().unwrap();
        let loaded = load::text("", yaml, Format::Yaml, message, &Options::default());
        loaded.unwrap().bytes
    }

    #[test]
    fn what_has_changed() {
        let old = bootstrap(
            "{static_resources: {clusters: [{name: a}, {name: b, connect_timeout: 1s}, {name: c}],
            listeners: [{name: l}]}}",
        );
        let new = bootstrap(
            "{static_resources: {clusters: [{name: b, connect_timeout: 2s}, {name: d}, {name: c}],
            listeners: [{name: l}]}}",
        );
        let [old, new] = [&old, &new].map(|bytes| StaticResources::of(bytes).unwrap());
        let resources = |of| Resources::of(of).unwrap();
        let changes = Changes::between(&resources(&old), &resources(&new));
        let set = changes.clusters.set.iter().map(|(name, _)| name.as_str());
        assert_eq!(set.collect::<Vec<_>>(), ["b", "d"]);
        assert_eq!(changes.clusters.gone, ["a"]);
        assert_eq!(
            changes.clusters.lines,
            [
                "cluster 'b': connect_timeout: 1s -> 2s",
                "cluster 'd' is new",
                "cluster 'a' is gone",
            ]
        );
        assert!(changes.listeners.set.is_empty() && changes.listeners.gone.is_empty());
        // What cannot change is what it was.
        let whole = new.with_rest(&bootstrap("{node: {id: x}}"));
        let whole = StaticResources::of(&whole).unwrap();
        assert_eq!(whole.clusters, new.clusters);
        assert!(whole.rest.windows(1).any(|byte| byte == b"x"));
        let unnamed = bootstrap("{static_resources: {listeners: [{}]}}");
        assert!(Resources::of(&StaticResources::of(&unnamed).unwrap()).is_err());
    }
}
