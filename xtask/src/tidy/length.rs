//! Lengths of files, functions and lines; the longer ones that exist may only shrink.

use crate::lexer::{Kind, Token};
use crate::list::List;
use crate::tree::{File, Finding, Tree};
use std::collections::BTreeMap;

/// Lines of a file that nothing excuses.
const FILE_LIMIT: usize = 800;

/// Lines a file should not exceed; those that do are in [`FILES`].
const FILE_AIM: usize = 400;

/// Lines of a function, from its `fn` to its brace; longer ones are in [`FUNCTIONS`].
const FUNCTION_LIMIT: usize = 70;

/// Characters of a line.
const COLUMNS: usize = 100;

/// Lines by which something listed may be shorter before the list has to follow.
const SLACK: usize = 20;

/// Files above the aim: `PATH  LINES`.
pub const FILES: &str = "xtask/lists/long_files.txt";

/// Functions above the limit: `PATH NAME  LINES`.
pub const FUNCTIONS: &str = "xtask/lists/long_functions.txt";

/// Objects to what is longer than it should be, or than the lists say it is.
pub fn check(tree: &Tree) -> Vec<Finding> {
    let mut findings = Vec::new();
    for file in tree
        .rust()
        .filter(|file| file.text.lines().count() > FILE_LIMIT)
    {
        let message = format!("more than {FILE_LIMIT} lines: it has more than one noun, divide it");
        findings.push(Finding::new(&file.path, 0, message));
    }
    findings.extend(ratchet(
        tree,
        FILES,
        long_files(tree),
        "a file aims at 400 lines",
    ));
    findings.extend(ratchet(
        tree,
        FUNCTIONS,
        long_functions(tree),
        "a function has 70 lines",
    ));
    for file in &tree.files {
        findings.extend(long_lines(file));
    }
    findings
}

/// The list at `path` as it may now be: what became shorter with its length, what is short enough
/// left out. Nothing is added, nothing grows.
pub fn shrunk(tree: &Tree, path: &str) -> String {
    let long = if path == FILES {
        long_files(tree)
    } else {
        long_functions(tree)
    };
    let text = tree.file(path).map_or("", |file| file.text.as_str());
    let mut out = String::new();
    for line in text.lines() {
        let kept = match line.split_once("  ") {
            Some((key, lines)) if !line.starts_with('#') => long.get(key).map(|found| {
                let known = lines.trim().parse().unwrap_or(usize::MAX);
                format!("{key}  {}", found.lines.min(known))
            }),
            _ => Some(line.to_owned()),
        };
        out.extend(kept.map(|line| line + "\n"));
    }
    out
}

/// Something too long.
struct Long {
    path: String,
    line: usize,
    lines: usize,
}

type ByKey = BTreeMap<String, Long>;

fn long_files(tree: &Tree) -> ByKey {
    let mut long = ByKey::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        let lines = file.text.lines().count();
        if lines > FILE_AIM {
            let path = file.path.clone();
            long.insert(
                path.clone(),
                Long {
                    path,
                    line: 0,
                    lines,
                },
            );
        }
    }
    long
}

fn long_functions(tree: &Tree) -> ByKey {
    let mut long = ByKey::new();
    for file in tree.rust().filter(|file| !file.is_test()) {
        for function in functions(&file.shipped()) {
            let key = format!("{} {}", file.path, function.name);
            let known = long.get(&key).map_or(FUNCTION_LIMIT, |known| known.lines);
            if function.lines > known {
                let path = file.path.clone();
                long.insert(
                    key,
                    Long {
                        path,
                        line: function.line,
                        lines: function.lines,
                    },
                );
            }
        }
    }
    long
}

fn ratchet(tree: &Tree, path: &str, long: ByKey, rule: &str) -> Vec<Finding> {
    let list = List::of(tree, path);
    let mut findings = Vec::new();
    for (key, Long { path, line, lines }) in long {
        let known: Option<usize> = list.find(&key).and_then(|entry| entry.value.parse().ok());
        let message = match known {
            Some(known) if (known.saturating_sub(SLACK)..=known).contains(&lines) => continue,
            Some(known) if lines < known => {
                format!("{lines} lines, once {known}: `cargo xtask shrink` notes the progress")
            }
            Some(known) => format!("{lines} lines, and may not grow beyond {known}: {rule}"),
            None => format!("{lines} lines: {rule}"),
        };
        findings.push(Finding::new(&path, line, message));
    }
    findings.extend(list.stale());
    findings
}

struct Function<'a> {
    name: &'a str,
    line: usize,
    lines: usize,
}

/// The functions with a body.
fn functions<'a>(code: &[Token<'a>]) -> Vec<Function<'a>> {
    let mut functions = Vec::new();
    for (at, pair) in code.windows(2).enumerate() {
        let [keyword, name] = pair else { continue };
        if keyword.text == "fn"
            && keyword.kind == Kind::Word
            && name.kind == Kind::Word
            && let Some(end) = body_end(&code[at..])
        {
            let lines = end - keyword.line + 1;
            functions.push(Function {
                name: name.text,
                line: keyword.line,
                lines,
            });
        }
    }
    functions
}

/// The line of the brace that closes the body of the function that begins here.
fn body_end(code: &[Token<'_>]) -> Option<usize> {
    let mut depth = 0_usize;
    for token in code {
        match token.text {
            "{" | "(" | "[" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return Some(token.line);
                }
            }
            ";" if depth == 0 => return None,
            _ => {}
        }
    }
    None
}

/// Lines of prose that are too long, unless for an address. Code is rustfmt's business.
fn long_lines(file: &File) -> Vec<Finding> {
    let prose = [".md", ".ci/run"]
        .iter()
        .any(|end| file.path.ends_with(end));
    if !prose && !file.is_rust() {
        return Vec::new();
    }
    let long = |line: &str| {
        let checked = if prose {
            !line.starts_with('|')
        } else {
            line.trim().starts_with("//")
        };
        checked && line.chars().count() > COLUMNS && !line.contains("://")
    };
    let lines = file.text.lines().zip(1..).filter(|(line, _)| long(line));
    let message = format!("a line of more than {COLUMNS} columns");
    lines
        .map(|(_, number)| Finding::new(&file.path, number, message.as_str()))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tidy::samples::{found, objects};

    fn function(name: &str, lines: usize) -> String {
        format!("fn {name}(a: [u8; 2]) {{{}}}\n", "\n".repeat(lines - 1))
    }

    #[test]
    fn long_files_are_found() {
        for (path, lines, good) in [
            ("crates/a/src/b.rs", 400, true),
            ("crates/a/src/b.rs", 401, false),
            ("crates/a/src/tests.rs", 800, true),
            ("crates/a/src/tests.rs", 801, false),
            ("crates/a/src/b.txt", 801, true),
        ] {
            let text = "a\n".repeat(lines);
            assert_eq!(!objects(check, path, &text), good, "{path} {lines}");
        }
    }

    #[test]
    fn long_functions_are_found() {
        for (path, text, good) in [
            ("crates/a/src/b.rs", function("f", 70), true),
            ("crates/a/src/b.rs", function("f", 71), false),
            (
                "crates/a/src/b.rs",
                format!("impl X {{ {} }}", function("f", 71)),
                false,
            ),
            (
                "crates/a/src/b.rs",
                format!("fn a(); {}", "\n".repeat(80)),
                true,
            ),
            (
                "crates/a/src/b.rs",
                format!("#[cfg(test)] {}", function("f", 71)),
                true,
            ),
            ("crates/a/src/tests.rs", function("f", 71), true),
        ] {
            assert_eq!(!objects(check, path, &text), good, "{path} {text}");
        }
    }

    #[test]
    fn what_is_listed_may_shrink_only() {
        for (lines, expected) in [
            (100, ""),
            (101, "101 lines, and may not grow beyond 100"),
            (80, ""),
            (79, "79 lines, once 100"),
            (70, "no longer needed"),
        ] {
            let path = "crates/a/src/b.rs";
            let list = (FUNCTIONS, "# about\ncrates/a/src/b.rs f  100\n");
            let text = function("f", lines);
            let found = found(check, &[list, (path, &text)]).concat();
            assert_eq!(found.is_empty(), expected.is_empty(), "{found}");
            assert!(found.contains(expected), "{found}");
        }
    }

    #[test]
    fn shrinking_adds_nothing() {
        let list = "# about\ncrates/a/src/a.rs  450\ncrates/a/src/b.rs  450\n\
                    crates/a/src/c.rs  450\n";
        let long = |lines: usize| "a\n".repeat(lines);
        let (a, b, c, d) = (long(440), long(460), long(300), long(500));
        let tree = Tree::of(&[
            (FILES, list),
            ("crates/a/src/a.rs", &a),
            ("crates/a/src/b.rs", &b),
            ("crates/a/src/c.rs", &c),
            ("crates/a/src/d.rs", &d),
        ]);
        let expected = "# about\ncrates/a/src/a.rs  440\ncrates/a/src/b.rs  450\n";
        assert_eq!(shrunk(&tree, FILES), expected);
    }

    #[test]
    fn long_lines_are_found() {
        let long = format!("// {}", "é".repeat(98));
        for (path, text, good) in [
            ("a.rs", &long[..long.len() - 2], true),
            ("a.rs", &long, false),
            ("a.md", &long, false),
            (".ci/run", &long, false),
            ("a.rs", &format!("{long} https://a.test"), true),
            ("a.md", &format!("| {long} |"), true),
            ("a.txt", &long, true),
            ("a.rs", &long.replace("//", "=="), true),
        ] {
            assert_eq!(!objects(check, path, text), good, "{path} {text}");
        }
    }
}
