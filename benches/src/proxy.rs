//! The proxies: where they are installed, how each is configured, and one that runs.

use std::fs::{self, File, OpenOptions};
use std::io;
use std::net::{Ipv4Addr, SocketAddr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::sleep;
use std::time::{Duration, Instant};

use crate::client;
use crate::process::{Cpu, Process};
use crate::scenario::{Family, Proxying};
use crate::{envoy, haproxy, nginx};

/// How long a proxy may take until its first good answer.
const READY: Duration = Duration::from_secs(30);

/// The name of the proxy that the others are compared with.
pub const OURS: &str = "nuncio";

/// What Envoy and nuncio are started with; the configuration follows.
const ENVOY_FLAGS: [&str; 6] = [
    "--concurrency",
    "1",
    "--use-dynamic-base-id",
    "-l",
    "error",
    "-c",
];

/// A proxy that is installed.
pub struct Proxy {
    /// For the report.
    pub name: &'static str,
    binary: PathBuf,
    kind: Kind,
}

enum Kind {
    /// Envoy, or nuncio, which takes the same command line and bootstrap.
    Envoy,
    Nginx {
        stream: Stream,
    },
    Haproxy,
}

/// Where nginx has its TCP proxy.
enum Stream {
    BuiltIn,
    Module(PathBuf),
    Missing,
}

/// What the configuration of a running proxy refers to.
pub struct Site {
    /// Its own.
    pub folder: PathBuf,
    /// What its listeners bind to, on 127.0.0.1.
    pub ports: Vec<u16>,
    /// What its clusters point to.
    pub upstream: SocketAddr,
}

impl Site {
    /// The access log.
    pub fn access_log(&self) -> PathBuf {
        self.folder.join("access.log")
    }
}

impl Proxy {
    /// Envoy or nuncio.
    pub fn envoy(name: &'static str, binary: &Path) -> io::Result<Proxy> {
        let binary = find(binary).ok_or_else(|| missing(binary))?;
        Ok(Proxy {
            name,
            binary,
            kind: Kind::Envoy,
        })
    }

    /// nginx, as found on PATH.
    pub fn nginx() -> io::Result<Proxy> {
        let name = "nginx";
        let binary = find(Path::new(name)).ok_or_else(|| missing(Path::new(name)))?;
        let stream = stream_of(&output(&binary, "-V"));
        Ok(Proxy {
            name,
            binary,
            kind: Kind::Nginx { stream },
        })
    }

    /// HAProxy, as found on PATH.
    pub fn haproxy() -> io::Result<Proxy> {
        let name = "haproxy";
        let binary = find(Path::new(name)).ok_or_else(|| missing(Path::new(name)))?;
        Ok(Proxy {
            name,
            binary,
            kind: Kind::Haproxy,
        })
    }

    /// What it says of its version.
    pub fn version(&self) -> String {
        let flag = if matches!(self.kind, Kind::Envoy) {
            "--version"
        } else {
            "-v"
        };
        let text = output(&self.binary, flag);
        text.lines()
            .map(str::trim)
            .find(|line| !line.is_empty())
            .unwrap_or("?")
            .to_owned()
    }

    /// Writes the configuration of a family and returns the command line.
    fn configure(&self, family: &Family, site: &Site) -> io::Result<Vec<String>> {
        let in_folder = |name| site.folder.join(name);
        let (config, arguments): (PathBuf, &[&str]) = match &self.kind {
            Kind::Envoy => {
                let config = in_folder("bootstrap.json");
                fs::write(&config, envoy::bootstrap(family, site))?;
                return Ok(self.command_line(&config, &ENVOY_FLAGS));
            }
            Kind::Nginx { stream } => {
                let module = match stream {
                    Stream::Module(file) => Some(file.as_path()),
                    Stream::Missing if family.proxying == Proxying::Tcp => {
                        return Err(io::Error::other("no stream module"));
                    }
                    Stream::BuiltIn | Stream::Missing => None,
                };
                fs::write(in_folder("nginx.conf"), nginx::conf(family, site, module))?;
                (in_folder("nginx.conf"), &["-e", "stderr", "-c"])
            }
            Kind::Haproxy => {
                let (cfg, map) = haproxy::cfg(family, site);
                fs::write(in_folder("haproxy.cfg"), cfg)?;
                fs::write(haproxy::map_file(&site.folder), map)?;
                (in_folder("haproxy.cfg"), &["-db", "-f"])
            }
        };
        Ok(self.command_line(&config, arguments))
    }

    fn command_line(&self, config: &Path, arguments: &[&str]) -> Vec<String> {
        let mut command = vec![self.binary.display().to_string()];
        command.extend(arguments.iter().map(|&argument| argument.to_owned()));
        command.push(config.display().to_string());
        command
    }
}

fn missing(binary: &Path) -> io::Error {
    io::Error::other(format!(
        "{} is no executable on this machine",
        binary.display()
    ))
}

/// An executable by its path, or by its name on PATH; always an absolute path.
fn find(binary: &Path) -> Option<PathBuf> {
    let executable = |path: &PathBuf| {
        let access = rustix::fs::access(path, rustix::fs::Access::EXEC_OK);
        path.is_file() && access.is_ok()
    };
    let path = std::env::var_os("PATH").unwrap_or_default();
    let found = if binary.components().count() > 1 {
        Some(binary.to_owned()).filter(executable)
    } else {
        std::env::split_paths(&path)
            .map(|folder| folder.join(binary))
            .find(executable)
    };
    std::path::absolute(found?).ok()
}

/// What a command prints, on either output; nothing if it does not run.
fn output(binary: &Path, flag: &str) -> String {
    let Ok(output) = Command::new(binary).arg(flag).output() else {
        return String::new();
    };
    let text = [output.stdout, output.stderr].concat();
    String::from_utf8_lossy(&text).into_owned()
}

/// Where the TCP proxy is, according to `nginx -V`.
fn stream_of(build: &str) -> Stream {
    let mut words = build.split_whitespace();
    if words.clone().any(|word| word == "--with-stream") {
        return Stream::BuiltIn;
    }
    let modules = words.find_map(|word| word.strip_prefix("--modules-path="));
    let file = modules.map(|modules| Path::new(modules).join("ngx_stream_module.so"));
    file.filter(|file| file.is_file())
        .map_or(Stream::Missing, Stream::Module)
}

/// A proxy that runs with the configuration of a family.
pub struct Instance {
    /// The proxy's.
    pub name: &'static str,
    /// How long it took from its start to the first good answer of its last listener.
    pub ready: Duration,
    process: Process,
    site: Site,
    logs_to_stdout: bool,
}

impl Instance {
    /// Starts a proxy and waits for its first answer. An error tells why it gives none.
    pub fn start(
        proxy: &Proxy,
        family: &Family,
        folder: PathBuf,
        upstream: SocketAddr,
        cpu: Option<Cpu>,
    ) -> io::Result<Instance> {
        fs::create_dir(&folder)?;
        let site = Site {
            ports: free_ports(family.listeners)?,
            folder,
            upstream,
        };
        let command = proxy.configure(family, &site)?;
        let started = Instant::now();
        let mut instance = Instance::spawn(proxy, &command, site, cpu)?;
        instance.wait_until_ready(family, started)?;
        instance.ready = started.elapsed();
        Ok(instance)
    }

    /// Starts Envoy, or nuncio, with a bootstrap of its own and more flags; does not wait for
    /// anything.
    pub fn start_with(
        proxy: &Proxy,
        bootstrap: &str,
        flags: &[&str],
        folder: PathBuf,
        (upstream, cpu): (SocketAddr, Option<Cpu>),
    ) -> io::Result<Instance> {
        fs::create_dir(&folder)?;
        let config = folder.join("bootstrap.json");
        fs::write(&config, bootstrap)?;
        let command = proxy.command_line(&config, &[flags, &ENVOY_FLAGS].concat());
        let site = Site {
            ports: Vec::new(),
            folder,
            upstream,
        };
        Instance::spawn(proxy, &command, site, cpu)
    }

    fn spawn(
        proxy: &Proxy,
        command: &[String],
        site: Site,
        cpu: Option<Cpu>,
    ) -> io::Result<Instance> {
        let log = |name| {
            OpenOptions::new()
                .create(true)
                .append(true)
                .open(site.folder.join(name))
        };
        let (stdout, stderr): (File, File) = (log("stdout")?, log("stderr")?);
        let process = Process::spawn(command, cpu, stdout, stderr)?;
        Ok(Instance {
            name: proxy.name,
            ready: Duration::ZERO,
            process,
            site,
            logs_to_stdout: matches!(proxy.kind, Kind::Haproxy),
        })
    }

    fn wait_until_ready(&mut self, family: &Family, started: Instant) -> io::Result<()> {
        let last = SocketAddr::from((Ipv4Addr::LOCALHOST, self.site.ports[family.listeners - 1]));
        let probe = family.probe();
        loop {
            self.must_run()?;
            match client::ask(last, &probe) {
                Ok(_) => return Ok(()),
                Err(error) if started.elapsed() > READY => {
                    let message = format!("no good answer in {} s: {error}", READY.as_secs());
                    return Err(io::Error::other(message));
                }
                Err(_) => sleep(Duration::from_millis(1)),
            }
        }
    }

    /// An error with its last words if it has exited.
    pub fn must_run(&mut self) -> io::Result<()> {
        let Some(status) = self.process.exited()? else {
            return Ok(());
        };
        let stderr = fs::read(self.site.folder.join("stderr")).unwrap_or_default();
        let words = complaint(&String::from_utf8_lossy(&stderr));
        Err(io::Error::other(
            words.unwrap_or_else(|| format!("{status}, without a word")),
        ))
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.process.pid()
    }

    /// Its first listener.
    pub fn address(&self) -> SocketAddr {
        (Ipv4Addr::LOCALHOST, self.site.ports[0]).into()
    }

    /// Empties its access log and returns the bytes that were in it.
    pub fn empty_log(&self) -> u64 {
        let log = if self.logs_to_stdout {
            self.site.folder.join("stdout")
        } else {
            self.site.access_log()
        };
        let Ok(file) = OpenOptions::new().write(true).open(log) else {
            return 0;
        };
        let size = file.metadata().map_or(0, |metadata| metadata.len());
        // One that stays full is only larger in the next round.
        let _ = file.set_len(0);
        size
    }
}

/// Ports that are free now: the kernel picks them, all at once so that none is picked twice.
pub fn free_ports(count: usize) -> io::Result<Vec<u16>> {
    let listeners: Vec<TcpListener> = (0..count)
        .map(|_| TcpListener::bind((Ipv4Addr::LOCALHOST, 0)))
        .collect::<io::Result<_>>()?;
    listeners
        .iter()
        .map(|listener| Ok(listener.local_addr()?.port()))
        .collect()
}

/// The line of a proxy's stderr that says why it ended: the first that sounds like it, or the last.
fn complaint(stderr: &str) -> Option<String> {
    let mut lines = stderr
        .lines()
        .map(str::trim)
        .filter(|line| !line.is_empty());
    let grave = |line: &&str| {
        let lower = line.to_ascii_lowercase();
        ["error", "alert", "emerg", "critical"]
            .iter()
            .any(|word| lower.contains(word))
    };
    lines
        .clone()
        .find(grave)
        .or_else(|| lines.next_back())
        .map(str::to_owned)
}

#[cfg(test)]
mod tests;
