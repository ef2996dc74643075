//! From a configuration to a listener that can take its place: what changes, whether its address is
//! free, and its sockets.

use super::ListenerManager;
use super::entry::{Entry, Origin, Source};
use super::warming::{Pending, Prepared};
use nuncio_config::listener::ConvertedChain;
use nuncio_extension::{InitTargets, ParseCx, Parsed};
use nuncio_listener::{ListenSockets, Listener, ListenerSpec, TrafficDirection};
use nuncio_net::DrainScope;
use nuncio_proto::Packed;
use nuncio_proto::envoy::config::listener::v3 as proto;
use std::rc::Rc;

/// What happens to an entry that exists already.
enum Change {
    Same,
    /// Only filter chains differ.
    InPlace,
    Full,
}

/// A listener whose configuration is right, and which has no sockets yet.
pub struct Converted {
    in_place: bool,
    /// Whether its sockets are bound now, not all together at the start.
    binds: bool,
    source: Source,
    spec: ListenerSpec,
    targets: InitTargets,
}

impl ListenerManager {
    /// Converts a listener, and changes nothing; none where nothing is to be changed.
    ///
    /// # Errors
    /// What is wrong with its configuration; an address that another listener has.
    pub fn convert(
        &self,
        cx: &mut ParseCx,
        mut config: proto::Listener,
        packed: Packed,
        origin: Origin,
    ) -> Parsed<Option<Converted>> {
        if config.name.is_empty() {
            let uuid = self.worker.with_random(|random| random.uuid());
            config.name = String::from_utf8_lossy(&uuid).into_owned();
        }
        let (change, known) = match self.position(&config.name) {
            Some(at) => self.compare(at, &config, &origin),
            None => (Change::Full, Vec::new()),
        };
        if matches!(change, Change::Same) || self.is_stopped(&config) {
            return Ok(None);
        }
        let converted = nuncio_config::listener::listener(cx, config, &known)?;
        let targets = cx.take_init_targets();
        self.refuse_taken(cx, &converted.spec, &origin)?;
        let now = self.started.get() || origin != Origin::Static;
        Ok(Some(Converted {
            in_place: matches!(change, Change::InPlace),
            binds: now && !cx.env().validate_only,
            source: Source {
                config: packed,
                origin,
                last_updated: self.worker.wall(),
            },
            spec: converted.spec,
            targets,
        }))
    }

    /// Makes what will take its place, and that of the listeners `gone` which listen there. What a
    /// control plane adds is bound at once, so that an address that can't be had refuses the
    /// update. Where both listen at the same addresses they share the sockets, so that no
    /// connection is lost between them.
    ///
    /// # Errors
    /// An address that can't be had.
    pub fn prepare(&self, converted: Converted, gone: &[String]) -> Result<Prepared, String> {
        let Converted {
            in_place,
            binds,
            source,
            spec,
            targets,
        } = converted;
        if in_place {
            self.stats.listener_modified().inc();
            let pending = Pending::InPlace(source, spec);
            return Ok(Prepared { pending, targets });
        }
        let known = self.position(&spec.name);
        let sockets = self.sockets_for(known, &spec, &source.origin);
        let listener = Listener::new(spec, &self.context, true);
        let mut entry = Entry::new(source, listener, sockets);
        entry.replaced = self.at_address_of(&entry, gone);
        if binds {
            self.bind_entry(&mut entry)?;
        }
        match known {
            None => self.stats.listener_added().inc(),
            Some(_) => self.stats.listener_modified().inc(),
        }
        let pending = Pending::Whole(entry);
        Ok(Prepared { pending, targets })
    }

    /// The sockets that a listener at these addresses can have of another: of the one that it takes
    /// the place of, of one that has gone, or is going as a file that is read again says.
    fn sockets_for(
        &self,
        known: Option<usize>,
        spec: &ListenerSpec,
        origin: &Origin,
    ) -> Option<Rc<ListenSockets>> {
        let active = self.active.borrow();
        if let Some(sockets) = known.and_then(|at| active[at].sockets_for(spec)) {
            return Some(sockets);
        }
        let there = |entry: &Entry| {
            let sockets = entry.sockets_for(spec);
            sockets.filter(|_| entry.shares_address(&spec.addresses))
        };
        let draining = self.draining.borrow();
        let goes = |entry: &&Entry| self.is_reload(origin) && entry.source.origin == Origin::Static;
        let mut others = draining.iter().chain(active.iter().filter(goes));
        others
            .find_map(there)
            .or_else(|| self.find_warming(&spec.name, |entry| there(entry)))
    }

    /// Those of these listeners that listen at one of the addresses of `entry`.
    fn at_address_of(&self, entry: &Entry, names: &[String]) -> Vec<String> {
        let active = self.active.borrow();
        let there = |name: &&String| {
            let at = self.position(name);
            at.is_some_and(|at| active[at].shares_address(&entry.listener().spec().addresses))
        };
        names.iter().filter(there).cloned().collect()
    }

    /// Whether a listener comes of the file that is read again.
    fn is_reload(&self, origin: &Origin) -> bool {
        *origin == Origin::Static && self.started.get()
    }

    /// What differs from the listener at `at`, and its chains as they were configured.
    fn compare(
        &self,
        at: usize,
        config: &proto::Listener,
        origin: &Origin,
    ) -> (Change, Vec<ConvertedChain>) {
        let active = self.active.borrow();
        let is_reload = self.is_reload(origin);
        let is_static = active[at].source.origin == Origin::Static;
        if is_static && !is_reload {
            // As in Envoy a static listener stays; of two of one name the first stands.
            return (Change::Same, Vec::new());
        }
        let Ok(mut before) = active[at].source.config.decode::<proto::Listener>() else {
            return (Change::Full, Vec::new());
        };
        before.name.clone_from(&config.name);
        if before == *config && (is_static || !is_reload) {
            return (Change::Same, Vec::new());
        }
        let chains = before
            .filter_chains
            .iter()
            .chain(&before.default_filter_chain);
        let specs = active[at].listener().spec().filter_chains.chains();
        let known = chains.cloned().zip(specs.iter().cloned()).collect();
        let without_chains = |mut config: proto::Listener| {
            config.filter_chains.clear();
            config.default_filter_chain = None;
            config
        };
        if without_chains(before) == without_chains(config.clone()) {
            (Change::InPlace, known)
        } else {
            // The chains' filters may have been told of what has changed.
            (Change::Full, Vec::new())
        }
    }

    /// Whether listeners like this one were stopped.
    fn is_stopped(&self, config: &proto::Listener) -> bool {
        use nuncio_proto::envoy::config::core::v3::TrafficDirection as Direction;
        self.is_stopped_for(match config.traffic_direction() {
            Direction::Inbound => TrafficDirection::Inbound,
            Direction::Outbound => TrafficDirection::Outbound,
            Direction::Unspecified => TrafficDirection::Unspecified,
        })
    }

    pub(super) fn is_stopped_for(&self, direction: TrafficDirection) -> bool {
        match self.stopped.get() {
            None => false,
            Some(DrainScope::All) => true,
            Some(DrainScope::InboundOnly) => direction == TrafficDirection::Inbound,
        }
    }

    /// Of a file that is read again it is known that its own listeners don't share addresses:
    /// others than those of a control plane make room.
    fn refuse_taken(&self, cx: &mut ParseCx, spec: &ListenerSpec, origin: &Origin) -> Parsed<()> {
        let stays =
            |entry: &Entry| !self.is_reload(origin) || entry.source.origin != Origin::Static;
        if !self.active.borrow().have_address_of(spec, stays) && !self.is_warming_at(spec, stays) {
            return Ok(());
        }
        let addresses = spec.addresses.iter();
        let addresses: Vec<_> = addresses.map(|at| at.address.to_string()).collect();
        Err(cx.error_at(
            "address",
            format!(
                "error adding listener: '{}' has duplicate address '{}' as existing listener, to \
                 check if the listener has duplicated addresses with other listeners or \
                 'enable_reuse_port' is set to 'false' for the listener",
                spec.name,
                addresses.join(",")
            ),
        ))
    }
}
