//! The files of the repository as the checks see them.

use crate::lexer::{Kind, Token, tokens};
use std::fmt::{self, Display, Formatter};
use std::io;
use std::path::Path;

/// Folders that hold nothing of ours.
const SKIPPED: [&str; 4] = [".git", "target", "artifacts", "corpus"];

/// Something a check objects to.
#[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Debug)]
pub struct Finding {
    /// The file, relative to the root.
    pub path: String,
    /// The line, from 1; 0 for the whole file.
    pub line: usize,
    /// What is wrong, and what to do instead.
    pub message: String,
}

impl Finding {
    /// A finding at a line.
    pub fn new(path: &str, line: usize, message: impl Into<String>) -> Self {
        Self {
            path: path.to_owned(),
            line,
            message: message.into(),
        }
    }
}

impl Display for Finding {
    fn fmt(&self, f: &mut Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.path, self.line, self.message)
    }
}

/// A text file.
pub struct File {
    /// Relative to the root, with `/`.
    pub path: String,
    /// What it says.
    pub text: String,
}

impl File {
    /// Whether it is Rust.
    pub fn is_rust(&self) -> bool {
        self.path.ends_with(".rs")
    }

    /// Whether it holds nothing but tests, or what only they use.
    pub fn is_test(&self) -> bool {
        let name = self.path.rsplit('/').next().unwrap_or_default();
        self.path.starts_with("tests/")
            || self.path.contains("/tests/")
            || matches!(name, "tests.rs" | "fixture.rs")
            || name.ends_with("_tests.rs")
    }

    /// Its tokens, without comments.
    pub fn code(&self) -> Vec<Token<'_>> {
        let mut tokens = tokens(&self.text);
        tokens.retain(|token| token.kind != Kind::Comment);
        tokens
    }

    /// Its tokens without comments, and without the items that exist in tests only.
    pub fn shipped(&self) -> Vec<Token<'_>> {
        let code = self.code();
        let mut shipped = Vec::with_capacity(code.len());
        let mut at = 0;
        while at < code.len() {
            if texts(&code[at..], &["#", "[", "cfg", "(", "test", ")", "]"]) {
                at = end_of_item(&code, at + 7);
            } else {
                shipped.push(code[at]);
                at += 1;
            }
        }
        shipped
    }
}

/// Whether the tokens begin with these texts.
pub fn texts(tokens: &[Token<'_>], expected: &[&str]) -> bool {
    tokens.len() >= expected.len()
        && tokens
            .iter()
            .zip(expected)
            .all(|(token, text)| token.text == *text)
}

/// Behind the item that begins at `at`: its `;`, or the brace that closes its body.
fn end_of_item(code: &[Token<'_>], at: usize) -> usize {
    let mut depth = 0_usize;
    for (index, token) in code.iter().enumerate().skip(at) {
        match token.text {
            "(" | "[" | "{" => depth += 1,
            ")" | "]" => depth = depth.saturating_sub(1),
            "}" => {
                depth = depth.saturating_sub(1);
                if depth == 0 {
                    return index + 1;
                }
            }
            ";" if depth == 0 => return index + 1,
            _ => {}
        }
    }
    code.len()
}

/// All text files of the repository.
pub struct Tree {
    /// Sorted by path.
    pub files: Vec<File>,
}

impl Tree {
    /// Reads what stands below `root`, apart from build products and corpora.
    pub fn read(root: &Path) -> io::Result<Self> {
        let mut files = Vec::new();
        let mut folders = vec![root.to_owned()];
        while let Some(folder) = folders.pop() {
            for entry in folder.read_dir()? {
                let entry = entry?;
                let name = entry.file_name();
                let path = entry.path();
                if entry.file_type()?.is_dir() {
                    if !SKIPPED.iter().any(|skipped| name == *skipped) {
                        folders.push(path);
                    }
                } else if let Ok(text) = std::fs::read_to_string(&path) {
                    let path = path.strip_prefix(root).map_err(io::Error::other)?;
                    let path = path.to_string_lossy().replace('\\', "/");
                    files.push(File { path, text });
                }
            }
        }
        files.sort_by(|a, b| a.path.cmp(&b.path));
        Ok(Self { files })
    }

    /// A tree of a few samples.
    #[cfg(test)]
    pub fn of(files: &[(&str, &str)]) -> Self {
        let file = |(path, text): &(&str, &str)| File {
            path: (*path).to_owned(),
            text: (*text).to_owned(),
        };
        Self {
            files: files.iter().map(file).collect(),
        }
    }

    /// The Rust files.
    pub fn rust(&self) -> impl Iterator<Item = &File> {
        self.files.iter().filter(|file| file.is_rust())
    }

    /// A file by its path.
    pub fn file(&self, path: &str) -> Option<&File> {
        self.files.iter().find(|file| file.path == path)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn items_of_tests_are_not_shipped() {
        let cases = [
            ("#[cfg(test)] mod tests; fn a() {}", "fn a ( ) { }"),
            (
                "#[cfg(test)]\nmod tests { fn x() { {} } } fn a() {}",
                "fn a ( ) { }",
            ),
            (
                "#[cfg(test)] fn x(a: [u8; 2]) -> u8 { 0 } struct B;",
                "struct B ;",
            ),
            (
                "#[cfg(test)] #[derive(A)] struct X { a: u8 } struct B;",
                "struct B ;",
            ),
            ("#[cfg(unix)] mod a;", "# [ cfg ( unix ) ] mod a ;"),
        ];
        for (text, expected) in cases {
            let file = File {
                path: String::new(),
                text: text.to_owned(),
            };
            let shipped: Vec<&str> = file.shipped().iter().map(|token| token.text).collect();
            assert_eq!(shipped.join(" "), expected, "{text}");
        }
    }

    #[test]
    fn tests_are_known_by_their_paths() {
        let cases = [
            ("crates/base/src/buffer.rs", false),
            ("crates/base/src/tests.rs", true),
            ("crates/route/src/table_tests.rs", true),
            ("crates/codec/src/h1/tests/server.rs", true),
            ("crates/codec/src/latests.rs", false),
            ("tests/src/main.rs", true),
        ];
        for (path, expected) in cases {
            let file = File {
                path: path.to_owned(),
                text: String::new(),
            };
            assert_eq!(file.is_test(), expected, "{path}");
        }
    }
}
