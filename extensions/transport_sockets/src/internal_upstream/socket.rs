//! The socket: it leaves what is passed along where the listener finds it, and is the one that it
//! wraps from then on.

use nuncio_base::metadata::Metadata;
use nuncio_net::{
    LocalUpstreamSocketFactory, Socket, SocketWants, Transport, UpstreamConnection,
    UpstreamSocketFactory,
};
use nuncio_stats::Group;
use nuncio_stream_info::LifeSpan;
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

nuncio_stats::stat_group! {
    /// `cluster.NAME.internal_upstream.*`
    pub struct InternalUpstreamStats {
        counters {
            no_metadata,
        }
    }
}

/// Whose metadata.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    /// The cluster's.
    Cluster,
    /// The endpoint's.
    Host,
}

/// Metadata to pass along.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Source {
    /// Whose it is.
    pub kind: Kind,
    /// The name it stands under there, and in the connection's.
    pub name: String,
}

/// The transport socket as configured.
pub struct InternalUpstreamSpec {
    /// Of two with one name the last one counts.
    pub sources: Arc<[Source]>,
    /// The cluster's metadata.
    pub cluster_metadata: Option<Arc<Metadata>>,
    /// The wrapped socket; `None`: the plain one.
    pub inner: Option<Arc<dyn UpstreamSocketFactory>>,
    /// What is counted.
    pub stats: Group<InternalUpstreamStats>,
}

impl UpstreamSocketFactory for InternalUpstreamSpec {
    fn localize(&self, worker: &Rc<Worker>) -> Rc<dyn LocalUpstreamSocketFactory> {
        let inner = self.inner.as_ref();
        Rc::new(LocalInternalUpstream {
            sources: Arc::clone(&self.sources),
            cluster_metadata: self.cluster_metadata.clone(),
            inner: inner.map(|inner| inner.localize(worker)),
            stats: self.stats.local(),
        })
    }

    fn wants(&self) -> SocketWants {
        let own = SocketWants {
            shared_state: true,
            ..SocketWants::default()
        };
        let inner = self.inner.as_ref();
        inner.map_or(own, |inner| inner.wants().or(own))
    }
}

struct LocalInternalUpstream {
    sources: Arc<[Source]>,
    cluster_metadata: Option<Arc<Metadata>>,
    inner: Option<Rc<dyn LocalUpstreamSocketFactory>>,
    stats: InternalUpstreamStats,
}

impl LocalInternalUpstream {
    fn metadata(&self, connection: &UpstreamConnection<'_>) -> Metadata {
        let mut all = Metadata::default();
        for source in self.sources.iter() {
            let from = match source.kind {
                Kind::Cluster => self.cluster_metadata.as_deref(),
                Kind::Host => connection.host_metadata,
            };
            match from.and_then(|from| from.get(&source.name)) {
                Some(value) => all.set(&source.name, value.clone()),
                None => self.stats.no_metadata().inc(),
            }
        }
        all
    }
}

impl LocalUpstreamSocketFactory for LocalInternalUpstream {
    fn create(&self, socket: Socket, connection: &UpstreamConnection<'_>) -> Transport {
        let metadata = self.metadata(connection);
        if let Some(internal) = socket.internal() {
            let mut passed = internal.passthrough().borrow_mut();
            passed.metadata = metadata;
            for shared in &connection.options.shared.0 {
                let (name, object) = (&shared.name, Rc::clone(&shared.object));
                let sharing = shared.sharing.next();
                let state = &mut passed.filter_state;
                state.set_shared(name, LifeSpan::Connection, sharing, object);
            }
        }
        match &self.inner {
            Some(inner) => inner.create(socket, connection),
            None => Transport::Raw(socket),
        }
    }

    fn is_secure(&self) -> bool {
        self.inner.as_ref().is_some_and(|inner| inner.is_secure())
    }
}
