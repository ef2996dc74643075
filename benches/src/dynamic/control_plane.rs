//! A control plane for all types over one gRPC stream (ADS), whole states or one by one, by an
//! HTTP/2 that is not ours; and what may be wrong with one.

use std::collections::{BTreeMap, BTreeSet};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, Instant};

use tokio::sync::watch;

use super::resources::{Kind, Resource};
use super::stream;
use crate::process::{Cpu, pin_this_thread};

/// What is wrong with a control plane.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fault {
    /// Nothing.
    None,
    /// It closes connections as soon as they are open.
    Closes,
    /// It answers in bytes that are no HTTP.
    NoHttp,
    /// Its messages are no responses.
    Garbage,
    /// Its resources are of another type than it says.
    WrongType,
    /// It ends the connection in the middle of a message.
    Half,
    /// It sends a few bytes at a time.
    Slow,
}

/// An encoded resource, and the change it came with.
type Stored = (Arc<[u8]>, u64);

/// A name, and what it is the name of now.
pub type Change<'a> = (&'a String, Option<&'a Stored>);

/// All resources of a type.
#[derive(Default)]
pub struct OfType {
    /// Counts changes.
    pub version: u64,
    /// By name.
    pub resources: BTreeMap<String, Stored>,
    /// What changed, by the change's number: an update of one is to cost this side little too.
    log: Vec<(u64, String)>,
    /// The last change that was accepted.
    pub accepted: u64,
    /// How often an answer was refused.
    pub refused: u64,
    /// Why, the last time.
    pub reason: String,
}

impl OfType {
    /// What changed after this change, or all there is; what has no resource any more is gone.
    pub fn since(&self, version: Option<u64>) -> Vec<Change<'_>> {
        let Some(version) = version else {
            let all = self.resources.iter();
            return all.map(|(name, resource)| (name, Some(resource))).collect();
        };
        let from = self.log.partition_point(|(change, _)| *change <= version);
        let names: BTreeSet<_> = self.log[from..].iter().map(|(_, name)| name).collect();
        let found = |name| (name, self.resources.get(name));
        names.into_iter().map(found).collect()
    }
}

/// What streams serve, and what they have seen.
pub struct State {
    /// By type, in the order in which they are sent.
    pub types: BTreeMap<Kind, OfType>,
    /// What is wrong.
    pub fault: Fault,
    /// When connections came.
    pub connections: Vec<Instant>,
    /// Streams that were opened.
    pub streams: u64,
}

/// What a connection shares with the rest.
#[derive(Clone)]
pub struct Shared {
    state: Arc<Mutex<State>>,
    /// Counts changes of any type.
    pub changes: watch::Sender<u64>,
}

impl Shared {
    /// The state; nobody holds it for long.
    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A control plane; it keeps its resources while it is stopped.
pub struct ControlPlane {
    /// Where it listens.
    pub address: SocketAddr,
    shared: Shared,
    cpu: Option<Cpu>,
    running: Option<(watch::Sender<bool>, JoinHandle<()>)>,
}

impl ControlPlane {
    /// Serves nothing yet, from a thread of its own on `cpu`.
    pub fn start(cpu: Option<Cpu>) -> io::Result<ControlPlane> {
        let types = Kind::ALL.map(|kind| (kind, OfType::default()));
        let mut plane = ControlPlane {
            address: (Ipv4Addr::LOCALHOST, 0).into(),
            shared: Shared {
                state: Arc::new(Mutex::new(State {
                    types: types.into(),
                    fault: Fault::None,
                    connections: Vec::new(),
                    streams: 0,
                })),
                changes: watch::Sender::new(0),
            },
            cpu,
            running: None,
        };
        plane.resume()?;
        Ok(plane)
    }

    /// Listens again where it did before.
    pub fn resume(&mut self) -> io::Result<()> {
        let listener = TcpListener::bind(self.address)?;
        self.address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let (stop, mut stopped) = watch::channel(false);
        let (shared, cpu) = (self.shared.clone(), self.cpu);
        let thread = std::thread::Builder::new()
            .name("control plane".into())
            .spawn(move || {
                let served = pin_this_thread(cpu).and_then(|()| {
                    let runtime = tokio::runtime::Builder::new_current_thread()
                        .enable_all()
                        .build()?;
                    runtime.block_on(async {
                        tokio::select! {
                            served = stream::accept(listener, shared) => served,
                            // Dropping the runtime resets what is open.
                            _ = stopped.wait_for(|stop| *stop) => Ok(()),
                        }
                    })
                });
                if let Err(error) = served {
                    eprintln!("the control plane ended: {error}");
                }
            })?;
        self.running = Some((stop, thread));
        Ok(())
    }

    /// Closes the listener and all connections.
    pub fn stop(&mut self) {
        if let Some((stop, thread)) = self.running.take() {
            // It may have ended with an error, which it has printed.
            let _ = stop.send(true);
            let _ = thread.join();
        }
    }

    /// Has streams behave so from now on.
    pub fn behave(&self, fault: Fault) {
        self.shared.state().fault = fault;
        self.shared.changes.send_modify(|changes| *changes += 1);
    }

    /// Adds or replaces resources, and removes others, all at once; the change's number.
    pub fn change(&self, kind: Kind, set: Vec<Resource>, remove: &[String]) -> u64 {
        let mut state = self.shared.state();
        let of_type = state.types.entry(kind).or_default();
        of_type.version += 1;
        let version = of_type.version;
        for resource in set {
            of_type.log.push((version, resource.name.clone()));
            of_type
                .resources
                .insert(resource.name, (resource.body, version));
        }
        for name in remove {
            of_type.log.push((version, name.clone()));
            of_type.resources.remove(name);
        }
        drop(state);
        self.shared.changes.send_modify(|changes| *changes += 1);
        version
    }

    /// Reads what streams have seen.
    pub fn look<T>(&self, look: impl FnOnce(&State) -> T) -> T {
        look(&self.shared.state())
    }

    /// Waits until a change was accepted.
    pub fn wait_accepted(&self, kind: Kind, version: u64, at_most: Duration) -> io::Result<()> {
        let begun = Instant::now();
        while self.look(|state| state.types[&kind].accepted < version) {
            if begun.elapsed() > at_most {
                let why = self.look(|state| state.types[&kind].reason.clone());
                return Err(io::Error::other(format!(
                    "change {version} of {kind:?} was not accepted in {} s: {why}",
                    at_most.as_secs()
                )));
            }
            std::thread::sleep(Duration::from_micros(200));
        }
        Ok(())
    }
}

impl Drop for ControlPlane {
    fn drop(&mut self) {
        self.stop();
    }
}

/// The names that a stream wants of a type; empty: all.
pub type Names = BTreeSet<String>;
