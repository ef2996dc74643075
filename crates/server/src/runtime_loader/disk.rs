//! Disk layers: a directory of files, each an entry, behind a symbolic link that is swapped
//! (Envoy's "Runtime", "File system layout").

use super::{DiskLayer, Entry, RuntimeLoader};
use nuncio_base::log;
use nuncio_base::log::{Level, logger};
use nuncio_worker::Worker;
use nuncio_xds::{FileWatch, FileWatcher};
use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs;
use std::io;
use std::path::Path;
use std::rc::Rc;

/// How deep directories may be nested, as in Envoy: links may lead around in circles.
const MAX_DEPTH: u32 = 16;

/// The watches of all layers; they end when this is dropped.
pub type DiskWatches = Vec<FileWatch>;

/// Loads the layers anew whenever one of their links is swapped.
///
/// # Errors
/// A link whose directory can't be watched.
pub fn watch(
    runtime: &Rc<RefCell<RuntimeLoader>>,
    main: &Rc<Worker>,
) -> Result<DiskWatches, String> {
    let roots: Vec<_> = runtime.borrow().disk_roots();
    if roots.is_empty() {
        return Ok(Vec::new());
    }
    let watcher = FileWatcher::of(main).map_err(|error| error.to_string())?;
    let watch = |root| {
        let runtime = Rc::downgrade(runtime);
        watcher.watch_file(root, move || {
            if let Some(runtime) = runtime.upgrade() {
                runtime.borrow_mut().reload();
            }
        })
    };
    roots.iter().map(|root| watch(root)).collect()
}

/// The entries of a layer: none where its directory is not there.
///
/// # Errors
/// A file that can't be read, or directories that are nested too deep.
pub fn read(layer: &DiskLayer) -> Result<Option<BTreeMap<String, Entry>>, String> {
    if !layer.path.is_dir() {
        return Ok(None);
    }
    let mut entries = BTreeMap::new();
    walk(&layer.path, "", 0, &mut entries)?;
    Ok(Some(entries))
}

/// Says why a layer is left out.
pub fn log_failure(name: &str, reason: &str) {
    log!(
        logger::RUNTIME,
        Level::Debug,
        "error loading runtime values for layer {name} from disk: {reason}"
    );
}

fn walk(
    path: &Path,
    prefix: &str,
    depth: u32,
    entries: &mut BTreeMap<String, Entry>,
) -> Result<(), String> {
    if depth > MAX_DEPTH {
        return Err(format!("Walk recursion depth exceeded {MAX_DEPTH}"));
    }
    let failed = |error: io::Error| format!("{}: {error}", path.display());
    for file in fs::read_dir(path).map_err(failed)? {
        let file = file.map_err(failed)?;
        let name = file.file_name();
        let name = name.to_string_lossy();
        let key = match prefix {
            "" => name.into_owned(),
            _ => format!("{prefix}.{name}"),
        };
        // Through links, as is what they lead to.
        let Ok(kind) = fs::metadata(file.path()) else {
            continue;
        };
        if kind.is_dir() {
            walk(&file.path(), &key, depth + 1, entries)?;
        } else if kind.is_file() {
            let bytes = fs::read(file.path()).map_err(failed)?;
            entries.insert(key, Entry::from_text(&text(bytes)));
        }
    }
    Ok(())
}

/// A file's text without its comments, and without what is blank at its end.
fn text(bytes: Vec<u8>) -> String {
    let text = String::from_utf8(bytes).unwrap_or_else(|error| {
        let bytes = error.as_bytes().iter();
        let shown = bytes.map(|byte| {
            if byte.is_ascii() {
                char::from(*byte)
            } else {
                ' '
            }
        });
        shown.collect()
    });
    if !text.contains('#') {
        return text.trim_end().to_owned();
    }
    let lines = text.lines().filter(|line| !line.starts_with('#'));
    let lines: Vec<_> = lines.collect();
    lines.join("\n").trim_end().to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn comments_and_blank_ends_are_no_part_of_an_entry() {
        for (file, expected) in [
            (&b"5\n"[..], "5"),
            (b"# comment\nhello # x\n\n", "hello # x"),
            (b"  6.5  ", "  6.5"),
            (b"one\ntwo\n", "one\ntwo"),
            (b"one\n#two\nthree", "one\nthree"),
            (b"", ""),
            (b"a\xff", "a"),
            (b"\xffa", " a"),
        ] {
            assert_eq!(text(file.to_vec()), expected, "{file:?}");
        }
    }
}
