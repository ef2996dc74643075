//! Syscalls per proxied request: exact where CPU time is noise. Counted by strace.

use std::collections::BTreeMap;
use std::fs::{self, File, OpenOptions};
use std::io;
use std::path::Path;
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::Signal;

use crate::generator::{Generator, Limit, Plan};
use crate::measure::{process_tree, tasks};
use crate::process::{Cpu, Process};
use crate::proxy::{Instance, Proxy};
use crate::run::Bench;
use crate::scenario::Scenario;

/// Requests before counting begins, so that every pool and buffer is filled.
const WARM_UP: u64 = 1000;

const PATIENCE: Duration = Duration::from_secs(10);

/// Calls per request, by syscall.
pub type Calls = BTreeMap<String, f64>;

/// Counts the calls of a proxy over some requests on open, warm connections.
pub fn count(
    bench: &mut Bench,
    proxy: &Proxy,
    scenario: &Scenario,
    connections: usize,
    requests: u64,
) -> io::Result<Calls> {
    let instance = bench.start(proxy, &scenario.family)?;
    let plan = Plan {
        address: instance.address(),
        request: scenario.request(),
        connections,
        rate: None,
    };
    let mut generator = Generator::connect(plan)?;
    send(&mut generator, WARM_UP)?;
    let summary = bench.folder().join("strace");
    let mut strace = attach(&instance, &summary, bench.load_cpu)?;
    send(&mut generator, requests)?;
    strace.signal(Signal::INT);
    if !strace.wait(PATIENCE) {
        return Err(io::Error::other("strace does not end"));
    }
    let text = fs::read_to_string(&summary)?;
    Ok(parse_summary(&text)
        .into_iter()
        .map(|(n, c)| (n, c as f64 / requests as f64))
        .collect())
}

fn send(generator: &mut Generator, requests: u64) -> io::Result<()> {
    let tally = generator
        .run(Limit::Requests(requests))
        .map_err(|failure| io::Error::other(failure.to_string()))?;
    if (tally.requests, tally.bad, tally.errors) != (requests, 0, 0) {
        let message = format!("{} bad answers, {} errors", tally.bad, tally.errors);
        return Err(io::Error::other(message));
    }
    Ok(())
}

/// Starts strace and waits until it traces every thread.
fn attach(instance: &Instance, summary: &Path, cpu: Option<Cpu>) -> io::Result<Process> {
    let words = ["strace", "-q", "-f", "-c", "-U", "calls,name", "-o"].map(str::to_owned);
    let mut command = Vec::from(words);
    command.push(summary.display().to_string());
    let tree = process_tree(instance.pid());
    for pid in &tree {
        command.extend(["-p".to_owned(), pid.to_string()]);
    }
    let complaints = summary.with_extension("stderr");
    let stderr = File::create(&complaints)?;
    let stdout = OpenOptions::new().write(true).open("/dev/null")?;
    let mut strace = Process::spawn(&command, cpu, stdout, stderr)?;
    let deadline = Instant::now() + PATIENCE;
    while !tree.iter().all(|&pid| is_traced(pid)) {
        if strace.exited()?.is_some() || Instant::now() > deadline {
            let complaint = fs::read_to_string(&complaints).unwrap_or_default();
            return Err(io::Error::other(format!(
                "strace fails: {}",
                complaint.trim()
            )));
        }
        sleep(Duration::from_millis(10));
    }
    Ok(strace)
}

/// Whether every thread of a process has a tracer.
fn is_traced(pid: u32) -> bool {
    tasks(pid).into_iter().all(|task| {
        let path = format!("/proc/{pid}/task/{task}/status");
        let status = fs::read_to_string(path).unwrap_or_default();
        let tracer = status
            .lines()
            .find_map(|line| line.strip_prefix("TracerPid:"));
        tracer.is_some_and(|tracer| tracer.trim() != "0")
    })
}

/// The lines of `strace -c -U calls,name` that have a count and a name.
fn parse_summary(text: &str) -> BTreeMap<String, u64> {
    let mut calls = BTreeMap::new();
    for line in text.lines() {
        let mut words = line.split_whitespace();
        if let (Some(Ok(count)), Some(name)) = (words.next().map(str::parse::<u64>), words.next())
            && name != "total"
        {
            *calls.entry(name.to_owned()).or_default() += count;
        }
    }
    calls
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn summaries() {
        let text = "    calls syscall\n--------- ----------------\n     4000 recvfrom\n\
                    \x20    2001 epoll_wait\n--------- ----------------\n     6001 total\n";
        let expected = [
            ("epoll_wait".to_owned(), 2001),
            ("recvfrom".to_owned(), 4000),
        ];
        assert_eq!(parse_summary(text), BTreeMap::from(expected));
        assert!(parse_summary("strace: no such process\n").is_empty());
    }
}
