//! Nuncio: Envoy, written anew. Parses the command line, lists the extensions, starts.

mod cli;
mod extensions;

use std::io::Write;
use std::process::ExitCode;

use cli::CommandLine;

pub use nuncio_server::memory::GiveBack;

/// The program, with the process's arguments. `give_back` is how memory is given back.
pub fn main(give_back: GiveBack) -> ExitCode {
    let words: Vec<String> = std::env::args_os()
        .map(|word| word.to_string_lossy().into_owned())
        .collect();
    let exit = match cli::parse(&words) {
        CommandLine::Exit(exit) => exit,
        CommandLine::Run(options) => {
            match nuncio_server::server::run(*options, &extensions::REGISTRY, give_back) {
                Ok(()) => cli::Exit::default(),
                Err(text) => cli::Exit {
                    stderr: format!("{text}\n"),
                    code: 1,
                    ..cli::Exit::default()
                },
            }
        }
    };
    // A reader that has gone away is no reason to fail.
    let _ = std::io::stdout().write_all(exit.stdout.as_bytes());
    let _ = std::io::stderr().write_all(exit.stderr.as_bytes());
    ExitCode::from(exit.code)
}
