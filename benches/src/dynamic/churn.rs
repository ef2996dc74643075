//! A thousand updates of everything while clients ask: how many of them fail, and whether the
//! memory comes back.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::thread::sleep;
use std::time::{Duration, Instant};

use super::Extent;
use super::control_plane::ControlPlane;
use super::load::{Load, Target};
use super::resources::{self, Kind, Resource};
use super::subject::{PATIENCE, Subject, request};
use super::tls::{Identity, Trust};
use crate::measure::resident_mb;
use crate::proxy::{Proxy, free_ports};
use crate::run::Bench;
use crate::upstream::Upstream;

/// Clusters that are there all the time, and as many that come and go.
const CLUSTERS: usize = 20;

/// Clients of each listener.
const CLIENTS: usize = 4;

/// Between updates.
const PAUSE: Duration = Duration::from_millis(10);

/// What the memory is compared with is read after this many updates.
const WARM_UP: usize = 100;

/// For what drains: twice the drain time.
const SETTLE: Duration = Duration::from_secs(5);

const ROUTES: &str = "routes";
const SECRET: &str = "certificate";

/// What changes.
struct Scene<'a> {
    plane: &'a ControlPlane,
    upstreams: [SocketAddr; 2],
    /// Plain, TLS, and one that comes and goes.
    ports: Vec<u16>,
    identities: Vec<Identity>,
}

/// The figures of one proxy.
pub fn figures(
    extent: &Extent,
    proxy: &Proxy,
    bench: &mut Bench,
) -> io::Result<Vec<(&'static str, f64)>> {
    let plane = ControlPlane::start(bench.load_cpu)?;
    let other = Upstream::start(bench.load_cpu)?;
    let scene = Scene {
        plane: &plane,
        upstreams: [bench.upstream(), other.address],
        ports: free_ports(3)?,
        identities: vec![Identity::new()?, Identity::new()?],
    };
    scene.begin();
    let mut subject = Subject::start(proxy, bench, &plane, extent.delta)?;
    let targets = scene.targets()?;
    subject.wait_answer(targets[0].address, &targets[0].request)?;
    let load = Load::start(targets, bench.load_cpu)?;
    sleep(Duration::from_millis(500));

    let mut last = Vec::new();
    let begun = Instant::now();
    let mut warm = 0.0;
    for update in 0..extent.updates + WARM_UP {
        if update == WARM_UP {
            sleep(SETTLE);
            warm = resident_mb(subject.instance.pid());
        }
        last.retain(|(kind, _)| *kind != scene.kind(update));
        last.push((scene.kind(update), scene.update(update)));
        sleep(PAUSE);
    }
    for (kind, version) in last {
        plane.wait_accepted(kind, version, PATIENCE)?;
    }
    let took = begun.elapsed() - SETTLE;
    sleep(SETTLE);
    subject.instance.must_run()?;
    let memory = resident_mb(subject.instance.pid());
    let figures = load.figures();
    let refused: u64 = plane.look(|state| state.types.values().map(|it| it.refused).sum());
    Ok(vec![
        ("updates", (extent.updates + WARM_UP) as f64),
        ("refused updates", refused as f64),
        ("s", took.as_secs_f64()),
        ("requests", figures.requests as f64),
        ("failed: other than 200", figures.refused as f64),
        ("failed: dropped connections", figures.dropped as f64),
        ("failed: no connection", figures.unopened as f64),
        ("connections closed in good order", figures.closed as f64),
        ("memory before, MB", warm),
        ("memory after, MB", memory),
    ])
}

impl Scene<'_> {
    fn begin(&self) {
        let clusters = (0..CLUSTERS).map(|number| resources::cluster(number, 0));
        self.plane.change(Kind::Cluster, clusters.collect(), &[]);
        let endpoints = (0..2 * CLUSTERS).map(|n| resources::endpoints(n, &self.upstreams));
        self.plane.change(Kind::Endpoint, endpoints.collect(), &[]);
        let listeners = [self.plain(0), self.secure(0)];
        self.plane.change(Kind::Listener, listeners.into(), &[]);
        self.plane.change(Kind::Route, vec![self.routes(0)], &[]);
        self.plane.change(Kind::Secret, vec![self.secret(0)], &[]);
    }

    fn targets(&self) -> io::Result<Vec<Target>> {
        let trust = Arc::new(Trust::of(&self.identities)?);
        let target = |port: u16, client: usize, trust: Option<&Arc<Trust>>| Target {
            address: (Ipv4Addr::LOCALHOST, port).into(),
            request: request(client),
            trust: trust.cloned(),
        };
        let plain = (0..CLIENTS).map(|client| target(self.ports[0], client, None));
        let secure = (0..CLIENTS).map(|client| target(self.ports[1], client, Some(&trust)));
        Ok(plain.chain(secure).collect())
    }

    fn plain(&self, edition: usize) -> Resource {
        resources::listener("plain", self.ports[0], ROUTES, None, edition)
    }

    fn secure(&self, edition: usize) -> Resource {
        resources::listener("secure", self.ports[1], ROUTES, Some(SECRET), edition)
    }

    fn routes(&self, edition: usize) -> Resource {
        resources::routes(ROUTES, CLUSTERS, CLUSTERS, edition)
    }

    fn secret(&self, edition: usize) -> Resource {
        let identity = &self.identities[edition % self.identities.len()];
        resources::secret(SECRET, &identity.certificate, &identity.key)
    }

    /// Which type an update is of.
    fn kind(&self, update: usize) -> Kind {
        Kind::ALL[update % Kind::ALL.len()]
    }

    /// Makes one; its number as a change of its type.
    fn update(&self, update: usize) -> u64 {
        let edition = update / Kind::ALL.len() + 1;
        match self.kind(update) {
            Kind::Cluster if edition.is_multiple_of(3) => {
                // One that no route leads to comes or goes.
                let number = CLUSTERS + edition % CLUSTERS;
                match edition / CLUSTERS % 2 {
                    0 => self.set_cluster(number, edition),
                    _ => {
                        let name = resources::cluster_name(number);
                        self.plane.change(Kind::Cluster, Vec::new(), &[name])
                    }
                }
            }
            Kind::Cluster => self.set_cluster(edition % CLUSTERS, edition),
            Kind::Endpoint => {
                let addresses = match edition % 3 {
                    0 => &self.upstreams[..],
                    1 => &self.upstreams[..1],
                    _ => &self.upstreams[1..],
                };
                let endpoints = resources::endpoints(edition % CLUSTERS, addresses);
                self.set(Kind::Endpoint, endpoints)
            }
            Kind::Listener => match edition % 4 {
                0 => self.set(Kind::Listener, self.plain(edition)),
                1 => self.set(Kind::Listener, self.secure(edition)),
                2 => {
                    let spare = resources::listener("spare", self.ports[2], ROUTES, None, edition);
                    self.set(Kind::Listener, spare)
                }
                _ => self
                    .plane
                    .change(Kind::Listener, Vec::new(), &["spare".to_owned()]),
            },
            Kind::Route => self.set(Kind::Route, self.routes(edition)),
            _ => self.set(Kind::Secret, self.secret(edition)),
        }
    }

    /// A cluster that changes waits for its endpoints, the same ones here.
    fn set_cluster(&self, number: usize, edition: usize) -> u64 {
        let version = self.set(Kind::Cluster, resources::cluster(number, edition));
        let endpoints = resources::endpoints(number, &self.upstreams);
        self.set(Kind::Endpoint, endpoints);
        version
    }

    fn set(&self, kind: Kind, resource: Resource) -> u64 {
        self.plane.change(kind, vec![resource], &[])
    }
}
