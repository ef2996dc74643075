//! A proxy that has its configuration from a control plane.

use std::io::{self, Read, Write};
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::control_plane::ControlPlane;
use super::resources;
use crate::client;
use crate::proxy::{Instance, Proxy, free_ports};
use crate::run::Bench;

/// How long anything may take.
pub const PATIENCE: Duration = Duration::from_secs(180);

/// A running proxy.
pub struct Subject {
    /// Its process.
    pub instance: Instance,
    admin: SocketAddr,
}

impl Subject {
    /// Starts a proxy on a control plane.
    pub fn start(
        proxy: &Proxy,
        bench: &mut Bench,
        plane: &ControlPlane,
        delta: bool,
    ) -> io::Result<Subject> {
        let admin = free_ports(1)?[0];
        let bootstrap = resources::bootstrap(plane.address, admin, delta);
        // Listeners that change should be gone while somebody still looks.
        let flags = ["--drain-time-s", "2", "--parent-shutdown-time-s", "3"];
        let instance = bench.start_envoy(proxy, &bootstrap, &flags)?;
        Ok(Subject {
            instance,
            admin: (Ipv4Addr::LOCALHOST, admin).into(),
        })
    }

    /// Waits for a good answer to a request.
    pub fn wait_answer(&mut self, address: SocketAddr, request: &[u8]) -> io::Result<()> {
        let begun = Instant::now();
        while let Err(error) = client::ask(address, request) {
            self.instance.must_run()?;
            if begun.elapsed() > PATIENCE {
                return Err(io::Error::other(format!("no good answer: {error}")));
            }
            sleep(Duration::from_millis(1));
        }
        Ok(())
    }

    /// A counter or gauge, by its whole name; none where there is no such one.
    pub fn stat(&self, name: &str) -> io::Result<Option<u64>> {
        let mut stream = TcpStream::connect(self.admin)?;
        stream.set_read_timeout(Some(PATIENCE))?;
        let path = format!("/stats?filter=^{name}$");
        write!(
            stream,
            "GET {path} HTTP/1.1\r\nhost: admin\r\nconnection: close\r\n\r\n"
        )?;
        let mut text = String::new();
        stream.read_to_string(&mut text)?;
        let line = text.lines().find(|line| line.starts_with(name));
        let value = line.and_then(|line| line.rsplit(' ').next());
        Ok(value.and_then(|value| value.parse().ok()))
    }

    /// Waits for a stat's value.
    pub fn wait_stat(
        &self,
        name: &str,
        wanted: impl Fn(u64) -> bool,
        at_most: Duration,
    ) -> io::Result<()> {
        let begun = Instant::now();
        while !self.stat(name)?.is_some_and(&wanted) {
            if begun.elapsed() > at_most {
                return Err(io::Error::other(format!("{name} did not get there")));
            }
            sleep(Duration::from_millis(20));
        }
        Ok(())
    }
}

/// A small GET that the route of this number matches.
pub fn request(number: usize) -> Arc<[u8]> {
    let path = format!("{}128", resources::prefix(number));
    let text = format!("GET {path} HTTP/1.1\r\nhost: service.example.com\r\n\r\n");
    text.into_bytes().into()
}
