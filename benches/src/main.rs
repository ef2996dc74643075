//! The benchmark: what a request costs nuncio and its peers, side by side. See README.md.
#![allow(
    clippy::disallowed_methods,
    reason = "it measures; there is no worker whose clock to ask"
)]

mod args;
mod bars;
mod client;
mod counts;
mod dynamic;
mod envoy;
mod generator;
mod haproxy;
mod histogram;
mod measure;
mod message;
mod nginx;
mod pace;
mod process;
mod proxy;
mod ratio;
mod report;
mod run;
mod scenario;
mod upstream;

use std::fs;
use std::io;
use std::process::ExitCode;

use args::{Check, Command, Counts, Dynamic, Proxies, Run};
use bars::Bar;
use proxy::{OURS, Proxy};
use report::Report;
use run::Bench;
use scenario::{SCENARIOS, select};

/// What an answer of a count is about: how many connections the requests share.
const COUNTED_CONNECTIONS: [usize; 2] = [1, 64];

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let done = args::parse(&arguments).and_then(|command| match command {
        Command::Run(options) => measure(&options),
        Command::Check(options) => check(&options),
        Command::Counts(options) => count(&options),
        Command::Dynamic(options) => change(&options),
        Command::List => Ok(list()),
        Command::Help => {
            print!("{}", args::USAGE);
            Ok(ExitCode::SUCCESS)
        }
        Command::Launch(rest) => Err(process::launch(&rest)),
    });
    done.unwrap_or_else(|error| {
        eprintln!("nuncio-bench: error: {error}");
        ExitCode::from(2)
    })
}

fn list() -> ExitCode {
    for scenario in SCENARIOS {
        let metrics = scenario.kind.metrics().join(", ");
        println!("{:10}{} [{metrics}]", scenario.name, scenario.title);
    }
    ExitCode::SUCCESS
}

/// nuncio and those of the others that are installed; a missing peer is reported.
fn find(options: &Proxies) -> io::Result<Vec<Proxy>> {
    let mut proxies = vec![Proxy::envoy(OURS, &options.bin)?];
    if let Some(baseline) = &options.baseline {
        proxies.push(Proxy::envoy("baseline", baseline)?);
    }
    for peer in &options.peers {
        let found = match peer.as_str() {
            "envoy" => Proxy::envoy("envoy", &options.envoy),
            "nginx" => Proxy::nginx(),
            _ => Proxy::haproxy(),
        };
        match found {
            Ok(proxy) => proxies.push(proxy),
            Err(error) => println!("{peer} is skipped: {error}"),
        }
    }
    Ok(proxies)
}

fn measure(options: &Run) -> io::Result<ExitCode> {
    let scenarios = select(&options.scenarios)?;
    let proxies = find(&options.proxies)?;
    let versions: Vec<(&str, String)> = proxies
        .iter()
        .map(|proxy| (proxy.name, proxy.version()))
        .collect();
    for (name, version) in &versions {
        println!("{name}: {version}");
    }
    let extent = options.extent;
    let mut bench = Bench::new(options.keep)?;
    println!(
        "medians of {} rounds of {} s",
        extent.rounds,
        extent.time.as_secs()
    );
    let mut report = Report::new(&versions, extent);
    let shares = |a: &&scenario::Scenario, b: &&scenario::Scenario| {
        a.family == b.family && a.kind.starts_afresh() == b.kind.starts_afresh()
    };
    for group in scenarios.chunk_by(shares) {
        bench.run(group, &proxies, extent, |outcome| {
            print!("{}", outcome.table());
            report.add(outcome);
            match &options.json {
                Some(path) => fs::write(path, report.to_json().to_string()),
                None => Ok(()),
            }
        })?;
    }
    let names: Vec<&str> = proxies.iter().map(|proxy| proxy.name).collect();
    print!("{}", report.summary(&names));
    Ok(ExitCode::SUCCESS)
}

fn check(options: &Check) -> io::Result<ExitCode> {
    let report = serde_json::from_str(&fs::read_to_string(&options.json)?)?;
    let mut bars: Vec<Bar> = options
        .bars
        .iter()
        .map(|text| Bar::parse(text))
        .collect::<io::Result<_>>()?;
    for file in &options.files {
        bars.extend(Bar::parse_file(&fs::read_to_string(file)?)?);
    }
    if bars.is_empty() {
        return Err(io::Error::other("no --bar and no --bars"));
    }
    let mut all_met = true;
    for verdict in bars.iter().flat_map(|bar| bar.judge(&report)) {
        println!(
            "{} {}",
            if verdict.met { "met  " } else { "SHORT" },
            verdict.line
        );
        all_met &= verdict.met;
    }
    Ok(if all_met {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}

fn change(options: &Dynamic) -> io::Result<ExitCode> {
    let proxies = find(&options.proxies)?;
    let mut bench = Bench::new(options.keep)?;
    Ok(match dynamic::run(&options.extent, &proxies, &mut bench)? {
        true => ExitCode::SUCCESS,
        false => ExitCode::FAILURE,
    })
}

fn count(options: &Counts) -> io::Result<ExitCode> {
    let scenarios = select(&options.scenarios)?;
    let proxies = find(&options.proxies)?;
    let mut bench = Bench::new(false)?;
    let mut within = true;
    for scenario in scenarios {
        for connections in COUNTED_CONNECTIONS {
            println!(
                "\n{}  {connections} connections, syscalls per request",
                scenario.name
            );
            for proxy in &proxies {
                let calls =
                    counts::count(&mut bench, proxy, scenario, connections, options.requests);
                let gated = proxy.name == OURS && connections == 1;
                let calls = match calls {
                    Ok(calls) => calls,
                    Err(error) => {
                        println!("  {:9}{error}", proxy.name);
                        within &= !(gated && options.max.is_some());
                        continue;
                    }
                };
                let total: f64 = calls.values().sum();
                let mut often: Vec<_> = calls.iter().filter(|(_, n)| **n >= 0.005).collect();
                often.sort_by(|a, b| b.1.total_cmp(a.1));
                let parts: Vec<String> = often
                    .iter()
                    .map(|(name, n)| format!("{name} {n:.2}"))
                    .collect();
                println!("  {:9}{total:7.2}  {}", proxy.name, parts.join(", "));
                if let Some(max) = options.max.filter(|max| gated && total > *max) {
                    println!("SHORT {}: {total:.2} calls, at most {max}", scenario.name);
                    within = false;
                }
            }
        }
    }
    Ok(if within {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    })
}
