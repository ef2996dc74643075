//! Bars: what a report must show, as `SCENARIO[.METRIC][/SCENARIO]:PEER[+PEER...]:RATIO`.

use std::io;

use serde_json::Value;

use crate::proxy::OURS;
use crate::scenario::SCENARIOS;

/// The share of requests with other answers than 2xx, or none, above which no bar is met.
const BAD_SHARE: f64 = 0.001;

/// A bar: nuncio's figure may be at most `limit` times that of each peer.
#[derive(Debug, PartialEq)]
pub struct Bar {
    scenario: String,
    metric: String,
    /// The scenario whose ratio the first one's is divided by.
    relative_to: Option<String>,
    peers: Vec<String>,
    limit: f64,
}

/// Whether a bar is met, and a line that says by how much.
#[derive(Debug, PartialEq)]
pub struct Verdict {
    /// Whether it is.
    pub met: bool,
    /// For the reader.
    pub line: String,
}

impl Bar {
    /// Reads one bar.
    pub fn parse(text: &str) -> io::Result<Bar> {
        let wrong = |why: &str| io::Error::other(format!("bar '{text}': {why}"));
        let parts: Vec<&str> = text.split(':').collect();
        let &[what, peers, limit] = parts.as_slice() else {
            return Err(wrong(
                "not SCENARIO[.METRIC][/SCENARIO]:PEER[+PEER...]:RATIO",
            ));
        };
        let (what, relative_to) = match what.split_once('/') {
            Some((what, relative_to)) => (what, Some(relative_to)),
            None => (what, None),
        };
        let (name, metric) = match what.split_once('.') {
            Some((name, metric)) => (name, Some(metric)),
            None => (what, None),
        };
        let find = |name: &str| SCENARIOS.iter().find(|scenario| scenario.name == name);
        let scenario = find(name).ok_or_else(|| wrong("no such scenario"))?;
        let metrics = scenario.kind.metrics();
        let metric = metric.unwrap_or(metrics[0]);
        if !metrics.contains(&metric) {
            return Err(wrong(&format!("{name} has {}", metrics.join(", "))));
        }
        if let Some(other) = relative_to
            && !find(other).is_some_and(|other| other.kind.metrics().contains(&metric))
        {
            return Err(wrong("no such scenario to compare with"));
        }
        let peers: Vec<String> = peers.split('+').map(str::to_owned).collect();
        let known = ["baseline", "envoy", "nginx", "haproxy"];
        if !peers.iter().all(|peer| known.contains(&peer.as_str())) {
            return Err(wrong(&format!("the peers are {}", known.join(", "))));
        }
        let limit: f64 = limit.parse().map_err(|_| wrong("the ratio is no number"))?;
        if !(limit.is_finite() && limit > 0.0) {
            return Err(wrong("the ratio must be above 0"));
        }
        let (scenario, metric) = (name.to_owned(), metric.to_owned());
        Ok(Bar {
            scenario,
            metric,
            relative_to: relative_to.map(str::to_owned),
            peers,
            limit,
        })
    }

    /// Reads a file of bars, one a line; what follows a `#` is a comment.
    pub fn parse_file(text: &str) -> io::Result<Vec<Bar>> {
        let lines = text
            .lines()
            .map(|line| line.split('#').next().unwrap_or("").trim());
        lines
            .filter(|line| !line.is_empty())
            .map(Bar::parse)
            .collect()
    }

    /// Holds a report against the bar, peer by peer.
    pub fn judge(&self, report: &Value) -> Vec<Verdict> {
        self.peers
            .iter()
            .map(|peer| self.judge_peer(report, peer))
            .collect()
    }

    fn judge_peer(&self, report: &Value, peer: &str) -> Verdict {
        let relative = self.relative_to.as_ref();
        let over = relative.map_or_else(String::new, |other| format!(" over {other}"));
        let label = format!("{}.{} to {peer}{over}", self.scenario, self.metric);
        let ratio = self
            .ratio(report, &self.scenario, peer)
            .and_then(|ratio| match relative {
                Some(other) => Ok(ratio / self.ratio(report, other, peer)?),
                None => Ok(ratio),
            });
        match ratio {
            Ok(ratio) => {
                let line = format!("{label}: {ratio:.3} (bar {})", self.limit);
                Verdict {
                    met: ratio <= self.limit,
                    line,
                }
            }
            Err(why) => Verdict {
                met: false,
                line: format!("{label}: {why}"),
            },
        }
    }

    /// The ratio that a report has for one scenario, or why it has none that counts.
    fn ratio(&self, report: &Value, name: &str, peer: &str) -> Result<f64, String> {
        let scenario = &report["scenarios"][name];
        if scenario.is_null() {
            return Err(format!("{name} was not run"));
        }
        for proxy in [OURS, peer] {
            if let Some(note) = scenario["notes"][proxy].as_str() {
                return Err(format!("{proxy} {note}"));
            }
            let sum = |figure: &str| -> f64 {
                let rounds = scenario["rounds"][proxy].as_array().into_iter().flatten();
                rounds.filter_map(|row| row[figure].as_f64()).sum()
            };
            let bad = sum("bad") + sum("errors");
            if bad > BAD_SHARE * sum("requests") {
                return Err(format!("{bad} requests of {proxy} failed"));
            }
        }
        let ratio = &scenario["ratios"][peer][&self.metric]["median"];
        ratio.as_f64().ok_or_else(|| "not measured".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn grammar() {
        let bar = Bar::parse("s11-p10k/s11-p1:haproxy+nginx:1.1").unwrap();
        let expected = Bar {
            scenario: "s11-p10k".into(),
            metric: "cpu_us".into(),
            relative_to: Some("s11-p1".into()),
            peers: vec!["haproxy".into(), "nginx".into()],
            limit: 1.1,
        };
        assert_eq!(bar, expected);
        assert_eq!(
            Bar::parse("s10.start_mb:envoy:0.2").unwrap().metric,
            "start_mb"
        );
        for (text, why) in [
            ("s1:haproxy", "not SCENARIO"),
            ("s99:envoy:1", "no such scenario"),
            ("s1.p50_us:envoy:1", "s1 has cpu_us"),
            ("s1/s10:envoy:1", "to compare with"),
            ("s1:caddy:1", "the peers are"),
            ("s1:nuncio:1", "the peers are"),
            ("s1:envoy:x", "no number"),
            ("s1:envoy:-1", "above 0"),
            ("s1:envoy:NaN", "above 0"),
        ] {
            let error = Bar::parse(text).unwrap_err().to_string();
            assert!(error.contains(why), "{text}: {error}");
        }
    }

    #[test]
    fn the_projects_own_bars() {
        let bars = Bar::parse_file(include_str!("../bars.txt")).unwrap();
        assert!(!bars.is_empty());
    }

    #[test]
    fn verdicts() {
        let report = json!({"scenarios": {
            "s1": {
                "notes": {"nginx": "refused: no"},
                "ratios": {"haproxy": {"cpu_us": {"median": 0.8}},
                           "envoy": {"cpu_us": {"median": 0.2}}},
                "rounds": {"nuncio": [{"requests": 1e6, "bad": 10}], "haproxy": [{"requests": 1e6}],
                           "envoy": [{"requests": 1000, "bad": 0, "errors": 2}, null]},
            },
            "s2": {"notes": {}, "ratios": {"haproxy": {"cpu_us": {"median": 0.9}}}},
        }});
        let judge = |bar: &str| -> Vec<(bool, String)> {
            let verdicts = Bar::parse(bar).unwrap().judge(&report);
            verdicts
                .into_iter()
                .map(|verdict| (verdict.met, verdict.line))
                .collect()
        };
        for (bar, met, line) in [
            (
                "s1:haproxy:0.85",
                true,
                "s1.cpu_us to haproxy: 0.800 (bar 0.85)",
            ),
            (
                "s1:haproxy:0.7",
                false,
                "s1.cpu_us to haproxy: 0.800 (bar 0.7)",
            ),
            (
                "s2/s1:haproxy:1.1",
                false,
                "s2.cpu_us to haproxy over s1: 1.125 (bar 1.1)",
            ),
            (
                "s1:nginx:0.7",
                false,
                "s1.cpu_us to nginx: nginx refused: no",
            ),
            (
                "s1:envoy:0.7",
                false,
                "s1.cpu_us to envoy: 2 requests of envoy failed",
            ),
            (
                "s3:haproxy:1",
                false,
                "s3.cpu_us to haproxy: s3 was not run",
            ),
            ("s2:envoy:1", false, "s2.cpu_us to envoy: not measured"),
        ] {
            assert_eq!(judge(bar), [(met, line.to_owned())], "{bar}");
        }
        assert_eq!(
            judge("s1:haproxy+nginx:1")
                .iter()
                .filter(|(met, _)| *met)
                .count(),
            1
        );
    }
}
