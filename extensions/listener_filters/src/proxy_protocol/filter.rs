//! The filter.

use super::kept::Kept;
use nuncio_codec::proxy_protocol::{Endpoints, Header, Inspection, LONGEST, Version, inspect};
use nuncio_listener::{
    Candidate, ListenerFilter, ListenerFilterFactory, ListenerFilterStatus,
    LocalListenerFilterFactory,
};
use nuncio_stats::{Group, stat_group};
use nuncio_worker::Worker;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::sync::Arc;

stat_group! {
    /// What belongs to no scope.
    pub struct RootStats {
        counters { downstream_cx_proxy_proto_error }
    }
}

stat_group! {
    /// `proxy_proto.<stat_prefix>.*`: connections without a header.
    pub struct NotFoundStats {
        counters { not_found_allowed, not_found_disallowed }
    }
}

stat_group! {
    /// `proxy_proto.<stat_prefix>.versions.<version>.*`
    pub struct VersionStats {
        counters { disallowed, error, found }
    }
}

/// The filter as configured.
pub struct FilterSpec {
    /// Whether headers of version 1 are read.
    pub allows_v1: bool,
    /// Whether headers of version 2 are read.
    pub allows_v2: bool,
    /// Whether connections without a header are let through.
    pub is_optional: bool,
    /// What is kept of a header besides addresses.
    pub kept: Arc<Kept>,
    /// What it counts.
    pub root: Group<RootStats>,
    /// What it counts where there is no header.
    pub not_found: Group<NotFoundStats>,
    /// What it counts of version 1.
    pub v1: Group<VersionStats>,
    /// What it counts of version 2.
    pub v2: Group<VersionStats>,
}

impl ListenerFilterFactory for FilterSpec {
    fn localize(&self, _worker: &Rc<Worker>) -> Rc<dyn LocalListenerFilterFactory> {
        Rc::new(Factory(Rc::new(LocalFilter {
            allows_v1: self.allows_v1,
            allows_v2: self.allows_v2,
            is_optional: self.is_optional,
            kept: Arc::clone(&self.kept),
            root: self.root.local(),
            not_found: self.not_found.local(),
            v1: self.v1.local(),
            v2: self.v2.local(),
        })))
    }
}

struct Factory(Rc<LocalFilter>);

impl LocalListenerFilterFactory for Factory {
    fn create(&self) -> Box<dyn ListenerFilter> {
        Box::new(Filter(Rc::clone(&self.0)))
    }
}

struct LocalFilter {
    allows_v1: bool,
    allows_v2: bool,
    is_optional: bool,
    kept: Arc<Kept>,
    root: RootStats,
    not_found: NotFoundStats,
    v1: VersionStats,
    v2: VersionStats,
}

struct Filter(Rc<LocalFilter>);

impl ListenerFilter for Filter {
    fn inspect<'a>(
        &'a mut self,
        candidate: &'a mut Candidate,
    ) -> Pin<Box<dyn Future<Output = ListenerFilterStatus> + 'a>> {
        Box::pin(async {
            let local = &*self.0;
            let mut seen = Vec::new();
            loop {
                match candidate.socket.peek_more(&mut seen, LONGEST).await {
                    Ok(true) => {}
                    Ok(false) => return ListenerFilterStatus::RemoteClose,
                    Err(_) => return ListenerFilterStatus::ReadError,
                }
                match inspect(&seen) {
                    Inspection::Incomplete => {}
                    Inspection::NotFound => return local.without_header(),
                    Inspection::Found(header) => return local.found(header, &seen, candidate),
                    Inspection::Wrong(version) => return local.wrong(version),
                }
            }
        })
    }
}

impl LocalFilter {
    fn of(&self, version: Version) -> (&VersionStats, bool) {
        match version {
            Version::V1 => (&self.v1, self.allows_v1),
            Version::V2 => (&self.v2, self.allows_v2),
        }
    }

    fn without_header(&self) -> ListenerFilterStatus {
        if self.is_optional {
            self.not_found.not_found_allowed().inc();
            return ListenerFilterStatus::Continue;
        }
        self.not_found.not_found_disallowed().inc();
        self.reject()
    }

    fn found(
        &self,
        header: Header,
        seen: &[u8],
        candidate: &mut Candidate,
    ) -> ListenerFilterStatus {
        let (stats, allowed) = self.of(header.version);
        if !allowed {
            if !self.is_optional {
                stats.found().inc();
            }
            return self.disallowed(stats);
        }
        if candidate.socket.skip(header.len).is_err() {
            return ListenerFilterStatus::RemoteClose;
        }
        stats.found().inc();
        let bytes = seen.get(..header.len).unwrap_or_default();
        self.kept.keep(bytes, &candidate.info);
        if let Some(Endpoints {
            source,
            destination,
        }) = header.endpoints
        {
            candidate.info.restore(destination.into(), source.into());
        }
        ListenerFilterStatus::Continue
    }

    fn wrong(&self, version: Version) -> ListenerFilterStatus {
        let (stats, allowed) = self.of(version);
        if !allowed {
            return self.disallowed(stats);
        }
        stats.error().inc();
        self.reject()
    }

    /// A header of a version that is not read: where none is needed, the bytes are the
    /// connection's own. Envoy does not count it among the errors.
    fn disallowed(&self, stats: &VersionStats) -> ListenerFilterStatus {
        if self.is_optional {
            return self.without_header();
        }
        stats.disallowed().inc();
        ListenerFilterStatus::Reject
    }

    fn reject(&self) -> ListenerFilterStatus {
        self.root.downstream_cx_proxy_proto_error().inc();
        ListenerFilterStatus::Reject
    }
}
