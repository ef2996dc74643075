//! Clusters that the configuration does not name but needs, such as those of services named by
//! their addresses (`google_grpc`). Nobody sees them: their stats are their own, and the admin does
//! not show them.

use nuncio_extension::{ParseCx, Parsed, ServerEnv};
use nuncio_proto::Message;
use nuncio_proto::envoy::config::cluster::v3::Cluster;
use nuncio_stats::Store;
use nuncio_upstream::discovery::ClusterConfig;
use std::cell::{OnceCell, RefCell};
use std::collections::BTreeMap;
use std::rc::Rc;
use std::sync::{Arc, Weak};

/// A change of them.
pub enum InternalChange {
    /// One is needed.
    Added(Box<ClusterConfig>),
    /// Nobody needs this one any more.
    Removed(String),
}

type Sink = Box<dyn Fn(InternalChange)>;

/// The clusters; one list for the process, on main.
#[derive(Default)]
pub struct InternalClusters {
    /// Their names as users hold them, by what they were made of.
    known: RefCell<BTreeMap<Vec<u8>, (String, Weak<str>)>>,
    /// What nobody took yet.
    pending: RefCell<Vec<InternalChange>>,
    sink: OnceCell<Sink>,
    /// Where they are converted: with stats of their own.
    env: OnceCell<Rc<ServerEnv>>,
}

impl InternalClusters {
    /// The process's.
    pub fn of(env: &ServerEnv) -> Rc<Self> {
        env.shared(Self::default)
    }

    /// Says who makes clusters out of them, those there are already first.
    pub fn set_sink(&self, sink: Sink) {
        self.pending.take().into_iter().for_each(&sink);
        // The first counts: there is one server in a process.
        let _ = self.sink.set(sink);
    }

    /// The name of a cluster that is like `proto`, which needs none: the one there is, or a new
    /// one. It is kept until the name is dropped.
    ///
    /// # Errors
    /// What is wrong with it, in `cx`.
    pub fn add(&self, cx: &mut ParseCx, label: &str, mut proto: Cluster) -> Parsed<Arc<str>> {
        let key = proto.encode_to_vec();
        let known = self
            .known
            .borrow()
            .get(&key)
            .map(|(_, name)| name.upgrade());
        if let Some(Some(name)) = known {
            return Ok(name);
        }
        self.forget_unused();
        // No name that is configured has such a byte.
        proto.name = format!("\u{1}{label} {}", self.next_number());
        let name: Arc<str> = proto.name.as_str().into();
        let env = self.env.get_or_init(|| {
            let env = cx.env();
            let (node, validate_only) = (env.node.clone(), env.validate_only);
            let workers = env.workers.clone();
            ServerEnv::new(env.registry, Store::default(), workers, node, validate_only)
        });
        let mut own = ParseCx::new(Rc::clone(env));
        let converted = crate::cluster::cluster(&mut own, proto);
        let (errors, _) = own.finish();
        match (converted, errors.is_empty()) {
            (Ok(config), true) => self.tell(InternalChange::Added(Box::new(config))),
            (_, _) => {
                let messages = errors.into_iter().map(|error| error.message);
                let messages: Vec<_> = messages.collect();
                return Err(cx.error(messages.join("; ")));
            }
        }
        let entry = (name.to_string(), Arc::downgrade(&name));
        self.known.borrow_mut().insert(key, entry);
        Ok(name)
    }

    fn next_number(&self) -> u64 {
        let known = self.known.borrow();
        let numbers = known.values().filter_map(|(name, _)| {
            let (_, number) = name.rsplit_once(' ')?;
            number.parse::<u64>().ok()
        });
        numbers.max().map_or(0, |last| last + 1)
    }

    /// Whoever brings a new one pays for those that are gone.
    fn forget_unused(&self) {
        let mut gone = Vec::new();
        self.known.borrow_mut().retain(|_, (name, users)| {
            let used = users.strong_count() > 0;
            if !used {
                gone.push(std::mem::take(name));
            }
            used
        });
        for name in gone {
            self.tell(InternalChange::Removed(name));
        }
    }

    fn tell(&self, change: InternalChange) {
        match self.sink.get() {
            Some(sink) => sink(change),
            None => self.pending.borrow_mut().push(change),
        }
    }
}
