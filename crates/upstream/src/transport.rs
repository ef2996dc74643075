//! What lies between a cluster's connections and their sockets: one transport socket, or one by the
//! endpoint's metadata (Envoy's `transport_socket_matches`).

use crate::host::Host;
use nuncio_base::metadata::{Fields, Metadata, Value};
use nuncio_net::{LocalUpstreamSocketFactory, SocketWants, UpstreamSocketFactory};
use nuncio_worker::Worker;
use std::rc::Rc;
use std::sync::Arc;

/// Where an endpoint's metadata says what its transport socket is like.
const FILTER: &str = "envoy.transport_socket_match";

/// A transport socket; `None`: nothing lies over the socket.
pub type UpstreamSocket = Option<Arc<dyn UpstreamSocketFactory>>;

/// A transport socket for some endpoints.
#[derive(Clone)]
pub struct TransportSocketMatch {
    /// Its name in stats.
    pub name: String,
    /// Fields that the endpoint's metadata must have.
    pub criteria: Vec<(String, Value)>,
    /// The transport socket.
    pub socket: UpstreamSocket,
}

/// A cluster's transport sockets.
#[derive(Clone, Default)]
pub struct TransportSockets {
    /// The first that fits an endpoint is taken.
    pub matches: Vec<TransportSocketMatch>,
    /// Taken where none fits.
    pub default: UpstreamSocket,
}

impl TransportSockets {
    /// The place of the match for a host; `None`: the default.
    pub fn find(&self, host: &Host) -> Option<usize> {
        let (own, locality) = (host.metadata(), host.locality_metadata());
        let mut matches = self.matches.iter();
        matches.position(|candidate| {
            candidate.fits(own.map(|data| &**data)) || candidate.fits(locality.map(|data| &**data))
        })
    }

    /// The place of the match for criteria of a health check's own.
    pub fn find_for(&self, criteria: &Fields) -> Option<usize> {
        let mut matches = self.matches.iter();
        matches.position(|candidate| {
            let mut wanted = candidate.criteria.iter();
            wanted.all(|(name, value)| criteria.get(name) == Some(value))
        })
    }

    /// What its sockets want to know of the requests that a connection is for.
    pub fn wants(&self) -> SocketWants {
        let sockets = self.matches.iter().map(|one| &one.socket);
        let sockets = sockets.chain([&self.default]).flatten();
        sockets.fold(SocketWants::default(), |all, socket| all.or(socket.wants()))
    }

    pub(crate) fn localize(&self, worker: &Rc<Worker>) -> LocalSockets {
        let localize = |socket: &UpstreamSocket| socket.as_ref().map(|it| it.localize(worker));
        let matches = self.matches.iter();
        LocalSockets {
            matches: matches.map(|one| localize(&one.socket)).collect(),
            default: localize(&self.default),
        }
    }
}

impl TransportSocketMatch {
    fn fits(&self, metadata: Option<&Metadata>) -> bool {
        let fields = metadata.and_then(|metadata| metadata.get(FILTER));
        self.criteria.iter().all(|(name, wanted)| {
            fields.is_some_and(|fields| fields.at([name.as_str()]) == Some(wanted))
        })
    }
}

/// A cluster's transport sockets on one worker.
pub(crate) struct LocalSockets {
    matches: Vec<Option<Rc<dyn LocalUpstreamSocketFactory>>>,
    default: Option<Rc<dyn LocalUpstreamSocketFactory>>,
}

impl LocalSockets {
    /// What lies over connections to a host.
    pub fn of(
        &self,
        sockets: &TransportSockets,
        host: &Host,
    ) -> Option<&Rc<dyn LocalUpstreamSocketFactory>> {
        self.at(sockets.find(host))
    }

    /// That of a match's place, or the default.
    pub fn at(&self, place: Option<usize>) -> Option<&Rc<dyn LocalUpstreamSocketFactory>> {
        let chosen = match place {
            Some(at) => self.matches.get(at)?,
            None => &self.default,
        };
        chosen.as_ref()
    }
}
