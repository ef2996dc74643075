//! A run: every scenario on every proxy, in rounds that take turns.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder};
use std::io;
use std::net::{SocketAddr, TcpStream};
use std::os::unix::fs::DirBuilderExt;
use std::path::{Path, PathBuf};
use std::thread::sleep;
use std::time::Duration;

use crate::client;
use crate::generator::{Failure, Generator, Limit, Plan};
use crate::measure::{CpuTime, resident_mb};
use crate::process::{Cpu, choose_cpus, pin_this_thread, raise_file_limit};
use crate::proxy::{Instance, Proxy};
use crate::ratio::Row;
use crate::scenario::{Family, IDLE_CONNECTIONS, Kind, LATENCY_RATE, Scenario};
use crate::upstream::Upstream;

/// Rounds of a scenario that starts the proxies afresh, whose figures vary little.
const FRESH_ROUNDS: usize = 3;

const WARM_UP: Duration = Duration::from_secs(1);

/// How long a proxy may settle before its memory is read.
const SETTLE: Duration = Duration::from_millis(500);

/// What all scenarios share.
pub struct Bench {
    folder: Folder,
    upstream: Upstream,
    proxy_cpu: Option<Cpu>,
    /// The CPU of the generator and the upstream.
    pub load_cpu: Option<Cpu>,
    started: usize,
}

/// What came of one scenario.
pub struct Outcome {
    /// The scenario.
    pub scenario: &'static Scenario,
    /// Why a proxy is missing, by its name.
    pub notes: BTreeMap<&'static str, String>,
    /// The figures of each proxy, round by round; a round that failed is empty.
    pub rounds: Vec<(&'static str, Vec<Option<Row>>)>,
}

/// How often and how long a scenario runs.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Extent {
    /// Rounds.
    pub rounds: usize,
    /// Of load in a round.
    pub time: Duration,
}

/// A folder for configurations and logs, removed at the end unless it is to be kept.
struct Folder {
    path: PathBuf,
    keep: bool,
}

impl Drop for Folder {
    fn drop(&mut self) {
        if self.keep {
            println!("configurations and logs are in {}", self.path.display());
        } else if let Err(error) = fs::remove_dir_all(&self.path) {
            eprintln!("{} remains: {error}", self.path.display());
        }
    }
}

impl Bench {
    /// Pins this thread, and starts the upstream.
    pub fn new(keep: bool) -> io::Result<Bench> {
        let limit = raise_file_limit()?;
        if limit < IDLE_CONNECTIONS as u64 + 1000 {
            println!("s10 will fail: the limit of open files is {limit}");
        }
        let (proxy_cpu, load_cpu) = choose_cpus()?;
        match (proxy_cpu, load_cpu) {
            (Some(proxy), Some(load)) => println!("CPU {proxy}: proxy, CPU {load}: load"),
            _ => println!("only one CPU: nothing is pinned, expect noise"),
        }
        pin_this_thread(load_cpu)?;
        let name = format!("nuncio-bench-{}", std::process::id());
        let folder = Folder {
            path: std::env::temp_dir().join(name),
            keep,
        };
        DirBuilder::new().mode(0o700).create(&folder.path)?;
        let upstream = Upstream::start(load_cpu)?;
        Ok(Bench {
            folder,
            upstream,
            proxy_cpu,
            load_cpu,
            started: 0,
        })
    }

    /// Where to put files that are gone after the run.
    pub fn folder(&self) -> &Path {
        &self.folder.path
    }

    /// Starts a proxy in a folder of its own.
    pub fn start(&mut self, proxy: &Proxy, family: &Family) -> io::Result<Instance> {
        self.started += 1;
        let name = format!("{:03}-{}-{}", self.started, proxy.name, family.name);
        let folder = self.folder.path.join(name);
        Instance::start(proxy, family, folder, self.upstream.address, self.proxy_cpu)
    }

    /// As [`Instance::start_with`].
    pub fn start_envoy(
        &mut self,
        proxy: &Proxy,
        bootstrap: &str,
        flags: &[&str],
    ) -> io::Result<Instance> {
        self.started += 1;
        let name = format!("{:03}-{}", self.started, proxy.name);
        let at = (self.upstream.address, self.proxy_cpu);
        Instance::start_with(proxy, bootstrap, flags, self.folder.path.join(name), at)
    }

    /// Where the upstream listens.
    pub fn upstream(&self) -> SocketAddr {
        self.upstream.address
    }

    /// Runs scenarios of one family that are all under load, or all start afresh.
    pub fn run(
        &mut self,
        scenarios: &[&'static Scenario],
        proxies: &[Proxy],
        extent: Extent,
        mut report: impl FnMut(Outcome) -> io::Result<()>,
    ) -> io::Result<()> {
        let [first, ..] = scenarios else {
            return Ok(());
        };
        if first.kind.starts_afresh() {
            for scenario in scenarios {
                report(self.run_afresh(scenario, proxies, extent))?;
            }
            return Ok(());
        }
        let mut notes = BTreeMap::new();
        let mut instances = Vec::new();
        for proxy in proxies {
            match self.start(proxy, &first.family) {
                Ok(instance) => instances.push(instance),
                Err(error) => _ = notes.insert(proxy.name, format!("refused: {error}")),
            }
        }
        for &scenario in scenarios {
            let runs = instances.iter_mut().map(|instance| {
                let name = instance.name;
                let warmed = warm_up(instance, scenario);
                (name, warmed.map(|()| instance))
            });
            let outcome = take_turns(
                scenario,
                notes.clone(),
                runs.collect(),
                extent.rounds,
                |i| measure_load(i, scenario, extent.time),
            );
            report(outcome)?;
        }
        Ok(())
    }

    fn run_afresh(
        &mut self,
        scenario: &'static Scenario,
        proxies: &[Proxy],
        extent: Extent,
    ) -> Outcome {
        let runs = proxies
            .iter()
            .map(|proxy| (proxy.name, Ok(proxy)))
            .collect();
        let rounds = extent.rounds.min(FRESH_ROUNDS);
        take_turns(scenario, BTreeMap::new(), runs, rounds, |proxy| {
            let mut instance = self.start(proxy, &scenario.family)?;
            match scenario.kind {
                Kind::Memory => measure_memory(&mut instance, scenario),
                _ => Ok(measure_start(&instance)),
            }
        })
    }
}

/// Measures everyone once per round; another one begins each round. One that fails is out.
fn take_turns<T>(
    scenario: &'static Scenario,
    mut notes: BTreeMap<&'static str, String>,
    mut runs: Vec<(&'static str, io::Result<T>)>,
    count: usize,
    mut measure: impl FnMut(&mut T) -> io::Result<Row>,
) -> Outcome {
    let mut rounds: Vec<_> = runs.iter().map(|(name, _)| (*name, Vec::new())).collect();
    for round in 0..count {
        for turn in 0..runs.len() {
            let index = (round + turn) % runs.len();
            let row = match &mut runs[index].1 {
                Ok(run) => measure(run).map(Some),
                Err(_) => Ok(None),
            };
            let row = row.unwrap_or_else(|error| {
                runs[index].1 = Err(error);
                None
            });
            rounds[index].1.push(row);
        }
    }
    for (name, run) in runs {
        if let Err(error) = run {
            notes.insert(name, format!("failed: {error}"));
        }
    }
    Outcome {
        scenario,
        notes,
        rounds,
    }
}

/// Opens the scenario's connections to a proxy.
pub fn connect(instance: &Instance, scenario: &Scenario) -> io::Result<Generator> {
    Generator::connect(Plan {
        address: instance.address(),
        request: scenario.request(),
        connections: scenario.connections,
        rate: (scenario.kind == Kind::Latency).then_some(LATENCY_RATE),
    })
}

fn warm_up(instance: &mut Instance, scenario: &Scenario) -> io::Result<()> {
    let outcome = connect(instance, scenario)?.run(Limit::Time(WARM_UP));
    blame(instance, outcome.map(drop))?;
    instance.empty_log();
    Ok(())
}

/// The last words of a proxy that has exited explain more than a broken connection.
fn blame<T>(instance: &mut Instance, outcome: Result<T, Failure>) -> io::Result<T> {
    instance.must_run()?;
    outcome.map_err(|failure| io::Error::other(failure.to_string()))
}

fn measure_load(instance: &mut Instance, scenario: &Scenario, time: Duration) -> io::Result<Row> {
    let mut generator = connect(instance, scenario)?;
    let before = CpuTime::of_tree(instance.pid());
    let outcome = generator.run(Limit::Time(time));
    let used = CpuTime::of_tree(instance.pid()).since(before);
    let tally = blame(instance, outcome)?;
    if tally.requests <= tally.bad {
        return Err(io::Error::other(format!(
            "{} answers, none of them good",
            tally.requests
        )));
    }
    let requests = tally.requests as f64;
    let elapsed = tally.elapsed.as_secs_f64();
    let cpu_us = used.total * 1e6 / requests;
    let mut row = Row::from([
        ("requests", requests),
        ("bad", tally.bad as f64),
        ("errors", tally.errors as f64),
        ("cpu_us", cpu_us),
        ("user_us", cpu_us * used.user_share()),
        ("system_us", cpu_us * (1.0 - used.user_share())),
        ("req_s", requests / elapsed),
        ("util", used.total / elapsed),
        ("p50_us", tally.latency.quantile_us(0.5)),
        ("p99_us", tally.latency.quantile_us(0.99)),
        ("rss_mb", resident_mb(instance.pid())),
    ]);
    if scenario.family.access_log {
        row.insert("log_bytes", instance.empty_log() as f64 / requests);
    }
    Ok(row)
}

/// Memory after the start, and with idle connections that have made one request each.
fn measure_memory(instance: &mut Instance, scenario: &Scenario) -> io::Result<Row> {
    sleep(SETTLE);
    let start_mb = resident_mb(instance.pid());
    let request = scenario.request();
    let open = |_| client::ask(instance.address(), &request);
    let idle: Vec<TcpStream> = (0..IDLE_CONNECTIONS).map(open).collect::<io::Result<_>>()?;
    sleep(SETTLE);
    let idle_mb = resident_mb(instance.pid());
    instance.must_run()?;
    let kib_per_conn = (idle_mb - start_mb) * 1024.0 / idle.len() as f64;
    Ok(Row::from([
        ("start_mb", start_mb),
        ("idle_mb", idle_mb),
        ("kib_per_conn", kib_per_conn),
    ]))
}

fn measure_start(instance: &Instance) -> Row {
    Row::from([
        ("ready_s", instance.ready.as_secs_f64()),
        ("cpu_s", CpuTime::of_tree(instance.pid()).total),
        ("rss_mb", resident_mb(instance.pid())),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::SCENARIOS;

    /// The upstream and the generator, with nothing between them.
    #[test]
    fn load() {
        let upstream = Upstream::start(None).unwrap();
        for scenario in SCENARIOS
            .iter()
            .filter(|scenario| !scenario.kind.starts_afresh())
        {
            let rate = (scenario.kind == Kind::Latency).then_some(LATENCY_RATE);
            let mut generator = Generator::connect(Plan {
                address: upstream.address,
                request: scenario.request(),
                connections: 4,
                rate,
            })
            .unwrap();
            for _ in 0..2 {
                let tally = generator.run(Limit::Requests(100)).unwrap();
                let counts = (tally.requests, tally.bad, tally.errors);
                assert_eq!(counts, (100, 0, 0), "{}", scenario.name);
                assert!(tally.latency.quantile_us(0.5) > 0.0);
            }
            let tally = generator
                .run(Limit::Time(Duration::from_millis(20)))
                .unwrap();
            assert!(tally.requests > 1 && tally.bad == 0, "{}", scenario.name);
        }
    }

    #[test]
    fn bad_answers_and_broken_connections_count() {
        let upstream = Upstream::start(None).unwrap();
        let plan = |request: &[u8]| Plan {
            address: upstream.address,
            request: request.into(),
            connections: 2,
            rate: None,
        };
        let unknown = b"GET /unknown HTTP/1.1\r\nhost: a\r\n\r\n";
        let mut generator = Generator::connect(plan(unknown)).unwrap();
        let tally = generator.run(Limit::Requests(10)).unwrap();
        assert_eq!((tally.requests, tally.bad, tally.errors), (10, 10, 0));

        let malformed = b"GET / HTTP/9\r\n\r\n";
        let mut generator = Generator::connect(plan(malformed)).unwrap();
        let tally = generator.run(Limit::Requests(10)).unwrap();
        assert_eq!((tally.requests, tally.errors), (0, 10));
        let outcome = generator.run(Limit::Time(Duration::from_secs(60)));
        assert!(matches!(outcome, Err(Failure::Broken(_))));
    }

    #[test]
    fn turns() {
        let mut order = Vec::new();
        let runs = vec![
            ("a", Ok("a")),
            ("b", Ok("b")),
            ("c", Err(io::Error::other("broken"))),
        ];
        let outcome = take_turns(&SCENARIOS[0], BTreeMap::new(), runs, 3, |name| {
            order.push(*name);
            if *name == "b" && order.len() > 2 {
                return Err(io::Error::other("ended"));
            }
            Ok(Row::from([("cpu_us", order.len() as f64)]))
        });
        assert_eq!(order, ["a", "b", "b", "a", "a"]);
        assert_eq!(outcome.notes["b"], "failed: ended");
        assert_eq!(outcome.notes["c"], "failed: broken");
        let present: Vec<Vec<bool>> = outcome
            .rounds
            .iter()
            .map(|(_, rows)| rows.iter().map(Option::is_some).collect())
            .collect();
        assert_eq!(
            present,
            [vec![true; 3], vec![true, false, false], vec![false; 3]]
        );
    }
}
