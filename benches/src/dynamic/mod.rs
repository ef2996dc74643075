//! Configuration that changes while it serves: the same control plane, load and questions for
//! nuncio and for Envoy, and what came of it side by side.

mod churn;
mod control_plane;
mod faults;
mod load;
mod resources;
mod scale;
mod stream;
mod subject;
mod tls;

use std::io;

use crate::proxy::{OURS, Proxy};
use crate::run::Bench;

/// What to look at, and how much of it.
#[derive(Debug, Clone, PartialEq)]
pub struct Extent {
    /// Which of `scale`, `churn` and `faults`.
    pub parts: Vec<String>,
    /// Clusters, endpoints and routes of `scale`.
    pub size: usize,
    /// Updates of `churn`.
    pub updates: usize,
    /// Whether resources come one by one (delta), or all of a type at once.
    pub delta: bool,
}

/// The parts that there are.
pub const PARTS: [&str; 3] = ["scale", "churn", "faults"];

/// A table of figures: a row for each, a column for each proxy.
pub struct Table {
    title: String,
    names: Vec<&'static str>,
    rows: Vec<(String, Vec<Option<f64>>)>,
}

impl Table {
    /// An empty one.
    pub fn new(title: String) -> Table {
        Table {
            title,
            names: Vec::new(),
            rows: Vec::new(),
        }
    }

    /// Adds a proxy's figures.
    pub fn add(&mut self, name: &'static str, figures: Vec<(&str, f64)>) {
        let column = self.names.len();
        self.names.push(name);
        for (row, figure) in figures {
            let at = self.rows.iter().position(|(known, _)| known == row);
            let at = at.unwrap_or_else(|| {
                self.rows.push((row.to_owned(), Vec::new()));
                self.rows.len() - 1
            });
            let columns = &mut self.rows[at].1;
            columns.resize(column, None);
            columns.push(Some(figure));
        }
    }

    /// Whether the first proxy failed more requests than the second, or any where it is alone.
    fn fails_more(&self) -> bool {
        let failed = self.rows.iter().filter(|(row, _)| row.contains("failed"));
        let sum = |at: usize| {
            let figures = failed.clone();
            let figures = figures.filter_map(|(_, figures)| figures.get(at).copied().flatten());
            figures.sum::<f64>()
        };
        sum(0) > sum(1)
    }

    /// As text; the last column is the first proxy's figure over the second's.
    pub fn text(&self) -> String {
        let mut text = format!("\n{}\n  {:34}", self.title, "");
        for name in &self.names {
            text.push_str(&format!("{name:>12}"));
        }
        text.push('\n');
        for (row, figures) in &self.rows {
            text.push_str(&format!("  {row:34}"));
            for at in 0..self.names.len() {
                match figures.get(at).copied().flatten() {
                    Some(figure) => text.push_str(&format!("{:>12}", number(figure))),
                    None => text.push_str(&format!("{:>12}", "-")),
                }
            }
            if let [Some(ours), Some(peer)] = figures[..]
                && peer > 0.0
            {
                text.push_str(&format!("{:>9.2}", ours / peer));
            }
            text.push('\n');
        }
        text
    }
}

fn number(figure: f64) -> String {
    if figure.fract() == 0.0 || figure >= 1000.0 {
        format!("{figure:.0}")
    } else {
        format!("{figure:.3}")
    }
}

/// Looks at the parts, proxy by proxy, and prints tables; whether the first proxy did as well as
/// it has to: it did not end, and failed no more requests than the second.
pub fn run(extent: &Extent, proxies: &[Proxy], bench: &mut Bench) -> io::Result<bool> {
    let mut passed = true;
    let kind = if extent.delta {
        "delta"
    } else {
        "whole states"
    };
    for part in &extent.parts {
        let title = match part.as_str() {
            "scale" => format!("scale: {} of each, {kind}", extent.size),
            "churn" => format!("churn: {} updates, {kind}", extent.updates),
            _ => format!("faults of the control plane, {kind}"),
        };
        let mut table = Table::new(title);
        for proxy in proxies {
            let figures = match part.as_str() {
                "scale" => scale::figures(extent, proxy, bench),
                "churn" => churn::figures(extent, proxy, bench),
                _ => faults::figures(extent, proxy, bench),
            };
            match figures {
                Ok(figures) => table.add(proxy.name, figures),
                Err(error) => {
                    println!("{} fails {part}: {error}", proxy.name);
                    passed &= proxy.name != OURS;
                }
            }
        }
        print!("{}", table.text());
        passed &= !table.fails_more();
    }
    Ok(passed)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn tables() {
        let mut table = Table::new("t".into());
        table.add("nuncio", vec![("s", 0.5), ("failed: other", 1.0)]);
        assert!(table.fails_more());
        table.add(
            "envoy",
            vec![("s", 2.0), ("failed: other", 1.0), ("more", 3.0)],
        );
        assert!(!table.fails_more());
        let text = table.text();
        let words: Vec<Vec<&str>> = text
            .lines()
            .map(|line| line.split_whitespace().collect())
            .collect();
        assert_eq!(words[3], ["s", "0.500", "2", "0.25"]);
        assert_eq!(words[4], ["failed:", "other", "1", "1", "1.00"]);
        assert_eq!(words[5], ["more", "-", "3"]);
    }
}
