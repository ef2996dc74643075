//! A control plane that ends, comes back, talks nonsense, half sentences, or slowly: whether the
//! proxy serves on, how often it tries, and whether it takes an update afterwards.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Extent;
use super::control_plane::{ControlPlane, Fault};
use super::load::{Load, Target};
use super::resources::{self, Kind};
use super::subject::{PATIENCE, Subject, request};
use crate::proxy::{Proxy, free_ports};
use crate::run::Bench;

const CLUSTERS: usize = 5;
const CLIENTS: usize = 4;
const ROUTES: &str = "routes";

/// How long each fault lasts.
const LASTS: Duration = Duration::from_secs(4);

const CONNECTED: &str = "control_plane.connected_state";

/// The faults, and what their figures are called: connections, and the time until an update is
/// accepted afterwards.
const FAULTS: [(Fault, [&str; 2]); 6] = [
    (
        Fault::Closes,
        ["closes: connections", "closes: s until accepted"],
    ),
    (
        Fault::NoHttp,
        ["no HTTP: connections", "no HTTP: s until accepted"],
    ),
    (
        Fault::Garbage,
        ["garbage: connections", "garbage: s until accepted"],
    ),
    (
        Fault::WrongType,
        ["wrong type: connections", "wrong type: s until accepted"],
    ),
    (
        Fault::Half,
        [
            "half answers: connections",
            "half answers: s until accepted",
        ],
    ),
    (Fault::Slow, ["slow: connections", "slow: s until accepted"]),
];

/// A proxy and its control plane.
struct Scene {
    plane: ControlPlane,
    subject: Subject,
    upstream: SocketAddr,
    edition: usize,
}

/// The figures of one proxy.
pub fn figures(
    extent: &Extent,
    proxy: &Proxy,
    bench: &mut Bench,
) -> io::Result<Vec<(&'static str, f64)>> {
    let plane = ControlPlane::start(bench.load_cpu)?;
    let upstream = bench.upstream();
    let port = free_ports(1)?[0];
    let clusters = (0..CLUSTERS).map(|number| resources::cluster(number, 0));
    plane.change(Kind::Cluster, clusters.collect(), &[]);
    let endpoints = (0..CLUSTERS).map(|number| resources::endpoints(number, &[upstream]));
    plane.change(Kind::Endpoint, endpoints.collect(), &[]);
    let listener = resources::listener("all", port, ROUTES, None, 0);
    plane.change(Kind::Listener, vec![listener], &[]);
    let table = resources::routes(ROUTES, CLUSTERS, CLUSTERS, 0);
    plane.change(Kind::Route, vec![table], &[]);
    let mut subject = Subject::start(proxy, bench, &plane, extent.delta)?;
    let address = (Ipv4Addr::LOCALHOST, port).into();
    subject.wait_answer(address, &request(0))?;
    let target = |client: usize| Target {
        address,
        request: request(client),
        trust: None,
    };
    let load = Load::start((0..CLIENTS).map(target).collect(), bench.load_cpu)?;
    let mut scene = Scene {
        plane,
        subject,
        upstream,
        edition: 0,
    };
    let mut figures = scene.killed()?;
    for (fault, [connections, accepted]) in FAULTS {
        let (tried, took) = scene.faulty(fault)?;
        figures.push((connections, tried));
        figures.push((accepted, took));
    }
    scene.subject.instance.must_run()?;
    let asked = load.figures();
    figures.push(("requests", asked.requests as f64));
    figures.push(("failed requests", asked.failed() as f64));
    let rejected = scene.subject.stat("cluster_manager.cds.update_rejected")?;
    let failed = scene.subject.stat("cluster_manager.cds.update_failure")?;
    figures.push(("cds.update_rejected", rejected.unwrap_or(0) as f64));
    figures.push(("cds.update_failure", failed.unwrap_or(0) as f64));
    Ok(figures)
}

impl Scene {
    /// The control plane is gone for a while, and comes back with news.
    fn killed(&mut self) -> io::Result<Vec<(&'static str, f64)>> {
        self.plane.stop();
        let begun = Instant::now();
        self.subject
            .wait_stat(CONNECTED, |state| state == 0, PATIENCE)?;
        let noticed = begun.elapsed();
        sleep(LASTS);
        let version = self.news();
        self.plane.resume()?;
        let begun = Instant::now();
        self.plane.wait_accepted(Kind::Cluster, version, PATIENCE)?;
        let accepted = begun.elapsed();
        self.subject
            .wait_stat(CONNECTED, |state| state == 1, PATIENCE)?;
        Ok(vec![
            ("killed: s until noticed", noticed.as_secs_f64()),
            ("killed: s until accepted", accepted.as_secs_f64()),
        ])
    }

    /// Something is wrong for a while: the connections that came, and how long after it the news
    /// took.
    fn faulty(&mut self, fault: Fault) -> io::Result<(f64, f64)> {
        self.plane.behave(fault);
        let before = self.plane.look(|state| state.connections.len());
        let mut version = self.news();
        // A connection that has begun well goes on.
        if matches!(fault, Fault::Closes | Fault::NoHttp) {
            self.plane.stop();
            self.plane.resume()?;
        }
        sleep(LASTS);
        self.subject.instance.must_run()?;
        let tried = self.plane.look(|state| state.connections.len()) - before;
        self.plane.behave(Fault::None);
        // What was refused is not sent again.
        if fault != Fault::Slow {
            version = self.news();
        }
        let begun = Instant::now();
        self.plane.wait_accepted(Kind::Cluster, version, PATIENCE)?;
        Ok((tried as f64, begun.elapsed().as_secs_f64()))
    }

    /// Changes all clusters.
    fn news(&mut self) -> u64 {
        self.edition += 1;
        let edition = self.edition;
        let clusters = (0..CLUSTERS).map(|number| resources::cluster(number, edition));
        let version = self.plane.change(Kind::Cluster, clusters.collect(), &[]);
        // A cluster that changes waits for its endpoints, the same ones here.
        let endpoints = (0..CLUSTERS).map(|n| resources::endpoints(n, &[self.upstream]));
        self.plane.change(Kind::Endpoint, endpoints.collect(), &[]);
        version
    }
}
