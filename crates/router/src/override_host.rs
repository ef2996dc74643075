//! Requests that a filter wants to go to a certain host.

use crate::router::Router;
use nuncio_base::metadata::Metadata;
use nuncio_http::Cx;
use nuncio_upstream::{LocalCluster, Overridden};

impl Router {
    /// Makes known in the request's dynamic metadata what the balancer wants to be known.
    pub(crate) fn take_notes(cx: &mut Cx<'_>, notes: &Metadata) {
        for (filter, value) in notes.iter() {
            cx.info().metadata.merge(filter, value);
        }
    }

    /// Begins the first attempt at the wanted host, or answers where no other will do; whether
    /// either is done. Other attempts go where the balancer sends them.
    pub(crate) fn start_overridden(&mut self, cx: &mut Cx<'_>, cluster: &LocalCluster) -> bool {
        let wanted = cx.state().override_host.as_ref();
        let Some(wanted) = wanted.filter(|_| !self.is_retry) else {
            return false;
        };
        match cluster.override_host(wanted) {
            Overridden::Host(host) => self.try_host(cx, cluster, host),
            Overridden::Balance => return false,
            Overridden::Unhealthy => self.no_host(cx, 503),
            Overridden::NotFound => {
                let status = wanted.status_not_found;
                self.no_host(cx, status);
            }
        }
        true
    }
}
