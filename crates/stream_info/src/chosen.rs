//! What a stream knows of the route and the cluster that were chosen for it: held by reference, so
//! that a stream copies no names.

use nuncio_base::metadata::Metadata;
use std::rc::Rc;
use std::sync::Arc;

/// A route's place in its table: the virtual host's, and the route's in it.
pub type RoutePlace = (u32, u32);

/// A table that knows its routes' names.
pub trait RouteNames {
    /// The route's name, empty if it has none.
    fn route_name(&self, place: RoutePlace) -> &str;
    /// The name of its virtual host.
    fn virtual_host_name(&self, place: RoutePlace) -> &str;
    /// The route's metadata.
    fn route_metadata(&self, place: RoutePlace) -> &Metadata;
    /// Whether paths are matched without their segments' parameters.
    fn ignores_path_parameters(&self) -> bool;
}

impl<T: RouteNames> RouteNames for Arc<T> {
    fn route_name(&self, place: RoutePlace) -> &str {
        (**self).route_name(place)
    }

    fn virtual_host_name(&self, place: RoutePlace) -> &str {
        (**self).virtual_host_name(place)
    }

    fn route_metadata(&self, place: RoutePlace) -> &Metadata {
        (**self).route_metadata(place)
    }

    fn ignores_path_parameters(&self) -> bool {
        (**self).ignores_path_parameters()
    }
}

/// The route that was chosen.
#[derive(Clone)]
pub struct ChosenRoute {
    /// The table, as it was when the route was chosen.
    pub table: Rc<dyn RouteNames>,
    /// The route's place in it.
    pub place: RoutePlace,
}

impl ChosenRoute {
    /// The route's name, if it has one.
    pub fn name(&self) -> Option<&str> {
        let name = self.table.route_name(self.place);
        Some(name).filter(|name| !name.is_empty())
    }

    /// The name of its virtual host.
    pub fn virtual_host_name(&self) -> &str {
        self.table.virtual_host_name(self.place)
    }

    /// Its metadata.
    pub fn metadata(&self) -> &Metadata {
        self.table.route_metadata(self.place)
    }
}

/// The cluster that was chosen.
#[derive(Clone, Debug, Default)]
pub struct ChosenCluster {
    /// Its name (`%UPSTREAM_CLUSTER_RAW%`).
    pub name: Arc<str>,
    /// Its observability name (`%UPSTREAM_CLUSTER%`).
    pub observability_name: Arc<str>,
    /// Its metadata.
    pub metadata: Option<Arc<Metadata>>,
}
