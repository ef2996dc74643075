//! The command line.

use std::io;
use std::path::PathBuf;
use std::time::Duration;

use crate::dynamic;
use crate::process::LAUNCH;
use crate::run::Extent;

/// What `--help` prints.
pub const USAGE: &str = "\
nuncio-bench [--scenarios s1,s2|all] [--rounds N] [--seconds S] [--bin NUNCIO] [--envoy PATH]
             [--baseline OTHER_NUNCIO] [--peers envoy,nginx,haproxy] [--json OUT] [--keep]
nuncio-bench check --json OUT [--bar SCENARIO[.METRIC][/SCENARIO]:PEER[+PEER...]:RATIO]...
                   [--bars FILE]
nuncio-bench counts [--scenarios s1|...] [--requests N] [--max CALLS] [--bin NUNCIO]
                    [--envoy PATH] [--baseline OTHER_NUNCIO] [--peers envoy,nginx,haproxy]
nuncio-bench dynamic [--parts scale,churn,faults] [--size N] [--updates N] [--delta] [--bin NUNCIO]
                     [--envoy PATH] [--baseline OTHER_NUNCIO] [--peers envoy] [--keep]
nuncio-bench list
";

/// What to do.
#[derive(Debug, PartialEq)]
pub enum Command {
    /// Measure.
    Run(Run),
    /// Hold a report against bars.
    Check(Check),
    /// Count syscalls.
    Counts(Counts),
    /// Change configuration under load.
    Dynamic(Dynamic),
    /// List the scenarios.
    List,
    /// Print [`USAGE`].
    Help,
    /// Become a child process.
    Launch(Vec<String>),
}

/// Which proxies to measure.
#[derive(Debug, PartialEq)]
pub struct Proxies {
    /// nuncio.
    pub bin: PathBuf,
    /// Another build of it.
    pub baseline: Option<PathBuf>,
    /// Envoy.
    pub envoy: PathBuf,
    /// Names of peers.
    pub peers: Vec<String>,
}

/// Options of a run.
#[derive(Debug, PartialEq)]
pub struct Run {
    /// Which proxies.
    pub proxies: Proxies,
    /// A list for [`crate::scenario::select`].
    pub scenarios: String,
    /// How often, how long.
    pub extent: Extent,
    /// Where to write the report.
    pub json: Option<PathBuf>,
    /// Whether configurations and logs remain.
    pub keep: bool,
}

/// Options of a check.
#[derive(Debug, PartialEq)]
pub struct Check {
    /// The report.
    pub json: PathBuf,
    /// Bars.
    pub bars: Vec<String>,
    /// Files of bars.
    pub files: Vec<PathBuf>,
}

/// Options of a count.
#[derive(Debug, PartialEq)]
pub struct Counts {
    /// Which proxies.
    pub proxies: Proxies,
    /// A list for [`crate::scenario::select`].
    pub scenarios: String,
    /// To count over.
    pub requests: u64,
    /// The calls per request that nuncio may make on one connection.
    pub max: Option<f64>,
}

/// Options of changes under load.
#[derive(Debug, PartialEq)]
pub struct Dynamic {
    /// Which proxies.
    pub proxies: Proxies,
    /// What, and how much.
    pub extent: dynamic::Extent,
    /// Whether configurations and logs remain.
    pub keep: bool,
}

/// Reads the arguments after the program's name.
pub fn parse(arguments: &[String]) -> io::Result<Command> {
    let (command, rest) = match arguments.first().map(String::as_str) {
        Some(LAUNCH) => return Ok(Command::Launch(arguments[1..].to_vec())),
        Some("list") => return Ok(Command::List),
        Some("run" | "check" | "counts" | "dynamic") => (arguments[0].as_str(), &arguments[1..]),
        _ => ("run", arguments),
    };
    let mut words = rest.iter();
    let mut flags = Flags::default();
    while let Some(flag) = words.next() {
        match flag.as_str() {
            "-h" | "--help" => return Ok(Command::Help),
            "--keep" if matches!(command, "run" | "dynamic") => flags.keep = true,
            "--delta" if command == "dynamic" => flags.delta = true,
            _ if allowed(command).contains(&flag.as_str()) => {
                let value = words.next().ok_or_else(|| wrong(flag, "needs a value"))?;
                flags.values.push((flag.clone(), value.clone()));
            }
            _ => return Err(wrong(flag, "unknown here; see --help")),
        }
    }
    flags.into_command(command)
}

fn wrong(flag: &str, why: &str) -> io::Error {
    io::Error::other(format!("{flag}: {why}"))
}

/// The flags of a command that take a value.
fn allowed(command: &str) -> &'static [&'static str] {
    match command {
        "check" => &["--json", "--bar", "--bars"],
        "counts" => &[
            "--scenarios",
            "--requests",
            "--max",
            "--bin",
            "--envoy",
            "--baseline",
            "--peers",
        ],
        "dynamic" => &[
            "--parts",
            "--size",
            "--updates",
            "--bin",
            "--envoy",
            "--baseline",
            "--peers",
        ],
        _ => &[
            "--scenarios",
            "--rounds",
            "--seconds",
            "--bin",
            "--envoy",
            "--baseline",
            "--peers",
            "--json",
        ],
    }
}

#[derive(Default)]
struct Flags {
    values: Vec<(String, String)>,
    keep: bool,
    delta: bool,
}

impl Flags {
    fn into_command(self, command: &str) -> io::Result<Command> {
        let scenarios = |otherwise: &str| self.last("--scenarios").unwrap_or(otherwise).to_owned();
        Ok(match command {
            "check" => Command::Check(Check {
                json: self
                    .last("--json")
                    .ok_or_else(|| wrong("--json", "missing"))?
                    .into(),
                bars: self.all("--bar").map(str::to_owned).collect(),
                files: self.all("--bars").map(PathBuf::from).collect(),
            }),
            "counts" => Command::Counts(Counts {
                proxies: self.proxies("")?,
                scenarios: scenarios("s1"),
                requests: self.number("--requests", 2000)?,
                max: match self.last("--max") {
                    Some(text) => Some(text.parse().map_err(|_| wrong("--max", "no number"))?),
                    None => None,
                },
            }),
            "dynamic" => Command::Dynamic(Dynamic {
                proxies: self.proxies("envoy")?,
                extent: dynamic::Extent {
                    parts: self.parts()?,
                    size: self.number("--size", 10_000)? as usize,
                    updates: self.number("--updates", 1000)? as usize,
                    delta: self.delta,
                },
                keep: self.keep,
            }),
            _ => Command::Run(Run {
                proxies: self.proxies("envoy,nginx,haproxy")?,
                scenarios: scenarios("all"),
                extent: Extent {
                    rounds: self.number("--rounds", 5)? as usize,
                    time: Duration::from_secs(self.number("--seconds", 3)?),
                },
                json: self.last("--json").map(PathBuf::from),
                keep: self.keep,
            }),
        })
    }

    fn parts(&self) -> io::Result<Vec<String>> {
        let Some(text) = self.last("--parts") else {
            return Ok(dynamic::PARTS.map(str::to_owned).into());
        };
        let parts = text
            .split(',')
            .map(|part| match dynamic::PARTS.contains(&part) {
                true => Ok(part.to_owned()),
                false => Err(wrong("--parts", &format!("no part '{part}'"))),
            });
        parts.collect()
    }

    fn all<'a>(&'a self, flag: &'a str) -> impl DoubleEndedIterator<Item = &'a str> {
        self.values
            .iter()
            .filter(move |(name, _)| name == flag)
            .map(|(_, value)| value.as_str())
    }

    fn last<'a>(&'a self, flag: &'a str) -> Option<&'a str> {
        self.all(flag).next_back()
    }

    /// A number from 1 to a million.
    fn number(&self, flag: &str, otherwise: u64) -> io::Result<u64> {
        let Some(text) = self.last(flag) else {
            return Ok(otherwise);
        };
        let number = text
            .parse()
            .ok()
            .filter(|number| (1..=1_000_000).contains(number));
        number.ok_or_else(|| wrong(flag, "no number from 1 to 1,000,000"))
    }

    fn proxies(&self, default_peers: &str) -> io::Result<Proxies> {
        let peers = self.last("--peers").unwrap_or(default_peers);
        let peers: Vec<String> = peers
            .split(',')
            .filter(|peer| !peer.is_empty())
            .map(str::to_owned)
            .collect();
        for peer in &peers {
            if !["envoy", "nginx", "haproxy"].contains(&peer.as_str()) {
                return Err(wrong("--peers", &format!("no peer '{peer}'")));
            }
        }
        Ok(Proxies {
            bin: self.last("--bin").unwrap_or("target/release/nuncio").into(),
            baseline: self.last("--baseline").map(PathBuf::from),
            envoy: self.last("--envoy").unwrap_or("envoy").into(),
            peers,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse_words(line: &str) -> io::Result<Command> {
        let words: Vec<String> = line.split_whitespace().map(str::to_owned).collect();
        parse(&words)
    }

    #[test]
    fn commands() {
        let Ok(Command::Run(run)) = parse_words("--scenarios s1 --rounds 2 --keep") else {
            panic!("not a run");
        };
        assert_eq!(
            (run.scenarios.as_str(), run.extent.rounds, run.keep),
            ("s1", 2, true)
        );
        assert_eq!(run.extent.time, Duration::from_secs(3));
        assert_eq!(run.proxies.peers, ["envoy", "nginx", "haproxy"]);
        let check = Check {
            json: "out".into(),
            bars: vec!["a".into(), "b".into()],
            files: vec!["f".into()],
        };
        let line = "check --bar a --json out --bar b --bars f";
        assert_eq!(parse_words(line).unwrap(), Command::Check(check));
        let Ok(Command::Counts(counts)) = parse_words("counts --max 4.5 --peers nginx") else {
            panic!("not a count");
        };
        assert_eq!((counts.max, counts.requests), (Some(4.5), 2000));
        assert_eq!(parse_words("run --help").unwrap(), Command::Help);
        assert_eq!(parse_words("list").unwrap(), Command::List);
    }

    #[test]
    fn refusals() {
        for (line, why) in [
            ("--bogus", "unknown here"),
            ("--rounds", "needs a value"),
            ("--rounds 0", "no number from 1"),
            ("--seconds x", "no number from 1"),
            ("--peers caddy", "no peer 'caddy'"),
            ("--max 3", "unknown here"),
            ("check --keep", "unknown here"),
            ("check --bar x", "missing"),
            ("dynamic --parts hail", "no part 'hail'"),
            ("--delta", "unknown here"),
            ("counts --max x", "no number"),
        ] {
            let error = parse_words(line).unwrap_err().to_string();
            assert!(error.contains(why), "{line}: {error}");
        }
    }
}
