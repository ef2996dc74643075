//! Chores of the repository: the structure checks that `cargo test` runs, and what CI needs.

pub mod known;
pub mod lexer;
pub mod list;
pub mod tidy;
pub mod tree;

use std::io;
use std::path::PathBuf;
use std::process::Command;

/// The root of the repository.
pub fn root() -> PathBuf {
    let mut root = PathBuf::from(env!("CARGO_MANIFEST_DIR"));
    root.pop();
    root
}

/// What `cargo metadata` prints of the workspace.
pub fn metadata() -> io::Result<String> {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let mut command = Command::new(cargo);
    command.args([
        "metadata",
        "--no-deps",
        "--offline",
        "--format-version",
        "1",
    ]);
    let output = command.current_dir(root()).output()?;
    if !output.status.success() {
        return Err(io::Error::other(String::from_utf8_lossy(&output.stderr)));
    }
    String::from_utf8(output.stdout).map_err(io::Error::other)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_repository_keeps_its_rules() {
        let tree = tree::Tree::read(&root()).unwrap();
        assert!(
            tree.file("xtask/src/lib.rs").is_some(),
            "the root is elsewhere"
        );
        let findings = tidy::check(&tree, &metadata().unwrap());
        let lines: Vec<String> = findings.iter().map(ToString::to_string).collect();
        assert!(
            lines.is_empty(),
            "{} findings:\n{}",
            lines.len(),
            lines.join("\n")
        );
    }
}
