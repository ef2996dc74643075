//! Runs the targets on a stable toolchain: their corpora as they are, then changed at random.
//!
//!     smoke [--seconds N] [--seed N] [TARGET ...]     each target for N seconds (10)
//!     smoke --input FILE TARGET                       one input again
#![allow(
    clippy::disallowed_methods,
    reason = "it measures; there is no worker to ask"
)]

use nuncio_fuzz::mutate::{Random, mutate};
use nuncio_fuzz::{TARGETS, Target};
use std::fs;
use std::io;
use std::panic;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// How long one input may take.
const HANG: Duration = Duration::from_secs(10);

struct Options {
    seconds: u64,
    seed: u64,
    input: Option<PathBuf>,
    targets: Vec<&'static Target>,
}

fn options() -> Result<Options, String> {
    let mut options = Options {
        seconds: 10,
        seed: 1,
        input: None,
        targets: Vec::new(),
    };
    let mut arguments = std::env::args().skip(1);
    while let Some(argument) = arguments.next() {
        let mut value = || arguments.next().ok_or(format!("{argument} needs a value"));
        match argument.as_str() {
            "--seconds" => options.seconds = value()?.parse().map_err(|_| "no number")?,
            "--seed" => options.seed = value()?.parse().map_err(|_| "no number")?,
            "--input" => options.input = Some(value()?.into()),
            name => {
                let target = TARGETS.iter().find(|target| target.name == name);
                options
                    .targets
                    .push(target.ok_or(format!("no target {name}"))?);
            }
        }
    }
    if options.targets.is_empty() {
        options.targets = TARGETS.iter().collect();
    }
    Ok(options)
}

fn main() -> ExitCode {
    let options = match options() {
        Ok(options) => options,
        Err(error) => {
            eprintln!("smoke: {error}");
            return ExitCode::from(2);
        }
    };
    let watch = Watch::start();
    let mut good = true;
    for target in &options.targets {
        good &= match &options.input {
            Some(file) => fs::read(file).is_ok_and(|input| watch.run(target, &input)),
            None => fuzz(target, &options, &watch),
        };
    }
    if good {
        ExitCode::SUCCESS
    } else {
        ExitCode::FAILURE
    }
}

/// Runs a target for its time; whether all went well.
fn fuzz(target: &'static Target, options: &Options, watch: &Watch) -> bool {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
        .join("corpus")
        .join(target.name);
    let corpus = match corpus(&folder) {
        Ok(corpus) => corpus,
        Err(error) => {
            eprintln!("{}: {error}", folder.display());
            return false;
        }
    };
    if !corpus.iter().all(|input| watch.run(target, input)) {
        return false;
    }
    let mut random = Random(options.seed);
    let begun = Instant::now();
    let mut count = 0_u64;
    while begun.elapsed() < Duration::from_secs(options.seconds) {
        let input = mutate(&corpus, &mut random);
        if !watch.run(target, &input) {
            return false;
        }
        count += 1;
    }
    println!(
        "{}: {} inputs and {count} made of them",
        target.name,
        corpus.len()
    );
    true
}

fn corpus(folder: &Path) -> io::Result<Vec<Vec<u8>>> {
    let mut files = Vec::new();
    for entry in folder.read_dir()? {
        files.push(entry?.path());
    }
    // The order decides what a seed means.
    files.sort();
    files.iter().map(fs::read).collect()
}

/// What runs now: the number of the run (even: none), target and input.
#[derive(Default)]
struct Watch {
    run: AtomicU64,
    input: Mutex<(&'static str, Vec<u8>)>,
}

impl Watch {
    /// With a thread that ends the process when an input takes too long.
    fn start() -> Arc<Self> {
        let watch = Arc::<Self>::default();
        let watched = Arc::clone(&watch);
        thread::spawn(move || {
            let mut last = 0;
            loop {
                thread::sleep(HANG);
                let run = watched.run.load(Ordering::Acquire);
                if run == last && run % 2 == 1 {
                    watched.report("takes too long");
                    std::process::exit(1);
                }
                last = run;
            }
        });
        watch
    }

    /// Runs one input; whether everything held.
    fn run(&self, target: &Target, input: &[u8]) -> bool {
        *self.lock() = (target.name, input.to_vec());
        self.run.fetch_add(1, Ordering::AcqRel);
        let held = panic::catch_unwind(|| (target.run)(input)).is_ok();
        self.run.fetch_add(1, Ordering::AcqRel);
        if !held {
            self.shrink(target);
            self.report("fails");
        }
        held
    }

    /// Makes the input that failed smaller, as long as it fails.
    fn shrink(&self, target: &Target) {
        let hook = panic::take_hook();
        panic::set_hook(Box::new(|_| {}));
        let mut piece = self.lock().1.len() / 2;
        while piece > 0 {
            let mut at = 0;
            while at < self.lock().1.len() {
                let mut smaller = self.lock().1.clone();
                smaller.drain(at..(at + piece).min(smaller.len()));
                if panic::catch_unwind(|| (target.run)(&smaller)).is_err() {
                    self.lock().1 = smaller;
                } else {
                    at += piece;
                }
            }
            piece /= 2;
        }
        panic::set_hook(hook);
        let input = self.lock().1.clone();
        // Once more, for its message.
        let _ = panic::catch_unwind(|| (target.run)(&input));
    }

    fn lock(&self) -> MutexGuard<'_, (&'static str, Vec<u8>)> {
        self.input.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says what to do to see it again.
    fn report(&self, what: &str) {
        let (target, input) = &*self.lock();
        let folder = Path::new(env!("CARGO_MANIFEST_DIR"))
            .join("artifacts")
            .join(target);
        let file = folder.join(format!("{}-bytes", input.len()));
        let written = fs::create_dir_all(&folder).and_then(|()| fs::write(&file, input));
        eprintln!("{target} {what}: b\"{}\"", input.escape_ascii());
        match written {
            Ok(()) => eprintln!("again: smoke --input {} {target}", file.display()),
            Err(error) => eprintln!("{}: {error}", file.display()),
        }
    }
}
