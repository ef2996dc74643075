//! `envoy.config.route.v3.RouteConfiguration`: virtual hosts and what holds for all of them.

use crate::action::{Action, RouteAction};
use crate::cluster::{ClusterTarget, WeightedCluster};
use crate::domain_index::DomainIndex;
use crate::error::InvalidRoute;
use crate::filter_config::FilterConfigs;
use crate::mirror::MirrorPolicy;
use crate::mutation::HeaderMutations;
use crate::request::RequestView;
use crate::route::Route;
use crate::stats::RouteStats;
use crate::virtual_host::{VirtualHost, VirtualHostConfig};
use nuncio_base::header_map::HeaderMap;
use nuncio_base::header_name::{HeaderName, names};
use nuncio_base::metadata::Metadata;
use nuncio_matching::path::{without_parameters, without_query};
use nuncio_stats::Scope;
use std::any::Any;
use std::borrow::Cow;
use std::sync::Arc;

/// What config says of a route table.
#[derive(Clone, Debug, Default)]
pub struct RouteTableConfig {
    /// Its name.
    pub name: Arc<str>,
    /// The virtual hosts.
    pub virtual_hosts: Vec<VirtualHostConfig>,
    /// Changes to request headers.
    pub request_headers: HeaderMutations,
    /// Changes to response headers.
    pub response_headers: HeaderMutations,
    /// Settings of filters.
    pub filters: FilterConfigs,
    /// The copies of routes that have none of their own.
    pub mirror_policies: Arc<[MirrorPolicy]>,
    /// Headers that requests from outside lose.
    pub internal_only_headers: Vec<HeaderName>,
    /// Whether the route's changes to headers come last, instead of first.
    pub most_specific_header_mutations_wins: bool,
    /// Whether the port in a host name is left out when the virtual host is looked up.
    pub ignore_port_in_host_matching: bool,
    /// The header by which the virtual host is looked up; `None`: `:authority`.
    pub vhost_header: Option<HeaderName>,
    /// Whether parameters, what follows a `;` in a segment, are left out of the path that routes
    /// are matched by.
    pub ignore_path_parameters_in_path_matching: bool,
    /// Whether a route to a cluster that is not there is an error; `None`: yes for a table that
    /// stands in the connection manager's config, no for one that is delivered.
    pub validate_clusters: Option<bool>,
    /// Its metadata.
    pub metadata: Arc<Metadata>,
}

/// An immutable route table. Streams hold the table that they began with, and a [`RouteId`].
#[derive(Debug)]
pub struct RouteTable {
    /// What holds for the whole table; its virtual hosts are moved out.
    config: RouteTableConfig,
    virtual_hosts: Box<[VirtualHost]>,
    domains: DomainIndex,
    filter_names: Vec<Arc<str>>,
}

/// A route of a table, and the cluster drawn where it has several.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct RouteId {
    /// The virtual host's place.
    pub virtual_host: u32,
    /// The route's place in it.
    pub route: u32,
    /// The drawn cluster's place among the route's weighted clusters; 0 where it has none.
    pub weighted: u32,
}

/// What becomes of a request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lookup {
    /// It takes this route.
    Route(RouteId),
    /// It must come again over TLS: answered with 301 and
    /// [`append_ssl_redirect`](crate::redirect::append_ssl_redirect).
    SslRedirect {
        /// The virtual host's place.
        virtual_host: u32,
    },
    /// A virtual host, but no route in it.
    NoRoute {
        /// The virtual host's place.
        virtual_host: u32,
    },
    /// No virtual host.
    NoVirtualHost,
}

impl RouteTable {
    /// Builds a table with its indexes.
    ///
    /// # Errors
    /// A domain that occurs twice, in Envoy's words.
    pub fn new(mut config: RouteTableConfig) -> Result<Self, InvalidRoute> {
        let mut hosts = std::mem::take(&mut config.virtual_hosts);
        let domains = hosts.iter().map(|host| host.domains.as_slice());
        let domains = DomainIndex::new(&config.name, domains)?;
        let mut filter_names = Vec::new();
        config.filters.number(&mut filter_names);
        for host in &mut hosts {
            host.filters.number(&mut filter_names);
            for route in &mut host.routes {
                number_filters(route, &mut filter_names);
            }
        }
        let mirrors = &config.mirror_policies;
        let virtual_hosts = hosts
            .into_iter()
            .map(|host| VirtualHost::new(host, mirrors))
            .collect();
        Ok(Self {
            virtual_hosts,
            domains,
            filter_names,
            config,
        })
    }

    /// Makes the stats of virtual clusters and routes below `root`, shown as long as the table is.
    pub fn count_in(&mut self, root: &Scope) {
        for host in &mut self.virtual_hosts {
            host.count_in(root);
        }
    }

    /// What holds for the whole table. `virtual_hosts` is empty here: see
    /// [`virtual_hosts`](Self::virtual_hosts).
    pub fn config(&self) -> &RouteTableConfig {
        &self.config
    }

    /// The virtual hosts, in the order of config.
    pub fn virtual_hosts(&self) -> &[VirtualHost] {
        &self.virtual_hosts
    }

    /// Asks for every cluster that a route names whether it is there.
    ///
    /// # Errors
    /// The first that is not, in Envoy's words.
    pub fn check_clusters(&self, is_known: impl Fn(&str) -> bool) -> Result<(), InvalidRoute> {
        let check = |target: &ClusterTarget, what: &str| match target {
            ClusterTarget::Name(name) if !is_known(name) => {
                Err(InvalidRoute::new(format!("route: unknown {what} '{name}'")))
            }
            _ => Ok(()),
        };
        let check_action = |action: &RouteAction| {
            check(&action.cluster, "cluster")?;
            if let ClusterTarget::Weighted(clusters) = &action.cluster {
                for cluster in clusters.clusters() {
                    check(&cluster.target, "weighted cluster")?;
                }
            }
            let mut policies = action.mirror_policies.iter();
            policies.try_for_each(|policy| check(&policy.cluster, "shadow cluster"))
        };
        // Envoy does not look into trees here.
        let is_list = |(_, host): &(usize, &VirtualHost)| host.matcher.is_none();
        for (at, host) in self.virtual_hosts.iter().enumerate().filter(is_list) {
            for (number, route) in host.routes.iter().enumerate() {
                if let Action::Route(action) = &route.action {
                    check_action(action).map_err(|error| error.of_route(at, number))?;
                }
            }
        }
        Ok(())
    }

    /// The names of all filters for which some level has settings. A chain maps its slots to
    /// places in this list once for a table, and then needs no name for a request.
    pub fn filter_names(&self) -> &[Arc<str>] {
        &self.filter_names
    }

    /// The virtual host of a request: its place.
    pub fn find_virtual_host(&self, headers: &HeaderMap) -> Option<u32> {
        if let Some(host) = self.domains.only_any() {
            return Some(host);
        }
        let mut host = match &self.config.vhost_header {
            None => headers.get(names::AUTHORITY)?,
            Some(name) => headers.get(name)?,
        };
        if self.config.ignore_port_in_host_matching {
            host = without_port(host);
        }
        self.domains.find(host)
    }

    /// The route of a request.
    pub fn find(&self, request: &RequestView<'_>) -> Lookup {
        let Some(virtual_host) = self.find_virtual_host(request.headers) else {
            return Lookup::NoVirtualHost;
        };
        let host = &self.virtual_hosts[virtual_host as usize];
        if host.needs_ssl_redirect(request.headers) {
            return Lookup::SslRedirect { virtual_host };
        }
        let path = request.path().map(|target| self.matching_path(target));
        let Some(route) = host.find(request, path.as_deref()) else {
            return Lookup::NoRoute { virtual_host };
        };
        let weighted = match &host.routes[route as usize].action {
            Action::Route(action) => match &action.cluster {
                ClusterTarget::Weighted(clusters) => {
                    clusters.draw(request, &action.hash_policies) as u32
                }
                ClusterTarget::Tree(tree) => tree.find(request) as u32,
                ClusterTarget::Name(_) | ClusterTarget::Header(_) => 0,
            },
            _ => 0,
        };
        Lookup::Route(RouteId {
            virtual_host,
            route,
            weighted,
        })
    }

    /// The part of a `:path` header that routes are matched by.
    pub(crate) fn matching_path<'a>(&self, target: &'a [u8]) -> Cow<'a, [u8]> {
        let path = without_query(target);
        if self.config.ignore_path_parameters_in_path_matching && path.contains(&b';') {
            Cow::Owned(without_parameters(path))
        } else {
            Cow::Borrowed(path)
        }
    }

    /// What a route of this table says. The id must come from [`find`](Self::find) on it.
    pub fn selected(&self, id: RouteId) -> Selected<'_> {
        let virtual_host = &self.virtual_hosts[id.virtual_host as usize];
        let route = &virtual_host.routes[id.route as usize];
        let weighted = match &route.action {
            Action::Route(action) => match &action.cluster {
                ClusterTarget::Weighted(clusters) => clusters.clusters().get(id.weighted as usize),
                ClusterTarget::Tree(tree) => tree.get(id.weighted as usize),
                ClusterTarget::Name(_) | ClusterTarget::Header(_) => None,
            },
            _ => None,
        };
        Selected {
            table: self,
            virtual_host,
            route,
            weighted,
            stats: virtual_host.route_stats(id.route),
        }
    }
}

fn number_filters(route: &mut Route, names: &mut Vec<Arc<str>>) {
    route.filters.number(names);
    if let Action::Route(action) = &mut route.action
        && let ClusterTarget::Weighted(clusters) = &mut action.cluster
    {
        let clusters = clusters.clusters_mut().iter_mut();
        clusters.for_each(|cluster| cluster.filters.number(names));
    }
}

/// A host without what follows its last colon, if that is not inside the brackets of an IPv6
/// address. Envoy does not ask whether a port follows.
fn without_port(host: &[u8]) -> &[u8] {
    let last = |wanted: u8| host.iter().rposition(|byte| *byte == wanted);
    match (last(b':'), last(b']')) {
        (Some(colon), None) => &host[..colon],
        (Some(colon), Some(bracket)) if bracket < colon => &host[..colon],
        _ => host,
    }
}

/// A route with all that stands around it.
#[derive(Clone, Copy, Debug)]
pub struct Selected<'a> {
    /// The table.
    pub table: &'a RouteTable,
    /// The virtual host.
    pub virtual_host: &'a VirtualHost,
    /// The route.
    pub route: &'a Route,
    /// The cluster drawn, where the route has several.
    pub weighted: Option<&'a WeightedCluster>,
    /// What the route counts, where it counts by itself.
    pub stats: Option<&'a Arc<RouteStats>>,
}

impl<'a> Selected<'a> {
    /// How the request is sent on, if it is.
    pub fn action(&self) -> Option<&'a RouteAction> {
        match &self.route.action {
            Action::Route(action) => Some(action),
            _ => None,
        }
    }

    /// The name of the cluster, empty where a header should name it and does not; `None` where
    /// the route sends nowhere.
    pub fn cluster_name(&self, headers: &'a HeaderMap) -> Option<&'a [u8]> {
        let target = match self.weighted {
            Some(weighted) => &weighted.target,
            None => &self.action()?.cluster,
        };
        Some(target.name(headers).unwrap_or_default())
    }

    /// The changes to request headers in the order in which they are made: a later one may undo
    /// an earlier one.
    pub fn request_mutations(&self) -> impl Iterator<Item = &'a HeaderMutations> + use<'a> {
        self.in_order(
            self.weighted.map(|weighted| &weighted.request_headers),
            [
                &self.route.request_headers,
                &self.virtual_host.request_headers,
                &self.table.config.request_headers,
            ],
        )
    }

    /// The changes to response headers in the order in which they are made.
    pub fn response_mutations(&self) -> impl Iterator<Item = &'a HeaderMutations> + use<'a> {
        self.in_order(
            self.weighted.map(|weighted| &weighted.response_headers),
            [
                &self.route.response_headers,
                &self.virtual_host.response_headers,
                &self.table.config.response_headers,
            ],
        )
    }

    fn in_order(
        &self,
        weighted: Option<&'a HeaderMutations>,
        mut levels: [&'a HeaderMutations; 3],
    ) -> impl Iterator<Item = &'a HeaderMutations> + use<'a> {
        if self.table.config.most_specific_header_mutations_wins {
            levels.reverse();
        }
        weighted
            .into_iter()
            .chain(levels)
            .filter(|level| !level.is_empty())
    }

    /// The levels that may have settings of filters, the most specific first: weighted cluster,
    /// route, virtual host, table.
    pub fn filter_levels(&self) -> impl DoubleEndedIterator<Item = &'a FilterConfigs> + use<'a> {
        let weighted = self.weighted.map(|weighted| &weighted.filters);
        let others = [
            &self.route.filters,
            &self.virtual_host.filters,
            &self.table.config.filters,
        ];
        weighted.into_iter().chain(others)
    }

    /// The settings of a filter at the most specific level that has some.
    pub fn filter_config(&self, name: &str) -> Option<&'a Arc<dyn Any + Send + Sync>> {
        self.filter_levels()
            .find_map(|level| level.get(name)?.config.as_ref())
    }

    /// Whether a filter is turned off (`true`) or on by the most specific level that says so.
    pub fn filter_disabled(&self, name: &str) -> Option<bool> {
        self.filter_levels()
            .find_map(|level| level.get(name)?.disabled)
    }
}

#[cfg(test)]
#[path = "table_tests.rs"]
mod tests;
