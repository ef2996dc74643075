//! The route of a stream: found once, kept with the table it was found in, and what it says to
//! each filter.

use crate::route_source::{LocalRoutes, LocalScopes};
use nuncio_base::HeaderMap;
use nuncio_base::runtime_flags::RuntimeFlags;
use nuncio_base::time::monotonic;
use nuncio_route::{Lookup, RequestView, RouteAction, RouteId, RouteTable, ScopeKey, Selected};
use nuncio_stream_info::wanted::ROUTE_RESOLUTIONS;
use nuncio_stream_info::{ChosenRoute, RouteNames, StreamInfo};
use nuncio_worker::Held;
use std::any::Any;
use std::rc::Rc;
use std::sync::Arc;
use std::time::{Duration, Instant};

/// A stream's route. The table is the one that was current when the request came.
#[derive(Default)]
pub struct RouteCache {
    table: Option<Held<RouteTable>>,
    /// The tables of which headers choose one, anew with each look for a route.
    scopes: Option<Rc<LocalScopes>>,
    scope_key: ScopeKey,
    lookup: Option<Lookup>,
    /// The stream's random number, for all draws of routing.
    random: u64,
    /// What the route says to each filter, by the filter's place in the chain; empty where no
    /// route of the table says anything to any filter.
    pub(crate) configs: Vec<Option<Arc<dyn Any + Send + Sync>>>,
}

/// What was found at some time, if anything was looked for by then, and where.
pub struct FoundRoute {
    table: Option<Held<RouteTable>>,
    lookup: Option<Lookup>,
}

impl RouteCache {
    /// Begins with a table and a random number for the draws among routes.
    pub fn begin(&mut self, table: Held<RouteTable>, random: u64) {
        self.table = Some(table);
        self.random = random;
        self.lookup = None;
    }

    /// Begins with the table that is current, or that the request's headers choose.
    pub(crate) fn begin_with(&mut self, routes: &LocalRoutes, headers: &HeaderMap, random: u64) {
        match routes {
            LocalRoutes::Table(table) => self.begin(table.get(), random),
            LocalRoutes::Scoped(scopes) => {
                self.scopes = Some(Rc::clone(scopes));
                self.random = random;
                self.lookup = None;
                self.choose_scope(headers);
            }
        }
    }

    fn choose_scope(&mut self, headers: &HeaderMap) {
        if let Some(scopes) = &self.scopes {
            self.table = scopes.choose(headers, &mut self.scope_key);
        }
    }

    pub(crate) fn renew(&mut self) {
        self.table = None;
        self.scopes = None;
        self.lookup = None;
        self.configs.clear();
    }

    /// Forgets the route: the next look finds it anew, by headers as they are then.
    pub fn clear(&mut self) {
        self.lookup = None;
    }

    /// Goes back to what was found before it was forgotten, in the table of then.
    pub(crate) fn restore(&mut self, found: FoundRoute, filter_names: &[Arc<str>]) {
        (self.table, self.lookup) = (found.table, found.lookup);
        self.collect_configs(filter_names);
    }

    /// Whether the table says anything to any filter.
    pub(crate) fn has_filter_settings(&self) -> bool {
        self.table
            .as_ref()
            .is_some_and(|table| !table.filter_names().is_empty())
    }

    /// Resolves what the route says to each filter: the most specific level that has settings.
    fn collect_configs(&mut self, filter_names: &[Arc<str>]) {
        // Those of another table, where there was one before.
        self.configs.clear();
        if !self.has_filter_settings() {
            return;
        }
        let mut configs = std::mem::take(&mut self.configs);
        if let Some(selected) = self.selected() {
            let config = |name: &Arc<str>| selected.filter_config(name).cloned();
            configs.extend(filter_names.iter().map(config));
        }
        self.configs = configs;
    }

    /// Finds the route, unless it was found before, and what it says to each filter.
    pub(crate) fn find(
        &mut self,
        headers: &HeaderMap,
        info: &mut StreamInfo,
        flags: &RuntimeFlags,
        filter_names: &[Arc<str>],
    ) -> Lookup {
        if let Some(lookup) = self.lookup {
            return lookup;
        }
        self.choose_scope(headers);
        let Some(table) = &self.table else {
            info.route = None;
            self.configs.clear();
            return Lookup::NoVirtualHost;
        };
        let request = RequestView {
            headers,
            info,
            random: self.random,
            flags,
        };
        let begun = ROUTE_RESOLUTIONS.is_wanted().then(monotonic);
        let lookup = table.find(&request);
        if let Some(begun) = begun {
            count(info, begun);
        }
        self.lookup = Some(lookup);
        match lookup {
            Lookup::Route(id) => {
                info.route = Some(ChosenRoute {
                    table: Rc::clone(table.local()) as Rc<dyn RouteNames>,
                    place: (id.virtual_host, id.route),
                });
            }
            _ => info.route = None,
        }
        self.collect_configs(filter_names);
        lookup
    }

    /// What was found, to go back to it.
    pub fn found(&self) -> FoundRoute {
        FoundRoute {
            table: self.table.clone(),
            lookup: self.lookup,
        }
    }

    /// What was found, if anything was looked for.
    pub fn lookup(&self) -> Option<Lookup> {
        self.lookup
    }

    /// The table.
    pub fn table(&self) -> Option<&Held<RouteTable>> {
        self.table.as_ref()
    }

    /// The route, if one was found.
    pub fn selected(&self) -> Option<Selected<'_>> {
        match (self.lookup, &self.table) {
            (Some(Lookup::Route(id)), Some(table)) => Some(table.selected(id)),
            _ => None,
        }
    }

    /// The route's number in its table.
    pub fn id(&self) -> Option<RouteId> {
        match self.lookup {
            Some(Lookup::Route(id)) => Some(id),
            _ => None,
        }
    }

    /// The route's action, if it sends the request on.
    pub fn action(&self) -> Option<&RouteAction> {
        self.selected().and_then(|selected| selected.action())
    }

    /// The route's own limit on idle streams.
    pub fn idle_timeout(&self) -> Option<Duration> {
        self.action().and_then(|action| action.idle_timeout)
    }
}

/// Counts a look for a route that began a moment ago.
#[cold]
fn count(info: &mut StreamInfo, begun: Instant) {
    let took =
        u32::try_from(monotonic().saturating_duration_since(begun).as_micros()).unwrap_or(u32::MAX);
    let (count, micros) = info.route_resolutions;
    info.route_resolutions = (count + 1, micros.saturating_add(took));
}
