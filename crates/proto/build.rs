//! Turns the descriptors that the pinned crate envoy-types ships into the reflection tables.
//!
//! The tables are one read-only blob, so that nothing of them is decoded or allocated at run time.

#[path = "build/descriptors.rs"]
mod descriptors;
#[path = "build/emit.rs"]
mod emit;
#[path = "src/tables/layout.rs"]
mod layout;
#[path = "build/overlay.rs"]
mod overlay;
#[path = "src/wire/read.rs"]
mod wire;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::{env, fs};

/// Must be the version that Cargo.toml pins: the descriptors and the types must be of one make.
const CRATE: &str = "envoy-types-0.7.7";
const DESCRIPTORS: &str = "src/generated/types.bin";

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    println!("cargo:rerun-if-changed=build");
    println!("cargo:rerun-if-changed=src/wire/read.rs");
    println!("cargo:rerun-if-changed=src/tables/layout.rs");
    if let Err(reason) = run() {
        println!("cargo:error={reason}");
    }
}

fn run() -> Result<(), String> {
    let descriptors = find_crate()?.join(DESCRIPTORS);
    println!("cargo:rerun-if-changed={}", descriptors.display());
    let set = fs::read(&descriptors).map_err(|e| format!("{}: {e}", descriptors.display()))?;
    let mut all = descriptors::read(&set).map_err(|e| format!("{DESCRIPTORS}: {e}"))?;
    let overlay = fs::read_to_string("build/overlay.txt").map_err(|e| e.to_string())?;
    overlay::apply(&overlay, &mut all)?;
    let out = PathBuf::from(env::var_os("OUT_DIR").ok_or("no OUT_DIR")?).join("tables.bin");
    fs::write(&out, emit::blob(all)?).map_err(|e| format!("{}: {e}", out.display()))
}

/// The folder of the crate's source. Cargo knows it wherever it lies (registry, vendored, patched);
/// the registry's usual place is the fallback.
fn find_crate() -> Result<PathBuf, String> {
    from_metadata().or_else(from_registry).ok_or_else(|| {
        format!("the source of {CRATE} was not found by `cargo metadata` nor in the registry")
    })
}

fn from_metadata() -> Option<PathBuf> {
    let mut command = Command::new(env::var_os("CARGO")?);
    command.args(["metadata", "--format-version", "1", "--offline"]);
    command.arg("--filter-platform").arg(env::var_os("TARGET")?);
    let output = command.output().ok()?;
    let text = String::from_utf8(output.stdout).ok()?;
    // One string is wanted of that JSON: "manifest_path":"…/envoy-types-0.7.7/Cargo.toml".
    let manifests = text.split("\"manifest_path\":\"").skip(1);
    manifests
        .filter_map(|rest| rest.split('"').next())
        .map(|manifest| PathBuf::from(manifest.replace("\\\\", "\\")))
        .find(|manifest| manifest.parent().is_some_and(has_descriptors))
        .and_then(|manifest| manifest.parent().map(Path::to_owned))
}

fn from_registry() -> Option<PathBuf> {
    let home = env::var_os("CARGO_HOME").map(PathBuf::from);
    let home = home.or_else(|| Some(PathBuf::from(env::var_os("HOME")?).join(".cargo")))?;
    let registries = fs::read_dir(home.join("registry/src")).ok()?;
    registries
        .filter_map(|registry| Some(registry.ok()?.path().join(CRATE)))
        .find(|folder| has_descriptors(folder))
}

fn has_descriptors(folder: &Path) -> bool {
    let name = folder.file_name().and_then(|name| name.to_str());
    name.is_some_and(|name| name.starts_with("envoy-types")) && folder.join(DESCRIPTORS).is_file()
}
