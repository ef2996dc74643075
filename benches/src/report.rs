//! What a run prints, and the JSON that it leaves behind.

use std::fmt::Write;
use std::fs;
use std::time::{SystemTime, UNIX_EPOCH};

use serde_json::{Map, Value, json};

use crate::proxy::OURS;
use crate::ratio::{Ratio, Row, median_of};
use crate::run::{Extent, Outcome};
use crate::scenario::Kind;

/// A column of a table: its title, the figure, and its decimals.
type Column = (&'static str, &'static str, usize);

const LOAD: &[Column] = &[
    ("cpu us/req", "cpu_us", 2),
    ("user", "user_us", 2),
    ("sys", "system_us", 2),
    ("req/s", "req_s", 0),
    ("util", "util", 2),
    ("p50 us", "p50_us", 0),
    ("p99 us", "p99_us", 0),
    ("rss MB", "rss_mb", 1),
    ("log B/req", "log_bytes", 0),
    ("bad", "bad", 0),
    ("errors", "errors", 0),
];

const MEMORY: &[Column] = &[
    ("start MB", "start_mb", 1),
    ("idle MB", "idle_mb", 1),
    ("KiB/conn", "kib_per_conn", 2),
];

const START: &[Column] = &[
    ("ready s", "ready_s", 3),
    ("cpu s", "cpu_s", 3),
    ("rss MB", "rss_mb", 1),
];

fn columns(kind: Kind) -> &'static [Column] {
    match kind {
        Kind::Load | Kind::Latency => LOAD,
        Kind::Memory => MEMORY,
        Kind::Start => START,
    }
}

impl Outcome {
    /// The rounds of one proxy; none if it did not run.
    fn rows(&self, proxy: &str) -> &[Option<Row>] {
        let found = self.rounds.iter().find(|(name, _)| *name == proxy);
        found.map_or(&[], |(_, rows)| rows.as_slice())
    }

    /// How each compared figure of nuncio relates to a peer's.
    fn ratios(&self, peer: &str) -> Vec<(&'static str, Ratio)> {
        let ratio = |&metric| Some((metric, Ratio::of(self.rows(OURS), self.rows(peer), metric)?));
        self.scenario
            .kind
            .metrics()
            .iter()
            .filter_map(ratio)
            .collect()
    }

    /// A line per proxy, medians over the rounds, and nuncio's ratio to it.
    pub fn table(&self) -> String {
        let present = |column: &&Column| {
            self.rounds
                .iter()
                .any(|(_, rows)| median_of(rows, column.1).is_some())
        };
        let columns: Vec<&Column> = columns(self.scenario.kind).iter().filter(present).collect();
        let mut text = format!("\n{}  {}\n", self.scenario.name, self.scenario.title);
        // Writing to a string cannot fail.
        let _ = write!(text, "  {:9}", "");
        for (title, _, _) in &columns {
            let _ = write!(text, "{title:>11}");
        }
        let _ = writeln!(text, "  nuncio / peer, median [min-max]");
        for (name, rows) in &self.rounds {
            if rows.iter().all(Option::is_none) {
                continue;
            }
            let _ = write!(text, "  {name:9}");
            for &&(_, metric, decimals) in &columns {
                let cell = median_of(rows, metric).map(|value| format!("{value:.decimals$}"));
                let _ = write!(text, "{:>11}", cell.as_deref().unwrap_or("-"));
            }
            for (metric, ratio) in self.ratios(name).iter().filter(|_| *name != OURS) {
                let Ratio { median, min, max } = ratio;
                let _ = write!(text, "  {metric} {median:.2} [{min:.2}-{max:.2}]");
            }
            text.push('\n');
        }
        for (name, note) in &self.notes {
            let _ = writeln!(text, "  {name:9} {note}");
        }
        text
    }

    fn to_json(&self) -> Value {
        let mut rounds = Map::new();
        let mut ratios = Map::new();
        for (name, rows) in &self.rounds {
            rounds.insert((*name).to_owned(), json!(rows));
            let found = self.ratios(name);
            if *name != OURS && !found.is_empty() {
                let as_json = |(metric, ratio): (&str, Ratio)| {
                    let Ratio { median, min, max } = ratio;
                    (
                        metric.to_owned(),
                        json!({"median": median, "min": min, "max": max}),
                    )
                };
                let found: Map<String, Value> = found.into_iter().map(as_json).collect();
                ratios.insert((*name).to_owned(), found.into());
            }
        }
        json!({
            "title": self.scenario.title,
            "metrics": self.scenario.kind.metrics(),
            "notes": self.notes,
            "rounds": rounds,
            "ratios": ratios,
        })
    }
}

/// The report of a run as it grows.
pub struct Report {
    about: Value,
    outcomes: Vec<Outcome>,
}

impl Report {
    /// An empty one, which knows on what its figures depend.
    pub fn new(versions: &[(&'static str, String)], extent: Extent) -> Report {
        let versions: Map<String, Value> = versions
            .iter()
            .map(|(name, text)| ((*name).into(), text.clone().into()))
            .collect();
        let read = |path| {
            fs::read_to_string(path)
                .unwrap_or_default()
                .trim()
                .to_owned()
        };
        let cpus = std::thread::available_parallelism().map_or(0, usize::from);
        let since_1970 = SystemTime::now()
            .duration_since(UNIX_EPOCH)
            .unwrap_or_default();
        let about = json!({
            "unix_time": since_1970.as_secs(),
            "kernel": read("/proc/sys/kernel/osrelease"),
            "cpu": cpu_model(&read("/proc/cpuinfo")),
            "cpus": cpus,
            "load_average": read("/proc/loadavg"),
            "rounds": extent.rounds,
            "seconds": extent.time.as_secs(),
            "versions": versions,
        });
        Report {
            about,
            outcomes: Vec::new(),
        }
    }

    /// Adds a scenario.
    pub fn add(&mut self, outcome: Outcome) {
        self.outcomes.push(outcome);
    }

    /// The whole of it.
    pub fn to_json(&self) -> Value {
        let name = |outcome: &Outcome| outcome.scenario.name.to_owned();
        let scenarios: Map<String, Value> = self
            .outcomes
            .iter()
            .map(|outcome| (name(outcome), outcome.to_json()))
            .collect();
        json!({"about": self.about, "scenarios": scenarios})
    }

    /// One line per scenario and compared figure.
    pub fn summary(&self, proxies: &[&str]) -> String {
        let peers: Vec<&str> = proxies
            .iter()
            .copied()
            .filter(|name| *name != OURS)
            .collect();
        let mut text = format!("\n{:10}{:14}{OURS:>10}", "summary", "metric");
        for peer in &peers {
            let _ = write!(text, "{:>11}", format!("/ {peer}"));
        }
        text.push('\n');
        for outcome in &self.outcomes {
            let name = outcome.scenario.name;
            for &metric in outcome.scenario.kind.metrics() {
                let ours = outcome.rows(OURS);
                let value = median_of(ours, metric).map(|value| format!("{value:.3}"));
                let value = value.as_deref().unwrap_or("-");
                let _ = write!(text, "{name:10}{metric:14}{value:>10}");
                for peer in &peers {
                    let ratio = Ratio::of(ours, outcome.rows(peer), metric);
                    let cell = ratio.map(|ratio| format!("{:.2}", ratio.median));
                    let _ = write!(text, "{:>11}", cell.as_deref().unwrap_or("-"));
                }
                text.push('\n');
            }
        }
        text
    }
}

fn cpu_model(cpuinfo: &str) -> &str {
    let line = cpuinfo.lines().find(|line| line.starts_with("model name"));
    line.and_then(|line| line.split_once(':'))
        .map_or("?", |(_, model)| model.trim())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;
    use std::time::Duration;

    use super::*;
    use crate::scenario::SCENARIOS;

    fn outcome() -> Outcome {
        let rows = |values: [f64; 2]| -> Vec<Option<Row>> {
            values
                .iter()
                .map(|&value| Some(Row::from([("cpu_us", value)])))
                .collect()
        };
        Outcome {
            scenario: &SCENARIOS[0],
            notes: BTreeMap::from([("nginx", "refused: no".to_owned())]),
            rounds: vec![(OURS, rows([8.0, 9.0])), ("envoy", rows([32.0, 30.0]))],
        }
    }

    #[test]
    fn table() {
        assert_eq!(
            outcome().table(),
            "\ns1  GET 128 B, 64 connections\n\
             \x20           cpu us/req  nuncio / peer, median [min-max]\n\
             \x20 nuncio          8.50\n\
             \x20 envoy          31.00  cpu_us 0.28 [0.25-0.30]\n\
             \x20 nginx     refused: no\n"
        );
    }

    #[test]
    fn json_and_summary() {
        let extent = Extent {
            rounds: 2,
            time: Duration::from_secs(3),
        };
        let mut report = Report::new(&[(OURS, "1".to_owned())], extent);
        report.add(outcome());
        let json = report.to_json();
        assert_eq!(
            json["scenarios"]["s1"]["ratios"]["envoy"]["cpu_us"]["median"],
            0.275
        );
        assert_eq!(json["scenarios"]["s1"]["rounds"][OURS][1]["cpu_us"], 9.0);
        assert_eq!(json["scenarios"]["s1"]["notes"]["nginx"], "refused: no");
        assert_eq!(json["about"]["rounds"], 2);
        let summary = report.summary(&[OURS, "envoy", "nginx"]);
        let line = summary.lines().last().unwrap();
        let words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words, ["s1", "cpu_us", "8.500", "0.28", "-"]);
    }

    #[test]
    fn cpu_models() {
        assert_eq!(
            cpu_model("processor\t: 0\nmodel name\t: Fast 9\n"),
            "Fast 9"
        );
        assert_eq!(cpu_model(""), "?");
    }
}
