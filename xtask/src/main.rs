//! `cargo xtask`: prints the structure findings, notes progress, compares known failures.

use std::io::{self, Read as _};
use std::process::ExitCode;
use xtask::known::Comparison;
use xtask::tidy::{self, length};
use xtask::tree::Tree;
use xtask::{metadata, root};

const USAGE: &str = "\
usage: cargo xtask COMMAND
    tidy          prints what breaks the rules of STYLE.md that tests check
    shrink        lowers the lengths in xtask/lists to what files and functions have become
    known LIST    holds `FAIL CASE` lines on stdin against a list of known failures
";

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let done = match arguments.as_slice() {
        ["tidy"] => print_findings(),
        ["shrink"] => shrink(),
        ["known", list] => known(list),
        _ => Err(io::Error::other(USAGE)),
    };
    done.unwrap_or_else(|error| {
        eprintln!("xtask: {error}");
        ExitCode::from(2)
    })
}

fn print_findings() -> io::Result<ExitCode> {
    let findings = tidy::check(&Tree::read(&root())?, &metadata()?);
    for finding in &findings {
        println!("{finding}");
    }
    Ok(ExitCode::from(u8::from(!findings.is_empty())))
}

fn shrink() -> io::Result<ExitCode> {
    let tree = Tree::read(&root())?;
    for list in [length::FILES, length::FUNCTIONS] {
        std::fs::write(root().join(list), length::shrunk(&tree, list))?;
    }
    Ok(ExitCode::SUCCESS)
}

fn known(list: &str) -> io::Result<ExitCode> {
    let mut output = String::new();
    io::stdin().read_to_string(&mut output)?;
    let comparison = Comparison::of(&output, &std::fs::read_to_string(list)?);
    if let Some(complaint) = comparison.complaint() {
        print!("{complaint}");
        return Ok(ExitCode::FAILURE);
    }
    Ok(ExitCode::SUCCESS)
}
