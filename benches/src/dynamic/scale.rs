//! Many clusters, each with endpoints of its own, and a table with a route to each: how long until
//! they serve, what they take up, and what traffic notices when they change.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, Instant};

use super::Extent;
use super::control_plane::ControlPlane;
use super::resources::{self, Kind, Resource};
use super::subject::{PATIENCE, Subject, request};
use crate::generator::{Generator, Limit, Plan, Tally};
use crate::histogram::Histogram;
use crate::measure::{CpuTime, resident_mb};
use crate::process::pin_this_thread;
use crate::proxy::{Proxy, free_ports};
use crate::run::Bench;

/// Requests per second while everything changes.
const RATE: u32 = 1000;

const CONNECTIONS: usize = 8;

/// How often everything changes.
const WHOLE_UPDATES: usize = 3;

/// One of each changes once for so many updates that were asked for.
const UPDATES_PER_SINGLE: usize = 5;

/// For how long requests go on after everything has changed.
const AFTERMATH: Duration = Duration::from_millis(500);

/// How long memory may take to go back to the system in the end.
const SETTLE: Duration = Duration::from_secs(6);

const ROUTES: &str = "all_routes";

/// A proxy with everything, under its control plane.
struct Scene<'a> {
    extent: &'a Extent,
    bench: &'a Bench,
    plane: ControlPlane,
    subject: Subject,
    listener: SocketAddr,
    upstream: [SocketAddr; 1],
}

/// The figures of one proxy.
pub fn figures(
    extent: &Extent,
    proxy: &Proxy,
    bench: &mut Bench,
) -> io::Result<Vec<(&'static str, f64)>> {
    let size = extent.size;
    let plane = ControlPlane::start(bench.load_cpu)?;
    let upstream = [bench.upstream()];
    let port = free_ports(1)?[0];
    let clusters = (0..size).map(|number| resources::cluster(number, 0));
    plane.change(Kind::Cluster, clusters.collect(), &[]);
    let endpoints = (0..size).map(|number| resources::endpoints(number, &upstream));
    plane.change(Kind::Endpoint, endpoints.collect(), &[]);
    let listener = resources::listener("all", port, ROUTES, None, 0);
    plane.change(Kind::Listener, vec![listener], &[]);
    let table = resources::routes(ROUTES, size, size, 0);
    plane.change(Kind::Route, vec![table], &[]);

    let begun = Instant::now();
    let mut subject = Subject::start(proxy, bench, &plane, extent.delta)?;
    let listener = (Ipv4Addr::LOCALHOST, port).into();
    subject.wait_answer(listener, &request(size - 1))?;
    let ready = begun.elapsed();
    let pid = subject.instance.pid();
    let cpu = CpuTime::of_tree(pid).total;
    let memory = resident_mb(pid);
    let mut scene = Scene {
        extent,
        bench,
        plane,
        subject,
        listener,
        upstream,
    };
    let mut figures = vec![
        ("ready, s", ready.as_secs_f64()),
        ("CPU until ready, s", cpu),
        ("memory when ready, MB", memory),
    ];
    figures.extend(scene.update_all()?);
    figures.extend(scene.update_one()?);
    std::thread::sleep(SETTLE);
    figures.push(("memory in the end, MB", resident_mb(pid)));
    Ok(figures)
}

impl Scene<'_> {
    /// Changes everything while requests go on; what they notice until all of it is accepted.
    fn update_all(&mut self) -> io::Result<Vec<(&'static str, f64)>> {
        let idle = self.with_load(|_| {
            std::thread::sleep(Duration::from_secs(1));
            Ok(())
        })?;
        let size = self.extent.size;
        let mut latency = Histogram::new();
        let (mut took, mut bad) = (Duration::ZERO, 0);
        for edition in 1..=WHOLE_UPDATES {
            let clusters = (0..size).map(|number| resources::cluster(number, edition));
            let clusters: Vec<Resource> = clusters.collect();
            // A cluster that changes waits for its endpoints, the same ones here.
            let endpoints = (0..size).map(|number| resources::endpoints(number, &self.upstream));
            let endpoints: Vec<Resource> = endpoints.collect();
            let table = resources::routes(ROUTES, size, size, edition);
            let tally = self.with_load(|scene| {
                let begun = Instant::now();
                scene.plane.change(Kind::Cluster, clusters, &[]);
                let version = scene.plane.change(Kind::Endpoint, endpoints, &[]);
                scene.accepted(Kind::Endpoint, version)?;
                let version = scene.plane.change(Kind::Route, vec![table], &[]);
                scene.accepted(Kind::Route, version)?;
                scene.all_warm()?;
                took += begun.elapsed();
                // What comes a little later is noticed too.
                std::thread::sleep(AFTERMATH);
                Ok(())
            })?;
            bad += tally.bad + tally.errors;
            latency.merge(&tally.latency);
        }
        Ok(vec![
            ("all change: s", took.as_secs_f64() / WHOLE_UPDATES as f64),
            ("all change: failed requests", bad as f64),
            ("p99 before, us", idle.latency.quantile_us(0.99)),
            ("all change: p50, us", latency.quantile_us(0.5)),
            ("all change: p99, us", latency.quantile_us(0.99)),
            ("all change: longest, us", latency.quantile_us(1.0)),
        ])
    }

    /// Changes one resource at a time; the proxy's CPU time for each.
    fn update_one(&mut self) -> io::Result<Vec<(&'static str, f64)>> {
        let mut figures = Vec::new();
        let updates = (self.extent.updates / UPDATES_PER_SINGLE).max(1);
        let other = [self.upstream[0], self.upstream[0]];
        let change = |kind: Kind, number: usize, edition: usize| match kind {
            Kind::Cluster => resources::cluster(number, edition),
            _ => resources::endpoints(number, &other[..1 + edition % 2]),
        };
        for (kind, name) in [
            (Kind::Endpoint, "one endpoint changes: CPU us"),
            (Kind::Cluster, "one cluster and its endpoints: CPU us"),
        ] {
            let before = CpuTime::of_tree(self.subject.instance.pid());
            for update in 0..updates {
                let number = update * 7919 % self.extent.size;
                let edition = WHOLE_UPDATES + 1 + update;
                if kind == Kind::Cluster {
                    let resource = change(kind, number, edition);
                    self.plane.change(kind, vec![resource], &[]);
                }
                let resource = change(Kind::Endpoint, number, edition);
                let version = self.plane.change(Kind::Endpoint, vec![resource], &[]);
                self.accepted(Kind::Endpoint, version)?;
            }
            let used = CpuTime::of_tree(self.subject.instance.pid()).since(before);
            figures.push((name, used.total * 1e6 / updates as f64));
        }
        Ok(figures)
    }

    fn accepted(&mut self, kind: Kind, version: u64) -> io::Result<()> {
        let accepted = self.plane.wait_accepted(kind, version, PATIENCE);
        self.subject.instance.must_run()?;
        accepted
    }

    /// Waits until no cluster is warming: each asks for its endpoints again.
    fn all_warm(&self) -> io::Result<()> {
        let name = "cluster_manager.warming_clusters";
        self.subject.wait_stat(name, |count| count == 0, PATIENCE)
    }

    /// Has requests go on while something happens.
    fn with_load(
        &mut self,
        happens: impl FnOnce(&mut Self) -> io::Result<()>,
    ) -> io::Result<Tally> {
        let plan = Plan {
            address: self.listener,
            request: request(self.extent.size - 1),
            connections: CONNECTIONS,
            rate: Some(RATE),
        };
        let mut generator = Generator::connect(plan)?;
        let over = Arc::new(AtomicBool::new(false));
        let (until, cpu) = (Arc::clone(&over), self.bench.load_cpu);
        let thread = std::thread::spawn(move || {
            let pinned = pin_this_thread(cpu);
            let run = generator.run(Limit::Until(until));
            run.map_err(|failure| io::Error::other(failure.to_string()))
                .and_then(|tally| pinned.map(|()| tally))
        });
        let happened = happens(self);
        over.store(true, Ordering::Relaxed);
        let tally = thread
            .join()
            .unwrap_or_else(|_| Err(io::Error::other("the generator panicked")));
        happened.and(tally)
    }
}
