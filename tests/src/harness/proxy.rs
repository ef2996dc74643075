//! A proxy under test: nuncio as it was built, or what `NUNCIO_TEST_PROXY` names.

use super::{Connection, wait_for};
use rustix::process::{Pid, Resource, Rlimit, Signal};
use std::ffi::OsString;
use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::OnceLock;
use std::sync::atomic::{AtomicU32, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a proxy may take to end.
const END: Duration = Duration::from_secs(10);

/// The command to test.
fn command() -> OsString {
    let built = || env!("CARGO_BIN_EXE_nuncio-counted").into();
    std::env::var_os("NUNCIO_TEST_PROXY").unwrap_or_else(built)
}

/// Whether the tests run against Envoy itself.
pub fn is_envoy() -> bool {
    static IS_ENVOY: OnceLock<bool> = OnceLock::new();
    *IS_ENVOY.get_or_init(|| {
        let output = Command::new(command()).arg("--version").output().unwrap();
        String::from_utf8_lossy(&output.stdout).contains("BoringSSL")
    })
}

/// Allows this process, and those it starts, as many files as the system lets it; returns how many.
pub fn raise_file_limit() -> u64 {
    let limit = rustix::process::getrlimit(Resource::Nofile);
    let raised = Rlimit {
        current: limit.maximum,
        maximum: limit.maximum,
    };
    rustix::process::setrlimit(Resource::Nofile, raised).unwrap();
    limit.maximum.unwrap_or(u64::MAX)
}

/// A folder of a test, gone with it.
struct Folder(PathBuf);

impl Folder {
    fn new() -> Self {
        static NEXT: AtomicU32 = AtomicU32::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("nuncio-test-{}-{number}", std::process::id());
        let path = std::env::temp_dir().join(name);
        fs::create_dir(&path).unwrap();
        Self(path)
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // What stays behind is the system's to clean up.
        let _ = fs::remove_dir_all(&self.0);
    }
}

/// What `--mode validate` said.
pub struct Validation {
    /// Exit code.
    pub code: Option<i32>,
    /// Both outputs.
    pub text: String,
}

/// Validates a file of this name and text.
pub fn validate(name: &str, text: &str) -> Validation {
    let folder = Folder::new();
    let file = folder.0.join(name);
    fs::write(&file, text).unwrap();
    let mut proxy = Command::new(command());
    proxy.args([
        "--mode",
        "validate",
        "--use-dynamic-base-id",
        "--log-level",
        "warning",
        "-c",
    ]);
    let output = proxy.arg(name).current_dir(&folder.0).output().unwrap();
    let text = [output.stdout, output.stderr].concat();
    Validation {
        code: output.status.code(),
        text: String::from_utf8_lossy(&text).into_owned(),
    }
}

/// A running proxy; ended, and held to have ended well, when dropped.
pub struct Proxy {
    child: Child,
    folder: Folder,
    admin: SocketAddr,
}

impl Proxy {
    /// Starts a proxy with a bootstrap in JSON and files in its folder, and waits until it is live.
    pub fn start_in(files: &[(String, String)], bootstrap: &str, arguments: &[&str]) -> Self {
        let mut proxy = Self::launch_in(files, bootstrap, arguments);
        proxy.wait_until_live();
        proxy
    }

    /// Starts a proxy that may take its time to be live; it has an admin interface, and takes
    /// signals.
    pub fn launch_in(files: &[(String, String)], bootstrap: &str, arguments: &[&str]) -> Self {
        let folder = Folder::new();
        let path = folder.0.display().to_string();
        for (name, text) in files {
            let file = folder.0.join(name);
            fs::create_dir_all(file.parent().unwrap()).unwrap();
            fs::write(file, text.replace("${folder}", &path)).unwrap();
        }
        let bootstrap = bootstrap.replace("${folder}", &path);
        fs::write(folder.0.join("bootstrap.json"), bootstrap).unwrap();
        let log = File::create(folder.0.join("proxy.log")).unwrap();
        let mut command = Command::new(command());
        command.args(["-c", "bootstrap.json", "--use-dynamic-base-id"]);
        command.args(["--admin-address-path", "admin.txt"]);
        if !arguments.contains(&"--concurrency") {
            command.args(["--concurrency", "1"]);
        }
        if !arguments.contains(&"--file-flush-interval-msec") {
            command.args(["--file-flush-interval-msec", "20"]);
        }
        command
            .args(arguments)
            .current_dir(&folder.0)
            .env("NUNCIO_TEST_ALLOCATIONS", "allocations")
            .stdin(Stdio::null());
        command.stdout(log.try_clone().unwrap()).stderr(log);
        let child = command
            .spawn()
            .unwrap_or_else(|error| panic!("{:?}: {error}", command.get_program()));
        let nowhere = SocketAddr::from(([0, 0, 0, 0], 0));
        let mut proxy = Self {
            child,
            folder,
            admin: nowhere,
        };
        proxy.admin = wait_for("the admin address", || {
            proxy.must_run();
            proxy.file("admin.txt").trim().parse().ok()
        });
        proxy
    }

    /// Waits until it is live.
    pub fn wait_until_live(&mut self) {
        wait_for("/ready", || {
            self.must_run();
            let mut connection = Connection::try_open(self.admin).ok()?;
            let response = connection.try_get("/ready").ok()?;
            (response.status == 200).then_some(())
        });
    }

    fn must_run(&mut self) {
        let status = self.child.try_wait().unwrap();
        assert_eq!(status, None, "the proxy ended:\n{}", self.log());
    }

    /// Where the admin interface listens.
    pub fn admin_address(&self) -> SocketAddr {
        self.admin
    }

    /// A new connection to the listener `main`.
    pub fn connect(&self) -> Connection {
        Connection::open(self.listener("main"))
    }

    /// A GET on a connection of its own.
    pub fn get(&self, path: &str) -> super::Response {
        self.connect().get(path)
    }

    /// The text of a file in its folder; empty if there is none.
    pub fn file(&self, name: &str) -> String {
        fs::read_to_string(self.path(name)).unwrap_or_default()
    }

    /// Replaces a file in its folder by a rename, as control planes do.
    pub fn replace(&self, name: &str, text: impl ToString) {
        let folder = self.folder.0.display().to_string();
        let text = text.to_string().replace("${folder}", &folder);
        fs::write(self.path("replacement"), text).unwrap();
        fs::rename(self.path("replacement"), self.path(name)).unwrap();
    }

    /// A path in its folder.
    pub fn path(&self, name: &str) -> PathBuf {
        Path::new(&self.folder.0).join(name)
    }

    /// What it logged about itself.
    pub fn log(&self) -> String {
        self.file("proxy.log")
    }

    /// Waits until the access log has so many lines.
    pub fn access_log(&self, lines: usize) -> Vec<String> {
        wait_for("the access log", || {
            let text = self.file("access.log");
            let whole = text.ends_with('\n') && text.lines().count() >= lines;
            whole.then(|| text.lines().map(str::to_owned).collect())
        })
    }

    /// Waits until a GET is answered with this body: what main has counted, workers hear of soon.
    pub fn wait_text(&self, path: &str, body: &str) {
        wait_for(body, || (self.get(path).text() == body).then_some(()));
    }

    /// How often it has allocated memory; none if it doesn't count that.
    pub fn allocations(&self) -> Option<u64> {
        let bytes = fs::read(self.path("allocations")).ok()?;
        Some(u64::from_ne_bytes(bytes.try_into().ok()?))
    }

    /// Its open files.
    pub fn open_files(&self) -> u64 {
        let files = fs::read_dir(format!("/proc/{}/fd", self.child.id())).unwrap();
        files.count() as u64
    }

    /// The most memory it has held so far, in KiB.
    pub fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.child.id())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let number = line.unwrap().trim().split(' ').next();
        number.unwrap().parse().unwrap()
    }

    /// How long it has kept a processor busy; to a hundredth of a second.
    pub fn cpu_time(&self) -> Duration {
        let stat = fs::read_to_string(format!("/proc/{}/stat", self.child.id())).unwrap();
        // Behind the command's name: user and system time are the fields 14 and 15 of proc(5).
        let fields = stat.rsplit_once(") ").unwrap().1.split(' ');
        let ticks = fields
            .skip(11)
            .take(2)
            .map(|field| field.parse::<u64>().unwrap());
        Duration::from_millis(ticks.sum::<u64>() * 1000 / rustix::param::clock_ticks_per_second())
    }

    /// Changes how many files it may have open.
    pub fn limit_files(&self, limit: u64) {
        let maximum = rustix::process::getrlimit(Resource::Nofile).maximum;
        let limit = Rlimit {
            current: Some(limit),
            maximum,
        };
        rustix::process::prlimit(Some(self.pid()), Resource::Nofile, limit).unwrap();
    }

    fn pid(&self) -> Pid {
        Pid::from_child(&self.child)
    }

    /// Sends a signal.
    pub fn signal(&self, signal: Signal) {
        rustix::process::kill_process(self.pid(), signal).unwrap();
    }

    /// Waits for its end; none if it goes on for longer than `at_most`.
    pub fn wait(&mut self, at_most: Duration) -> Option<ExitStatus> {
        let deadline = Instant::now() + at_most;
        loop {
            let status = self.child.try_wait().unwrap();
            if status.is_some() || Instant::now() > deadline {
                return status;
            }
            thread::sleep(Duration::from_millis(2));
        }
    }

    /// Whether it still runs.
    pub fn runs(&mut self) -> bool {
        self.wait(Duration::ZERO).is_none()
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        if self.runs() {
            self.signal(Signal::TERM);
        }
        let status = self.wait(END);
        if status.is_none() {
            self.signal(Signal::KILL);
            self.wait(END);
        }
        let log = self.log();
        if thread::panicking() {
            eprintln!("the proxy's log:\n{log}");
            return;
        }
        let well = status.is_some_and(|status| status.success()) && !log.contains("panicked at");
        assert!(well, "the proxy ended with {status:?}, its log:\n{log}");
    }
}
