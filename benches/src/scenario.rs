//! What is measured: families of equal configuration, and the scenarios run on them.

use std::fmt::Write;
use std::io;
use std::sync::Arc;

use crate::message::BodySize;

/// Connections that the memory scenario opens.
pub const IDLE_CONNECTIONS: usize = 5000;

/// Requests per second of the latency scenario.
pub const LATENCY_RATE: u32 = 2000;

/// Bytes of body of the POST scenario.
const POST_BYTES: usize = 16 << 10;

/// Headers that a browser's script would send besides host; with it, they are six.
const CLIENT_HEADERS: &str = "\
    user-agent: Mozilla/5.0 (X11; Linux x86_64; rv:140.0) Gecko/20100101 Firefox/140.0\r\n\
    accept: application/json, text/plain, */*\r\n\
    accept-language: en-US,en;q=0.7\r\n\
    accept-encoding: gzip, deflate, br, zstd\r\n\
    cookie: sid=7c9e6679742540de944be07fc1f90ae7; consent=all\r\n";

/// One small configuration; scenarios of one family share running proxies.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Family {
    /// Names the proxies' folders.
    pub name: &'static str,
    /// What the proxies make of a connection.
    pub proxying: Proxying,
    /// Listeners, each with a cluster of its own.
    pub listeners: usize,
    /// Whether requests are logged to a file.
    pub access_log: bool,
}

/// What the proxies make of a connection.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Proxying {
    /// Bytes.
    Tcp,
    /// Requests, all of them routed to one cluster.
    Http(Routes),
}

/// The route table.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Routes {
    /// One route.
    All,
    /// So many prefixes `/svc-NNNNN/`.
    Prefixes(usize),
    /// So many virtual hosts `svc-NNNNN.example.com`.
    Hosts(usize),
}

impl Routes {
    /// The prefixes of the only virtual host.
    pub fn prefixes(self) -> Vec<String> {
        match self {
            Routes::Prefixes(count) => (0..count).map(prefix).collect(),
            Routes::All | Routes::Hosts(_) => vec!["/".to_owned()],
        }
    }
}

fn prefix(index: usize) -> String {
    format!("/svc-{index:05}/")
}

/// The domain of a virtual host.
pub fn domain(index: usize) -> String {
    format!("svc-{index:05}.example.com")
}

impl Family {
    const fn http(name: &'static str, routes: Routes) -> Family {
        Family {
            name,
            proxying: Proxying::Http(routes),
            listeners: 1,
            access_log: false,
        }
    }

    const fn with_listeners(name: &'static str, listeners: usize) -> Family {
        Family {
            listeners,
            ..Family::http(name, Routes::All)
        }
    }

    /// A whole request that the last route matches.
    fn request(&self, post: bool, size: BodySize) -> Arc<[u8]> {
        let (host, prefix) = match self.proxying {
            Proxying::Http(Routes::Hosts(count)) => (domain(count - 1), "/api/v1/items/".into()),
            Proxying::Http(Routes::Prefixes(count)) => {
                ("www.example.com".into(), prefix(count - 1))
            }
            Proxying::Http(Routes::All) | Proxying::Tcp => {
                ("www.example.com".into(), "/api/v1/items/".into())
            }
        };
        let method = if post { "POST" } else { "GET" };
        let segment = size.segment();
        let mut text =
            format!("{method} {prefix}{segment} HTTP/1.1\r\nhost: {host}\r\n{CLIENT_HEADERS}");
        let body = if post { POST_BYTES } else { 0 };
        if post {
            // Writing to a string cannot fail.
            let _ = write!(
                text,
                "content-type: application/json\r\ncontent-length: {body}\r\n"
            );
        }
        text.push_str("\r\n");
        let mut bytes = text.into_bytes();
        bytes.resize(bytes.len() + body, b'x');
        bytes.into()
    }

    /// A small GET that the last route matches.
    pub fn probe(&self) -> Arc<[u8]> {
        self.request(false, BodySize::B128)
    }
}

/// How a scenario is measured.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Requests as fast as they are answered.
    Load,
    /// Requests at [`LATENCY_RATE`].
    Latency,
    /// [`IDLE_CONNECTIONS`] on a fresh proxy.
    Memory,
    /// From start to the first answer.
    Start,
}

impl Kind {
    /// The figures that are compared; the first is meant where a bar names none.
    pub fn metrics(self) -> &'static [&'static str] {
        match self {
            Kind::Load => &["cpu_us"],
            Kind::Latency => &["p50_us", "p99_us", "cpu_us"],
            Kind::Memory => &["kib_per_conn", "start_mb"],
            Kind::Start => &["ready_s", "cpu_s", "rss_mb"],
        }
    }

    /// Whether the scenario needs a proxy that has done nothing else.
    pub fn starts_afresh(self) -> bool {
        matches!(self, Kind::Memory | Kind::Start)
    }
}

/// One measurement.
#[derive(Debug, PartialEq, Eq)]
pub struct Scenario {
    /// What `--scenarios` calls it.
    pub name: &'static str,
    /// For the report.
    pub title: &'static str,
    /// The configuration.
    pub family: Family,
    /// How it is measured.
    pub kind: Kind,
    /// Of the generator.
    pub connections: usize,
    post: bool,
    size: BodySize,
}

impl Scenario {
    const fn load(name: &'static str, title: &'static str, family: Family) -> Scenario {
        let size = BodySize::B128;
        Scenario {
            name,
            title,
            family,
            kind: Kind::Load,
            connections: 64,
            post: false,
            size,
        }
    }

    const fn fresh(
        name: &'static str,
        title: &'static str,
        family: Family,
        kind: Kind,
    ) -> Scenario {
        Scenario {
            kind,
            ..Scenario::load(name, title, family)
        }
    }

    /// The request that it repeats.
    pub fn request(&self) -> Arc<[u8]> {
        self.family.request(self.post, self.size)
    }
}

const HTTP: Family = Family::http("http", Routes::All);
const LOG: Family = Family {
    name: "log",
    access_log: true,
    ..HTTP
};
const TCP: Family = Family {
    name: "tcp",
    proxying: Proxying::Tcp,
    ..HTTP
};
const PREFIX: Family = Family::http("prefix", Routes::Prefixes(1));
const PREFIXES_1K: Family = Family::http("prefixes-1k", Routes::Prefixes(1000));
const PREFIXES_10K: Family = Family::http("prefixes-10k", Routes::Prefixes(10_000));
const HOSTS_1K: Family = Family::http("hosts-1k", Routes::Hosts(1000));
const HOSTS_10K: Family = Family::http("hosts-10k", Routes::Hosts(10_000));
const START_1: Family = Family::with_listeners("start-1", 1);
const START_1K: Family = Family::with_listeners("start-1k", 1000);

/// All scenarios, those of one family together.
pub const SCENARIOS: &[Scenario] = &[
    Scenario::load("s1", "GET 128 B, 64 connections", HTTP),
    Scenario {
        size: BodySize::K16,
        ..Scenario::load("s2", "GET 16 KiB, 64 connections", HTTP)
    },
    Scenario {
        size: BodySize::M1,
        connections: 16,
        ..Scenario::load("s3", "GET 1 MiB, 16 connections", HTTP)
    },
    Scenario {
        post: true,
        ..Scenario::load("s4", "POST 16 KiB, 64 connections", HTTP)
    },
    Scenario {
        kind: Kind::Latency,
        connections: 8,
        ..Scenario::load("s13", "latency at 2,000 requests/s, 8 connections", HTTP)
    },
    Scenario::load(
        "s14",
        "GET 128 B, 64 connections, access log to a file",
        LOG,
    ),
    Scenario {
        size: BodySize::M1,
        connections: 16,
        ..Scenario::load("s9", "TCP proxy, GET 1 MiB, 16 connections", TCP)
    },
    Scenario::fresh("s10", "memory, 5,000 idle connections", HTTP, Kind::Memory),
    Scenario::load("s11-p1", "1 prefix route", PREFIX),
    Scenario::load(
        "s11-p1k",
        "1,000 prefix routes, the last one hit",
        PREFIXES_1K,
    ),
    Scenario::load(
        "s11-p10k",
        "10,000 prefix routes, the last one hit",
        PREFIXES_10K,
    ),
    Scenario::load("s11-h1k", "1,000 virtual hosts, the last one hit", HOSTS_1K),
    Scenario::load(
        "s11-h10k",
        "10,000 virtual hosts, the last one hit",
        HOSTS_10K,
    ),
    Scenario::fresh(
        "s12-1",
        "start, 1 listener and cluster",
        START_1,
        Kind::Start,
    ),
    Scenario::fresh(
        "s12-1k",
        "start, 1,000 listeners and clusters",
        START_1K,
        Kind::Start,
    ),
];

/// The scenarios of a comma-separated list of names, groups (`s11`: `s11-p1`, ...) and `all`.
pub fn select(list: &str) -> io::Result<Vec<&'static Scenario>> {
    let words: Vec<&str> = list.split(',').map(str::trim).collect();
    let names = |word: &str, scenario: &Scenario| {
        let rest = scenario.name.strip_prefix(word);
        word == "all" || rest.is_some_and(|rest| rest.is_empty() || rest.starts_with('-'))
    };
    for word in &words {
        if !SCENARIOS.iter().any(|scenario| names(word, scenario)) {
            let all: Vec<&str> = SCENARIOS.iter().map(|scenario| scenario.name).collect();
            let message = format!("no scenario '{word}'; there are: {}", all.join(", "));
            return Err(io::Error::other(message));
        }
    }
    let chosen = |scenario: &&Scenario| words.iter().any(|word| names(word, scenario));
    Ok(SCENARIOS.iter().filter(chosen).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::message::parse_request;

    #[test]
    fn selection() {
        let names = |list| -> Vec<&str> {
            select(list).map_or_else(|_| vec![], |all| all.iter().map(|s| s.name).collect())
        };
        assert_eq!(names("s2,s1"), ["s1", "s2"]);
        assert_eq!(names("s12"), ["s12-1", "s12-1k"]);
        assert_eq!(names("s11-p1"), ["s11-p1"]);
        assert_eq!(names("all").len(), SCENARIOS.len());
        for unknown in ["", "s", "s99", "s1,,s2", "s1-"] {
            assert!(select(unknown).is_err(), "{unknown}");
        }
    }

    #[test]
    fn requests() {
        for scenario in SCENARIOS {
            let bytes = scenario.request();
            let head = parse_request(&bytes).unwrap().unwrap();
            assert_eq!(head.says, Some(scenario.size), "{}", scenario.name);
            assert_eq!(
                head.length + head.body as usize,
                bytes.len(),
                "{}",
                scenario.name
            );
            let text = String::from_utf8_lossy(&bytes[..head.length]).into_owned();
            let headers = text.trim_end().lines().count() - 1;
            assert_eq!(
                headers,
                if scenario.post { 8 } else { 6 },
                "{}",
                scenario.name
            );
        }
        let last = String::from_utf8(PREFIXES_10K.probe().to_vec()).unwrap();
        assert!(
            last.starts_with("GET /svc-09999/128 HTTP/1.1\r\n"),
            "{last}"
        );
        let last = String::from_utf8(HOSTS_1K.probe().to_vec()).unwrap();
        assert!(
            last.contains("\r\nhost: svc-00999.example.com\r\n"),
            "{last}"
        );
    }
}
