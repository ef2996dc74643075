//! Connection pools: per worker, host and routing priority (Envoy's "Connection pooling").

mod client_stream;
mod connect;
mod counted;
mod doom;
pub(crate) mod http;
mod http1;
mod http1_connection;
mod http1_head;
mod http1_progress;
mod http2;
mod http2_connection;
mod http2_driver;
mod http2_stream;
mod input;
mod secure;
pub(crate) mod tcp;
mod tcp_kept;
mod tcp_stream;
mod udp_stream;
mod waiting;

pub use client_stream::{ClientStream, ClientStreamInfo};
pub use http::StreamRequest;
pub use tcp::{TcpConnection, TcpRequest};
pub use tcp_stream::TcpStream;
pub use udp_stream::UdpStream;

use crate::host::Host;
use crate::local_cluster::ClusterCore;
use crate::resource::{Priority, Resource};
use http::{HttpPool, HttpUse};
use nuncio_codec::ResetReason;
use nuncio_net::TransportSocketOptions;
use std::collections::HashMap;
use std::fmt;
use std::hash::{BuildHasherDefault, Hasher};
use std::rc::Rc;
use std::sync::Arc;
use tcp::TcpPool;

/// Why a pool gave no connection.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PoolFailure {
    /// One of `LocalConnectionFailure`, `RemoteConnectionFailure`, `ConnectionTimeout`, `Overflow`.
    pub reason: ResetReason,
    /// What the transport says of it, as Envoy words it; empty where it says nothing.
    pub transport_failure_reason: Arc<str>,
    /// Whether the host is named in logs and counts the failure; it does not where the request was
    /// not even let into the queue.
    pub at_host: bool,
}

impl PoolFailure {
    pub(crate) fn overflow(at_host: bool) -> Self {
        Self {
            reason: ResetReason::Overflow,
            transport_failure_reason: "".into(),
            at_host,
        }
    }
}

impl fmt::Display for PoolFailure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.reason.as_str())?;
        if !self.transport_failure_reason.is_empty() {
            write!(f, ": {}", self.transport_failure_reason)?;
        }
        Ok(())
    }
}

/// The pools of one cluster on one worker.
#[derive(Default)]
pub(crate) struct Pools {
    /// By what they speak.
    http: [ByHost<Rc<HttpPool>>; HttpUse::ALL.len()],
    /// Those whose connections depend on their requests.
    http_for: HashMap<Own, Rc<HttpPool>>,
    tcp: ByHost<Rc<TcpPool>>,
    tcp_for: HashMap<Own, Rc<TcpPool>>,
}

/// What a host's pool is for: requests that say the same.
#[derive(Clone, PartialEq, Eq, Hash)]
struct Own {
    host: u64,
    priority: Priority,
    speaks: Option<HttpUse>,
    options: TransportSocketOptions,
    /// The client's connection that it is for, where each has pools of its own.
    client: Option<u64>,
}

type ByHost<T> = HashMap<(u64, Priority), T, BuildHasherDefault<IdHasher>>;

impl Pools {
    pub fn http(
        &mut self,
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        priority: Priority,
        speaks: HttpUse,
    ) -> Option<Rc<HttpPool>> {
        let pool = self.http[speaks as usize].entry((host.id(), priority));
        let none = TransportSocketOptions::default();
        let make = || HttpPool::new(core, host, priority, speaks, none);
        let pool = Rc::clone(pool.or_insert_with(make));
        self.within_limit(core, pool)
    }

    /// The pool for requests of which transport sockets are told `options`, and those of one
    /// `client`'s connection where each has its own.
    pub fn http_for(
        &mut self,
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        (priority, speaks): (Priority, HttpUse),
        (options, client): (TransportSocketOptions, Option<u64>),
    ) -> Option<Rc<HttpPool>> {
        if client.is_none() && options == TransportSocketOptions::default() {
            return self.http(core, host, priority, speaks);
        }
        let make = |options| HttpPool::new(core, host, priority, speaks, options);
        let key = Own {
            host: host.id(),
            priority,
            speaks: Some(speaks),
            options,
            client,
        };
        let pool = find(&mut self.http_for, key, |pool| pool.is_unused(), make);
        self.within_limit(core, pool)
    }

    /// The pool, unless it is not in use and as many are as may be. Room is made by closing the
    /// idle connections of another pool of the same host.
    fn within_limit(&self, core: &ClusterCore, pool: Rc<HttpPool>) -> Option<Rc<HttpPool>> {
        if pool.live.get() > 0 {
            return Some(pool);
        }
        let resources = core.info.resources(pool.priority);
        if resources.thresholds().max_connection_pools.is_none() {
            return Some(pool);
        }
        let resource = Resource::ConnectionPools;
        if resources.used(resource) < resources.max(resource) {
            return Some(pool);
        }
        let all = self.http.iter().flat_map(HashMap::values);
        let (host, priority) = (pool.host.id(), pool.priority);
        let of_host = |other: &&Rc<HttpPool>| other.host.id() == host && other.priority == priority;
        let mut others = all.chain(self.http_for.values()).filter(of_host);
        match others.find(|other| other.is_idle()) {
            Some(other) => {
                other.close_idle();
                Some(pool)
            }
            None => {
                core.stats.upstream_cx_pool_overflow().inc();
                None
            }
        }
    }

    pub fn tcp(
        &mut self,
        core: &Rc<ClusterCore>,
        host: &Arc<Host>,
        priority: Priority,
        options: TransportSocketOptions,
    ) -> Rc<TcpPool> {
        let make = |options| TcpPool::new(core, host, priority, options);
        if options == TransportSocketOptions::default() {
            let pool = self.tcp.entry((host.id(), priority));
            return Rc::clone(pool.or_insert_with(|| make(options)));
        }
        let key = Own {
            host: host.id(),
            priority,
            speaks: None,
            options,
            client: None,
        };
        find(&mut self.tcp_for, key, |pool| pool.is_unused(), make)
    }

    /// Closes what is in use of a host's TCP connections.
    pub fn close_tcp(&mut self, host: u64) {
        for priority in Priority::ALL {
            if let Some(pool) = self.tcp.get(&(host, priority)) {
                pool.close_connections();
            }
        }
        let of_host = self.tcp_for.iter().filter(|(key, _)| key.host == host);
        of_host.for_each(|(_, pool)| pool.close_connections());
    }

    /// Lets go of a host's pools: what is idle is closed, what is in use when it is given back.
    pub fn drain(&mut self, host: u64) {
        for priority in Priority::ALL {
            for pools in &mut self.http {
                if let Some(pool) = pools.remove(&(host, priority)) {
                    pool.drain();
                }
            }
            if let Some(pool) = self.tcp.remove(&(host, priority)) {
                pool.drain();
            }
        }
        let of_host = self.http_for.extract_if(|key, _| key.host == host);
        of_host.for_each(|(_, pool)| pool.drain());
        let of_host = self.tcp_for.extract_if(|key, _| key.host == host);
        of_host.for_each(|(_, pool)| pool.drain());
    }

    pub fn drain_all(&mut self) {
        for (_, pool) in self.http.iter_mut().flat_map(HashMap::drain) {
            pool.drain();
        }
        self.http_for.drain().for_each(|(_, pool)| pool.drain());
        self.tcp.drain().for_each(|(_, pool)| pool.drain());
        self.tcp_for.drain().for_each(|(_, pool)| pool.drain());
    }
}

/// The pool of a key, made where there is none.
fn find<P>(
    pools: &mut HashMap<Own, Rc<P>>,
    key: Own,
    is_unused: impl Fn(&P) -> bool,
    make: impl FnOnce(TransportSocketOptions) -> Rc<P>,
) -> Rc<P> {
    // Clients choose the keys: pools that nobody uses go before the table grows.
    if pools.len() == pools.capacity() {
        pools.retain(|_, pool| !is_unused(pool));
    }
    if let Some(pool) = pools.get(&key) {
        return Rc::clone(pool);
    }
    let pool = make(key.options.clone());
    pools.insert(key, Rc::clone(&pool));
    pool
}

/// Host ids are consecutive numbers made by this process, so spreading them is enough.
#[derive(Default)]
struct IdHasher(u64);

impl Hasher for IdHasher {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, bytes: &[u8]) {
        for byte in bytes {
            self.write_u64((*byte).into());
        }
    }

    fn write_u64(&mut self, number: u64) {
        self.0 = (self.0.rotate_left(5) ^ number).wrapping_mul(0x9e37_79b9_7f4a_7c15);
    }

    fn write_isize(&mut self, number: isize) {
        self.write_u64(number as u64);
    }
}

#[cfg(test)]
mod tests;
