//! Child processes: pinned to one CPU, gone when this process is gone.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread::sleep;
use std::time::{Duration, Instant};

use rustix::process::{
    Pid, Resource, Rlimit, Signal, getpid, getppid, getrlimit, kill_process_group, setrlimit,
};
use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};

/// The number of a CPU.
pub type Cpu = usize;

/// The command that [`launch`] stands behind; not for users.
pub const LAUNCH: &str = "launch";

/// How long a child may take to end after SIGTERM before SIGKILL.
const GRACE: Duration = Duration::from_secs(5);

/// The CPUs of the proxies and of the load: the first two usable ones, or none to pin to.
pub fn choose_cpus() -> io::Result<(Option<Cpu>, Option<Cpu>)> {
    let usable = sched_getaffinity(None)?;
    let mut cpus = (0..CpuSet::MAX_CPU).filter(|&cpu| usable.is_set(cpu));
    Ok(match (cpus.next(), cpus.next()) {
        (Some(proxy), Some(load)) => (Some(proxy), Some(load)),
        _ => (None, None),
    })
}

/// Pins the calling thread.
pub fn pin_this_thread(cpu: Option<Cpu>) -> io::Result<()> {
    if let Some(cpu) = cpu {
        let mut set = CpuSet::new();
        set.set(cpu);
        sched_setaffinity(None, &set)?;
    }
    Ok(())
}

/// Raises the limit of open files as far as it goes, for children too, and returns it.
pub fn raise_file_limit() -> io::Result<u64> {
    let limit = getrlimit(Resource::Nofile);
    setrlimit(
        Resource::Nofile,
        Rlimit {
            current: limit.maximum,
            maximum: limit.maximum,
        },
    )?;
    Ok(limit.maximum.unwrap_or(u64::MAX))
}

/// A running child and its process group, both ended when this is dropped.
pub struct Process {
    child: Child,
}

impl Process {
    /// Starts a program through [`launch`], its output going to the two files.
    pub fn spawn(
        program: &[String],
        cpu: Option<Cpu>,
        stdout: File,
        stderr: File,
    ) -> io::Result<Process> {
        let child = Command::new("/proc/self/exe")
            .arg(LAUNCH)
            .arg(cpu.map_or_else(|| "-".to_owned(), |cpu| cpu.to_string()))
            .arg(getpid().as_raw_nonzero().to_string())
            .args(program)
            .stdin(Stdio::null())
            .stdout(stdout)
            .stderr(stderr)
            .process_group(0)
            .spawn()?;
        Ok(Process { child })
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// How it exited, if it did.
    pub fn exited(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Sends a signal to its group; one that is gone is no error.
    pub fn signal(&self, signal: Signal) {
        if let Some(group) = i32::try_from(self.child.id()).ok().and_then(Pid::from_raw) {
            // The only error possible for a group of our own is that it has ended.
            let _ = kill_process_group(group, signal);
        }
    }

    /// Waits for its exit, at most so long; whether it did exit.
    pub fn wait(&mut self, at_most: Duration) -> bool {
        let deadline = Instant::now() + at_most;
        while matches!(self.exited(), Ok(None)) {
            if Instant::now() > deadline {
                return false;
            }
            sleep(Duration::from_millis(5));
        }
        true
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        if matches!(self.exited(), Ok(None)) {
            self.signal(Signal::TERM);
            self.wait(GRACE);
        }
        // What ignored that, and what a leader left behind in its group.
        self.signal(Signal::KILL);
        self.wait(GRACE);
    }
}

/// The child's side of [`Process::spawn`]: takes `CPU PARENT PROGRAM ARGUMENTS...`, pins itself,
/// asks for SIGTERM at the parent's end and becomes the program. Returns only when that fails.
pub fn launch(arguments: &[String]) -> io::Error {
    match prepare(arguments) {
        Ok(mut program) => program.exec(),
        Err(error) => error,
    }
}

fn prepare(arguments: &[String]) -> io::Result<Command> {
    let [cpu, parent, program, rest @ ..] = arguments else {
        return Err(io::Error::other("launch: CPU PARENT PROGRAM ARGUMENTS..."));
    };
    pin_this_thread(cpu.parse().ok())?;
    rustix::process::set_parent_process_death_signal(Some(Signal::TERM))?;
    // The parent may have ended before the line above.
    if getppid()
        .map(|pid| pid.as_raw_nonzero().to_string())
        .as_ref()
        != Some(parent)
    {
        return Err(io::Error::other("launch: the benchmark has ended"));
    }
    let mut command = Command::new(program);
    command.args(rest);
    Ok(command)
}
