//! Listening sockets: made and bound on main for every worker, so that errors are main's to report,
//! and an update can keep them.

use crate::network_namespace;
use crate::spec::{ListenAddress, ListenerSpec};
use nuncio_base::address::Address;
use nuncio_net::SocketOptions;
use socket2::{Domain, Protocol, SockAddr, Socket, Type};
use std::fmt;
use std::io;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::sync::Arc;

/// Why a listener has no socket. The text is Envoy's.
#[derive(Debug)]
pub enum BindError {
    /// The address is taken, or not ours.
    Bind {
        /// The address.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The Unix socket's mode can't be set.
    Mode {
        /// The mode.
        mode: u32,
        /// What the system says.
        error: io::Error,
    },
    /// No socket, or an option that the system does not take.
    Socket {
        /// The address.
        address: Address,
        /// What the system says.
        error: io::Error,
    },
    /// The network namespace can't be entered.
    Namespace {
        /// Its file.
        path: Arc<str>,
        /// Whether its file could be opened.
        opened: bool,
        /// What the system says.
        error: io::Error,
    },
    /// An internal address has no socket.
    Unsupported(Address),
}

impl fmt::Display for BindError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Bind { address, error } => {
                write!(f, "cannot bind '{address}': {}", reason(error))
            }
            Self::Mode { mode, error } => {
                write!(
                    f,
                    "Failed to create socket with mode {mode}: {}",
                    reason(error)
                )
            }
            Self::Socket { address, error } => {
                write!(
                    f,
                    "ListenSocket: Setting socket options failed ({address}: {})",
                    reason(error)
                )
            }
            Self::Namespace {
                path,
                opened,
                error,
            } => {
                let what = if *opened {
                    "set netns to"
                } else {
                    "open netns file"
                };
                write!(f, "failed to {what} {path}: {}", reason(error))
            }
            Self::Unsupported(address) => write!(f, "cannot listen on '{address}'"),
        }
    }
}

impl std::error::Error for BindError {}

/// The system's words alone, as `strerror` has them.
fn reason(error: &io::Error) -> String {
    let text = error.to_string();
    match text.split_once(" (os error") {
        Some((reason, _)) => reason.to_owned(),
        None => text,
    }
}

/// The sockets of one address.
#[derive(Debug)]
struct BoundAddress {
    local: Address,
    network_namespace: Option<Arc<str>>,
    /// One for each worker with `reuse_port`, else one that all share.
    sockets: Vec<Socket>,
}

/// All sockets of a listener.
#[derive(Debug)]
pub struct ListenSockets {
    addresses: Box<[BoundAddress]>,
}

/// A socket as one worker gets it.
#[derive(Debug)]
pub struct WorkerSocket {
    /// A duplicate of the socket; it does not block.
    pub(crate) socket: Socket,
    /// Where it listens, the port resolved.
    pub(crate) local: Address,
    /// The network namespace that it is in, where that is another.
    pub(crate) network_namespace: Option<Arc<str>>,
}

impl ListenSockets {
    /// Binds all addresses of a listener for that many workers.
    ///
    /// # Errors
    /// Where the system refuses one.
    pub fn bind(spec: &ListenerSpec, workers: usize) -> Result<Self, BindError> {
        let bound = |address| bind_address(address, spec.reuse_port, workers);
        Ok(Self {
            addresses: spec.addresses.iter().map(bound).collect::<Result<_, _>>()?,
        })
    }

    /// Takes connections from now on: they queue up until workers accept them.
    ///
    /// # Errors
    /// Where the system refuses, as when another socket has taken the port meanwhile.
    pub fn listen(&self, spec: &ListenerSpec) -> Result<(), BindError> {
        // The system shortens the queue to `net.core.somaxconn`, Envoy's default.
        let backlog = spec.backlog.unwrap_or(u32::MAX).min(i32::MAX as u32) as i32;
        for (bound, address) in self.addresses.iter().zip(&spec.addresses) {
            for socket in &bound.sockets {
                let listening = || {
                    socket.listen(backlog)?;
                    set_all(socket, &address.options.listening)
                };
                listening().map_err(|error| BindError::Socket {
                    address: bound.local.clone(),
                    error,
                })?;
            }
        }
        Ok(())
    }

    /// Where the listener listens, ports resolved.
    pub fn local_addresses(&self) -> impl Iterator<Item = &Address> {
        self.addresses.iter().map(|bound| &bound.local)
    }

    /// The sockets of the worker at `index`.
    ///
    /// # Errors
    /// Where file descriptors have run out.
    pub fn of_worker(&self, index: usize) -> io::Result<Vec<WorkerSocket>> {
        let of_address = |bound: &BoundAddress| {
            let socket = bound.sockets[index % bound.sockets.len()].try_clone()?;
            Ok(WorkerSocket {
                socket,
                local: bound.local.clone(),
                network_namespace: bound.network_namespace.clone(),
            })
        };
        self.addresses.iter().map(of_address).collect()
    }
}

fn bind_address(
    address: &ListenAddress,
    reuse_port: bool,
    workers: usize,
) -> Result<BoundAddress, BindError> {
    match &address.address {
        Address::Ip(ip) => {
            let count = if reuse_port { workers.max(1) } else { 1 };
            let mut local = *ip;
            let mut sockets = Vec::with_capacity(count);
            for _ in 0..count {
                let socket = bind_ip(address, local, reuse_port)?;
                // Where the system has chosen the port the other sockets share it.
                if local.port() == 0
                    && let Some(chosen) = socket.local_addr().ok().and_then(|a| a.as_socket())
                {
                    local = chosen;
                }
                sockets.push(socket);
            }
            Ok(BoundAddress {
                local: Address::Ip(local),
                network_namespace: address.network_namespace.clone(),
                sockets,
            })
        }
        Address::Pipe(path) => Ok(BoundAddress {
            local: address.address.clone(),
            network_namespace: None,
            sockets: vec![bind_unix(address, path)?],
        }),
        Address::Internal(_) => Err(BindError::Unsupported(address.address.clone())),
    }
}

fn bind_ip(address: &ListenAddress, ip: SocketAddr, reuse_port: bool) -> Result<Socket, BindError> {
    let kind = Type::STREAM.nonblocking();
    let new = || Socket::new(Domain::for_address(ip), kind, Some(Protocol::TCP));
    let new = match &address.network_namespace {
        None => new(),
        Some(path) => network_namespace::within(path, new)?,
    };
    let prepared = || {
        let socket = new?;
        socket.set_reuse_address(true)?;
        if reuse_port {
            socket.set_reuse_port(true)?;
        }
        if ip.is_ipv6() {
            socket.set_only_v6(!address.ipv4_compat)?;
        }
        let options = SocketOptions {
            keepalive: address.keepalive,
            ..SocketOptions::default()
        };
        options.apply(&socket)?;
        set_all(&socket, &address.options.prebind)?;
        Ok(socket)
    };
    let failed = |error| BindError::Socket {
        address: Address::Ip(ip),
        error,
    };
    let socket = prepared().map_err(failed)?;
    socket.bind(&ip.into()).map_err(|error| BindError::Bind {
        address: Address::Ip(ip),
        error,
    })?;
    set_all(&socket, &address.options.bound).map_err(failed)?;
    Ok(socket)
}

fn bind_unix(address: &ListenAddress, path: &str) -> Result<Socket, BindError> {
    let failed = |error| BindError::Socket {
        address: address.address.clone(),
        error,
    };
    let bind_failed = |error| BindError::Bind {
        address: address.address.clone(),
        error,
    };
    let socket = Socket::new(Domain::UNIX, Type::STREAM, None).map_err(failed)?;
    socket.set_nonblocking(true).map_err(failed)?;
    set_all(&socket, &address.options.prebind).map_err(failed)?;
    let abstract_name = path.strip_prefix('@');
    let name = match abstract_name {
        Some(name) => SockAddr::unix(format!("\0{name}")),
        None => {
            // What a former process left behind; where there is nothing, or no right to remove it,
            // binding will tell.
            let _ = std::fs::remove_file(path);
            SockAddr::unix(path)
        }
    };
    let name = name.map_err(bind_failed)?;
    socket.bind(&name).map_err(bind_failed)?;
    if let (None, Some(mode)) = (abstract_name, address.mode) {
        std::fs::set_permissions(path, std::fs::Permissions::from_mode(mode))
            .map_err(|error| BindError::Mode { mode, error })?;
    }
    set_all(&socket, &address.options.bound).map_err(failed)?;
    Ok(socket)
}

fn set_all(socket: &Socket, options: &[nuncio_net::SocketOption]) -> io::Result<()> {
    options.iter().try_for_each(|option| option.apply(socket))
}
