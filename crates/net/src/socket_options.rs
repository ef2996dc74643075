//! Options set on sockets before they are bound or connected
//! (`envoy.config.core.v3.{SocketOption, TcpKeepalive, BindConfig}`).

use socket2::{SockRef, TcpKeepalive};
use std::io;
use std::net::SocketAddr;
use std::os::fd::{AsFd, AsRawFd, BorrowedFd};
use std::time::Duration;

/// One raw option: level, name and value as `setsockopt` takes them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct SocketOption {
    /// As `SOL_SOCKET`.
    pub level: i32,
    /// As `SO_KEEPALIVE`.
    pub name: i32,
    /// The value's bytes.
    pub value: Vec<u8>,
}

/// TCP keep-alive; absent values are the system's.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Keepalive {
    /// How many probes until the connection is dead.
    pub probes: Option<u32>,
    /// Idle time before the first probe.
    pub time: Option<Duration>,
    /// Time between probes.
    pub interval: Option<Duration>,
}

/// What is set on a socket before it connects.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct SocketOptions {
    /// TCP keep-alive, if it is on.
    pub keepalive: Option<Keepalive>,
    /// The address to bind to first.
    pub source: Option<SocketAddr>,
    /// The address to bind to for hosts of the other family, and its own raw options if it has
    /// some.
    pub other_source: Option<(SocketAddr, Option<Vec<SocketOption>>)>,
    /// Whether the address to bind to may be none of this machine's.
    pub freebind: bool,
    /// Raw options.
    pub raw: Vec<SocketOption>,
}

impl SocketOptions {
    /// Sets the options on a socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        if let Some(keepalive) = self.keepalive {
            let mut settings = TcpKeepalive::new();
            if let Some(time) = keepalive.time {
                settings = settings.with_time(time);
            }
            if let Some(interval) = keepalive.interval {
                settings = settings.with_interval(interval);
            }
            if let Some(probes) = keepalive.probes {
                settings = settings.with_retries(probes);
            }
            SockRef::from(socket).set_tcp_keepalive(&settings)?;
        }
        self.raw.iter().try_for_each(|option| option.apply(socket))
    }

    /// Sets the options on a socket for `target`, and gives the address to bind it to.
    ///
    /// # Errors
    /// What the system says.
    pub fn apply_for(
        &self,
        socket: &impl AsFd,
        target: SocketAddr,
    ) -> io::Result<Option<SocketAddr>> {
        let fits = |source: &SocketAddr| source.is_ipv4() == target.is_ipv4();
        let other = self.other_source.as_ref().filter(|(other, _)| fits(other));
        match other {
            Some((_, Some(raw))) if !self.source.as_ref().is_some_and(fits) => {
                let without = Self {
                    raw: raw.clone(),
                    ..self.clone()
                };
                without.apply(socket)?;
            }
            _ => self.apply(socket)?,
        }
        let source = self.source.filter(fits).or(other.map(|(other, _)| *other));
        if self.freebind && source.is_some() {
            let (level, name) = match target.is_ipv4() {
                true => (libc::IPPROTO_IP, libc::IP_FREEBIND),
                false => (libc::IPPROTO_IPV6, libc::IPV6_FREEBIND),
            };
            let value = 1_i32.to_ne_bytes().to_vec();
            SocketOption { level, name, value }.apply(socket)?;
        }
        Ok(source)
    }
}

impl SocketOption {
    /// Sets the option on a socket.
    ///
    /// # Errors
    /// What the system says.
    pub fn apply(&self, socket: &impl AsFd) -> io::Result<()> {
        let length = libc::socklen_t::try_from(self.value.len()).map_err(io::Error::other)?;
        // SAFETY: the descriptor is borrowed for the call, and `value` is valid for `length` bytes,
        // which the system only reads. No crate sets options by number.
        let result = unsafe {
            libc::setsockopt(
                socket.as_fd().as_raw_fd(),
                self.level,
                self.name,
                self.value.as_ptr().cast(),
                length,
            )
        };
        if result == 0 {
            Ok(())
        } else {
            Err(io::Error::last_os_error())
        }
    }
}

/// The kernel's estimate of a TCP connection's round-trip time; `None` of other sockets.
pub(crate) fn round_trip_time(socket: BorrowedFd<'_>) -> Option<Duration> {
    let mut info = std::mem::MaybeUninit::<libc::tcp_info>::zeroed();
    let mut length = libc::socklen_t::try_from(size_of::<libc::tcp_info>()).ok()?;
    // SAFETY: the descriptor is borrowed for the call, `info` is valid for `length` bytes, and the
    // system writes no more. No crate asks for this option.
    let result = unsafe {
        libc::getsockopt(
            socket.as_raw_fd(),
            libc::IPPROTO_TCP,
            libc::TCP_INFO,
            info.as_mut_ptr().cast(),
            &raw mut length,
        )
    };
    // SAFETY: it is made of integers only, and was all zeros before the system wrote to it.
    let info = unsafe { info.assume_init() };
    (result == 0).then(|| Duration::from_micros(info.tcpi_rtt.into()))
}

#[cfg(test)]
mod tests {
    use super::*;
    use socket2::{Domain, Socket, Type};

    #[test]
    fn the_source_is_of_the_family_of_the_target() {
        let [v4, v6, to4, to6] = ["127.0.0.2:0", "[::1]:0", "127.0.0.1:80", "[::1]:80"];
        for (source, other, target, expected) in [
            (None, None, to4, None),
            (Some(v4), None, to4, Some(v4)),
            (Some(v4), None, to6, None),
            (Some(v4), Some(v6), to4, Some(v4)),
            (Some(v4), Some(v6), to6, Some(v6)),
            (Some(v6), Some(v4), to4, Some(v4)),
        ] {
            let address = |text: &str| text.parse::<SocketAddr>().unwrap();
            let target = address(target);
            let socket = Socket::new(Domain::for_address(target), Type::STREAM, None).unwrap();
            let options = SocketOptions {
                source: source.map(address),
                other_source: other.map(|other| (address(other), Some(Vec::new()))),
                freebind: true,
                ..SocketOptions::default()
            };
            let bind_to = options.apply_for(&socket, target).unwrap();
            assert_eq!(
                bind_to,
                expected.map(address),
                "{source:?} {other:?} {target}"
            );
        }
    }
}
