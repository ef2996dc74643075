//! What streams, which know no route tables, ask of one.

use crate::table::RouteTable;
use nuncio_base::metadata::Metadata;
use nuncio_stream_info::{RouteNames, RoutePlace};

impl RouteNames for RouteTable {
    fn route_name(&self, (host, route): RoutePlace) -> &str {
        &self.virtual_hosts()[host as usize].routes[route as usize].name
    }

    fn virtual_host_name(&self, (host, _): RoutePlace) -> &str {
        &self.virtual_hosts()[host as usize].name
    }

    fn route_metadata(&self, (host, route): RoutePlace) -> &Metadata {
        &self.virtual_hosts()[host as usize].routes[route as usize].metadata
    }

    fn ignores_path_parameters(&self) -> bool {
        self.config().ignore_path_parameters_in_path_matching
    }
}
